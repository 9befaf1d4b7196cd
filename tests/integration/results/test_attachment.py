"""The changes of a night with names, for the districts that asked for them."""

from __future__ import annotations

import csv
import io

import pytest

from include.mingasync.district import District
from include.mingasync.results.attachment import as_csv
from include.mingasync.results.mail import compose
from include.mingasync.results.night import read_night
from tests.integration.directory.world import Directory, Sis, enrollment, everything_on, klass, user


def read(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


def test_what_was_applied_is_attached_with_names(directory: Directory, oak: District) -> None:
    directory.settings = everything_on(class_lists={"enabled": True, "terms": ["T1"]})
    sis = Sis(users=[user("u1"), user("u2")], classes=[klass("C1")], enrollments=[enrollment("C1", "u1")])
    directory.night(sis, run_id="first")
    directory.settings = everything_on(
        class_lists={"enabled": True, "terms": ["T1"]},
        roles=everything_on()["roles"] | {"student": {"roster": True, "auto_update": True, "archive": False}},
    )
    directory.night(Sis(users=[user("u1", given_name="=1+1")], classes=sis.classes), run_id="second")
    night = read_night(directory.connection, oak, "second", attach_changes=True)
    ((name, content),) = compose(night).attachments
    assert name == "oak-2026-11-24-changes.csv"
    rows = read(content)
    moved = [(row["entity"], row["action"], row["person"], row["list"]) for row in rows]
    assert ("person", "update", "'=1+1 Familyu1", "") in moved
    assert ("membership", "remove", "'=1+1 Familyu1", "Class C1") in moved
    assert not any("u2" in row["sourced_id"] for row in rows), "what was suppressed is no change"


def test_nothing_is_attached_unasked(directory: Directory, oak: District) -> None:
    directory.night(Sis(users=[user("u1")]), run_id="first")
    mail = compose(read_night(directory.connection, oak, "first"))
    assert mail.attachments == () and "Givenu1" not in mail.html + mail.text


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@x", "\tx", "\rx", "  =1"])
def test_no_cell_is_a_formula(cell: str) -> None:
    (row,) = csv.reader(io.StringIO(as_csv([(cell, "plain-text", None)]).decode("utf-8-sig").split("\n", 1)[1], newline=""))
    assert row == [f"'{cell}", "plain-text", ""]
