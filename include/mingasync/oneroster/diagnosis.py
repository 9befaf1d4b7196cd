"""Why an SIS refuses: one resource that it does not share, or the access as a whole, and then which part of it is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from include.mingasync.district import District
from include.mingasync.oneroster.failures import NotSharedError
from include.mingasync.oneroster.rest import RestSource

#: The paths of the rostering service (OneRoster 1.1 section 3.1, 1.2 section 4.1), by version.
PATHS = {"1.1": "/ims/oneroster/v1p1", "1.2": "/ims/oneroster/rostering/v1p2"}
_DEEPEST = 4  # folders of a path that are looked into
#: What is asked to learn whether anything at all may be read.
_OTHERS = ("orgs", "users", "academicSessions", "schools", "students")
_SERVED = frozenset({200, 204})
_REFUSED = frozenset({401, 403})


@dataclass(frozen=True)
class Refusal:
    """What is wrong with the access as a whole, and who does what about it."""

    cause: str
    cure: str

    def __str__(self) -> str:
        return f"{self.cause} {self.cure} Nothing was changed."


def why_refused(source: RestSource, district: District, collection: str, refused: NotSharedError) -> Refusal | None:
    """What is wrong with the access as a whole; None where it is in order and only this collection is not shared."""
    statuses = [refused.status]
    for other in _OTHERS:
        if other == collection:
            continue
        status = source.status_of(other)
        if status in _SERVED:
            return None
        statuses.append(status or 0)
    said = f"status {refused.status}{f', {refused.code}' if refused.code else ''}"
    if all(status == 404 for status in statuses):
        return _wrong_address(source, said)
    if refused.status == 401:
        return _wrong_credentials(source, district, said)
    if refused.status == 403:
        return _nothing_allowed(source, district, said)
    return None


def _wrong_address(source: RestSource, said: str) -> Refusal:
    """The root is wrong: where OneRoster is on the same host, if it is at one of the usual places."""
    root = source.access.root_url
    here = urlsplit(root).path or "/"
    found = [(version, place, source.status_of("orgs", place)) for version, place in _usual_places(root, source.version)]
    # What is read somewhere is surer than what is refused there.
    good = [(version, place) for wanted in (_SERVED, _REFUSED) for version, place, status in found if status in wanted]
    if good:
        version, place = good[0]
        return Refusal(
            f"The Connection's address is wrong: nothing of OneRoster is at {here} ({said}), but OneRoster {version} "
            f"answers at {urlsplit(place).path}.",
            f'Write {place} as host into the Connection, and version: "{version}" under sis into the district file.',
        )
    return Refusal(
        f"The Connection's address is wrong: nothing of OneRoster is at {here} ({said} for every resource).",
        f"Write the OneRoster root as host into the Connection; it usually ends in {' or '.join(PATHS.values())}.",
    )


def _usual_places(root: str, own_version: str) -> Iterator[tuple[str, str]]:
    """The version and root of every place on the same host where OneRoster may be: below each folder of the path."""
    paths = sorted(PATHS.items(), key=lambda item: item[0] != own_version)
    parts = urlsplit(root)
    folders = [folder for folder in parts.path.split("/") if folder][:_DEEPEST]
    for depth in range(len(folders) + 1):
        above = "".join(f"/{folder}" for folder in folders[:depth])
        for version, path in paths:
            if (place := f"{parts.scheme}://{parts.netloc}{above}{path}") != root:
                yield version, place


def _wrong_credentials(source: RestSource, district: District, said: str) -> Refusal:
    """Nothing may be read because of who asks."""
    if source.access.auth == "oauth1":
        return Refusal(
            f"The SIS refuses the OAuth 1 signature of every request ({said}).",
            "Correct login (the consumer key) and password (the secret) of the Connection; signature in its extra is HMAC-SHA1 "
            "or HMAC-SHA256, and this machine's clock has to be right.",
        )
    if source.access.auth == "bearer":
        return Refusal(
            f"The SIS refuses the static token for every resource ({said}): it has ended, or is not the right one.",
            "Write a new token as password into the Connection.",
        )
    return Refusal(
        f"The token address gives a token, but the OneRoster service refuses it for every resource ({said}).",
        _other_version(source, district)
        or "Check that host and token_url of the Connection belong to the same SIS, and its scope.",
    )


def _nothing_allowed(source: RestSource, district: District, said: str) -> Refusal:
    """The login is right and may read nothing."""
    scope = " and that scope in its extra is what the SIS wants" if source.access.auth == "oauth2" else ""
    return Refusal(
        f"The login is right, but it may read no resource at all ({said} for every one).",
        _other_version(source, district)
        or f"Check in the SIS that resources are shared with the client of the Connection{scope}.",
    )


def _other_version(source: RestSource, district: District) -> str | None:
    """The cure for a district file that says one version and an address of the other: then the scope is wrong too."""
    path = urlsplit(source.access.root_url).path
    for version, own in PATHS.items():
        if path.endswith(own.rpartition("/")[2]) and version != source.version and source.access.auth == "oauth2":
            return (
                f"The address is of OneRoster {version}, while the district file says {district.sis.version}, so the wrong scope "
                f'is asked for: write version: "{version}" under sis into the district file.'
            )
    return None
