"""Owns the proof that a greater amount never gets a milder answer (I11). Must never pass on doubt.

Rules other than tiers are monotone by form. Tiers are proved here, alone and together with all that
other rules may ask on top, because combining can turn a stricter tier into fewer people.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations, pairwise

from policy.decision import ApprovalRequirement
from policy.document import PolicyDocument
from policy.grammar import Amount
from policy.requirement import combined, covers, in_words
from policy.rule import Rule
from policy.rules.tiers import Tiers
from policy.yaml_text import Path

MOST_QUESTIONS = 8
"""All subsets of what rules may ask are tried: 256 for each pair of tiers."""
MOST_WAYS_TOGETHER = 64
"""Ways of asking combine each with each."""


class Fault(Exception):
    """A fault in a policy document, at `path` in its tree."""

    def __init__(self, code: str, path: Path, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.path = path
        self.message = message


def require_monotone(document: PolicyDocument, rules: Sequence[Rule]) -> None:
    """Raise Fault unless tiers ascend and each is at least as strict as the one before."""
    _require_ascending(document)
    _require_floors(document)
    answers = [
        ruling.requirement for rule in rules if isinstance(rule, Tiers) for ruling in rule.rulings
    ]
    on_top = [
        requirement for rule in rules if not isinstance(rule, Tiers) for requirement in rule.asks()
    ]
    if len(set(on_top)) > MOST_QUESTIONS:
        raise Fault(
            "POLICY_TOO_MANY_QUESTIONS",
            (),
            f"rules beside the tiers ask {len(set(on_top))} different groups of people; at most"
            f" {MOST_QUESTIONS} can be proved together: let some of them ask the same",
        )
    ways = 1
    for branches in {each.branches for rule in rules for each in rule.asks()}:
        ways *= len(branches)
    if ways > MOST_WAYS_TOGETHER:
        raise Fault(
            "POLICY_TOO_MANY_WAYS",
            (),
            f"all questions together can be answered in {ways} ways; at most {MOST_WAYS_TOGETHER}"
            " can be proved together: write fewer ways after “, or”",
        )
    for index, (lower, upper) in enumerate(pairwise(answers), start=1):
        for others in _subsets(on_top):
            if not covers(_combined(upper, others), _combined(lower, others)):
                raise Fault("POLICY_TIERS_LOOSEN", ("tiers", index), _loosens(lower, upper, others))


def _require_ascending(document: PolicyDocument) -> None:
    last_minor = 0
    for index, tier in enumerate(document.tiers):
        if isinstance(tier.up_to, Amount):
            if tier.up_to.minor <= last_minor:
                raise Fault(
                    "POLICY_TIERS_ORDER",
                    ("tiers", index, "up_to"),
                    "each tier reaches higher than the one before; sort them by amount",
                )
            last_minor = tier.up_to.minor
        elif index < len(document.tiers) - 1:
            raise Fault(
                "POLICY_TIERS_ORDER",
                ("tiers", index, "up_to"),
                f"a tier for {tier.up_to} must be the last, or it would hide those after it",
            )


def _require_floors(document: PolicyDocument) -> None:
    if document.runway is not None and document.runway.deny_below > document.runway.ask_below:
        raise Fault(
            "POLICY_RUNWAY_FLOORS",
            ("runway", "deny_below"),
            "denial starts below the floor for asking; lower deny_below or raise ask_below",
        )


def _subsets(items: Sequence[ApprovalRequirement]) -> Iterable[tuple[ApprovalRequirement, ...]]:
    distinct = list(dict.fromkeys(items))
    for size in range(len(distinct) + 1):
        yield from combinations(distinct, size)


def _combined(
    tier: ApprovalRequirement | None, others: tuple[ApprovalRequirement, ...]
) -> ApprovalRequirement | None:
    together = others if tier is None else (tier, *others)
    return combined(together) if together else None


def _loosens(
    lower: ApprovalRequirement | None,
    upper: ApprovalRequirement | None,
    others: tuple[ApprovalRequirement, ...],
) -> str:
    before, after = _combined(lower, others), _combined(upper, others)
    context = "".join(f", while another rule asks {in_words(other)}" for other in others)
    return (
        "a larger amount would be easier to pay than a smaller one: the tier before asks"
        f" {'nobody' if before is None else in_words(before)}, this one"
        f" {'nobody' if after is None else in_words(after)}{context};"
        " repeat the groups of the tier before"
    )
