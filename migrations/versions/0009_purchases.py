"""Orders and receipts, credit notes, and the marks by which payees and repeated documents are found.

Those of payees are columns and not expressions, because row-level security keeps an index over a function of a
column from being used.

Revision ID: 0009
Revises: 0008
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

PAYEES = """
ALTER TABLE payees
    ADD COLUMN first_word text NOT NULL GENERATED ALWAYS AS (split_part(name_key, ' ', 1)) STORED,
    ADD COLUMN mail_domain text GENERATED ALWAYS AS (lower(split_part(email, '@', 2))) STORED;
CREATE INDEX payees_first_word ON payees (organization_id, first_word, id);
CREATE INDEX payees_mail_domain ON payees (organization_id, mail_domain)
    WHERE mail_domain IS NOT NULL;
ALTER TABLE payee_addresses
    ADD COLUMN ends text NOT NULL
        GENERATED ALWAYS AS (substr(address, 3, 4) || right(address, 4)) STORED;
CREATE INDEX payee_addresses_ends ON payee_addresses (organization_id, ends)
    WHERE state = 'verified';
"""

INVOICES = """
ALTER TABLE invoices
    ADD COLUMN lines_digest bytea CHECK (length(lines_digest) = 32),
    ADD COLUMN text_digest bytea CHECK (length(text_digest) = 32);
CREATE INDEX invoices_lines ON invoices (organization_id, payee_id, lines_digest)
    WHERE lines_digest IS NOT NULL;
CREATE INDEX invoices_text ON invoices (organization_id, text_digest) WHERE text_digest IS NOT NULL;
"""

CREDITS = """
ALTER TABLE invoices
    ADD COLUMN kind text NOT NULL DEFAULT 'invoice' CHECK (kind IN ('invoice', 'credit_note')),
    ADD COLUMN preceding_number_key text,
    ADD CHECK (kind = 'invoice' OR state NOT IN ('proposed', 'paid'));
DROP INDEX invoices_canonical;
CREATE UNIQUE INDEX invoices_canonical
    ON invoices (organization_id, payee_id, invoice_number_key, kind)
    WHERE state IN ('proposed', 'paid', 'credited');
CREATE INDEX invoices_number_key ON invoices (organization_id, payee_id, invoice_number_key)
    WHERE state IN ('reading', 'proposed', 'paid', 'credited');
CREATE INDEX invoices_credits ON invoices (organization_id, payee_id, id)
    WHERE kind = 'credit_note' AND state = 'credited' AND open_amount_minor > 0;
CREATE TABLE credit_allocations (
    organization_id uuid NOT NULL,
    credit_note_id uuid NOT NULL,
    invoice_id uuid NOT NULL CHECK (invoice_id <> credit_note_id),
    amount_minor numeric(78,0) NOT NULL CHECK (amount_minor > 0),
    state text NOT NULL CHECK (state IN ('settled', 'released')),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, credit_note_id, invoice_id),
    FOREIGN KEY (organization_id, credit_note_id) REFERENCES invoices,
    FOREIGN KEY (organization_id, invoice_id) REFERENCES invoices
);
CREATE INDEX credit_allocations_invoice ON credit_allocations (organization_id, invoice_id);
"""
PURCHASES = """
CREATE TABLE purchase_orders (
    organization_id uuid NOT NULL REFERENCES organizations,
    id uuid NOT NULL,
    number text NOT NULL,
    number_key text NOT NULL,
    payee_id uuid NOT NULL,
    currency text NOT NULL,
    currency_decimals smallint NOT NULL,
    receipt_required boolean NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'closed')),
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, number_key),
    FOREIGN KEY (organization_id, payee_id) REFERENCES payees
);
CREATE TABLE purchase_order_lines (
    organization_id uuid NOT NULL,
    order_id uuid NOT NULL,
    line smallint NOT NULL,
    name text NOT NULL,
    quantity numeric(38,6) NOT NULL CHECK (quantity > 0),
    net_minor numeric(78,0) NOT NULL CHECK (net_minor > 0),
    PRIMARY KEY (organization_id, order_id, line),
    FOREIGN KEY (organization_id, order_id) REFERENCES purchase_orders
);
CREATE TABLE receipts (
    organization_id uuid NOT NULL,
    order_id uuid NOT NULL,
    line smallint NOT NULL,
    reference text NOT NULL,
    quantity numeric(38,6) NOT NULL CHECK (quantity > 0),
    received_on date NOT NULL,
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, order_id, line, reference),
    FOREIGN KEY (organization_id, order_id, line) REFERENCES purchase_order_lines
);
ALTER TABLE invoices
    ADD COLUMN purchase_state text CHECK (purchase_state IN ('no_order', 'matched', 'over',
        'under_receipt', 'mismatch', 'closed')),
    ADD COLUMN purchase_order_id uuid,
    ADD COLUMN order_net_minor numeric(78,0),
    ADD FOREIGN KEY (organization_id, purchase_order_id) REFERENCES purchase_orders;
CREATE INDEX invoices_purchase_order ON invoices (organization_id, purchase_order_id)
    WHERE purchase_order_id IS NOT NULL;
"""
MAILBOX = """
CREATE TABLE mailbox_positions (
    organization_id uuid NOT NULL REFERENCES organizations,
    mailbox text NOT NULL,
    uid_validity bigint NOT NULL,
    uid bigint NOT NULL,
    moved_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, mailbox)
);
"""
TABLES = ("credit_allocations", "purchase_orders", "purchase_order_lines", "receipts", "mailbox_positions")


def upgrade() -> None:
    driver = op.get_bind().connection.driver_connection
    for part in (PAYEES, INVOICES, CREDITS, PURCHASES, MAILBOX):
        driver.execute(part)
    for table in TABLES:
        driver.execute(
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;"
            f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY;"
            f"CREATE POLICY organization ON {table} TO treasurer_app, treasurer_owner "
            "USING (organization_id = nullif(current_setting('app.org', true), '')::uuid) "
            "WITH CHECK (organization_id = nullif(current_setting('app.org', true), '')::uuid);"
            f"GRANT SELECT, INSERT, UPDATE ON {table} TO treasurer_app"
        )


def downgrade() -> None:
    raise NotImplementedError("forward only: restore a backup instead")
