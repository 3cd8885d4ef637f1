"""Owns what is known of people's part in an invoice: a difference from its order, and their reviews.

Must never fetch anything, and never hold a reason's text: policy does not weigh words.
"""

from dataclasses import dataclass

from policy.background import texts_from
from policy.codec import Fields, without_nulls
from treasurer.kernel.digest import Canonical

AS_ORDERED = ("no_order", "matched")
"""States of the three-way match that nobody has to answer for. Every other word is a difference."""


@dataclass(frozen=True, slots=True)
class PurchaseFact:
    """How the invoice compares with its order; `accepted_by` is who took the difference upon them."""

    state: str
    accepted_by: str | None = None

    @property
    def differs(self) -> bool:
        return self.state not in AS_ORDERED

    def document(self) -> dict[str, Canonical]:
        return without_nulls({"state": self.state, "accepted_by": self.accepted_by})


@dataclass(frozen=True, slots=True)
class ReviewFact:
    """What people answered when the invoice was held: who, which findings they accepted by code, and
    which fields they stated. All sorted.
    """

    reviewer_ids: tuple[str, ...]
    accepted: tuple[str, ...]
    stated: tuple[str, ...]

    def document(self) -> dict[str, Canonical]:
        return {
            "reviewer_ids": list(self.reviewer_ids),
            "accepted": list(self.accepted),
            "stated": list(self.stated),
        }


def purchase_from(source: Fields) -> PurchaseFact:
    """Inverse of `PurchaseFact.document`. Raises InvalidInput with the field at fault."""
    return PurchaseFact(source.text("state"), source.optional_text("accepted_by"))


def review_from(source: Fields) -> ReviewFact:
    """Inverse of `ReviewFact.document`."""
    return ReviewFact(
        texts_from(source, "reviewer_ids") or (),
        texts_from(source, "accepted") or (),
        texts_from(source, "stated") or (),
    )
