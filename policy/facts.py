"""Owns what the world says at one instant, gathered before the decision. Must never fetch anything.

A fact that is None could not be had: a rule that needs it denies, and the payment is tried again.
That differs from a fact which says that something is not known (`RunwayFact.cash_minor` None).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from policy.background import (
    HistoryFact,
    LocalTimeFact,
    NetworkFact,
    SanctionsFact,
    ScopedSum,
    history_from,
    local_time_from,
    network_from,
    sanctions_from,
    scoped_sum_from,
    texts_from,
)
from policy.codec import (
    Fields,
    optional_digits,
    optional_iso,
    parse_object,
    without_nulls,
)
from policy.reviewed import PurchaseFact, ReviewFact, purchase_from, review_from
from policy.scopes import Window
from treasurer.kernel.clock import iso
from treasurer.kernel.digest import Canonical, canonical_json

T = TypeVar("T")

VERIFIED = "verified"
"""The only state of a payee, and of its address, that may be paid. Every other word denies."""


@dataclass(frozen=True, slots=True)
class PayeeFact:
    """The payee's state and that of the address to be paid; cooling-off None: never or long over.

    `since` and `address_since` say when each was entered; `category` "" is none given. These three
    are None where they were not looked for.
    """

    state: str
    address_state: str
    cooling_off_until: datetime | None
    since: datetime | None = None
    address_since: datetime | None = None
    category: str | None = None


@dataclass(frozen=True, slots=True)
class DuplicateFact:
    """Another invoice that this one resembles. `kind` is exact or near; `reason` is for people."""

    invoice_id: str
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class WindowFact:
    """Reporting currency, in flight plus settled in the window, WITHOUT the payment in question."""

    sum_minor: int
    as_of: datetime


@dataclass(frozen=True, slots=True)
class RunwayFact:
    """Cash and monthly burn in the reporting currency; None: looked for, and nobody knows."""

    cash_minor: int | None
    burn_monthly_minor: int | None
    as_of: datetime


@dataclass(frozen=True, slots=True)
class PriceFact:
    """One whole `asset` is numerator / denominator whole units of `reporting_currency`."""

    asset: str
    reporting_currency: str
    numerator: int
    denominator: int
    as_of: datetime
    in_peg_band: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a decision may look at besides the request and the policy set.

    `available_minor` is posted minus holds in the token's base units, without this payment's own
    hold. `invoice_open_minor` is what of the invoice is still unpaid, at this payment's quote, in
    the token's base units too, so that it compares with the amount. `windows` hold the sums that
    the policy set asks for. `evidence` are the codes of what intake found amiss with the invoice,
    `batch` is how many payments the order has, `policy_since` when the policy set became active.
    `purchase` and `review` are None where there is no order to compare with and where nobody had to
    look; for both see `policy.floor`.
    """

    as_of: datetime
    payee: PayeeFact | None
    duplicates: tuple[DuplicateFact, ...] | None
    spent_24h: WindowFact | None
    available_minor: int | None
    invoice_open_minor: int | None
    runway: RunwayFact | None
    price: PriceFact | None
    frozen: bool | None
    windows: tuple[ScopedSum, ...] | None = None
    history: HistoryFact | None = None
    initiator_roles: tuple[str, ...] | None = None
    evidence: tuple[str, ...] | None = None
    local_time: LocalTimeFact | None = None
    sanctions: SanctionsFact | None = None
    batch: int | None = None
    policy_since: datetime | None = None
    network: NetworkFact | None = None
    purchase: PurchaseFact | None = None
    review: ReviewFact | None = None

    def window(self, window: Window) -> ScopedSum | None:
        """The sum of `window`, or None where it could not be had."""
        for found in self.windows or ():
            # Part by part: both are enumerations, and this is asked for each window of each rule.
            if found.window.scope is window.scope and found.window.period is window.period:
                return found
        return None

    def document(self) -> dict[str, Canonical]:
        """The JSON object that `facts_from` reads; missing facts are left out."""
        others = self.duplicates
        return without_nulls(
            {
                "as_of": iso(self.as_of),
                "payee": _known(_payee_document, self.payee),
                "duplicates": None if others is None else [_duplicate_document(o) for o in others],
                "spent_24h": _known(_window_document, self.spent_24h),
                "available_minor": optional_digits(self.available_minor),
                "invoice_open_minor": optional_digits(self.invoice_open_minor),
                "runway": _known(_runway_document, self.runway),
                "price": _known(_price_document, self.price),
                "frozen": self.frozen,
                "windows": _list(self.windows, ScopedSum.document),
                "history": _known(HistoryFact.document, self.history),
                "initiator_roles": _list(self.initiator_roles, str),
                "evidence": _list(self.evidence, str),
                "local_time": _known(LocalTimeFact.document, self.local_time),
                "sanctions": _known(SanctionsFact.document, self.sanctions),
                "batch": self.batch,
                "policy_since": optional_iso(self.policy_since),
                "network": _known(NetworkFact.document, self.network),
                "purchase": _known(PurchaseFact.document, self.purchase),
                "review": _known(ReviewFact.document, self.review),
            }
        )

    def to_json(self) -> bytes:
        """Canonical JSON: what is stored and digested."""
        return canonical_json(self.document())


