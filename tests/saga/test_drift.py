"""What drifted is asked about again: an order whose quote lapsed is never paid by its old votes."""

from datetime import UTC, datetime
from pathlib import Path

from policy.quorum import Choice
from saga.steps.reserve import reserve
from tests.support.clock import ManualClock
from tests.support.treasury import Treasury, open_treasury
from treasurer.approvals.model import ApprovalRequest, RequestState
from treasurer.db.engine import Database
from treasurer.kernel.order import parse_order
from treasurer.payments.model import Payment, PaymentState


async def _request(treasury: Treasury, payment: Payment) -> ApprovalRequest:
    request = await treasury.approvals.newest(treasury.organization.cfo, payment.id)
    assert request is not None
    return request


async def test_a_lapsed_quote_ends_the_order_and_another_asks_anew(
    database: Database, chain_url: str, tmp_path: Path
) -> None:
    clock = ManualClock(datetime.now(UTC))
    async with open_treasury(database, chain_url, tmp_path / "signer", clock) as treasury:
        first = await treasury.propose("QL-1", 4_150_000_000, "V-002")
        request = await _request(treasury, first)
        await treasury.approvals.vote(
            treasury.organization.approver, request.id, Choice.APPROVE, "", first.order_digest
        )
        clock.now = parse_order(first.order_bytes).quote.valid_until
        clock.advance(seconds=1)
        assert await reserve(treasury.context(), treasury.organization.id, [first.id]) == []
        assert (await treasury.payment(first)).state is PaymentState.EXPIRED
        # The invoice comes back for review; submitted again, it is quoted and asked about afresh.
        assert await treasury.rows("SELECT state FROM invoices") == [("needs_review",)]
        assert first.invoice_id is not None
        await treasury.execute("UPDATE invoices SET state = 'reading'")
        second = await treasury.payments.propose(treasury.organization.agent, first.invoice_id)
        assert second.id != first.id
        assert second.order_digest != first.order_digest
        assert second.state is PaymentState.AWAITING_APPROVAL
        asked = await _request(treasury, second)
        assert (asked.state, asked.votes) == (RequestState.OPEN, ())
        assert await reserve(treasury.context(), treasury.organization.id, [second.id]) == []
        assert await treasury.rows("SELECT id FROM transfers") == []
