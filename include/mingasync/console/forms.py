"""What a page's form sends, as it was typed: read by hand, since a form that came only in part must change nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, HTTPException, Request

_LARGEST = 4 * 1024 * 1024
_MOST_FIELDS = 20_000
#: Every form ends with this field, so that one which was cut off is seen to be.
END = "end"


@dataclass(frozen=True)
class Form:
    """The fields of a form, each with its values in order."""

    fields: dict[str, list[str]]

    def one(self, name: str, default: str = "") -> str:
        """The first value of a field, without white space around it."""
        return (self.fields.get(name) or [default])[0].strip()

    def every(self, name: str) -> list[str]:
        """All values of a field."""
        return self.fields.get(name, [])


async def sent_form(request: Request) -> Form:
    """The form of a POST; refused when it is too long, is none, or did not come to its end."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > _LARGEST:
            raise HTTPException(413, "The form is too long. Nothing was changed.")
        chunks.append(chunk)
    try:
        pairs = parse_qsl(b"".join(chunks).decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        raise HTTPException(422, "This is no form of the console. Nothing was changed.") from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    if END not in fields or any("\0" in value for _, value in pairs):
        raise HTTPException(422, "The form did not come whole. Open the page again. Nothing was changed.")
    return Form(fields)


SentForm = Annotated[Form, Depends(sent_form)]
