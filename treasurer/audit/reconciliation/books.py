"""Owns the checks of sums: entries, balances, holds, windows, allocations (I5, I7, I8, I16, I17).

Must never trust a running sum: each is made again from the rows that it stands for.
"""

from treasurer.audit.reconciliation.query import Query

BOOKS = (
    Query(
        "I7.entries",
        "Every journal entry has postings, and they sum to zero in each asset.",
        "UNBALANCED_ENTRY",
        """
        SELECT e.id AS entry_id, e.kind, s.asset, coalesce(s.total, 0) AS total
        FROM journal_entries e LEFT JOIN LATERAL (
            SELECT p.asset, sum(p.amount_minor) AS total FROM postings p
            WHERE p.organization_id = e.organization_id AND p.entry_id = e.id GROUP BY p.asset
        ) s ON true
        WHERE e.organization_id = :organization_id AND s.total IS DISTINCT FROM 0
        """,
    ),
    Query(
        "I7.posted",
        "Every account's balance is the sum of its postings, in its own asset.",
        "BALANCE_IS_NOT_ITS_POSTINGS",
        """
        SELECT a.id AS account_id, a.code, a.posted_minor AS posted, coalesce(s.total, 0) AS total,
            coalesce(s.foreign_legs, 0) AS foreign_legs
        FROM ledger_accounts a LEFT JOIN LATERAL (
            SELECT sum(p.amount_minor) AS total, count(*) FILTER (WHERE p.asset <> a.asset)
                AS foreign_legs
            FROM postings p WHERE p.organization_id = a.organization_id AND p.account_id = a.id
        ) s ON true
        WHERE a.organization_id = :organization_id
          AND (a.posted_minor <> coalesce(s.total, 0) OR coalesce(s.foreign_legs, 0) > 0)
        """,
    ),
    Query(
        "I8.held",
        "What an account holds back is the sum of its placed holds.",
        "HELD_IS_NOT_ITS_HOLDS",
        """
        SELECT a.id AS account_id, a.code, a.held_minor AS held, coalesce(s.total, 0) AS total
        FROM ledger_accounts a LEFT JOIN (
            SELECT account_id, sum(amount_minor) AS total FROM holds
            WHERE organization_id = :organization_id AND state = 'placed' GROUP BY account_id
        ) s ON s.account_id = a.id
        WHERE a.organization_id = :organization_id AND a.held_minor <> coalesce(s.total, 0)
        """,
    ),
    Query(
        "I8.available",
        "No account holds back more than it has.",
        "HELD_BEYOND_POSTED",
        """
        SELECT a.id AS account_id, a.code, a.posted_minor AS posted, a.held_minor AS held
        FROM ledger_accounts a
        WHERE a.organization_id = :organization_id AND a.held_minor > a.posted_minor
          AND a.held_minor > 0
        """,
    ),
    Query(
        "I5.holds",
        "A hold is placed while its transfer lives, posted when it settled, voided when it is void.",
        "HOLD_AGAINST_ITS_TRANSFER",
        """
        SELECT h.id AS hold_id, h.transfer_id, h.state AS hold_state, t.state AS transfer_state,
            h.amount_minor AS amount
        FROM holds h LEFT JOIN transfers t
          ON t.organization_id = h.organization_id AND t.id = h.transfer_id
        WHERE h.organization_id = :organization_id AND h.state IS DISTINCT FROM
          CASE WHEN t.state = 'settled' THEN 'posted' WHEN t.state = 'void' THEN 'voided'
               WHEN t.id IS NOT NULL THEN 'placed' END
        """,
    ),
    Query(
        "I8.covered",
        "Every live payment's amount is held for it in full.",
        "LIVE_ITEM_WITHOUT_ITS_HOLD",
        """
        SELECT i.transfer_id, i.payment_id, i.amount_minor AS amount,
            coalesce(sum(h.amount_minor), 0) AS held
        FROM transfer_items i LEFT JOIN holds h
          ON h.organization_id = i.organization_id AND h.transfer_id = i.transfer_id
         AND h.payment_id = i.payment_id AND h.state = 'placed'
        WHERE i.organization_id = :organization_id AND i.state = 'live'
        GROUP BY i.transfer_id, i.payment_id, i.amount_minor
        HAVING i.amount_minor <> coalesce(sum(h.amount_minor), 0)
        """,
    ),
    Query(
        "I16.in_flight",
        "What counts as in flight is the sum of all live items, in reporting currency.",
        "IN_FLIGHT_IS_NOT_ITS_ITEMS",
        """
        SELECT b.in_flight_minor AS in_flight, s.total
        FROM budgets b, LATERAL (
            SELECT coalesce(sum(i.reporting_amount_minor), 0) AS total FROM transfer_items i
            WHERE i.organization_id = b.organization_id AND i.state = 'live') s
        WHERE b.organization_id = :organization_id AND b.in_flight_minor <> s.total
        """,
    ),
    Query(
        "I16.minutes",
        "Every minute's sum is that of the payments which settled in it.",
        "MINUTE_IS_NOT_ITS_PAYMENTS",
        """
        SELECT coalesce(m.minute, s.minute) AS minute, coalesce(m.amount_minor, 0) AS kept,
            coalesce(s.total, 0) AS total
        FROM (SELECT minute, amount_minor FROM spend_minutes
              WHERE organization_id = :organization_id) m
        FULL JOIN (
            SELECT date_trunc('minute', settled_at, 'UTC') AS minute,
                sum(reporting_amount_minor) AS total
            FROM payments WHERE organization_id = :organization_id AND state = 'settled'
            GROUP BY 1) s ON s.minute = m.minute
        WHERE coalesce(m.amount_minor, 0) <> coalesce(s.total, 0)
        """,
    ),
    Query(
        "I16.days",
        "Every day's outflow is that of the payments which settled on it.",
        "DAY_IS_NOT_ITS_PAYMENTS",
        """
        SELECT coalesce(d.day, s.day) AS day, coalesce(d.amount_minor, 0) AS kept,
            coalesce(s.total, 0) AS total, coalesce(d.payments, 0) AS kept_payments,
            coalesce(s.payments, 0) AS payments
        FROM (SELECT day, amount_minor, payments FROM outflow_days
              WHERE organization_id = :organization_id) d
        FULL JOIN (
            SELECT CAST(settled_at AT TIME ZONE 'UTC' AS date) AS day,
                sum(reporting_amount_minor) AS total, count(*) AS payments
            FROM payments WHERE organization_id = :organization_id AND state = 'settled'
            GROUP BY 1) s ON s.day = d.day
        WHERE (coalesce(d.amount_minor, 0), coalesce(d.payments, 0))
           <> (coalesce(s.total, 0), coalesce(s.payments, 0))
        """,
    ),
    Query(
        "I17.allocations",
        "Live and settled allocations of an invoice never exceed it, nor the live ones what is open.",
        "ALLOCATED_BEYOND_INVOICE",
        """
        SELECT v.id AS invoice_id, v.payable_amount_minor AS payable, v.open_amount_minor AS open,
            s.live, s.settled
        FROM invoices v JOIN (
            SELECT invoice_id, coalesce(sum(amount_minor) FILTER (WHERE state = 'live'), 0) AS live,
                coalesce(sum(amount_minor) FILTER (WHERE state = 'settled'), 0) AS settled
            FROM allocations WHERE organization_id = :organization_id GROUP BY invoice_id
        ) s ON s.invoice_id = v.id
        WHERE v.organization_id = :organization_id
          AND (s.live + s.settled > v.payable_amount_minor OR s.live > v.open_amount_minor
               OR v.open_amount_minor > v.payable_amount_minor - s.settled)
        """,
    ),
    Query(
        "I17.states",
        "An allocation is live while its payment may pay, settled when it did, else released.",
        "ALLOCATION_AGAINST_ITS_PAYMENT",
        """
        SELECT a.payment_id, a.invoice_id, a.state AS allocation_state, p.state AS payment_state
        FROM allocations a JOIN payments p
          ON p.organization_id = a.organization_id AND p.id = a.payment_id
        WHERE a.organization_id = :organization_id AND a.state <>
          CASE WHEN p.state = 'settled' THEN 'settled'
               WHEN p.state IN ('denied', 'expired') THEN 'released' ELSE 'live' END
        """,
    ),
)
