"""Runs the .sql files that lie beside the migrations."""

from pathlib import Path

from alembic import op

_VERSIONS = Path(__file__).parent / "versions"


def run(*names: str) -> None:
    """Run files of the folder versions whole: straight by the driver, as they hold % and several statements."""
    driver = op.get_bind().connection.driver_connection
    assert driver is not None, "migrations run on a connection that is open"
    for name in names:
        driver.execute((_VERSIONS / name).read_text(encoding="utf-8"))
