"""CSV bundles: public samples nobody here wrote, and each wart of real exports."""

from __future__ import annotations

import csv
import stat
import zipfile
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pytest

from include.mingasync.errors import SourceError
from include.mingasync.oneroster import csv_files
from include.mingasync.oneroster.access import KEYS, Access
from include.mingasync.oneroster.csv_files import refuse_hostile
from include.mingasync.oneroster.records import COLUMNS
from include.mingasync.snapshot import Proof, Snapshot
from tests.unit.oneroster.bundles import SAMPLES, read, sample, small, zipped

_ROLE_DETAIL = {"roles", "role_types", "role_org_ids", "role_ids", "subject_codes"}
_USERS_1P1 = "sourcedId,status,enabledUser,orgSourcedIds,role,username,givenName,familyName\n"


def _without(rows: list[dict[str, Any]], names: set[str]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key not in names} for row in rows]


@pytest.mark.parametrize("size", ["small", "medium"])
@pytest.mark.parametrize("collection", COLUMNS)
def test_the_same_district_in_1p1_and_1p2_reads_the_same(size: str, collection: str, tmp_path: Path) -> None:
    older, _, _ = read(SAMPLES / f"generated-1p1-{size}", collection, tmp_path, run="1.1")
    newer, _, _ = read(SAMPLES / f"generated-1p2-{size}", collection, tmp_path, run="1.2")
    assert _without(older, _ROLE_DETAIL) == _without(newer, _ROLE_DETAIL)


@pytest.mark.parametrize("name", ["generated-1p1-small", "generated-1p1-medium", "generated-1p2-small", "generated-1p2-medium"])
@pytest.mark.parametrize("collection", COLUMNS)
def test_every_row_is_read(name: str, collection: str, tmp_path: Path) -> None:
    with (SAMPLES / name / f"{collection}.csv").open(encoding="utf-8-sig", newline="") as file:
        expected = [row["sourcedId"] for row in csv.DictReader(file)]
    rows, proof, snapshot = read(SAMPLES / name, collection, tmp_path, parents=True)
    assert [row["sourced_id"] for row in rows] == expected
    assert (proof.state, proof.rows, len(snapshot.unreadable())) == ("complete", len(expected), 0)


