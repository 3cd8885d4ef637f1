"""What somebody with the owner's rights may do to the rows of one world, and what must be found.

Each entry: the statements, and `check CODE` of everything that contradicts afterwards.
"""

_SETTLED = "(SELECT id FROM transfers WHERE state = 'settled' ORDER BY id LIMIT 1)"
_VOID = "(SELECT id FROM transfers WHERE state = 'void')"
_LIVE = "(SELECT id FROM transfers WHERE state = 'broadcast')"
_PAID = f"(SELECT payment_id FROM transfer_items WHERE transfer_id = {_SETTLED})"
_ACCOUNT = "(SELECT id FROM ledger_accounts WHERE code = 'expense:suppliers:USDC')"


def _ended(statement: str) -> tuple[str, ...]:
    """An update of an ended transfer, past the trigger that refuses it."""
    return (
        "ALTER TABLE transfers DISABLE TRIGGER transfers_terminal",
        statement,
        "ALTER TABLE transfers ENABLE TRIGGER transfers_terminal",
    )


def _unbalanced(statement: str) -> tuple[str, ...]:
    return (
        "ALTER TABLE postings DISABLE TRIGGER postings_balance",
        statement,
        "ALTER TABLE postings ENABLE TRIGGER postings_balance",
    )


ROWS: dict[str, tuple[tuple[str, ...], set[str]]] = {
    "a key of the chain is dropped": (
        ("ALTER TABLE attempts DROP CONSTRAINT attempts_chain_id_transaction_hash_key",),
        {"I1.unique UNIQUE_KEY_MISSING"},
    ),
    "history may be changed": (
        ("GRANT UPDATE ON postings TO treasurer_app",),
        {"I7.append_only HISTORY_MAY_BE_CHANGED"},
    ),
    "a trigger is off": (
        ("ALTER TABLE transfers DISABLE TRIGGER transfers_terminal",),
        {"I19.triggers TRIGGER_MISSING"},
    ),
    "row-level security is not forced": (
        ("ALTER TABLE payments NO FORCE ROW LEVEL SECURITY",),
        {"I20.row_level_security ROW_LEVEL_SECURITY_OFF"},
    ),
    "two transfers share a nonce": (
        (
            "ALTER TABLE transfers DROP CONSTRAINT transfers_chain_id_sender_nonce_key",
            f"UPDATE transfers l SET nonce = s.nonce, sender = s.sender FROM transfers s"
            f" WHERE l.id = {_LIVE} AND s.id = {_SETTLED}",
        ),
        {
            "I1.unique UNIQUE_KEY_MISSING",
            "I1.shape TRANSFER_WITHOUT_SLOT_OR_ITEMS",
            "I1.slots SLOT_SHARED",
            "I4.same_call BYTES_OF_ANOTHER_SLOT",
        },
    ),
    "a payment has two live items": (
        (
            "DROP INDEX transfer_items_payment",
            f"UPDATE transfer_items SET payment_id = {_PAID} WHERE transfer_id = {_LIVE}",
        ),
        {
            "I1.unique UNIQUE_KEY_MISSING",
            "I1.items PAYMENT_IN_TWO_TRANSFERS",
            "I4.same_call BYTES_PAY_ANOTHER_ORDER",
            "I6.payments PAYMENT_AGAINST_ITS_ITEM",
            "I8.covered LIVE_ITEM_WITHOUT_ITS_HOLD",
            "I18.decided SIGNED_WITHOUT_DECISION_OR_APPROVAL",
            "I20.order ORDER_SAYS_OTHERWISE",
        },
    ),
    "a nonce was given out beyond the wallet's counter": (
        (
            "UPDATE wallets w SET next_nonce = t.nonce FROM transfers t"
            f" WHERE t.id = {_LIVE} AND w.id = t.wallet_id",
        ),
        {"I1.shape TRANSFER_WITHOUT_SLOT_OR_ITEMS", "I3.nonces WALLET_USED_ELSEWHERE"},
    ),
    "an item is settled before its transfer": (
        (f"UPDATE transfer_items SET state = 'settled' WHERE transfer_id = {_LIVE}",),
        {
            "I6.items ITEM_AGAINST_ITS_TRANSFER",
            "I6.payments PAYMENT_AGAINST_ITS_ITEM",
            "I16.in_flight IN_FLIGHT_IS_NOT_ITS_ITEMS",
        },
    ),
    "a payment is settled without an item": (
        (
            "UPDATE payments SET state = 'settled', settled_at = created_at"
            " WHERE state = 'approved'",
        ),
        {
            "I6.payments PAYMENT_AGAINST_ITS_ITEM",
            "I16.minutes MINUTE_IS_NOT_ITS_PAYMENTS",
            "I16.days DAY_IS_NOT_ITS_PAYMENTS",
            "I17.states ALLOCATION_AGAINST_ITS_PAYMENT",
        },
    ),
    "a server error is kept as an answer": (
        (
            "INSERT INTO idempotency_keys SELECT organization_id, id, '/x', 'k', sha256('x'), 503,"
            " id, created_at FROM users LIMIT 1",
        ),
        {"I15.keys KEY_WITHOUT_A_LASTING_ANSWER"},
    ),
    "a binding decision is gone": (
        (f"DELETE FROM decisions WHERE payment_id = {_PAID} AND stage = 'reserve'",),
        {"I18.decided SIGNED_WITHOUT_DECISION_OR_APPROVAL"},
    ),
    "what needed people was approved by nobody": (
        ("UPDATE approval_requests SET state = 'superseded'",),
        {"I18.decided SIGNED_WITHOUT_DECISION_OR_APPROVAL"},
    ),
    "a signature was not recorded": (
        (
            f"UPDATE audit_events SET kind = 'transfer.other' WHERE aggregate_id = {_SETTLED}"
            " AND kind = 'transfer.signed'",
        ),
        {"I18.signed SIGNATURE_NOT_RECORDED", "I18.chain AUDIT_CHAIN_BROKEN"},
    ),
    "a transfer ended without a word": (
        _ended(f"UPDATE transfers SET state = 'void' WHERE id = {_LIVE}"),
        {
            "I5.holds HOLD_AGAINST_ITS_TRANSFER",
            "I5.void VOID_WITHOUT_FINAL_CANCEL_OR_REVERT",
            "I6.items ITEM_AGAINST_ITS_TRANSFER",
            "I9.balances LEDGER_IS_NOT_CHAIN",
            "I19.transfers TRANSFER_MOVED_AFTER_ITS_END",
        },
    ),
    "a void transfer came back": (
        _ended(f"UPDATE transfers SET state = 'included' WHERE id = {_VOID}"),
        {
            "I5.holds HOLD_AGAINST_ITS_TRANSFER",
            "I6.items ITEM_AGAINST_ITS_TRANSFER",
            "I9.balances LEDGER_IS_NOT_CHAIN",
            "I19.transfers TRANSFER_MOVED_AFTER_ITS_END",
        },
    ),
    "a settled payment was paid again": (
        (f"UPDATE payments SET state = 'executing' WHERE id = {_PAID}",),
        {
            "I6.payments PAYMENT_AGAINST_ITS_ITEM",
            "I16.minutes MINUTE_IS_NOT_ITS_PAYMENTS",
            "I16.days DAY_IS_NOT_ITS_PAYMENTS",
            "I17.states ALLOCATION_AGAINST_ITS_PAYMENT",
            "I19.payments PAYMENT_MOVED_AFTER_ITS_END",
        },
    ),
    "an entry does not sum to zero": (
        _unbalanced(
            "INSERT INTO postings SELECT organization_id, entry_id, 9, account_id, asset, 5"
            f" FROM postings WHERE account_id = {_ACCOUNT} LIMIT 1"
        ),
        {"I7.entries UNBALANCED_ENTRY", "I7.posted BALANCE_IS_NOT_ITS_POSTINGS"},
    ),
    "a balance was changed by hand": (
        (f"UPDATE ledger_accounts SET posted_minor = posted_minor + 1 WHERE id = {_ACCOUNT}",),
        {"I7.posted BALANCE_IS_NOT_ITS_POSTINGS"},
    ),
    "a wallet's balance was changed by hand": (
        (
            "UPDATE ledger_accounts SET posted_minor = posted_minor + 1 WHERE id ="
            " (SELECT min(id::text)::uuid FROM ledger_accounts WHERE code LIKE 'wallet:%%USDC')",
        ),
        {"I7.posted BALANCE_IS_NOT_ITS_POSTINGS", "I9.balances LEDGER_IS_NOT_CHAIN"},
    ),
    "more is held than the holds": (
        (f"UPDATE ledger_accounts SET held_minor = 1 WHERE id = {_ACCOUNT}",),
        {"I8.held HELD_IS_NOT_ITS_HOLDS"},
    ),
    "a live payment's hold is gone": (
        (
            "UPDATE ledger_accounts a SET held_minor = held_minor - h.amount_minor FROM holds h"
            f" WHERE h.transfer_id = {_LIVE} AND h.account_id = a.id AND h.payment_id IS NOT NULL",
            f"DELETE FROM holds WHERE transfer_id = {_LIVE} AND payment_id IS NOT NULL",
        ),
        {"I8.covered LIVE_ITEM_WITHOUT_ITS_HOLD"},
    ),
    "more is held than is there": (
        (
            "INSERT INTO holds SELECT organization_id, uuidv7(), account_id, transfer_id, NULL,"
            f" 10000000000000, 'placed', placed_at FROM holds WHERE transfer_id = {_LIVE}"
            " AND payment_id IS NOT NULL",
            "UPDATE ledger_accounts a SET held_minor = held_minor + 10000000000000 FROM holds h"
            f" WHERE h.transfer_id = {_LIVE} AND h.account_id = a.id AND h.payment_id IS NOT NULL",
        ),
        {"I8.available HELD_BEYOND_POSTED"},
    ),
    "a hold was voided while the transfer lives": (
        (
            "UPDATE ledger_accounts a SET held_minor = held_minor - h.amount_minor FROM holds h"
            f" WHERE h.transfer_id = {_LIVE} AND h.account_id = a.id AND h.payment_id IS NULL",
            f"UPDATE holds SET state = 'voided' WHERE transfer_id = {_LIVE} AND payment_id IS NULL",
        ),
        {"I5.holds HOLD_AGAINST_ITS_TRANSFER"},
    ),
    "the sum in flight is too small": (
        ("UPDATE budgets SET in_flight_minor = 0",),
        {"I16.in_flight IN_FLIGHT_IS_NOT_ITS_ITEMS"},
    ),
    "a minute forgot a payment": (
        ("UPDATE spend_minutes SET amount_minor = amount_minor - 1",),
        {"I16.minutes MINUTE_IS_NOT_ITS_PAYMENTS"},
    ),
    "a day is missing": (
        ("DELETE FROM outflow_days",),
        {"I16.days DAY_IS_NOT_ITS_PAYMENTS"},
    ),
    "an invoice is allocated twice": (
        (
            "INSERT INTO allocations SELECT a.organization_id, p.id, a.invoice_id, a.amount_minor,"
            " 'live' FROM allocations a, payments p WHERE a.state = 'settled'"
            " AND p.state = 'approved' LIMIT 1",
        ),
        {"I17.allocations ALLOCATED_BEYOND_INVOICE"},
    ),
    "an allocation was released under a live payment": (
        (
            "UPDATE allocations SET state = 'released' WHERE payment_id ="
            " (SELECT id FROM payments WHERE state = 'executing')",
        ),
        {"I17.states ALLOCATION_AGAINST_ITS_PAYMENT"},
    ),
    "a reviewer approved": (
        (
            "INSERT INTO invoice_reviews SELECT p.organization_id,"
            " '00000000-0000-7000-8000-000000000001', p.invoice_id, v.user_id, 'mine', '{}', '{}',"
            " v.voted_at FROM votes v JOIN approval_requests r ON r.id = v.approval_request_id"
            " JOIN payments p ON p.id = r.payment_id"
            " WHERE v.choice = 'approve' AND r.state = 'approved' LIMIT 1",
        ),
        {"I12.reviewers REVIEWED_AND_APPROVED"},
    ),
    "a bill that differs from its order is paid": (
        (
            "UPDATE invoices SET purchase_state = 'over'"
            f" WHERE id = (SELECT invoice_id FROM payments WHERE id = {_PAID})",
        ),
        {"I18.purchases DIFFERENCE_PAID_WITHOUT_QUORUM"},
    ),
    "the requester voted": (
        ("UPDATE votes SET user_id = (SELECT requester_id FROM approval_requests)",),
        {"I12.quorum APPROVED_WITHOUT_QUORUM"},
    ),
    "the voter had changed the payee": (
        ("UPDATE approval_requests r SET barred = ARRAY[v.user_id] FROM votes v",),
        {"I12.quorum APPROVED_WITHOUT_QUORUM"},
    ),
    "the vote was on other bytes": (
        ("UPDATE votes SET order_digest = sha256('other')",),
        {"I12.quorum APPROVED_WITHOUT_QUORUM", "I13.bound VOTE_ON_OTHER_BYTES"},
    ),
    "the vote came after the time": (
        ("UPDATE approval_requests SET expires_at = created_at",),
        {"I12.quorum APPROVED_WITHOUT_QUORUM", "I13.bound VOTE_OUT_OF_TIME"},
    ),
    "an agent voted": (
        ("UPDATE votes SET user_kind = 'agent'",),
        {"I12.quorum APPROVED_WITHOUT_QUORUM", "I13.bound VOTE_OF_NO_PERSON"},
    ),
    "somebody voted twice": (
        (
            "ALTER TABLE votes DROP CONSTRAINT votes_pkey CASCADE",
            "INSERT INTO votes (organization_id, approval_request_id, user_id, user_kind, roles,"
            " choice, reason, order_digest, voted_at, round)"
            " SELECT organization_id, approval_request_id, user_id, user_kind, roles, choice,"
            " reason, order_digest, voted_at, round FROM votes",
        ),
        {"I1.unique UNIQUE_KEY_MISSING", "I14.once VOTED_TWICE"},
    ),
    "a decision's facts were changed": (
        (
            "UPDATE decisions SET facts = convert_to(replace(convert_from(facts, 'UTF8'),"
            " '\"frozen\":false', '\"frozen\":true'), 'UTF8') WHERE payment_id = " + _PAID,
        ),
        {"I10.replays FACTS_CHANGED", "I10.replays DECISION_DOES_NOT_REPLAY"},
    ),
    "a decision's outcome was changed": (
        ("UPDATE decisions SET outcome = 'ALLOW' WHERE stage = 'proposal'",),
        {"I10.replays DECISION_DOES_NOT_REPLAY"},
    ),
    "the policy of a decision was changed": (
        (
            "ALTER TABLE policy_sets DISABLE TRIGGER policy_sets_fixed",
            "UPDATE policy_sets SET document = document || ' '",
        ),
        {"I10.replays POLICY_SET_MISSING"},
    ),
    "an audit event was changed": (
        ("UPDATE audit_events SET payload = '{}' WHERE kind = 'wallet.enrolled'",),
        {"I18.chain AUDIT_CHAIN_BROKEN"},
    ),
    "signed bytes were lost": (
        (f"DELETE FROM attempts WHERE transfer_id = {_LIVE}",),
        {
            "I3.own SLOT_USED_BY_ANOTHER_TRANSACTION",
            "I3.persisted SENT_WITHOUT_ATTEMPT",
            "I9.balances LEDGER_IS_NOT_CHAIN",
        },
    ),
    "bytes are not what stands beside them": (
        (f"UPDATE attempts SET call_digest = sha256('x') WHERE transfer_id = {_LIVE}",),
        {"I4.same_call BYTES_ARE_NOT_WHAT_STANDS_BESIDE_THEM"},
    ),
    "a payment stands as its own cancel": (
        (f"UPDATE attempts SET kind = 'cancel' WHERE transfer_id = {_LIVE}",),
        {"I4.same_call CANCEL_IS_NO_SELF_SEND"},
    ),
    "the log of a settled item is another": (
        (f"UPDATE transfer_items SET log_index = 7 WHERE transfer_id = {_SETTLED}",),
        {"I6.settled SETTLED_WITHOUT_ITS_LOG"},
    ),
    "a settled transfer names another block": (
        _ended(f"UPDATE transfers SET block_hash = sha256('x') WHERE id = {_SETTLED}"),
        {"I6.settled SETTLED_IN_ANOTHER_BLOCK"},
    ),
    "an order says otherwise": (
        (f"UPDATE transfer_items SET amount_minor = 1 WHERE transfer_id = {_SETTLED}",),
        {
            "I2.outflow PAID_ANOTHER_AMOUNT",
            "I6.payments PAYMENT_AGAINST_ITS_ITEM",
            "I6.settled SETTLED_WITHOUT_ITS_LOG",
            "I20.order ORDER_SAYS_OTHERWISE",
        },
    ),
}
