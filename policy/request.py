"""Owns what is asked: one payment, as the policy sees it. Must never carry what the world says (facts).

The amount stands twice, in the token's base units and in the organization's reporting currency
rounded up, because balances count the first and limits the second.
"""

from dataclasses import dataclass
from datetime import datetime

from policy.codec import Fields, parse_object, without_nulls
from treasurer.kernel.clock import iso, require_utc
from treasurer.kernel.digest import Canonical, canonical_json
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.money import MAX_AMOUNT_MINOR

INITIATOR_KINDS = ("human", "agent", "service")


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
        amounts = {
            "amount_minor": self.amount_minor,
            "reporting_amount_minor": self.reporting_amount_minor,
        }
        for name, amount in amounts.items():
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
        return without_nulls(
            {
                "organization_id": self.organization_id,
                "payment_id": self.payment_id,
                "invoice_id": self.invoice_id,
                "payee_id": self.payee_id,
                "initiator_id": self.initiator_id,
                "initiator_kind": self.initiator_kind,
                "recipient": self.recipient,
                "chain_id": self.chain_id,
                "token": self.token,
                "asset": self.asset,
                "decimals": self.decimals,
                "amount_minor": str(self.amount_minor),
                "reporting_currency": self.reporting_currency,
                "reporting_amount_minor": str(self.reporting_amount_minor),
                "now": iso(self.now),
            }
        )

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
