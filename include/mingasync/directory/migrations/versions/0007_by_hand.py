"""What people do with lists and people in the console: who, when, before and after."""

from include.mingasync.directory.migrations import files

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and its end with the people whom it tells of."""
    files.run("0007_by_hand.sql")


def downgrade() -> None:
    """Nothing: a backup made before is the way back."""
    raise NotImplementedError("Restore the backup that was made before this version.")
