"""Owns the comparison of orders and fees with the limits. Pure. Must never read a clock.

Each function gives code and message of the first limit that is broken, None if all are kept.
"""

from typing import TypeAlias

from signer.limits import Limits, TokenLimit
from treasurer.kernel.allowance_order import AllowanceOrder
from treasurer.kernel.order import ExecutionOrder, OrderItem
from treasurer.kernel.top_up_order import TopUpOrder
from treasurer.kernel.transaction import FeeTerms

Broken: TypeAlias = tuple[str, str]


def payment_refusal(
    limits: Limits,
    orders: tuple[ExecutionOrder, ...],
    *,
    disperse: str | None,
    signed_in_window_minor: int,
) -> Broken | None:
    """The limits of one payment, or of a batch: each item's own, and the sum's.

    `signed_in_window_minor` are base units of the token signed in the last 24 hours, without these.
    """
    chain_id, address = orders[0].chain_id, orders[0].token
    token = limits.token(chain_id, address)
    if token is None or token.decimals != orders[0].token_decimals:
        return _token_refusal(token, chain_id, address)
    if disperse is not None and not limits.pins_spender(chain_id, disperse):
        return _spender_refusal(chain_id, disperse)
    items = [item for order in orders for item in order.items]
    for item in items:
        if broken := _item_refusal(limits, chain_id, token, item):
            return broken
    return _window_refusal(
        sum(item.amount_minor for item in items), signed_in_window_minor, token.rolling_24h_minor
    )


def allowance_refusal(limits: Limits, order: AllowanceOrder) -> Broken | None:
    """The limits of an allowance: token and spender pinned, amount within the token's own cap."""
    token = limits.token(order.chain_id, order.token)
    if token is None or token.decimals != order.token_decimals:
        return _token_refusal(token, order.chain_id, order.token)
    if not limits.pins_spender(order.chain_id, order.spender):
        return _spender_refusal(order.chain_id, order.spender)
    if order.amount_minor > token.allowance_minor:
        return (
            "ALLOWANCE_OVER_CAP",
            f"{order.amount_minor} is above the cap of {token.allowance_minor} an allowance",
        )
    return None


def top_up_refusal(
    limits: Limits, order: TopUpOrder, *, signed_in_window_wei: int
) -> Broken | None:
    """The limits of gas money: an own wallet, and the chain's own caps."""
    caps = limits.top_up(order.chain_id)
    if caps is None:
        return "TOP_UP_NOT_PERMITTED", f"limits.yaml has no top_ups for chain {order.chain_id}"
    if order.recipient not in limits.wallets:
        return "TOP_UP_STRANGER", f"{order.recipient} is no wallet of this signer"
    if order.amount_wei > caps.per_top_up_wei:
        return (
            "AMOUNT_OVER_CAP",
            f"{order.amount_wei} wei is above the cap of {caps.per_top_up_wei} a top-up",
        )
    return _window_refusal(order.amount_wei, signed_in_window_wei, caps.rolling_24h_wei)


def fee_refusal(limits: Limits, fees: FeeTerms, *, payments: int = 1) -> Broken | None:
    """The fee limits of whatever is no cancel; a batch may use as much gas as its payments singly."""
    if broken := _fee_order_refusal(fees):
        return broken
    if not 0 < fees.max_fee_per_gas_wei <= limits.max_fee_per_gas_wei:
        return _fee_cap_refusal(fees, limits.max_fee_per_gas_wei)
    most = limits.max_gas_limit * payments
    if not 21_000 <= fees.gas_limit <= most:
        return "GAS_OVER_CAP", f"the gas limit lies between 21000 and {most}"
    return None


def cancel_fee_refusal(
    limits: Limits, fees: FeeTerms, *, replaces: FeeTerms | None
) -> Broken | None:
    """The fee limit of a cancel. `replaces` are the highest fees of an order in its slot.

    Whatever the limits have become, a cancel may outbid that by the least that a node asks for.
    """
    if broken := _fee_order_refusal(fees):
        return broken
    most = limits.cancel_cap_wei
    if replaces is not None:
        needed = replaces.replacement(gas_limit=fees.gas_limit)
        most = max(most, needed.max_fee_per_gas_wei)
    if not 0 < fees.max_fee_per_gas_wei <= most:
        return _fee_cap_refusal(fees, most)
    return None


def bump_refusal(before: FeeTerms, after: FeeTerms) -> Broken | None:
    """A later attempt of a slot raises both fees by an eighth, as nodes ask of a replacement."""
    needed = before.replacement(gas_limit=after.gas_limit)
    if (
        after.max_fee_per_gas_wei >= needed.max_fee_per_gas_wei
        and after.max_priority_fee_per_gas_wei >= needed.max_priority_fee_per_gas_wei
    ):
        return None
    return "BUMP_TOO_SMALL", "a later attempt raises both fees by at least 12.5 %"


def _item_refusal(
    limits: Limits, chain_id: int, token: TokenLimit, item: OrderItem
) -> Broken | None:
    if (chain_id, item.recipient) not in limits.enrolled:
        return (
            "DESTINATION_NOT_ENROLLED",
            f"{item.recipient} is not enrolled; on the signer's host run `python -m signer enroll`",
        )
    if item.amount_minor > token.per_transaction_minor:
        return (
            "AMOUNT_OVER_CAP",
            f"{item.amount_minor} is above the cap of {token.per_transaction_minor} a payment",
        )
    return None


def _window_refusal(amount: int, signed_in_window: int, most: int) -> Broken | None:
    if signed_in_window + amount <= most:
        return None
    return (
        "WINDOW_OVER_CAP",
        f"{signed_in_window} signed in 24 hours and {amount} more exceed the cap of {most}",
    )


def _token_refusal(token: TokenLimit | None, chain_id: int, address: str) -> Broken:
    if token is None:
        return "TOKEN_NOT_PINNED", f"{address} is not pinned for chain {chain_id}"
    return "TOKEN_DECIMALS", f"{token.symbol} is pinned with {token.decimals} decimals"


def _spender_refusal(chain_id: int, address: str) -> Broken:
    return (
        "SPENDER_NOT_PINNED",
        f"{address} is no spender of chain {chain_id}; name it in limits.yaml on the signer's host",
    )


def _fee_order_refusal(fees: FeeTerms) -> Broken | None:
    if fees.max_priority_fee_per_gas_wei > fees.max_fee_per_gas_wei:
        return "FEES_INVALID", "the priority fee is at most the fee cap (EIP-1559)"
    return None


def _fee_cap_refusal(fees: FeeTerms, most: int) -> Broken:
    return "FEE_OVER_CAP", f"{fees.max_fee_per_gas_wei} wei a gas is above the cap {most}"
