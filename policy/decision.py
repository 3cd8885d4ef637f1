"""Owns the answer: outcome, what each rule found, who must agree, and the words for people.

Must never be changed after it was made: a decision is stored with its request, facts and policy
digest, and replays to the same bytes (I10).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from policy.codec import Fields, parse_object, without_nulls
from treasurer.kernel.digest import Canonical, canonical_json


class Outcome(IntEnum):
    """The lattice by which findings combine: the greatest wins, so order never matters."""

    ALLOW = 0
    REQUIRE_APPROVAL = 1
    DENY = 2


@dataclass(frozen=True, slots=True)
class RoleQuorum:
    """`count` people, each holding one of `roles` (sorted, distinct)."""

    roles: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True)
class ApprovalRequirement:
    """Every group filled by different people, within `expires_in_s` seconds of asking.

    `alternatives` are further sets of groups, any of which does instead of `groups` (OR of ANDs).
    That none of them is the requester or whoever changed the payee is no option of a requirement:
    `policy.quorum` holds it for all (I12). Groups are sorted by roles; no two have the same roles.
    """

    groups: tuple[RoleQuorum, ...]
    expires_in_s: int
    alternatives: tuple[tuple[RoleQuorum, ...], ...] = ()

    @property
    def branches(self) -> tuple[tuple[RoleQuorum, ...], ...]:
        """Each set of groups that meets the requirement by itself."""
        return (self.groups, *self.alternatives)

    @property
    def people(self) -> int:
        """How many different people the longest way takes."""
        return max(sum(group.count for group in branch) for branch in self.branches)

    @property
    def roles(self) -> frozenset[str]:
        """All roles whose holders are asked."""
        return frozenset(
            role for branch in self.branches for group in branch for role in group.roles
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule says. `numbers` are what it looked at; names that end in `_minor` are amounts."""

    rule: str
    code: str
    outcome: Outcome
    message: str
    numbers: Mapping[str, int | str]
    retriable: bool
    requirement: ApprovalRequirement | None


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome with its reasons. `retriable`: denied only for now, by facts that can be had.

    `requirement` is set exactly when the outcome is REQUIRE_APPROVAL. `findings` are sorted by
    outcome, gravest first, then by rule. `policy_digest` is the policy set's SHA-256 in hex.
    """

    outcome: Outcome
    retriable: bool
    findings: tuple[Finding, ...]
    requirement: ApprovalRequirement | None
    explanation: str
    counterfactual: str
    policy_digest: str

    def document(self) -> dict[str, Canonical]:
        """The JSON object that `decision_from` reads."""
        return {
            "outcome": self.outcome.name,
            "retriable": self.retriable,
            "findings": [_finding_document(finding) for finding in self.findings],
            "requirement": requirement_document(self.requirement),
            "explanation": self.explanation,
            "counterfactual": self.counterfactual,
            "policy_digest": self.policy_digest,
        }

    def to_json(self) -> bytes:
        """Canonical JSON: the bytes that a replay must give again."""
        return canonical_json(self.document())


def decision_from(source: Fields) -> Decision:
    """Inverse of `Decision.document`. Raises InvalidInput with the field at fault."""
    decision = Decision(
        outcome=_outcome_from(source),
        retriable=source.flag("retriable"),
        findings=tuple(_finding_from(row) for row in source.rows("findings") or ()),
        requirement=requirement_from(source.section("requirement")),
        explanation=source.text("explanation"),
        counterfactual=source.text("counterfactual"),
        policy_digest=source.text("policy_digest"),
    )
    source.done()
    return decision


def decision_from_json(data: bytes | str) -> Decision:
    """Inverse of `Decision.to_json`."""
    return decision_from(parse_object(data, "decision"))


def requirement_document(requirement: ApprovalRequirement | None) -> Canonical:
    """The JSON object that `requirement_from` reads, or None."""
    if requirement is None:
        return None
    document: dict[str, Canonical] = {
        "groups": _group_documents(requirement.groups),
        "expires_in_s": requirement.expires_in_s,
    }
    if requirement.alternatives:
        document["alternatives"] = [
            {"groups": _group_documents(branch)} for branch in requirement.alternatives
        ]
    return document


def requirement_from(source: Fields | None) -> ApprovalRequirement | None:
    """Inverse of `requirement_document`. Raises InvalidInput with the field at fault."""
    if source is None:
        return None
    groups = _groups_from(source)
    alternatives = []
    for row in source.rows("alternatives") or ():
        alternatives.append(_groups_from(row))
        row.done()
    requirement = ApprovalRequirement(groups, source.integer("expires_in_s"), tuple(alternatives))
    source.done()
    return requirement


def _group_documents(groups: tuple[RoleQuorum, ...]) -> list[Canonical]:
    return [{"roles": list(group.roles), "count": group.count} for group in groups]


def _groups_from(source: Fields) -> tuple[RoleQuorum, ...]:
    groups = []
    for row in source.rows("groups") or ():
        roles = row.items("roles") or []
        groups.append(RoleQuorum(tuple(str(role) for role in roles), row.integer("count")))
        row.done()
    return tuple(groups)


def _finding_document(finding: Finding) -> dict[str, Canonical]:
    numbers: dict[str, Canonical] = {
        name: str(value) if name.endswith("_minor") else value
        for name, value in finding.numbers.items()
    }
    return without_nulls(
        {
            "rule": finding.rule,
            "code": finding.code,
            "outcome": finding.outcome.name,
            "message": finding.message,
            "numbers": numbers,
            "retriable": finding.retriable,
            "requirement": requirement_document(finding.requirement),
        }
    )


def _finding_from(source: Fields) -> Finding:
    numbers = source.section("numbers")
    finding = Finding(
        rule=source.text("rule"),
        code=source.text("code"),
        outcome=_outcome_from(source),
        message=source.text("message"),
        numbers={} if numbers is None else _numbers_from(numbers),
        retriable=source.flag("retriable"),
        requirement=requirement_from(source.section("requirement")),
    )
    source.done()
    return finding


def _numbers_from(source: Fields) -> dict[str, int | str]:
    numbers: dict[str, int | str] = {}
    for name in list(source.values):
        if name.endswith("_minor"):
            numbers[name] = source.amount(name)
        elif isinstance(source.values[name], str):
            numbers[name] = source.text(name)
        else:
            numbers[name] = source.integer(name)
    return numbers


def _outcome_from(source: Fields) -> Outcome:
    name = source.text("outcome")
    if name not in Outcome.__members__:
        source.refuse("outcome", f"one of {', '.join(Outcome.__members__)} belongs here")
    return Outcome[name]
