"""A folder of OneRoster JSON collections, as a provider answered them, read back into a district."""

from __future__ import annotations

import gzip
import json
from dataclasses import fields
from pathlib import Path

from include.rehearsal.district import District, Record


def read_collections(folder: Path) -> District:
    """The district in a folder of ``<collection>.json`` or ``.json.gz`` files, each an envelope or a bare list."""
    found: dict[str, list[Record]] = {}
    for field in fields(District):
        path = next((p for ending in (".json", ".json.gz") if (p := folder / f"{field.name}{ending}").exists()), None)
        if path is not None:
            text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            content = json.loads(text)
            found[field.name] = content[field.name] if isinstance(content, dict) else content
    return District(**found)  # type: ignore[arg-type]
