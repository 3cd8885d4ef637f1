"""Owns the one entry to a decision. Must never look at anything but its three arguments."""

from policy.assessment import weigh
from policy.counterfactual import counterfactual
from policy.decision import Decision
from policy.facts import Facts
from policy.policy_set import PolicySet
from policy.request import PaymentRequest
from policy.wording import Words, explained


def evaluate(request: PaymentRequest, facts: Facts, policy_set: PolicySet) -> Decision:
    """The decision with its words, to be stored beside request, facts and policy digest (I10).

    Never raises for what a payment or its facts are like: what cannot be judged is denied. Rules
    may stand in any order; findings are sorted, so that the bytes are the same.
    """
    assessment = weigh(request, facts, policy_set)
    verdicts = sorted(
        assessment.verdicts,
        key=lambda verdict: (-verdict[0].outcome, verdict[0].rule, verdict[0].code),
    )
    words = Words(request, policy_set.reporting)
    findings = tuple(map(words.finding, verdicts))
    deciding = [ruling.decides for ruling, _ in verdicts]
    return Decision(
        outcome=assessment.outcome,
        retriable=assessment.retriable,
        findings=findings,
        requirement=assessment.requirement,
        explanation=explained(assessment, findings, deciding),
        counterfactual=counterfactual(request, facts, policy_set, assessment, words),
        policy_digest=policy_set.digest.hex(),
    )
