"""The rehearsal knows neither Airflow nor the product: its numbers are its own."""

from __future__ import annotations

import subprocess
import sys

WATCHED = """
import sys
import include.rehearsal.__main__
print(*sorted(name for name in sys.modules if name.split(".")[0] == "airflow" or "mingasync" in name))
"""


def test_nothing_of_airflow_or_the_product_is_imported() -> None:
    answer = subprocess.run([sys.executable, "-c", WATCHED], capture_output=True, text=True, timeout=60, check=True)
    assert answer.stdout.strip() == ""
