"""Coins: what somebody sent to a wallet of the chain's own coin, which leaves no log."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

UPGRADE = """
CREATE TABLE coin_deposits (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    wallet_id uuid NOT NULL,
    block_number bigint NOT NULL,
    block_hash bytea NOT NULL CHECK (length(block_hash) = 32),
    amount_wei numeric(78,0) NOT NULL CHECK (amount_wei > 0),
    booked_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    -- A balance is read once a block.
    UNIQUE (organization_id, wallet_id, block_number),
    FOREIGN KEY (organization_id, wallet_id) REFERENCES wallets
);
ALTER TABLE coin_deposits ENABLE ROW LEVEL SECURITY;
ALTER TABLE coin_deposits FORCE ROW LEVEL SECURITY;
CREATE POLICY organization ON coin_deposits TO treasurer_app, treasurer_owner
    USING (organization_id = nullif(current_setting('app.org', true), '')::uuid)
    WITH CHECK (organization_id = nullif(current_setting('app.org', true), '')::uuid);
GRANT SELECT, INSERT ON coin_deposits TO treasurer_app;
"""


def upgrade() -> None:
    op.get_bind().connection.driver_connection.execute(UPGRADE)


def downgrade() -> None:
    raise NotImplementedError("restore a backup: deposits that were booked stay in the books")
