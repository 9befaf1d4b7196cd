"""The file of the demo's district, as Airflow reads it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import yaml

from stack.home import REPOSITORY, Home

_DESCRIPTION = REPOSITORY / "stack" / "rehearsal.yaml"


def write_demo_district(home: Home, now: datetime | None = None) -> None:
    """The district's file, with a nightly schedule half a day from now.

    The demo starts its two nights itself. A night that Airflow's schedule starts between them would take their
    changes away from the table, at whatever hour of the day somebody tries the demo.
    """
    text = _DESCRIPTION.read_text(encoding="utf-8")
    local = ((now or datetime.now(UTC)) + timedelta(hours=12)).astimezone(ZoneInfo(yaml.safe_load(text)["timezone"]))
    file = home.districts / _DESCRIPTION.name
    file.write_text(f'{text}schedule: "{local.minute} {local.hour} * * *"\n', encoding="utf-8")
