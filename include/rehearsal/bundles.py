"""A district as a CSV bundle of OneRoster 1.1 or 1.2: a folder or a zip, all files in bulk mode."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from include.rehearsal.records import District, Record, in_version, link, roles_of

_BASE = ("sourcedId", "status", "dateLastModified")
#: Data files and their columns after the first three (OneRoster 1.2 CSV binding section 5).
_COLUMNS = {
    "academicSessions": "title type startDate endDate parentSourcedId schoolYear",
    "orgs": "name type identifier parentSourcedId",
    "courses": "schoolYearSourcedId title courseCode grades orgSourcedId subjects subjectCodes",
    "classes": "title grades courseSourcedId classCode classType location schoolSourcedId termSourcedIds "
    "subjects subjectCodes periods",
    "enrollments": "classSourcedId schoolSourcedId userSourcedId role primary beginDate endDate",
    "roles": "userSourcedId roleType role beginDate endDate orgSourcedId userProfileSourcedId",
}
_USERS = {
    "1.1": "enabledUser orgSourcedIds role username userIds givenName familyName middleName identifier email "
    "sms phone agentSourcedIds grades password",
    "1.2": "enabledUser username userIds givenName familyName middleName identifier email sms phone "
    "agentSourcedIds grades password userMasterIdentifier preferredGivenName preferredMiddleName "
    "preferredFamilyName primaryOrgSourcedId pronouns",
}
#: Files that the manifest must name though no district here has them.
_ABSENT = {
    "1.1": "categories classResources courseResources demographics lineItems resources results",
    "1.2": "categories classResources courseResources demographics lineItemLearningObjectiveIds lineItems "
    "lineItemScoreScales resources resultLearningObjectiveIds results resultScoreScales scoreScales "
    "userProfiles userResources",
}
#: Columns that are called otherwise in REST, or point at something.
_FIELDS = {
    "parentSourcedId": "parent",
    "schoolYearSourcedId": "schoolYear",
    "orgSourcedId": "org",
    "orgSourcedIds": "orgs",
    "courseSourcedId": "course",
    "schoolSourcedId": "school",
    "termSourcedIds": "terms",
    "classSourcedId": "class",
    "userSourcedId": "user",
    "agentSourcedIds": "agents",
    "primaryOrgSourcedId": "primaryOrg",
    "preferredGivenName": "preferredFirstName",
    "preferredFamilyName": "preferredLastName",
}


def write_bundle(district: District, where: Path | str, version: str = "1.2") -> Path:
    """The bundle that now lies at a path: a zip where it ends in .zip, else a folder, made if need be.

    ``version`` is 1.1 or 1.2. In bulk mode status is blank, so what is to be deleted is left out.
    """
    if version not in _USERS:
        raise ValueError(f"There is no CSV binding of OneRoster {version}; write 1.1 or 1.2")
    where = Path(where)
    if where.suffix != ".zip":
        where.mkdir(parents=True, exist_ok=True)
        _write(district, version, lambda name, text: (where / name).write_bytes(text))
        return where
    where.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(where, "w", zipfile.ZIP_DEFLATED) as bundle:
        _write(district, version, bundle.writestr)
    return where


def _write(district: District, version: str, put: Callable[[str, bytes], object]) -> None:
    names = [name for name in _COLUMNS if name != "roles" or version == "1.2"]
    for name in names:
        put(f"{name}.csv", _csv(_BASE + tuple(_COLUMNS[name].split()), _records(district, version, name)))
    put("users.csv", _csv(_BASE + tuple(_USERS[version].split()), _records(district, version, "users")))
    put("manifest.csv", _manifest(version, [*names, "users"]))


def _manifest(version: str, present: list[str]) -> bytes:
    modes = dict.fromkeys(present, "bulk") | dict.fromkeys(_ABSENT[version].split(), "absent")
    rows = {"manifest.version": "1.0", "oneroster.version": version}
    rows |= {f"file.{name}": mode for name, mode in sorted(modes.items(), key=lambda item: item[0].lower())}
    rows |= {"source.systemName": "MingaSync rehearsal", "source.systemCode": "rehearsal"}
    return _csv(("propertyName", "value"), ({"propertyName": key, "value": text} for key, text in rows.items()))


def _records(district: District, version: str, name: str) -> Iterator[Record]:
    collection = "users" if name == "roles" else name
    for record in getattr(district, collection):
        if str(record.get("status") or "").lower() == "tobedeleted":
            continue
        shaped = in_version(version, district, collection, record)
        if name == "roles":
            yield from _roles(shaped)
        else:
            yield shaped | {"status": None, "dateLastModified": None}


def _roles(user: Record) -> Iterator[Record]:
    """The rows of roles.csv for a user."""
    for number, role in enumerate(roles_of(user), 1):
        if role.get("role"):
            ids = {"sourcedId": f"{user['sourcedId']}-role-{number}", "user": user["sourcedId"]}
            yield {key: value for key, value in role.items() if key != "userProfile"} | ids


def _csv(columns: tuple[str, ...], records: Iterator[Record]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    for record in records:
        writer.writerow([_cell(record.get(_FIELDS.get(column, column))) for column in columns])
    return text.getvalue().encode()


def _cell(value: object) -> str:
    """A value as a cell: lists comma-joined, references bare, identifiers as ``{type:id}``."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(_cell(one) for one in value)
    if isinstance(value, dict):
        return f"{{{value['type']}:{value['identifier']}}}" if "identifier" in value else link(value)
    return str(value)
