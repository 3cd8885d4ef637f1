"""Marks by which payees and repeated documents are looked up.

Those of payees are columns and not expressions, because row-level security keeps an index over a function of a
column from being used.

Revision ID: 0010
Revises: 0007
"""

from alembic import op

revision = "0010"
down_revision = "0007"
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


def upgrade() -> None:
    driver = op.get_bind().connection.driver_connection
    for part in (PAYEES, INVOICES):
        driver.execute(part)


def downgrade() -> None:
    raise NotImplementedError("forward only: restore a backup instead")
