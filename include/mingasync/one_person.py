"""One person in what the runs read: which records are theirs, and the end of them.

A record is theirs when it bears one of their sourcedIds, or when its name and a key say so. A sourcedId that somebody else has by
now, and a record that somebody else answers to, are theirs only where name and key agree and the other was never called so.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.mingasync.errors import SnapshotUnusable
from include.mingasync.oneroster.columnar import only_parents
from include.mingasync.rosters.identity import KEYS, folded

if TYPE_CHECKING:
    from include.mingasync.snapshot import Proof, Snapshot

#: Everything was read so long ago that a night that asks only for changes has to read everything again.
_LONG_AGO = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
#: What stands in place of an id in a sentence that tells of others as well.
GONE = "…"


@dataclass(frozen=True)
class Someone:
    """One person by all that is kept of them: values that they have, had, or were to get.

    ``sourced_ids`` are theirs; so are ``addresses`` and ``own_names``, which nobody else has. ``others``: sourcedIds of
    records that may be theirs and that other people of the directory have by now, with the given and family names that these
    have, had, or were to get. ``shared_signatures``: usernames and full names (lower-case) that somebody else may sign with.
    """

    district: str
    person_id: int
    role: str
    sourced_ids: frozenset[str] = frozenset()
    given_names: frozenset[str] = frozenset()
    family_names: frozenset[str] = frozenset()
    keys: Mapping[str, frozenset[str]] = field(default_factory=dict)
    addresses: frozenset[str] = frozenset()
    shared_signatures: frozenset[str] = frozenset()
    own_names: frozenset[str] = frozenset()
    others: Mapping[str, tuple[frozenset[str], frozenset[str]]] = field(default_factory=dict)

    @property
    def full_names(self) -> frozenset[str]:
        """Every given name with every family name."""
        return frozenset(f"{given} {family}" for given in self.given_names for family in self.family_names)

    @property
    def signatures(self) -> list[str]:
        """How they would be named, lower-case, where it is kept who did something; students do nothing here."""
        if self.role == "student":
            return []
        return sorted({*self.addresses, *self.named_as} - self.shared_signatures)

    @property
    def named_as(self) -> frozenset[str]:
        """Their usernames and full names, lower-case."""
        return frozenset(self.keys.get("username", ())) | {name.lower() for name in self.full_names}

    def is_meant(self, record: Mapping[str, Any]) -> bool:
        """Whether a record of the SIS is theirs by what it says."""
        sourced_id = record["sourced_id"] or ""
        if sourced_id in self.sourced_ids:
            return True
        given, family = folded(record["given_name"] or ""), folded(record["family_name"] or "")
        named = {folded(record["preferred_given_name"] or ""), given} & {folded(name) for name in self.given_names} - {""}
        if not named or family not in {folded(name) for name in self.family_names} - {""}:
            return False
        if not any((record[key] or "").strip().lower() in self.keys.get(key, ()) for key in KEYS):
            return False
        if sourced_id not in self.others:
            return True
        other_given, other_family = (set(map(folded, names)) for names in self.others[sourced_id])
        own_given = {given, folded(record["preferred_given_name"] or "")} - {""}
        return not (own_given & other_given and family in other_family)


@contextmanager
def reading() -> Iterator[None]:
    """Raises SnapshotUnusable for a file that cannot be decoded, too. For what reads and does nothing else."""
    try:
        yield
    except (pa.ArrowInvalid, msgspec.DecodeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise SnapshotUnusable(f"1 file of the snapshot cannot be decoded ({type(error).__name__}).") from None


def called_in(snapshot: Snapshot, someone: Someone) -> Someone:
    """The person with the names, keys and role that their records in a snapshot have."""
    try:
        with reading():
            users = snapshot.table("users", ["sourced_id", "given_name", "family_name", "preferred_given_name", "roles", *KEYS])
    except SnapshotUnusable:
        return someone
    said: dict[str, set[str]] = {}
    for record in users.filter(_are_in(users, "sourced_id", someone.sourced_ids)).to_pylist():
        said.setdefault("role", set()).update(one.strip().lower() for one in record.pop("roles") or () if one)
        for name, value in record.items():
            if value and value.strip():
                said.setdefault(name, set()).add(value.strip())
    # Who was anything but a student in one of them is none: a class may bear their name, and somebody may write to them.
    other_roles = sorted(said.get("role", set()) - {"student"})
    return replace(
        someone,
        role=other_roles[0] if other_roles and someone.role == "student" else someone.role,
        given_names=someone.given_names | said.get("given_name", set()) | said.get("preferred_given_name", set()),
        family_names=someone.family_names | said.get("family_name", set()),
        keys={key: someone.keys.get(key, frozenset()) | {one.lower() for one in said.get(key, ())} for key in KEYS},
    )


@dataclass(frozen=True)
class Records:
    """What a snapshot holds of one person: rows of users and of enrollments."""

    users: list[dict[str, Any]]
    enrollments: list[dict[str, Any]]


def records_of(snapshot: Snapshot, someone: Someone) -> Records:
    """The records of one person in a snapshot; raises SnapshotUnusable where it cannot be read."""
    with reading():
        users, enrollments = snapshot.table("users"), snapshot.table("enrollments")
    own = users.filter(pa.array(_theirs(users, someone)))
    ids = {*own.column("sourced_id").to_pylist(), *someone.sourced_ids}
    return Records(own.to_pylist(), enrollments.filter(_are_in(enrollments, "user_id", ids)).to_pylist())


def ids_in(snapshot: Snapshot, someone: Someone) -> set[str]:
    """The sourcedIds of the records in a snapshot that may be theirs; none where it cannot be read."""
    try:
        with reading():
            users = snapshot.table("users", ["sourced_id", "given_name", "family_name", "preferred_given_name", "roles", *KEYS])
    except SnapshotUnusable:
        return set()
    return set(filter(None, users.filter(pa.array(_theirs(users, someone))).column("sourced_id").to_pylist()))


def _are_in(table: pa.Table, column: str, values: Iterable[str | None]) -> pa.ChunkedArray:
    wanted = pa.array(sorted(filter(None, values)), pa.string())
    return pc.fill_null(pc.is_in(table.column(column).cast(pa.string()), wanted), False)


def _theirs(users: pa.Table, someone: Someone) -> np.ndarray:
    """Which users are theirs. Only those that have an id or a key of theirs become Python objects."""
    found = np.asarray(_are_in(users, "sourced_id", {*someone.sourced_ids, *someone.others}))
    for key in KEYS:
        if values := someone.keys.get(key):
            lower = pc.utf8_lower(pc.utf8_trim_whitespace(users.column(key)))
            found = found | np.asarray(pc.fill_null(pc.is_in(lower, pa.array(sorted(values))), False))
    if someone.role == "student":  # a parent of theirs may have their name and the family's address
        found = found & ~(
            np.asarray(only_parents(users.column("roles"))) & ~np.asarray(_are_in(users, "sourced_id", someone.sourced_ids))
        )
    at = np.flatnonzero(found)
    meant = [someone.is_meant(record) for record in users.take(pa.array(at)).to_pylist()]
    found[at] = meant
    return found


@dataclass(frozen=True)
class Without:
    """A snapshot as it is without one person: the collections that change, and all that was made from them.

    ``ids``: the sourcedIds of the users that go, their parents' among them; ``enrollments``: those of the enrollments.
    """

    collections: Mapping[str, tuple[Proof, pa.Table]]
    unreadable: Mapping[str, list[tuple[str, str, str]]]
    tables: Mapping[str, pa.Table]
    documents: Mapping[str, Any]
    ids: frozenset[str]
    enrollments: frozenset[str]

    def digests(self, snapshot: Snapshot) -> dict[str, str]:
        """The digest of each collection that changes, as it will be."""
        return {name: snapshot.digest_of(name, rows) for name, (_, rows) in self.collections.items()}

    def keep(self, snapshot: Snapshot) -> None:
        """Put all of it in place of what the snapshot holds."""
        snapshot.rewrite(self.collections, self.tables, self.documents)
        for name, rows in self.unreadable.items():
            snapshot.keep_unreadable(name, rows)


def without(snapshot: Snapshot, someone: Someone) -> Without | None:
    """What a snapshot is without one person, None where it holds nothing of them.

    Raises SnapshotUnusable for one of a newer version, and for one of which a file is not the one that was proven.
    """
    with reading():
        proofs = snapshot.proofs()
        users, enrollments = snapshot.table("users"), snapshot.table("enrollments")
        made, told = snapshot.made()
        undecoded = {name: snapshot.unreadable(name) for name in ("users", "enrollments")}
    theirs = _theirs(users, someone)
    ids = {*users.filter(pa.array(theirs)).column("sourced_id").to_pylist(), *someone.sourced_ids} - {None}
    carried = made.get("derived_carried_users")
    if carried is not None:
        carried = carried.filter(pc.invert(_are_in(carried, "sourced_id", ids)))
    left = _without_links(_without_parents(users, theirs, carried), ids)
    parents = set(users.column("sourced_id").to_pylist()) - set(left.column("sourced_id").to_pylist()) - ids
    of_them = _are_in(enrollments, "user_id", ids)
    gone_enrollments = set(enrollments.filter(of_them).column("sourced_id").to_pylist()) - {None}
    rows = {"users": left, "enrollments": enrollments.filter(pc.invert(of_them))}
    before = {"users": users, "enrollments": enrollments}
    said = _Said(
        frozenset({*ids, *parents}), frozenset(gone_enrollments), someone, _contacts(users.filter(pa.array(theirs)), someone)
    )
    changed = {
        name: (said.proof(proofs[name]), rows[name]) for name in rows if name in proofs and not rows[name].equals(before[name])
    }
    unreadable = {}
    for name, frame in undecoded.items():
        every = [tuple(row) for row in frame.itertuples(index=False, name=None)]
        kept = [row for row in every if row[1] not in said.gone(name)]
        if len(kept) != len(every):
            unreadable[name] = kept
    tables = said.tables(made)
    documents = {name: said.document(name, content) for name, content in told.items()}
    is_same = documents == told and all(table.equals(made[name]) for name, table in tables.items())
    if is_same and not changed and not unreadable:
        return None
    return Without(changed, unreadable, tables, documents, said.users, said.enrollments)


def _without_parents(users: pa.Table, theirs: np.ndarray, carried: pa.Table | None) -> pa.Table:
    """The users without somebody, and without the parents who are only theirs."""
    left, gone = users.filter(pa.array(~theirs)), users.filter(pa.array(theirs))
    needed = _flat(left, "agent_ids") | (_flat(carried, "agent_ids") if carried is not None else set())
    alone = _flat(gone, "agent_ids") - needed
    if not alone:
        return left
    is_alone = np.asarray(_are_in(left, "sourced_id", alone)) & np.asarray(only_parents(left.column("roles")))
    return left.filter(pa.array(~is_alone))


def _flat(table: pa.Table, column: str) -> set[str]:
    return {one for own in table.column(column).to_pylist() for one in own or ()}


def _without_links(users: pa.Table, ids: set[str]) -> pa.Table:
    """The users without what points at somebody as a contact."""
    links = users.column("agent_ids").to_pylist()
    if not any(ids.intersection(own or ()) for own in links):
        return users
    place = users.schema.get_field_index("agent_ids")
    cut = pa.array([own and [one for one in own if one not in ids] for own in links], users.schema.field(place).type)
    return users.set_column(place, users.schema.field(place), cut)


def finish(snapshot: Snapshot, someone_ids: Iterable[str], announced: Mapping[str, str]) -> None:
    """Prove what was rewritten without somebody, where whoever did was killed before: the digest was announced first.

    ``announced``: the digest of each collection. What cannot be read is left as it is.
    """
    try:
        with reading():
            for name, proof in snapshot.proofs().items():
                if name in announced and announced[name] != proof.sha256:
                    reason = without_ids(proof.reason, someone_ids) if proof.reason else proof.reason
                    snapshot.finish_rewriting(
                        msgspec.structs.replace(proof, sha256=announced[name], reason=reason, whole_at=_LONG_AGO)
                    )
    except SnapshotUnusable:
        return


@dataclass(frozen=True)
class _Contacts:
    """How somebody is told as the contact of students, lower-case; an address may be blank."""

    names: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()

    def cleared_from(self, people: pa.Table) -> pa.Table:
        """The people without this contact."""
        if not self.names or "parent_name" not in people.column_names:
            return people
        name, address = (_plain(people, column) for column in ("parent_name", "parent_email"))
        is_theirs = pc.and_(
            pc.is_in(name, pa.array(sorted(self.names), pa.string())),
            pc.is_in(address, pa.array(sorted(self.addresses), pa.string())),
        )
        if not pc.any(is_theirs).as_py():
            return people
        for column in ("parent_name", "parent_email", "parent_phone"):
            place, own = people.schema.get_field_index(column), people.column(column)
            cleared = pc.if_else(is_theirs, pa.scalar(None, own.type), own)
            people = people.set_column(place, people.schema.field(place), cleared)
        return people


def _contacts(records: pa.Table, someone: Someone) -> _Contacts:
    """How these records of somebody are told as contacts; a student is none, and may be called as a parent is."""
    if someone.role == "student":
        return _Contacts()
    given, preferred, family, address = (
        _plain(records, column).to_pylist() for column in ("given_name", "preferred_given_name", "family_name", "email")
    )
    every = zip(given, preferred, family, strict=True)
    names = {f"{first} {last}".strip() for *firsts, last in every for first in firsts if first}
    return _Contacts(frozenset(names), frozenset({*address, ""}))


def _plain(table: pa.Table, column: str) -> pa.ChunkedArray:
    return pc.fill_null(pc.utf8_lower(pc.utf8_trim_whitespace(table.column(column).cast(pa.string()))), "")


@dataclass(frozen=True)
class _Said:
    """What goes of all that a night made of its snapshot."""

    users: frozenset[str]
    enrollments: frozenset[str]
    someone: Someone
    contacts: _Contacts

    def gone(self, collection: str) -> frozenset[str]:
        """The sourcedIds of a collection that go."""
        return {"users": self.users, "enrollments": self.enrollments}.get(collection, frozenset())

    def proof(self, proof: Proof) -> Proof:
        """The proof of a collection that changes: everything has to be read again before a night may ask only for changes."""
        reason = without_ids(proof.reason, self.gone(proof.collection)) if proof.reason else proof.reason
        return msgspec.structs.replace(proof, reason=reason, whole_at=_LONG_AGO)

    def tables(self, made: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
        """The derived tables; people are numbered in them (n), and lists (k)."""
        n = self._numbers(made.get("derived_people"))
        k = self._lists_of(made.get("derived_lists"), n)
        return {name: self._table(name, table, n, k) for name, table in made.items()}

    def _numbers(self, people: pa.Table | None) -> list[int]:
        if people is None:
            return []
        own = [bool(self.users.intersection(ids or ())) for ids in people.column("sourced_ids").to_pylist()]
        return [int(n) for n in people.filter(pa.array(own, pa.bool_())).column("n").to_pylist()]

    def _lists_of(self, lists: pa.Table | None, n: list[int]) -> list[int]:
        """The lists that bear their name because they are theirs."""
        if lists is None:
            return []
        own = pc.and_(
            pc.equal(lists.column("kind"), "teacher"),
            pc.or_(_are(lists, "owner_n", n), _are_in(lists, "source_id", self.users)),
        )
        return [int(k) for k in lists.filter(pc.fill_null(own, False)).column("k").to_pylist()]

    def _table(self, name: str, table: pa.Table, n: list[int], k: list[int]) -> pa.Table:
        goes = np.zeros(table.num_rows, dtype=bool)
        if name == "derived_carried_users":
            goes |= np.asarray(_are_in(table, "sourced_id", self.users))
        elif name == "derived_carried_enrollments":
            goes |= np.asarray(_are_in(table, "user_id", self.users))
        elif name in ("set_aside", "derived_set_aside"):
            for collection in ("users", "enrollments"):
                own = pc.and_(pc.equal(table.column("resource"), collection), _are_in(table, "sourced_id", self.gone(collection)))
                goes |= np.asarray(pc.fill_null(own, False))
        elif name in ("derived_gone", "derived_waiting"):
            goes |= np.asarray(_are_in(table, "sourced_id", self.users))
        elif name == "derived_kept":
            goes |= np.asarray(_are_in(table, "user_id", self.users))
        elif name == "derived_people":
            goes |= np.asarray(_are(table, "n", n))
            table = self.contacts.cleared_from(table)
        elif name in ("derived_members", "derived_unread"):
            goes |= np.asarray(_are(table, "n", n)) | np.asarray(_are(table, "k", k))
        elif name == "derived_lists":
            goes |= np.asarray(_are(table, "k", k))
            table = self._unnamed(table, n)
        return table.filter(pa.array(~goes)) if goes.any() else table

    def _unnamed(self, lists: pa.Table, n: list[int]) -> pa.Table:
        """The lists without the teacher's name in theirs."""
        if not {"teacher_n", "parts"} <= set(lists.column_names) or not any(_are(lists, "teacher_n", n).to_pylist()):
            return lists
        rows = lists.to_pylist()
        for row in rows:
            if row["teacher_n"] in n:
                row["teacher_n"] = None
                row["name"] = without_names(row["name"], self.someone.family_names)
                row["parts"] = ["" if part in self.someone.family_names else part for part in row["parts"] or []]
        return pa.Table.from_pylist(rows, schema=lists.schema)

    def document(self, name: str, content: Any) -> Any:
        """A derived document: the ids of records that nobody can tell what they were, and the settings that the night had."""
        if name == "derived" and isinstance(content, dict) and isinstance(content.get("unknown"), dict):
            unknown = {one: [i for i in ids if i not in self.gone(one)] for one, ids in content["unknown"].items()}
            return content | {"unknown": {one: ids for one, ids in unknown.items() if ids}}
        if name == "derived_with":
            return without_recipient(content, self.someone.addresses)
        return content


