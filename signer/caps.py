"""Owns the comparison of an order and its fees with the limits. Pure. Must never read a clock."""

from signer.limits import Limits
from treasurer.kernel.order import ExecutionOrder
from treasurer.kernel.transaction import FeeTerms


def order_refusal(
    limits: Limits, order: ExecutionOrder, *, signed_in_window_minor: int
) -> tuple[str, str] | None:
    """Code and message of the first limit that `order` breaks; None if it keeps them all.

    `signed_in_window_minor` are base units of the token signed in the last 24 hours, without it.
    """
    (item,) = order.items
    token = limits.token(order.chain_id, order.token)
    if token is None:
        return "TOKEN_NOT_PINNED", f"{order.token} is not pinned for chain {order.chain_id}"
    if token.decimals != order.token_decimals:
        return "TOKEN_DECIMALS", f"{token.symbol} is pinned with {token.decimals} decimals"
    if (order.chain_id, item.recipient) not in limits.enrolled:
        return (
            "DESTINATION_NOT_ENROLLED",
            f"{item.recipient} is not enrolled; on the signer's host run `python -m signer enroll`",
        )
    if item.amount_minor > token.per_transaction_minor:
        return (
            "AMOUNT_OVER_CAP",
            f"{item.amount_minor} is above the cap of {token.per_transaction_minor} a transaction",
        )
    if signed_in_window_minor + item.amount_minor > token.rolling_24h_minor:
        return (
            "WINDOW_OVER_CAP",
            f"{signed_in_window_minor} signed in 24 hours and {item.amount_minor} more exceed the"
            f" cap of {token.rolling_24h_minor}",
        )
    return None


def fee_refusal(limits: Limits, fees: FeeTerms) -> tuple[str, str] | None:
    """Code and message of the first fee limit broken; None if all are kept."""
    if fees.max_priority_fee_per_gas_wei > fees.max_fee_per_gas_wei:
        return "FEES_INVALID", "the priority fee is at most the fee cap (EIP-1559)"
    if not 0 < fees.max_fee_per_gas_wei <= limits.max_fee_per_gas_wei:
        return (
            "FEE_OVER_CAP",
            f"{fees.max_fee_per_gas_wei} wei a gas is above the cap {limits.max_fee_per_gas_wei}",
        )
    if not 21_000 <= fees.gas_limit <= limits.max_gas_limit:
        return "GAS_OVER_CAP", f"the gas limit lies between 21000 and {limits.max_gas_limit}"
    return None


def bump_refusal(before: FeeTerms, after: FeeTerms) -> tuple[str, str] | None:
    """A later attempt of a slot raises both fees by an eighth, as nodes ask of a replacement."""
    if (
        after.max_fee_per_gas_wei * 8 >= before.max_fee_per_gas_wei * 9
        and after.max_priority_fee_per_gas_wei * 8 >= before.max_priority_fee_per_gas_wei * 9
    ):
        return None
    return "BUMP_TOO_SMALL", "a later attempt raises both fees by at least 12.5 %"
