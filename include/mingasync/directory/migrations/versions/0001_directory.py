"""The directory's first shape."""

from include.mingasync.directory.migrations import files

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every relation of the schema ``directory``."""
    files.run("0001_directory.sql", "0001_functions.sql")


def downgrade() -> None:
    """Nothing: the directory is never thrown away by a program."""
    raise NotImplementedError("Restore a backup instead; dropping the directory would lose every person.")
