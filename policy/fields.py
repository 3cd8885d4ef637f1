"""Owns the typed fields that a condition may name. Must never offer one whose fact nobody produces."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final

from policy.facts import Facts
from policy.request import INITIATOR_KINDS, PaymentRequest
from treasurer.kernel.organization import Role

UNCATEGORISED = "none"
"""How a condition names payees without a category; no category may be called so."""

Read = int | str | tuple[str, ...]


class Kind(Enum):
    """How a field's phrase is read: words to be among, a bound, or the amount's own bound."""

    WORD = "word"
    WORDS = "words"
    COUNT = "count"
    SPAN = "span"
    AMOUNT = "amount"


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `read` gives None where its fact could not be had; spans are whole seconds.

    `allowed` are all words there are, empty where any word may occur.
    """

    name: str
    kind: Kind
    label: str
    read: Callable[[PaymentRequest, Facts], Read | None]
    allowed: frozenset[str] = frozenset()


def _seconds(request: PaymentRequest, since: datetime | None) -> int | None:
    if since is None:
        return None
    age = request.now - since
    return max(0, age.days * 86_400 + age.seconds)


def _payee_age(request: PaymentRequest, facts: Facts) -> int | None:
    return None if facts.payee is None else _seconds(request, facts.payee.since)


def _address_age(request: PaymentRequest, facts: Facts) -> int | None:
    return None if facts.payee is None else _seconds(request, facts.payee.address_since)


def _category(request: PaymentRequest, facts: Facts) -> str | None:
    if facts.payee is None or facts.payee.category is None:
        return None
    return facts.payee.category or UNCATEGORISED


_FIELDS = (
    Field("amount", Kind.AMOUNT, "the amount", lambda r, f: r.reporting_amount_minor),
    Field("asset", Kind.WORD, "the token", lambda r, f: r.asset),
    Field("network", Kind.WORD, "the network", lambda r, f: str(r.chain_id)),
    Field("payee", Kind.WORD, "the payee", lambda r, f: r.payee_id),
    Field("recipient", Kind.WORD, "the address", lambda r, f: r.recipient),
    Field("initiator", Kind.WORD, "the initiator", lambda r, f: r.initiator_id),
    Field(
        "initiator_kind",
        Kind.WORD,
        "the kind of initiator",
        lambda r, f: r.initiator_kind,
        frozenset(INITIATOR_KINDS),
    ),
    Field(
        "role",
        Kind.WORDS,
        "a role of the initiator",
        lambda r, f: f.initiator_roles,
        frozenset(role.value for role in Role),
    ),
    Field("category", Kind.WORD, "the payee's category", _category),
    Field("evidence", Kind.WORDS, "a finding of intake", lambda r, f: f.evidence),
    Field("payee_age", Kind.SPAN, "the payee's age", _payee_age),
    Field("address_age", Kind.SPAN, "the address's age", _address_age),
    Field(
        "payments_to_payee",
        Kind.COUNT,
        "the number of settled payments to the payee",
        lambda r, f: None if f.history is None else f.history.payments,
    ),
    Field(
        "payments_to_address",
        Kind.COUNT,
        "the number of settled payments to the address",
        lambda r, f: None if f.history is None else f.history.to_address,
    ),
)
FIELDS: Final[Mapping[str, Field]] = {field.name: field for field in _FIELDS}
