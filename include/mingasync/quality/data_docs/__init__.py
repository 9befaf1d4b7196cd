"""The Data Docs that great-expectations writes, made whole: pages that need no script and no other site to be read."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader

_HERE = Path(__file__).parent
_STYLE = "static/styles/data_docs.css"
#: What the pages take from other sites, and what only a script could use: it is nowhere allowed beside Airflow's login.
_FOREIGN = re.compile(
    r"<script\b.*?</script>|<link\b[^>]*>|<img\b[^>]*\bsrc=\"https?:[^>]*>"
    r"|<footer\b.*?</footer>|<button\b.*?</button>|<a\b[^>]*\bdata-toggle=\"(?:collapse|modal)\".*?</a>|\son\w+=\"[^\"]*\"|url\('https?:[^)]*\)",
    re.DOTALL | re.IGNORECASE,
)
_PAGES = Environment(loader=FileSystemLoader(_HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True)


@dataclass(frozen=True)
class Checked:
    """One collection as it was checked: how many records, how many rules, and which of them how many records break."""

    collection: str
    records: int
    rules: int
    #: rule, severity, records (none where the rule is about the collection as a whole), what the rule says
    broken: Sequence[tuple[str, str, int | None, str]]


def zipped(folder: Path, checked: Sequence[Checked]) -> bytes:
    """The pages of great-expectations in a folder as a zip, with an index that tells of every collection."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(_HERE / "data_docs.css", _STYLE)
        for path in sorted(folder.rglob("*.html")):
            name = path.relative_to(folder)
            if name.name != "index.html":
                archive.writestr(name.as_posix(), _whole(path.read_text(encoding="utf-8"), len(name.parts) - 1))
        # One run has one result of a suite.
        results = {path.relative_to(folder).parts[1]: path.relative_to(folder) for path in folder.glob("validations/**/*.html")}
        pages = {one: path.as_posix() for one, path in results.items()}
        archive.writestr("index.html", _PAGES.get_template("index.html").render(checked=checked, pages=pages, style=_STYLE))
    return content.getvalue()


def _whole(page: str, depth: int) -> str:
    style = f'<link rel="stylesheet" href="{"../" * depth}{_STYLE}">'
    return _FOREIGN.sub("", page).replace("</head>", f"{style}</head>", 1)
