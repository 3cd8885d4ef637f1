"""What a policy set would have decided on a stored past, with windows simulated along its own path."""

from dataclasses import replace
from datetime import timedelta

from policy.backtest import Fate, Replay, Replayed
from policy.difference import differences
from tests.support.dimensions import known, only
from tests.support.policy import NOW, facts, norwick, payment, policy_with


def no_zone(zone, now):
    assert zone is None


def past(number, minor, *, hours=0, before=Fate.PAID, binding=True, about=None):
    now = NOW + timedelta(hours=hours)
    request = payment(minor, payment_id=f"p{number}", now=now)
    about = about or known()
    price = replace(about.price, as_of=now)
    return Replayed(request, replace(about, as_of=now, price=price), before, binding)


def test_a_window_is_simulated_along_the_changed_path():
    """100.00 a day: 60.00 passes, 50.00 does not and counts for nothing, 40.00 passes."""
    replay = Replay(only("limits: {rolling_24h: {at_most: 100.00 USD}}"), NOW, no_zone)
    fates = [replay.decide(past(n, minor))[0] for n, minor in enumerate((6_000, 5_000, 4_000, 1))]
    assert fates == [Fate.PAID, Fate.DENIED, Fate.PAID, Fate.DENIED]
    assert replay.decide(past(9, 10_000, hours=24))[0] is Fate.DENIED
    assert replay.decide(past(9, 10_000, hours=25))[0] is Fate.PAID


def test_what_went_out_before_counts():
    replay = Replay(only("limits: {rolling_24h: {at_most: 100.00 USD}}"), NOW, no_zone)
    replay.remember(past(0, 6_000, hours=-1))
    assert replay.decide(past(1, 4_001)) == (Fate.DENIED, "rolling_24h")
    assert replay.decide(past(2, 4_000)) == (Fate.PAID, "")


def test_a_payment_that_is_decided_again_counts_once():
    replay = Replay(only("limits: {rolling_24h: {at_most: 100.00 USD}}"), NOW, no_zone)
    for hours in range(3):
        assert replay.decide(past(0, 10_000, hours=hours))[0] is Fate.PAID


def test_a_proposal_counts_for_nothing():
    replay = Replay(only("limits: {rolling_24h: {at_most: 100.00 USD}}"), NOW, no_zone)
    assert replay.decide(past(0, 10_000, binding=False))[0] is Fate.PAID
    assert replay.decide(past(1, 10_000))[0] is Fate.PAID


def test_each_scope_has_its_own_sum():
    replay = Replay(
        only("limits: {windows: [{by: payee, over: 7 days, at_most: 100.00 USD}]}"), NOW, no_zone
    )
    other = past(1, 10_000)
    other = replace(other, request=replace(other.request, payee_id="V-002"))
    assert replay.decide(past(0, 10_000))[0] is Fate.PAID
    assert replay.decide(other)[0] is Fate.PAID
    assert replay.decide(past(2, 1))[0] is Fate.DENIED


def test_a_fact_that_was_not_stored_is_unknown():
    replay = Replay(only("payees: {cooling_off: 24 h, first_payment: {then: deny}}"), NOW, no_zone)
    assert replay.decide(past(0, 1, about=facts()))[0] is Fate.UNKNOWN
    assert replay.decide(past(1, 1, about=known()))[0] is Fate.PAID
    # What another rule denies is denied whatever the fact.
    assert replay.decide(past(2, 1, about=facts(duplicates=None)))[0] is Fate.UNKNOWN
    frozen = facts(frozen=True, history=None)
    assert replay.decide(past(3, 1, about=frozen, before=Fate.WAITS))[0] is Fate.WAITS


def test_differences_are_told_in_plain_english():
    changed = policy_with("  - up_to: 1000.00 USD", "  - up_to: 500.00 USD")
    assert differences(norwick(), norwick()) == ()
    (line,) = differences(norwick(), changed)
    assert line.startswith("Changed (tiers). Before: Up to 1,000.00 USD: paid without asking.")
    assert " Now: Up to 500.00 USD: paid without asking." in line
    lines = differences(norwick(), only("sanctions: {max_age: 30 days}"))
    assert any(line.startswith("New (sanctions): Nobody on the sanctions list") for line in lines)
    assert any(line.startswith("No longer (runway): If cash") for line in lines)
    assert lines[0] == (
        "Its name was “Norwick Instruments, supplier payments” and is now “one dimension”."
    )
