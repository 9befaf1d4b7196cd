"""Verifying a district's SIS: one page of each resource, and what cures each that is not shared (docs/behaviours.md, B3)."""

from __future__ import annotations

from dataclasses import dataclass

from include.mingasync.district import District
from include.mingasync.errors import SourceError
from include.mingasync.oneroster import csv_bundle
from include.mingasync.oneroster.access import Access
from include.mingasync.oneroster.diagnosis import why_refused
from include.mingasync.oneroster.failures import NotSharedError
from include.mingasync.oneroster.quirks import quirks_of
from include.mingasync.oneroster.records import PARTS, READING_ORDER, REQUIRED
from include.mingasync.oneroster.rest import RestSource

_MEANINGS = {
    401: "the login or its token is refused for it (status 401)",
    403: "reading it is forbidden (status 403)",
    404: "the SIS has no such resource (status 404)",
}


@dataclass(frozen=True)
class Check:
    """Whether a collection is shared; if not, why not and what cures it. ``note``: how it is shared, if not as itself."""

    collection: str
    shared: bool
    cause: str | None = None
    cure: str | None = None
    note: str | None = None

    @property
    def required(self) -> bool:
        """Whether no sync makes sense without it; the others are needed for class lists only."""
        return self.collection in REQUIRED

    @property
    def words(self) -> str:
        """Cause and cure, as sentences."""
        return f"{(self.cause or '').rstrip('.')}. {self.cure or ''}".strip()


def check(district: District, access: Access) -> list[Check]:
    """One check per collection, in reading order; an access that is wrong as a whole fails every one with the same words."""
    if district.sis.source == "csv":
        causes = {name: _cause_in_bundle(name, access) for name in READING_ORDER}
        cure = quirks_of(district.sis.name).cure
        return [Check(name, cause is None, cause, cure(name) if cause else None) for name, cause in causes.items()]
    source = RestSource.of(district, access)
    refusals: dict[str, NotSharedError] = {}
    checks: dict[str, Check] = {}
    for name in READING_ORDER:
        try:
            checks[name] = _read(name, source, district)
        except NotSharedError as refused:
            refusals[name] = refused
    if refusals and not any(one.shared for one in checks.values()):
        name, refusal = next(iter(refusals.items()))
        if wrong := why_refused(source, district, name, refusal):
            checks |= {name: Check(name, False, wrong.cause, wrong.cure) for name in refusals}
    for name, refusal in refusals.items():
        checks.setdefault(name, _not_shared(name, refusal, source, district))
    return [checks[name] for name in READING_ORDER]


def _read(collection: str, source: RestSource, district: District) -> Check:
    try:
        if source.first_page(collection).num_rows:
            return Check(collection, True)
        return Check(collection, False, "it is empty", quirks_of(district.sis.name).cure(collection))
    except NotSharedError:
        raise
    except SourceError as error:
        # Its words have the cure in them: a server that is down shares nothing more when sharing is turned on.
        return Check(collection, False, str(error).removesuffix(" Nothing was changed."))


def _not_shared(collection: str, refusal: NotSharedError, source: RestSource, district: District) -> Check:
    parts = [part for part in PARTS.get(collection, ()) if refusal.status == 404 and source.status_of(part) == 200]
    if parts:
        alone = ", which are not all users: nobody is archived for being absent" if collection == "users" else ""
        return Check(collection, True, note=f"as {' and '.join(parts)}{alone}")
    code = f" ({refusal.code})" if refusal.code else ""
    return Check(collection, False, f"{_MEANINGS[refusal.status]}{code}", quirks_of(district.sis.name).cure(collection))


def _cause_in_bundle(collection: str, access: Access) -> str | None:
    reading = csv_bundle.Reading()
    try:
        rows = csv_bundle.first_rows(collection, access, reading)
    except SourceError as error:
        return str(error)
    return reading.absent or (None if rows else "it is empty")
