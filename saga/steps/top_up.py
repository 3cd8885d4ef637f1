"""a wallet below its low-water mark → a reserved top-up. Must never fill up a wallet that is not our own.

The active policy set names the wallet that gives and the caps; without that section nothing moves. The
signer has caps of its own. What is decided here is decided under the same locks as payments.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from policy.policy_set import PolicySet
from policy.terms import Gas
from saga import store
from saga.context import SagaContext
from saga.journal import record
from saga.steps.reserve import fee_terms
from saga.transfer import MAX_IN_FLIGHT, NATIVE, Transfer, TransferState
from treasurer.db.turns import each
from treasurer.kernel.errors import Conflict
from treasurer.kernel.ids import HoldId, OrganizationId, TopUpId, TransferId
from treasurer.kernel.top_up_order import TopUpOrder
from treasurer.kernel.transaction import FeeTerms
from treasurer.ledger import store as ledger
from treasurer.ledger.model import Balance, Hold, wallet_account
from treasurer.payments import spending, wallets
from treasurer.payments.wallets import Wallet
from treasurer.top_ups import store as top_ups
from treasurer.top_ups.model import TopUp

LIFETIME = timedelta(hours=2)
"""Of an order: one that waited longer is proposed afresh."""
_ORGANIZATIONS = text("SELECT id FROM organizations ORDER BY id")
log = structlog.get_logger("saga.top_up")


@dataclass(frozen=True, slots=True)
class _Pool:
    """The own wallets by id, what each has of the coin, and the one that gives."""

    source: Wallet
    others: tuple[Wallet, ...]
    gas: Mapping[str, Balance]


async def top_up_low(context: SagaContext) -> int:
    """Propose top-ups for every organization whose policy set permits them; return how many."""
    async with context.database.claims() as connection:
        found = [(OrganizationId(row[0]),) for row in await connection.execute(_ORGANIZATIONS)]
    return await each("top_up", found, partial(top_up, context))


async def top_up(context: SagaContext, organization_id: OrganizationId) -> int:
    """Reserve top-ups for wallets below their mark, lowest first, within the policy set's caps."""
    async with context.database.sets(organization_id) as connection:
        policy_set = await _policy(context, connection, organization_id)
    if policy_set is None or policy_set.gas is None:
        return 0
    fees = await fee_terms(context)
    async with context.database.sets(organization_id) as connection:
        await spending.lock(connection, organization_id)
        policy_set = await _policy(context, connection, organization_id)
        treasury = await spending.treasury(connection, organization_id, context.clock())
        if policy_set is None or policy_set.gas is None or treasury.frozen or not treasury.live:
            return 0
        pool = await _pool(context, connection, organization_id, policy_set.gas)
        if pool is None:
            return 0
        made = await _fill(context, connection, organization_id, policy_set, pool, fees)
    context.failpoint("top_up.committed")
    return made


async def _policy(
    context: SagaContext, connection: AsyncConnection, organization_id: OrganizationId
) -> PolicySet | None:
    try:
        return await context.policies.active(connection, organization_id)
    except Conflict:
        # An organization without a policy set moves nothing.
        return None


async def _pool(
    context: SagaContext, connection: AsyncConnection, organization_id: OrganizationId, gas: Gas
) -> _Pool | None:
    own = await wallets.active(connection, organization_id, context.rail.chain_id, lock=True)
    codes = [wallet_account(wallet.id, context.rail.native) for wallet in own]
    found = await ledger.balances(connection, organization_id, codes, lock=True)
    source = next((wallet for wallet in own if wallet.address == gas.wallet), None)
    if source is None:
        return None
    by_address = {
        wallet.address: found[code.code]
        for wallet, code in zip(own, codes, strict=True)
        if code.code in found
    }
    others = (wallet for wallet in own if wallet.id != source.id and wallet.address in by_address)
    return _Pool(
        source,
        tuple(sorted(others, key=lambda each: by_address[each.address].available_minor)),
        by_address,
    )


async def _fill(
    context: SagaContext,
    connection: AsyncConnection,
    organization_id: OrganizationId,
    policy_set: PolicySet,
    pool: _Pool,
    fees: FeeTerms,
) -> int:
    gas, now = policy_set.gas, context.clock()
    giver = pool.gas.get(pool.source.address)
    if gas is None or giver is None:
        return 0
    recent = await top_ups.recent(connection, organization_id, now)
    # What it needs for its own payments stays with it.
    left = giver.available_minor - gas.below_wei
    sent, made, budget_wei = recent.sent_wei, 0, context.fees.budget_wei(1)
    for wallet in pool.others:
        if pool.gas[wallet.address].available_minor >= gas.below_wei:
            break
        if wallet.id in recent.resting:
            continue
        if (
            sent + gas.top_up_wei > gas.rolling_24h_wei
            or left < gas.top_up_wei + budget_wei
            or pool.source.live_transfers + made >= MAX_IN_FLIGHT
        ):
            log.warning("top_up.waits", wallet_id=str(wallet.id), available_wei=str(left))
            break
        order = TopUpOrder(
            top_up_id=TopUpId(context.new_id()),
            organization_id=organization_id,
            chain_id=context.rail.chain_id,
            wallet=pool.source.address,
            recipient=wallet.address,
            amount_wei=gas.top_up_wei,
            not_after=(now + LIFETIME).replace(microsecond=0),
        )
        transfer = _transfer(context, pool.source, TopUp(order, wallet.id), fees)
        await _reserve(context, connection, transfer, giver, policy_set.digest)
        sent, left, made = sent + gas.top_up_wei, left - gas.top_up_wei - budget_wei, made + 1
    return made


async def _reserve(
    context: SagaContext,
    connection: AsyncConnection,
    transfer: Transfer,
    giver: Balance,
    policy_digest: bytes,
) -> None:
    organization_id, now, filled = transfer.organization_id, context.clock(), transfer.top_up
    assert filled is not None
    await top_ups.insert(connection, filled, policy_digest, now)
    await store.insert(connection, organization_id, [transfer], now)
    hold = Hold(
        HoldId(context.new_id()),
        giver.account_id,
        transfer.id,
        None,
        filled.order.amount_wei + context.fees.budget_wei(1),
    )
    await ledger.place_holds(connection, organization_id, [hold], now)
    await record(
        context,
        connection,
        organization_id,
        "transfer.reserved",
        [
            (
                transfer,
                {
                    "top_up_id": str(filled.order.top_up_id),
                    "recipient": filled.order.recipient,
                    "amount_wei": str(filled.order.amount_wei),
                    "policy_digest": policy_digest.hex(),
                },
            )
        ],
    )


def _transfer(context: SagaContext, source: Wallet, filled: TopUp, fees: FeeTerms) -> Transfer:
    return Transfer(
        id=TransferId(context.new_id()),
        organization_id=filled.order.organization_id,
        wallet_id=source.id,
        chain_id=filled.order.chain_id,
        sender=source.address,
        token=NATIVE,
        disperse=None,
        state=TransferState.RESERVED,
        nonce=None,
        fees=fees,
        call_digest=None,
        block_number=None,
        block_hash=None,
        tries=0,
        sent_at=None,
        created_at=context.clock(),
        items=(),
        top_up=filled,
    )
