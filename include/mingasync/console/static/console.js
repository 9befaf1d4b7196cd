// Makes the console at home inside Airflow: its theme follows Airflow's, and its links to Airflow open around the frame.
"use strict";

const framed = window.parent !== window;

/** Airflow's document when the console is shown inside it, null when it stands alone or may not look. */
const airflow = (() => {
  try {
    return framed ? window.parent.document : null;
  } catch {
    return null;
  }
})();

/** The theme chosen in Airflow: "light", "dark", or "" to follow the system. */
function chosenTheme() {
  if (airflow) {
    const { classList } = airflow.documentElement;
    return ["dark", "light"].find((theme) => classList.contains(theme)) ?? "";
  }
  const stored = window.localStorage.getItem("theme");
  return stored === "dark" || stored === "light" ? stored : "";
}

function applyTheme() {
  document.documentElement.dataset.theme = chosenTheme();
}

applyTheme();
if (airflow) {
  new MutationObserver(applyTheme).observe(airflow.documentElement, { attributeFilter: ["class"] });
}
window.addEventListener("storage", applyTheme);

// The frame's sandbox forbids target=_top; Airflow's router listens to the history, which is of the same origin.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-airflow]");
  const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  if (!link || !airflow || !plain) {
    return;
  }
  event.preventDefault();
  const { history } = window.parent;
  const place = { idx: (history.state?.idx ?? 0) + 1, key: Math.random().toString(36).slice(2, 10), usr: null };
  history.pushState(place, "", new URL(link.href).pathname);
  window.parent.dispatchEvent(new PopStateEvent("popstate", { state: place }));
});

// How many fields of a form differ from what the page came with; the page works without being told.
document.addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector("form[data-edit]");
  const told = form?.querySelector("[data-changes]");
  if (!told) {
    return;
  }
  const kept = Number(told.dataset.changes);
  const differs = (field) => {
    if (field.type === "checkbox") {
      return field.checked !== field.defaultChecked;
    }
    if (field instanceof HTMLSelectElement) {
      return [...field.options].some((option) => option.selected !== option.defaultSelected && [...field.options].some((one) => one.defaultSelected));
    }
    return field.value !== field.defaultValue;
  };
  const count = () => {
    const number = kept + [...form.elements].filter((field) => field.name && field.type !== "hidden" && field.type !== "submit" && differs(field)).length;
    told.textContent = number === 0 ? "No changes" : number === 1 ? "1 change" : `${number} changes`;
  };
  form.addEventListener("input", count);
  count();
});

// What if: the review comes first, and what the next night does is put into it once it is worked out. Without a script its button asks.
document.addEventListener("DOMContentLoaded", async () => {
  const section = document.querySelector("[data-what-if]:not([data-is-told])");
  if (!section) {
    return;
  }
  const form = section.closest("form");
  const told = section.querySelector("[role=status]");
  const before = told.textContent;
  const button = section.querySelector("button");
  const body = new URLSearchParams(new FormData(form)); // without its buttons, whose name hides the form's own action
  body.append("action", "what_if");
  button.hidden = true;
  section.setAttribute("aria-busy", "true");
  told.textContent = "What the next night does is being worked out…";
  try {
    const answer = await fetch(form.getAttribute("action"), { method: "POST", body, headers: { accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[data-what-if][data-is-told]");
    if (!fresh) {
      throw new Error(answer.statusText);
    }
    section.replaceWith(document.importNode(fresh, true));
  } catch {
    section.removeAttribute("aria-busy");
    told.textContent = before;
    button.hidden = false;
  }
});
