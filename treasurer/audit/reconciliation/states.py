"""Owns the checks of rows against each other and against their history (I1, I6, I15, I18, I19).

Must never read the chain: what the chain says of a slot is `slot_checks`.
"""

from treasurer.audit.reconciliation.query import Query

STATES = (
    Query(
        "I1.slots",
        "A nonce of a wallet belongs to one transfer.",
        "SLOT_SHARED",
        """
        SELECT chain_id, sender, nonce, count(*) AS transfers FROM transfers
        WHERE organization_id = :organization_id AND nonce IS NOT NULL
        GROUP BY chain_id, sender, nonce HAVING count(*) > 1
        """,
    ),
    Query(
        "I1.items",
        "A payment has at most one item that is not void.",
        "PAYMENT_IN_TWO_TRANSFERS",
        """
        SELECT payment_id, count(*) AS items FROM transfer_items
        WHERE organization_id = :organization_id AND state <> 'void'
        GROUP BY payment_id HAVING count(*) > 1
        """,
    ),
    Query(
        "I1.shape",
        "A transfer has items or an own order; from slotted on a nonce below its wallet's counter.",
        "TRANSFER_WITHOUT_SLOT_OR_ITEMS",
        """
        SELECT t.id AS transfer_id, t.state, t.nonce, w.next_nonce
        FROM transfers t JOIN wallets w
          ON w.organization_id = t.organization_id AND w.id = t.wallet_id
        WHERE t.organization_id = :organization_id AND (
            (t.state NOT IN ('reserved', 'void') AND (t.nonce IS NULL OR t.call_digest IS NULL))
            OR t.nonce >= w.next_nonce OR t.sender <> w.address OR t.chain_id <> w.chain_id
            OR (t.allowance_id IS NULL AND t.top_up_id IS NULL
                AND NOT EXISTS (SELECT FROM transfer_items i
                    WHERE i.organization_id = t.organization_id AND i.transfer_id = t.id)))
        """,
    ),
    Query(
        "I6.items",
        "An item is settled, void or live with its transfer.",
        "ITEM_AGAINST_ITS_TRANSFER",
        """
        SELECT i.transfer_id, i.payment_id, i.state AS item_state, t.state AS transfer_state
        FROM transfer_items i JOIN transfers t
          ON t.organization_id = i.organization_id AND t.id = i.transfer_id
        WHERE i.organization_id = :organization_id AND i.state <>
          CASE t.state WHEN 'settled' THEN 'settled' WHEN 'void' THEN 'void' ELSE 'live' END
        """,
    ),
    Query(
        "I6.payments",
        "A payment is settled with a settled item, and executes or waits for people with a live one.",
        "PAYMENT_AGAINST_ITS_ITEM",
        """
        SELECT p.id AS payment_id, p.state AS payment_state, i.state AS item_state,
            p.amount_minor AS amount, i.amount_minor AS item_amount
        FROM payments p LEFT JOIN transfer_items i
          ON i.organization_id = p.organization_id AND i.payment_id = p.id AND i.state <> 'void'
        WHERE p.organization_id = :organization_id AND (
            i.state IS DISTINCT FROM CASE WHEN p.state = 'settled' THEN 'settled'
                WHEN p.state IN ('executing', 'needs_attention') THEN 'live' END
            OR i.amount_minor <> p.amount_minor OR i.order_digest <> p.order_digest
            OR (i.state = 'settled'
                AND i.transaction_hash IS DISTINCT FROM p.transaction_hash))
        """,
    ),
    Query(
        "I15.keys",
        "An idempotency key keeps the hash of its request and an answer that may be given again.",
        "KEY_WITHOUT_A_LASTING_ANSWER",
        """
        SELECT principal_id, route, key, status FROM idempotency_keys
        WHERE organization_id = :organization_id AND (
            length(request_hash) <> 32 OR status IS NULL OR resource_id IS NULL
            OR status IN (401, 429) OR status >= 500)
        """,
    ),
    Query(
        "I18.decided",
        "Whatever was signed was allowed by a binding decision, or approved for these very bytes.",
        "SIGNED_WITHOUT_DECISION_OR_APPROVAL",
        """
        SELECT t.id AS transfer_id, p.id AS payment_id, d.stage, d.outcome
        FROM transfers t
        JOIN transfer_items i ON i.organization_id = t.organization_id AND i.transfer_id = t.id
        JOIN payments p ON p.organization_id = t.organization_id AND p.id = i.payment_id
        LEFT JOIN audit_events e ON e.organization_id = t.organization_id
            AND e.aggregate_id = t.id AND e.kind = 'transfer.reserved'
        LEFT JOIN decisions d ON d.organization_id = t.organization_id AND d.payment_id = p.id
            AND d.stage = 'reserve' AND d.decided_at = t.created_at
        WHERE t.organization_id = :organization_id
          AND EXISTS (SELECT FROM attempts a
              WHERE a.organization_id = t.organization_id AND a.transfer_id = t.id
                AND a.kind = 'payment')
          AND (e.id IS NULL OR d.id IS NULL OR d.outcome NOT IN ('ALLOW', 'REQUIRE_APPROVAL')
               OR (d.outcome = 'REQUIRE_APPROVAL' AND NOT EXISTS (
                   SELECT FROM approval_requests r
                   WHERE r.organization_id = t.organization_id AND r.payment_id = p.id
                     AND r.state = 'approved' AND r.order_digest = i.order_digest
                     AND r.closed_at <= d.decided_at)))
        """,
    ),
    Query(
        "I18.signed",
        "Every signature that was given for a slot stands in the audit log.",
        "SIGNATURE_NOT_RECORDED",
        """
        SELECT a.transfer_id, a.transaction_hash FROM attempts a
        WHERE a.organization_id = :organization_id AND NOT EXISTS (
            SELECT FROM audit_events e WHERE e.organization_id = a.organization_id
              AND e.aggregate_id = a.transfer_id
              AND e.kind IN ('transfer.signed', 'transfer.attempt')
              AND e.payload ->> 'transaction_hash' = encode(a.transaction_hash, 'hex'))
        """,
    ),
    Query(
        "I19.transfers",
        "A transfer that ended has one last event that says so, and no transition after it.",
        "TRANSFER_MOVED_AFTER_ITS_END",
        """
        SELECT t.id AS transfer_id, t.state, s.ends, s.version_of_end, s.last_version
        FROM transfers t LEFT JOIN LATERAL (
            SELECT count(*) FILTER (WHERE kind IN ('transfer.settled', 'transfer.voided')) AS ends,
                count(*) FILTER (WHERE kind = CASE t.state WHEN 'settled' THEN 'transfer.settled'
                                               ELSE 'transfer.voided' END) AS own_ends,
                coalesce(max(version) FILTER (
                    WHERE kind IN ('transfer.settled', 'transfer.voided')), 0) AS version_of_end,
                coalesce(max(version) FILTER (WHERE kind IN ('transfer.reserved',
                    'transfer.slotted', 'transfer.signed', 'transfer.broadcast',
                    'transfer.included', 'transfer.reorganized', 'transfer.cancelling',
                    'transfer.attempt', 'transfer.quarantined')), 0) AS last_version
            FROM audit_events e
            WHERE e.organization_id = t.organization_id AND e.aggregate_id = t.id
        ) s ON true
        WHERE t.organization_id = :organization_id AND CASE
            WHEN t.state IN ('settled', 'void')
            THEN s.ends <> 1 OR s.own_ends <> 1 OR s.last_version > s.version_of_end
            ELSE s.ends > 0 END
        """,
    ),
    Query(
        "I19.payments",
        "A payment that ended stays so.",
        "PAYMENT_MOVED_AFTER_ITS_END",
        """
        SELECT p.id AS payment_id, p.state, s.ended_as, s.ends
        FROM payments p JOIN LATERAL (
            SELECT count(*) AS ends, max(kind) AS ended_as FROM audit_events e
            WHERE e.organization_id = p.organization_id AND e.aggregate_id = p.id
              AND e.kind IN ('payment.settled', 'payment.denied', 'payment.expired')
        ) s ON s.ends > 0
        WHERE p.organization_id = :organization_id
          AND (s.ends > 1 OR s.ended_as <> 'payment.' || p.state)
        """,
    ),
)
