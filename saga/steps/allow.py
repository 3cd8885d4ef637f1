"""confirmed allowance → a reserved transfer of its own. Must never merge with a payment or round.

What two people agreed on is signed as it stands; it waits while the organization is frozen, while it
rehearses, and while its wallet has no free slot or no gas.
"""

from functools import partial

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from saga import store
from saga.context import SagaContext
from saga.journal import record
from saga.steps.reserve import fee_terms
from saga.transfer import MAX_IN_FLIGHT, Transfer, TransferState
from treasurer.allowances import store as allowances
from treasurer.allowances.model import AllowanceState
from treasurer.db.turns import each
from treasurer.kernel.allowance_order import AllowanceOrder
from treasurer.kernel.ids import AllowanceId, HoldId, OrganizationId, TransferId
from treasurer.kernel.transaction import FeeTerms
from treasurer.ledger import store as ledger
from treasurer.ledger.model import Hold, wallet_account
from treasurer.payments import spending, wallets
from treasurer.payments.wallets import Wallet

log = structlog.get_logger("saga.allow")


async def allow_confirmed(context: SagaContext) -> int:
    """Give a transfer to each allowance that two people agreed on; return how many got one."""
    async with context.database.claims() as connection:
        waiting = await allowances.confirmed(connection)
    return await each("allow", waiting, partial(allow, context))


async def allow(
    context: SagaContext, organization_id: OrganizationId, allowance_id: AllowanceId
) -> bool:
    """Reserve one allowance; False while it waits or once it is too late."""
    fees, now = await fee_terms(context), context.clock()
    async with context.database.sets(organization_id) as connection:
        found = await allowances.lock(connection, organization_id, allowance_id)
        if found is None or found.state is not AllowanceState.CONFIRMED:
            return False
        after, why = AllowanceState.EXECUTING, ""
        if now > found.order.not_after:
            after, why = AllowanceState.EXPIRED, "it could not be executed in time; propose it anew"
        elif not await _reserve(context, connection, found.order, fees):
            return False
        await allowances.move(
            connection, organization_id, [allowance_id], AllowanceState.CONFIRMED, after, why
        )
    context.failpoint("allow.committed")
    return after is AllowanceState.EXECUTING


async def _reserve(
    context: SagaContext, connection: AsyncConnection, order: AllowanceOrder, fees: FeeTerms
) -> bool:
    organization_id, now = order.organization_id, context.clock()
    await spending.lock(connection, organization_id)
    treasury = await spending.treasury(connection, organization_id, now)
    own = await wallets.active(connection, organization_id, context.rail.chain_id, lock=True)
    # An order of another network waits until it lapses.
    place = order.chain_id, order.wallet
    wallet = next((each for each in own if (each.chain_id, each.address) == place), None)
    if treasury.frozen or not treasury.live or wallet is None:
        return False
    code = wallet_account(wallet.id, context.rail.native)
    balances = await ledger.balances(connection, organization_id, [code], lock=True)
    gas_wei = context.fees.budget_wei(1)
    gas = balances.get(code.code)
    if gas is None or gas.available_minor < gas_wei or wallet.live_transfers >= MAX_IN_FLIGHT:
        log.warning("allowance.waits", allowance_id=str(order.allowance_id))
        return False
    transfer = _transfer(context, order, wallet, fees)
    await store.insert(connection, organization_id, [transfer], now)
    hold = Hold(HoldId(context.new_id()), gas.account_id, transfer.id, None, gas_wei)
    await ledger.place_holds(connection, organization_id, [hold], now)
    await record(
        context,
        connection,
        organization_id,
        "transfer.reserved",
        [(transfer, {"allowance_id": str(order.allowance_id)})],
    )
    return True


def _transfer(
    context: SagaContext, order: AllowanceOrder, wallet: Wallet, fees: FeeTerms
) -> Transfer:
    return Transfer(
        id=TransferId(context.new_id()),
        organization_id=order.organization_id,
        wallet_id=wallet.id,
        chain_id=order.chain_id,
        sender=wallet.address,
        token=order.token,
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
        allowance=order,
    )
