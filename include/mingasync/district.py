"""What exists: one frozen, validated model per district file under ``include/districts``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import yaml
from croniter import croniter
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from include.mingasync.addresses import address
from include.mingasync.errors import DistrictFileError, MingaSyncError, cure_of
from include.mingasync.expectations import Expectation, expectations_file, read_expectations

SLUG = re.compile(r"[a-z][a-z0-9_]*")
#: The alias under which every district's Asset is announced: a DAG that waits for it runs after any district's night.
OUTLET = "mingasync_directory"
FOLDER_VARIABLE = "MINGASYNC_DISTRICTS_DIR"
#: District slugs that would collide with the DAGs ``mingasync_<slug>`` of the product itself.
RESERVED = frozenset({"connect", "undo", "watchdog", "housekeeping"})


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"'{name}' is no time zone; write one such as America/Chicago") from None
    return name


def _cron(expression: str) -> str:
    if len(expression.split()) != 5 or not croniter.is_valid(expression):
        raise ValueError(f"'{expression}' is no cron schedule; write five fields in local time such as 0 2 * * *")
    return expression


class Strict(BaseModel):
    """A model that refuses unknown keys and cannot be changed after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Sis(Strict):
    """How the district's Student Information System is reached."""

    name: str = Field(min_length=1)
    source: Literal["rest", "csv"] = "rest"
    version: Literal["1.1", "1.2"] = "1.1"
    connection: str = ""
    url: str | None = None
    page_size: int = Field(default=1000, ge=1, le=10_000)
    max_parallel_requests: int = Field(default=4, ge=1, le=32)
    incremental: bool = False
    pool: str = "default_pool"

    @model_validator(mode="after")
    def _csv_needs_a_url(self) -> Sis:
        if self.source == "csv" and not self.url:
            raise ValueError("a csv source needs 'url', the folder or zip of the OneRoster bundle")
        if self.source == "rest" and self.url:
            raise ValueError("'url' is for csv sources; a rest source takes its address from the connection")
        return self

    @field_validator("version", mode="before")
    @classmethod
    def _version_as_text(cls, value: Any) -> Any:
        # An unquoted 1.1 in YAML is a number; what was meant is not in doubt.
        return str(value) if isinstance(value, float) else value


class Contact(Strict):
    """Whom to write to at the district."""

    name: str = Field(min_length=1)
    email: Annotated[str, AfterValidator(address)]


def snapshot_days() -> int:
    """For how many days a snapshot is kept where a district does not say: MINGASYNC_SNAPSHOT_DAYS, else 30."""
    text = os.environ.get("MINGASYNC_SNAPSHOT_DAYS") or "30"
    if not re.fullmatch(r"0*[1-9][0-9]{0,3}", text):
        raise MingaSyncError(
            f"MINGASYNC_SNAPSHOT_DAYS is '{text}'; write a whole number of days from 1 to 9999. Nothing was removed."
        )
    return int(text)


class Retention(Strict):
    """For how many days what is personal is kept; after that it is gone from every place."""

    #: what the runs read from the SIS; none: as MINGASYNC_SNAPSHOT_DAYS says
    snapshots_days: int | None = Field(default=None, ge=1, le=3650)
    #: what each run changed and why, with old and new values: a run older than this cannot be undone
    changes_days: int = Field(default=730, ge=7, le=3650)
    issues_days: int = Field(default=365, ge=1, le=3650)
    #: to whom which mail went
    mails_days: int = Field(default=365, ge=7, le=3650)
    #: people who were archived: until then they come back as the same entry
    archived_people_days: int = Field(default=1095, ge=30, le=3650)


class District(Strict):
    """One SIS connection, one DAG."""

    slug: str
    name: str = Field(min_length=1)
    timezone: Annotated[str, AfterValidator(_zone)]
    schedule: Annotated[str, AfterValidator(_cron)] = "0 2 * * *"
    sis: Sis
    contact: Contact
    schools: tuple[str, ...] = ()
    retention: Retention = Retention()

    @property
    def dag_id(self) -> str:
        """The DAG that syncs this district, ``mingasync_<slug>``."""
        return f"mingasync_{self.slug}"

    @property
    def settings_variable(self) -> str:
        """The Airflow Variable that holds the district's settings, ``mingasync_<slug>``."""
        return f"mingasync_{self.slug}"

    @property
    def asset_uri(self) -> str:
        """The Airflow Asset that the district's directory is for other DAGs, ``mingasync://<slug>/directory``."""
        return f"mingasync://{self.slug}/directory"

    @property
    def connection_id(self) -> str:
        """The Airflow Connection of the SIS: as the file says, else ``oneroster_<slug>``."""
        return self.sis.connection or f"oneroster_{self.slug}"


