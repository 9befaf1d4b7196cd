"""A restricted role for the app downstream, with row-level security by district."""

from include.mingasync.directory.migrations import files

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Turn row-level security on; the owner of the tables, who runs the sync, is not held by it."""
    files.run("0002_readers.sql")


def downgrade() -> None:
    """Nothing: what protects districts from each other is not taken away by a program."""
    raise NotImplementedError("Drop the policies by hand if they must go.")
