"""The main job: every table of invoices, policy, payments, transfers, ledger and audit.

Three roles. The owner owns the schema and runs migrations. The app role sees one organization's rows
at a time. The system role claims ids across organizations (queue, pump, sealer) and sees no content.
"""

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

IDENTITY = """
CREATE TABLE organizations (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    reporting_currency text NOT NULL,
    reporting_decimals smallint NOT NULL,
    mode text NOT NULL CHECK (mode IN ('dry_run', 'live')),
    frozen boolean NOT NULL DEFAULT false,
    declared_monthly_burn_minor numeric(78,0),
    created_at timestamptz NOT NULL
);
CREATE TABLE users (
    organization_id uuid NOT NULL REFERENCES organizations,
    id uuid NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('human', 'agent', 'service')),
    password_hash text,
    state text NOT NULL CHECK (state IN ('active', 'disabled')),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id)
);
CREATE UNIQUE INDEX users_email ON users (lower(email));
CREATE TABLE user_roles (
    organization_id uuid NOT NULL,
    user_id uuid NOT NULL,
    role text NOT NULL,
    PRIMARY KEY (organization_id, user_id, role),
    FOREIGN KEY (organization_id, user_id) REFERENCES users
);
CREATE TABLE sessions (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    token_hash bytea NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, token_hash),
    FOREIGN KEY (organization_id, user_id) REFERENCES users
);
CREATE TABLE login_links (
    organization_id uuid NOT NULL,
    token_hash bytea NOT NULL,
    user_id uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (organization_id, token_hash),
    FOREIGN KEY (organization_id, user_id) REFERENCES users
);
CREATE TABLE idempotency_keys (
    organization_id uuid NOT NULL,
    principal_id uuid NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    status smallint,
    resource_id uuid,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, principal_id, route, key)
);
-- Sign-in knows an e-mail address and not yet the organization; this tells nothing else.
CREATE FUNCTION organization_of_email(address text) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS 'SELECT organization_id FROM users WHERE lower(email) = lower(address)';
"""

INTAKE = """
CREATE TABLE payees (
    organization_id uuid NOT NULL REFERENCES organizations,
    id uuid NOT NULL,
    code text NOT NULL,
    name text NOT NULL,
    name_key text NOT NULL,
    name_skeleton text NOT NULL,
    state text NOT NULL CHECK (state IN ('active', 'suspended')),
    vat_id text,
    iban text,
    email text,
    created_at timestamptz NOT NULL,
    created_by uuid NOT NULL,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, code)
);
CREATE INDEX payees_name_key ON payees (organization_id, name_key);
CREATE INDEX payees_name_skeleton ON payees (organization_id, name_skeleton);
CREATE INDEX payees_vat_id ON payees (organization_id, vat_id) WHERE vat_id IS NOT NULL;
CREATE INDEX payees_iban ON payees (organization_id, iban) WHERE iban IS NOT NULL;
CREATE TABLE payee_addresses (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    payee_id uuid NOT NULL,
    chain_id bigint NOT NULL,
    address text NOT NULL CHECK (address ~ '^0x[0-9a-f]{40}$'),
    state text NOT NULL CHECK (state IN ('pending', 'verified', 'revoked')),
    cooling_off_until timestamptz,
    changed_by uuid NOT NULL,
    verified_by uuid,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, payee_id) REFERENCES payees
);
CREATE UNIQUE INDEX payee_addresses_live ON payee_addresses (organization_id, chain_id, address)
    WHERE state <> 'revoked';
CREATE INDEX payee_addresses_payee ON payee_addresses (organization_id, payee_id);
CREATE INDEX payee_addresses_address ON payee_addresses (organization_id, address);
-- A payee is paid in one place on each chain; verifying another revokes it.
CREATE UNIQUE INDEX payee_addresses_verified ON payee_addresses (organization_id, payee_id, chain_id)
    WHERE state = 'verified';
CREATE TABLE documents (
    organization_id uuid NOT NULL REFERENCES organizations,
    sha256 bytea NOT NULL CHECK (length(sha256) = 32),
    media_type text NOT NULL,
    filename text,
    content bytea NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, sha256)
);
CREATE TABLE invoices (
    organization_id uuid NOT NULL REFERENCES organizations,
    id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('received', 'reading', 'needs_review', 'duplicate',
        'rejected', 'proposed', 'paid', 'credited')),
    channel text NOT NULL,
    document_sha256 bytea NOT NULL,
    submitted_by uuid NOT NULL,
    received_at timestamptz NOT NULL,
    reading jsonb,
    findings jsonb NOT NULL DEFAULT '[]',
    payee_id uuid,
    invoice_number text,
    invoice_number_key text,
    invoice_number_skeleton text,
    issue_date date,
    due_date date,
    currency text,
    currency_decimals smallint,
    payable_amount_minor numeric(78,0) CHECK (payable_amount_minor >= 0),
    open_amount_minor numeric(78,0),
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, document_sha256) REFERENCES documents,
    FOREIGN KEY (organization_id, payee_id) REFERENCES payees,
    CHECK (open_amount_minor BETWEEN 0 AND payable_amount_minor)
);
-- One canonical invoice a payee and number; a second one is a duplicate and never proposed.
CREATE UNIQUE INDEX invoices_canonical ON invoices (organization_id, payee_id, invoice_number_key)
    WHERE state IN ('proposed', 'paid', 'credited');
CREATE INDEX invoices_payee ON invoices (organization_id, payee_id, id DESC);
CREATE INDEX invoices_document ON invoices (organization_id, document_sha256);
-- Near duplicates are looked for by the number's skeleton, within one payee.
CREATE INDEX invoices_number ON invoices (organization_id, payee_id,
    invoice_number_skeleton text_pattern_ops) WHERE payee_id IS NOT NULL;
"""

