"""Validating a million enrollments with their references, against the plainest pandas program that finds the same faults."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_ROWS = 1_000_000


def spoilt(folder: Path, made: Path) -> Path:
    """The folder with the district's collections, a million enrollments, and faults in a thousandth of them."""
    import numpy as np
    import pandas as pd

    target = folder / "validation"
    if (target / "done").exists():
        return target
    target.mkdir(parents=True, exist_ok=True)
    for name in ("orgs", "academicSessions", "courses", "classes", "users"):
        (target / f"{name}.parquet").write_bytes((made / f"{name}.parquet").read_bytes())
    frame = pd.read_parquet(made / "enrollments.parquet")
    more = frame.head(_ROWS - len(frame)).copy()
    more["sourced_id"] = "again:" + more["sourced_id"]
    frame = pd.concat([frame, more], ignore_index=True)
    frame["begin_date"], frame["end_date"] = "2026-08-20", None
    faults = {
        "user_id": "nobody",
        "class_id": "no class",
        "role": "wizard",
        "status": "gone",
        "begin_date": "2030-01-01",
        "end_date": "2020-01-01",
    }
    chosen = np.random.default_rng(7).permutation(len(frame))[: 200 * len(faults)].reshape(len(faults), 200)
    for (column, value), rows in zip(faults.items(), chosen, strict=True):
        frame.loc[rows, column] = value
    frame.to_parquet(target / "enrollments.parquet")
    (target / "done").touch()
    return target


def product(folder: Path) -> dict[str, Any]:
    """What the product's rules find in the enrollments: sourcedIds of errors, numbers of warnings."""
    import datetime as dt

    import pandas as pd

    from include.mingasync.oneroster.records import COLUMNS
    from include.mingasync.quality.prove import prove

    frames = {name: pd.read_parquet(folder / f"{name}.parquet") for name in COLUMNS}
    found = prove(frames, night=dt.date(2026, 11, 24), sis_name="generic")
    issues = found.issues[found.issues["resource"].eq("enrollments")]
    errors = issues[issues["severity"].eq("error")]
    warnings = issues[issues["severity"].eq("warning")]
    told = {rule: int(message.split()[0]) for rule, message in zip(warnings["rule"], warnings["message"], strict=True)}
    return told | {rule: sorted(ids) for rule, ids in errors.groupby("rule")["sourced_id"]}


def plain(folder: Path) -> dict[str, list[str]]:
    """The same by pandas alone, written down as plainly as it goes."""
    import pandas as pd

    users = pd.read_parquet(folder / "users.parquet")
    classes = pd.read_parquet(folder / "classes.parquet")
    sessions = pd.read_parquet(folder / "academicSessions.parquet").set_index("sourced_id")
    enrollments = pd.read_parquet(folder / "enrollments.parquet")
    active = enrollments["status"] == "active"
    begin, end = (pd.to_datetime(enrollments[name], errors="coerce") for name in ("begin_date", "end_date"))
    known = ["student", "teacher", "aide", "administrator", "proctor", "parent", "guardian", "relative"]
    faults = {
        "enrollments.id_twice": enrollments["sourced_id"].duplicated(keep=False),
        "enrollments.status_unknown": ~enrollments["status"].isin(["active", "tobedeleted", "inactive"]),
        "enrollments.user_unknown": active & ~enrollments["user_id"].isin(users["sourced_id"]),
        "enrollments.class_unknown": active & ~enrollments["class_id"].isin(classes["sourced_id"]),
        "enrollments.role_unknown": active & ~enrollments["role"].str.strip().str.lower().isin(known),
        "enrollments.dates": active & (end < begin),
    }
    spans = classes[["sourced_id", "term_ids"]].explode("term_ids").join(sessions[["start_date", "end_date"]], on="term_ids")
    spans = spans.groupby("sourced_id").agg({"start_date": "min", "end_date": "max"})
    first, last = (pd.to_datetime(enrollments["class_id"].map(spans[name])) for name in ("start_date", "end_date"))
    faults["enrollments.outside_terms"] = active & ((begin > last) | (end < first))
    return {rule: sorted(enrollments.loc[rows, "sourced_id"]) for rule, rows in faults.items() if rows.any()}


def _run(what: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.validation", what, str(folder)]
    began = time.perf_counter()
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(said) | {"seconds": time.perf_counter() - began}


def _sizes(found: dict[str, Any]) -> dict[str, int]:
    return {rule: one if isinstance(one, int) else len(one) for rule, one in found.items()}


def measure(folder: Path) -> dict[str, Any]:
    """The figures: seconds of either program as a whole process, the product's peak megabytes, and the faults both found."""
    made = spoilt(folder, folder)
    ours, theirs = (min((_run(what, made) for _ in range(3)), key=lambda one: one["seconds"]) for what in ("product", "plain"))
    same = {rule: ids if isinstance(ours["found"].get(rule), list) else len(ids) for rule, ids in theirs["found"].items()}
    if ours["found"] != same:
        raise SystemExit(f"They find other faults: {_sizes(ours['found'])} and {_sizes(same)}")
    return {
        "product": ours["seconds"],
        "plain": theirs["seconds"],
        "peak": ours["peak"],
        "faults": sum(_sizes(ours["found"]).values()),
    }


def main() -> None:
    """One of the two programs in this process; ``python -m bench validation`` runs both."""
    found = {"product": product, "plain": plain}[sys.argv[1]](Path(sys.argv[2]))
    peak = next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    json.dump({"found": found, "peak": int(peak) / 1024}, sys.stdout)


if __name__ == "__main__":
    main()
