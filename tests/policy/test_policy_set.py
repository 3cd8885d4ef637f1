"""Compiling a policy file: what it means, its one canonical spelling, and where its faults are."""

import json
from dataclasses import FrozenInstanceError
from itertools import takewhile

import pytest

from policy.policy_set import load_policy_set, parse_policy_set
from tests.support.policy import NORWICK_YAML, SAMPLES, norwick, policy_with
from treasurer.kernel.errors import InvalidInput


def fault(text: str) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        load_policy_set(text)
    return caught.value


def test_the_sample_of_norwick_compiles_to_a_known_version():
    assert norwick().digest.hex() == (
        "93fc04912cc710b00acb23c74641fac6b8a33ebe51db81ed37f0027cd3be1bd5"
    )
    assert norwick().cooling_off_s == 86_400
    assert norwick().most_people_asked == 2
    assert [rule.name for rule in norwick().rules] == [
        "tiers",
        "freeze",
        "ledger_age",
        "currency",
        "asset_and_network",
        "payee_verified",
        "cooling_off",
        "duplicate",
        "payment_limit",
        "rolling_24h",
        "available_balance",
        "invoice_open",
        "price_age",
        "peg",
        "runway",
    ]


def test_the_sample_for_one_person_never_asks():
    single = load_policy_set((SAMPLES / "single-person.yaml").read_text())
    assert single.most_people_asked == 0
    assert single.cooling_off_s == 259_200


@pytest.mark.parametrize("name", ["norwick.yaml", "single-person.yaml"])
def test_canonical_bytes_compile_to_the_same_set(name):
    loaded = load_policy_set((SAMPLES / name).read_text())
    parsed = parse_policy_set(loaded.canonical)
    assert parsed == loaded
    assert parsed.canonical == loaded.canonical


def test_other_spellings_of_the_same_policy_are_the_same_version():
    respelled = (
        NORWICK_YAML.replace("expire_after: 72 h", "expire_after: 3 days")
        .replace("1 of cfo and 1 of approver or cfo", "1 of cfo or approver and 1 of cfo")
        .replace("up_to: 1000.00 USD", "up_to: '1000 USD'")
        .replace("asset: USDC", "asset: OTHER")
        .replace("asset: MNEE", "asset: USDC")
        .replace("asset: OTHER", "asset: MNEE")
    )
    assert respelled != NORWICK_YAML
    assert load_policy_set(respelled).digest == norwick().digest
    assert policy_with("up_to: 1000.00 USD", "up_to: 1000.01 USD").digest != norwick().digest


def test_stored_bytes_are_read_strictly():
    spaced = json.dumps(json.loads(norwick().canonical)).encode()
    with pytest.raises(InvalidInput, match="POLICY_NOT_CANONICAL"):
        parse_policy_set(spaced)
    with pytest.raises(InvalidInput, match="POLICY_INVALID"):
        parse_policy_set(b"{}")
    with pytest.raises(InvalidInput, match="POLICY_JSON"):
        parse_policy_set(b"[]")


def test_a_compiled_set_is_frozen():
    with pytest.raises(FrozenInstanceError):
        norwick().name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("old", "new", "code", "column", "says"),
    [
        ("up_to: 1000.00", "up_to: 1,000.00", "POLICY_INVALID", 5, "without grouping"),
        ("up_to: 1000.00 USD", "up_to: 1000.00 EUR", "POLICY_INVALID", 5, "not EUR"),
        ("up_to: 1000.00", "up_to: 1000.001", "POLICY_INVALID", 5, "2 decimals"),
        ("up_to: 1000.00", "up_to: 1e3", "POLICY_INVALID", 5, "without grouping"),
        ("up_to: 1000.00", "up_to: 0.00", "POLICY_INVALID", 5, "greater than zero"),
        ("up_to: 1000.00", "up_to: ٤٥٠", "POLICY_INVALID", 5, "without grouping"),
        ("pay without asking", "pay", "POLICY_INVALID", 5, "pay without asking, or: ask"),
        ("1 of cfo and", "1 of owner and", "POLICY_INVALID", 5, "owner has no vote"),
        ("1 of cfo and", "1 of administrator and", "POLICY_INVALID", 5, "has no vote"),
        ("1 of cfo and", "cfo and", "POLICY_INVALID", 5, "does not say who"),
        ("cooling_off: 24 h", "cooling_off: 1 day 2 h", "POLICY_INVALID", 3, "span of time"),
        ("cooling_off: 24 h", "cooling_off: [24 h]", "POLICY_INVALID", 3, "single value"),
        ("ask_below: 90 days", "ask_below: 90 h", "POLICY_INVALID", 3, "whole days"),
        ("near: ask 1", "near: allow 1", "POLICY_INVALID", 3, "deny, or: ask"),
        ("max_age:\n  ledger", "max_age:\n  books: 1\n  ledger", "POLICY_INVALID", 3, "spelling"),
        ("up_to: 10000.00", "up_to: 1000.00", "POLICY_TIERS_ORDER", 5, "higher"),
        ("up_to: 10000.00 USD", "up_to: any amount", "POLICY_TIERS_ORDER", 5, "the last"),
        ("deny_below: 30", "deny_below: 91", "POLICY_RUNWAY_FLOORS", 3, "denial starts"),
        ("policy: 1\n", "policy: 1\npolicy: 1\n", "POLICY_SYNTAX", 1, "stands twice"),
        ("policy: 1\n", "policy: &a 1\n", "POLICY_SYNTAX", 9, "no anchors"),
        ("policy: 1\n", "policy: !!python/none 1\n", "POLICY_SYNTAX", 9, "no tags"),
        ("policy: 1\n", "policy: 1: 2\n", "POLICY_SYNTAX", 10, "mapping values"),
        ("policy: 1\n", "policy: 2\n", "POLICY_INVALID", 1, "Input should be '1'"),
        ("  decimals: 2", "  decimals: 2.5", "POLICY_INVALID", 3, "whole number"),
    ],
)
def test_a_fault_is_named_with_its_place(old, new, code, column, says):
    assert NORWICK_YAML.count(old) == 1
    pairs = zip(old, new, strict=False)
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    line = NORWICK_YAML.count("\n", 0, NORWICK_YAML.index(old) + same) + 1
    error = fault(NORWICK_YAML.replace(old, new))
    assert (error.code, error.data) == (code, {"line": line, "column": column})
    assert error.message.startswith(f"line {line}, column {column}: ")
    assert says in error.message