POLICY = """
CREATE TABLE policy_sets (
    organization_id uuid NOT NULL REFERENCES organizations,
    id uuid NOT NULL,
    version integer NOT NULL,
    digest bytea NOT NULL,
    document bytea NOT NULL,
    state text NOT NULL CHECK (state IN ('draft', 'active', 'superseded')),
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    activated_by uuid,
    activated_at timestamptz,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, version)
);
CREATE UNIQUE INDEX policy_sets_active ON policy_sets (organization_id) WHERE state = 'active';
-- The row that reserve locks, and the sums that must not be read without it. No foreign key points here.
CREATE TABLE budgets (
    organization_id uuid PRIMARY KEY,
    in_flight_minor numeric(78,0) NOT NULL DEFAULT 0 CHECK (in_flight_minor >= 0)
);
CREATE TABLE spend_minutes (
    organization_id uuid NOT NULL,
    minute timestamptz NOT NULL,
    amount_minor numeric(78,0) NOT NULL,
    PRIMARY KEY (organization_id, minute)
);
CREATE TABLE outflow_days (
    organization_id uuid NOT NULL,
    day date NOT NULL,
    amount_minor numeric(78,0) NOT NULL,
    payments integer NOT NULL,
    PRIMARY KEY (organization_id, day)
);
CREATE TABLE bank_balances (
    organization_id uuid NOT NULL REFERENCES organizations,
    name text NOT NULL,
    currency text NOT NULL,
    decimals smallint NOT NULL,
    amount_minor numeric(78,0) NOT NULL,
    as_of timestamptz NOT NULL,
    PRIMARY KEY (organization_id, name)
);
"""

