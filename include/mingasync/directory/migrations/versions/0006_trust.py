"""Rights of database roles by district, and what else keeps a decision true when it is carried out."""

from include.mingasync.directory.migrations import files

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

#: One file per part of the house that it serves; they rest on each other in this order.
_PARTS: tuple[str, ...] = (
    "0006_doors.sql",
    "0006_identity.sql",
    "0006_rosters.sql",
    "0006_archive.sql",
    "0006_undo.sql",
    "0006_snapshot.sql",
    "0006_proof.sql",
)
#: Rights on all that is there by then.
_RIGHTS = "0006_rights.sql"


def upgrade() -> None:
    """Run every part."""
    files.run(*_PARTS, _RIGHTS)


def downgrade() -> None:
    """Nothing: a backup made before is the way back."""
    raise NotImplementedError("Restore the backup that was made before this version.")
