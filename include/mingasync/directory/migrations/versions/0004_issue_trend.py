"""Issues compared with the night before, as a relation."""

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the view."""
    driver = op.get_bind().connection.driver_connection
    driver.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))  # type: ignore[union-attr]


def downgrade() -> None:
    """Take the view away."""
    op.execute("drop view directory.issue_trend")
