"""A district's own rules: a great-expectations suite, ``<slug>.expectations.json`` beside the district file."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from include.mingasync.errors import DistrictFileError, cure_of

Severity = Literal["critical", "error", "warning"]
#: A rule of a district's own is told from the product's by the beginning of its name.
OWN = "own_"
#: What a column of a collection is called in a suite; ``role`` is the role here, as in directory.people.
EXTRA = {"users": ("role",)}
#: These ask a database, or compare distributions of numbers; what is proven is a file of texts.
_OF_OTHERS = re.compile(r"_(query|other_table|kl_divergence|ks_test|chisquare_test|cramers_phi|outliers)_?")

_ONE_COLUMN = ("column", "column_A", "column_B")


class _Frozen(BaseModel):
    """What is read from a suite. great-expectations writes keys of its own into it, which mean nothing here."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Meaning(BaseModel):
    """What a rule is to people: an expectation's ``meta``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    resource: Literal["orgs", "academicSessions", "courses", "classes", "users", "enrollments"]
    severity: Severity
    message: str = Field(min_length=1)
    cure: str = Field(min_length=1)
    #: the end of the rule's id; without one it is named after the expectation and its column
    rule: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]*$")


class Expectation(_Frozen):
    """One rule, as great-expectations keeps it."""

    type: str
    arguments: dict[str, Any] = Field(default={}, validation_alias=AliasChoices("kwargs"))
    meta: Meaning

    @field_validator("type")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in expectation_types():
            raise ValueError(f"'{name}' is no expectation of great-expectations that a column or table can be held to")
        return name

    @model_validator(mode="after")
    def _columns_are_there(self) -> Expectation:
        for key, value in self.arguments.items():
            if key in _ONE_COLUMN and not isinstance(value, str):
                raise ValueError(f"'{key}' in kwargs is no text; write the name of one column")
            if key == "column_list" and not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
                raise ValueError("'column_list' in kwargs is no list of texts; write the names of columns, such as [\"email\"]")
        known = columns_of(self.meta.resource)
        missing = [one for one in self.columns if one not in known]
        if missing:
            raise ValueError(f"{self.meta.resource} have no column '{missing[0]}' of single values; known are {', '.join(known)}")
        return self

    @property
    def columns(self) -> list[str]:
        """The columns that it is about."""
        named = [self.arguments[key] for key in _ONE_COLUMN if key in self.arguments]
        return [*named, *(self.arguments.get("column_list") or ())]

    @property
    def name(self) -> str:
        """The end of the rule's id."""
        what = self.type.removeprefix("expect_").removeprefix("column_values_to_")
        return OWN + (self.meta.rule or re.sub(r"\W+", "_", "_".join([*self.columns, what]).lower()))

    @property
    def rule_id(self) -> str:
        """The rule's id as issues name it: ``users.own_identifier_match_regex``."""
        return f"{self.meta.resource}.{self.name}"


class Suite(_Frozen):
    """A suite file."""

    expectations: tuple[Expectation, ...]

    @field_validator("expectations")
    @classmethod
    def _names_are_one_rules(cls, expectations: tuple[Expectation, ...]) -> tuple[Expectation, ...]:
        twice = [one for one, number in Counter(rule.rule_id for rule in expectations).items() if number > 1]
        if twice:
            raise ValueError(f"several expectations are the rule {twice[0]}; give each a name of its own in meta.rule")
        return expectations


def expectations_file(district_file: Path) -> Path:
    """Where the suite of a district file is looked for."""
    return district_file.with_name(f"{district_file.stem}.expectations.json")


def read_expectations(path: Path) -> tuple[Expectation, ...]:
    """The rules of a suite file; none where there is no such file.

    Raises DistrictFileError naming file, key and cure when the file cannot be read or is not right.
    """
    if not path.exists():
        return ()
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        where = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise DistrictFileError(
            f"{path.name}: the file cannot be read as JSON{where}. Correct it there; it must be UTF-8 text."
        ) from error
    if not isinstance(content, Mapping):
        raise DistrictFileError(f"{path.name}: the file holds no suite. Write an object with the key 'expectations'.")
    try:
        return Suite.model_validate(content).expectations
    except ValidationError as error:
        raise DistrictFileError(f"{path.name}: {cure_of(error, Suite)}") from error


def columns_of(resource: str) -> list[str]:
    """The columns of a collection that a rule may be about: those of one value a record."""
    from pyarrow.types import is_list

    from include.mingasync.oneroster.records import COLUMNS

    return [*(one.name for one in COLUMNS[resource] if not is_list(one.type)), *EXTRA.get(resource, ())]


@lru_cache(maxsize=1)
def expectation_types() -> frozenset[str]:
    """The names of the expectations that the installed great-expectations has. To import it takes seconds, and this is asked
    whenever Airflow reads the DAGs: the names are those of its files."""
    spec = find_spec("great_expectations")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    names = {path.stem for folder in folders for path in (Path(folder) / "expectations" / "core").glob("expect_*.py")}
    return frozenset(name for name in names if not _OF_OTHERS.search(name))
