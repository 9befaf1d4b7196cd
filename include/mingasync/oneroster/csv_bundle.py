"""Reading one collection from a OneRoster CSV bundle, 1.1 or 1.2, bulk or delta (CSV binding 1.1 and 1.2)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from include.mingasync.errors import SnapshotUnusable, SourceError
from include.mingasync.oneroster.access import Access
from include.mingasync.oneroster.csv_columns import layout
from include.mingasync.oneroster.csv_files import Files, open_bundle
from include.mingasync.oneroster.decode import Row, table_of, text, without_parents
from include.mingasync.oneroster.merging import apply_changes, change_roles, set_roles, still_unreadable, without
from include.mingasync.oneroster.records import COLUMNS
from include.mingasync.oneroster.values import fit
from include.mingasync.snapshot import Snapshot

_ROWS_AT_A_TIME = 20_000
#: From so many columns on, a line with as many commas is a row and no prose.
_TELLING = 3
_LINE_END = re.compile(r"\r\n|\r|\n")
_BULK = frozenset({"bulk", "full", ""})

#: A role as REST sends it, from the fields of a row of roles.csv.
_ROLE = {
    "role": "role", "roleType": "type", "org": "org", "beginDate": "begin_date", "endDate": "end_date", "idInFile": "sourced_id",
}  # fmt: skip

Roles = dict[str, list[dict[str, Any]]]


@dataclass
class Reading:
    """What was counted while a file was read: parents left out, rows set aside."""

    left_out: int = 0
    unreadable: list[tuple[str, str, str]] = field(default_factory=list)
    nameless_before: int = 0
    absent: str | None = None
    doubt: str | None = None
    delta: bool = False

    def set_aside(self, collection: str, sourced_id: str | None, reason: str) -> None:
        """Note a row that could not be read."""
        self.unreadable.append((collection, sourced_id or "", reason))


def tables(collection: str, access: Access, reading: Reading, *, parents: bool, previous: Snapshot | None) -> Iterator[pa.Table]:
    """The tables of a collection, of one bundle, as they are read; ``reading`` says afterwards how it went.

    Raises SourceError for a bundle that cannot be read, a required column that is gone, or a delta with
    nothing to apply it to.
    """
    with open_bundle(access) as files:
        modes = _modes(files)
        mode = _mode(collection, files, modes, reading)
        if reading.absent and "delta" in modes.values() and not _was_absent(collection, previous):
            # A delta bundle leaves out the files in which nothing changed.
            mode, reading.absent = "delta", None
        if reading.absent:
            return
        if mode == "delta":
            reading.delta = True
            yield _delta(collection, files, modes, reading, parents=parents, previous=previous)
            return
        roles = _roles(files, modes, reading) if collection == "users" else None
        if roles is not None and modes.get("roles") == "delta":
            raise SourceError(
                "1 file is not whole: the bundle holds every user, but only the changes of their roles (roles.csv is delta). "
                "Export both files in full, or both as delta. Nothing was changed."
            )
        if roles is not None:
            _mode("roles", files, modes, reading)
            roles = _standing(roles)
        for rows in _chunks(_rows(collection, files, reading, roles, _EnrollmentIds())):
            table, left_out = table_of(rows, collection, parents=parents)
            reading.left_out += left_out
            yield _fit(collection, table, reading)


def _fit(collection: str, table: pa.Table, reading: Reading) -> pa.Table:
    """The rows that have a sourcedId which can be kept; what else cannot be kept is noted."""
    table, odd = fit(collection, table)
    reading.unreadable += odd
    return table.filter(table.column("sourced_id").is_valid()) if odd else table


def _was_absent(collection: str, previous: Snapshot | None) -> bool:
    proof = previous.proofs().get(collection) if previous else None
    return proof is not None and proof.state == "absent"


def first_rows(collection: str, access: Access, reading: Reading) -> list[Row]:
    """A few rows of a collection, to see that its file is there and has the columns; may raise as tables."""
    with open_bundle(access) as files:
        _mode(collection, files, _modes(files), reading)
        if reading.absent:
            return []
        roles = _roles(files, _modes(files), reading) if collection == "users" else None
        roles = None if roles is None else _standing(roles)
        return list(islice(_rows(collection, files, reading, roles, _EnrollmentIds()), 100))


def _modes(files: Files) -> dict[str, str]:
    """What the manifest says of each file, both in lower case; empty when there is no manifest."""
    if "manifest" not in files:
        return {}
    pairs = (row[:2] for row in files.rows("manifest") if len(row) > 1)
    return {
        name.strip().casefold().removeprefix("file."): value.strip().casefold()
        for name, value in pairs
        if name.strip().casefold().startswith("file.")
    }


def _mode(file: str, files: Files, modes: dict[str, str], reading: Reading) -> str:
    said = modes.get(file.casefold(), "")
    if said == "absent" or file not in files:
        if said not in ("absent", ""):
            raise SourceError(
                f"1 file is missing: the bundle's manifest announces {file}.csv, and it is not there. "
                "The export was probably cut short; export it again. Nothing was changed."
            )
        reading.absent = "absent in the bundle's manifest" if said == "absent" else "not in the bundle"
    elif said == "delta":
        return "delta"
    elif said not in _BULK or (not said and "delta" in modes.values()):
        reading.doubt = f"the bundle's manifest does not say whether {file}.csv is whole (neither bulk, delta nor absent)"
    return "bulk"


def _rows(collection: str, files: Files, reading: Reading, roles: Roles | None, enrollment_ids: _EnrollmentIds) -> Iterator[Row]:
    for values in _values(collection, files, reading):
        sourced_id = values.get("sourced_id")
        if collection == "enrollments" and not sourced_id:
            sourced_id = values["sourced_id"] = enrollment_ids.of(values)
        if not sourced_id:
            reading.set_aside(collection, None, "it has no sourcedId")
            continue
        row = Row(**values)
        if roles is not None:
            row.roles, row.role = roles.get(sourced_id, []), None
        yield row


def _values(file: str, files: Files, reading: Reading) -> Iterator[dict[str, Any]]:
    rows = files.rows(file)
    header = next(rows, None)
    if header is None:
        raise SourceError(f"1 file is empty: {file}.csv has not even a header. Export the bundle again. Nothing was changed.")
    where = layout(file, header, month_first=lambda: files.month_first)
    for cells, is_last in _with_last(rows):
        values = where.read(cells)
        if is_last and len(cells) < len(header) and files.is_open_ended(file):
            # An upload that is going on, or broke off. What stands in the last cell may be the half of it.
            reading.doubt = f"{file}.csv ends in the middle of a row, so its upload was not finished and rows are missing"
            named = values.get("sourced_id") if where.places.get("sourced_id", len(cells)) < len(cells) - 1 else None
            reading.set_aside(file, named, "the file ends in the middle of it")
            continue
        if _swallows(cells, len(header)):
            # A quote that is not closed makes one cell of the rows after it.
            reading.doubt = f"a quote in {file}.csv is not closed, so rows after it are missing"
            named = values.get("sourced_id") if where.places.get("sourced_id") == 0 else None
            reading.set_aside(file, named, "a quote in it is not closed, and other rows lie inside of it")
            continue
        if any(cell.strip() for cell in cells[where.width :]):
            # Which cell is one too many is not known: a sourcedId is believed only where nothing stands before it.
            named = values.get("sourced_id") if where.places.get("sourced_id") == 0 else None
            reading.set_aside(file, named, f"it has {len(cells)} cells under {where.width} headers")
            continue
        yield values


def _with_last(rows: Iterator[list[str]]) -> Iterator[tuple[list[str], bool]]:
    """Each row, and whether it is the last one."""
    held = next(rows, None)
    for row in rows:
        assert held is not None, "a row comes after the first"
        yield held, False
        held = row
    if held is not None:
        yield held, True


def _swallows(cells: list[str], width: int) -> bool:
    """Whether a cell holds another row of the file, whole or as far as the quote that ends it."""
    text = "".join(cells)
    if width < _TELLING or ("\n" not in text and "\r" not in text):
        return False
    for place, cell in enumerate(cells):
        first, *others = _LINE_END.split(cell)
        *whole, broken = others or [""]
        # What comes before the quote and the first line are a row, as are the last line and the cells behind it.
        of_this, of_that = place + first.count(","), broken.count(",") + len(cells) - 1 - place
        if any(line.count(",") >= width - 1 for line in whole) or (broken and min(of_this, of_that) >= width - 1):
            return True
    return False


@dataclass
class _EnrollmentIds:
    """Names for the enrollments of one file that have no sourcedId; ``known`` are those of the snapshot that a delta changes."""

    known: Set[str] = frozenset()
    given: dict[str, str | None] = field(default_factory=dict)

    def of(self, values: dict[str, Any]) -> str | None:
        """Class, user and role; with the day of its begin for whoever left and came back, so that both enrollments count.

        None where one of the three is missing. An enrollment that was named with its day keeps that name.
        """
        parts = [values.get(name) for name in ("class_", "user", "role")]
        if not all(parts):
            return None
        plain, begin = ":".join(map(str, parts)), values.get("begin_date")
        dated = f"{plain}:{begin}"
        if begin and (dated in self.known or self.given.get(plain, begin) != begin):
            return dated
        self.given.setdefault(plain, begin)
        return plain


def _roles(files: Files, modes: dict[str, str], reading: Reading) -> Roles | None:
    """The roles of every user in roles.csv (1.2), None where the bundle has users of 1.1."""
    if "roles" not in files or modes.get("roles") == "absent":
        header = {cell.strip().casefold() for cell in next(files.rows("users"), [])}
        if header and "role" not in header and modes.get("roles") == "absent" and modes.get("users") == "delta":
            return {}  # changes of users of 1.2 among which no role changed
        if header and "role" not in header:
            raise SourceError(
                "1 required column is gone: users.csv has no column 'role' (1.1), and there is no "
                "roles.csv (1.2). "
                "Export the bundle again with one of them. Nothing was changed."
            )
        return None
    roles: Roles = defaultdict(list)
    own, nobodys = Reading(), 0
    for values in _values("roles", files, own):
        if not values.get("user"):
            nobodys += 1
        else:
            one = {name: values.get(field) for name, field in _ROLE.items()}
            roles[values["user"]].append(one | {"status": (values.get("status") or "active").casefold()})
    if lost := nobodys + len(own.unreadable):
        reading.doubt = f"{lost} rows of roles.csv could not be read, so whose roles are missing is not known"
    return roles


def _standing(roles: Roles) -> Roles:
    """The roles of a roles.csv that is whole: those that are not to be deleted."""
    return {user: [one for one in own if one["status"] != "tobedeleted"] for user, own in roles.items()}


def _with_roles(users: pa.Table, roles: Roles, files: Files, modes: dict[str, str], reading: Reading) -> pa.Table:
    """The users of a delta with the roles of its roles.csv, which may itself be whole."""
    if not roles:
        return users
    if _mode("roles", files, modes, reading) == "bulk" and modes.get("roles"):
        return set_roles(users, _standing(roles))
    users, open_ones = change_roles(users, roles)
    if open_ones:
        reading.doubt = (
            f"{open_ones} rows of roles.csv may change roles of which the last snapshot does not say which ones they are, so the "
            "bundle has to be exported in full once"
        )
    return users


def _undisputed(collection: str, changes: pa.Table, reading: Reading) -> pa.Table:
    """The changes, each record once; of those that say different things of one record none counts, and it is set aside."""
    if len(pc.unique(changes.column("sourced_id"))) == changes.num_rows:
        return changes
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in changes.to_pylist():
        rows[row["sourced_id"]].append(row)
    for sourced_id, own in rows.items():
        if any(one != own[0] for one in own):
            reading.set_aside(collection, sourced_id, f"the bundle has {len(own)} changes of it that say different things")
    kept = [own[0] for own in rows.values() if all(one == own[0] for one in own)]
    return pa.Table.from_pylist(kept, schema=changes.schema)


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    them = iter(rows)
    while chunk := list(islice(them, _ROWS_AT_A_TIME)):
        yield chunk


def _delta(
    collection: str,
    files: Files,
    modes: dict[str, str],
    reading: Reading,
    *,
    parents: bool,
    previous: Snapshot | None,
) -> pa.Table:
    """The collection as it stands after the bundle's changes to the last snapshot."""
    proof = previous.proofs().get(collection) if previous else None
    if previous is None or proof is None or proof.state == "absent":
        raise SourceError(
            f"The bundle holds only the changes of {collection} (delta), and no earlier snapshot is "
            "there to change. "
            "A bulk bundle is needed first: export one in full. Nothing was changed."
        )
    if proof.state == "incomplete":
        reading.doubt = "the snapshot that the delta bundle changes was itself incomplete"
    # Rows that had no sourcedId when everything was read are still somebody's, and are not in the snapshot.
    reading.nameless_before = proof.nameless
    roles = _roles(files, modes, reading) if collection == "users" else None
    try:
        base = previous.table(collection)
    except SnapshotUnusable:
        raise SourceError(
            f"The bundle holds only the changes of {collection} (delta), and the snapshot that they change is spoilt. "
            "Export the bundle in full once. Nothing was changed."
        ) from None
    ids = _EnrollmentIds(set(base.column("sourced_id").to_pylist()) if collection == "enrollments" else frozenset())
    changed = list(_rows(collection, files, reading, None if roles is None else {}, ids)) if collection in files else []
    changes, reading.left_out = table_of(changed, collection, parents=parents)
    if reading.left_out:  # Whoever is only a parent by now is not what the snapshot before says.
        base = without(base, {text(row.sourced_id) or "" for row in changed}.difference(changes.column("sourced_id").to_pylist()))
    changes = _undisputed(collection, _fit(collection, changes, reading), reading)
    keep = {"org_ids", *(name for name in COLUMNS["users"].names if name.startswith("role"))} if roles is not None else set()
    after = apply_changes(base, changes, keep=keep)
    if roles is not None:
        after = _with_roles(after, roles, files, modes, reading)
        if not parents:
            every, after = after.num_rows, without_parents(after)
            reading.left_out += every - after.num_rows
    again = {sourced_id for _, sourced_id, _ in reading.unreadable}
    reading.unreadable += [row for row in still_unreadable(previous, collection, changes) if row[1] not in again]
    return after.cast(COLUMNS[collection])
