"""A small district whose SIS can be broken and mended, and what a cure is: what is wrong, the words as printed, how it stands after."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.integration.directory.world import Directory, Row, Sis, enrollment, everything_on, klass, school, term, user

COLLECTIONS = ("orgs", "academicSessions", "courses", "classes", "users", "enrollments")
REFUSED = {"state": "absent", "reason": "not shared (status 403)"}


@dataclass
class Night:
    """What the SIS sends on a night, what the settings say, and how the run is started."""

    rows: dict[str, list[Row]]
    settings: dict[str, Any]
    conf: dict[str, Any] = field(default_factory=dict)
    proofs: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    #: people whom somebody makes by hand before the night, included in the sync
    by_hand: list[Row] = field(default_factory=list)

    def sis(self) -> Sis:
        """The records as the tasks read them."""
        return Sis(**{("terms" if name == "academicSessions" else name): rows for name, rows in self.rows.items()})


Change = Callable[[Night], Any]

#: Whatever points at a record, or is to be of one human only: so a district stands beside its copies.
_OWN = (
    "sourced_id", "parent_id", "org_id", "org_ids", "role_org_ids", "term_ids", "course_id", "school_id", "class_id", "user_id",
    "agent_ids", "identifier", "email", "username", "given_name", "title", "name",
)  # fmt: skip


def marked(night: Night, mark: str) -> Night:
    """The same night in a copy of the district, whose ids and keys begin with a mark."""

    def own(column: str, cell: Any) -> Any:
        if isinstance(cell, list):
            return [one and mark + one for one in cell] if column in _OWN else cell
        return mark + cell if column in _OWN and isinstance(cell, str) and cell.strip() else cell

    def each(rows: list[Row]) -> list[Row]:
        return [{column: own(column, cell) for column, cell in row.items()} for row in rows]

    rows = {name: each(of_one) for name, of_one in night.rows.items()}
    unreadable = [(name, sourced_id and mark + sourced_id) for name, sourced_id in night.unreadable]
    return replace(night, rows=rows, unreadable=unreadable, by_hand=each(night.by_hand))


def side_by_side(nights: list[Night]) -> Night:
    """One night of several copies of the district, under the settings of the first and the terms that they all select."""
    terms = sorted({term for night in nights for term in night.settings["class_lists"]["terms"]})
    return Night(
        {name: [row for night in nights for row in night.rows[name]] for name in COLLECTIONS},
        nights[0].settings | {"class_lists": {"enabled": True, "terms": terms}},
        unreadable=[one for night in nights for one in night.unreadable],
        by_hand=[one for night in nights for one in night.by_hand],
    )


def clean() -> Night:
    """A district in which nothing is wrong: five schools, a year with four terms, five courses, six classes, six students with one
    parent, two teachers."""
    year = term("Y", type="schoolYear", start_date="2026-08-01", end_date="2027-06-30")
    later = {"parent_id": "Y", "start_date": "2027-01-04", "end_date": "2027-06-11"}
    course = {"status": "active", "title": "Algebra", "org_id": "S1", "grades": ["9"], "subjects": ["Math"]}
    rows = {
        "orgs": [school(f"S{one}") | {"parent_id": "S1" if one == 3 else None} for one in range(1, 6)],
        "academicSessions": [year, term("T1", parent_id="Y"), *(term(f"T{one}", **later) for one in (2, 3, 4))],
        "courses": [{"sourced_id": f"K{one}", **course} for one in range(1, 6)],
        "classes": [klass(f"C{one}", course_id="K1", grades=["09"]) for one in range(6)],
        "users": [
            user("u0", agent_ids=["p1"]),
            *(user(f"u{one}") for one in range(1, 6)),
            user("t1", "teacher"),
            user("t2", "teacher", ["S2"]),
            user("p1", "parent"),
        ],
        "enrollments": [
            *(enrollment(f"C{one}", f"u{two}") for one in range(6) for two in range(6)),
            *(enrollment(f"C{one}", "t1", "teacher") for one in range(6)),
        ],
    }
    settings = everything_on(
        include_primary_parent_contact=True,
        class_lists={"enabled": True, "terms": ["T1"]},
        auto_lists=dict.fromkeys(("role", "grade", "subject", "teacher"), True),
    )
    return Night(rows, settings)


def put(collection: str, which: str, /, **values: Any) -> Change:
    """Changes one record."""
    return lambda night: next(row for row in night.rows[collection] if row["sourced_id"] == which).update(values)


def every(collection: str, **values: Any) -> Change:
    """Changes every record."""
    return lambda night: [row.update(values) for row in night.rows[collection]]


def more(collection: str, *rows: Row) -> Change:
    """Adds records, copies of those given."""
    return lambda night: night.rows[collection].extend(dict(row) for row in rows)


def first(collection: str, row: Row) -> Change:
    """Adds a record before all others."""
    return lambda night: night.rows[collection].insert(0, dict(row))


def without(collection: str, *sourced_ids: str) -> Change:
    """Takes records out, all of them when none is named."""

    def change(night: Night) -> None:
        night.rows[collection] = [row for row in night.rows[collection] if sourced_ids and row["sourced_id"] not in sourced_ids]

    return change


def back(collection: str, *sourced_ids: str) -> Change:
    """Gives records back as they were, the whole collection when none is named."""

    def change(night: Night) -> None:
        was = clean().rows[collection]
        if not sourced_ids:
            night.rows[collection] = was
            return
        without(collection, *sourced_ids)(night)
        night.rows[collection].extend(row for row in was if row["sourced_id"] in sourced_ids)

    return change


def both(*changes: Change) -> Change:
    """One change after the other."""
    return lambda night: [change(night) for change in changes]


def settings(**values: Any) -> Change:
    """Other settings."""
    return lambda night: night.settings.update(values)


def conf(**values: Any) -> Change:
    """A run started by hand with this configuration."""
    return lambda night: night.conf.update(values)


def refused(collection: str) -> Change:
    """The SIS refuses a collection."""
    return both(without(collection), lambda night: night.proofs.update({collection: REFUSED}))


def shared(collection: str) -> Change:
    """The SIS gives a collection again."""
    return both(back(collection), lambda night: night.proofs.pop(collection, None))


def unreadable(collection: str, sourced_id: str) -> Change:
    """A record that cannot be read, beside those that can."""
    return lambda night: night.unreadable.append((collection, sourced_id))


def readable(collection: str) -> Change:
    """The same record, corrected."""
    return both(back(collection), lambda night: night.unreadable.clear())


def by_hand(row: Row) -> Change:
    """Somebody whom a person makes by hand before the night."""
    return lambda night: night.by_hand.append(dict(row))


def nothing(_: Night) -> None:
    """No change."""


@dataclass(frozen=True)
class Look:
    """What the directory has of one copy of the district; ids are told without its mark."""

    directory: Directory
    mark: str = ""

    def people(self, *columns: str) -> dict[str, Any]:
        """What there is in these columns (the status, if none is named) of the people whom the SIS knows, by sourcedId."""
        rows = self.directory.rows(
            f"select sourced_id, {', '.join(columns or ('status',))} from directory.people where starts_with(sourced_id, %s) order by 1",
            self.mark,
        )
        plain = [[self._plain(value) for value in row] for row in rows]
        return {own: values[0] if len(values) == 1 else values for own, *values in plain}

    def _plain(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._plain(one) for one in value]
        return value.removeprefix(self.mark) if isinstance(value, str) else value

    def lists(self, kind: str = "class") -> dict[str, tuple[str, list[str]]]:
        """The status of each list of a kind, and who is on it as member or, with a star, as manager, by the list's source."""
        rows = self.directory.rows(
            "select l.source_id, l.status, p.sourced_id, m.member_role = 'manager' from directory.user_lists as l"
            " left join directory.list_members as m using (list_id) left join directory.people as p using (person_id)"
            " where l.kind = %s and starts_with(l.source_id, %s) order by 1, 3",
            kind,
            self.mark,
        )
        cut, found = len(self.mark), dict[str, tuple[str, list[str]]]()
        for source, status, who, manages in rows:
            found.setdefault(source[cut:], (status, []))
            if who:
                found[source[cut:]][1].append(who[cut:] + "*" * manages)
        return found

    def state(self) -> dict[str, Any]:
        """Everything that downstream reads of this copy, but for timestamps: each person and list with what is said of them."""
        columns = (
            "sourced_ids", "role", "given_name", "family_name", "email", "username", "identifier", "grades", "school_ids",
            "parent_name", "parent_email", "include_in_sync", "status",
        )  # fmt: skip
        lists = self.directory.rows(
            "select l.list_id, l.kind, l.source_id, l.name, l.status, l.term_ids, l.grades,"
            " array_agg(m.person_id::text || m.member_role order by m.person_id, m.member_role)"
            " from directory.user_lists as l left join directory.list_members as m using (list_id)"
            " where starts_with(l.school_id, %s) group by l.list_id",
            self.mark,
        )
        return self.people(*columns) | {f"list {number}": row for number, *row in lists}


