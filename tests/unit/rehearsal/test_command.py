"""The commands that print and write."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from include.rehearsal.__main__ import main
from include.rehearsal.district import build


def test_numbers_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["numbers", "--students", "30", "--schools", "2", "--night", "2", "--seed", "5"])
    assert json.loads(capsys.readouterr().out) == build(30, 2, seed=5, night=2).numbers()


def test_a_bundle_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["bundle", "--to", str(tmp_path / "b.zip"), "--version", "1.1", "--students", "30"])
    assert capsys.readouterr().out == f"{tmp_path / 'b.zip'}\n"
    with zipfile.ZipFile(tmp_path / "b.zip") as bundle:
        assert b"oneroster.version,1.1" in bundle.read("manifest.csv")
        assert bundle.read("users.csv").count(b"\n") == 1 + len(build(30).users)


def test_a_folder_of_collections_is_taken_instead(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "users.json").write_text(json.dumps([{"sourcedId": "u1", "role": "teacher"}]))
    main(["numbers", "--folder", str(tmp_path)])
    assert json.loads(capsys.readouterr().out)["people"] == {"teacher": 1}


def test_an_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["dance"])
    assert "invalid choice" in capsys.readouterr().err
