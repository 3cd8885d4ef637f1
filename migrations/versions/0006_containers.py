"""A mail or a batch ends as unpacked: its documents are invoices of their own.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_STATES = (
    "'received', 'reading', 'needs_review', 'duplicate', 'rejected', 'unpacked', 'proposed', "
    "'paid', 'credited'"
)


def upgrade() -> None:
    op.execute("ALTER TABLE invoices DROP CONSTRAINT invoices_state_check")
    op.execute(f"ALTER TABLE invoices ADD CONSTRAINT invoices_state_check CHECK (state IN ({_STATES}))")


def downgrade() -> None:
    raise NotImplementedError("forward only: restore a backup instead")
