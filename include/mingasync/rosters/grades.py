"""Grades: CEDS codes and home-made ones, told apart as people tell them apart."""

from __future__ import annotations

import re

#: CEDS codes and the words shown for them (OneRoster 1.1 section 4.13.5, CEDS "Entry Grade Level").
_CEDS = {
    "IT": "Infant/toddler",
    "PR": "Preschool",
    "PK": "Prekindergarten",
    "TK": "Transitional kindergarten",
    "KG": "Kindergarten",
    "PS": "Postsecondary",
    "UG": "Ungraded",
    "OTHER": "Other",
}
_SPELLED = {
    "k": "KG",
    "0": "KG",
    "00": "KG",
    "kg": "KG",
    "kinder": "KG",
    "kindergarten": "KG",
    "infant": "IT",
    "infant/toddler": "IT",
    "preschool": "PR",
    "preschool/prekindergarten": "PK",
    "pre-k": "PK",
    "prek": "PK",
    "prekindergarten": "PK",
    "pre-kindergarten": "PK",
    "p3": "PK",
    "p4": "PK",
    "-1": "PK",
    "transitional kindergarten": "TK",
    "postsecondary": "PS",
    "ungraded": "UG",
    "other": "OTHER",
}
_ORDINALS = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
]
#: A minus directly before the number is a sign: some SISs count the years before kindergarten as -1, -2.
_NUMBER = re.compile(
    r"(?!(?:.*\s)?[-\u2010-\u2015\u2212][0-9])(?:grade|gr|year)?\W*0*([1-9][0-9]?)(?:st|nd|rd|th)?\W*(?:grade|gr)?", re.IGNORECASE
)

#: A grade's number as grade_code writes it. Other scripts' digits ("²", "①") are grades of the district's own making.
_CODE = re.compile(r"[0-9]{2}")


def grade_code(text: str) -> str:
    """The one code of a grade however it was written: ``"09"`` for 9, 09, 9th, Grade 9, Ninth grade; CEDS codes as
    they are; an unknown spelling folded in case and spacing."""
    folded = " ".join(text.split()).casefold()
    if folded.upper() in _CEDS:
        return folded.upper()
    if folded in _SPELLED:
        return _SPELLED[folded]
    if number := _NUMBER.fullmatch(folded):
        return f"{int(number[1]):02d}"
    word = folded.removesuffix(" grade").removeprefix("grade ")
    if word in _ORDINALS:
        return f"{_ORDINALS.index(word) + 1:02d}"
    return folded


def grade_title(code: str) -> str:
    """What people call a grade: ``Grade 9``, ``Kindergarten``, or the home-made name itself."""
    if code in _CEDS:
        return _CEDS[code]
    return f"Grade {int(code)}" if _CODE.fullmatch(code) else code.title()


def known_grade(text: str) -> bool:
    """Whether the spelling stands for a grade that everybody knows, rather than one of the district's own making."""
    code = grade_code(text)
    return code in _CEDS or _CODE.fullmatch(code) is not None