PAYMENTS = """
CREATE TABLE payments (
    organization_id uuid NOT NULL REFERENCES organizations,
    id uuid NOT NULL,
    invoice_id uuid,
    payee_id uuid NOT NULL,
    payee_address_id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('proposed', 'denied', 'awaiting_approval', 'approved',
        'expired', 'executing', 'settled', 'needs_attention')),
    initiator_id uuid NOT NULL,
    initiator_kind text NOT NULL,
    asset text NOT NULL,
    amount_minor numeric(78,0) NOT NULL CHECK (amount_minor > 0),
    reporting_amount_minor numeric(78,0) NOT NULL,
    order_bytes bytea NOT NULL,
    order_digest bytea NOT NULL,
    not_after timestamptz NOT NULL,
    decision_id uuid,
    explanation text NOT NULL DEFAULT '',
    reserve_attempts integer NOT NULL DEFAULT 0,
    next_at timestamptz,
    transaction_hash bytea,
    settled_at timestamptz,
    balance_after_minor numeric(78,0),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, invoice_id) REFERENCES invoices,
    FOREIGN KEY (organization_id, payee_id) REFERENCES payees,
    FOREIGN KEY (organization_id, payee_address_id) REFERENCES payee_addresses
);
CREATE INDEX payments_due ON payments (next_at) WHERE state IN ('proposed', 'approved');
CREATE INDEX payments_waiting ON payments (organization_id, id) WHERE state = 'awaiting_approval';
CREATE INDEX payments_invoice ON payments (organization_id, invoice_id);
CREATE TABLE allocations (
    organization_id uuid NOT NULL,
    payment_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    amount_minor numeric(78,0) NOT NULL CHECK (amount_minor > 0),
    state text NOT NULL CHECK (state IN ('live', 'settled', 'released')),
    PRIMARY KEY (organization_id, payment_id, invoice_id),
    FOREIGN KEY (organization_id, payment_id) REFERENCES payments,
    FOREIGN KEY (organization_id, invoice_id) REFERENCES invoices
);
CREATE INDEX allocations_invoice ON allocations (organization_id, invoice_id);
CREATE TABLE decisions (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    payment_id uuid NOT NULL,
    stage text NOT NULL CHECK (stage IN ('proposal', 'reserve')),
    outcome text NOT NULL,
    policy_digest bytea NOT NULL,
    request bytea NOT NULL,
    facts bytea NOT NULL,
    facts_digest bytea NOT NULL,
    decision bytea NOT NULL,
    decided_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id)
);
CREATE INDEX decisions_payment ON decisions (organization_id, payment_id, id);
CREATE TABLE approval_requests (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    payment_id uuid NOT NULL,
    order_digest bytea NOT NULL,
    requirement jsonb NOT NULL,
    requester_id uuid NOT NULL,
    -- Who changed the payee within cooling-off: they may not vote (I12).
    barred uuid[] NOT NULL DEFAULT '{}',
    -- The oldest request of the same payment and digest whose unexpired votes count here too.
    votes_from uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'approved', 'refused', 'expired', 'superseded')),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    closed_at timestamptz,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, payment_id) REFERENCES payments
);
CREATE UNIQUE INDEX approval_requests_open ON approval_requests (organization_id, payment_id)
    WHERE state = 'open';
CREATE INDEX approval_requests_payment ON approval_requests (organization_id, payment_id, id);
CREATE INDEX approval_requests_waiting ON approval_requests (organization_id, id)
    WHERE state = 'open';
CREATE INDEX approval_requests_expiry ON approval_requests (expires_at) WHERE state = 'open';
CREATE TABLE votes (
    organization_id uuid NOT NULL,
    approval_request_id uuid NOT NULL,
    user_id uuid NOT NULL,
    user_kind text NOT NULL,
    roles text[] NOT NULL,
    choice text NOT NULL CHECK (choice IN ('approve', 'reject')),
    reason text NOT NULL DEFAULT '',
    order_digest bytea NOT NULL,
    voted_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, approval_request_id, user_id),
    FOREIGN KEY (organization_id, approval_request_id) REFERENCES approval_requests
);
CREATE TABLE approval_links (
    organization_id uuid NOT NULL,
    token_hash bytea NOT NULL,
    approval_request_id uuid NOT NULL,
    user_id uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (organization_id, token_hash),
    FOREIGN KEY (organization_id, approval_request_id) REFERENCES approval_requests
);
CREATE INDEX approval_links_request ON approval_links (organization_id, approval_request_id, user_id);
CREATE TABLE notifications (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    subject_id uuid NOT NULL,
    recipient text NOT NULL,
    state text NOT NULL CHECK (state IN ('queued', 'sent', 'failed', 'withdrawn')),
    attempts integer NOT NULL DEFAULT 0,
    claimed_until timestamptz,
    error text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    sent_at timestamptz,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, kind, subject_id, recipient)
);
"""