STUDENTS = [f"u{one}" for one in range(6)]
EVERYBODY = dict.fromkeys(sorted([*STUDENTS, "t1", "t2"]), "active")
C0 = [*sorted([*STUDENTS, "t1*"])]
ON = {"enabled": True, "terms": ["T1"]}
OF_CLASSES = tuple(f"C{one}" for one in range(6))


def gone(who: str) -> dict[str, str]:
    """How everybody stands when one person is archived."""
    return EVERYBODY | {who: "archived"}


@dataclass(frozen=True)
class Cure:
    """A rule, words of its printed cure, what breaks the rule, what the words tell to do, and how the directory stands after it.

    ``after`` is None where it is to stand exactly as before the fault. ``night``: with whom it shares the nights and the one copy of
    the district; without a name it has a copy of its own beside those of others. ``first`` is what the district was like from its
    first night on. ``runs``: the function of the directory, of those that the printed cure names, that is run as it is printed,
    before what ``mend`` does. ``state`` is what the run of the cure ends as.
    """

    rule: str
    words: str
    fault: Change
    mend: Change
    after: Callable[[Look], bool] | None = None
    night: str = ""
    first: Change = nothing
    runs: str = ""
    state: str = "success"

    @property
    def name(self) -> str:
        """What the test is called."""
        return f"{self.rule}: {self.words}"


def record(collection: str, sourced_id: str, /, **values: Any) -> Row:
    """A record as it is in the clean district, with other values where they are given."""
    return next(row for row in clean().rows[collection] if row["sourced_id"] == sourced_id) | values
