"""One record with a value that no directory can keep is set aside and named; the page, the file and every other record go on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from include.mingasync.errors import SourceError
from include.mingasync.oneroster import read as reading
from include.mingasync.oneroster.access import Access
from include.mingasync.oneroster.decode import Pages
from include.mingasync.oneroster.records import COLUMNS
from include.mingasync.oneroster.values import fit, shown
from include.mingasync.snapshot import Snapshot
from tests.unit.oneroster.bundles import district, read, small

_NO_TEXT = "holds a character that no text can hold, such as NUL"
_NO_ID = "holds a control character, a line break or a mark of writing direction"


def taken(records: list[Any] | bytes, collection: str = "users") -> tuple[list[dict[str, Any]], list[tuple[str, str, str]]]:
    """The rows of a page that are kept, and the records set aside, with a good record behind the others."""
    body = records if isinstance(records, bytes) else json.dumps({collection: [*records, {"sourcedId": "good"}]}).encode()
    table, aside = fit(collection, Pages(collection, parents=False).table(body))
    rows = table.to_pylist()
    assert rows[-1]["sourced_id"] == "good" and not any(id_ == "good" for _, id_, _ in aside)
    return rows[:-1], aside


@pytest.mark.parametrize("plain", [True, False], ids=["columns", "record by record"])
@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"givenName": "A\x00"}, f"its givenName {_NO_TEXT}"),
        ({"givenName": "A\ud800"}, f"its givenName {_NO_TEXT}"),
        ({"givenName": "\udc00A"}, f"its givenName {_NO_TEXT}"),
        ({"familyName": "B\x1fC"}, f"its familyName {_NO_TEXT}"),
        ({"email": "x" * 20_000}, "its email is longer than 1,000 bytes"),
        ({"givenName": "é" * 501}, "its givenName is longer than 1,000 bytes"),
        ({"orgs": [{"sourcedId": "s" * 600}]}, "its orgs is longer than 512 bytes"),
        ({"orgs": [{"sourcedId": "s\n1"}]}, f"its orgs {_NO_ID}"),
        ({"grades": ["9"] * 5_001}, "its grades has more than 5,000 entries"),
        ({"grades": ["9", "\x01"]}, f"its grades {_NO_TEXT}"),
    ],
)
def test_a_value_that_cannot_be_kept_sets_its_record_aside(record: dict[str, Any], reason: str, plain: bool) -> None:
    more = {} if plain else {"identifier": 7}
    rows, aside = taken([{"sourcedId": "odd", **record}, {"sourcedId": "other", **more}])
    assert aside == [("users", "odd", reason)]
    assert [row["sourced_id"] for row in rows] == ["odd", "other"]


@pytest.mark.parametrize(
    "kept", ["Zoë", "محمد\u200f", "a\u200db", "O\u2019Brien", "two\nlines", "\u2028", "\U0001f600", "\ufeff", "x" * 1_000]
)
def test_what_people_are_called_is_kept_as_it_is(kept: str) -> None:
    rows, aside = taken([{"sourcedId": "a", "givenName": kept}])
    assert (rows[0]["given_name"], aside) == (kept, [])


@pytest.mark.parametrize(
    ("sourced_id", "told"),
    [
        ("a\x00b", f"its sourcedId 'a\\x00b' {_NO_ID}"),
        ("a\ud800", f"its sourcedId 'a\\x00' {_NO_ID}"),
        ("a\u202eb", f"its sourcedId 'a\\u202eb' {_NO_ID}"),
        ("a\r\nWARNING", f"its sourcedId 'a\\r\\nWARNING' {_NO_ID}"),
        ("x" * 20_000, f"its sourcedId '{'x' * 60}… (20,000 characters)' is longer than 512 bytes"),
        (1.5, f"its sourcedId '\\x00' {_NO_ID}"),
        ({"a": 1}, f"its sourcedId '\\x00' {_NO_ID}"),
        (1e300, f"its sourcedId '\\x00' {_NO_ID}"),
    ],
)
def test_an_id_that_cannot_be_kept_is_nobodys(sourced_id: Any, told: str) -> None:
    rows, aside = taken([{"sourcedId": sourced_id, "givenName": "A"}])
    assert (rows[0]["sourced_id"], aside) == (None, [("users", "", told)])


@pytest.mark.parametrize(("number", "text"), [(1, "1"), (1e5, "100000"), (0, "0"), (10**22, "1" + "0" * 22)])
def test_a_whole_number_is_the_id_of_its_digits(number: float, text: str) -> None:
    rows, aside = taken([{"sourcedId": number, "orgs": [{"sourcedId": number}]}])
    assert (rows[0]["sourced_id"], rows[0]["org_ids"], aside) == (text, [text], [])


def test_a_structure_in_place_of_a_text_is_not_blank() -> None:
    rows, aside = taken(
        [
            {"sourcedId": "a", "email": {"value": "x@y.org"}},
            {"sourcedId": "b", "email": {}},
            {"sourcedId": "c", "email": ["x@y.org"]},
        ]
    )
    assert aside == [("users", "a", f"its email {_NO_TEXT}")]
    assert [row["email"] for row in rows] == [None, None, "x@y.org"]


@pytest.mark.parametrize("key", ["givenName", "orgs", "metadata", "roles", "agents"])
@pytest.mark.parametrize("depth", [500, 5_000, 200_000])
def test_a_record_nested_as_deep_as_it_likes_takes_no_other_with_it(key: str, depth: int) -> None:
    body = b'{"users": [{"sourcedId": "odd", "%s": %s}, {"sourcedId": "b", "identifier": 7}, {"sourcedId": "good"}]}'
    rows, aside = taken(body % (key.encode(), b"[" * depth + b"]" * depth))
    assert [row["sourced_id"] for row in rows] == ["odd", "b"]
    assert {id_ for _, id_, _ in aside} <= {"odd"}


@pytest.mark.parametrize(
    ("bytes_", "name", "is_aside"),
    [
        (b"Zo\xeb", "Zoë", False),
        (b"Zo\xc3\xab \xff", None, True),
        (b"Zo\x00", None, True),
        (b"back\\\\slash \\ud83d\\ude00", "back\\slash \U0001f600", False),
        (b"\\\\ud800 \xeb", "\\ud800 ë", False),
    ],
)
def test_a_record_with_bytes_of_another_encoding(bytes_: bytes, name: str | None, is_aside: bool) -> None:
    other = '{"sourcedId": "b", "givenName": "Zoë"}'.encode()
    rows, aside = taken(b'{"users": [{"sourcedId": "odd", "givenName": "%s"}, %s, {"sourcedId": "good"}]}' % (bytes_, other))
    assert [row["given_name"] for row in rows] == [name, "Zoë"]
    assert [id_ for _, id_, _ in aside] == (["odd"] if is_aside else [])


def test_dates_lose_their_time_and_nothing_else() -> None:
    dates = ["2026-08-17T00:00:00.000Z", "2026-08-17", "12/18/2026", "20261124", "2026-13-40", None]
    rows, _ = taken([{"sourcedId": str(n), "beginDate": one} for n, one in enumerate(dates)], "enrollments")
    assert [row["begin_date"] for row in rows] == ["2026-08-17", "2026-08-17", *dates[2:]]


def test_what_is_shown_of_an_id() -> None:
    assert shown("plain-1 é") == "plain-1 é"
    assert shown("\u202e\ud800\x1b[31m\u2028") == "\\u202e\\ud800\\x1b[31m\\u2028"


class Service:
    """An SIS whose users are one page."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def pages(self, collection: str, tally: Any, *, parents: bool = False, **_: Any) -> Iterator[pa.Table]:
        """The page."""
        tally.pages, tally.ended = 1, True
        yield Pages(collection, parents=parents).table(self._body)