@dataclass(frozen=True)
class BadDistrictFile:
    """A district file that cannot be used, and why; every other district still runs."""

    slug: str
    path: Path
    error: DistrictFileError


def districts_folder() -> Path:
    """The folder of district files: ``MINGASYNC_DISTRICTS_DIR``, else ``include/districts``."""
    return Path(os.environ.get(FOLDER_VARIABLE) or Path(__file__).parents[1] / "districts")


def district_files(folder: Path | None = None) -> Iterator[Path]:
    """Every district file, in order of name; ``.yaml`` and ``.yml`` alike."""
    yield from sorted(path for path in (folder or districts_folder()).glob("*") if path.suffix in {".yaml", ".yml"})


def read_district(path: Path) -> District:
    """The district that a file describes.

    Raises DistrictFileError naming file, key and cure when the file cannot be read or is not right; nothing else, whatever the
    file holds: one file must not keep the other districts from being read.
    """
    try:
        return _district_of(path)
    except DistrictFileError:
        raise
    except Exception as error:
        raise DistrictFileError(
            f"{path.name}: the file cannot be read ({type(error).__name__}). Correct it there, or its suite of expectations."
        ) from error


def _district_of(path: Path) -> District:
    slug = path.stem
    if not SLUG.fullmatch(slug) or slug in RESERVED:
        raise DistrictFileError(
            f"{path.name}: the file's name is the district's slug and must match [a-z][a-z0-9_]* "
            f"and be none of {', '.join(sorted(RESERVED))}. Rename the file."
        )
    twins = [twin.name for twin in path.parent.glob(f"{slug}.y*ml") if twin != path]
    if twins:
        raise DistrictFileError(f"{path.name}: the district '{slug}' is described twice, also in {', '.join(twins)}. Delete one.")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        # A date that is none, such as 2026-11-31, is a ValueError without a line.
        where = getattr(error, "problem_mark", None)
        line = f" at line {where.line + 1}" if where else ""
        raise DistrictFileError(
            f"{path.name}: the file cannot be read as YAML{line}. Correct it there; it must be UTF-8 text with real dates."
        ) from error
    if not isinstance(content, dict):
        raise DistrictFileError(f"{path.name}: the file holds no keys. Write at least name, timezone, sis, contact.")
    odd = [key for key in content if not isinstance(key, str)]
    if odd:
        # YAML reads on, off, yes and no as true and false.
        raise DistrictFileError(
            f"{path.name}: a key at the top is no text: {odd[0]!r} (on, off, yes, no, numbers and dates are none). Remove it."
        )
    if "slug" in content:
        raise DistrictFileError(f"{path.name}: key 'slug' is unknown; the file's name is the slug. Remove the key.")
    try:
        district = District.model_validate({"slug": slug, **content})
    except ValidationError as error:
        raise DistrictFileError(f"{path.name}: {cure_of(error, District)}") from error
    # A suite that is wrong would stop the night at its proof: it is told as soon as Airflow reads the DAGs.
    read_expectations(expectations_file(path))
    return district


def expectations_of(slug: str, folder: Path | None = None) -> tuple[Expectation, ...]:
    """The own rules of a district; none where no suite lies beside its file."""
    return read_expectations(expectations_file((folder or districts_folder()) / f"{slug}.yaml"))


def read_districts(folder: Path | None = None) -> tuple[list[District], list[BadDistrictFile]]:
    """All usable districts, and the files that cannot be used with the reason for each."""
    good: list[District] = []
    bad: list[BadDistrictFile] = []
    for path in district_files(folder):
        try:
            good.append(read_district(path))
        except DistrictFileError as error:
            bad.append(BadDistrictFile(path.stem, path, error))
    return good, bad


def find_district(slug: str, folder: Path | None = None) -> District:
    """The district with this slug; DistrictFileError says so when there is none."""
    for path in district_files(folder):
        if path.stem == slug:
            return read_district(path)
    raise DistrictFileError(f"There is no district '{slug}' in {folder or districts_folder()}. Add {slug}.yaml there.")
