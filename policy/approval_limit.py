"""Owns the amount up to which nobody is asked, and a set that differs in it alone.

Must never make another difference: what lowers is activated by one person, because it can only be
stricter (I11).
"""

from collections.abc import Mapping

from policy.codec import parse_object
from policy.decision import Outcome
from policy.grammar import ANY_AMOUNT, WITHOUT_ASKING, Amount
from policy.policy_set import PolicySet, policy_set_from
from policy.rules.tiers import Tiers
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.money import Asset


def free_up_to(policy_set: PolicySet) -> int | None:
    """Up to here, inclusively, the tiers ask nobody; None for any amount, 0 if each one is asked for.

    Tiers are monotone, so those that pay without asking come first.
    """
    (tiers,) = (rule for rule in policy_set.rules if isinstance(rule, Tiers))
    free = sum(1 for ruling in tiers.rulings if ruling.outcome is Outcome.ALLOW)
    if free > len(tiers.bounds_minor):
        return None
    return tiers.bounds_minor[free - 1] if free else 0


def with_limit(policy_set: PolicySet, limit_minor: int) -> PolicySet:
    """The set whose tiers ask nobody up to `limit_minor`, inclusively, and ask as before above.

    Raises InvalidInput if no tier would be left.
    """
    reporting = policy_set.reporting
    tree = parse_object(policy_set.canonical, "policy").values
    tiers = tree["tiers"]
    assert isinstance(tiers, list)
    kept = [tier for tier in tiers if not _hidden(tier, limit_minor, reporting)]
    if limit_minor:
        kept.insert(0, {"up_to": str(Amount(limit_minor, reporting)), "then": WITHOUT_ASKING})
    if not kept:
        raise InvalidInput(
            "POLICY_NO_TIER", "nothing would be paid at all; freeze payments if you mean that"
        )
    return policy_set_from({**tree, "tiers": kept})


def _hidden(tier: Mapping[str, str], limit_minor: int, reporting: Asset) -> bool:
    """Free tiers become the one of the limit; asking ones vanish where the limit reaches beyond."""
    if tier["then"] == WITHOUT_ASKING:
        return True
    if tier["up_to"] == ANY_AMOUNT:
        return False
    whole, _, fraction = tier["up_to"].split(" ")[0].partition(".")
    return int(whole + fraction.ljust(reporting.decimals, "0")) <= limit_minor
