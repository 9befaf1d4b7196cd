"""A line of a story as a link of the chain from the SIS to the screen: whether it holds, and which control mends it."""

from __future__ import annotations

from typing import Literal

#: Where a person mends it: a page of the district by its address, ``person`` or ``list`` with the id behind it, ``run``, the
#: issues of the run that was loaded last, ``decision``, where its held archive is answered, or ``airflow``, as the link says.
Control = str


class Link(str):
    """What is told; ``holds`` is None for what only tells, ``control`` None where nothing here mends it, but the SIS."""

    __slots__ = ("control", "holds")

    holds: bool | None
    control: Control | None

    def __new__(cls, text: str, holds: bool | None = None, control: Control | None = None) -> Link:
        """A link."""
        link = super().__new__(cls, text)
        link.holds, link.control = holds, control
        return link


def holding(text: str) -> Link:
    """A link that holds."""
    return Link(text, True)


def broken(text: str, control: Control | None = None) -> Link:
    """A link that does not hold."""
    return Link(text, False, control)


#: What mends the reason for which something was not done; what is not named is mended in the SIS, or by waiting.
_MENDED: dict[str, Literal["settings", "terms", "run"]] = {
    "auto_update_off": "settings",
    "archive_off": "settings",
    "absent_nights": "settings",
    "roster_off": "settings",
    "paused": "settings",
    "quiet": "settings",
    "parent_contact_off": "settings",
    "class_lists_off": "settings",
    "term_not_selected": "terms",
    "grade_not_selected": "terms",
    "match_not_unique": "run",
    "match_contradicts": "run",
    "sourced_id_changed": "run",
    "sourced_id_reissued": "run",
    "two_entries_one_human": "run",
    "identifier_shared": "run",
    "name_missing": "run",
    "school_unknown": "run",
    "role_unknown": "run",
}


def mended_by(reason: str | None, person_id: int | None = None) -> Control | None:
    """Where a person mends a reason."""
    if reason == "excluded":
        return f"person/{person_id}" if person_id else "people"
    return _MENDED.get(reason or "")
