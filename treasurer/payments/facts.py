"""Owns how stored rows and prices become a policy request and its facts. Pure; must never fetch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from policy.background import HistoryFact, LocalTimeFact, NetworkFact, SanctionsFact, ScopedSum
from policy.facts import DuplicateFact, Facts, PayeeFact, PriceFact, RunwayFact, WindowFact
from policy.policy_set import PolicySet
from policy.request import PaymentRequest
from policy.reviewed import PurchaseFact, ReviewFact
from policy.scopes import Window, key_of
from treasurer.kernel.ids import UserId
from treasurer.kernel.money import Asset, Rate
from treasurer.kernel.order import ExecutionOrder
from treasurer.ledger.model import Balance
from treasurer.payments.model import Payment
from treasurer.prices.feed import Price

DUPLICATE_FINDINGS: Mapping[str, str] = {
    "DUPLICATE_INVOICE": "exact",
    "DUPLICATE_DOCUMENT": "exact",
    "NEAR_DUPLICATE_INVOICE": "near",
}
"""Codes of intake's findings that say an invoice resembles another, and how closely."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A payment about to be decided, with the rows that its facts come from."""

    payment: Payment
    order: ExecutionOrder
    payee_state: str
    address: str
    address_state: str
    cooling_off_until: datetime | None
    address_changed_by: UserId
    invoice_open_minor: int | None
    invoice_decimals: int | None
    invoice_findings: Sequence[Mapping[str, object]]
    purchase_state: str | None
    submitted_by: UserId | None
    reviews: Sequence[Mapping[str, Any]]
    """What people answered when the invoice was held, oldest first."""
    reserve_attempts: int
    payee_since: datetime
    address_since: datetime
    category: str
    initiator_roles: tuple[str, ...]
    history: HistoryFact
    sanctions: SanctionsFact | None
    alone: bool
    """Whether it was in a batch that failed, and so must have a transaction of its own."""

    @property
    def amount_minor(self) -> int:
        """What its order moves, in base units of the token."""
        return self.order.items[0].amount_minor

    def barred(self, now: datetime) -> frozenset[UserId]:
        """Who does not count (I12): whoever changed the payee's address within its cooling-off, and of a
        reviewed invoice all its makers, those who reviewed it and who submitted it.
        """
        barred = {UserId(UUID(review["reviewer_id"])) for review in self.reviews}
        if barred and self.submitted_by is not None:
            barred.add(self.submitted_by)
        if self.cooling_off_until is not None and now < self.cooling_off_until:
            barred.add(self.address_changed_by)
        return frozenset(barred)


@dataclass(frozen=True, slots=True)
class Treasury:
    """What an organization has and spends; amounts in its reporting currency's base units."""

    reporting: Asset
    frozen: bool
    live: bool
    declared_monthly_burn_minor: int | None
    outflow_90d_minor: int
    bank_minor: int
    in_flight_minor: int
    settled_24h_minor: int

    @property
    def burn_monthly_minor(self) -> int | None:
        """The greater of the declared burn and a third of 90 days; None if neither is known."""
        observed = self.outflow_90d_minor // 3
        if self.declared_monthly_burn_minor is None:
            return observed or None
        return max(self.declared_monthly_burn_minor, observed)


def cash_minor(
    treasury: Treasury, balances: Sequence[Balance], prices: Mapping[str, Price]
) -> int | None:
    """Wallets less holds plus banks, in the reporting currency; None while an asset has no price."""
    total = treasury.bank_minor
    for balance in balances:
        price = prices.get(balance.asset.symbol)
        if price is None:
            return None
        total += price.rate.convert(balance.available_minor, balance.asset, treasury.reporting)
    return total


def reporting_amount(amount_minor: int, asset: Asset, price: Price, reporting: Asset) -> int:
    """Rounded up: a limit must never see too little."""
    return price.rate.convert_up(amount_minor, asset, reporting)


def policy_request(candidate: Candidate, reporting: Asset, now: datetime) -> PaymentRequest:
    """What the policy is asked, taken from the order that would be signed."""
    payment, order = candidate.payment, candidate.order
    (item,) = order.items
    return PaymentRequest(
        organization_id=str(payment.organization_id),
        payment_id=str(payment.id),
        invoice_id=str(payment.invoice_id) if payment.invoice_id else None,
        payee_id=str(payment.payee_id),
        initiator_id=str(payment.initiator_id),
        initiator_kind=payment.initiator_kind.value,
        recipient=item.recipient,
        chain_id=order.chain_id,
        token=order.token,
        asset=payment.asset.symbol,
        decimals=payment.asset.decimals,
        amount_minor=item.amount_minor,
        reporting_currency=reporting.symbol,
        reporting_amount_minor=payment.reporting_amount_minor,
        now=now,
    )