@pytest.mark.parametrize("way", ["zip", "file", "memory", "folder in zip"])
def test_a_bundle_is_read_the_same_way_from_anywhere(way: str, tmp_path: Path) -> None:
    bundle = sample("generated-1p2-small", tmp_path)
    expected, _, _ = read(bundle, "users", tmp_path, run="plain")
    url = str(zipped(bundle))
    if way == "file":
        url = bundle.as_uri()
    elif way == "memory":
        fsspec.filesystem("memory").put(url, "/maple/bundle.zip")
        url = "memory://maple/bundle.zip"
    elif way == "folder in zip":
        with zipfile.ZipFile(tmp_path / "deep.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for file in bundle.iterdir():
                archive.write(file, f"export/{file.name}")
        url = str(tmp_path / "deep.zip")
    assert read(url, "users", tmp_path, run="other")[0] == expected


def _respell(bundle: Path, file: str, change: Any, encoding: str = "utf-8") -> None:
    path = bundle / f"{file}.csv"
    path.write_bytes(change(path.read_bytes().decode()).encode(encoding))


_WARTS: dict[str, Any] = {
    "byte order mark": lambda text: "\ufeff" + text,
    "unix line ends": lambda text: text.replace("\r\n", "\n"),
    "no final newline": str.rstrip,
    "header in capitals": lambda text: text.replace(text.splitlines()[0], text.splitlines()[0].upper(), 1),
    "misspelt headers": lambda text: text.replace("dateLastModified", "dataLastModified", 1).replace("givenName", "givenNmae", 1),
    "other columns": lambda text: text.replace("password", "password,metadata.x,ext_y", 1),
    "blank header cell": lambda text: text.replace("password", "password,", 1),
    "blank lines": lambda text: text.replace("\r\n", "\r\n\r\n"),
    "TRUE": lambda text: text.replace(",true,", ",TRUE,"),
    "yes": lambda text: text.replace(",true,", ",yes,"),
    "blank status": lambda text: text.replace(",active,", ",,"),
    "ragged short rows": lambda text: text.replace(",,\r\n", "\r\n"),
}


@pytest.mark.parametrize("wart", _WARTS)
def test_a_wart_that_loses_nothing_changes_nothing(wart: str, tmp_path: Path) -> None:
    bundle = sample("generated-1p1-small", tmp_path)
    expected, _, _ = read(bundle, "users", tmp_path, run="clean")
    before = (bundle / "users.csv").read_bytes()
    _respell(bundle, "users", _WARTS[wart])
    assert (bundle / "users.csv").read_bytes() != before
    rows, proof, _ = read(bundle, "users", tmp_path, run="spoilt")
    assert rows == expected
    assert proof.state == "complete"


def test_other_column_order_and_other_file_names_change_nothing(tmp_path: Path) -> None:
    bundle = sample("generated-1p1-small", tmp_path)
    expected, _, _ = read(bundle, "classes", tmp_path, run="clean")
    path = bundle / "classes.csv"
    with path.open(newline="") as file:
        lines = [row[::-1] for row in csv.reader(file)]
    path.unlink()
    with (bundle / "CLASSES.CSV").open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    (bundle / "manifest.csv").unlink()
    assert read(bundle, "classes", tmp_path, run="spoilt")[0] == expected


def test_windows_1252_and_quoted_newlines_are_read(tmp_path: Path) -> None:
    text = _USERS_1P1 + 'u1,,true,"s1, s2",teacher,x,"Zo\u00eb\nAnn",\u2019t Hooft\n'
    bundle = small(tmp_path, users=text)
    (bundle / "users.csv").write_bytes(text.encode("cp1252"))
    (row,), _, _ = read(bundle, "users", tmp_path)
    assert (row["given_name"], row["family_name"]) == ("Zo\u00eb\nAnn", "\u2019t Hooft")
    assert (row["org_ids"], row["roles"], row["enabled"], row["status"]) == (
        ["s1", "s2"],
        ["teacher"],
        True,
        "active",
    )


def test_roles_of_1p2_are_joined_with_the_primary_org_first(tmp_path: Path) -> None:
    users = (
        "sourcedId,enabledUser,givenName,familyName,preferredGivenName,primaryOrgSourcedId\nu1,true,A,B,Al,s2\nu2,true,C,D,,\n"
    )
    roles = "sourcedId,userSourcedId,roleType,role,orgSourcedId\nr1,u1,secondary,aide,s1\nr2,u1,primary,teacher,s2\n"
    rows, _, _ = read(small(tmp_path, users=users, roles=roles), "users", tmp_path)
    assert rows[0]["roles"] == ["aide", "teacher"]
    assert rows[0]["role_types"] == ["secondary", "primary"]
    assert rows[0]["role_org_ids"] == ["s1", "s2"]
    assert rows[0]["org_ids"] == ["s2", "s1"]
    assert rows[0]["preferred_given_name"] == "Al"
    assert (rows[1]["roles"], rows[1]["org_ids"]) == ([], [])


def test_parents_are_left_out_unless_they_are_wanted(tmp_path: Path) -> None:
    bundle = small(tmp_path, users=_USERS_1P1 + "p1,,true,s1,Parent,p,A,B\nu1,,true,s1,student,u,C,D\n")
    rows, proof, _ = read(bundle, "users", tmp_path)
    assert ([row["sourced_id"] for row in rows], proof.left_out_parents) == (["u1"], 1)
    assert len(read(bundle, "users", tmp_path, run="with", parents=True)[0]) == 2


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (["15/08/2026", "1/06/2027"], ["2026-08-15", "2027-06-01"]),
        (["08/15/2026", "6/1/2027"], ["2026-08-15", "2027-06-01"]),
        (["15/08/2026", "06/15/2027"], ["15/08/2026", "06/15/2027"]),
        (["5/08/2026", "2027-06-10T00:00:00Z"], ["5/08/2026", "2027-06-10"]),
        (["3/03/2026", "05/05/2027"], ["2026-03-03", "2027-05-05"]),
        (["03/04/2026", "04/05/2027"], ["03/04/2026", "04/05/2027"]),
        (["2026-13-40", "20261124"], ["2026-13-40", "20261124"]),
        (["46250", "8/15/26"], ["46250", "8/15/26"]),
        (["soon", ""], ["soon", None]),
    ],
)
def test_dates_become_iso_only_where_the_file_says_how(written: list[str], expected: list[str], tmp_path: Path) -> None:
    line = ",".join(["t1,Fall,term", *written, "2026-27"])
    bundle = small(tmp_path, academicSessions=f"sourcedId,title,type,startDate,endDate,schoolYear\n{line}\n")
    (row,), _, _ = read(bundle, "academicSessions", tmp_path)
    assert [row["start_date"], row["end_date"]] == expected
    assert row["school_year"] == "2027"


