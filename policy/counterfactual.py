"""Owns the smallest single change that would alter an outcome. Must never tell one unconfirmed.

Rules propose changes; each is weighed again, and only one that alters the outcome is told. Because
outcomes are monotone in the amount and every bound of a rule is tried, the amount that is told is
the greatest (or, for an allowed payment, the least) that there is.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from policy.assessment import Assessment, fully_priced, weigh
from policy.change import Change
from policy.decision import Outcome
from policy.facts import Facts
from policy.floor import changes as floor_changes
from policy.policy_set import PolicySet
from policy.request import PaymentRequest
from policy.wording import Words, consequence
from treasurer.kernel.money import MAX_AMOUNT_MINOR

T = TypeVar("T")

NONE_FOUND = "No single change that was tried alters this outcome."


def counterfactual(
    request: PaymentRequest,
    facts: Facts,
    policy_set: PolicySet,
    assessment: Assessment,
    words: Words,
) -> str:
    """One sentence. Towards leniency where the payment was held or denied, else towards strictness.

    A change of the amount is told before one of circumstances, the smallest step first.
    """
    request = fully_priced(request, facts, policy_set.reporting)
    before = assessment.outcome
    for amount_minor in _amounts(request, facts, policy_set, before):
        changed = _with_amount(request, amount_minor)
        after = weigh(changed, facts, policy_set)
        if _alters(before, after.outcome):
            amount = (
                f"{words.token(amount_minor)} ({words.reporting(changed.reporting_amount_minor)})"
            )
            direction = "more" if amount_minor > request.amount_minor else "less"
            return f"{amount} or {direction} would {consequence(after)}."
    for change in [] if before is Outcome.ALLOW else _changes(request, facts, policy_set):
        after = weigh(request, change.facts, policy_set)
        if _alters(before, after.outcome):
            condition = change.condition.format(
                reporting=words.reporting(change.reporting_minor),
                token=words.token(change.token_minor),
            )
            return f"It would {consequence(after)} {condition}."
    return NONE_FOUND


def _alters(before: Outcome, after: Outcome) -> bool:
    return after > before if before is Outcome.ALLOW else after < before


def _amounts(
    request: PaymentRequest, facts: Facts, policy_set: PolicySet, before: Outcome
) -> list[int]:
    """Amounts just across the rules' bounds, in the direction that might alter, nearest first."""
    bounds = {bound for rule in policy_set.rules for bound in _advice(rule.bounds, request, facts)}
    if before is Outcome.ALLOW:
        return sorted(
            bound + 1 for bound in bounds if request.amount_minor <= bound < MAX_AMOUNT_MINOR
        )
    return sorted((bound for bound in bounds if 0 < bound < request.amount_minor), reverse=True)


def _changes(request: PaymentRequest, facts: Facts, policy_set: PolicySet) -> list[Change]:
    changes = [
        change for rule in policy_set.rules for change in _advice(rule.changes, request, facts)
    ]
    changes += floor_changes(facts)
    return sorted(changes, key=lambda change: (change.condition, change.reporting_minor))


def _advice(
    ask: Callable[[PaymentRequest, Facts], tuple[T, ...]], request: PaymentRequest, facts: Facts
) -> tuple[T, ...]:
    try:
        return ask(request, facts)
    except Exception:
        # A broken rule denies when it is weighed; here it merely has no advice.
        return ()


def _with_amount(request: PaymentRequest, amount_minor: int) -> PaymentRequest:
    reporting_minor = -(-amount_minor * request.reporting_amount_minor // request.amount_minor)
    return replace(
        request,
        amount_minor=amount_minor,
        reporting_amount_minor=min(reporting_minor, MAX_AMOUNT_MINOR),
    )
