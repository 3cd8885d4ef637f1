"""Owns the comparison of decisions a second with zen-engine and cedarpy, in one run on equal terms.

Must never flatter: twenty rules of the same meaning for each, the peers' policies parsed beforehand,
their inputs flattened beforehand (ours takes the objects that the services pass), one thread, rounds
interleaved, medians. What is measured:

- `policy, full trace`: `policy.assessment.weigh`, which gives outcome, requirement and every rule's
  word with the numbers it saw;
- `policy, stored decision`: `policy.engine.evaluate`, which adds the words for people and a
  counterfactual confirmed by weighing again;
- zen-engine: a decision table that collects all rows that match, from its static loader, which
  compiles it once (`create_decision` compiles at every call and is ten times slower). As a table of
  columns, the way its editor makes them, and as one column of whole expressions, which is faster;
  each with its trace (like for like) and without;
- cedarpy: permit and forbid policies, pre-parsed, with the reasons it returns.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from policy.assessment import weigh
from policy.engine import evaluate
from policy.facts import Facts, PayeeFact, PriceFact, RunwayFact, WindowFact
from policy.policy_set import PolicySet, load_policy_set
from policy.request import PaymentRequest

ROUNDS = 9
SECONDS_A_ROUND = 0.25

_NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
_POLICY = """
policy: 1
name: benchmark
reporting: {currency: USD, decimals: 2}
pay_in: [{asset: USDC, chain: 31337}, {asset: MNEE, chain: 31337}]
tiers:
  - {up_to: 1000.00 USD, then: pay without asking}
  - {up_to: 10000.00 USD, then: ask 1 of approver or cfo}
  - {up_to: 25000.00 USD, then: ask 1 of cfo and 1 of approver or cfo}
approvals: {expire_after: 72 h}
limits:
  per_payment:
    - {at_most: 25000.00 USD}
    - {at_most: 20000.00 USD, for: agent}
    - {at_most: 24000.00 USD, for: human}
    - {at_most: 22000.00 USD, for: service}
    - {at_most: 15000.00 USD, asset: USDC}
    - {at_most: 5000.00 USD, asset: MNEE}
  rolling_24h: {at_most: 25000.00 USD}
