"""Verifying a district's SIS: one page of each resource, and what cures each that is not shared (B3)."""

from __future__ import annotations

from dataclasses import dataclass

from include.mingasync.district import District
from include.mingasync.errors import SourceError
from include.mingasync.oneroster import csv_bundle
from include.mingasync.oneroster.access import Access
from include.mingasync.oneroster.quirks import quirks_of
from include.mingasync.oneroster.records import READING_ORDER, REQUIRED
from include.mingasync.oneroster.rest import NotSharedError, RestSource

_MEANINGS = {
    401: "the login or its token is refused for it (status 401)",
    403: "reading it is forbidden (status 403)",
    404: "the SIS has no such resource (status 404)",
}


@dataclass(frozen=True)
class Check:
    """Whether a collection is shared; if not, why not and what cures it. ``required``: no sync without it."""

    collection: str
    shared: bool
    cause: str | None = None
    cure: str | None = None

    @property
    def required(self) -> bool:
        """Whether no sync makes sense without it; the others are needed for class lists only."""
        return self.collection in REQUIRED


def check(district: District, access: Access) -> list[Check]:
    """One check per collection, in reading order; an SIS that cannot be reached fails every one."""
    if district.sis.source == "csv":
        causes = {name: _cause_in_bundle(name, access) for name in READING_ORDER}
    else:
        source = RestSource.of(district, access)
        causes = {name: _cause_over_rest(name, source) for name in READING_ORDER}
    quirks = quirks_of(district.sis.name)
    return [Check(name, cause is None, cause, quirks.cure(name) if cause else None) for name, cause in causes.items()]


def _cause_over_rest(collection: str, source: RestSource) -> str | None:
    try:
        return None if source.first_page(collection).num_rows else "it is empty"
    except NotSharedError as refusal:
        return _MEANINGS[refusal.status]
    except SourceError as error:
        return str(error)


def _cause_in_bundle(collection: str, access: Access) -> str | None:
    reading = csv_bundle.Reading()
    try:
        rows = csv_bundle.first_rows(collection, access, reading)
    except SourceError as error:
        return str(error)
    return reading.absent or (None if rows else "it is empty")
