"""The bytes of stored decisions. They may only change knowingly: old ones must replay (I10)."""

from pathlib import Path

import pytest

from policy.codec import parse_object
from policy.decision import decision_from_json
from policy.engine import evaluate
from policy.facts import PayeeFact, RunwayFact, WindowFact, facts_from
from policy.request import request_from
from tests.support.policy import EXACT, NEAR, NOW, SAMPLES, facts, norwick, payment

GOLDEN = Path(__file__).parent / "golden"


def _example():
    source = parse_object((SAMPLES / "request-example.json").read_bytes())
    return request_from(source.section("request")), facts_from(source.section("facts"))


CASES = {
    "allowed": (payment(100_000), facts()),
    "example": _example(),
    "two-people": (
        payment(1_000_001),
        facts(runway=RunwayFact(None, None, NOW), duplicates=(NEAR,)),
    ),
    "denied": (
        payment(2_500_001, asset="USDT", reporting_currency="EUR", chain_id=1),
        facts(
            payee=PayeeFact("pending", "pending", NOW),
            duplicates=(EXACT,),
            spent_24h=WindowFact(1, NOW),
            available_minor=0,
            invoice_open_minor=0,
            runway=RunwayFact(0, 1, NOW),
        ),
    ),
    "denied-for-now": (payment(), facts(price=None, frozen=True)),
}


@pytest.mark.parametrize("name", CASES)
def test_the_decision_is_the_golden_one(name):
    request, known = CASES[name]
    golden = (GOLDEN / f"{name}.json").read_bytes()
    assert evaluate(request, known, norwick()).to_json() + b"\n" == golden
    assert decision_from_json(golden).to_json() + b"\n" == golden
