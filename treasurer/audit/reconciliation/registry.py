"""Owns the list of everything that is checked, and of what cannot be. A new check is one line here."""

from collections.abc import Mapping

from treasurer.audit.reconciliation.books import BOOKS
from treasurer.audit.reconciliation.decisions import DECISIONS
from treasurer.audit.reconciliation.examination import Examination
from treasurer.audit.reconciliation.guards import GUARDS
from treasurer.audit.reconciliation.people import PEOPLE
from treasurer.audit.reconciliation.reviews import REVIEWS
from treasurer.audit.reconciliation.seals import Seals
from treasurer.audit.reconciliation.slot_checks import SLOTS
from treasurer.audit.reconciliation.states import STATES
from treasurer.audit.reconciliation.wallets import Wallets

EXAMINATIONS: tuple[Examination, ...] = (
    *GUARDS,
    *STATES,
    *BOOKS,
    *PEOPLE,
    *REVIEWS,
    DECISIONS,
    Seals(),
    SLOTS,
    Wallets(),
)

UNCHECKED: Mapping[str, str] = {
    "I3": "that bytes were persisted before they were sent is an order in time: afterwards only their"
    " presence can be seen. The fault laboratory watches the wire.",
    "I8": "that no hold was placed beyond what was available then: afterwards only the present sums"
    " can be seen.",
    "I11": "a property of the rules and not of rows; the policy compiler refuses, and tests try it.",
    "I14": "that racing votes were one vote is the key's doing: that it is in force is checked.",
    "I15": "which answer a repeated request gets is behaviour; the rows that decide it are checked.",
    "I20": "that a statement named its organization leaves no trace; that row-level security holds"
    " every statement to one is checked.",
}
"""Invariants, or sides of them, that nobody can see at rest, and who watches them instead."""
