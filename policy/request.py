"""Owns what is asked: one payment, as the policy sees it. Must never carry what the world says (facts).

The amount stands twice, in the token's base units and in the organization's reporting currency
rounded up, because balances count the first and limits the second.
"""

from dataclasses import dataclass, fields
from datetime import datetime

from policy.codec import Fields, parse_object, without_nulls
from treasurer.kernel.clock import iso, require_utc
from treasurer.kernel.digest import Canonical, canonical_json
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.money import MAX_AMOUNT_MINOR

INITIATOR_KINDS = ("human", "agent", "service")
_AMOUNTS = ("amount_minor", "reporting_amount_minor")


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """One payment that somebody proposes. Identifiers are opaque text; `now` is the decision's UTC.

    `amount_minor` is in base units of `asset` (which has `decimals`), `reporting_amount_minor` in
    those of `reporting_currency`. `initiator_kind` is human, agent or service. Raises InvalidInput
    when an amount is not a positive integer below 2^256: zero is no payment.
    """

    organization_id: str
    payment_id: str
    invoice_id: str | None
    payee_id: str
    initiator_id: str
    initiator_kind: str
    recipient: str
    chain_id: int
    token: str
    asset: str
    decimals: int
    amount_minor: int
    reporting_currency: str
    reporting_amount_minor: int
    now: datetime

    def __post_init__(self) -> None:
        for name in _AMOUNTS:
            amount = getattr(self, name)
            if type(amount) is not int or not 0 < amount <= MAX_AMOUNT_MINOR:
                raise InvalidInput(
                    "PAYMENT_AMOUNT", f"{name} must be a positive integer below 2^256", field=name
                )
        if type(self.decimals) is not int or not 0 <= self.decimals <= 18:
            raise InvalidInput("ASSET_DECIMALS", f"{self.asset}: decimals must lie in 0..18")
        if self.initiator_kind not in INITIATOR_KINDS:
            raise InvalidInput(
                "INITIATOR_KIND", f"initiator_kind is one of {', '.join(INITIATOR_KINDS)}"
            )
        require_utc(self.now)

    def document(self) -> dict[str, Canonical]:
        """The JSON object that `request_from` reads; amounts are strings of digits."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values |= {name: str(values[name]) for name in _AMOUNTS}
        return without_nulls(values | {"now": iso(self.now)})

    def to_json(self) -> bytes:
        """Canonical JSON: what is stored and digested."""
        return canonical_json(self.document())


def request_from(source: Fields) -> PaymentRequest:
    """Inverse of `PaymentRequest.document`. Raises InvalidInput with the field at fault."""
    request = PaymentRequest(
        organization_id=source.text("organization_id"),
        payment_id=source.text("payment_id"),
        invoice_id=source.optional_text("invoice_id"),
        payee_id=source.text("payee_id"),
        initiator_id=source.text("initiator_id"),
        initiator_kind=source.text("initiator_kind"),
        recipient=source.text("recipient"),
        chain_id=source.integer("chain_id"),
        token=source.text("token"),
        asset=source.text("asset"),
        decimals=source.integer("decimals"),
        amount_minor=source.amount("amount_minor"),
        reporting_currency=source.text("reporting_currency"),
        reporting_amount_minor=source.amount("reporting_amount_minor"),
        now=source.instant("now"),
    )
    source.done()
    return request


def request_from_json(data: bytes | str) -> PaymentRequest:
    """Inverse of `PaymentRequest.to_json`."""
    return request_from(parse_object(data, "request"))
