"""How a held archive was answered: approved, rejected, or nobody in time."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Name the columns for every answer, and keep until when one is awaited."""
    op.execute(
        """
        alter table directory.sync_runs rename column approved_by to answered_by;
        alter table directory.sync_runs rename column approved_at to answered_at;
        alter table directory.sync_runs
            add column answer text check (answer in ('approved', 'rejected', 'none')),
            add column answer_until timestamptz;
        update directory.sync_runs set answer = 'approved' where answered_by is not null;
        """
    )


def downgrade() -> None:
    """Keep who approved; the other answers are lost."""
    op.execute(
        """
        update directory.sync_runs set answered_by = null, answered_at = null where answer <> 'approved';
        alter table directory.sync_runs drop column answer, drop column answer_until;
        alter table directory.sync_runs rename column answered_by to approved_by;
        alter table directory.sync_runs rename column answered_at to approved_at;
        """
    )
