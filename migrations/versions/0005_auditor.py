"""Reconciliations: whose turn it is, and what each found. A finished one is never changed."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE reconciliations (
    organization_id uuid NOT NULL REFERENCES organizations,
    id uuid NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    block_number bigint,
    clean boolean,
    report jsonb,
    PRIMARY KEY (organization_id, id),
    CHECK ((finished_at IS NULL) = (report IS NULL))
);
-- Of several workers one has the turn; what it left unfinished is taken over.
CREATE UNIQUE INDEX reconciliations_turn ON reconciliations (organization_id)
    WHERE finished_at IS NULL;
CREATE INDEX reconciliations_started ON reconciliations (organization_id, started_at);
ALTER TABLE reconciliations ENABLE ROW LEVEL SECURITY;
ALTER TABLE reconciliations FORCE ROW LEVEL SECURITY;
CREATE POLICY organization ON reconciliations TO treasurer_app, treasurer_owner
    USING (organization_id = nullif(current_setting('app.org', true), '')::uuid)
    WITH CHECK (organization_id = nullif(current_setting('app.org', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON reconciliations TO treasurer_app;
"""


def upgrade() -> None:
    # The driver takes several statements at once only without parameters.
    op.get_bind().connection.driver_connection.execute(TABLE)


def downgrade() -> None:
    raise NotImplementedError("restore a backup: reports are kept for auditors")
