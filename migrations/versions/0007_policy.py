"""The facts and the life of policies: sums by scope, categories, the sanctions list, sign-offs, backtests.

Sums by scope are kept in the payment's commit. What settled within the longest window, and what is in
flight, is counted once here, so that a limit over a scope sees it from the first day.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

FACTS = """
-- Words of the finance team; `none` is how a policy names payees without one.
ALTER TABLE payees ADD COLUMN category text
    CHECK (category ~ '^[a-z][a-z0-9_-]{0,39}$' AND category <> 'none');
-- The payee's category when the payment was proposed: its sums rise and fall by the same one.
ALTER TABLE payments ADD COLUMN category text;
CREATE INDEX payments_history ON payments (organization_id, payee_id, settled_at DESC)
    WHERE state = 'settled';
CREATE TABLE scoped_in_flight (
    organization_id uuid NOT NULL,
    scope text NOT NULL,
    key text NOT NULL,
    amount_minor numeric(78,0) NOT NULL CHECK (amount_minor >= 0),
    PRIMARY KEY (organization_id, scope, key)
);
-- What settled, twice: by minute, and by day for all of a window but its oldest day.
CREATE TABLE scoped_spending (
    organization_id uuid NOT NULL,
    scope text NOT NULL,
    key text NOT NULL,
    bucket text NOT NULL CHECK (bucket IN ('minute', 'day')),
    starts_at timestamptz NOT NULL,
    amount_minor numeric(78,0) NOT NULL,
    PRIMARY KEY (organization_id, scope, key, bucket, starts_at)
);
CREATE TABLE sanctions_lists (
    organization_id uuid PRIMARY KEY REFERENCES organizations,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    entries integer NOT NULL,
    loaded_by uuid NOT NULL,
    loaded_at timestamptz NOT NULL
);
CREATE TABLE sanctions_entries (
    organization_id uuid NOT NULL REFERENCES sanctions_lists,
    kind text NOT NULL CHECK (kind IN ('name', 'address')),
    key text NOT NULL,
    label text NOT NULL,
    PRIMARY KEY (organization_id, kind, key)
);
-- The scopes that a payment counts in. The one place in the database that knows them.
CREATE FUNCTION payment_scopes(p payments, chain_id bigint)
    RETURNS TABLE (scope text, key text) LANGUAGE sql IMMUTABLE AS $$
    SELECT s.scope, s.key FROM (VALUES
        ('organization', ''),
        ('payee', p.payee_id::text),
        ('initiator', p.initiator_id::text),
        ('agent', CASE WHEN p.initiator_kind = 'agent' THEN '' END),
        ('asset', p.asset),
        ('network', chain_id::text),
        ('category', p.category)) AS s (scope, key)
    WHERE s.key IS NOT NULL
$$;
"""

LIFE = """
ALTER TABLE policy_sets DROP CONSTRAINT policy_sets_state_check;
ALTER TABLE policy_sets ADD CONSTRAINT policy_sets_state_check
    CHECK (state IN ('draft', 'simulated', 'signed_off', 'active', 'superseded'));
-- Never edited in place: only the state and who activated it may change.
CREATE FUNCTION policy_sets_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'POLICY_SET_FIXED %', OLD.id USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER policy_sets_fixed BEFORE UPDATE ON policy_sets FOR EACH ROW
    WHEN ((OLD.version, OLD.digest, OLD.document, OLD.created_by, OLD.created_at)
        IS DISTINCT FROM (NEW.version, NEW.digest, NEW.document, NEW.created_by, NEW.created_at)
        OR OLD.state = 'superseded')
    EXECUTE FUNCTION policy_sets_fixed();
CREATE TABLE policy_backtests (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    policy_set_id uuid NOT NULL,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    report bytea NOT NULL,
    made_by uuid NOT NULL,
    made_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, policy_set_id) REFERENCES policy_sets
);
CREATE INDEX policy_backtests_digest ON policy_backtests (organization_id, policy_set_id, digest);
CREATE TABLE policy_sign_offs (
    organization_id uuid NOT NULL,
    policy_set_id uuid NOT NULL,
    user_id uuid NOT NULL,
    backtest_digest bytea NOT NULL,
    signed_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, policy_set_id, user_id),
    FOREIGN KEY (organization_id, policy_set_id) REFERENCES policy_sets,
    FOREIGN KEY (organization_id, user_id) REFERENCES users
);
"""

# Row-level security binds the owner too; it is lifted for the rows that the migration itself reads.
BACKFILL = """
ALTER TABLE payments NO FORCE ROW LEVEL SECURITY;
ALTER TABLE payee_addresses NO FORCE ROW LEVEL SECURITY;
INSERT INTO scoped_in_flight
SELECT p.organization_id, s.scope, s.key, sum(p.reporting_amount_minor)
FROM payments p
JOIN payee_addresses d ON d.organization_id = p.organization_id AND d.id = p.payee_address_id,
    LATERAL payment_scopes(p, d.chain_id) s
WHERE p.state IN ('executing', 'needs_attention')
GROUP BY p.organization_id, s.scope, s.key;
INSERT INTO scoped_spending
SELECT p.organization_id, s.scope, s.key, b.bucket, date_trunc(b.bucket, p.settled_at, 'UTC'),
    sum(p.reporting_amount_minor)
FROM payments p
JOIN payee_addresses d ON d.organization_id = p.organization_id AND d.id = p.payee_address_id,
    LATERAL payment_scopes(p, d.chain_id) s, (VALUES ('minute'), ('day')) AS b (bucket)
WHERE p.state = 'settled' AND p.settled_at > now() - interval '33 days'
GROUP BY p.organization_id, s.scope, s.key, b.bucket, date_trunc(b.bucket, p.settled_at, 'UTC');
ALTER TABLE payments FORCE ROW LEVEL SECURITY;
ALTER TABLE payee_addresses FORCE ROW LEVEL SECURITY;
"""

READ_WRITE = "scoped_in_flight scoped_spending sanctions_lists".split()
INSERT_ONLY = "policy_backtests policy_sign_offs".split()


def upgrade() -> None:
    driver = op.get_bind().connection.driver_connection

    def run(sql: str) -> None:
        driver.execute(sql)

    run(FACTS)
    run(LIFE)
    run(BACKFILL)
    for table in (*READ_WRITE, *INSERT_ONLY, "sanctions_entries"):
        run(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        run(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        run(
            f"CREATE POLICY organization ON {table} TO treasurer_app, treasurer_owner "
            "USING (organization_id = nullif(current_setting('app.org', true), '')::uuid) "
            "WITH CHECK (organization_id = nullif(current_setting('app.org', true), '')::uuid)"
        )
    run(f"GRANT SELECT, INSERT, UPDATE ON {', '.join(READ_WRITE)} TO treasurer_app")
    run(f"GRANT SELECT, INSERT ON {', '.join(INSERT_ONLY)} TO treasurer_app")
    # A new list replaces the entries of the old one.
    run("GRANT SELECT, INSERT, DELETE ON sanctions_entries TO treasurer_app")


def downgrade() -> None:
    raise NotImplementedError("restore a backup: sign-offs and backtests have no place before it")
