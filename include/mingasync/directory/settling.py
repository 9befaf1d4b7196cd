"""Settling: who of the snapshot is what they were last night, and so need not be looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc

from include.mingasync.directory.copying import copy_table, read_numbers
from include.mingasync.rosters.identity import KEYS, shared_keys
from include.mingasync.settings import Settings

_SQL = Path(__file__).parent / "sql" / "12_settle.sql"


def settle(
    cursor: psycopg.Cursor[Any], district: str, people: pa.Table, settings: Settings, *, contacts_rest: bool = False
) -> pa.Table:
    """The people to be looked at, as they are to be staged in s_people, with the digest that stands for them; the others
    are in s_settled.

    A person is settled while their row came from a record with the same digest and nobody changed the row since; the
    database forgets the digest of a row that is changed. ``contacts_rest``: the parents' contacts did not come, and whoever has
    one keeps it.
    """
    if "digest" not in people.column_names:  # a snapshot kept by an older version
        return people
    digest = _digests(people, settings, contacts_rest) if people.num_rows else pa.array([], pa.int64())
    people = people.drop_columns(["digest", "digest_with_parent"]).append_column("digest", digest)
    known = cursor.execute(
        "select exists (select from directory.people where district = %s and digest is not null)", (district,)
    ).fetchone()
    if known == (False,):
        return people
    copy_table(cursor, "s_digests", people.select(["n", "digest"]))
    cursor.execute(_SQL.read_bytes(), {"district": district})
    (settled,) = read_numbers(cursor.connection, "s_settled", ("n",))
    return people.filter(pc.invert(pc.is_in(people.column("n"), pa.array(settled, people.schema.field("n").type))))


def stage_shared(cursor: psycopg.Cursor[Any], people: pa.Table) -> None:
    """Stage the values that several of the snapshot's people share and that so identify nobody; settled people bear them too."""
    names = ["role", *KEYS, "given_name", "family_name", "preferred_given_name"]
    candidates = people.select(names).filter(_may_share(people))
    copy_table(cursor, "s_shared", pa.Table.from_pandas(shared_keys(candidates.to_pandas()), preserve_index=False))


def _may_share(people: pa.Table) -> pa.Array:
    """Per person whether one of their keys may be somebody else's too: the others, nearly all, need no closer look.

    Letters beyond ASCII have more than one way to become small, so whoever has such a key is looked at in any case.
    """
    may = pa.array(np.zeros(people.num_rows, dtype=bool))
    for key in KEYS:
        value = pc.utf8_lower(pc.utf8_trim_whitespace(people.column(key).combine_chunks()))
        counts = pc.value_counts(value.drop_null())
        several = counts.field(0).filter(pc.greater(counts.field(1), 1))
        strange = pc.fill_null(pc.invert(pc.string_is_ascii(people.column(key).combine_chunks())), False)
        may = pc.or_(may, pc.or_(pc.is_in(value, several), strange))
    return may


def _digests(people: pa.Table, settings: Settings, contacts_rest: bool) -> pa.Array:
    """Per person the digest of what is kept of them: with the parent contact where their first school wants it.

    Null where the record leaves the schools, or the contact, open: what the row says then rests on more than the record.
    """
    # Where nobody is at a school, the lists are of no type.
    schools = people.column("school_ids").cast(pa.list_(pa.string())).combine_chunks()
    first = pc.list_element(pc.if_else(pc.greater(pc.list_value_length(schools), 0), schools, pa.scalar([None], schools.type)), 0)
    wanting = [school for school in pc.unique(first).to_pylist() if settings.for_school(school).include_primary_parent_contact]
    wants = np.asarray(pc.is_in(first, pa.array(wanting, first.type)))
    unsure = np.zeros(people.num_rows, dtype=bool)
    if "unsure_org_ids" in people.column_names:
        unsure = np.asarray(pc.fill_null(pc.list_value_length(people.column("unsure_org_ids")), 0)) > 0
    digest = np.where(wants, people.column("digest_with_parent").to_numpy(), people.column("digest").to_numpy())
    return pa.array(digest, pa.int64(), mask=unsure | (wants & contacts_rest))
