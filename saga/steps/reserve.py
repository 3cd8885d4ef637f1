"""approved → reserved, and proposed payments that waited for a fact. Binding: must never let two
payments pass together that pass only alone.

Places the hold and re-checks limits in one transaction under the organization's budget lock, because
two proposals may each pass alone. Locks in the order payment, invoice, budget, wallet, balances.
"""

from collections.abc import Mapping, Sequence

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from saga import store
from saga.context import SagaContext
from saga.desk import Allowances, Desk, Plan, token_balances
from saga.journal import record
from treasurer.chain.fees import payment_terms
from treasurer.kernel.errors import Transient, TreasurerError
from treasurer.kernel.ids import OrganizationId, PaymentId, TransferId, WalletId
from treasurer.kernel.transaction import FeeTerms
from treasurer.ledger import store as ledger
from treasurer.ledger.model import AccountCode, wallet_account
from treasurer.payments import candidate_store, networks, spending, wallets, windows
from treasurer.payments import store as payments
from treasurer.payments.asking import ask
from treasurer.payments.deciding import Situation, store_decisions
from treasurer.payments.drifting import renew
from treasurer.payments.facts import window_keys
from treasurer.payments.model import PaymentState
from treasurer.payments.wallets import Wallet
from treasurer.prices.feed import Price

log = structlog.get_logger("saga.reserve")


async def reserve(
    context: SagaContext, organization_id: OrganizationId, ids: Sequence[PaymentId]
) -> list[TransferId]:
    """Decide due payments again, bindingly, and hold their money; return the new transfers."""
    prices = await _prices(context, organization_id)
    fees = await fee_terms(context)
    allowances = await _allowances(context, organization_id) if len(ids) > 1 else {}
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
        candidates = await candidate_store.candidates(connection, organization_id, due)
        keys = [
            key
            for candidate in candidates
            for key in window_keys(candidate, policy_set, treasury.reporting, now)
        ]
        situation = Situation(
            policy_set=policy_set,
            policy_since=policy_since,
            treasury=treasury,
            balances=token_balances(context, balances.values()),
            prices=prices,
            now=now,
            sums=await windows.sums(connection, organization_id, keys, now),
            network=await networks.newest(connection, context.rail.chain_id)
            if policy_set.reads_network
            else None,
        )
        if allowances:
            # What a batch has used counts twice until its block is final: too little, never too much.
            moving = await store.in_batches(connection, organization_id)
            allowances = {key: most - moving.get(key, 0) for key, most in allowances.items()}
        desk = Desk(context, fees, own, dict(balances), allowances)
        again = await renew(connection, candidates, situation, rail=context.rail, wallets=own)
        renewed = {one.candidate.payment.id for one in again}
        plan = await desk.plan(
            connection, [c for c in candidates if c.payment.id not in renewed], situation
        )
        plan.again += again
        await _write(context, connection, organization_id, plan, situation)
    context.failpoint("reserve.committed")
    return [transfer.id for transfer in plan.transfers]


async def _write(
    context: SagaContext,
    connection: AsyncConnection,
    organization_id: OrganizationId,
    plan: Plan,
    situation: Situation,
) -> None:
    now = situation.now
    decided = [answer for _, answer in (*plan.executing, *plan.asking, *plan.denied)]
    decided += [one.decided for one in plan.again]
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
            [
                (t, {"decision_ids": [str(ids[item.payment_id]) for item in t.items]})
                for t in plan.transfers
            ],
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
    for one in plan.again:
        await context.outcomes.drifted(connection, organization_id, one, now)
        await ask(
            connection,
            context.approvals,
            one.candidate,
            one.decided.decision,
            before=PaymentState.APPROVED,
            decision_id=ids[one.candidate.payment.id],
            now=now,
            again=one.explanation,
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


async def _allowances(context: SagaContext, organization_id: OrganizationId) -> Allowances:
    """What batches may move, read before any lock; nothing where there are none or the chain is silent."""
    disperse = context.rail.disperse
    if disperse is None:
        return {}
    async with context.database.sets(organization_id) as connection:
        policy_set = await context.policies.active(connection, organization_id)
        own = await wallets.active(connection, organization_id, context.rail.chain_id)
    if policy_set.most_in_batch < 2 or not own:
        return {}
    found: dict[tuple[WalletId, str], int] = {}
    owners = [wallet.address for wallet in own]
    for token in context.rail.tokens:
        try:
            allowed = await context.chain.token_allowances(token.address, owners, disperse)
        except TreasurerError as error:
            log.warning("allowances.unknown", token=token.address, reason=error.message)
            continue
        found |= {(w.id, token.address): most for w, most in zip(own, allowed, strict=True)}
    return found


async def fee_terms(context: SagaContext) -> FeeTerms:
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