def test_a_header_without_rows_is_an_empty_collection(tmp_path: Path) -> None:
    rows, proof, _ = read(small(tmp_path, users=_USERS_1P1), "users", tmp_path)
    assert (rows, proof.state, proof.rows) == ([], "complete", 0)


def test_an_enrollment_without_an_id_is_named_after_what_it_joins(tmp_path: Path) -> None:
    text = "classSourcedId,userSourcedId,role\nc1,u1,student\nc1,,student\n"
    rows, proof, snapshot = read(small(tmp_path, enrollments=text), "enrollments", tmp_path)
    assert [row["sourced_id"] for row in rows] == ["c1:u1:student"]
    assert snapshot.unreadable().to_dict("records") == [
        {"resource": "enrollments", "sourced_id": "", "reason": "it has no sourcedId"}
    ]
    assert (proof.state, proof.nameless) == ("complete", 1)


def test_a_sourced_id_behind_a_cell_too_many_is_nobodys(tmp_path: Path) -> None:
    text = "role,sourcedId,enabledUser,orgSourcedIds,username,givenName,familyName\nstudent,Mary,u1,true,s1,x,A,B\n"
    rows, proof, snapshot = read(small(tmp_path, users=text), "users", tmp_path)
    assert (rows, proof.nameless, list(snapshot.unreadable()["sourced_id"])) == ([], 1, [""])


def test_a_row_with_a_cell_too_many_is_set_aside(tmp_path: Path) -> None:
    text = _USERS_1P1 + "u1,,true,s1,student,x,A,B,C\nu2,,true,s1,student,x,A,B,,\n"
    rows, proof, snapshot = read(small(tmp_path, users=text), "users", tmp_path)
    assert [row["sourced_id"] for row in rows] == ["u2"]
    assert list(snapshot.unreadable()["sourced_id"]) == ["u1"]
    assert proof.state == "complete"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"users": "sourcedId,role,givenName,familyName\n"}, "users.csv has no column 'enabledUser'"),
        ({"users": "sourcedId,enabledUser,givenName,familyName\n"}, "no column 'role'"),
        ({"users": ""}, "users.csv has not even a header"),
        ({"users": _USERS_1P1.replace("status", "role")}, "both called 'role'"),
        (
            {"users": _USERS_1P1 + 'u1,,true,s1,student,x,"' + "A" * (1 << 20) + "B\n"},
            "cannot be read as CSV",
        ),
        ({"orgs": "sourcedId,name,type\n"}, "does not share users (not in the bundle)"),
        (
            {"users": _USERS_1P1, "manifest": "propertyName,value\nfile.users,absent\n"},
            "absent in the bundle's manifest",
        ),
        ({"manifest": "propertyName,value\nfile.users,bulk\n"}, "announces users.csv"),
    ],
)
def test_a_bundle_that_cannot_be_trusted_is_refused_in_words(files: dict[str, str], words: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="Nothing was changed") as refusal:
        read(small(tmp_path, **files), "users", tmp_path)
    assert words in str(refusal.value)


