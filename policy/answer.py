"""Owns how a phrase of a policy file becomes a ruling: deny, wait, or ask so many people."""

from policy.decision import Outcome
from policy.grammar import DENY, WAIT, Ask
from policy.requirement import in_words
from policy.verdict import Ruling, denies, not_now


def ruling_for(
    answer: Ask | str, expiry_s: int | None, rule: str, code: str, wording: str, *names: str
) -> Ruling:
    """What `answer` says when a rule speaks. Raises ValueError if no expiry is known for an ask."""
    if isinstance(answer, Ask):
        requirement = answer.requirement(expiry_s)
        return Ruling(rule, code, Outcome.REQUIRE_APPROVAL, wording, names, requirement=requirement)
    if answer == WAIT:
        return not_now(rule, code, wording, *names)
    if answer == DENY:
        return denies(rule, code, wording, *names)
    raise ValueError(f"{answer!r} is no answer")


def told(ruling: Ruling) -> str:
    """Completes "… is/are": `denied`, `made to wait` or `shown to 1 of cfo, within 72 h`."""
    if ruling.requirement is not None:
        return f"shown to {in_words(ruling.requirement)}"
    return "made to wait" if ruling.retriable else "denied"
