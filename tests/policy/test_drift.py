"""What may change between a vote and its payment, bound by bound, and how a file states it."""

from dataclasses import replace

import pytest

from policy.difference import differences
from policy.drift import Drift, Seen, drift
from policy.facts import Facts, RunwayFact
from policy.policy_set import parse_policy_set
from tests.support.dimensions import KNOWN_PAYEE, known, only
from tests.support.policy import NOW
from treasurer.kernel.errors import InvalidInput

SET = only("drift: {price: 0.25 %, balance: 20 %, policy: unchanged, payee: unchanged}")


def cash(minor: int | None) -> Facts:
    return known(runway=RunwayFact(minor, 1, NOW))


def price(numerator: int) -> Facts:
    sound = known()
    assert sound.price is not None
    return replace(sound, price=replace(sound.price, numerator=numerator, denominator=400_000))


def moved(before: Facts, after: Facts, digest: bytes = SET.digest) -> Drift:
    assert SET.tolerance is not None
    return drift(SET.tolerance, Seen(before, SET.digest), Seen(after, digest))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (price(400_000), price(401_000)),
        (price(400_000), price(399_000)),
        (cash(1_000), cash(800)),
        (cash(1_000), cash(9_000)),
        (cash(-5), cash(-5)),
    ],
)
def test_up_to_the_tolerance_nothing_drifted(before, after):
    assert moved(before, after) == Drift((), ())


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (
            price(400_000),
            price(401_001),
            "The price of USDC moved by 0.2503 % since people agreed;",
        ),
        (
            price(400_000),
            price(398_999),
            "The price of USDC moved by 0.2503 % since people agreed;",
        ),
        (cash(1_000), cash(799), "Cash fell by 20.1 % since people agreed; 20 % is tolerated."),
        (cash(-5), cash(-6), "Cash was spent when people agreed, and fell further."),
        (cash(None), cash(1), "Cash was not known when people agreed."),
        (
            known(),
            known(payee=replace(KNOWN_PAYEE, cooling_off_until=NOW)),
            "The payee's details were changed since people agreed.",
        ),
    ],
)
def test_beyond_it_people_are_told_what_moved(before, after, reason):
    (told,) = moved(before, after).reasons
    assert told.startswith(reason)


def test_another_set_drifted_whatever_it_says():
    assert moved(known(), known(), b"another").reasons == (
        "Another policy set is in force since people agreed.",
    )


def test_what_is_not_known_now_is_waited_for():
    assert moved(known(), cash(None)) == Drift((), ("cash",))
    assert moved(known(), known(price=None)) == Drift((), ("the token's price",))


def test_a_file_states_the_tolerance_in_words_that_are_kept():
    assert parse_policy_set(SET.canonical) == SET
    assert SET.describe()[-1] == (
        "People are asked again if, since they agreed, the token's price moved by more than 0.25 % or"
        " the quote lapsed, or cash fell by more than 20 %, or another policy set is in force, or the"
        " payee's details or address changed."
    )
    looser = only("drift: {balance: 100 %}")
    assert differences(looser, SET) == (
        f"Changed (drift). Before: {looser.describe()[-1]} Now: {SET.describe()[-1]}",
    )


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("drift: {}", "drift: say what may not change: price, balance, policy or payee"),
        ("drift: {price: 0 %}", "write a share as 25 % or 0.25 %, above 0 and at most 100 %"),
        ("drift: {price: 100.0001 %}", "write a share as 25 %"),
        ("drift: {price: 0.25}", "write a share as 25 %"),
        ("drift: {balance: 1e1 %}", "write a share as 25 %"),
        ("drift: {policy: any}", "Input should be 'unchanged'"),
    ],
)
def test_a_tolerance_that_says_nothing_is_refused(section, told):
    with pytest.raises(InvalidInput) as refused:
        only(section)
    assert told in refused.value.message
