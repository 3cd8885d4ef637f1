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

-- What people have to look at. One is open for a kind and what it is about.
CREATE TABLE incidents (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('transfer.quarantined', 'transfer.paid_after_cancel',
        'signer.refused', 'providers.contradict', 'audit.head_refused')),
    subject_id uuid NOT NULL,
    message text NOT NULL,
    opened_at timestamptz NOT NULL,
    acknowledged_by uuid,
    acknowledged_at timestamptz,
    closed_by uuid,
    closed_at timestamptz,
    note text NOT NULL DEFAULT '',
    PRIMARY KEY (organization_id, id),
    CHECK ((acknowledged_by IS NULL) = (acknowledged_at IS NULL)),
    CHECK ((closed_by IS NULL) = (closed_at IS NULL))
);
CREATE UNIQUE INDEX incidents_open ON incidents (organization_id, kind, subject_id)
    WHERE closed_at IS NULL;
ALTER TABLE incidents ENABLE ROW LEVEL SECURITY;
ALTER TABLE incidents FORCE ROW LEVEL SECURITY;
CREATE POLICY organization ON incidents TO treasurer_app, treasurer_owner
    USING (organization_id = nullif(current_setting('app.org', true), '')::uuid)
    WITH CHECK (organization_id = nullif(current_setting('app.org', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON incidents TO treasurer_app;

-- Gas money between own wallets, within what the policy set and the signer's limits permit.
CREATE TABLE top_ups (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    order_bytes bytea NOT NULL,
    recipient_wallet_id uuid NOT NULL,
    amount_wei numeric(78,0) NOT NULL CHECK (amount_wei > 0),
    policy_digest bytea NOT NULL,
    state text NOT NULL CHECK (state IN ('executing', 'settled', 'void')),
    proposed_at timestamptz NOT NULL,
    result text NOT NULL DEFAULT '',
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, recipient_wallet_id) REFERENCES wallets
);
CREATE INDEX top_ups_newest ON top_ups (organization_id, proposed_at);
-- A wallet is filled up by one at a time.
CREATE UNIQUE INDEX top_ups_executing ON top_ups (organization_id, recipient_wallet_id)
    WHERE state = 'executing';
ALTER TABLE top_ups ENABLE ROW LEVEL SECURITY;
ALTER TABLE top_ups FORCE ROW LEVEL SECURITY;
CREATE POLICY organization ON top_ups TO treasurer_app, treasurer_owner
    USING (organization_id = nullif(current_setting('app.org', true), '')::uuid)
    WITH CHECK (organization_id = nullif(current_setting('app.org', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON top_ups TO treasurer_app;
ALTER TABLE transfers ADD COLUMN top_up_id uuid;
ALTER TABLE transfers ADD FOREIGN KEY (organization_id, top_up_id) REFERENCES top_ups;
ALTER TABLE transfers ADD CHECK (allowance_id IS NULL OR top_up_id IS NULL);
CREATE UNIQUE INDEX transfers_top_up ON transfers (organization_id, top_up_id)
    WHERE top_up_id IS NOT NULL;
ALTER TABLE attempts DROP CONSTRAINT attempts_kind_check;
ALTER TABLE attempts ADD CONSTRAINT attempts_kind_check
    CHECK (kind IN ('payment', 'cancel', 'allowance', 'top_up'));

-- The slots that a payment had before, which the signer is told about.
CREATE INDEX transfer_items_void ON transfer_items (organization_id, payment_id)
    WHERE state = 'void';
"""


def upgrade() -> None:
    op.get_bind().connection.driver_connection.execute(UPGRADE)


def downgrade() -> None:
    raise NotImplementedError("restore a backup: who was told of what must not be lost")
