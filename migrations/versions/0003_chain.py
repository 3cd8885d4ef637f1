"""Following the chain: which blocks and logs were seen, what was booked, where each wallet's books begin."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = """
-- How far an organization's transfers on a chain are booked: up to this final block, by its hash.
CREATE TABLE index_cursors (
    organization_id uuid NOT NULL REFERENCES organizations,
    chain_id bigint NOT NULL,
    final_number bigint NOT NULL CHECK (final_number >= 0),
    final_hash bytea NOT NULL CHECK (length(final_hash) = 32),
    stopped text NOT NULL DEFAULT '',
    PRIMARY KEY (organization_id, chain_id)
);
-- The blocks above the cursor, as they were last seen; each one's parent is the one before.
CREATE TABLE indexed_blocks (
    organization_id uuid NOT NULL,
    chain_id bigint NOT NULL,
    number bigint NOT NULL,
    hash bytea NOT NULL CHECK (length(hash) = 32),
    parent_hash bytea NOT NULL CHECK (length(parent_hash) = 32),
    PRIMARY KEY (organization_id, chain_id, number),
    FOREIGN KEY (organization_id, chain_id) REFERENCES index_cursors
);
CREATE TABLE deposits (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    chain_id bigint NOT NULL,
    block_number bigint NOT NULL,
    block_hash bytea NOT NULL CHECK (length(block_hash) = 32),
    transaction_hash bytea NOT NULL CHECK (length(transaction_hash) = 32),
    log_index integer NOT NULL,
    wallet_id uuid NOT NULL,
    token text NOT NULL,
    sender text NOT NULL,
    amount_minor numeric(78,0) NOT NULL CHECK (amount_minor > 0),
    state text NOT NULL CHECK (state IN ('seen', 'booked')),
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    -- Chain-global, as all log keys: one log is one fact.
    UNIQUE (chain_id, block_hash, log_index),
    FOREIGN KEY (organization_id, wallet_id) REFERENCES wallets
);
CREATE INDEX deposits_seen ON deposits (organization_id, chain_id, block_number) WHERE state = 'seen';
"""

# The block whose balances the opening entry took; what came later is a deposit.
WALLETS = """
ALTER TABLE wallets ADD COLUMN opened_block bigint;
ALTER TABLE wallets NO FORCE ROW LEVEL SECURITY;
ALTER TABLE audit_events NO FORCE ROW LEVEL SECURITY;
UPDATE wallets w SET opened_block = (e.payload->>'block_number')::bigint FROM audit_events e
    WHERE e.organization_id = w.organization_id AND e.aggregate_id = w.id AND e.kind = 'wallet.enrolled';
ALTER TABLE audit_events FORCE ROW LEVEL SECURITY;
ALTER TABLE wallets FORCE ROW LEVEL SECURITY;
"""


def upgrade() -> None:
    driver = op.get_bind().connection.driver_connection

    def run(sql: str) -> None:
        driver.execute(sql)

    run(TABLES)
    run(WALLETS)
    for table in ("index_cursors", "indexed_blocks", "deposits"):
        run(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        run(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        run(
            f"CREATE POLICY organization ON {table} TO treasurer_app, treasurer_owner "
            "USING (organization_id = nullif(current_setting('app.org', true), '')::uuid) "
            "WITH CHECK (organization_id = nullif(current_setting('app.org', true), '')::uuid)"
        )
    run("GRANT SELECT, INSERT, UPDATE ON index_cursors TO treasurer_app")
    run("GRANT SELECT, INSERT, UPDATE, DELETE ON indexed_blocks, deposits TO treasurer_app")


def downgrade() -> None:
    raise NotImplementedError("restore a backup: deposits that were booked stay in the books")
