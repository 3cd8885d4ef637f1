"""Batches: a payment whose batch failed has a transaction of its own."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

UPGRADE = """
ALTER TABLE payments ADD COLUMN alone boolean NOT NULL DEFAULT false;
"""


def upgrade() -> None:
    op.get_bind().connection.driver_connection.execute(UPGRADE)


def downgrade() -> None:
    raise NotImplementedError("restore a backup: which batches failed must not be lost")
