"""The changes of a night with names, for the districts that asked for them."""

from __future__ import annotations

import csv
import io
import zipfile

import pytest

from include.mingasync.district import District
from include.mingasync.results import attachment
from include.mingasync.results.attachment import as_csv
from include.mingasync.results.cells import safe_cell
from include.mingasync.results.mail import Mail, compose
from include.mingasync.results.night import Night, read_night
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


def many(directory: Directory, oak: District) -> tuple[Night, Mail, list[dict[str, str]]]:
    """A night with seven changes, its mail, and the changes as they would be attached in full."""
    directory.night(Sis(users=[user(f"u{number}") for number in range(7)]), run_id="first")
    every = read(read_night(directory.connection, oak, "first", attach_changes=True).attachment.content)  # type: ignore[union-attr]
    assert len(every) == 7
    return (night := read_night(directory.connection, oak, "first", attach_changes=True)), compose(night), every


def test_many_changes_come_whole_as_a_zip(directory: Directory, oak: District, monkeypatch: pytest.MonkeyPatch) -> None:
    _, plain, every = many(directory, oak)
    assert "attachment" not in plain.text
    monkeypatch.setattr(attachment, "_AT_MOST_PLAIN", 3)
    mail = compose(read_night(directory.connection, oak, "first", attach_changes=True))
    ((name, content),) = mail.attachments
    assert name == "oak-2026-11-24-changes.csv.zip"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == ["oak-2026-11-24-changes.csv"] and read(archive.read(archive.namelist()[0])) == every
    for part in (mail.text, mail.html):
        assert "The attachment is a zip, because it holds 7 changes." in part


def test_what_is_left_out_is_told_in_the_mail_and_in_the_last_line(
    directory: Directory, oak: District, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, every = many(directory, oak)
    monkeypatch.setattr(attachment, "_AT_MOST_PLAIN", 3)
    monkeypatch.setattr(attachment, "_AT_MOST_ZIPPED", 6)
    mail = compose(read_night(directory.connection, oak, "first", attach_changes=True))
    ((name, content),) = mail.attachments
    *rows, last = read(content)
    assert name == "oak-2026-11-24-changes.csv" and rows == every[:3]
    told = (
        "The attachment holds the first 3 of 7 changes; 4 are left out. "
        "All of them stand in the database: directory.sync_changes, district 'oak', run_id 'first'."
    )
    assert last["entity"] == told and told in " ".join(mail.text.split()) and told.replace("'", "&#39;") in mail.html


@pytest.mark.parametrize(
    "cell",
    [
        "=1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "  =1", "＝1", "＋1", "－1", "＠x", "﹢1", "﹣1", "\u2212" "1", "\x00=1", "\x1f+1",
        "\x85=1", "\xa0=1", "\u200b=1", "\ufeff=1", " \t =1",
    ],
)  # fmt: skip
def test_no_cell_is_a_formula(cell: str) -> None:
    (row,) = csv.reader(io.StringIO(as_csv([(cell, "plain-text", None)]).decode("utf-8-sig").split("\n", 1)[1], newline=""))
    assert row[0].startswith("'") and row[0].replace("'", "") == cell and row[1:] == ["plain-text", ""]
    assert safe_cell(cell) == row[0], "history and attachment have one way"


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("x;=1", "x;'=1"),
        ("x\n=1", "x\n'=1"),
        ("x\t\u200b@1", "x\t'\u200b@1"),
        ("a;b", "a;b"),
        ("", ""),
        (None, ""),
        ("3 - 4", "3 - 4"),
    ],
)
def test_a_sign_behind_what_another_country_takes_for_the_end_of_a_cell_is_no_formula(cell: str | None, shown: str) -> None:
    (row,) = csv.reader(io.StringIO(as_csv([(cell,)]).decode("utf-8-sig").split("\n", 1)[1], newline=""))
    assert row == [shown]