def test_all_faults_are_named_at_once_and_in_order():
    text = NORWICK_YAML.replace("duplicates:", "duplicate:").replace("30 days", "30 d")
    lines = fault(text).message.splitlines()
    assert [line.split(": ", 1)[1] for line in lines] == [
        "duplicates: this is missing",
        "duplicate: no such word belongs here; check its spelling",
        "runway.deny_below: write a span of time as 90 s, 15 min, 24 h or 30 days",
    ]


def test_an_approval_must_expire():
    error = fault(NORWICK_YAML.replace("approvals:\n  expire_after: 72 h\n", ""))
    assert "how long an approval waits" in error.message


def test_two_limits_of_the_same_scope_are_refused():
    twice = "    - at_most: 25000.00 USD\n    - at_most: 20000.00 USD\n"
    error = fault(NORWICK_YAML.replace("    - at_most: 25000.00 USD\n", twice))
    assert "two limits have the same scope" in error.message


@pytest.mark.parametrize(
    "text", ["", "- a", "just text", "a: [" * 50, "x" * 100_001, "\x00", "{? [a] : b}"]
)
def test_what_is_no_policy_is_refused(text):
    assert fault(text).code in {"POLICY_SYNTAX", "POLICY_INVALID"}


@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        ("ask 1 of cfo", "pay without asking"),
        ("ask 2 of approver or cfo", "ask 1 of cfo"),
        ("ask 1 of cfo", "ask 1 of approver or cfo"),
        ("ask 1 of cfo within 24 h", "ask 2 of cfo"),
        ("ask 1 of cfo and 1 of approver", "ask 2 of cfo"),
    ],
)
def test_tiers_that_loosen_with_the_amount_are_refused(lower, upper):
    text = NORWICK_YAML.replace("then: ask 1 of approver or cfo", f"then: {lower}").replace(
        "then: ask 1 of cfo and 1 of approver or cfo ", f"then: {upper} "
    )
    error = fault(text)
    line = text.count("\n", 0, text.index("  - up_to: 25000.00")) + 1
    assert (error.code, error.data) == ("POLICY_TIERS_LOOSEN", {"line": line, "column": 5})


def test_tiers_that_loosen_only_beside_another_question_are_refused():
    """One approver or two CFOs: fewer people once the runway rule, too, asks two CFOs."""
    text = NORWICK_YAML.replace(
        "then: ask 1 of cfo and 1 of approver or cfo ", "then: ask 2 of cfo "
    ).replace("then: ask 1 of approver or cfo", "then: ask 2 of approver or cfo")
    load_policy_set(text.replace("ask: 1 of cfo", "ask: 1 of approver or cfo"))
    error = fault(text.replace("ask: 1 of cfo", "ask: 2 of cfo"))
    assert error.code == "POLICY_TIERS_LOOSEN"
    assert "while another rule asks 2 of cfo" in error.message


def test_every_rule_says_what_it_means():
    sentences = norwick().describe()
    assert len(sentences) == 15
    assert sentences[0] == (
        "Up to 1,000.00 USD: paid without asking. Up to 10,000.00 USD: asks 1 of approver or cfo,"
        " within 72 h. Up to 25,000.00 USD: asks 1 of approver or cfo and 1 of cfo, different"
        " people, within 72 h. Above that: denied."
    )


def test_payments_share_a_transaction_only_where_the_policy_says_so():
    assert norwick().most_in_batch == 1
    batched = load_policy_set(NORWICK_YAML + "batches: {at_most: 20}\n")
    assert batched.most_in_batch == 20
    assert batched.digest != norwick().digest
    assert parse_policy_set(batched.canonical) == batched
    for most in (1, 101):
        error = fault(NORWICK_YAML + f"batches: {{at_most: {most}}}\n")
        assert "batches.at_most" in error.message
