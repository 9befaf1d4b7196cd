"""Who and what lacks something that one would expect, in one place for counts and pages."""

from include.mingasync.directory.migrations import files

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the views."""
    files.run("0009_numbers.sql")


def downgrade() -> None:
    """Nothing: a backup made before is the way back."""
    raise NotImplementedError("Restore the backup that was made before this version.")