LEDGER = """
CREATE TABLE ledger_accounts (
    organization_id uuid NOT NULL REFERENCES organizations,
    id uuid NOT NULL,
    code text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('asset', 'liability', 'equity', 'income', 'expense')),
    asset text NOT NULL,
    decimals smallint NOT NULL,
    posted_minor numeric(78,0) NOT NULL DEFAULT 0,
    held_minor numeric(78,0) NOT NULL DEFAULT 0 CHECK (held_minor >= 0),
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, code)
);
CREATE TABLE journal_entries (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    reference_id uuid NOT NULL,
    reverses uuid,
    posted_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, kind, reference_id)
);
CREATE TABLE postings (
    organization_id uuid NOT NULL,
    entry_id uuid NOT NULL,
    line smallint NOT NULL,
    account_id uuid NOT NULL,
    asset text NOT NULL,
    amount_minor numeric(78,0) NOT NULL CHECK (amount_minor <> 0),
    PRIMARY KEY (organization_id, entry_id, line),
    FOREIGN KEY (organization_id, entry_id) REFERENCES journal_entries,
    FOREIGN KEY (organization_id, account_id) REFERENCES ledger_accounts
);
CREATE INDEX postings_account ON postings (organization_id, account_id, entry_id DESC);
-- I7: an entry's legs come in one statement and sum to zero for each asset.
CREATE FUNCTION postings_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM inserted GROUP BY organization_id, entry_id, asset
               HAVING sum(amount_minor) <> 0) THEN
        RAISE EXCEPTION 'UNBALANCED_ENTRY' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER postings_balance AFTER INSERT ON postings
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION postings_balance();
CREATE TABLE holds (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    transfer_id uuid NOT NULL,
    payment_id uuid,
    amount_minor numeric(78,0) NOT NULL CHECK (amount_minor > 0),
    state text NOT NULL CHECK (state IN ('placed', 'posted', 'voided')),
    placed_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, account_id) REFERENCES ledger_accounts
);
CREATE INDEX holds_transfer ON holds (organization_id, transfer_id);
"""

