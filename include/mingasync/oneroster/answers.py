"""What one answer of a OneRoster service means: rows, the end, a refusal, or a fault that passes."""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec
import numpy as np
import pyarrow as pa
import requests

from include.mingasync.errors import SourceError, SourceRefused
from include.mingasync.oneroster import limits
from include.mingasync.oneroster.auth import retry_after
from include.mingasync.oneroster.decode import Pages
from include.mingasync.oneroster.failures import NothingThere, NotSharedError, PassingError, TooMuchAsked
from include.mingasync.oneroster.paging import Tally

_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_HEAVY = frozenset({500, 502, 504})  # what servers answer to a page that is too much for them
_TOO_MUCH = frozenset({400, 413, 414, 416, 422})  # what servers answer to a limit that they do not allow
#: OneRoster's words for why (imsx_codeMinorFieldValue, 1.1 section 3.5 and 1.2 section 4.12): only these of a refusal are told.
_CODES = frozenset(
    {
        "invalid_filter_field", "invalid_selection_field", "invaliddata", "unauthorisedrequest", "forbidden", "server_busy",
        "unknownobject", "internal_server_error",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Question:
    """What is asked for: some rows of a resource from an offset on. ``known``: the first of them came a moment ago."""

    reader: Pages
    path: str
    offset: int
    limit: int
    filter: str | None = None
    known: bool = False

    @property
    def parameters(self) -> dict[str, int | str]:
        """The query of its address (OneRoster 1.1 section 3.4)."""
        asked: dict[str, int | str] = {"limit": self.limit, "offset": self.offset}
        return asked | ({"filter": self.filter} if self.filter else {})


def rows_of(answer: requests.Response, body: bytes, asked: Question, tally: Tally) -> pa.Table:
    """The rows of an answer; NotSharedError, TooMuchAsked, PassingError or SourceRefused say why there are none."""
    if answer.status_code == 204 or (answer.status_code == 404 and asked.offset > 0):
        return _none(asked, answer.status_code)
    if answer.status_code != 200:
        if answer.status_code in _TOO_MUCH and asked.offset > 0 and not asked.known:
            return _none(asked, answer.status_code)  # rows came for this limit before, so it is the place that is refused
        raise _refusal(answer, body, asked)
    tally.add(bytes_=len(body))
    # A record takes three bytes at the least, so most answers need not be counted.
    if len(body) > 3 * limits.ANSWER_RECORDS and (
        _count(body, b"{") > limits.ANSWER_RECORDS or _count(body, b",") > limits.ANSWER_VALUES
    ):
        words = f"an answer of more than {limits.ANSWER_RECORDS} records or {limits.ANSWER_VALUES} values"
        raise TooMuchAsked(words, limits.CURE)
    try:
        rows = asked.reader.table(body)
    except SourceError as error:
        raise PassingError(str(error)) from None
    except RecursionError:
        raise PassingError(f"an answer about {asked.path} that is nested beyond reading, so it is no OneRoster page") from None
    total = (answer.headers.get("X-Total-Count") or answer.headers.get("X-Count") or "").strip()
    if total.isascii() and total.isdecimal():
        tally.announce(rows.num_rows, int(total[:18]))
    return rows if rows.num_rows else _none(asked, 200)


def _count(body: bytes, byte: bytes) -> int:
    """How often a byte is in a body; an order of magnitude quicker than ``bytes.count``."""
    return int(np.count_nonzero(np.frombuffer(body, np.uint8) == byte[0]))


def _none(asked: Question, status: int) -> pa.Table:
    if asked.known:
        raise NothingThere(f"no rows (status {status}) where one came before")
    return asked.reader.schema.empty_table()


def _refusal(answer: requests.Response, body: bytes, asked: Question) -> Exception:
    status, code = answer.status_code, code_of(body)
    if status in _BUSY:
        return PassingError(f"status {status}", retry_after(answer), heavy=status in _HEAVY)
    if status in (401, 403, 404):
        # What was shared a moment ago: a fault that passes, never the end of the collection.
        return PassingError(f"status {status}") if asked.offset > 0 else NotSharedError(status, code)
    if status in _TOO_MUCH and asked.limit > 1:
        words = f"status {status}{f' ({code})' if code else ''}"
        return TooMuchAsked(words, "Check the address in the Connection.", _allowed(body, asked.limit))
    where = "sis.incremental in the district file" if asked.filter else "the address in the Connection"
    return SourceRefused(
        f"The SIS answered {asked.path} with status {status}{f' ({code})' if code else ''}. Check {where}. Nothing was changed."
    )


def _allowed(body: bytes, limit: int) -> int | None:
    """The largest page that a refusal speaks of, where it names one: the largest number in it under what was asked."""
    numbers = [int(one) for one in re.findall(rb"(?<![\d.])\d{1,6}(?![\d.]*\d)", body)]
    return max((one for one in numbers if 1 < one < limit), default=None)


def code_of(body: bytes) -> str | None:
    """OneRoster's own word for why it refuses (imsx_StatusInfo, wrapped or not), where it is one of the known ones."""
    try:
        content = msgspec.json.decode(body, type=dict[str, object])
        info = msgspec.convert(content.get("imsx_StatusInfo", content), _StatusInfo)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    said = (field.value.replace(" ", "").lower() for field in info.minor.fields)
    return next((one for one in said if one in _CODES), None)


class _Field(msgspec.Struct):
    value: str = msgspec.field(default="", name="imsx_codeMinorFieldValue")


class _Minor(msgspec.Struct):
    fields: list[_Field] = msgspec.field(default_factory=list, name="imsx_codeMinorField")


class _StatusInfo(msgspec.Struct):
    minor: _Minor = msgspec.field(default_factory=_Minor, name="imsx_CodeMinor")