def window_keys(
    candidate: Candidate, policy_set: PolicySet, reporting: Asset, now: datetime
) -> tuple[tuple[Window, str], ...]:
    """The sums of the policy set's windows that this payment counts in."""
    if not policy_set.windows:
        return ()
    request = policy_request(candidate, reporting, now)
    keys = (
        (window, key_of(window.scope, request, candidate.category)) for window in policy_set.windows
    )
    return tuple((window, key) for window, key in keys if key is not None)


def local_time(zone: str | None, now: datetime) -> LocalTimeFact | None:
    """`now` on the clocks of `zone`; None if no zone is asked for or this machine knows none so named."""
    if zone is None:
        return None
    try:
        local = now.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
    minute = local.hour * 60 + local.minute
    return LocalTimeFact(zone, local.date().isoformat(), local.isoweekday(), minute)


def policy_facts(
    candidate: Candidate,
    treasury: Treasury,
    *,
    policy_since: datetime | None,
    sums: Mapping[Window, int],
    local: LocalTimeFact | None,
    cash: int | None,
    available_minor: int,
    price: Price | None,
    now: datetime,
    network: NetworkFact | None,
) -> Facts:
    """The facts of one decision. `available_minor` and the sums exclude the payment itself."""
    return Facts(
        as_of=now,
        payee=PayeeFact(
            # The master calls a payee in good standing "active"; the policy asks for "verified".
            state="verified" if candidate.payee_state == "active" else candidate.payee_state,
            # An address that was replaced after the order was made is not the verified one.
            address_state=candidate.address_state
            if candidate.address == candidate.order.items[0].recipient
            else "changed",
            cooling_off_until=candidate.cooling_off_until,
            since=candidate.payee_since,
            address_since=candidate.address_since,
            category=candidate.category,
        ),
        duplicates=tuple(
            DuplicateFact(
                invoice_id=str(finding.get("other_invoice_id", "")),
                kind=DUPLICATE_FINDINGS[str(finding["code"])],
                reason=str(finding.get("message", "")),
            )
            for finding in candidate.invoice_findings
            if finding.get("code") in DUPLICATE_FINDINGS
        ),
        spent_24h=WindowFact(treasury.in_flight_minor + treasury.settled_24h_minor, now),
        available_minor=available_minor,
        invoice_open_minor=_open_in_token(candidate),
        runway=RunwayFact(cash, treasury.burn_monthly_minor, now),
        price=None
        if price is None
        else PriceFact(
            asset=price.asset,
            reporting_currency=price.currency,
            numerator=price.rate.numerator,
            denominator=price.rate.denominator,
            as_of=price.as_of,
            in_peg_band=price.in_peg_band,
        ),
        frozen=treasury.frozen,
        windows=tuple(ScopedSum(window, minor, now) for window, minor in sums.items()) or None,
        history=candidate.history,
        initiator_roles=candidate.initiator_roles,
        evidence=tuple(
            sorted({str(finding.get("code", "")) for finding in candidate.invoice_findings})
        ),
        local_time=local,
        sanctions=candidate.sanctions,
        batch=len(candidate.order.items),
        policy_since=policy_since,
        network=network,
        purchase=_purchase(candidate),
        review=_review(candidate),
    )


def _purchase(candidate: Candidate) -> PurchaseFact | None:
    """How the bill compares with its order, and who last took a difference of this very kind upon them."""
    state = candidate.purchase_state
    if state is None:
        return None
    accepters = [
        str(review["reviewer_id"])
        for review in candidate.reviews
        if f"PO_{state.upper()}" in review["accepted"]
    ]
    return PurchaseFact(state, accepters[-1] if accepters else None)


def _review(candidate: Candidate) -> ReviewFact | None:
    reviews = candidate.reviews
    if not reviews:
        return None
    return ReviewFact(
        tuple(sorted({str(review["reviewer_id"]) for review in reviews})),
        tuple(sorted({code for review in reviews for code in review["accepted"]})),
        tuple(sorted({name for review in reviews for name in review["stated"]})),
    )


def _open_in_token(candidate: Candidate) -> int | None:
    """What of the invoice is unpaid, at the order's own quote, in the token's base units."""
    if candidate.invoice_open_minor is None or candidate.invoice_decimals is None:
        return None
    quote = candidate.order.quote
    rate = Rate(quote.rate_numerator, quote.rate_denominator)
    source = Asset(quote.invoice_currency, candidate.invoice_decimals)
    return rate.convert(candidate.invoice_open_minor, source, candidate.payment.asset)
