"""What somebody did by hand, in words."""

from __future__ import annotations

from typing import Any

from include.mingasync.console.reading import Row
from include.mingasync.console.words import number

#: Fields of a person that a page names, in people's words.
FIELDS = {
    "given_name": "Given name",
    "family_name": "Family name",
    "preferred_given_name": "Preferred name",
    "email": "E-mail",
    "username": "Username",
    "identifier": "Identifier",
}


def told(row: Row) -> dict[str, Any]:
    """A change in a sentence, and whether it can be taken back."""
    return {
        "sentence": _sentence(row),
        "may_take_back": row["action"] == "set_visibility" and not row["taken_back_by"] and row["lists"],
    }


_SENTENCES = {
    "rename": "Renamed from “{before[name]}” to “{after[name]}”.",
    "add": "{person} was added by hand as a {role}; every sync keeps it.",
    "remove": "{person} was taken off by hand as a {role}; no sync puts them back.",
    "release": "What a hand decided of {person} as a {role} was taken back; the next sync follows the SIS.",
    "add_person": "{person} was added by hand. “Include user in SIS sync” is off for them.",
    "set_include_in_sync": "“Include user in SIS sync” was turned {switch} for {person}.",
    "pin": "{field} of {person} was pinned to {value}.",
    "unpin": "The pin on {field} of {person} was taken off.",
}


def _sentence(row: Row) -> str:
    before, after = row["before"] or {}, row["after"] or {}
    if row["action"] == "set_visibility":
        return _visibility(row, after["visibility"])
    if row["action"] == "rename" and not after:  # of whom the name told is gone
        return "Renamed."
    field = str((after or before).get("field", ""))
    return _SENTENCES[row["action"]].format(
        before=before,
        after=after,
        person=row["person"] or "Somebody",
        role="list manager" if after.get("member_role") == "manager" else "member",
        switch="on" if after.get("include_in_sync") else "off",
        field=FIELDS.get(field, field),
        value=_value(after.get("value")),
    )


def _value(value: str | None) -> str:
    return f"“{value}”" if value else "nothing"


def _visibility(row: Row, visibility: str) -> str:
    lists = f"{number(row['lists'])} {'list' if row['lists'] == 1 else 'lists'}"
    if row["of_lists"] is None:
        said = f"{lists} set as {visibility}."
    else:
        left = row["of_lists"] - row["lists"]
        said = f"{lists} set back to {visibility}." + (
            f" {number(left)} had been changed since and {'was' if left == 1 else 'were'} left alone." if left else ""
        )
    return said + (f" Taken back by {row['taken_back_by']}." if row["taken_back_by"] else "")
