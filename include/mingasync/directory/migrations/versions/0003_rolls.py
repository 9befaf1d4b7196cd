"""One row per list and role in place of one per membership; digests of what people were made from."""

from include.mingasync.directory.migrations import files

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the memberships and their history over, then take the old tables away."""
    files.run("0003_rolls.sql")


def downgrade() -> None:
    """Nothing: a backup made before is the way back."""
    raise NotImplementedError("Restore the backup that was made before this version.")
