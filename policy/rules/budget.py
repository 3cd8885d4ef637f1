"""Owns the budgets of categories: what their payees may be paid together within a period. Inclusive."""

from datetime import timedelta

from policy.document import PolicyDocument
from policy.rule import Rule
from policy.rules.scoped_window import window_rule
from policy.scopes import Scope, Window


def from_document(document: PolicyDocument) -> tuple[Rule, ...]:
    """A rule a budget. A payee of no category counts in none; `rules` can forbid such payees."""
    max_age = timedelta(seconds=document.max_age.ledger.seconds)
    return tuple(
        window_rule(
            f"budget.{terms.category}.{terms.over}".replace(" ", "_"),
            Window(Scope.CATEGORY, terms.over),
            terms.at_most.minor,
            max_age,
            "BUDGET",
            category=terms.category,
        )
        for terms in document.budgets or ()
    )
