"""Owns the checks of reviewed invoices (I12, I18): who vouched for one, and who else agreed.

Must never read why: a reason is a person's, and its presence is the database's rule.
"""

from treasurer.audit.reconciliation.query import Query

REVIEWS = (
    Query(
        "I12.reviewers",
        "Nobody who had reviewed an invoice approved its payment.",
        "REVIEWED_AND_APPROVED",
        """
        SELECT v.approval_request_id, p.id AS payment_id, w.reviewer_id FROM votes v
        JOIN approval_requests r ON r.organization_id = v.organization_id
         AND r.id = v.approval_request_id AND r.state = 'approved'
        JOIN payments p ON p.organization_id = r.organization_id AND p.id = r.payment_id
        JOIN invoice_reviews w ON w.organization_id = p.organization_id
         AND w.invoice_id = p.invoice_id AND w.reviewer_id IN (v.user_id, v.delegator_id)
        WHERE v.organization_id = :organization_id AND v.choice = 'approve' AND w.id < r.id
        """,
    ),
    Query(
        "I18.purchases",
        "A bill that differs from its order is paid only where it was accepted and two agreed.",
        "DIFFERENCE_PAID_WITHOUT_QUORUM",
        """
        SELECT p.id AS payment_id, i.purchase_state FROM payments p
        JOIN invoices i ON i.organization_id = p.organization_id AND i.id = p.invoice_id
        WHERE p.organization_id = :organization_id
          AND p.state IN ('executing', 'settled', 'needs_attention')
          AND i.purchase_state NOT IN ('no_order', 'matched')
          AND (NOT EXISTS (
                   SELECT FROM invoice_reviews w
                   WHERE w.organization_id = i.organization_id AND w.invoice_id = i.id
                     AND 'PO_' || upper(i.purchase_state) = ANY (w.accepted))
               OR (SELECT count(DISTINCT v.user_id) FROM approval_requests r
                   JOIN votes v ON v.organization_id = r.organization_id
                    AND v.approval_request_id = r.id AND v.choice = 'approve'
                   WHERE r.organization_id = p.organization_id AND r.payment_id = p.id
                     AND NOT EXISTS (
                         SELECT FROM vote_withdrawals x
                         WHERE x.organization_id = v.organization_id AND x.user_id = v.user_id
                           AND x.approval_request_id = v.approval_request_id
                           AND x.round = v.round)) < 2)
        """,
    ),
)
