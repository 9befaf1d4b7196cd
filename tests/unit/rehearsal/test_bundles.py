"""A district as a CSV bundle holds the same records as its REST collections."""

from __future__ import annotations

import csv
import datetime as dt
import io
import zipfile
from pathlib import Path

import pytest

from include.rehearsal.bundles import write_bundle
from include.rehearsal.district import District, build
from include.rehearsal.records import is_active, leading_role

TODAY = dt.date(2026, 11, 24)
USERS_1P1 = (
    "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,userIds,givenName,familyName,"
    "middleName,identifier,email,sms,phone,agentSourcedIds,grades,password"
)


@pytest.fixture(scope="module")
def district() -> District:
    return build(240, night=3, today=TODAY)


def rows(folder: Path, name: str) -> dict[str, dict[str, str]]:
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return {row["sourcedId"]: row for row in csv.DictReader(file)}


def manifest(folder: Path) -> dict[str, str]:
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return {row["propertyName"]: row["value"] for row in csv.DictReader(file)}


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_a_bundle_holds_what_is_not_to_be_deleted(version: str, district: District, tmp_path: Path) -> None:
    write_bundle(district, tmp_path, version)
    for name in ("orgs", "academicSessions", "courses", "classes", "users", "enrollments"):
        kept = {one["sourcedId"] for one in getattr(district, name) if one["status"] != "tobedeleted"}
        assert set(rows(tmp_path, name)) == kept
    assert any(one["status"] == "tobedeleted" for one in district.users)
    assert {row["status"] for row in rows(tmp_path, "users").values()} == {""}


def test_users_of_1p1_carry_role_and_orgs_in_the_binding_s_columns(district: District, tmp_path: Path) -> None:
    write_bundle(district, tmp_path, "1.1")
    assert (tmp_path / "users.csv").read_text(encoding="utf-8").splitlines()[0] == USERS_1P1
    assert not (tmp_path / "roles.csv").exists()
    found = rows(tmp_path, "users")
    roles = {"principal": "administrator", "siteAdministrator": "administrator", "counselor": "aide"}
    roles |= {"districtAdministrator": "administrator", "systemAdministrator": "administrator"}
    for user in filter(is_active, district.users):
        own = leading_role(user)["role"]
        assert found[user["sourcedId"]]["role"] == roles.get(own, own)
        assert found[user["sourcedId"]]["orgSourcedIds"] == user["primaryOrg"]["sourcedId"]
        assert found[user["sourcedId"]]["agentSourcedIds"] == ",".join(a["sourcedId"] for a in user["agents"])
        assert found[user["sourcedId"]]["userIds"] == f"{{SIS:{user['identifier']}}}"


def test_roles_of_1p2_lie_in_a_file_of_their_own(district: District, tmp_path: Path) -> None:
    write_bundle(district, tmp_path, "1.2")
    found = rows(tmp_path, "roles")
    users = [user for user in district.users if user["status"] == "active"]
    assert len(found) == sum(len(user["roles"]) for user in users)
    told = {(r["userSourcedId"], r["role"], r["roleType"], r["orgSourcedId"]) for r in found.values()}
    assert told == {
        (user["sourcedId"], role["role"], role["roleType"], role["org"]["sourcedId"]) for user in users for role in user["roles"]
    }
    assert "role" not in next(iter(rows(tmp_path, "users").values()))


@pytest.mark.parametrize(("version", "files"), [("1.1", 13), ("1.2", 21)])
def test_the_manifest_names_every_file_of_the_binding(version: str, files: int, district: District, tmp_path: Path) -> None:
    write_bundle(district, tmp_path, version)
    told = manifest(tmp_path)
    assert told["oneroster.version"] == version
    modes = {key.removeprefix("file."): mode for key, mode in told.items() if key.startswith("file.")}
    assert len(modes) == files
    there = {path.stem for path in tmp_path.glob("*.csv")} - {"manifest"}
    assert {name for name, mode in modes.items() if mode == "bulk"} == there


def test_a_zip_holds_the_folder_s_files_at_its_root(district: District, tmp_path: Path) -> None:
    folder = write_bundle(district, tmp_path / "folder", "1.2")
    where = write_bundle(district, tmp_path / "deep" / "bundle.zip", "1.2")
    with zipfile.ZipFile(where) as bundle:
        assert sorted(bundle.namelist()) == sorted(path.name for path in folder.iterdir())
        assert bundle.read("users.csv") == (folder / "users.csv").read_bytes()
        reader = csv.reader(io.StringIO(bundle.read("classes.csv").decode()))
        assert next(reader)[:4] == ["sourcedId", "status", "dateLastModified", "title"]


def test_an_unknown_version_is_refused(district: District, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"write 1\.1 or 1\.2"):
        write_bundle(district, tmp_path / "never", "2.0")
    assert not (tmp_path / "never").exists()
