"""Pages that are JSON but for one record: taken apart without decoding, and each record repaired by itself."""

from __future__ import annotations

import re

from include.mingasync.oneroster.values import UNREADABLE

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|[][{},:]', re.DOTALL)
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_ID = re.compile(rb'"sourcedId"\s*:\s*(?:"((?:[^"\\]|\\.)*+)"|(\d+)\s*[,}])', re.DOTALL)
#: Half a surrogate pair, written as an escape: no text in any encoding.
_HALF = re.compile(
    rb"\\\\|(\\u[dD][89abAB][0-9a-fA-F]{2})(?!\\u[dD][c-fC-F])|(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|"
    rb"(\\u[dD][c-fC-F][0-9a-fA-F]{2})"
)
_MARK = rb"\u0000"
#: The same in a text that Python holds, and what it makes of a byte that is no character.
HALVES = re.compile("[\ud800-\udfff]")


def records_of(page: bytes, keys: tuple[str, ...]) -> list[bytes] | None:
    """The records of the list under one of the keys, or of a bare list, as they stand; None when the list does not end.

    Only brackets and commas are looked at, so that nothing inside of a record can hide the others.
    """
    wanted = {f'"{key}"'.encode() for key in keys}
    depth, inside, start = 0, None, 0
    key = last = b""
    records: list[bytes] = []
    for token in _TOKEN.finditer(page):
        what = token[0]
        if what == b"," and depth == inside:
            records.append(page[start : token.start()])
            start = token.end()
        elif what in (b"[", b"{"):
            depth += 1
            if what == b"[" and inside is None and (depth == 1 or (depth == 2 and key in wanted)):
                inside, start = depth, token.end()
        elif what in (b"]", b"}"):
            if depth == inside:
                records.append(page[start : token.start()])
                return [one for one in map(bytes.strip, records) if one]
            depth -= 1
        elif what == b":" and depth == 1:
            key = last
        last = what
    return None


def repaired(record: bytes) -> bytes:
    """The record as valid JSON where only its characters are at fault; what is no character becomes UNREADABLE.

    Some servers send Windows-1252 and call it UTF-8: a record without a single valid character beyond ASCII is read so.
    """
    try:
        record.decode()
    except UnicodeDecodeError:
        record = _in_utf8(record)
    record = _HALF.sub(lambda half: _MARK if half[1] or half[3] else half[0], record)
    return _STRING.sub(_without_raw_controls, record)


def id_of(record: bytes) -> str | None:
    """The sourcedId of a record that cannot be decoded, if it is written in it plainly and once."""
    found = {one[1] or one[2] for one in _ID.finditer(record)}
    return found.pop().decode(errors="replace") if len(found) == 1 else None


def is_windows_1252(content: str) -> bool:
    """Whether a text that was decoded as UTF-8 with surrogateescape is none: more bytes that are none of it than characters."""
    odd = sum("\udc80" <= one <= "\udcff" for one in content)
    return odd > sum(one > "\x7f" for one in content) - odd


def without_halves(content: str) -> str:
    """The text with UNREADABLE for each byte or half of a pair that is no character."""
    return HALVES.sub(UNREADABLE, content)


def _in_utf8(record: bytes) -> bytes:
    content = record.decode("utf-8", "surrogateescape")
    if is_windows_1252(content):
        content = record.decode("cp1252", "surrogateescape")
    return HALVES.sub(lambda _: _MARK.decode(), content).encode()


def _without_raw_controls(string: re.Match[bytes]) -> bytes:
    """A string with its raw control characters written as JSON wants them."""
    return re.sub(rb"[\x00-\x1f]", lambda one: b"\\u%04x" % one[0][0], string[0])
