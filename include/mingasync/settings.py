"""What is wanted: the settings of a district, read once per run from its Airflow Variable."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from include.mingasync.addresses import valid_address
from include.mingasync.errors import SettingsError, cure_of, cures_of

Role = Literal["student", "teacher", "staff", "admin"]
ROLES: tuple[Role, ...] = ("student", "teacher", "staff", "admin")
ListKind = Literal["class", "role", "grade", "subject", "teacher"]
LIST_KINDS: tuple[ListKind, ...] = ("class", "role", "grade", "subject", "teacher")


class _Strict(BaseModel):
    # strict: "true" in quotes or 1 is a wrong type, not a guess.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class RoleToggles(_Strict):
    """The three switches of one role."""

    roster: bool = False
    auto_update: bool = False
    archive: bool = False


class Roles(_Strict):
    """The switches of every role."""

    student: RoleToggles = RoleToggles()
    teacher: RoleToggles = RoleToggles()
    staff: RoleToggles = RoleToggles()
    admin: RoleToggles = RoleToggles()


class ClassLists(_Strict):
    """Which classes become lists; no terms selected means none, no grades selected means all grades."""

    enabled: bool = False
    terms: list[str] = []
    grades: list[str] = []


class AutoLists(_Strict):
    """Which automatic lists are made per school."""

    role: bool = False
    grade: bool = False
    subject: bool = False
    teacher: bool = False


class ResultsEmail(_Strict):
    """Who gets the results mail."""

    enabled: bool = False
    recipients: list[str] = []
    attach_changes: bool = False


class Safety(_Strict):
    """When archives are held, for more than this share of a school's role, or of the district's, and at least so many people; and
    after how many proven nights of absence running somebody absent is archived."""

    archive_percent: float = Field(default=10, ge=0, le=100)
    archive_minimum: int = Field(default=20, ge=0)
    absent_nights: int = Field(default=1, ge=1)


class Quiet(_Strict):
    """A range of nights, both ends included, in which the sync is paused or only adds."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, populate_by_name=True)

    first: dt.date = Field(alias="from")
    last: dt.date = Field(alias="to")
    mode: Literal["pause", "additions_only"]

    @model_validator(mode="after")
    def _in_order(self) -> Quiet:
        if self.last < self.first:
            raise ValueError("'to' lies before 'from'; swap them")
        return self


class SchoolSettings(_Strict):
    """The settings in force for the people and lists of one school."""

    automatic_rostering: bool = False
    quiet: list[Quiet] = []
    roles: Roles = Roles()
    include_primary_parent_contact: bool = False
    class_lists: ClassLists = ClassLists()
    auto_lists: AutoLists = AutoLists()
    new_lists_public: bool = False
    results_email: ResultsEmail = ResultsEmail()
    safety: Safety = Safety()

    def quiet_on(self, night: dt.date) -> Quiet | None:
        """The quiet range in which a night lies; of several the strictest, pause, wins."""
        ranges = [quiet for quiet in self.quiet if quiet.first <= night <= quiet.last]
        return min(ranges, key=lambda quiet: quiet.mode != "pause", default=None)


class Settings(SchoolSettings):
    """The settings of a district; every key optional, each with the careful default."""

    schools: dict[str, dict[str, Any]] = {}

    @model_validator(mode="after")
    def _schools_override_only_what_exists(self) -> Settings:
        for school_id in self.schools:
            self.for_school(school_id)
        return self

    def pauses(self, school_id: str | None, night: dt.date) -> bool:
        """Whether settings of a school's own leave it alone on a night; its district's stop only the clock."""
        override, own = self.schools.get(school_id or "", {}), self.for_school(school_id)
        is_off = "automatic_rostering" in override and not own.automatic_rostering
        quiet = own.quiet_on(night) if "quiet" in override else None
        return is_off or (quiet is not None and quiet.mode == "pause")

    def for_school(self, school_id: str | None) -> SchoolSettings:
        """The settings for one school: its overrides merged key by key over the district's.

        Raises SettingsError naming the key when an override is unknown or of a wrong type.
        """
        base = self.model_dump(include=set(SchoolSettings.model_fields), by_alias=True)
        override = self.schools.get(school_id or "", {})
        try:
            return SchoolSettings.model_validate(_merged(base, override))
        except ValidationError as error:
            raise SettingsError(f"schools.{school_id}: {cure_of(error, SchoolSettings)}") from error


def useless_recipients(settings: Settings) -> tuple[str, ...]:
    """The keys of recipients to whom no mail can go, such as ``results_email.recipients[1]``; never the addresses themselves."""
    lists = {"results_email.recipients": settings.results_email.recipients}
    for school_id, override in settings.schools.items():
        if "recipients" in override.get("results_email", {}):
            lists[f"schools.{school_id}.results_email.recipients"] = settings.for_school(school_id).results_email.recipients
    return tuple(f"{key}[{at}]" for key, every in lists.items() for at, one in enumerate(every) if valid_address(one) is None)


def faults_in(content: dict[str, Any]) -> list[tuple[tuple[str | int, ...], str]]:
    """What a run would refuse in the content of a settings Variable: each place with the run's own sentence."""
    own = {key: value for key, value in content.items() if key != "schools"}
    try:
        base = Settings.model_validate(own).model_dump(include=set(SchoolSettings.model_fields), by_alias=True)
        Settings.model_validate(content)
    except ValidationError as error:
        return cures_of(error, Settings)
    except SettingsError:
        pass
    faults: list[tuple[tuple[str | int, ...], str]] = []
    for school_id, override in content.get("schools", {}).items():
        try:
            SchoolSettings.model_validate(_merged(base, override))
        except ValidationError as error:
            found = cures_of(error, SchoolSettings)
            faults += [(("schools", school_id, *place), f"schools.{school_id}: {sentence}") for place, sentence in found]
    return faults


def _merged(base: dict[str, Any], override: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in override.items():
        below = base.get(key)
        merged[key] = _merged(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return merged


def read_settings(text: str | None, variable: str) -> Settings:
    """The settings in a Variable's JSON text; a missing Variable means every default.

    Raises SettingsError naming Variable, key and cure.
    """
    unchanged = "Nothing was changed."
    if text is None or not text.strip():
        return Settings()
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise SettingsError(
            f"Variable {variable} is not valid JSON (line {error.lineno}, column {error.colno}). "
            f"Correct it in Admin > Variables. {unchanged}"
        ) from None
    if not isinstance(content, dict):
        raise SettingsError(f"Variable {variable} must hold a JSON object such as {{}}. {unchanged}")
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        raise SettingsError(
            f"Variable {variable}: {cure_of(error, Settings)} Correct it in Admin > Variables. {unchanged}"
        ) from None
    except SettingsError as error:
        raise SettingsError(f"Variable {variable}: {error} Correct it in Admin > Variables. {unchanged}") from None