def test_reading_sets_records_aside_and_proves_what_it_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [{"sourcedId": "a", "givenName": "A\x00"}, {"sourcedId": "b"}, {"sourcedId": "c\x00"}, {"sourcedId": ""}]
    monkeypatch.setattr(reading.RestSource, "of", lambda *_: Service(json.dumps({"users": records}).encode()))
    snapshot = Snapshot.of(str(tmp_path), "maple", "run")
    proof = reading.read_collection(
        "users", district(source="rest", url=None), Access(root_url="https://sis.example"), snapshot, parents=False
    )
    assert (proof.state, proof.nameless) == ("complete", 2)
    assert snapshot.table("users").column("sourced_id").to_pylist() == ["a", "b"]
    assert [tuple(row) for row in snapshot.unreadable().itertuples(index=False)] == [
        ("users", "a", f"its givenName {_NO_TEXT}"),
        ("users", "", f"its sourcedId 'c\\x00' {_NO_ID}"),
        ("users", "", "it is no record, or has no sourcedId"),
    ]


_USERS = "sourcedId,enabledUser,orgSourcedIds,role,username,givenName,familyName,email\n"


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (b"odd,true,s1,student,x,A\x00,B,", ("odd", f"its givenName {_NO_TEXT}")),
        (b"odd,true,s1,student,x,A\xff,B,", ("odd", f"its givenName {_NO_TEXT}")),
        (b"odd,true,s1,student,x,A,B," + b"x" * 20_000, ("odd", "its email is longer than 1,000 bytes")),
        (b"odd\x00,true,s1,student,x,A,B,", ("", f"its sourcedId 'odd\\x00' {_NO_ID}")),
        (b"odd\xff,true,s1,student,x,A,B,", ("", f"its sourcedId 'odd\\x00' {_NO_ID}")),
    ],
)
def test_in_a_bundle_as_well(cells: bytes, told: tuple[str, str], tmp_path: Path) -> None:
    bundle = small(tmp_path, users="")
    others = "g1,true,s1,student,x,Zoë,B,\ng2,true,s1,student,x,Ana,Ñ,\n".encode()
    (bundle / "users.csv").write_bytes(_USERS.encode() + cells + b"\n" + others)
    rows, proof, snapshot = read(bundle, "users", tmp_path)
    assert [(row["given_name"], row["family_name"]) for row in rows][-2:] == [("Zoë", "B"), ("Ana", "Ñ")]
    assert [tuple(row)[1:] for row in snapshot.unreadable().itertuples(index=False)] == [told]
    assert (proof.state, proof.nameless) == ("complete", int(not told[0]))