def test_an_unknown_mode_of_the_manifest_proves_no_absence(tmp_path: Path) -> None:
    bundle = small(
        tmp_path,
        users=_USERS_1P1 + "u1,,true,s1,student,x,A,B\n",
        manifest="propertyName,value\nfile.users,partial\n",
    )
    rows, proof, _ = read(bundle, "users", tmp_path)
    assert (len(rows), proof.state) == (1, "incomplete")


def _entry(name: str, mode: int = 0o644) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


@pytest.mark.parametrize(
    ("entry", "content", "cause"),
    [
        (_entry("../users.csv"), b"x", "outside the zip"),
        (_entry("/etc/users.csv"), b"x", "outside the zip"),
        (_entry("a\\..\\..\\users.csv"), b"x", "outside the zip"),
        (_entry("C:\\users.csv"), b"x", "outside the zip"),
        (_entry("users.csv", stat.S_IFLNK | 0o777), b"/etc/passwd", "symbolic link"),
        (_entry("users.csv"), b"0" * 10_000_000, "more than 100 times"),
    ],
)
def test_a_hostile_zip_is_refused_before_it_is_read(entry: zipfile.ZipInfo, content: bytes, cause: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "hostile.zip", "w") as archive:
        archive.writestr(entry, content)
        archive.writestr(_entry("orgs.csv"), "sourcedId,name,type\n")
    with pytest.raises(SourceError, match="refused before anything of it was read") as refusal:
        read(tmp_path / "hostile.zip", "orgs", tmp_path)
    assert cause in str(refusal.value)


@pytest.mark.parametrize("what", ["nothing", "no zip", "half a zip", "spoilt entry"])
def test_a_broken_upload_is_an_error_in_words(what: str, tmp_path: Path) -> None:
    path = tmp_path / "generated-1p1-small.zip"
    if what != "nothing":
        whole = zipped(sample("generated-1p1-small", tmp_path)).read_bytes()
        spoilt = whole[:-30_000] + b"\0" * 100 + whole[-29_900:]
        path.write_bytes({"no zip": b"<html>", "half a zip": whole[:1000], "spoilt entry": spoilt}[what])
    with pytest.raises(SourceError, match="Nothing was changed"):
        for name in COLUMNS:
            read(path, name, tmp_path)


_DELTA = {"manifest": "propertyName,value\nfile.users,delta\nfile.enrollments,delta\n"}
_BASE = _USERS_1P1 + "u1,,true,s1,student,one,A,B\nu2,,true,s1,student,two,C,D\n"


def test_a_delta_changes_the_last_snapshot(tmp_path: Path) -> None:
    _, _, last = read(small(tmp_path, users=_BASE), "users", tmp_path, run="monday")
    text = _USERS_1P1 + (
        "u2,tobedeleted,,,,,,\nu1,active,true,s2,student,uno,A,B\nu3,active,true,s1,student,x,E,F\nu9,tobedeleted,,,,,,\n"
    )
    rows, proof, _ = read(small(tmp_path, users=text, **_DELTA), "users", tmp_path, run="tuesday", previous=last)
    assert [(row["sourced_id"], row["status"], row["username"]) for row in rows] == [
        ("u1", "active", "uno"),
        ("u2", "tobedeleted", "two"),
        ("u3", "active", "x"),
    ]
    assert (proof.state, proof.rows) == ("complete", 3)


def test_a_delta_with_nothing_to_change_asks_for_a_bulk_bundle(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="A bulk bundle is needed first"):
        read(small(tmp_path, users=_BASE, **_DELTA), "users", tmp_path)


