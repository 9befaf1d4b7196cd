"""A provider's JSON collections, read from a folder."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from include.rehearsal.collections import read_collections

OLD = {
    "sourcedId": "u1",
    "status": "active",
    "role": "student",
    "orgs": [{"sourcedId": "s1", "href": "", "type": "org"}],
}
NEW = {"sourcedId": "u1", "status": "active", "roles": [{"role": "student", "roleType": "primary"}]}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize(("user", "version"), [(OLD, "1.1"), (NEW, "1.2")])
def test_a_collection_may_be_zipped_or_bare_and_tells_its_version(
    zipped: bool, bare: bool, user: dict[str, object], version: str, tmp_path: Path
) -> None:
    body = json.dumps([user] if bare else {"users": [user]}).encode()
    (tmp_path / f"users.json{'.gz' if zipped else ''}").write_bytes(gzip.compress(body) if zipped else body)
    district = read_collections(tmp_path)
    assert district.users == [user]
    assert district.version == version
    assert district.enrollments == []
    assert district.numbers()["people"] == {"student": 1}


@pytest.mark.parametrize(
    ("name", "body", "message"),
    [
        ("users.json", b'{"users": [', "is no JSON"),
        ("users.json.gz", b"not zipped", "is no JSON"),
        ("users.json", b'{"people": []}', "neither a list nor an object with the key 'users'"),
    ],
)
def test_a_file_that_is_no_collection_is_named(name: str, body: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(body)
    with pytest.raises(ValueError, match=message) as error:
        read_collections(tmp_path)
    assert name in str(error.value)


def test_a_folder_without_collections_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no OneRoster collection"):
        read_collections(tmp_path)


def test_one_human_with_a_record_per_school_is_counted_once(tmp_path: Path) -> None:
    twins = [
        NEW | {"sourcedId": f"u{n}", "identifier": "7", "email": f"A{'b' * same}@x.test"} for n, same in enumerate((1, 1, 2))
    ]
    (tmp_path / "users.json").write_text(json.dumps(twins))
    numbers = read_collections(tmp_path).numbers()
    assert numbers["users"] == {"student": 3}
    assert numbers["people"] == {"student": 2}