def test_windows_1252_is_told_from_one_bad_byte(tmp_path: Path) -> None:
    bundle = small(tmp_path, users="")
    (bundle / "users.csv").write_bytes(
        (_USERS + "g1,true,s1,student,x,Zoë,’t Hooft,\n").encode("cp1252") + b"g2,true,s1,student,x,A\x81,B,\n"
    )
    rows, _, snapshot = read(bundle, "users", tmp_path)
    assert (rows[0]["given_name"], rows[0]["family_name"]) == ("Zoë", "’t Hooft")
    # 0x81 is no character of Windows-1252.
    assert list(snapshot.unreadable()["sourced_id"]) == ["g2"]


@pytest.mark.parametrize("at_the_end", [True, False])
def test_rows_inside_of_a_quote_that_is_not_closed_are_missed_aloud(at_the_end: bool, tmp_path: Path) -> None:
    text = _USERS + 'a,true,s1,student,x,"A,B,\nb,true,s1,student,x,C,D,\n'
    rows, proof, snapshot = read(
        small(tmp_path, users=text if at_the_end else text + 'c,true,s1,student,x,"E",F,\nd,true,s1,student,x,G,H,\n'),
        "users",
        tmp_path,
    )
    assert [row["sourced_id"] for row in rows] == ([] if at_the_end else ["d"])
    assert (proof.state, proof.reason) == ("incomplete", "a quote in users.csv is not closed, so rows after it are missing")
    assert list(snapshot.unreadable()["sourced_id"]) == ["a"]


def test_a_line_without_end_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"users.csv was not read to its end: a line has more than 4,194,304 characters"):
        read(small(tmp_path, users=_USERS + "a," + "," * 5_000_000), "users", tmp_path)


_SESSIONS = "sourcedId,title,type,startDate,endDate,schoolYear\n"
_ENROLLMENTS = "sourcedId,dateLastModified,classSourcedId,userSourcedId,role,beginDate\n"


@pytest.mark.parametrize(
    ("enrollment", "expected"),
    [
        ("e1,,c1,u1,student,", ["03/04/2026", "05/06/2026"]),
        ("e1,,c1,u1,student,8/15/2026", ["2026-03-04", "2026-05-06"]),
        ("e1,25/12/2026 02:00,c1,u1,student,", ["2026-04-03", "2026-06-05"]),
        ("e1,25/12/2026,c1,u1,student,8/15/2026", ["03/04/2026", "05/06/2026"]),
    ],
    ids=["no evidence", "month first", "day first", "contradiction"],
)
def test_dates_of_a_bundle_are_read_by_the_evidence_of_all_its_files(
    enrollment: str, expected: list[str], tmp_path: Path
) -> None:
    bundle = small(
        tmp_path,
        academicSessions=_SESSIONS + "t1,Fall,term,03/04/2026,05/06/2026,2027\n",
        enrollments=_ENROLLMENTS + enrollment + "\n",
    )
    (row,), _, _ = read(bundle, "academicSessions", tmp_path)
    assert [row["start_date"], row["end_date"]] == expected


def test_every_text_column_has_a_limit() -> None:
    """A column that is added is limited by its name and type, without being written down again."""
    for collection, schema in COLUMNS.items():
        for field in schema:
            if pa.types.is_boolean(field.type):
                continue
            value = "x" * 2_000
            row = {"sourced_id": "odd", field.name: [value] if pa.types.is_list(field.type) else value}
            _, aside = fit(collection, pa.Table.from_pylist([row], schema=schema))
            assert len(aside) == 1, (collection, field.name)
