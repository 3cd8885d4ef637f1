"""Rules that look at circumstances: who is paid, in what, on how fresh figures."""

from dataclasses import replace
from datetime import timedelta

import pytest

from policy.decision import Outcome
from policy.engine import evaluate
from policy.facts import DuplicateFact, PayeeFact
from tests.support.policy import (
    EXACT,
    NEAR,
    NEEDED,
    NOW,
    facts,
    finding,
    norwick,
    payment,
    policy_with,
)


def test_a_sound_payment_is_allowed_and_every_rule_has_spoken():
    decision = evaluate(payment(), facts(), norwick())
    assert decision.outcome is Outcome.ALLOW
    assert (decision.retriable, decision.requirement) == (False, None)
    assert {(finding.rule, finding.code) for finding in decision.findings} == {
        ("asset_and_network", "ASSET_ALLOWED"),
        ("available_balance", "FUNDS_AVAILABLE"),
        ("cooling_off", "COOLING_OFF_OVER"),
        ("currency", "REPORTING_CURRENCY"),
        ("duplicate", "NO_DUPLICATE"),
        ("freeze", "NOT_FROZEN"),
        ("invoice_open", "WITHIN_OPEN_AMOUNT"),
        ("ledger_age", "LEDGER_FRESH"),
        ("payee_verified", "PAYEE_VERIFIED"),
        ("payment_limit", "WITHIN_PAYMENT_LIMIT"),
        ("peg", "PEG_HOLDS"),
        ("price_age", "PRICE_FRESH"),
        ("rolling_24h", "WITHIN_24H_LIMIT"),
        ("runway", "RUNWAY_LONG_ENOUGH"),
        ("tiers", "TIER_WITHOUT_ASKING"),
    }


@pytest.mark.parametrize(
    ("payee", "code", "message"),
    [
        (
            PayeeFact("pending", "verified", None),
            "PAYEE_NOT_VERIFIED",
            "The payee is pending, not verified.",
        ),
        (
            PayeeFact("verified", "revoked", None),
            "ADDRESS_NOT_VERIFIED",
            "The payee's address is revoked, not verified.",
        ),
        (
            PayeeFact("Verified", "verified", None),
            "PAYEE_NOT_VERIFIED",
            "The payee is Verified, not verified.",
        ),
    ],
)
def test_only_verified_payees_at_verified_addresses(payee, code, message):
    decision = evaluate(payment(), facts(payee=payee), norwick())
    spoken = finding(decision, "payee_verified")
    assert (spoken.code, spoken.message) == (code, message)
    assert (decision.outcome, decision.retriable) == (Outcome.DENY, False)


@pytest.mark.parametrize(
    ("rest", "outcome"),
    [(timedelta(microseconds=1), Outcome.DENY), (timedelta(0), Outcome.ALLOW)],
)
def test_cooling_off_ends_at_its_instant(rest, outcome):
    payee = PayeeFact("verified", "verified", NOW + rest)
    decision = evaluate(payment(), facts(payee=payee), norwick())
    assert (decision.outcome, decision.retriable) == (outcome, False)


def test_cooling_off_names_its_end():
    payee = PayeeFact("verified", "verified", NOW + timedelta(hours=3))
    spoken = finding(evaluate(payment(), facts(payee=payee), norwick()), "cooling_off")
    assert spoken.code == "COOLING_OFF"
    assert spoken.numbers == {"until_at": "2026-11-02T12:00:00.000000Z"}


def test_a_near_duplicate_asks_and_an_exact_one_is_denied():
    near = evaluate(payment(), facts(duplicates=(NEAR,)), norwick())
    assert (near.outcome, finding(near, "duplicate").code) == (
        Outcome.REQUIRE_APPROVAL,
        "DUPLICATE_NEAR",
    )
    both = evaluate(payment(), facts(duplicates=(NEAR, EXACT)), norwick())
    assert (both.outcome, finding(both, "duplicate").code) == (Outcome.DENY, "DUPLICATE_EXACT")
    odd = evaluate(payment(), facts(duplicates=(DuplicateFact("x", "odd", "?"),)), norwick())
    assert odd.outcome is Outcome.DENY


