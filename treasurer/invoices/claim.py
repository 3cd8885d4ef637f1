"""Owns what a document claims about whom to pay. Pure; must never hold more than the document says."""

from collections.abc import Mapping
from dataclasses import dataclass

from treasurer.documents.accounts import valid_iban
from treasurer.documents.addresses import find_addresses
from treasurer.documents.reading import FieldValue
from treasurer.payees.model import normal_vat_id
from treasurer.payees.names import mail_domain


@dataclass(frozen=True, slots=True)
class Claim:
    """Who a document says is to be paid, and where. Addresses are lower case. `payee_code` is our own
    code for the payee, which a batch of bills names; `domain` is that of the seller's mail address.
    """

    name: str | None
    other_names: tuple[str, ...]
    payee_name: str | None
    vat_id: str | None
    ibans: tuple[str, ...]
    addresses: tuple[str, ...]
    payee_code: str | None
    domain: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """All names by which the seller goes in the document."""
        return ((self.name,) if self.name else ()) + self.other_names


def claim_of(fields: Mapping[str, FieldValue]) -> Claim:
    """The claim that a reading's fields make."""
    name, trading = _text(fields, "seller"), _text(fields, "seller_trading_name")
    vat_id = _text(fields, "seller_vat_id")
    accounts = fields.get("payee_accounts")
    printed = (
        [account for account in accounts if isinstance(account, str)]
        if isinstance(accounts, list)
        else []
    )
    iban = _text(fields, "iban")
    ibans = [valid_iban(account) for account in (*printed, *([iban] if iban else []))]
    pay_to = _text(fields, "pay_to_address")
    wallets, _ = find_addresses(" ".join((*printed, *([pay_to] if pay_to else []))))
    return Claim(
        name=name,
        other_names=(trading,) if trading and trading != name else (),
        payee_name=_text(fields, "payee"),
        vat_id=normal_vat_id(vat_id) if vat_id else None,
        ibans=tuple(dict.fromkeys(account for account in ibans if account)),
        addresses=tuple(dict.fromkeys(address.lower() for address in wallets)),
        payee_code=_text(fields, "payee_code"),
        domain=mail_domain(_text(fields, "seller_email")),
    )


def _text(fields: Mapping[str, FieldValue], name: str) -> str | None:
    value = fields.get(name)
    return value.strip() or None if isinstance(value, str) else None
