"""Owns who may propose payments at all, by kind and, for people, by role."""

from dataclasses import dataclass

from policy.document import PolicyDocument
from policy.facts import Facts
from policy.request import PaymentRequest
from policy.rule import Rule
from policy.verdict import Verdict, allows, denies, missing
from treasurer.kernel.money import Asset

_NAME = "initiator"
_MISSING = missing(_NAME, "Which roles the initiator has")
_MAY = allows(_NAME, "INITIATOR_ALLOWED", "A {kind} may propose.", "kind")
_KIND = denies(_NAME, "INITIATOR_KIND", "Payments proposed by a {kind} are not paid.", "kind")
_ROLE = denies(
    _NAME,
    "INITIATOR_ROLE",
    "The initiator has the roles {roles}, none of which may propose.",
    "roles",
)


@dataclass(frozen=True, slots=True)
class Initiator(Rule):
    """`roles` None: any role. Roles are those that the initiator has now, not those of then."""

    kinds: frozenset[str]
    roles: frozenset[str] | None

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        if request.initiator_kind not in self.kinds:
            return _KIND, (request.initiator_kind,)
        if self.roles is not None and request.initiator_kind == "human":
            if facts.initiator_roles is None:
                return _MISSING
            if not self.roles.intersection(facts.initiator_roles):
                return _ROLE, (", ".join(facts.initiator_roles) or "none",)
        return _MAY, (request.initiator_kind,)

    def describe(self, reporting: Asset) -> str:
        kinds = " or ".join(sorted(self.kinds))
        roles = "" if self.roles is None else f"; a human needs {' or '.join(sorted(self.roles))}"
        return f"Payments are proposed by {kinds}{roles}."


def from_document(document: PolicyDocument) -> tuple[Rule, ...]:
    terms = document.initiators
    if terms is None:
        return ()
    roles = None if terms.roles is None else frozenset(terms.roles)
    return (Initiator(_NAME, frozenset(terms.kinds), roles),)