def test_a_delta_without_a_file_keeps_what_was_there(tmp_path: Path) -> None:
    bundle = small(tmp_path, users=_BASE, orgs="sourcedId,name,type\ns1,Maple,school\n")
    expected, _, last = read(bundle, "orgs", tmp_path, run="monday")
    (bundle / "orgs.csv").unlink()
    assert read(small(tmp_path, **_DELTA), "orgs", tmp_path, run="tuesday", previous=last)[0] == expected


def test_a_delta_of_roles_keeps_the_roles_it_does_not_name(tmp_path: Path) -> None:
    users = "sourcedId,status,enabledUser,givenName,familyName\nu1,active,true,A,B\nu2,active,true,C,D\n"
    head = "sourcedId,status,userSourcedId,roleType,role,orgSourcedId\n"
    bulk = small(tmp_path, users=users, roles=head + "r1,,u1,primary,teacher,s1\nr2,,u2,primary,student,s1\n")
    _, _, last = read(bulk, "users", tmp_path, run="monday")
    manifest = "propertyName,value\nfile.users,delta\nfile.roles,delta\n"
    roles = head + "r1,tobedeleted,u1,primary,teacher,s1\nr3,active,u1,primary,aide,s2\n"
    renamed = users.replace("C,D", "C,E")
    rows, _, _ = read(
        small(tmp_path, users=renamed, roles=roles, manifest=manifest),
        "users",
        tmp_path,
        run="tue",
        previous=last,
    )
    assert [(row["roles"], row["org_ids"], row["family_name"]) for row in rows] == [
        (["aide"], ["s2"], "B"),
        (["student"], ["s1"], "E"),
    ]


_PEOPLE_1P2 = "sourcedId,status,enabledUser,givenName,familyName\n"
_ROLES_1P2 = "sourcedId,status,userSourcedId,roleType,role,orgSourcedId\n"
_BOTH_1P2 = _PEOPLE_1P2 + "u1,,true,A,B\nu2,,true,C,D\n"


def _after(
    folder: Path, *changes: str, users: str = _PEOPLE_1P2, modes: tuple[str, str] = ("delta", "delta"), parents: bool = False
) -> tuple[list[tuple[Any, ...]], Proof]:
    """Id, roles and orgs of everybody after a bundle of changes, when u1 was an administrator and u2 a student; and the proof."""
    roles = _ROLES_1P2 + "r1,,u1,primary,administrator,s1\nr2,,u2,primary,student,s1\n"
    _, _, last = read(small(folder, users=_BOTH_1P2, roles=roles), "users", folder, run="mon", parents=parents)
    manifest = "propertyName,value\nfile.users,{}\nfile.roles,{}\n".format(*modes)
    bundle = small(folder, users=users, roles=_ROLES_1P2 + "".join(f"{one}\n" for one in changes), manifest=manifest)
    rows, proof, _ = read(bundle, "users", folder, run="tue", previous=last, parents=parents)
    return [(row["sourced_id"], row["roles"], row["org_ids"]) for row in rows], proof


@pytest.mark.parametrize(
    ("changes", "roles", "orgs"),
    [
        (["r1,active,u1,primary,teacher,s1"], ["teacher"], ["s1"]),
        (["r1,active,u1,primary,administrator,s2"], ["administrator"], ["s2"]),
        (["r1,tobedeleted,u1,,,", "r5,active,u1,primary,teacher,s1"], ["teacher"], ["s1"]),
        (["r1,tobedeleted,u1,primary,Administrator,s1", "r5,active,u1,primary,teacher,s1"], ["teacher"], ["s1"]),
        (["r9,tobedeleted,u1,primary,administrator,s1"], ["administrator"], ["s1"]),
        (["r5,active,u1,secondary,administrator,s1"], ["administrator", "administrator"], ["s1"]),
    ],
)
def test_a_delta_of_roles_is_about_the_role_of_its_sourced_id(
    changes: list[str], roles: list[str], orgs: list[str], tmp_path: Path
) -> None:
    rows, proof = _after(tmp_path, *changes)
    assert (rows, proof.state) == ([("u1", roles, orgs), ("u2", ["student"], ["s1"])], "complete")


