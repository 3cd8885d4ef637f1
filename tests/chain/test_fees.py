"""Fees: every bump replaces, no cap is exceeded, a cancel always outbids its payment."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.caps import fee_refusal
from tests.support.chain import LAUNCHERS, NODES, development_profile, mine
from tests.support.embedded import GWEI, address, signed
from tests.support.signer import LIMITS
from treasurer.chain.evm import EvmChain
from treasurer.chain.fees import (
    FeeCaps,
    budget_wei,
    bumped,
    cancel_terms,
    is_priced_out,
    most_wei,
    payment_terms,
    raised,
)
from treasurer.chain.port import BroadcastOutcome, FeeQuote
from treasurer.kernel.transaction import CANCEL_GAS, FeeTerms

GAS = 120_000
CAPS = FeeCaps(100 * GWEI, 150 * GWEI)
quotes = st.builds(FeeQuote, st.integers(0, 10**12), st.integers(0, 10**12))
caps = st.integers(1, 10**12).flatmap(
    lambda payment: st.builds(
        FeeCaps, st.just(payment), st.integers(raised(payment), 4 * payment + 8)
    )
)


def replaces(new: FeeTerms, old: FeeTerms) -> bool:
    """12.5 % more on both fees, and never the same."""
    return all(
        Fraction(after) >= Fraction(before) * Fraction(9, 8) and after > before
        for after, before in (
            (new.max_fee_per_gas_wei, old.max_fee_per_gas_wei),
            (new.max_priority_fee_per_gas_wei, old.max_priority_fee_per_gas_wei),
        )
    )


@given(st.lists(quotes, min_size=1, max_size=60), caps)
def test_bumps_up_to_the_cap_and_a_cancel_above_them_all(
    market: list[FeeQuote], limits: FeeCaps
) -> None:
    attempts = [payment_terms(market[0], limits, gas_limit=GAS)]
    for quote in market[1:]:
        following = bumped(attempts[-1], quote, limits)
        if following is None:
            assert raised(attempts[-1].max_fee_per_gas_wei) > limits.payment_wei
            break
        assert replaces(following, attempts[-1])
        attempts.append(following)
    for terms in attempts:
        assert terms.gas_limit == GAS
        assert (
            0
            <= terms.max_priority_fee_per_gas_wei
            <= terms.max_fee_per_gas_wei
            <= limits.payment_wei
        )
    cancel = cancel_terms(attempts, market[-1], limits)
    assert cancel is not None, "a payment within its cap can always be cancelled"
    assert all(replaces(cancel, terms) for terms in attempts)
    assert cancel.gas_limit == CANCEL_GAS
    assert cancel.max_priority_fee_per_gas_wei <= cancel.max_fee_per_gas_wei <= limits.cancel_wei
    budget = budget_wei(GAS, limits)
    assert all(most_wei(terms) <= budget for terms in [*attempts, cancel])


def test_the_usual_market() -> None:
    first = payment_terms(FeeQuote(20 * GWEI, 2 * GWEI), CAPS, gas_limit=GAS)
    assert first == FeeTerms(GAS, 42 * GWEI, 2 * GWEI)
    second = bumped(first, FeeQuote(20 * GWEI, 2 * GWEI), CAPS)
    assert second == FeeTerms(GAS, 47_250_000_000, 2_250_000_000)
    third = bumped(second, FeeQuote(45 * GWEI, 3 * GWEI), CAPS)
    assert third == FeeTerms(GAS, 93 * GWEI, 3 * GWEI), "the market rose by more"
    assert bumped(third, FeeQuote(45 * GWEI, 3 * GWEI), CAPS) is None, "104.6 gwei exceed the cap"
    cancel = cancel_terms([first, second, third], FeeQuote(45 * GWEI, 3 * GWEI), CAPS)
    assert cancel == FeeTerms(CANCEL_GAS, 104_625_000_000, 3_375_000_000)
    again = cancel_terms([first, second, third, cancel], FeeQuote(90 * GWEI, 3 * GWEI), CAPS)
    assert again == FeeTerms(CANCEL_GAS, 150 * GWEI, 3_796_875_000)
    assert cancel_terms([again], FeeQuote(0, 0), CAPS) is None
    assert budget_wei(GAS, CAPS) == 12 * 10**15


def test_gas_that_costs_nothing_is_offered_the_least() -> None:
    """The signer refuses an offer of nothing as no fee at all, and would have each payment cancelled."""
    free = payment_terms(FeeQuote(0, 0), CAPS, gas_limit=GAS)
    assert free == FeeTerms(GAS, 1, 0)
    assert fee_refusal(LIMITS, free) is None
    assert fee_refusal(LIMITS, replace(free, max_fee_per_gas_wei=0)) is not None


def test_a_base_fee_above_the_cap_is_waited_for() -> None:
    quote = FeeQuote(130 * GWEI, GWEI)
    first = payment_terms(quote, CAPS, gas_limit=GAS)
    assert first == FeeTerms(GAS, 100 * GWEI, GWEI)
    assert is_priced_out(first, quote)
    assert not is_priced_out(first, FeeQuote(100 * GWEI, GWEI))


@pytest.mark.parametrize(("fee", "more"), [(0, 1), (1, 2), (7, 8), (8, 9), (9, 11), (1_000, 1_125)])
def test_a_raise_is_rounded_up(fee: int, more: int) -> None:
    assert raised(fee) == more


@pytest.mark.parametrize(("payment", "cancel"), [(100, 112), (100, 100), (0, 5)])
def test_a_cancel_must_be_able_to_outbid(payment: int, cancel: int) -> None:
    with pytest.raises(ValueError):
        FeeCaps(payment, cancel)
    assert FeeCaps(100, 113).cancel_wei == 113


@pytest.mark.parametrize("name", NODES)
async def test_a_real_node_takes_each_bump_and_the_cancel(name: str) -> None:
    with LAUNCHERS[name]() as url:
        async with EvmChain(url, development_profile()) as chain:
            quote = await chain.fees()
            terms = payment_terms(quote, CAPS, gas_limit=GAS)
            attempts: list[FeeTerms] = []
            while terms is not None and len(attempts) < 4:
                attempts.append(terms)
                assert await send(chain, terms, to=address(1)) is BroadcastOutcome.ACCEPTED
                following = bumped(terms, quote, CAPS)
                assert following is not None
                terms = following
            cancel = cancel_terms(attempts, quote, CAPS)
            assert cancel is not None
            assert await send(chain, cancel, to=address(0)) is BroadcastOutcome.ACCEPTED
            mine(url)
            assert await chain.nonce(address(0)) == 1
            receipts = await chain.receipts((await chain.head()).number)
            assert receipts is not None
            assert [receipt.gas_used for receipt in receipts] == [CANCEL_GAS]


async def send(chain: EvmChain, terms: FeeTerms, *, to: str) -> BroadcastOutcome:
    raw, _ = signed(
        0,
        0,
        to=to,
        gas=terms.gas_limit,
        max_fee_wei=terms.max_fee_per_gas_wei,
        tip_wei=terms.max_priority_fee_per_gas_wei,
    )
    return await chain.broadcast(bytes.fromhex(raw[2:]))
