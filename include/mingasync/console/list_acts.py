"""What somebody does by hand with user lists: each act is carried out and written down together, or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import HTTPException

from include.mingasync.console.reading import acting
from include.mingasync.console.searching import Search

NO_LIST = "There is no such list in this district. Nothing was changed."
NO_PERSON = "There is no such person in this district. Nothing was changed."
#: Number of the change that an act is told by, where it changed nothing.
NOTHING = 0


class Different(Exception):
    """What is there is not any more what the page showed; nothing was changed."""


def fingerprint(of: Sequence[int] | str) -> str:
    """What tells a set of ids, or a text, from any other."""
    text = of if isinstance(of, str) else ",".join(map(str, sorted(of)))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def set_visibility_of(slug: str, ids: Sequence[int], visibility: str, who: str) -> int:
    """The number of the change, after these lists were set; refused whole where one is not the district's."""
    with acting(slug) as here:
        if len(here.rows("lists_known", district=slug, ids=ids)) != len(set(ids)):
            raise HTTPException(404, NO_LIST)
        changed = here.rows("set_visibility", district=slug, ids=list(ids), visibility=visibility, who=who)
    return int(changed[0]["change_no"]) if changed else NOTHING


def set_visibility_of_all(slug: str, search: Search, visibility: str, version: str, who: str) -> int:
    """The number of the change, after all lists that a search finds were set; Different where others were reviewed."""
    with acting(slug) as here:
        (found,) = here.rows("list_ids", district=slug, wanted=visibility, **search.parameters)
        if fingerprint(found["changing"]) != version:
            raise Different
        changed = here.rows("set_visibility", district=slug, ids=found["changing"], visibility=visibility, who=who)
    return int(changed[0]["change_no"]) if changed else NOTHING


def take_back(slug: str, change_no: int, who: str) -> int:
    """The number of the change that took another one of visibility back; that one's own number where it had been already."""
    with acting(slug) as here:
        if not here.rows("hand_change", district=slug, change_no=change_no):
            raise HTTPException(404, "There is no such change in this district. Nothing was changed.")
        changed = here.rows("take_back_visibility", district=slug, change_no=change_no, who=who)
    return int(changed[0]["change_no"]) if changed else change_no


def rename(slug: str, list_id: int, version: str, name: str, who: str) -> int:
    """The number of the change, after the list got another name; Different where its name is not any more that of ``version``."""
    with acting(slug) as here:
        found = here.rows("list", district=slug, list_id=list_id)
        if not found:
            raise HTTPException(404, NO_LIST)
        if found[0]["name"] == name:
            return NOTHING
        if fingerprint(found[0]["name"]) != version:
            raise Different
        changed = here.rows("rename", district=slug, list_id=list_id, was=found[0]["name"], name=name, who=who)
        if not changed:  # somebody else was quicker since the line above
            raise Different
    return int(changed[0]["change_no"])


@dataclass(frozen=True)
class Place:
    """Somebody's place on a list."""

    list_id: int
    person_id: int
    member_role: str


def set_place(slug: str, of: Place, action: str, who: str) -> int:
    """The number of the change, after somebody was put on a list (``add``), taken off (``remove``) or released to the SIS."""
    whom = {"list_id": of.list_id, "person_id": of.person_id, "manager": of.member_role == "manager"}
    with acting(slug) as here:
        if not here.rows("lists_known", district=slug, ids=[of.list_id]):
            raise HTTPException(404, NO_LIST)
        found = here.rows("place", district=slug, **whom)
        if not found:
            raise HTTPException(404, NO_PERSON)
        now = found[0]
        if action == "add" and now["status"] != "active":
            raise HTTPException(409, "They are archived, and archived people are on no list. Nothing was changed.")
        wanted = {"add": True, "remove": False, "release": None}[action]
        if now["keep"] == wanted and (wanted is None or now["is_on"] == wanted):
            return NOTHING
        if action == "release":
            here.rows("release_from_list", **whom)
        else:
            here.rows("add_to_list" if wanted else "remove_from_list", member_role=of.member_role, **whom)
            here.rows("sign_place", who=who, **whom)
        kept = here.rows(
            "keep_change",
            district=slug,
            who=who,
            action=action,
            list_ids=[of.list_id],
            person_id=of.person_id,
            before=None,
            after={"member_role": of.member_role},
        )
    return int(kept[0]["change_no"])
