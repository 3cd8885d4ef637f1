"""Reading stored and hand-written JSON: round trips, and refusal of whatever is not exact."""

import json

import pytest

from policy.decision import decision_from_json
from policy.engine import evaluate
from policy.facts import facts_from_json
from policy.request import request_from_json
from tests.support.policy import facts, norwick, payment
from treasurer.kernel.errors import InvalidInput


def refused(parse, data) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        parse(data)
    return caught.value


def test_round_trips():
    assert request_from_json(payment().to_json()) == payment()
    assert facts_from_json(facts().to_json()) == facts()
    without = payment(invoice_id=None)
    assert b"invoice_id" not in without.to_json()
    assert request_from_json(without.to_json()) == without
    lost = facts(payee=None, duplicates=None, spent_24h=None, price=None, runway=None, frozen=None)
    assert sorted(json.loads(lost.to_json())) == ["as_of", "available_minor", "invoice_open_minor"]
    assert facts_from_json(lost.to_json()) == lost


def test_amounts_are_strings_of_digits():
    document = json.loads(payment(amount_minor=2**256 - 1).to_json())
    assert document["amount_minor"] == str(2**256 - 1)
    assert request_from_json(json.dumps(document)).amount_minor == 2**256 - 1
    numbers = json.loads(evaluate(payment(), facts(), norwick()).to_json())["findings"][-1]
    assert numbers["rule"] == "tiers"
    assert numbers["numbers"] == {"amount_minor": "50000", "up_to_minor": "100000"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount_minor", 500),
        ("amount_minor", "5e8"),
        ("amount_minor", "5_0"),
        ("amount_minor", "٤٥٠"),
        ("amount_minor", "007"),
        ("amount_minor", " 7"),
        ("chain_id", "31337"),
        ("chain_id", True),
        ("now", "2026-11-02T09:00:00"),
        ("now", "yesterday"),
        ("payee_id", 7),
        ("payee_id", None),
        ("approved", "yes"),
    ],
)
def test_a_wrong_field_is_refused_by_name(field, value):
    document = json.loads(payment().to_json()) | {field: value}
    error = refused(request_from_json, json.dumps(document))
    assert (error.code, error.data) == ("POLICY_JSON", {"field": f"request.{field}"})


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount_minor": 0}, "PAYMENT_AMOUNT"),
        ({"amount_minor": -1}, "PAYMENT_AMOUNT"),
        ({"reporting_amount_minor": 0}, "PAYMENT_AMOUNT"),
        ({"amount_minor": 2**256}, "PAYMENT_AMOUNT"),
        ({"amount_minor": True}, "PAYMENT_AMOUNT"),
        ({"decimals": 19}, "ASSET_DECIMALS"),
        ({"initiator_kind": "robot"}, "INITIATOR_KIND"),
    ],
)
def test_what_is_no_payment_is_refused(changes, code):
    assert refused(lambda _: payment(**changes), None).code == code


def test_now_is_in_utc():
    with pytest.raises(ValueError, match="not in UTC"):
        payment(now=payment().now.replace(tzinfo=None))


@pytest.mark.parametrize(
    "text",
    [
        '{"as_of": "2026-11-02T09:00:00Z", "as_of": "2026-11-02T09:00:00Z"}',
        '{"as_of": 1.5}',
        '{"as_of": NaN}',
        "[]",
        "{",
        b"\xff",
        "[" * 100_000,
    ],
)
def test_what_is_no_exact_json_is_refused(text):
    assert refused(facts_from_json, text).code == "POLICY_JSON"


def test_nested_faults_are_named_by_their_path():
    document = json.loads(facts().to_json())
    document["price"]["numerator"] = 1
    error = refused(facts_from_json, json.dumps(document))
    assert error.data == {"field": "facts.price.numerator"}
    document = json.loads(evaluate(payment(), facts(), norwick()).to_json())
    document["findings"][0]["outcome"] = "MAYBE"
    error = refused(decision_from_json, json.dumps(document))
    assert error.data == {"field": "decision.findings.0.outcome"}
