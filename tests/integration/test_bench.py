"""``make bench`` comes to its end, here with a small district; how fast anything is stands in no test."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import bench.__main__ as bench


def test_every_figure_of_people_and_lists_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, small in {"_FOLDER": tmp_path / "bench", "_STUDENTS": 200, "_SCHOOLS": 3, "_PEOPLE": 260}.items():
        monkeypatch.setattr(bench, name, small)
    monkeypatch.setattr(sys, "argv", ["bench", "people", "lists"])
    bench.main()
    told = capsys.readouterr().out
    for words in (
        "260 people, bare COPY", "first night / bare COPY", "unchanged night / first", "1 % changed / first",
        "undo of the night with 1 % changed", "undo of the first night", "making / reading", "loading lists and memberships",
        "unchanged night / bare COPY", "peak memory of this process",
    ):  # fmt: skip
        assert words in told, words