def test_roles_that_are_whole_replace_those_of_everybody(tmp_path: Path) -> None:
    changes = ("r7,,u1,primary,teacher,s2", "r8,tobedeleted,u1,primary,administrator,s1", "r2,,u2,primary,student,s1")
    rows, proof = _after(tmp_path, *changes, modes=("delta", "bulk"))
    assert (rows, proof.state) == ([("u1", ["teacher"], ["s2"]), ("u2", ["student"], ["s1"])], "complete")


def test_roles_of_which_nobody_says_whether_they_are_whole_prove_nothing(tmp_path: Path) -> None:
    rows, proof = _after(tmp_path, "r1,,u1,primary,teacher,s2", modes=("delta", ""))
    assert rows == [("u1", ["teacher"], ["s2"]), ("u2", ["student"], ["s1"])]
    assert proof.state == "incomplete" and "whether roles.csv is whole" in (proof.reason or "")


def test_every_user_with_only_the_changes_of_their_roles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="Export both files in full, or both as delta"):
        _after(tmp_path, "r1,tobedeleted,u1,primary,administrator,s1", users=_BOTH_1P2, modes=("bulk", "delta"))


def test_changes_of_users_among_which_no_role_changed(tmp_path: Path) -> None:
    roles = _ROLES_1P2 + "r1,,u1,primary,administrator,s1\n"
    bundle = small(tmp_path, users=_BOTH_1P2, roles=roles)
    _, _, last = read(bundle, "users", tmp_path, run="mon")
    (bundle / "roles.csv").unlink()
    manifest = "propertyName,value\nfile.users,delta\nfile.roles,absent\n"
    changed = small(tmp_path, users=_PEOPLE_1P2 + "u1,active,true,A,New\n", manifest=manifest)
    rows, proof, _ = read(changed, "users", tmp_path, run="tue", previous=last)
    assert [(row["family_name"], row["roles"]) for row in rows] == [("New", ["administrator"]), ("D", [])]
    assert proof.state == "complete"


@pytest.mark.parametrize("parents", [False, True])
def test_a_parent_who_comes_with_a_delta_is_kept_only_where_contacts_are_wanted(parents: bool, tmp_path: Path) -> None:
    users, change = _PEOPLE_1P2 + "p1,active,true,Pat,Parent\n", "r9,active,p1,primary,parent,s1"
    rows, proof = _after(tmp_path, change, users=users, parents=parents)
    assert [row for row in rows if row[0] == "p1"] == ([("p1", ["parent"], ["s1"])] if parents else [])
    assert proof.left_out_parents == (0 if parents else 1)


