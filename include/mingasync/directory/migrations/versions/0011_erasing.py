"""That somebody was erased: when, by whom, and how much went; and what the runs had counted of them."""

from include.mingasync.directory.migrations import files

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and the column."""
    files.run("0011_erasing.sql")


def downgrade() -> None:
    """Nothing: a backup made before is the way back."""
    raise NotImplementedError("Restore the backup that was made before this version.")
