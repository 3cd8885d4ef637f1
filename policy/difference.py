"""Owns what changes between two policy sets, in plain English. Must never judge which is better."""

from policy.policy_set import PolicySet


def differences(before: PolicySet, after: PolicySet) -> tuple[str, ...]:
    """A sentence or two a difference, in the order of the rules; none if they mean the same.

    Rules are compared by their name and by what they say of themselves.
    """
    old, new = dict(before.sentences()), dict(after.sentences())
    lines = []
    if before.name != after.name:
        lines.append(f"Its name was “{before.name}” and is now “{after.name}”.")
    for name in [*old, *(name for name in new if name not in old)]:
        if name not in new:
            lines.append(f"No longer ({name}): {old[name]}")
        elif name not in old:
            lines.append(f"New ({name}): {new[name]}")
        elif old[name] != new[name]:
            lines.append(f"Changed ({name}). Before: {old[name]} Now: {new[name]}")
    if not lines and before.digest != after.digest:
        # What no rule says in its own words, such as the answer to a stale price.
        lines.append("They say the same, but are written differently.")
    return tuple(lines)
