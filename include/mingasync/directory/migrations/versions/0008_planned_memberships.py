"""What a preview says of the school and the role of memberships is what its run says."""

from include.mingasync.directory.migrations import files

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Replace the view; its columns stay."""
    files.run("0008_planned_memberships.sql")


def downgrade() -> None:
    """Nothing: a backup made before is the way back."""
    raise NotImplementedError("Restore the backup that was made before this version.")
