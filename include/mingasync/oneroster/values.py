"""What every value has to be like to be kept: asked of every record at the door, whatever it came in.

The limits are declared once per kind of column, and a column's name says its kind: ``sourced_id``, ``…_id`` and ``…_ids`` hold
sourcedIds, ``…_date`` and ``…_dates`` dates, everything else is text. A record with one value that cannot be kept is set aside
as a whole: no value is cut, cleaned or left out in silence, since a changed id is another id and a missing value would clear
what is known. The record stays in its table without that value, so that whatever else it says (whose it is, which class it
speaks of) is known to be in doubt.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.mingasync.oneroster.fields import FIELDS

#: Stands in a text for what no text can hold: half a surrogate pair, a byte that is none of UTF-8, a structure.
UNREADABLE = "\x00"
#: Entries of one list: more than any school has.
_MOST = 5_000
_SHOWN = 60

#: Resource, sourcedId (blank where it is not readable), reason.
SetAside = tuple[str, str, str]


@dataclass(frozen=True)
class _Kind:
    """The longest value in bytes of UTF-8, which an index of PostgreSQL has room for, and which characters none may hold."""

    longest: int
    never: str
    words: str


_TEXT = _Kind(1_000, r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", "a character that no text can hold, such as NUL")
#: An id is compared, shown and searched for: besides, no line break and no mark that turns the direction of what is shown.
_ID = _Kind(
    512,
    r"[\x00-\x1f\x7f\x{85}\x{61c}\x{200e}\x{200f}\x{2028}-\x{202e}\x{2066}-\x{2069}]",
    "a control character, a line break or a mark of writing direction",
)
_IDS = ("sourced_id", "_id", "_ids")
_DATES = ("_date", "_dates")
#: Columns of users that are put together from several fields, by the field that they mostly come from.
_KEYS = {"roles": "roles", "role_types": "roles", "role_org_ids": "roles", "org_ids": "orgs", "agent_ids": "agents"}


def fit(collection: str, table: pa.Table) -> tuple[pa.Table, list[SetAside]]:
    """The table without the values that cannot be kept, and the records that they were in.

    A record whose own sourcedId cannot be kept has none afterwards. A date loses its time of day.
    """
    came, reasons = table.column("sourced_id"), dict[int, str]()
    for place, field in enumerate(table.schema):
        if not table.num_rows or not (pa.types.is_string(field.type) or pa.types.is_list(field.type)):
            continue
        column = _one_chunk(table.column(place))
        if faults := _faults(column, _ID if field.name.endswith(_IDS) else _TEXT):
            for row, fault in faults.items():
                reasons.setdefault(row, _reason(collection, field.name, fault, came[row].as_py()))
            bad = np.zeros(len(column), dtype=bool)
            bad[list(faults)] = True
            column = pc.if_else(pa.array(bad), pa.scalar(None, column.type), column)
            table = table.set_column(place, field, column)
        if field.name.endswith(_DATES):
            table = table.set_column(place, field, _days(column))
    kept = table.column("sourced_id")
    return table, [(collection, kept[row].as_py() or "", reason) for row, reason in sorted(reasons.items())]


def _reason(collection: str, column: str, fault: str, sourced_id: str | None) -> str:
    if column == "status" and fault == _TEXT.words:
        return "it is no record of OneRoster, or nested too deep to be read"
    key = FIELDS[collection].get(column, (_KEYS.get(column, column), ""))[0]
    if column == "sourced_id":
        return f"its sourcedId '{shown(sourced_id or '')}' {fault}"
    return f"its {key} {fault}"


def _faults(column: pa.Array, kind: _Kind) -> dict[int, str]:
    """What is wrong, by row; nothing for almost every column, which one look at all of its bytes shows."""
    values, rows = column, None
    if pa.types.is_list(column.type):
        values, rows = column.flatten(), column
    found: dict[int, str] = {}
    if rows is not None and len(rows):
        sizes = pc.fill_null(pc.list_value_length(rows), 0)
        if pc.max(sizes).as_py() > _MOST:
            found |= dict.fromkeys(_where(pc.greater(sizes, _MOST)), f"has more than {_MOST:,} entries")
    if not len(values):
        return found
    lengths = pc.binary_length(values)
    at = None if rows is None else pc.list_parent_indices(rows)
    if (pc.max(lengths).as_py() or 0) > kind.longest:
        words = f"is longer than {kind.longest:,} bytes"
        found |= dict.fromkeys(_rows(_where(pc.greater(lengths, kind.longest)), at), words)
    if _has_odd_bytes(values, kind):
        found |= dict.fromkeys(_rows(_where(pc.match_substring_regex(values, kind.never)), at), f"holds {kind.words}")
    return found


def _has_odd_bytes(values: pa.Array, kind: _Kind) -> bool:
    """Whether any byte of the values could belong to a character that none may hold."""
    _, offsets, data = values.buffers()
    if data is None:
        return False
    ends = np.frombuffer(offsets, np.int32)[values.offset : values.offset + len(values) + 1]
    content = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]]
    # For ids a look at every text with more than ASCII in it is cheap enough: there are hardly any.
    return bool(((content < 0x20) | (content == 0x7F)).any()) or (kind is _ID and bool((content > 0x7F).any()))


def _where(mask: pa.Array) -> list[int]:
    return np.flatnonzero(np.asarray(pc.fill_null(mask, False))).tolist()


def _rows(entries: list[int], at: pa.Array | None) -> list[int]:
    return entries if at is None else at.take(pa.array(entries, pa.int64())).to_pylist()


def _days(column: pa.Array) -> pa.Array:
    """Dates without the time of day that some write behind them; whatever is no such date stays to be reported."""
    if pa.types.is_list(column.type):
        flat = column.flatten()
        if not len(flat) or (pc.max(pc.binary_length(flat)).as_py() or 0) <= len("yyyy-mm-dd"):
            return column
        return pa.array([own and [_day(one) for one in own] for own in column.to_pylist()], column.type)
    if (pc.max(pc.binary_length(column)).as_py() or 0) <= len("yyyy-mm-dd"):
        return column
    return pc.replace_substring_regex(column, r"^(\d{4}-\d\d-\d\d)[T ].*$", r"\1")


def _day(text: str | None) -> str | None:
    return text[:10] if text and text[10:11] in ("T", " ") else text


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole


def shown(sourced_id: str) -> str:
    """A sourcedId as people can be shown it: what would not show is written out, and a long one is cut."""
    plain = "".join(one if _shows(one) else one.encode("unicode_escape").decode() for one in sourced_id[:_SHOWN])
    return plain + (f"… ({len(sourced_id):,} characters)" if len(sourced_id) > _SHOWN else "")


def _shows(character: str) -> bool:
    return unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
