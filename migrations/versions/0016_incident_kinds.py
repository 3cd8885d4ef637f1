"""Incidents of the index: money that left without us, and a final block that changed."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

UPGRADE = """
ALTER TABLE incidents DROP CONSTRAINT incidents_kind_check;
ALTER TABLE incidents ADD CONSTRAINT incidents_kind_check CHECK (kind IN (
    'transfer.quarantined', 'transfer.paid_after_cancel', 'signer.refused', 'providers.contradict',
    'audit.head_refused', 'wallet.foreign_outflow', 'chain.final_block_changed'));
"""


def upgrade() -> None:
    op.get_bind().connection.driver_connection.execute(UPGRADE)


def downgrade() -> None:
    raise NotImplementedError("restore a backup: incidents that were opened stay")
