"""A restricted role for the app downstream, with row-level security by district."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Turn row-level security on; the owner of the tables, who runs the sync, is not held by it."""
    driver = op.get_bind().connection.driver_connection
    driver.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))  # type: ignore[union-attr]


def downgrade() -> None:
    """Nothing: what protects districts from each other is not taken away by a program."""
    raise NotImplementedError("Drop the policies by hand if they must go.")
