"""What is particular about each SIS, as data: scopes, longest page, and where a resource is shared.

What an entry does not know is the generic's. CONTRIBUTING.md says how one is added.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_EVERY = "every resource"


@dataclass(frozen=True)
class Quirks:
    """One SIS: whether its token address takes a scope, its longest page, where each resource is shared."""

    name: str
    takes_scope: bool = True
    page_cap: int = 10_000
    share: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def cure(self, collection: str) -> str:
        """What the district does in its SIS so that a collection is shared; one sentence."""
        where = self.share.get(collection) or self.share.get(_EVERY) or GENERIC.share[_EVERY]
        return where.format(collection=collection)


def _share(every: str, **others: str) -> Mapping[str, str]:
    return MappingProxyType({_EVERY: every, **others})


GENERIC = Quirks("generic", share=_share("Turn on sharing of {collection} for this connection in the SIS."))

_KNOWN = (
    Quirks(
        "PowerSchool",
        page_cap=1000,
        share=_share(
            "In PowerSchool's plugin for this connection, allow it to read {collection}, then enable the plugin again.",
            enrollments=("In PowerSchool's plugin for this connection, allow enrollments, and turn on co-teachers."),
        ),
    ),
    Quirks(
        "Infinite Campus",
        page_cap=50_000,
        share=_share("In Infinite Campus's OneRoster connection, share {collection}; token_url needs ?appName= at its end."),
    ),
    Quirks(
        "Skyward",
        share=_share("In Skyward's OneRoster API setup for this vendor, turn on {collection}."),
    ),
    Quirks(
        "Aeries",
        share=_share("In Aeries's API security for this vendor, allow reading of {collection} over OneRoster."),
    ),
    Quirks(
        "Synergy",
        takes_scope=False,
        share=_share("In Synergy's OneRoster settings for this client, share {collection}."),
    ),
    Quirks(
        "ClassLink",
        share=_share(
            "In ClassLink's Roster Server, grant this application {collection} in its permissions.",
            users="In ClassLink's Roster Server, grant this application users, and turn on Unenrolled Users.",
        ),
    ),
    Quirks(
        "Clever",
        share=_share("In Clever's dashboard, share {collection} and every school wanted with this application."),
    ),
    GENERIC,
)


def quirks_of(sis_name: str) -> Quirks:
    """The SIS of that name, however it is spelt; the generic one for a name not known."""
    folded = re.sub(r"[^a-z]", "", sis_name.lower())
    return next((one for one in _KNOWN if re.sub(r"[^a-z]", "", one.name.lower()) in folded), GENERIC)