@pytest.mark.parametrize(
    ("change", "roles", "state"),
    [
        ("r1,active,u1,primary,administrator,s1", ["administrator"], "complete"),
        ("r1,active,u1,primary,teacher,s1", ["administrator", "teacher"], "incomplete"),
        ("r1,tobedeleted,u1,,,", ["administrator"], "incomplete"),
    ],
)
def test_a_snapshot_that_does_not_say_which_role_is_which_leaves_a_change_open(
    change: str, roles: list[str], state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of older versions are: what a change is about is then not known, and nobody leaves for it."""
    whole = Snapshot.table

    def without_ids(snapshot: Snapshot, collection: str, columns: Any = None) -> pa.Table:
        table = whole(snapshot, collection, columns)
        place = table.schema.get_field_index("role_ids")
        return (
            table if place < 0 else table.set_column(place, "role_ids", pa.nulls(table.num_rows, table.schema.field(place).type))
        )

    monkeypatch.setattr(Snapshot, "table", without_ids)
    rows, proof = _after(tmp_path, change)
    assert (rows[0][1], proof.state) == (roles, state)
    assert ("exported in full once" in (proof.reason or "")) == (state == "incomplete")


def _periods(rows: list[dict[str, Any]]) -> list[list[tuple[str | None, ...]]]:
    columns = ("roles", "role_org_ids", "role_begin_dates", "role_end_dates")
    return [list(zip(*(row[name] for name in columns), strict=True)) for row in rows]


def test_a_role_keeps_its_dates_and_a_delta_changes_the_one_it_is_about(tmp_path: Path) -> None:
    users = "sourcedId,enabledUser,givenName,familyName\nu1,true,A,B\n"
    head = "sourcedId,status,userSourcedId,roleType,role,beginDate,endDate,orgSourcedId\n"
    roles = (
        "r1,,u1,primary,teacher,2026-08-17,2026-12-18,s1\nr2,,u1,secondary,teacher,2027-01-05,,s1\nr3,,u1,secondary,aide,,,s2\n"
    )
    rows, _, before = read(small(tmp_path, users=users, roles=head + roles), "users", tmp_path, run="whole")
    spring, aide = ("teacher", "s1", "2027-01-05", None), ("aide", "s2", None, None)
    assert _periods(rows) == [[("teacher", "s1", "2026-08-17", "2026-12-18"), spring, aide]]
    change = "r1,active,u1,primary,teacher,2026-08-17,2026-11-20,s1\nr3,active,u1,secondary,aide,,2026-11-30,s2\n"
    manifest = "propertyName,value\nfile.users,delta\nfile.roles,delta\n"
    bundle = small(tmp_path, users=users.replace("u1,true,A,B\n", ""), roles=head + change, manifest=manifest)
    rows, _, changed = read(bundle, "users", tmp_path, run="changed", previous=before)
    assert _periods(rows) == [[("teacher", "s1", "2026-08-17", "2026-11-20"), spring, ("aide", "s2", None, "2026-11-30")]]
    gone = "r1,tobedeleted,u1,primary,teacher,2026-08-17,,s1\nr9,tobedeleted,u1,primary,teacher,2020-01-01,,s1\n"
    bundle = small(tmp_path, users=users.replace("u1,true,A,B\n", ""), roles=head + gone, manifest=manifest)
    rows, _, _ = read(bundle, "users", tmp_path, run="gone", previous=changed)
    # What was deleted long ago is not the role that is left.
    assert _periods(rows) == [[spring, ("aide", "s2", None, "2026-11-30")]]


def test_a_delta_does_not_forget_that_rows_of_the_snapshot_before_had_no_id(tmp_path: Path) -> None:
    nameless = _BASE + ",,true,s1,student,x,A,B\n"
    _, monday, last = read(small(tmp_path, users=nameless), "users", tmp_path, run="monday")
    bundle = small(tmp_path, users=_BASE, **_DELTA)
    rows, tuesday, _ = read(bundle, "users", tmp_path, run="tuesday", previous=last)
    assert (len(rows), monday.state, tuesday.state) == (2, "complete", "complete")
    assert (monday.nameless, tuesday.nameless) == (1, 1)


def test_a_delta_on_an_incomplete_snapshot_is_incomplete_itself(tmp_path: Path) -> None:
    manifest = "propertyName,value\nfile.users,whatever\n"
    _, monday, last = read(small(tmp_path, users=_BASE, manifest=manifest), "users", tmp_path, run="monday")
    _, tuesday, _ = read(small(tmp_path, users=_BASE, **_DELTA), "users", tmp_path, run="tuesday", previous=last)
    assert (monday.state, tuesday.state) == ("incomplete", "incomplete")


@pytest.mark.parametrize("spoilt", ["r1,,u1,primary,teacher,s1,,x", "r1,,,primary,teacher,s1"])
def test_a_role_that_cannot_be_read_leaves_open_whose_it_was(spoilt: str, tmp_path: Path) -> None:
    users = "sourcedId,enabledUser,givenName,familyName\nu1,true,A,B\n"
    roles = f"sourcedId,status,userSourcedId,roleType,role,orgSourcedId\n{spoilt}\n"
    _, proof, _ = read(small(tmp_path, users=users, roles=roles), "users", tmp_path)
    assert (proof.state, "1 rows of roles.csv" in (proof.reason or "")) == ("incomplete", True)


def test_a_zip_that_unfolds_to_more_than_4_gb_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "large.zip", "w") as archive:
        archive.writestr("users.csv", "x")
        archive.infolist()[0].file_size = 4 * 1024**3 + 1
        with pytest.raises(SourceError, match="more than 4 GB"):
            refuse_hostile(archive, 4 * 1024**3)
        archive.infolist()[0].file_size = 1


def test_rows_that_repeat_a_sourced_id_leave_the_file_whole(tmp_path: Path) -> None:
    rows = ["u1,active,true,S1,student,ana,Ana,One", "u2,active,true,S1,student,bo,Bo,Two"]
    same = small(tmp_path, users=_USERS_1P1 + "\n".join([*rows, rows[0]]))
    came, proof, _ = read(same, "users", tmp_path, run="same")
    assert (proof.state, proof.reason, [row["sourced_id"] for row in came]) == ("complete", None, ["u1", "u2", "u1"])
    other = small(tmp_path, users=_USERS_1P1 + "\n".join([*rows, "u1,active,true,S2,student,ana,Ana,One"]))
    came, proof, _ = read(other, "users", tmp_path, run="other")
    assert (proof.state, len(came)) == ("complete", 3)


def test_somebody_who_left_a_class_and_came_back_has_two_enrollments_also_without_ids(tmp_path: Path) -> None:
    head = "classSourcedId,userSourcedId,role,beginDate,endDate\n"
    came = "c1,u1,student,2026-08-17,2026-09-30\nc1,u1,student,2026-11-02,2026-12-18\nc1,u2,student,2026-08-17,2026-12-18\n"
    rows, _, last = read(small(tmp_path, enrollments=head + came), "enrollments", tmp_path, run="monday")
    names = ["c1:u1:student", "c1:u1:student:2026-11-02", "c1:u2:student"]
    assert [row["sourced_id"] for row in rows] == names
    # A change is about the one that begins when it does.
    gone = "classSourcedId,userSourcedId,role,beginDate,status\nc1,u1,student,2026-11-02,tobedeleted\n"
    rows, _, _ = read(small(tmp_path, enrollments=gone, **_DELTA), "enrollments", tmp_path, run="tuesday", previous=last)
    assert [(row["sourced_id"], row["status"]) for row in rows] == list(
        zip(names, ("active", "tobedeleted", "active"), strict=True)
    )


def test_changes_of_one_record_that_contradict_each_other_leave_it_as_it_was_and_set_it_aside(tmp_path: Path) -> None:
    _, _, last = read(small(tmp_path, users=_BASE), "users", tmp_path, run="monday")
    for place, other in enumerate(("u1,tobedeleted,,,,,,", "u1,active,true,s3,student,uno,A,B")):
        same = "u2,active,true,s1,student,dos,C,D\n"
        text = f"{_USERS_1P1}u1,active,true,s2,student,uno,A,B\n{same}{other}\n{same}"
        bundle = small(tmp_path, users=text, **_DELTA)
        rows, _, taken = read(bundle, "users", tmp_path, run=f"tuesday{place}", previous=last)
        assert [(row["sourced_id"], row["status"], row["username"]) for row in rows] == [
            ("u1", "active", "one"),
            ("u2", "active", "dos"),
        ]
        assert taken.unreadable()[["sourced_id", "reason"]].to_numpy().tolist() == [
            ["u1", "the bundle has 2 changes of it that say different things"]
        ]


def test_nothing_of_the_connection_that_is_about_rest_reaches_the_store() -> None:
    said = dict.fromkeys((*KEYS, "extra__http__schema", "__extra__"), "x")
    assert csv_files._storage_options(Access.to_bundle("s3://maple/bundle.zip", said | {"anon": True})) == {"anon": True}
