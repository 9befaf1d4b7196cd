"""Issues compared with the night before, as a relation."""

from alembic import op

from include.mingasync.directory.migrations import files

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the view."""
    files.run("0004_issue_trend.sql")


def downgrade() -> None:
    """Take the view away."""
    op.execute("drop view directory.issue_trend")