TRANSFERS = """
CREATE TABLE wallets (
    organization_id uuid NOT NULL REFERENCES organizations,
    id uuid NOT NULL,
    chain_id bigint NOT NULL,
    address text NOT NULL CHECK (address ~ '^0x[0-9a-f]{40}$'),
    label text NOT NULL,
    state text NOT NULL CHECK (state IN ('active', 'stopped')),
    next_nonce bigint NOT NULL DEFAULT 0 CHECK (next_nonce >= 0),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    UNIQUE (chain_id, address)
);
CREATE TABLE transfers (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    wallet_id uuid NOT NULL,
    chain_id bigint NOT NULL,
    sender text NOT NULL,
    token text NOT NULL,
    state text NOT NULL CHECK (state IN ('reserved', 'slotted', 'signed', 'broadcast', 'included',
        'settled', 'cancelling', 'void', 'quarantined')),
    order_bytes bytea NOT NULL,
    nonce bigint,
    gas_limit bigint NOT NULL,
    max_fee_per_gas_wei numeric(78,0) NOT NULL,
    max_priority_fee_per_gas_wei numeric(78,0) NOT NULL,
    call_digest bytea,
    block_number bigint,
    block_hash bytea,
    reason text NOT NULL DEFAULT '',
    fence integer NOT NULL DEFAULT 0,
    lease_until timestamptz,
    next_at timestamptz,
    tries integer NOT NULL DEFAULT 0,
    sent_at timestamptz,
    created_at timestamptz NOT NULL,
    settled_at timestamptz,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, wallet_id) REFERENCES wallets,
    -- I1, chain-global: a slot belongs to one transfer whatever the organization.
    UNIQUE (chain_id, sender, nonce)
);
CREATE INDEX transfers_due ON transfers (next_at)
    WHERE state NOT IN ('settled', 'void', 'quarantined');
CREATE INDEX transfers_wallet_live ON transfers (organization_id, wallet_id)
    WHERE state NOT IN ('settled', 'void', 'quarantined');
-- I19: terminal states absorb.
CREATE FUNCTION transfers_terminal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'TERMINAL_TRANSFER % is %', OLD.id, OLD.state USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER transfers_terminal BEFORE UPDATE ON transfers FOR EACH ROW
    WHEN (OLD.state IN ('settled', 'void')) EXECUTE FUNCTION transfers_terminal();
CREATE TABLE transfer_items (
    organization_id uuid NOT NULL,
    transfer_id uuid NOT NULL,
    position smallint NOT NULL,
    payment_id uuid NOT NULL,
    recipient text NOT NULL,
    amount_minor numeric(78,0) NOT NULL,
    reporting_amount_minor numeric(78,0) NOT NULL,
    order_digest bytea NOT NULL,
    state text NOT NULL CHECK (state IN ('live', 'settled', 'void')),
    chain_id bigint NOT NULL,
    transaction_hash bytea,
    log_index integer,
    PRIMARY KEY (organization_id, transfer_id, position),
    FOREIGN KEY (organization_id, transfer_id) REFERENCES transfers,
    FOREIGN KEY (organization_id, payment_id) REFERENCES payments,
    -- I6: a log settles one item, whatever the organization.
    UNIQUE (chain_id, transaction_hash, log_index)
);
-- I1: at most one item of a payment that is not void.
CREATE UNIQUE INDEX transfer_items_payment ON transfer_items (organization_id, payment_id)
    WHERE state <> 'void';
CREATE TABLE attempts (
    organization_id uuid NOT NULL,
    transfer_id uuid NOT NULL,
    number smallint NOT NULL,
    kind text NOT NULL CHECK (kind IN ('payment', 'cancel')),
    chain_id bigint NOT NULL,
    transaction_hash bytea NOT NULL,
    call_digest bytea NOT NULL,
    raw bytea NOT NULL,
    max_fee_per_gas_wei numeric(78,0) NOT NULL,
    max_priority_fee_per_gas_wei numeric(78,0) NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, transfer_id, number),
    UNIQUE (chain_id, transaction_hash),
    FOREIGN KEY (organization_id, transfer_id) REFERENCES transfers
);
"""

AUDIT = """
CREATE TABLE audit_events (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    cursor bigint GENERATED ALWAYS AS IDENTITY,
    aggregate text NOT NULL,
    aggregate_id uuid NOT NULL,
    version integer NOT NULL,
    kind text NOT NULL,
    actor_id uuid,
    payload jsonb NOT NULL,
    salt bytea NOT NULL,
    commitment bytea NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, aggregate_id, version)
);
CREATE INDEX audit_events_cursor ON audit_events (organization_id, cursor);
CREATE TABLE audit_unsealed (
    organization_id uuid NOT NULL,
    event_id uuid NOT NULL,
    PRIMARY KEY (organization_id, event_id)
);
CREATE TABLE audit_seals (
    organization_id uuid NOT NULL,
    sequence bigint NOT NULL,
    event_id uuid NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (organization_id, sequence),
    UNIQUE (organization_id, event_id)
);
CREATE TABLE audit_heads (
    organization_id uuid PRIMARY KEY,
    sequence bigint NOT NULL DEFAULT 0,
    hash bytea NOT NULL,
    signature bytea,
    signed_sequence bigint
);
"""

