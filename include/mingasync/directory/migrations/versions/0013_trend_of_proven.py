"""The trend of issues, where a collection did not come whole."""

from include.mingasync.directory.migrations import files

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the view anew."""
    files.run("0013_trend_of_proven.sql")


def downgrade() -> None:
    """Nothing: a backup made before is the way back."""
    raise NotImplementedError("Restore the backup that was made before this version.")
