"""approved → reserved, and proposed payments that waited for a fact. Binding: must never let two
payments pass together that pass only alone.

Places the hold and re-checks limits in one transaction under the organization's budget lock, because
two proposals may each pass alone. Locks in the order payment, invoice, budget, wallet, balances.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from policy.decision import Outcome
from saga import store
from saga.context import SagaContext
from saga.journal import record
from saga.transfer import MAX_IN_FLIGHT, Transfer, TransferItem, TransferState
from treasurer.chain.fees import payment_terms
from treasurer.kernel.errors import Transient
from treasurer.kernel.ids import HoldId, OrganizationId, PaymentId, TransferId
from treasurer.kernel.transaction import FeeTerms
from treasurer.ledger import store as ledger
from treasurer.ledger.model import AccountCode, Balance, Hold, wallet_account
from treasurer.payments import spending, wallets, windows
from treasurer.payments import store as payments
from treasurer.payments.asking import ask
from treasurer.payments.deciding import Decided, Situation, decide, store_decisions
from treasurer.payments.facts import Candidate, window_keys
from treasurer.payments.model import PaymentState
from treasurer.payments.wallets import Wallet
from treasurer.prices.feed import Price


@dataclass
class _Plan:
    """What one reserve will write, built up payment by payment."""

    transfers: list[Transfer] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    executing: list[tuple[Candidate, Decided]] = field(default_factory=list)
    asking: list[tuple[Candidate, Decided]] = field(default_factory=list)
    denied: list[tuple[Candidate, Decided]] = field(default_factory=list)
    expired: list[Candidate] = field(default_factory=list)
    later: dict[PaymentId, str] = field(default_factory=dict)


async def reserve(
    context: SagaContext, organization_id: OrganizationId, ids: Sequence[PaymentId]
) -> list[TransferId]:
    """Decide due payments again, bindingly, and hold their money; return the new transfers."""
    prices = await _prices(context, organization_id)
    fees = await _fee_terms(context)
    async with context.database.sets(organization_id) as connection:
        now = context.clock()
        due = await payments.lock_due(connection, organization_id, ids, now)
        if not due:
            return []
        await spending.lock(connection, organization_id)
        own = await wallets.active(connection, organization_id, context.rail.chain_id, lock=True)
        codes = _codes(context, own)
        balances = await ledger.balances(
            connection, organization_id, list(codes.values()), lock=True
        )
        policy_set, policy_since = await context.policies.standing(connection, organization_id)
        treasury = await spending.treasury(connection, organization_id, now)
        candidates = await payments.candidates(connection, organization_id, due)
        keys = [
            key
            for candidate in candidates
            for key in window_keys(candidate, policy_set, treasury.reporting, now)
        ]
        situation = Situation(
            policy_set=policy_set,
            policy_since=policy_since,
            treasury=treasury,
            balances=_token_balances(context, balances.values()),
            prices=prices,
            now=now,
            sums=await windows.sums(connection, organization_id, keys, now),
        )
        desk = _Desk(context, fees, own, dict(balances))
        plan = await desk.plan(connection, candidates, situation)
        await _write(context, connection, organization_id, plan, situation)
    context.failpoint("reserve.committed")
    return [transfer.id for transfer in plan.transfers]


class _Desk:
    """Goes through the due payments in order, keeping the running balances and sums."""

    def __init__(
        self,
        context: SagaContext,
        fees: FeeTerms,
        own: Sequence[Wallet],
        balances: dict[str, Balance],
    ) -> None:
        self._context = context
        self._fees = fees
        self._gas_wei = context.fees.budget_wei
        self._wallets = list(own)
        self._live = {wallet.id: wallet.live_transfers for wallet in own}
        self._balances = balances

    async def plan(
        self, connection: AsyncConnection, candidates: Sequence[Candidate], situation: Situation
    ) -> _Plan:
        plan = _Plan()
        for candidate in candidates:
            if situation.now > candidate.payment.not_after:
                plan.expired.append(candidate)
                continue
            wallet = self._wallet_for(candidate)
            if wallet is None:
                plan.later[candidate.payment.id] = "no wallet has a free slot and gas for it"
                continue
            code = wallet_account(wallet.id, candidate.payment.asset).code
            decided = decide(candidate, situation, self._available(code))
            if await self._passes(connection, candidate, decided, situation):
                self._take(plan, candidate, decided, wallet)
                situation = situation.after(
                    candidate, _token_balances(self._context, self._balances.values())
                )
            elif decided.ends:
                plan.denied.append((candidate, decided))
            elif decided.decision.outcome is Outcome.DENY:
                plan.later[candidate.payment.id] = decided.decision.explanation
            else:
                plan.asking.append((candidate, decided))
        return plan

    async def _passes(
        self,
        connection: AsyncConnection,
        candidate: Candidate,
        decided: Decided,
        situation: Situation,
    ) -> bool:
        requirement = decided.decision.requirement
        if decided.decision.outcome is Outcome.ALLOW:
            return True
        if decided.decision.outcome is Outcome.DENY or requirement is None:
            return False
        # Votes that stand for these very bytes count, if they meet what the policy asks now.
        request = await self._context.approvals.approved_request(
            connection,
            candidate.payment.organization_id,
            candidate.payment.id,
            candidate.payment.order_digest,
        )
        return request is not None and request.quorum(requirement, situation.now).met

    def _wallet_for(self, candidate: Candidate) -> Wallet | None:
        """The permitted wallet with a free slot, gas, and the most of the token."""
        fit = [
            wallet
            for wallet in self._wallets
            if wallet.address in candidate.order.permitted_wallets
            and self._live[wallet.id] < MAX_IN_FLIGHT
            and self._available(wallet_account(wallet.id, self._context.rail.native).code)
            >= self._gas_wei
        ]
        asset = candidate.payment.asset
        return max(
            fit, key=lambda w: self._available(wallet_account(w.id, asset).code), default=None
        )

    def _available(self, code: str) -> int:
        balance = self._balances.get(code)
        return balance.available_minor if balance else 0

    def _take(self, plan: _Plan, candidate: Candidate, decided: Decided, wallet: Wallet) -> None:
        new_id = self._context.new_id
        transfer_id = TransferId(new_id())
        (item,) = candidate.order.items
        plan.executing.append((candidate, decided))
        plan.transfers.append(
            Transfer(
                id=transfer_id,
                organization_id=candidate.payment.organization_id,
                wallet_id=wallet.id,
                chain_id=candidate.order.chain_id,
                sender=wallet.address,
                token=candidate.order.token,
                disperse=None,
                state=TransferState.RESERVED,
                nonce=None,
                fees=self._fees,
                call_digest=None,
                block_number=None,
                block_hash=None,
                tries=0,
                sent_at=None,
                created_at=self._context.clock(),
                items=(
                    TransferItem(
                        payment_id=item.payment_id,
                        recipient=item.recipient,
                        amount_minor=item.amount_minor,
                        reporting_amount_minor=candidate.payment.reporting_amount_minor,
                        order_digest=candidate.payment.order_digest,
                    ),
                ),
            )
        )
        self._live[wallet.id] += 1
        for code, amount, payment_id in (
            (
                wallet_account(wallet.id, candidate.payment.asset),
                item.amount_minor,
                item.payment_id,
            ),
            (wallet_account(wallet.id, self._context.rail.native), self._gas_wei, None),
        ):
            balance = self._balances[code.code]
            self._balances[code.code] = replace(balance, held_minor=balance.held_minor + amount)
            plan.holds.append(
                Hold(HoldId(new_id()), balance.account_id, transfer_id, payment_id, amount)
            )


async def _write(
    context: SagaContext,
    connection: AsyncConnection,
    organization_id: OrganizationId,
    plan: _Plan,
    situation: Situation,
) -> None:
    now = situation.now
    decided = [answer for _, answer in (*plan.executing, *plan.asking, *plan.denied)]
    ids = await store_decisions(
        connection, organization_id, decided, situation, stage="reserve", new_id=context.new_id
    )
    for candidate, answer in plan.executing:
        # Denied only for now when it was proposed; what was missing has come.
        if candidate.payment.state is PaymentState.PROPOSED:
            await context.outcomes.pass_on(
                connection,
                organization_id,
                candidate.payment.id,
                now,
                explanation=answer.decision.explanation,
                decision_id=ids[candidate.payment.id],
            )
    if plan.transfers:
        await payments.execute(
            connection,
            organization_id,
            {d.payment_id: (ids[d.payment_id], d.decision.explanation) for _, d in plan.executing},
        )
        await store.insert(connection, organization_id, plan.transfers, now)
        await ledger.place_holds(connection, organization_id, plan.holds, now)
        await spending.take_off(
            connection,
            organization_id,
            [item.reporting_amount_minor for t in plan.transfers for item in t.items],
        )
        paid = [item.payment_id for t in plan.transfers for item in t.items]
        await windows.take_off(connection, organization_id, paid)
        await record(
            context,
            connection,
            organization_id,
            "transfer.reserved",
            [(t, {"decision_id": str(ids[t.items[0].payment_id])}) for t in plan.transfers],
        )
    for candidate, answer in plan.asking:
        await ask(
            connection,
            context.approvals,
            candidate,
            answer.decision,
            before=candidate.payment.state,
            decision_id=ids[candidate.payment.id],
            now=now,
        )
    for candidate, answer in plan.denied:
        await context.outcomes.end(
            connection,
            organization_id,
            candidate.payment.id,
            candidate.payment.state,
            PaymentState.DENIED,
            now,
            explanation=answer.decision.explanation,
            decision_id=ids[candidate.payment.id],
        )
    for candidate in plan.expired:
        await context.outcomes.end(
            connection,
            organization_id,
            candidate.payment.id,
            candidate.payment.state,
            PaymentState.EXPIRED,
            now,
            explanation="It could not be executed in time. Submit the invoice again.",
        )
    await payments.put_off(
        connection, organization_id, plan.later, next_at=now + context.pace.retry
    )


async def _prices(context: SagaContext, organization_id: OrganizationId) -> Mapping[str, Price]:
    """Prices of all rail tokens, read before any lock: no transaction spans a provider's call."""
    async with context.database.sets(organization_id) as connection:
        currency = await spending.reporting_currency(connection, organization_id)
    found = {
        token.asset.symbol: await context.prices.price(token.asset.symbol, currency)
        for token in context.rail.tokens
    }
    return {symbol: price for symbol, price in found.items() if price is not None}


async def _fee_terms(context: SagaContext) -> FeeTerms:
    """The market's fees within the cap; the cap itself if the chain is silent."""
    caps = context.fees.caps
    try:
        quote = await context.chain.fees()
    except Transient:
        most = caps.payment_wei
        return FeeTerms(context.fees.gas_limit, most, min(most, most // 10))
    return payment_terms(quote, caps, gas_limit=context.fees.gas_limit)


def _codes(context: SagaContext, own: Sequence[Wallet]) -> dict[str, AccountCode]:
    assets = [context.rail.native, *(token.asset for token in context.rail.tokens)]
    codes = [wallet_account(wallet.id, asset) for wallet in own for asset in assets]
    return {code.code: code for code in codes}


def _token_balances(context: SagaContext, balances: Iterable[Balance]) -> list[Balance]:
    native = context.rail.native.symbol
    return [balance for balance in balances if balance.asset.symbol != native]