payees: {cooling_off: 24 h}
duplicates: {near: ask 1 of approver or cfo}
runway: {deny_below: 30 days, ask_below: 90 days, ask: 1 of cfo, max_age: 7 days}
max_age: {ledger: 5 min, price: 15 min}
"""

# (cells of a zen-engine row, condition for cedar, code): a rule fires when all its cells hold.
_DENIALS: tuple[tuple[dict[str, str], str, str], ...] = (
    ({"frozen": "true"}, "context.frozen", "FROZEN"),
    ({"ledger_age_s": "> 300"}, "context.ledger_age_s > 300", "FACT_STALE"),
    ({"currency": "not in ['USD']"}, 'context.currency != "USD"', "REPORTING_CURRENCY_DIFFERS"),
    (
        {"asset in ['USDC', 'MNEE'] and chain_id == 31337": "false"},
        '!(["USDC", "MNEE"].contains(context.asset) && context.chain_id == 31337)',
        "ASSET_NOT_ALLOWED",
    ),
    (
        {"payee_state == 'verified' and address_state == 'verified'": "false"},
        'context.payee_state != "verified" || context.address_state != "verified"',
        "PAYEE_NOT_VERIFIED",
    ),
    ({"now_s - cooling_until_s": "< 0"}, "context.now_s < context.cooling_until_s", "COOLING_OFF"),
    ({"exact_duplicates": "> 0"}, "context.exact_duplicates > 0", "DUPLICATE_EXACT"),
    ({"amount": "> 2500000"}, "context.amount > 2500000", "PAYMENT_LIMIT"),
    (
        {"initiator": "'agent'", "amount": "> 2000000"},
        'context.initiator == "agent" && context.amount > 2000000',
        "PAYMENT_LIMIT_AGENT",
    ),
    (
        {"initiator": "'human'", "amount": "> 2400000"},
        'context.initiator == "human" && context.amount > 2400000',
        "PAYMENT_LIMIT_HUMAN",
    ),
    (
        {"initiator": "'service'", "amount": "> 2200000"},
        'context.initiator == "service" && context.amount > 2200000',
        "PAYMENT_LIMIT_SERVICE",
    ),
    (
        {"asset": "'USDC'", "amount": "> 1500000"},
        'context.asset == "USDC" && context.amount > 1500000',
        "PAYMENT_LIMIT_USDC",
    ),
    (
        {"asset": "'MNEE'", "amount": "> 500000"},
        'context.asset == "MNEE" && context.amount > 500000',
        "PAYMENT_LIMIT_MNEE",
    ),
    (
        {"spent_24h + amount": "> 2500000"},
        "context.spent_24h + context.amount > 2500000",
        "LIMIT_24H",
    ),
    (
        {"token_amount - available": "> 0"},
        "context.token_amount > context.available",
        "INSUFFICIENT_FUNDS",
    ),
    ({"token_amount - open": "> 0"}, "context.token_amount > context.open", "ABOVE_OPEN_AMOUNT"),
    ({"price_age_s": "> 900"}, "context.price_age_s > 900", "PRICE_STALE"),
    ({"in_peg_band": "false"}, "!context.in_peg_band", "PEG_BROKEN"),
    (
        {"(cash - amount) * 30 - 30 * burn": "< 0"},
        "(context.cash - context.amount) * 30 < 30 * context.burn",
        "RUNWAY_BELOW_HARD_FLOOR",
    ),
)
_TIER = ({"amount": "<= 2500000"}, "context.amount <= 2500000", "TIER")
RULES = len(_DENIALS) + 1


def run() -> dict[str, object]:
    """Measure all engines. Decisions a second (medians) and ours over theirs."""
    policy_set = load_policy_set(_POLICY)
    if len(policy_set.rules) != RULES:
        raise ValueError(f"the benchmark compares {RULES} rules, not {len(policy_set.rules)}")
    cases = [(_request(minor), _facts()) for minor in (50_000, 100_000, 415_000, 1_200_000)]
    cases += [(request, replace(facts, frozen=True)) for request, facts in cases[:1]]
    contexts = [_context(request, facts) for request, facts in cases]
    engines: dict[str, Callable[[], object]] = {
        "policy, full trace": _ours(cases, policy_set, weigh),
        "policy, stored decision": _ours(cases, policy_set, evaluate),
        "zen-engine table, traced": _zen(contexts, _columns(), trace=True),
        "zen-engine table": _zen(contexts, _columns(), trace=False),
        "zen-engine expressions, traced": _zen(contexts, _expressions(), trace=True),
        "zen-engine expressions": _zen(contexts, _expressions(), trace=False),
        "cedarpy, pre-parsed": _cedar(contexts),
    }
    rates: dict[str, list[int]] = {name: [] for name in engines}
    for _ in range(ROUNDS):
        for name, decide_all in engines.items():
            rates[name].append(_rate(decide_all, len(cases)))
    medians = {name: statistics.median_low(values) for name, values in rates.items()}
    ours = medians["policy, full trace"]
    ratios = {name: _ratio(ours, median) for name, median in medians.items()}
    targets = {"zen-engine table, traced": 4, "cedarpy, pre-parsed": 5}
    for name, median in medians.items():
        target = f"  target {targets[name]}.0" if name in targets else ""
        print(f"{name:32}{median:>10,} decisions/s   full trace is x {ratios[name]}{target}")
    return {"rules": RULES, "decisions_per_s": medians, "full_trace_over": ratios}


def _ratio(ours: int, theirs: int) -> str:
    tenths = (10 * ours + theirs // 2) // theirs
    return f"{tenths // 10}.{tenths % 10}"


def _rate(decide_all: Callable[[], object], decisions: int) -> int:
    started = time.perf_counter_ns()
    deadline = started + int(SECONDS_A_ROUND * 1e9)
    done = 0
    while time.perf_counter_ns() < deadline:
        decide_all()
        done += decisions
    return done * 1_000_000_000 // (time.perf_counter_ns() - started)


def _ours(
    cases: list[tuple[PaymentRequest, Facts]],
    policy_set: PolicySet,
    decide: Callable[[PaymentRequest, Facts, PolicySet], object],
) -> Callable[[], object]:
    return lambda: [decide(request, facts, policy_set) for request, facts in cases]


def _zen(
    contexts: list[dict[str, object]], rows: list[dict[str, str]], *, trace: bool
) -> Callable[[], object]:
    import zen

    loader = {"type": "static", "content": {"policy": _zen_graph(rows)}}
    engine = zen.ZenEngine({"loader": loader})
    options = {"trace": trace}
    frozen = engine.evaluate("policy", contexts[-1], options)["result"]
    if [row["code"] for row in frozen] != ["FROZEN", "TIER"]:
        raise ValueError(f"zen-engine decides something else: {frozen}")
    return lambda: [engine.evaluate("policy", context, options) for context in contexts]


def _columns() -> list[dict[str, str]]:
    """A cell a field, as people fill in a table."""
    return [cells for cells, _, _ in (*_DENIALS, _TIER)]


def _expressions() -> list[dict[str, str]]:
    """One cell with the whole condition: the column without a field takes any expression."""
    rows = []
    for cells in _columns():
        parts = [_expression(field, cell) for field, cell in cells.items()]
        rows.append({"": " and ".join(parts)})
    return rows


def _expression(field: str, cell: str) -> str:
    if cell in ("true", "false"):
        return field if cell == "true" else f"not ({field})"
    return f"{field} == {cell}" if cell.startswith("'") else f"{field} {cell}"


def _zen_graph(rows: list[dict[str, str]]) -> dict[str, object]:
    """An input, one table with a row a rule, an output."""
    fields = list(dict.fromkeys(field for cells in rows for field in cells))
    codes = [code for _, _, code in (*_DENIALS, _TIER)]
    table = {
        "hitPolicy": "collect",
        "inputs": [{"id": f"in{i}", "name": name, "field": name} for i, name in enumerate(fields)],
        "outputs": [
            {"id": "outcome", "name": "outcome", "field": "outcome"},
            {"id": "code", "name": "code", "field": "code"},
        ],
        "rules": [
            {f"in{i}": cells.get(name, "") for i, name in enumerate(fields)}
            | {"_id": code, "code": f"'{code}'"}
            | {"outcome": "'ALLOW'" if code == _TIER[2] else "'DENY'"}
            for cells, code in zip(rows, codes, strict=True)
        ],
    }
    nodes = [
        {"id": "in", "name": "in", "type": "inputNode"},
        {"id": "table", "name": "table", "type": "decisionTableNode", "content": table},
        {"id": "out", "name": "out", "type": "outputNode"},
    ]
    edges = [
        {"id": "1", "type": "edge", "sourceId": "in", "targetId": "table"},
        {"id": "2", "type": "edge", "sourceId": "table", "targetId": "out"},
    ]
    return {"nodes": nodes, "edges": edges}


def _cedar(contexts: list[dict[str, object]]) -> Callable[[], object]:
    import cedarpy

    text = f"permit(principal, action, resource) when {{ {_TIER[1]} }};\n" + "\n".join(
        f'@id("{code}")\nforbid(principal, action, resource) when {{ {condition} }};'
        for _, condition, code in _DENIALS
    )
    policies = cedarpy.PolicySet.from_str(text)
    entities = cedarpy.Entities.from_json_str("[]")
    requests = [
        {
            "principal": 'User::"u-1"',
            "action": 'Action::"pay"',
            "resource": 'Payee::"V-001"',
            "context": context,
        }
        for context in contexts
    ]
    allowed = [cedarpy.is_authorized(request, policies, entities).allowed for request in requests]
    if allowed != [True, True, True, True, False]:
        raise ValueError(f"cedarpy decides something else: {allowed}")
    return lambda: [cedarpy.is_authorized(request, policies, entities) for request in requests]


def _request(amount_minor: int) -> PaymentRequest:
    return PaymentRequest(
        organization_id="o-1",
        payment_id="p-1",
        invoice_id="HF-2102",
        payee_id="V-001",
        initiator_id="u-1",
        initiator_kind="agent",
        recipient="0x" + "11" * 20,
        chain_id=31337,
        token="0x" + "22" * 20,
        asset="USDC",
        decimals=6,
        amount_minor=amount_minor * 10_000,
        reporting_currency="USD",
        reporting_amount_minor=amount_minor,
        now=_NOW,
    )


def _facts() -> Facts:
    return Facts(
        as_of=_NOW,
        payee=PayeeFact("verified", "verified", None),
        duplicates=(),
        spent_24h=WindowFact(100_000, _NOW),
        available_minor=100_000_000_000,
        invoice_open_minor=30_000_000_000,
        runway=RunwayFact(500_000_000, 10_000_000, _NOW),
        price=PriceFact("USDC", "USD", 1, 1, _NOW, True),
        frozen=False,
    )


def _context(request: PaymentRequest, facts: Facts) -> dict[str, object]:
    """The same case, flattened to what the peers take."""
    return {
        "frozen": bool(facts.frozen),
        "ledger_age_s": 0,
        "currency": request.reporting_currency,
        "asset": request.asset,
        "chain_id": request.chain_id,
        "payee_state": "verified",
        "address_state": "verified",
        "now_s": 1_793_610_000,
        "cooling_until_s": 0,
        "exact_duplicates": 0,
        "initiator": request.initiator_kind,
        "amount": request.reporting_amount_minor,
        "token_amount": request.amount_minor,
        "spent_24h": 100_000,
        "available": facts.available_minor,
        "open": facts.invoice_open_minor,
        "price_age_s": 0,
        "in_peg_band": True,
        "cash": 500_000_000,
        "burn": 10_000_000,
    }


if __name__ == "__main__":
    run()
