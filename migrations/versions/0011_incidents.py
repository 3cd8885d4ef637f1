"""Incidents, gas top-ups, and resolutions that the saga has begun to act on."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

UPGRADE = """
-- From here on the saga acts on it, and nobody rejects it any more.
ALTER TABLE transfer_resolutions ADD COLUMN claimed_at timestamptz;
ALTER TABLE transfer_resolutions ADD CHECK (claimed_at IS NULL OR confirmed_at IS NOT NULL);

-- The slots that a payment had before, which the signer is told about.
CREATE INDEX transfer_items_void ON transfer_items (organization_id, payment_id)
    WHERE state = 'void';
"""


def upgrade() -> None:
    op.get_bind().connection.driver_connection.execute(UPGRADE)


def downgrade() -> None:
    raise NotImplementedError("restore a backup: who was told of what must not be lost")
