"""Approvals that cannot be bent: withdrawn votes, delegations, step-up, changes of payees' details.

Votes stay insert-only. Taking one back is a row of its own, and whoever then votes again does so in the
next round, which the database grants only after the withdrawal of the one before: one person never has
two standing votes on a request (I14).
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

VOTES = """
ALTER TABLE votes ADD COLUMN round smallint NOT NULL DEFAULT 1 CHECK (round > 0);
-- For whom a delegate votes, and with whose roles; null for a vote of one's own.
ALTER TABLE votes ADD COLUMN delegator_id uuid;
ALTER TABLE votes ADD CHECK (delegator_id <> user_id);
ALTER TABLE votes DROP CONSTRAINT votes_pkey;
ALTER TABLE votes ADD PRIMARY KEY (organization_id, approval_request_id, user_id, round);
CREATE TABLE vote_withdrawals (
    organization_id uuid NOT NULL,
    approval_request_id uuid NOT NULL,
    user_id uuid NOT NULL,
    round smallint NOT NULL,
    withdrawn_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, approval_request_id, user_id, round),
    FOREIGN KEY (organization_id, approval_request_id, user_id, round) REFERENCES votes
);
ALTER TABLE votes ADD COLUMN follows smallint GENERATED ALWAYS AS (nullif(round, 1) - 1) STORED;
ALTER TABLE votes ADD FOREIGN KEY (organization_id, approval_request_id, user_id, follows)
    REFERENCES vote_withdrawals;
CREATE TABLE vote_delegations (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    delegator_id uuid NOT NULL,
    delegate_id uuid NOT NULL CHECK (delegate_id <> delegator_id),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL CHECK (ends_at > starts_at),
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, delegator_id) REFERENCES users,
    FOREIGN KEY (organization_id, delegate_id) REFERENCES users
);
CREATE INDEX vote_delegations_delegate ON vote_delegations (organization_id, delegate_id)
    WHERE revoked_at IS NULL;
CREATE INDEX vote_delegations_delegator ON vote_delegations (organization_id, delegator_id)
    WHERE revoked_at IS NULL;
CREATE TABLE approval_settings (
    organization_id uuid PRIMARY KEY REFERENCES organizations,
    -- Base units of the reporting currency; null asks nobody for a second proof.
    step_up_above_minor numeric(78,0) CHECK (step_up_above_minor >= 0),
    step_up_within_s integer NOT NULL DEFAULT 600 CHECK (step_up_within_s BETWEEN 60 AND 3600),
    escalation_role text NOT NULL DEFAULT 'cfo'
);
"""

IDENTITY = """
ALTER TABLE sessions ADD COLUMN stepped_up_at timestamptz;
CREATE TABLE totp_enrolments (
    organization_id uuid NOT NULL,
    user_id uuid NOT NULL,
    -- Sealed for this very user: it opens under no other row.
    sealed_secret bytea NOT NULL,
    -- The last time step whose code was taken: a code serves once (RFC 6238, 5.2).
    last_step bigint NOT NULL DEFAULT 0,
    failures smallint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    PRIMARY KEY (organization_id, user_id),
    FOREIGN KEY (organization_id, user_id) REFERENCES users
);
"""

PAYEES = """
ALTER TABLE payees ADD COLUMN phone text;
-- After a change of details, as after one of an address: nothing is paid before.
ALTER TABLE payees ADD COLUMN cooling_off_until timestamptz;
ALTER TABLE payee_addresses ADD COLUMN call_back jsonb;
CREATE TABLE payee_changes (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    payee_id uuid NOT NULL,
    details jsonb NOT NULL,
    former jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('proposed', 'confirmed', 'refused')),
    proposed_by uuid NOT NULL,
    proposed_at timestamptz NOT NULL,
    decided_by uuid CHECK (state <> 'confirmed' OR decided_by <> proposed_by),
    decided_at timestamptz,
    call_back jsonb CHECK (state <> 'confirmed' OR call_back IS NOT NULL),
    cooling_off_until timestamptz,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, payee_id) REFERENCES payees
);
CREATE UNIQUE INDEX payee_changes_open ON payee_changes (organization_id, payee_id)
    WHERE state = 'proposed';
CREATE INDEX payee_changes_payee ON payee_changes (organization_id, payee_id, id DESC);
"""

READ_WRITE = (
    "vote_delegations",
    "approval_settings",
    "totp_enrolments",
    "payee_changes",
)
INSERT_ONLY = ("vote_withdrawals",)


def upgrade() -> None:
    run = op.get_bind().connection.driver_connection.execute
    for part in (VOTES, IDENTITY, PAYEES):
        run(part)
    for table in (*READ_WRITE, *INSERT_ONLY):
        run(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        run(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        run(
            f"CREATE POLICY organization ON {table} TO treasurer_app, treasurer_owner "
            "USING (organization_id = nullif(current_setting('app.org', true), '')::uuid) "
            "WITH CHECK (organization_id = nullif(current_setting('app.org', true), '')::uuid)"
        )
    run(f"GRANT SELECT, INSERT, UPDATE ON {', '.join(READ_WRITE)} TO treasurer_app")
    run(f"GRANT SELECT, INSERT ON {', '.join(INSERT_ONLY)} TO treasurer_app")


def downgrade() -> None:
    raise NotImplementedError("restore a backup: withdrawn votes would count again")
