"""Resolutions: two people say what becomes of a transfer that chain and books contradict."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

UPGRADE = """
CREATE TABLE transfer_resolutions (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    transfer_id uuid NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('settled', 'void', 'broadcast')),
    reason text NOT NULL,
    proposed_by uuid NOT NULL,
    proposed_at timestamptz NOT NULL,
    confirmed_by uuid,
    confirmed_at timestamptz,
    ended_at timestamptz,
    result text NOT NULL DEFAULT '',
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, transfer_id) REFERENCES transfers,
    -- Nobody resolves alone.
    CHECK (confirmed_by <> proposed_by),
    CHECK ((confirmed_by IS NULL) = (confirmed_at IS NULL))
);
CREATE UNIQUE INDEX transfer_resolutions_open ON transfer_resolutions (organization_id, transfer_id)
    WHERE ended_at IS NULL;
CREATE INDEX transfer_resolutions_confirmed ON transfer_resolutions (confirmed_at)
    WHERE ended_at IS NULL AND confirmed_at IS NOT NULL;
CREATE INDEX transfers_quarantined ON transfers (organization_id, id) WHERE state = 'quarantined';
ALTER TABLE transfer_resolutions ENABLE ROW LEVEL SECURITY;
ALTER TABLE transfer_resolutions FORCE ROW LEVEL SECURITY;
CREATE POLICY organization ON transfer_resolutions TO treasurer_app, treasurer_owner
    USING (organization_id = nullif(current_setting('app.org', true), '')::uuid)
    WITH CHECK (organization_id = nullif(current_setting('app.org', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON transfer_resolutions TO treasurer_app;
GRANT SELECT (organization_id, id, confirmed_at, ended_at) ON transfer_resolutions
    TO treasurer_system;
CREATE POLICY claims ON transfer_resolutions FOR SELECT TO treasurer_system USING (true);
"""


def upgrade() -> None:
    op.get_bind().connection.driver_connection.execute(UPGRADE)


def downgrade() -> None:
    raise NotImplementedError("restore a backup: who resolved what must not be lost")
