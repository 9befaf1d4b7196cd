"""What the district files say that pages show: a district's name, its time zone, its schedule."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from include.mingasync.district import district_files, read_district
from include.mingasync.errors import DistrictFileError


@dataclass(frozen=True)
class Place:
    """A district as people call it; one whose file cannot be read here goes by its slug, in UTC."""

    slug: str
    name: str
    zone: ZoneInfo
    schedule: str | None = None
    sis: str | None = None

    @property
    def dag_id(self) -> str:
        """The DAG that syncs it."""
        return f"mingasync_{self.slug}"


def places(slugs: frozenset[str]) -> dict[str, Place]:
    """The places of these slugs, by slug."""
    files = {path.stem: path for path in district_files()}
    return {slug: _place(slug, files.get(slug)) for slug in slugs}


def place(slug: str) -> Place:
    """One place."""
    return places(frozenset({slug}))[slug]


def _place(slug: str, path: Path | None) -> Place:
    try:
        return _read(path, path.stat().st_mtime_ns) if path else Place(slug, slug, ZoneInfo("UTC"))
    except (DistrictFileError, OSError):
        return Place(slug, slug, ZoneInfo("UTC"))


@lru_cache(maxsize=4096)
def _read(path: Path, _changed_at: int) -> Place:
    # A thousand YAML files take seconds to read, and seldom change.
    district = read_district(path)
    return Place(district.slug, district.name, ZoneInfo(district.timezone), district.schedule, district.sis.name)
