"""Every cure that an issue advises, carried out: the rule is told, the printed words are done, the rule is told no more, and the
directory stands as it should.

Most of the cures have a copy of one small district each, and all copies go through the same nights.
"""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from include.mingasync.directory import issues
from include.mingasync.quality.catalogue import BY_ID
from stack.postgres import EmbeddedPostgres
from tests.integration.directory import cures_of_collections, cures_of_records
from tests.integration.directory.cures import COLLECTIONS, Cure, Look, Night, clean, marked, nothing, side_by_side
from tests.integration.directory.tasks import Issue, Tasks, Told
from tests.integration.directory.world import Directory, Row

CURES = [*cures_of_collections.CURES, *cures_of_records.CURES]


@dataclass
class Played:
    """How the nights of some cures went: what was told of the fault and after the mend, and each copy of the district before the
    fault and after the mend."""

    cures: list[Cure]
    looks: list[Look] = field(default_factory=list)
    before: list[Any] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)

    def found(self, night: int, cure: Cure) -> list[Issue]:
        """What was told of a cure's rule and copy on the night of the fault (0) or of the mend (1)."""
        mark = self.looks[self.cures.index(cure)].mark
        return [one for one in self.told[night].issues if one[3] == cure.rule and mark in f"{one[2]} {one[4]}"]


@dataclass
class Nights:
    """Plays the nights of each group of cures once, on a directory of its own."""

    postgres: EmbeddedPostgres
    schema: str
    folders: pytest.TempPathFactory
    patch: pytest.MonkeyPatch
    connections: list[psycopg.Connection[Any]] = field(default_factory=list)
    played: dict[str, Played] = field(default_factory=dict)
    #: the district after a first night in which nothing was wrong, its snapshots and the name of its database
    clean: tuple[Path, str] | None = None

    def of(self, cure: Cure) -> Played:
        """The nights that a cure shares with others."""
        if cure.night not in self.played:
            self.played[cure.night] = self._play([one for one in CURES if one.night == cure.night])
        return self.played[cure.night]

    def _play(self, cures: list[Cure]) -> Played:
        played = Played(cures)
        # Those with a night of their own are all wrong with the same copy of the district.
        own = not cures[0].night
        marks = [f"{number:02}-" if own else "" for number, _ in enumerate(cures)]
        nights = [clean() for _ in cures] if own else [clean()] * len(cures)
        for night, cure in zip(nights, cures, strict=True):
            cure.first(night)
        tasks = self._after_a_first(nights, marks, is_clean=all(cure.first is nothing for cure in cures) and not own)
        played.looks = [Look(tasks.directory, mark) for mark in marks]
        played.before = [look.state() for look in played.looks]
        for night, cure in zip(nights, cures, strict=True):
            cure.fault(night)
        played.told.append(self._night(tasks, nights, marks))
        for cure in cures:
            if cure.runs:
                ((*_, fix),) = played.found(0, cure)
                (statement,) = dict.fromkeys(re.findall(rf"select directory\.{cure.runs}\([^)]*\)", fix))
                tasks.directory.do(statement)
        for night, cure in zip(nights, cures, strict=True):
            cure.mend(night)
        played.told.append(self._night(tasks, nights, marks))
        return played

    def _after_a_first(self, nights: list[Night], marks: list[str], *, is_clean: bool) -> Tasks:
        """The tasks of a district after its first night; the one in which nothing is wrong is run once and copied."""
        folder = self.folders.mktemp("cures") / "snapshots"
        if not is_clean:
            tasks = Tasks(Directory(self._database(self.schema)), folder, self.patch)
            self._night(tasks, nights, marks)
            return tasks
        if self.clean is None:
            tasks = Tasks(Directory(self._database(self.schema)), folder, self.patch)
            self._night(tasks, nights, marks)
            self.clean = folder, tasks.directory.connection.info.dbname
            tasks.directory.connection.close()
            folder = self.folders.mktemp("cures") / "snapshots"
        shutil.copytree(self.clean[0], folder)
        return Tasks(Directory(self._database(self.clean[1])), folder, self.patch)

    def _night(self, tasks: Tasks, nights: list[Night], marks: list[str]) -> Told:
        alone = nights[0] is nights[-1]
        night = (
            nights[0] if alone else side_by_side([_with_terms(marked(*one), one[1]) for one in zip(nights, marks, strict=True)])
        )
        tasks.directory.settings = night.settings
        for row in night.by_hand:
            _make(tasks.directory, row)
        for one in nights:
            one.by_hand.clear()
        return tasks.night(night.sis(), proofs=night.proofs, unreadable=night.unreadable, conf=night.conf)

    def _database(self, template: str) -> psycopg.Connection[Any]:
        name = f"cures_{len(self.connections)}"
        copy = sql.SQL("create database {} template {} strategy file_copy")
        with psycopg.connect(self.postgres.dsn(), autocommit=True) as admin:
            admin.execute(copy.format(sql.Identifier(name), sql.Identifier(template)))
        self.connections.append(psycopg.connect(self.postgres.dsn(name), autocommit=True))
        return self.connections[-1]


def _with_terms(night: Night, mark: str) -> Night:
    chosen = night.settings["class_lists"]
    night.settings = night.settings | {"class_lists": chosen | {"terms": [mark + one for one in chosen["terms"]]}}
    return night


