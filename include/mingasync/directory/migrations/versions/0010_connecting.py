"""How each district came to be connected: the request, its mails, its steps, and what its SIS shared when it was verified."""

from include.mingasync.directory.migrations import files

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    files.run("0010_connecting.sql")


def downgrade() -> None:
    """Nothing: a backup made before is the way back."""
    raise NotImplementedError("Restore the backup that was made before this version.")
