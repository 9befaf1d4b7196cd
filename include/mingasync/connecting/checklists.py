"""What a district shares in its SIS before it can be synced: one checklist for each SIS, as data."""

from __future__ import annotations

from dataclasses import dataclass

from include.mingasync.oneroster.quirks import quirks_of
from include.mingasync.oneroster.records import REQUIRED

#: The systems that a request names; every other one is typed.
NAMES = ("PowerSchool", "Infinite Campus", "Skyward", "Aeries", "ClassLink", "Clever")


@dataclass(frozen=True)
class Item:
    """A resource to be shared: its name in OneRoster, what it is in plain words, and what it is for."""

    collection: str
    words: str
    purpose: str

    @property
    def required(self) -> bool:
        """Whether no sync makes sense without it; the others are needed for class lists only."""
        return self.collection in REQUIRED

    @property
    def need(self) -> str:
        """How much it is needed, in words."""
        return "no sync without it" if self.required else "needed for class lists"


ITEMS = (
    Item("orgs", "Schools and the district", "tells which school each person and class is of"),
    Item("users", "Students, teachers, staff and administrators", "become the people in Minga"),
    Item("academicSessions", "Terms and school years", "class lists come in only for terms that are shared and selected"),
    Item("courses", "Courses", "give subjects to the lists by subject"),
    Item("classes", "Classes, also called sections", "become the class lists"),
    Item("enrollments", "Who is in which class, and who teaches it", "members and list managers of the class lists"),
)


@dataclass(frozen=True)
class Checklist:
    """A SIS's checklist: what to share, where it is turned on there, and what is particular about it."""

    sis_name: str
    items: tuple[Item, ...]
    where: str
    notes: tuple[str, ...]


_EVERY = (
    "Share every school that is to be rostered, with all its sections.",
    "Share all terms of this school year: class lists do not come in for a term that is not shared.",
)
#: What is particular about sharing in each; what is not known of a SIS is not written.
_NOTES = {
    "PowerSchool": (
        "The OneRoster address usually ends in /api/ims/oneroster/v1p1, the token address in /oauth/access_token.",
        "Turn on co-teachers with the enrollments; without it only one teacher of a class is sent.",
    ),
    "Infinite Campus": (
        "The token address needs ?appName= at its end, with the name that Infinite Campus gave to the connection.",
        "Grading periods are made from terms: share the terms.",
    ),
    "Skyward": (
        "Look through the users without a given name, a family name or an identifier, and complete them: such users cannot be "
        "told apart.",
    ),
    "Aeries": ("The OneRoster address usually ends in /aeries/ims/oneroster/v1p1.",),
    "ClassLink": ("Turn on Unenrolled Users: without it, users who are in no class, such as administrators, are not sent.",),
    "Clever": (),
}
_OTHER = ("Ask the vendor for OneRoster 1.1 or 1.2: its address with a client id and a secret, or an export of CSV files.",)


def checklist_of(sis_name: str) -> Checklist:
    """The checklist of a SIS; one that is not known gets what holds for each."""
    quirks = quirks_of(sis_name)
    own = _NOTES.get(quirks.name, _OTHER if quirks.name == "generic" else ())
    return Checklist(sis_name, ITEMS, quirks.cure("each resource of this list"), (*_EVERY, *own))
