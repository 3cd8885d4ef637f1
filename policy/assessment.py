"""Owns how verdicts combine: Deny > RequireApproval > Allow, and nothing said is Deny.

Must never skip a rule: one that raises denies, and the order of rules bears on nothing.
"""

from dataclasses import dataclass, replace

from policy.decision import ApprovalRequirement, Outcome
from policy.facts import Facts
from policy.floor import floor
from policy.policy_set import PolicySet
from policy.request import PaymentRequest
from policy.requirement import combined
from policy.rule import Rule
from policy.verdict import Verdict, denies
from treasurer.kernel.money import MAX_AMOUNT_MINOR, Asset

_NO_RULE_MATCHED: Verdict = (
    denies("default", "NO_RULE_MATCHED", "No rule permits this payment, so it is denied."),
    (),
)
_UNITS = tuple(10**decimals for decimals in range(19))


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the rules say of one payment, before it is put into words.

    `verdicts` hold every rule's word with its numbers, in the rules' order. The others are those of
    the decision: see `policy.decision.Decision`.
    """

    outcome: Outcome
    retriable: bool
    requirement: ApprovalRequirement | None
    verdicts: tuple[Verdict, ...]


def weigh(request: PaymentRequest, facts: Facts, policy_set: PolicySet) -> Assessment:
    """Ask every rule and combine. Takes microseconds: backtests and counterfactuals repeat it."""
    request = fully_priced(request, facts, policy_set.reporting)
    try:
        verdicts = [weighing(request, facts) for weighing in policy_set.weighings]
        spoken = [ruling for ruling, _ in verdicts if ruling.decides]
    except Exception:
        # One rule is broken. Rules are pure, so asking each again tells which one it is.
        verdicts = [_guarded(rule, request, facts) for rule in policy_set.rules]
        spoken = [ruling for ruling, _ in verdicts if ruling.decides]
    asked = [ruling.requirement for ruling in spoken if ruling.requirement is not None]
    least = floor(facts, asked)
    if least is not None:
        verdicts.append(least)
        spoken.append(least[0])
        if least[0].requirement is not None:
            asked.append(least[0].requirement)
    permitted = False
    outcome = Outcome.ALLOW
    for ruling in spoken:
        permitted = permitted or ruling.permits
        outcome = ruling.outcome if ruling.outcome > outcome else outcome
    if not permitted:
        verdicts.append(_NO_RULE_MATCHED)
        spoken.append(_NO_RULE_MATCHED[0])
        outcome = Outcome.DENY
    if outcome is Outcome.DENY:
        retriable = all(ruling.retriable for ruling in spoken if ruling.outcome is Outcome.DENY)
        return Assessment(outcome, retriable, None, tuple(verdicts))
    return Assessment(outcome, False, combined(asked) if asked else None, tuple(verdicts))


def _guarded(rule: Rule, request: PaymentRequest, facts: Facts) -> Verdict:
    """The rule's verdict; a denial if it raises or returns something else.

    Skipping it would let a payment pass that this rule might have stopped.
    """
    try:
        ruling, values = rule.weigh(request, facts)
        if len(values) == len(ruling.names):
            return ruling, values
        error = "ValueError"
    except Exception as raised:
        error = type(raised).__name__
    wording = "The rule {broken_rule} failed with {error}; until it is repaired it denies."
    return denies(rule.name, "RULE_ERROR", wording, "broken_rule", "error"), (rule.name, error)


def fully_priced(request: PaymentRequest, facts: Facts, reporting: Asset) -> PaymentRequest:
    """Let limits see the greater of the stated reporting amount and the one that the price gives.

    A request that was priced earlier, or wrongly, would else slip below a limit. Taking the greater
    keeps the outcome monotone in both amounts. Compares in whole numbers, without a division.
    """
    price = facts.price
    if price is None or price.numerator <= 0 or price.denominator <= 0:
        return request
    priced = request.amount_minor * price.numerator * _UNITS[reporting.decimals]
    scale = price.denominator * _UNITS[request.decimals]
    if priced <= request.reporting_amount_minor * scale:
        return request
    return replace(request, reporting_amount_minor=min(-(-priced // scale), MAX_AMOUNT_MINOR))
