"""Cells of a CSV file that a spreadsheet shows as they are: no cell is a formula, whoever chose its words."""

from __future__ import annotations

import re
import unicodedata

_BEGINS_A_FORMULA = frozenset("=+-@\N{MINUS SIGN}")
#: What a spreadsheet skips before a formula: blanks and control characters of every kind, and characters without a width.
_SKIPPED = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u2064\ufeff]*")
#: What a spreadsheet set to another country, or a copy and paste, may take for the end of a cell.
_ENDS_A_CELL = re.compile(r"([;\t\r\n])")


def safe_cell(value: object) -> object:
    """The value; a text that a spreadsheet would take for a formula gets an apostrophe before it.

    Full-width and other forms of the signs count too, and signs behind blanks. A text that begins with a tab or a new line
    gets one as well.
    """
    if not isinstance(value, str):
        return value
    start = _skipped(value)
    first, *others = _ENDS_A_CELL.split(value[start:])
    odd = _is_formula(first) or value.startswith(("\t", "\r", "\n"))
    return "".join(["'" * odd, value[:start], first, *("'" * _is_formula(other) + other for other in others)])


def _skipped(text: str) -> int:
    found = _SKIPPED.match(text)
    return found.end() if found else 0


def _is_formula(text: str) -> bool:
    sign = text[_skipped(text) :][:1]
    return bool(sign) and unicodedata.normalize("NFKC", sign)[:1] in _BEGINS_A_FORMULA
