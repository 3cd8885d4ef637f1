"""Owns the checks of what the database itself refuses: keys, triggers, grants, row-level security.

Must never check rows: a guard that is gone is a violation before anything went through it.
"""

from treasurer.audit.reconciliation.query import Query

_KEYS = """
    ('transfers', 'chain_id, sender, nonce'), ('wallets', 'chain_id, address'),
    ('attempts', 'chain_id, transaction_hash'),
    ('transfer_items', 'chain_id, transaction_hash, log_index'),
    ('transfer_items', 'organization_id, payment_id'),
    ('journal_entries', 'organization_id, kind, reference_id'),
    ('votes', 'organization_id, approval_request_id, user_id, round'),
    ('idempotency_keys', 'organization_id, principal_id, route, key'),
    ('audit_events', 'organization_id, aggregate_id, version'),
    ('audit_seals', 'organization_id, sequence'), ('budgets', 'organization_id')
"""

GUARDS = (
    Query(
        "I1.unique",
        "The keys that let a fact exist once are in force, the chain's own across organizations.",
        "UNIQUE_KEY_MISSING",
        f"""
        SELECT k.table_name, k.columns FROM (VALUES {_KEYS}) AS k (table_name, columns)
        WHERE CAST(:organization_id AS uuid) IS NOT NULL AND NOT EXISTS (
            SELECT FROM pg_index x
            WHERE x.indrelid = to_regclass(k.table_name) AND x.indisunique AND x.indisvalid
              AND k.columns = (
                SELECT string_agg(a.attname, ', ' ORDER BY c.place)
                FROM unnest(x.indkey) WITH ORDINALITY AS c (number, place)
                JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = c.number))
        """,
    ),
    Query(
        "I7.append_only",
        "The service may add to journal, decisions, votes, attempts and audit log, and change nothing.",
        "HISTORY_MAY_BE_CHANGED",
        """
        SELECT t.table_name, g.privilege
        FROM (VALUES ('journal_entries'), ('postings'), ('decisions'), ('votes'), ('attempts'),
                     ('audit_events'), ('audit_seals')) AS t (table_name),
             (VALUES ('UPDATE'), ('DELETE'), ('TRUNCATE')) AS g (privilege)
        WHERE CAST(:organization_id AS uuid) IS NOT NULL
          AND has_table_privilege('treasurer_app', t.table_name, g.privilege)
        """,
    ),
    Query(
        "I19.triggers",
        "The triggers that refuse unbalanced entries and changes of ended transfers are in force.",
        "TRIGGER_MISSING",
        """
        SELECT t.table_name, t.name
        FROM (VALUES ('postings', 'postings_balance'), ('transfers', 'transfers_terminal'))
             AS t (table_name, name)
        WHERE CAST(:organization_id AS uuid) IS NOT NULL AND NOT EXISTS (
            SELECT FROM pg_trigger g WHERE g.tgrelid = to_regclass(t.table_name)
              AND g.tgname = t.name AND g.tgenabled IN ('O', 'A'))
        """,
    ),
    Query(
        "I20.row_level_security",
        "Row-level security is forced on every table that carries an organization.",
        "ROW_LEVEL_SECURITY_OFF",
        """
        SELECT c.relname AS table_name FROM pg_class c
        WHERE CAST(:organization_id AS uuid) IS NOT NULL AND c.relkind IN ('r', 'p')
          AND c.relnamespace = CAST('public' AS regnamespace)
          AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid
              AND a.attname = 'organization_id' AND NOT a.attisdropped)
          AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
        """,
    ),
    Query(
        "I20.role",
        "The service's role is bound by row-level security.",
        "ROLE_SEES_EVERYTHING",
        """
        SELECT rolname AS role FROM pg_roles
        WHERE CAST(:organization_id AS uuid) IS NOT NULL
          AND rolname IN ('treasurer_app', 'treasurer_system', current_user)
          AND (rolsuper OR rolbypassrls)
        """,
    ),
)
