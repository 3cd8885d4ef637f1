"""What drifted is asked about again: old votes pay neither a new order nor in another world."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from uuid_utils.compat import uuid7

from policy.quorum import Choice
from saga.context import SagaContext
from saga.steps.reserve import reserve
from tests.support.clock import ManualClock
from tests.support.payees import payee_service
from tests.support.treasury import NORWICK, Treasury, open_treasury
from treasurer.approvals.model import ApprovalRequest, RequestState
from treasurer.db.engine import Database
from treasurer.kernel.money import Rate
from treasurer.payees.change import CallBackNote
from treasurer.payments.model import Payment, PaymentState
from treasurer.policies.life import PolicyLife
from treasurer.prices.feed import Price

DRIFT = "drift: {price: 0.25 %, balance: 20 %, policy: unchanged, payee: unchanged}"
BIG = 4_150_000_000
OTHER_ADDRESS = "0x" + "5b" * 20


@dataclass(frozen=True)
class Moved:
    """A market in which one whole token is worth `millionths` of a dollar."""

    clock: ManualClock
    millionths: int

    async def price(self, asset: str, currency: str) -> Price | None:
        rate = Rate(self.millionths, 1_000_000)
        return Price(asset, currency, rate, ("a test",), self.clock(), in_peg_band=True)


@dataclass
class World:
    treasury: Treasury
    clock: ManualClock

    async def approved(self, number: str) -> Payment:
        payment = await self.treasury.propose(number, BIG, "V-002")
        return await self.vote(payment)

    async def vote(self, payment: Payment) -> Payment:
        request = await self.request(payment)
        assert request.state is RequestState.OPEN
        approver = self.treasury.organization.approver
        digest = request.order_digest
        await self.treasury.approvals.vote(approver, request.id, Choice.APPROVE, "", digest)
        voted = await self.treasury.payment(payment)
        assert voted.state is PaymentState.APPROVED
        return voted

    async def request(self, payment: Payment) -> ApprovalRequest:
        cfo = self.treasury.organization.cfo
        request = await self.treasury.approvals.newest(cfo, payment.id)
        assert request is not None
        return request

    async def reserve(self, payment: Payment, context: SagaContext | None = None) -> int:
        """How many transfers came of it."""
        context = context or self.treasury.context()
        # Due at once, also after a wait.
        await self.treasury.execute(
            "UPDATE payments SET next_at = created_at WHERE next_at IS NOT NULL"
        )
        return len(await reserve(context, self.treasury.organization.id, [payment.id]))

    async def asked_again(self, payment: Payment, why: str) -> Payment:
        """The payment, which waits for votes of now, on a request without any."""
        waiting, request = await self.treasury.payment(payment), await self.request(payment)
        assert waiting.state is PaymentState.AWAITING_APPROVAL
        assert waiting.explanation.startswith(f"Asked again. {why}")
        assert (request.state, request.votes) == (RequestState.OPEN, ())
        assert request.order_digest == waiting.order_digest
        return waiting


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(
    database: Database, chain_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    clock, folder = ManualClock(datetime.now(UTC)), tmp_path_factory.mktemp("drift") / "signer"
    policy = NORWICK.read_text().replace("at_most: 25000.00 USD", "at_most: 250000.00 USD") + DRIFT
    async with open_treasury(database, chain_url, folder, clock, policy=policy) as treasury:
        yield World(treasury, clock)


async def test_within_the_tolerance_old_votes_pay(world):
    payment = await world.approved("QL-1")
    market = replace(world.treasury.context(), prices=Moved(world.clock, 997_500))
    assert await world.reserve(payment, market) == 1


async def test_a_price_that_moved_asks_again_about_the_same_order(world):
    payment = await world.approved("QL-2")
    market = replace(world.treasury.context(), prices=Moved(world.clock, 997_499))
    assert await world.reserve(payment, market) == 0
    why = "The price of USDC moved by 0.2501 % since people agreed; 0.25 % is tolerated."
    again = await world.asked_again(payment, why)
    assert again.order_digest == payment.order_digest
    # The new votes were cast at the new price: it moves no more.
    assert await world.reserve(await world.vote(payment), market) == 1


async def test_cash_that_fell_asks_again(world):
    payment = await world.approved("QL-3")
    await world.treasury.execute(
        "UPDATE ledger_accounts SET posted_minor = posted_minor - 3 * 10^11"
        " WHERE kind = 'asset' AND code LIKE '%USDC'"
    )
    assert await world.reserve(payment) == 0
    again = await world.asked_again(payment, "Cash fell by 30.")
    assert again.order_digest == payment.order_digest
    assert await world.reserve(await world.vote(payment)) == 1


async def test_another_policy_set_asks_again_where_its_votes_would_do(world):
    payment = await world.approved("QL-4")
    life = PolicyLife(
        database=world.treasury.database,
        policies=world.treasury.policies,
        clock=world.clock,
        new_id=uuid7,
    )
    await life.change_limit(world.treasury.organization.cfo, 900_00)
    assert await world.reserve(payment) == 0
    await world.asked_again(payment, "Another policy set is in force since people agreed.")
    assert await world.reserve(await world.vote(payment)) == 1


async def test_a_payee_changed_long_enough_ago_asks_again(world):
    """Within its cooling-off the change denies; once that is over the old votes do not count."""
    payment = await world.approved("QL-5")
    world.clock.advance(seconds=1)
    await world.treasury.execute(
        "UPDATE payees SET cooling_off_until = :over WHERE id = :id",
        over=world.clock(),
        id=payment.payee_id,
    )
    assert await world.reserve(payment) == 0
    await world.asked_again(payment, "The payee's details were changed since people agreed.")
    assert await world.reserve(await world.vote(payment)) == 1


async def test_a_payee_that_moved_gets_another_order(world):
    payment = await world.approved("QL-6")
    treasury, people = world.treasury, world.treasury.organization
    await treasury.execute(
        "UPDATE payee_addresses SET state = 'revoked' WHERE id = :id", id=payment.payee_address_id
    )
    service = payee_service(treasury.database, world.clock)
    entry = await service.add_address(
        people.clerk, payment.payee_id, chain_id=31337, address=OTHER_ADDRESS
    )
    call = CallBackNote("M. Qorvane", world.clock(), "read the address back", "+44 20 7946 0001")
    await service.verify_address(people.administrator, entry.id, cooling_off_s=0, call_back=call)
    assert await world.reserve(payment) == 0
    again = await world.asked_again(payment, "The payee is paid at another address now.")
    assert again.order_digest != payment.order_digest
    assert (again.recipient, again.amount_minor) == (OTHER_ADDRESS, BIG)
    assert again.payee_address_id == entry.id
    assert await world.reserve(await world.vote(payment)) == 1
    ((recipient, digest),) = await treasury.rows(
        "SELECT recipient, order_digest FROM transfer_items WHERE payment_id = :id", id=payment.id
    )
    assert (recipient, digest) == (OTHER_ADDRESS, again.order_digest)


async def test_a_lapsed_quote_is_quoted_anew(world):
    payment = await world.approved("QL-7")
    world.clock.now = payment.not_after + timedelta(seconds=1)
    assert await world.reserve(payment) == 0
    again = await world.asked_again(payment, "The quote lapsed, so the amount was quoted anew.")
    assert again.order_digest != payment.order_digest
    assert again.not_after == (world.clock() + timedelta(days=7)).replace(microsecond=0)
    assert await world.treasury.rows(
        "SELECT state FROM allocations WHERE payment_id = :id", id=payment.id
    ) == [("live",)]
    assert await world.reserve(await world.vote(payment)) == 1


async def test_an_order_that_was_carried_is_never_replaced(world):
    payment = await world.approved("QL-8")
    assert await world.reserve(payment) == 1
    await world.treasury.pump().pass_once()
    await world.treasury.execute(
        "UPDATE payments SET state = 'approved', next_at = created_at WHERE id = :id", id=payment.id
    )
    world.clock.now = payment.not_after + timedelta(seconds=1)
    assert await world.reserve(payment) == 0
    ended = await world.treasury.payment(payment)
    assert (ended.state, ended.order_digest) == (PaymentState.EXPIRED, payment.order_digest)


async def test_without_a_tolerance_a_lapsed_order_ends(
    database: Database, chain_url: str, tmp_path: Path
) -> None:
    clock = ManualClock(datetime.now(UTC))
    async with open_treasury(database, chain_url, tmp_path / "signer", clock) as treasury:
        plain = World(treasury, clock)
        payment = await plain.approved("QL-1")
        clock.now = payment.not_after + timedelta(seconds=1)
        assert await plain.reserve(payment) == 0
        assert (await treasury.payment(payment)).state is PaymentState.EXPIRED
        # The invoice comes back for review; submitted again, it is quoted and asked about afresh.
        assert await treasury.rows("SELECT state FROM invoices") == [("needs_review",)]
