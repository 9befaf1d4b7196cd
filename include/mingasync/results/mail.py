"""The results mail: the verdict first, counts only, what to fix, what was not changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from include.mingasync.addresses import valid_address
from include.mingasync.results.left_alone import sentences
from include.mingasync.results.night import Night
from include.mingasync.results.numbers import told_number

_VERDICTS = {
    "success": "All good",
    "completed_with_errors": "Done, with problems",
    "held": "Archives held back",
    "failed": "Failed",
    "superseded": "Not needed",
    "skipped": "Skipped",
    "running": "Still running",
}
_VERDICTS_OF_PREVIEWS = dict.fromkeys(("success", "completed_with_errors", "held"), "Preview, nothing applied") | {
    "failed": "Preview failed"
}
_ROLES = {"student": "Students", "teacher": "Teachers", "staff": "Staff", "admin": "Admins"}
_NOUNS = {
    "student": ("student", "students"), "teacher": ("teacher", "teachers"), "staff": ("staff member", "staff members"),
    "admin": ("admin", "admins"),
}  # fmt: skip
_ANSWERS = {
    "approved": "approved",
    "partly": "approved in part, the rest rejected",
    "rejected": "rejected",
    "late": "approved too late, so nobody was archived",
}
_LISTS = {"class": "Class", "role": "Role", "grade": "Grade", "subject": "Subject", "teacher": "Teacher"}
_LINKS = {"results": "All details", "run": "The run in Airflow"}
#: How many causes a mail tells; the run's page has them all.
_MOST_CAUSES = 8
#: Counts of people that a night left as they were.
_LEFT_ALONE = ("update_suppressed", "archive_suppressed", "archive_held", "skipped")


@dataclass(frozen=True)
class Mail:
    """A composed mail: subject, both parts, and attachments as (file name, content)."""

    subject: str
    html: str
    text: str
    attachments: tuple[tuple[str, bytes], ...] = ()


def valid_recipients(recipients: Iterable[str]) -> tuple[list[str], list[str]]:
    """The addresses that a mail can go to, each once, and those that are none."""
    valid, invalid = [], []
    for one in recipients:
        if found := valid_address(one):
            valid.append(found)
        else:
            invalid.append(one)
    return list(dict.fromkeys(valid)), list(dict.fromkeys(invalid))


def compose(night: Night) -> Mail:
    """The mail of a night, as HTML and as text."""
    values: dict[str, Any] = {
        "night": night,
        "verdict": verdict(night),
        "sentence": sentence(night),
        "tone": "look" if night.state == "success" and night.causes else "undone" if night.undone_by else night.state,
        "answer": answer(night),
        # Of a night that counted nothing there is no table of zeros to show.
        "is_counted": bool(_changes(night)) or night.state not in ("failed", "superseded", "skipped"),
        "until": f"{night.answer_until:%Y-%m-%d %H:%M %Z}" if night.answer_until else "",
        "decide": night.links.get("decision") or night.links.get("required_actions"),
        "causes": night.causes[:_MOST_CAUSES],
        "more": _more(len(night.causes) - _MOST_CAUSES, night.links),
        "unchanged": what_was_not_changed(night),
        "people": [(title, _people_row(night.counts["people"][role])) for role, title in _ROLES.items()],
        "held": [(group, _NOUNS[group["role"]][1]) for group in night.held],
        "lists": [(title, night.counts["lists"][kind]) for kind, title in _LISTS.items()],
        "attached": night.attachment.told if night.attachment else "",
        "links": [(title, night.links[name]) for name, title in _LINKS.items() if name in night.links],
    }
    # The verdict first, for a phone shows no more; the mails of one night stand together by their thread.
    name = " ".join(night.district.split())
    subject = f"{verdict(night)}: {_in_short(night)}, {name}, roster sync {night.night.isoformat()}"
    attachments = ((night.attachment.name, night.attachment.content),) if night.attachment else ()
    html, text = render("results.html", values), render("results.txt", values)
    return Mail(subject, html, text, attachments)


def verdict(night: Night) -> str:
    """The verdict in a few words; "All good" stands above nothing that somebody has to look at."""
    if night.undone_by:
        return "Undone"
    if night.kind == "preview" and night.state in _VERDICTS_OF_PREVIEWS:
        return _VERDICTS_OF_PREVIEWS[night.state]
    if night.answer_until:
        return "Waiting for you"
    if night.state == "success" and night.causes:
        if any(cause.severity != "warning" for cause in night.causes):
            return _VERDICTS["completed_with_errors"]
        return f"Done, {told_number(len(night.causes), 'thing')} to look at"
    return _VERDICTS[night.state]


def _people_row(own: dict[str, int]) -> dict[str, int]:
    held_back = own["update_suppressed"] + own["archive_suppressed"] + own["archive_held"]
    return own | {"held_back": held_back}


def _total(night: Night, key: str) -> int:
    return sum(own[key] for own in night.counts["people"].values())


def _lists(night: Night, key: str) -> int:
    return sum(own[key] for own in night.counts["lists"].values())


def _moved(night: Night) -> tuple[int, int, int]:
    """How many people joined, left and were updated."""
    return _total(night, "created") + _total(night, "restored"), _total(night, "archived"), _total(night, "updated")


def _changes(night: Night) -> list[str]:
    """What changed of people, of lists and of memberships, each in a phrase; empty when nothing did."""
    if night.kind == "preview" and night.state == "failed":  # its plan may be counted; nothing of it was carried out
        return []
    would, be = ("would ", "would be ") if night.kind == "preview" else ("", "")
    join, leave = ("join", "leave") if would else ("joined", "left")
    told = []
    joined, left, updated = _moved(night)
    if joined or left or updated:
        told.append(f"{joined:,} {would}{join}, {left:,} {would}{leave}, {updated:,} {be}updated")
    made, changed, ended = (_lists(night, key) for key in ("created", "updated", "deactivated"))
    if made or changed or ended:
        told.append(f"{told_number(made, 'list')} {be}made, {changed:,} changed, {ended:,} made inactive")
    added, removed = night.counts["memberships"]["added"], night.counts["memberships"]["removed"]
    if added or removed:
        told.append(f"{told_number(added, 'membership')} {be}added, {removed:,} removed")
    return told


def _in_short(night: Night) -> str:
    """The weightiest of what happened, for a subject."""
    preview = night.kind == "preview"
    if night.held and not preview:
        people: Counter[str] = Counter()
        for group in night.held:
            people[group["role"]] += group["people"]
        return " and ".join(told_number(people[role], *_NOUNS[role]) for role in _ROLES if people[role])
    if not night.is_known:
        return "the directory cannot be asked"
    changes = _changes(night)
    if night.undone_by:
        return "taken back"
    if not changes:
        return "nothing changed"
    joined, left, updated = _moved(night)
    if joined or left:  # what people ask first
        return f"{joined:,} {'would join' if preview else 'joined'}, {left:,} {'would leave' if preview else 'left'}"
    return f"{updated:,} updated" if updated else changes[0]


def sentence(night: Night) -> str:
    """The verdict in one sentence, the number first."""
    changes = _changes(night)
    moves = f"{'; '.join(changes)}."
    if night.undone_by:
        return (
            f"What this run did was taken back by the run {night.undone_by}, but for what a later run or a person decided since."
        )
    if night.state == "failed":
        done = f" Done before: {moves}" if changes else ""
        return f"The sync did not finish. {night.reason or ''}".strip() + done
    if night.state in ("superseded", "skipped"):
        return night.reason or "Nothing was changed and nothing needs to be done."
    if not changes:
        moves = "Nothing changed." if _is_anything_left_alone(night) else "Nothing changed: everybody here is as the SIS says."
    if night.state == "held" and night.kind != "preview":
        rest = f"Everything else of the night is done: {moves}" if changes else "Nothing else changed."
        return f"{night.reason or 'Archives were held.'} {rest}"
    if night.kind == "preview":
        moves = f"This is what the sync would do; nothing was applied. {moves}"
    return f"{moves} {night.reason}" if night.reason else moves


def _more(number: int, links: Mapping[str, str]) -> str:
    """That there are more causes than the mail tells, and where they stand; empty when there are not."""
    if number < 1:
        return ""
    where = _LINKS["results"] if "results" in links else "directory.sync_issues"
    return f"{told_number(number, 'more cause')}: see {where}."


def _is_anything_left_alone(night: Night) -> bool:
    """Whether anything here differs from the SIS, or may."""
    suppressed = night.counts["memberships"].get("suppressed", 0)
    return bool(suppressed or night.state != "success" or any(_total(night, key) for key in _LEFT_ALONE))


def answer(night: Night) -> str:
    """Who answered the question about held archives, and how; empty where nobody did. For mails and pages, never for a log."""
    if not night.answered_by:
        return ""
    how = _ANSWERS.get(night.answer or "", "")
    return f"Answered by {night.answered_by}{f': {how}' if how else ''}."


def what_was_not_changed(night: Night) -> list[str]:
    """What the night left alone, in sentences; empty when it left nothing."""
    told = []
    if not night.is_known:
        told.append(
            "What this night changed cannot be told before the directory can be asked again. Each step is carried out whole "
            "or not at all, and nobody is archived before everything else is done."
        )
    elif night.state == "failed" and not _changes(night):
        told.append("Nothing was changed: people, lists and access are as they were the night before.")
    return [*told, *sentences({key: _total(night, key) for key in _LEFT_ALONE}, night.left_alone)]


def render(template: str, values: dict[str, Any]) -> str:
    """A template of this package filled in; HTML is escaped, and a value that is missing is an error."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=template.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(values)
