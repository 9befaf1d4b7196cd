"""What one run is, in the product's own words, free of Airflow."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

Kind = Literal["nightly", "manual", "preview", "backfill", "undo"]
State = Literal["running", "success", "completed_with_errors", "held", "failed", "skipped", "superseded"]


@dataclass(frozen=True)
class Run:
    """One DAG run of one district.

    ``night`` is the local date that people call the run by; ``logical_date`` and ``started_at`` are aware, in UTC.
    """

    district: str
    run_id: str
    kind: Kind
    logical_date: dt.datetime
    night: dt.date
    send_email: bool = False

    @property
    def applies(self) -> bool:
        """False for a preview: the plan is stored and shown, nothing is applied."""
        return self.kind != "preview"