def _make(directory: Directory, row: Row) -> None:
    directory.do(
        "select directory.set_include_in_sync(directory.add_person(%s, %s, %s, %s, email => %s, username => %s, identifier => %s,"
        " school_ids => %s), true)",
        "oak", row["roles"][0], *(row[name] for name in ("given_name", "family_name", "email", "username", "identifier", "org_ids")),
    )  # fmt: skip


@pytest.fixture(scope="module")
def nights(postgres: EmbeddedPostgres, newest_schema: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nights]:
    """The nights in which the cures are carried out."""
    with pytest.MonkeyPatch.context() as patch:
        made = Nights(postgres, newest_schema, tmp_path_factory, patch)
        yield made
        for connection in made.connections:
            connection.close()


@pytest.mark.parametrize("cure", CURES, ids=lambda cure: cure.name)
def test_the_printed_cure_cures(cure: Cure, nights: Nights) -> None:
    played = nights.of(cure)
    look = played.looks[played.cures.index(cure)]
    before = played.before[played.cures.index(cure)]
    first = played.told[0]
    assert any(cure.words in issue[5] for issue in played.found(0, cure)), (first.reason, first.issues)
    assert played.found(1, cure) == []
    last = played.told[1]
    assert last.state == cure.state, (last.reason, last.issues)
    if cure.after is None:
        after = look.state()
        assert {who: (before.get(who), after.get(who)) for who in before | after if before.get(who) != after.get(who)} == {}
    else:
        assert cure.after(look), (look.people(), look.lists())


_HERE = Path(__file__).parent
#: Rules whose cure other tests carry out, as file and test; an id that never comes is told as a record that cannot be read.
ELSEWHERE: dict[str, list[str]] = {
    **{
        f"{name}.id_missing": ["test_unproven.py::test_rows_without_a_name_archive_nobody_and_take_nobody_off_a_list_and_let_the_rest_go_on"]
        for name in COLLECTIONS
    },
    # A column of ids that is empty is rows without an id, too.
    "courses.column_empty": ["test_unproven.py::test_rows_without_a_name_archive_nobody_and_take_nobody_off_a_list_and_let_the_rest_go_on"],
    "orgs.other_district": ["test_other_district.py::test_the_printed_cure_of_a_renumbering_lets_it_land_and_is_kept_in_the_history"],
    "users.match_not_unique": ["test_identity.py::test_a_match_that_is_not_unique_is_answered_by_its_cure"],
    "users.match_contradicts": [
        "test_identity.py::test_a_contradiction_is_answered_by_its_cures",
        "test_identity.py::test_a_contradiction_that_is_refused_makes_somebody_new_and_is_asked_once",
    ],
    "users.sourced_id_reissued": [
        "test_identity.py::test_a_re_issued_sourced_id_is_answered_as_another_human",
        "test_identity.py::test_a_re_issued_sourced_id_is_answered_as_the_same_human",
    ],
    "users.sourced_id_changed": [
        "test_identity.py::test_somebody_archived_comes_back_under_a_new_sourced_id_once_confirmed",
        "test_identity.py::test_a_refused_proposal_makes_one_and_archives_the_other",
        "test_identity.py::test_exchanged_sourced_ids_are_set_right_by_the_cures",
    ],
    "users.two_entries_one_human": ["test_identity.py::test_two_people_whom_the_sis_now_says_to_be_one_are_not_joined_by_themselves"],
    "users.identifier_shared_here": ["test_identity.py::test_records_are_not_joined_by_a_number_that_others_have_here"],
    "users.key_shared_here": ["test_cures_of_questions.py::test_a_number_of_their_own_ends_the_warning_and_both_entries_stay"],
    "lists.manager_excluded": ["test_cures_of_questions.py::test_a_teacher_whose_switch_is_turned_on_manages_the_list"],
    "users.identical": ["test_people.py::test_a_feed_that_stands_still_for_a_week_is_told"],
    "enrollments.identical": ["test_people.py::test_a_feed_that_stands_still_for_a_week_is_told"],
    "snapshot.unproven": [
        "test_unproven.py::test_the_printed_cure_of_a_collection_that_shrank_lets_people_leave",
        "test_unproven.py::test_the_printed_cure_of_a_school_that_is_gone_lets_its_people_leave",
        "test_unproven.py::test_a_collection_that_moved_is_cured_by_the_next_whole_night",
    ],
}  # fmt: skip


def told_rules() -> set[str]:
    """Every rule that an issue may be of: the catalogue's, and those that the steps after the data proof write themselves."""
    own = "|".join(("users", "lists", "terms", "settings", "snapshot"))
    files = [Path(issues.__file__), Path(issues.__file__).parent / "sql" / "98_issues.sql"]
    found = {rule for file in files for rule in re.findall(rf"'((?:{own})\.[a-z_]+)'", file.read_text(encoding="utf-8"))}
    return set(BY_ID) | found | {"users.identical", "enrollments.identical"}


def test_every_rule_has_a_cure_that_is_carried_out() -> None:
    carried_out = {cure.rule for cure in CURES} | set(ELSEWHERE)
    assert sorted(told_rules() - carried_out) == [], "carry the cure out in the table, or name the test that does"
    assert sorted(carried_out - told_rules()) == []
    assert sorted({cure.rule for cure in CURES} & set(ELSEWHERE)) == []
    for test in itertools.chain(*ELSEWHERE.values()):
        file, name = test.split("::")
        assert f"def {name}(" in (_HERE / file).read_text(encoding="utf-8"), test
