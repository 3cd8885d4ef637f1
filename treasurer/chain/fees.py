"""Owns what a transaction offers for its gas, by EIP-1559. Pure. Must never exceed a cap, and never offer a
replacement that a node may refuse.

Nodes take another transaction for a slot when both fees are at least 10 % above those of the one they have
(geth, reth, Nethermind, Besu); 12.5 % leaves room for their rounding.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from treasurer.chain.port import FeeQuote
from treasurer.kernel.transaction import CANCEL_GAS, FeeTerms

WEI_PER_GWEI = 10**9


@dataclass(frozen=True, slots=True)
class FeeCaps:
    """The most that one unit of gas may cost, wei, for a payment and for the cancel of its slot.

    Raises ValueError unless a cancel can outbid a payment that stands at its own cap.
    """

    payment_wei: int
    cancel_wei: int

    def __post_init__(self) -> None:
        if self.payment_wei < 1 or self.cancel_wei < raised(self.payment_wei):
            raise ValueError("the cancel's cap must lie 12.5 % above the payment's")


def raised(fee_wei: int) -> int:
    """The least fee that replaces `fee_wei`: 12.5 % more, rounded up, and never the same."""
    return max(-(-fee_wei * 9 // 8), fee_wei + 1)


def payment_terms(quote: FeeQuote, caps: FeeCaps, *, gas_limit: int) -> FeeTerms:
    """A first attempt: room for six full blocks of rising base fee (twice it), and the usual tip.

    Under a cap below the base fee it waits in the pool until that falls.
    """
    return _market(quote, caps.payment_wei, gas_limit)


def bumped(last: FeeTerms, quote: FeeQuote, caps: FeeCaps) -> FeeTerms | None:
    """The next attempt of a payment whose newest one offered `last`; None where the cap leaves no room for
    one, and the payment waits or is cancelled.
    """
    return _above([last], quote, caps.payment_wei, last.gas_limit)


def cancel_terms(attempts: Sequence[FeeTerms], quote: FeeQuote, caps: FeeCaps) -> FeeTerms | None:
    """A self-send that replaces every one of `attempts`, which are all that were ever signed for the slot,
    cancels among them. Never None for payments within their cap; None where an earlier cancel leaves no
    room for another.
    """
    return _above(attempts, quote, caps.cancel_wei, CANCEL_GAS)


def most_wei(terms: FeeTerms) -> int:
    """What an attempt costs at most."""
    return terms.gas_limit * terms.max_fee_per_gas_wei


def budget_wei(gas_limit: int, caps: FeeCaps) -> int:
    """What a transfer costs at most, whichever of its attempts is mined: only one can be."""
    return max(gas_limit * caps.payment_wei, CANCEL_GAS * caps.cancel_wei)


def is_priced_out(terms: FeeTerms, quote: FeeQuote) -> bool:
    """Whether the next block cannot take an attempt at these terms, however long it waits."""
    return terms.max_fee_per_gas_wei < quote.base_fee_wei


def _market(quote: FeeQuote, cap_wei: int, gas_limit: int) -> FeeTerms:
    # Where gas costs nothing one wei is offered: no offer at all is what a signer refuses.
    most = max(1, min(cap_wei, 2 * quote.base_fee_wei + quote.priority_fee_wei))
    return FeeTerms(gas_limit, most, min(quote.priority_fee_wei, most))


def _above(
    attempts: Sequence[FeeTerms], quote: FeeQuote, cap_wei: int, gas_limit: int
) -> FeeTerms | None:
    """What the market asks, and enough to replace each of `attempts`, if the cap allows it."""
    least_fee = raised(max(terms.max_fee_per_gas_wei for terms in attempts))
    least_tip = raised(max(terms.max_priority_fee_per_gas_wei for terms in attempts))
    # A tip above the fee is refused, whatever the fees of different attempts were.
    least_fee = max(least_fee, least_tip)
    if least_fee > cap_wei:
        return None
    market = _market(quote, cap_wei, gas_limit)
    fee = max(least_fee, market.max_fee_per_gas_wei)
    tip = max(least_tip, market.max_priority_fee_per_gas_wei)
    return FeeTerms(gas_limit, fee, tip)
