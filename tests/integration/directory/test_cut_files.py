"""Nights with a file whose upload was not finished: what is not in it yet is not absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.directory.tasks import Tasks, Told
from tests.integration.directory.test_delta import _ENROLLMENTS, _ORGS, _USERS, Bundles, row
from tests.unit.oneroster.bundles import small

_EVERYBODY = "".join([row("t1", role="teacher"), *(row(f"s{number}") for number in range(1, 7))])
_TERMS = "sourcedId,status,title,type,startDate,endDate,schoolYear\nT1,active,Fall,term,2026-08-15,2026-12-18,2027\n"
_CLASSES = "sourcedId,status,title,classType,courseSourcedId,schoolSourcedId,termSourcedIds\nC1,active,Art,scheduled,X1,S1,T1\n"
_COURSES = "sourcedId,status,title,orgSourcedId\nX1,active,Art,S1\n"
_ENROLLED = "e0,active,C1,S1,t1,teacher\n" + "".join(f"e{number},active,C1,S1,s{number},student\n" for number in range(1, 7))


class Uploads(Bundles):
    """The bundles of a district with one class, written as far as the upload came."""

    def files(self, **changed: str) -> Told:
        """A night with the files given in place of the whole ones."""
        whole = {
            "orgs": _ORGS,
            "users": _USERS + _EVERYBODY,
            "academicSessions": _TERMS,
            "courses": _COURSES,
            "classes": _CLASSES,
        }
        small(self.folder, **(whole | {"enrollments": _ENROLLMENTS + _ENROLLED} | changed))
        self.nights += 1
        return self.tasks.read_night()

    def members(self) -> list[str]:
        """Who is on the class list."""
        rows = self.tasks.directory.rows(
            "select sourced_id from directory.list_members join directory.people using (person_id)"
            " join directory.user_lists using (list_id) where kind = 'class' order by 1"
        )
        return [one for (one,) in rows]


@pytest.fixture
def uploads(tasks: Tasks, tmp_path: Path) -> Uploads:
    tasks.directory.settings["class_lists"] = {"enabled": True, "terms": ["T1"]}
    one = Uploads(tasks, tmp_path)
    assert one.files().state == "success"
    assert one.members() == ["s1", "s2", "s3", "s4", "s5", "s6", "t1"]
    return one


@pytest.mark.parametrize("kept", ["s6,active,true", "s6,active,true,S1,student,s6,A", "s6,act", "s", "s6"])
def test_nobody_is_archived_for_a_users_file_that_ends_in_the_middle_of_a_row(kept: str, uploads: Uploads) -> None:
    half = _EVERYBODY[: _EVERYBODY.index("s5,")] + kept
    told = uploads.files(users=_USERS + half)
    assert told.state == "completed_with_errors" and "upload" in told.reason
    assert uploads.ids() == ["s1", "s2", "s3", "s4", "s5", "s6", "t1"] and uploads.ids("archived") == []
    names = uploads.tasks.directory.rows("select given_name, family_name, username from directory.people where sourced_id = 's6'")
    assert names == [("As6", "Bs6", "s6")]
    assert len(uploads.members()) == 7
    assert uploads.files().state == "success"


@pytest.mark.parametrize("kept", ["e6,active,C1,S", "e6,active,C1,S1,s6", "e"])
def test_nobody_leaves_a_list_for_an_enrollments_file_that_ends_in_the_middle_of_a_row(kept: str, uploads: Uploads) -> None:
    half = _ENROLLED[: _ENROLLED.index("e5,")] + kept
    told = uploads.files(enrollments=_ENROLLMENTS + half)
    assert told.state == "completed_with_errors"
    assert len(uploads.members()) == 7
    assert uploads.files().state == "success"
    assert uploads.files(enrollments=_ENROLLMENTS + _ENROLLED[: _ENROLLED.index("e5,")]).state == "success"
    assert len(uploads.members()) == 5


def test_a_last_row_without_the_end_of_a_line_is_whole_all_the_same(uploads: Uploads) -> None:
    assert uploads.files(users=_USERS + _EVERYBODY.rstrip("\n")).state == "success"
    assert len(uploads.ids()) == 7


@pytest.mark.parametrize("said", ["", "file.users,\n", "file.users"])
def test_a_file_of_which_the_manifest_of_changes_says_nothing_is_not_taken_for_whole(said: str, uploads: Uploads) -> None:
    """The manifest itself was not uploaded to its end; the users are those that changed, and more than half of all."""
    manifest = f"propertyName,value\nfile.enrollments,delta\n{said}"
    changed = "".join(row(f"s{number}", name="Z") for number in range(1, 6))
    told = uploads.files(manifest=manifest, enrollments=_ENROLLMENTS, users=_USERS + changed)
    assert told.state == "completed_with_errors" and "manifest" in told.reason
    assert len(uploads.ids()) == 7 and len(uploads.members()) == 7


_UNCLOSED = {
    "closed by the quote of the same column": 's2,active,true,S1,student,s2,"As2,Bs2,\ns3,active,true,S1,student,s3,"As3",Bs3,\n',
    "closed by a quote in an earlier column": 's2,active,true,S1,student,s2,"As2,Bs2,\ns3,active,true,"S1",student,s3,As3,Bs3,\n',
    "closed by a quote in a later column": 's2,active,true,S1,student,s2,"As2,Bs2,\ns3,active,true,S1,student,s3,As3,"Bs3",\n',
    "closed rows later": 's2,active,true,S1,student,s2,"As2,Bs2,\ns3,active,true,S1,student,s3,As3,Bs3,\ns4,active,true,"S1",student,s4,As4,Bs4,\n',
}  # fmt: skip


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("shape", _UNCLOSED)
def test_nobody_is_archived_for_lying_inside_of_a_quote_that_is_not_closed(shape: str, ends: str, uploads: Uploads) -> None:
    """A name that begins with a quote swallows the next row as far as the next quote."""
    spoilt = _UNCLOSED[shape]
    users = "".join(line for line in _EVERYBODY.splitlines(keepends=True) if f"{line[:2]}," not in spoilt) + spoilt
    told = uploads.files(users=(_USERS + users).replace("\n", ends))
    assert told.state == "completed_with_errors" and "quote" in told.reason
    assert uploads.ids() == ["s1", "s2", "s3", "s4", "s5", "s6", "t1"]
    names = uploads.tasks.directory.rows("select given_name, family_name from directory.people where sourced_id = 's2'")
    assert names == [("As2", "Bs2")] and len(uploads.members()) == 7