def test_a_set_may_deny_near_duplicates():
    strict = policy_with("near: ask 1 of approver or cfo", "near: deny")
    decision = evaluate(payment(), facts(duplicates=(NEAR,)), strict)
    assert (decision.outcome, finding(decision, "duplicate").code) == (
        Outcome.DENY,
        "DUPLICATE_NEAR",
    )


@pytest.mark.parametrize(
    ("asset", "chain_id", "code"),
    [
        ("MNEE", 31337, "ASSET_ALLOWED"),
        ("USDT", 31337, "ASSET_NOT_ALLOWED"),
        ("USDC", 1, "NETWORK_NOT_ALLOWED"),
    ],
)
def test_the_list_of_assets_and_networks(asset, chain_id, code):
    price = replace(facts().price, asset=asset)
    decision = evaluate(payment(asset=asset, chain_id=chain_id), facts(price=price), norwick())
    assert finding(decision, "asset_and_network").code == code
    assert decision.outcome is (Outcome.ALLOW if code == "ASSET_ALLOWED" else Outcome.DENY)


def test_an_amount_in_another_reporting_currency_is_denied():
    decision = evaluate(payment(reporting_currency="EUR"), facts(), norwick())
    assert finding(decision, "currency").message == (
        "The amount is reported in EUR, but limits are set in USD."
    )
    assert decision.outcome is Outcome.DENY


def test_a_freeze_denies_for_now():
    decision = evaluate(payment(), facts(frozen=True), norwick())
    assert (decision.outcome, decision.retriable) == (Outcome.DENY, True)
    assert finding(decision, "freeze").code == "FROZEN"


def test_a_broken_peg_denies_for_good():
    broken = replace(facts().price, in_peg_band=False)
    decision = evaluate(payment(), facts(price=broken), norwick())
    assert (decision.outcome, decision.retriable) == (Outcome.DENY, False)
    assert finding(decision, "peg").message == "USDC has left its band around USD."


def test_a_price_of_another_pair_counts_as_missing():
    other = replace(facts().price, asset="MNEE")
    decision = evaluate(payment(), facts(price=other), norwick())
    assert (decision.outcome, decision.retriable) == (Outcome.DENY, True)
    assert finding(decision, "price_age").code == "PRICE_OF_OTHER_PAIR"


@pytest.mark.parametrize("name", NEEDED)
def test_a_missing_fact_denies_for_now(name):
    decision = evaluate(payment(), facts(**{name: None}), norwick())
    assert (decision.outcome, decision.retriable) == (Outcome.DENY, True)
    denials = {f.code for f in decision.findings if f.outcome is Outcome.DENY}
    assert denials == {"FACT_MISSING"}


def test_a_missing_open_amount_denies_for_now():
    decision = evaluate(payment(), facts(invoice_open_minor=None), norwick())
    assert (decision.outcome, decision.retriable) == (Outcome.DENY, True)
    assert finding(decision, "invoice_open").code == "FACT_MISSING"


def test_one_denial_for_good_makes_the_decision_final():
    payee = PayeeFact("pending", "verified", None)
    decision = evaluate(payment(), facts(payee=payee, price=None), norwick())
    assert (decision.outcome, decision.retriable) == (Outcome.DENY, False)


@pytest.mark.parametrize(
    ("rule", "limit_s"),
    [("ledger_age", 300), ("rolling_24h", 300), ("price_age", 900), ("runway", 604_800)],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_figures_may_be_as_old_as_the_limit_and_no_older(rule, limit_s, sign):
    def aged(age: timedelta):
        as_of = NOW - sign * age
        sound = facts()
        return {
            "ledger_age": replace(sound, as_of=as_of),
            "rolling_24h": replace(sound, spent_24h=replace(sound.spent_24h, as_of=as_of)),
            "price_age": replace(sound, price=replace(sound.price, as_of=as_of)),
            "runway": replace(sound, runway=replace(sound.runway, as_of=as_of)),
        }[rule]

    limit = timedelta(seconds=limit_s)
    assert evaluate(payment(), aged(limit), norwick()).outcome is Outcome.ALLOW
    stale = evaluate(payment(), aged(limit + timedelta(seconds=1)), norwick())
    assert (stale.outcome, stale.retriable) == (Outcome.DENY, True)
    assert finding(stale, rule).code == "FACT_STALE"
    assert finding(stale, rule).numbers == {"age_s": sign * (limit_s + 1), "limit_s": limit_s}
