"""Turns templates into pages, with the addresses and words that every page uses."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from include.mingasync.console import words
from include.mingasync.console.fields import as_typed

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= {
    "night": words.night,
    "moment": words.moment,
    "span": words.span,
    "age": words.age,
    "number": words.number,
    "plain": words.plain,
    "kind": lambda kind: words.KINDS.get(kind, words.plain(kind)),
    "day": lambda date: f"{date.day} {date:%b %Y}",
    "typed": as_typed,
    "pretty": lambda value: json.dumps(value, indent=2, ensure_ascii=False),
}


def render(request: Request, template: str, *, status: int = 200, **content: Any) -> HTMLResponse:
    """The page that a template makes of some content.

    ``base`` is where the console is served, ``airflow`` where Airflow is: addresses begin with them.
    """
    base = str(request.scope.get("root_path", ""))
    page = _templates.get_template(template).render(
        base=base,
        airflow=base.removesuffix("/rostering"),
        now=dt.datetime.now(dt.UTC),
        status=status,
        **content,
    )
    return HTMLResponse(page, status)
