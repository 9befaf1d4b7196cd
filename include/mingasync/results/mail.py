"""The results mail: the verdict first, counts only, what to fix, what was not changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from include.mingasync.addresses import valid_address
from include.mingasync.results.night import Night

_VERDICTS = {
    "success": "All good",
    "completed_with_errors": "Done, with problems",
    "held": "Archives held back",
    "failed": "Failed",
    "superseded": "Not needed",
    "skipped": "Skipped",
    "running": "Still running",
}
_ROLES = {"student": "Students", "teacher": "Teachers", "staff": "Staff", "admin": "Admins"}
_LISTS = {"class": "Class", "role": "Role", "grade": "Grade", "subject": "Subject", "teacher": "Teacher"}
_LINKS = {"results": "All details", "run": "The run in Airflow"}
#: Counts of people that a night left as they were, in words for one and for many.
_LEFT_ALONE = {
    "update_suppressed": (
        "person differs in the SIS and was left as is: auto update is off for the role.",
        "people differ in the SIS and were left as they are: auto update is off for their role.",
    ),
    "archive_suppressed": (
        "person is gone from the SIS and stays active: archive is off for the role.",
        "people are gone from the SIS and stay active: archive is off for their role.",
    ),
    "archive_held": (
        "archive is held by the safety limits; this person stays active.",
        "archives are held by the safety limits; these people stay active.",
    ),
    "skipped": (
        "SIS record was skipped: excluded from the sync by hand, or of a role that is not rostered.",
        "SIS records were skipped: excluded from the sync by hand, or of a role that is not rostered.",
    ),
}


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
        "until": f"{night.answer_until:%Y-%m-%d %H:%M %Z}" if night.answer_until else "",
        "unchanged": what_was_not_changed(night),
        "people": [(title, _people_row(night.counts["people"][role])) for role, title in _ROLES.items()],
        "lists": [(title, night.counts["lists"][kind]) for kind, title in _LISTS.items()],
        "attached": night.attachment.told if night.attachment else "",
        "links": [(title, night.links[name]) for name, title in _LINKS.items() if name in night.links],
    }
    # Subjects sort by district and date, and one district's mails stand together.
    name = " ".join(night.district.split())
    subject = f"{name} roster sync {night.night.isoformat()}: {verdict(night)}, {_moves(night)}"
    attachments = ((night.attachment.name, night.attachment.content),) if night.attachment else ()
    html, text = render("results.html", values), render("results.txt", values)
    return Mail(subject, html, text, attachments)


def verdict(night: Night) -> str:
    """The verdict in a few words."""
    if night.kind == "preview" and night.state in ("success", "completed_with_errors", "held"):
        return "Preview, nothing applied"
    return "Waiting for you" if night.answer_until else _VERDICTS[night.state]


def _people_row(own: dict[str, int]) -> dict[str, int]:
    held_back = own["update_suppressed"] + own["archive_suppressed"] + own["archive_held"]
    return own | {"held_back": held_back}


def _total(night: Night, key: str) -> int:
    return sum(own[key] for own in night.counts["people"].values())


def _moves(night: Night) -> str:
    return f"{_total(night, 'created') + _total(night, 'restored')} joined, {_total(night, 'archived')} left"


def _changed(night: Night) -> bool:
    return any(_total(night, key) for key in ("created", "restored", "archived", "updated"))


def sentence(night: Night) -> str:
    """The verdict in one sentence, the number first."""
    if night.state == "failed":
        done = f" Done before: {_moves(night)}, {_total(night, 'updated')} updated." if _changed(night) else ""
        return f"The sync did not finish. {night.reason or ''}".strip() + done
    if night.state in ("superseded", "skipped"):
        return night.reason or "Nothing was changed and nothing needs to be done."
    moves = f"{_moves(night)}, {_total(night, 'updated')} updated."
    if not _changed(night):
        moves = "Nothing changed: everybody here is as the SIS says."
    if night.state == "held" and night.kind != "preview":
        rest = f"Everything else of the night is done: {moves}" if _changed(night) else "Nothing else changed."
        return f"{night.reason or 'Archives were held.'} {rest}"
    if night.kind == "preview":
        moves = f"This is what the sync would do; nothing was applied. {moves}"
    return f"{moves} {night.reason}" if night.reason else moves


def what_was_not_changed(night: Night) -> list[str]:
    """What the night left alone, in sentences; empty when it left nothing."""
    told = []
    if not night.is_known:
        told.append(
            "What this night changed cannot be told before the directory can be asked again. Each step is carried out whole "
            "or not at all, and nobody is archived before everything else is done."
        )
    elif night.state == "failed" and not _changed(night):
        told.append("Nothing was changed: people, lists and access are as they were the night before.")
    for key, (one, many) in _LEFT_ALONE.items():
        if number := _total(night, key):
            told.append(f"{number} {one if number == 1 else many}")
    return told


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