def _are(table: pa.Table, column: str, numbers: list[int]) -> pa.ChunkedArray:
    if column not in table.column_names:
        return pa.chunked_array([pa.array([False] * table.num_rows, pa.bool_())])
    return pc.fill_null(pc.is_in(table.column(column).cast(pa.int64()), pa.array(numbers, pa.int64())), False)


def without_names(name: str, family_names: Iterable[str]) -> str:
    """The name of a list without a teacher's family name behind it."""
    for family in sorted(family_names, key=len, reverse=True):
        name = re.sub(rf" · {re.escape(family)}(?= · |$)", "", name)
    return name


def without_ids(text: str, ids: Iterable[str]) -> str:
    """A sentence without ids among the examples in its brackets."""
    for one in ids:
        text = re.sub(rf"(?<=[(,] ){re.escape(one)}(?=[,)]| …)|(?<=\(){re.escape(one)}(?=[,)]| …)", GONE, text)
    return text


def without_recipient(settings: Any, emails: Iterable[str]) -> Any:
    """Settings of which none of these addresses (lower-case) gets the results mail."""
    if not isinstance(settings, dict):
        return settings
    gone = set(emails)

    def cut(own: Any) -> Any:
        if not isinstance(own, dict):
            return own
        mail = own.get("results_email")
        if not isinstance(mail, dict) or not isinstance(mail.get("recipients"), list):
            return own
        left = [one for one in mail["recipients"] if str(one).strip().lower() not in gone]
        return own | {"results_email": mail | {"recipients": left}}

    settings = cut(settings)
    if isinstance(settings.get("schools"), dict):
        settings = settings | {"schools": {school: cut(own) for school, own in settings["schools"].items()}}
    return settings
