"""Transfers: rows that are rewritten in place.

A transfer changes state five times and is leased three times. Orders stand with their payments, so that
a rewrite copies a short row, and no index names a column that these changes touch, so that most of them
are heap-only. Due times are looked up among the live rows, of which a wallet has at most sixteen.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

UPGRADE = """
ALTER TABLE transfers DROP COLUMN order_bytes;
-- The contract that pays several items in one call.
ALTER TABLE transfers ADD COLUMN disperse text CHECK (disperse ~ '^0x[0-9a-f]{40}$');
ALTER TABLE transfers ADD COLUMN live boolean NOT NULL
    GENERATED ALWAYS AS (state NOT IN ('settled', 'void', 'quarantined')) STORED;
ALTER TABLE transfers SET (fillfactor = 50);
DROP INDEX transfers_due;
DROP INDEX transfers_wallet_live;
CREATE INDEX transfers_live ON transfers (organization_id, wallet_id) WHERE live;
ALTER TABLE ledger_accounts SET (fillfactor = 50);
ALTER TABLE budgets SET (fillfactor = 50);
ALTER TABLE holds SET (fillfactor = 80);
ALTER TABLE transfer_items SET (fillfactor = 80);
GRANT SELECT (live) ON transfers TO treasurer_system;
"""


def upgrade() -> None:
    op.get_bind().connection.driver_connection.execute(UPGRADE)


def downgrade() -> None:
    raise NotImplementedError("restore a backup: orders are no longer kept twice")
