"""Batches: payments whose batch failed go alone, and allowances are transfers of their own kind."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

UPGRADE = """
ALTER TABLE payments ADD COLUMN alone boolean NOT NULL DEFAULT false;

CREATE TABLE allowances (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    order_bytes bytea NOT NULL,
    state text NOT NULL CHECK (state IN ('proposed', 'confirmed', 'executing', 'settled', 'rejected',
        'expired', 'void')),
    proposed_by uuid NOT NULL,
    proposed_at timestamptz NOT NULL,
    confirmed_by uuid,
    result text NOT NULL DEFAULT '',
    PRIMARY KEY (organization_id, id),
    -- Nobody allows alone.
    CHECK (confirmed_by <> proposed_by),
    CHECK (confirmed_by IS NOT NULL OR state IN ('proposed', 'rejected'))
);
CREATE INDEX allowances_confirmed ON allowances (id) WHERE state = 'confirmed';
ALTER TABLE allowances ENABLE ROW LEVEL SECURITY;
ALTER TABLE allowances FORCE ROW LEVEL SECURITY;
CREATE POLICY organization ON allowances TO treasurer_app, treasurer_owner
    USING (organization_id = nullif(current_setting('app.org', true), '')::uuid)
    WITH CHECK (organization_id = nullif(current_setting('app.org', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON allowances TO treasurer_app;
GRANT SELECT (organization_id, id, state) ON allowances TO treasurer_system;
CREATE POLICY claims ON allowances FOR SELECT TO treasurer_system USING (true);

-- A transfer carries payments as its items, or one allowance.
ALTER TABLE transfers ADD COLUMN allowance_id uuid;
ALTER TABLE transfers ADD FOREIGN KEY (organization_id, allowance_id) REFERENCES allowances;
CREATE UNIQUE INDEX transfers_allowance ON transfers (organization_id, allowance_id)
    WHERE allowance_id IS NOT NULL;
ALTER TABLE attempts DROP CONSTRAINT attempts_kind_check;
ALTER TABLE attempts ADD CONSTRAINT attempts_kind_check
    CHECK (kind IN ('payment', 'cancel', 'allowance'));
"""


def upgrade() -> None:
    op.get_bind().connection.driver_connection.execute(UPGRADE)


def downgrade() -> None:
    raise NotImplementedError("restore a backup: which batches failed must not be lost")