def facts_from(source: Fields) -> Facts:
    """Inverse of `Facts.document`. Raises InvalidInput with the field at fault."""
    duplicates, windows = source.rows("duplicates"), source.rows("windows")
    facts = Facts(
        as_of=source.instant("as_of"),
        payee=_read(_payee, source.section("payee")),
        duplicates=None if duplicates is None else tuple(_duplicate(row) for row in duplicates),
        spent_24h=_read(_window, source.section("spent_24h")),
        available_minor=source.optional_amount("available_minor"),
        invoice_open_minor=source.optional_amount("invoice_open_minor"),
        runway=_read(_runway, source.section("runway")),
        price=_read(_price, source.section("price")),
        frozen=source.flag("frozen") if source.present("frozen") else None,
        windows=None if windows is None else tuple(map(scoped_sum_from, windows)),
        history=_read(history_from, source.section("history")),
        initiator_roles=texts_from(source, "initiator_roles"),
        evidence=texts_from(source, "evidence"),
        local_time=_read(local_time_from, source.section("local_time")),
        sanctions=_read(sanctions_from, source.section("sanctions")),
        batch=source.integer("batch") if source.present("batch") else None,
        policy_since=source.optional_instant("policy_since"),
        network=_read(network_from, source.section("network")),
        purchase=_read(purchase_from, source.section("purchase")),
        review=_read(review_from, source.section("review")),
    )
    source.done()
    return facts


def facts_from_json(data: bytes | str) -> Facts:
    """Inverse of `Facts.to_json`."""
    return facts_from(parse_object(data, "facts"))


def _known(document: Callable[[T], Canonical], fact: T | None) -> Canonical:
    return None if fact is None else document(fact)


def _list(items: tuple[T, ...] | None, document: Callable[[T], Canonical]) -> Canonical:
    return None if items is None else [document(item) for item in items]


def _payee_document(fact: PayeeFact) -> dict[str, Canonical]:
    return without_nulls(
        {
            "state": fact.state,
            "address_state": fact.address_state,
            "cooling_off_until": optional_iso(fact.cooling_off_until),
            "since": optional_iso(fact.since),
            "address_since": optional_iso(fact.address_since),
            "category": fact.category,
        }
    )


def _duplicate_document(fact: DuplicateFact) -> dict[str, Canonical]:
    return {"invoice_id": fact.invoice_id, "kind": fact.kind, "reason": fact.reason}


def _window_document(fact: WindowFact) -> dict[str, Canonical]:
    return {"sum_minor": str(fact.sum_minor), "as_of": iso(fact.as_of)}


def _runway_document(fact: RunwayFact) -> dict[str, Canonical]:
    return without_nulls(
        {
            "cash_minor": optional_digits(fact.cash_minor),
            "burn_monthly_minor": optional_digits(fact.burn_monthly_minor),
            "as_of": iso(fact.as_of),
        }
    )


def _price_document(fact: PriceFact) -> dict[str, Canonical]:
    return {
        "asset": fact.asset,
        "reporting_currency": fact.reporting_currency,
        "numerator": str(fact.numerator),
        "denominator": str(fact.denominator),
        "as_of": iso(fact.as_of),
        "in_peg_band": fact.in_peg_band,
    }


def _read(read: Callable[[Fields], T], source: Fields | None) -> T | None:
    if source is None:
        return None
    fact = read(source)
    source.done()
    return fact


def _payee(source: Fields) -> PayeeFact:
    return PayeeFact(
        source.text("state"),
        source.text("address_state"),
        source.optional_instant("cooling_off_until"),
        source.optional_instant("since"),
        source.optional_instant("address_since"),
        source.optional_text("category"),
    )


def _duplicate(source: Fields) -> DuplicateFact:
    fact = DuplicateFact(source.text("invoice_id"), source.text("kind"), source.text("reason"))
    source.done()
    return fact


def _window(source: Fields) -> WindowFact:
    return WindowFact(source.amount("sum_minor"), source.instant("as_of"))


def _runway(source: Fields) -> RunwayFact:
    return RunwayFact(
        source.optional_amount("cash_minor"),
        source.optional_amount("burn_monthly_minor"),
        source.instant("as_of"),
    )


def _price(source: Fields) -> PriceFact:
    return PriceFact(
        source.text("asset"),
        source.text("reporting_currency"),
        source.amount("numerator"),
        source.amount("denominator"),
        source.instant("as_of"),
        source.flag("in_peg_band"),
    )
