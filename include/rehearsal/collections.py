"""A folder of OneRoster JSON collections, as a provider answered them, read back into a district."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import msgspec

from include.rehearsal.records import COLLECTIONS, District, Record


def read_collections(folder: Path | str) -> District:
    """The district in a folder of ``<collection>.json`` or ``.json.gz`` files, envelopes or bare lists.

    Its version is the one its users are in. A collection without a file is empty; raises FileNotFoundError
    for a folder without any, ValueError for a file that is no collection.
    """
    found = {name: _records(path, name) for name in COLLECTIONS if (path := _file(Path(folder), name))}
    if not found:
        raise FileNotFoundError(f"{folder} holds no OneRoster collection such as users.json or users.json.gz")
    single = any("role" in user and "roles" not in user for user in found.get("users", []))
    return District(**found, version="1.1" if single else "1.2")  # type: ignore[arg-type]


def _file(folder: Path, name: str) -> Path | None:
    paths = (folder / f"{name}{ending}" for ending in (".json", ".json.gz"))
    return next((path for path in paths if path.exists()), None)


def _records(path: Path, name: str) -> list[Record]:
    body = path.read_bytes()
    try:
        content: Any = msgspec.json.decode(gzip.decompress(body) if path.suffix == ".gz" else body)
    except (msgspec.DecodeError, gzip.BadGzipFile, EOFError) as error:
        raise ValueError(f"{path} is no JSON: {error}") from None
    records = content.get(name) if isinstance(content, dict) else content
    if not isinstance(records, list):
        raise ValueError(f"{path} is neither a list nor an object with the key '{name}'")
    return records
