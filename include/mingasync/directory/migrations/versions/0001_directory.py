"""The directory's first shape."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every relation of the schema ``directory``."""
    # Straight to the driver: the files hold % and several statements, and take no parameters.
    driver = op.get_bind().connection.driver_connection
    for name in ("0001_directory.sql", "0001_functions.sql"):
        driver.execute(Path(__file__).with_name(name).read_text(encoding="utf-8"))  # type: ignore[union-attr]


def downgrade() -> None:
    """Nothing: the directory is never thrown away by a program."""
    raise NotImplementedError("Restore a backup instead; dropping the directory would lose every person.")