APP_READ_WRITE = (
    "organizations users user_roles sessions login_links idempotency_keys payees payee_addresses "
    "documents invoices policy_sets budgets spend_minutes outflow_days bank_balances payments "
    "allocations approval_requests approval_links notifications ledger_accounts holds wallets transfers "
    "transfer_items audit_heads"
).split()
APP_INSERT_ONLY = "decisions votes journal_entries postings attempts audit_events audit_seals".split()

GRANTS = """
GRANT SELECT, INSERT, DELETE ON audit_unsealed TO treasurer_app;
GRANT DELETE ON user_roles TO treasurer_app;
GRANT EXECUTE ON FUNCTION organization_of_email(text) TO treasurer_app;
GRANT SELECT (organization_id, id, state, next_at) ON payments TO treasurer_system;
GRANT SELECT (organization_id, id, wallet_id, state, next_at, lease_until, fence) ON transfers
    TO treasurer_system;
GRANT UPDATE (lease_until, fence) ON transfers TO treasurer_system;
GRANT SELECT (organization_id, event_id) ON audit_unsealed TO treasurer_system;
GRANT SELECT (organization_id, sequence, signed_sequence) ON audit_heads TO treasurer_system;
GRANT SELECT (organization_id, id, state, expires_at) ON approval_requests TO treasurer_system;
GRANT SELECT (id, frozen) ON organizations TO treasurer_system;
-- For organization_of_email, which runs as the owner.
CREATE POLICY sign_in ON users FOR SELECT TO treasurer_owner USING (true);
CREATE POLICY claims ON payments FOR SELECT TO treasurer_system USING (true);
CREATE POLICY claims ON transfers TO treasurer_system USING (true) WITH CHECK (true);
CREATE POLICY claims ON audit_unsealed FOR SELECT TO treasurer_system USING (true);
CREATE POLICY claims ON audit_heads FOR SELECT TO treasurer_system USING (true);
CREATE POLICY claims ON approval_requests FOR SELECT TO treasurer_system USING (true);
CREATE POLICY claims ON organizations FOR SELECT TO treasurer_system USING (true);
"""

QUEUE = """
-- Workers poll: a notification in each insert takes a database-wide lock across the flush.
DROP TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1 ON procrastinate_jobs;
DROP TRIGGER procrastinate_jobs_notify_queue_job_aborted_v1 ON procrastinate_jobs;
-- The app role may defer a job in its own transaction and nothing else.
ALTER FUNCTION procrastinate_defer_jobs_v1 SECURITY DEFINER SET search_path = public, pg_temp;
GRANT SELECT, INSERT, UPDATE, DELETE ON procrastinate_jobs, procrastinate_events,
    procrastinate_periodic_defers, procrastinate_workers TO treasurer_system;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO treasurer_system;
"""


def upgrade() -> None:
    driver = op.get_bind().connection.driver_connection

    def run(sql: str) -> None:
        # The driver takes several statements at once, and a % as it stands, only without parameters.
        driver.execute(sql)

    for part in (IDENTITY, INTAKE, POLICY, PAYMENTS, LEDGER, TRANSFERS, AUDIT):
        run(part)
    run("GRANT USAGE ON SCHEMA public TO treasurer_app, treasurer_system")
    for table in (*APP_READ_WRITE, *APP_INSERT_ONLY, "audit_unsealed"):
        column = "id" if table == "organizations" else "organization_id"
        run(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        run(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        run(
            f"CREATE POLICY organization ON {table} TO treasurer_app, treasurer_owner "
            f"USING ({column} = nullif(current_setting('app.org', true), '')::uuid) "
            f"WITH CHECK ({column} = nullif(current_setting('app.org', true), '')::uuid)"
        )
    run(f"GRANT SELECT, INSERT, UPDATE ON {', '.join(APP_READ_WRITE)} TO treasurer_app")
    run(f"GRANT SELECT, INSERT ON {', '.join(APP_INSERT_ONLY)} TO treasurer_app")
    run(GRANTS)
    run(SchemaManager.get_schema())
    run(QUEUE)


def downgrade() -> None:
    raise NotImplementedError("restore a backup: the first migration has nothing before it")
