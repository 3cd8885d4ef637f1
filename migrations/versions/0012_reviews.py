"""Reviews: what a person answered when an invoice was held. Insert only, beside what was read."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

UPGRADE = """
CREATE TABLE invoice_reviews (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    reviewer_id uuid NOT NULL,
    reason text NOT NULL CHECK (reason <> ''),
    -- Codes of the findings that the reviewer answers for.
    accepted text[] NOT NULL,
    -- By field: what was read (null: nothing) and what the reviewer states in its place.
    stated jsonb NOT NULL,
    reviewed_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, invoice_id) REFERENCES invoices,
    FOREIGN KEY (organization_id, reviewer_id) REFERENCES users
);
CREATE INDEX invoice_reviews_invoice ON invoice_reviews (organization_id, invoice_id, id);
ALTER TABLE invoice_reviews ENABLE ROW LEVEL SECURITY;
ALTER TABLE invoice_reviews FORCE ROW LEVEL SECURITY;
CREATE POLICY organization ON invoice_reviews TO treasurer_app, treasurer_owner
    USING (organization_id = nullif(current_setting('app.org', true), '')::uuid)
    WITH CHECK (organization_id = nullif(current_setting('app.org', true), '')::uuid);
GRANT SELECT, INSERT ON invoice_reviews TO treasurer_app;
"""


def upgrade() -> None:
    op.get_bind().connection.driver_connection.execute(UPGRADE)


def downgrade() -> None:
    raise NotImplementedError("restore a backup: why held invoices went on must not be lost")
