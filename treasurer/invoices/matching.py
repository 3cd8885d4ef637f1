"""Owns the match of a document's seller to the payee master. Pure; must never match by likeness.

Whom a document may mean is decided by VAT id, IBAN, verified wallet and exact name, which must all
agree. An address in the document is only ever compared: it never becomes a place to pay to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from treasurer.documents.accounts import valid_iban
from treasurer.documents.addresses import find_addresses
from treasurer.documents.reading import FieldValue, Severity
from treasurer.invoices.model import InvoiceFinding
from treasurer.kernel.ids import PayeeId
from treasurer.payees.model import AddressState, Payee, normal_vat_id
from treasurer.payees.names import name_key, name_skeleton

POISONING_DIGITS = 4
"""People compare the ends of an address; poisoners imitate them."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Who a document says is to be paid, and where. Addresses are lower case."""

    name: str | None
    other_names: tuple[str, ...]
    payee_name: str | None
    vat_id: str | None
    ibans: tuple[str, ...]
    addresses: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All names by which the seller goes in the document."""
        return ((self.name,) if self.name else ()) + self.other_names


@dataclass(frozen=True, slots=True)
class Match:
    """The payee meant, None where that is not certain, and what a person should know."""

    payee: Payee | None
    findings: tuple[InvoiceFinding, ...]


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
    )


def match(claim: Claim, candidates: Sequence[Payee]) -> Match:
    """The one payee on whom all marks of `claim` agree, with findings where they do not.

    `candidates` are all payees that share any mark or a name's skeleton with the claim.
    """
    marks = [
        {payee.id for payee in candidates if payee.vat_id and payee.vat_id == claim.vat_id},
        {payee.id for payee in candidates if payee.iban in claim.ibans},
        {payee.id for payee in candidates if _verified(payee) & set(claim.addresses)},
        {payee.id for payee in candidates if _named(payee, claim)},
    ]
    speaking = [mark for mark in marks if mark]
    if not speaking:
        return Match(None, (_nobody(claim, candidates),))
    agreed = set.intersection(*speaking)
    if len(agreed) != 1:
        return Match(None, (_disagreement(agreed),))
    (payee,) = (candidate for candidate in candidates if candidate.id in agreed)
    findings = [*_name_findings(claim, payee), *_detail_findings(claim, payee)]
    findings += _address_findings(claim, payee)
    lookalike = any(finding.code == "LOOKALIKE_PAYEE" for finding in findings)
    return Match(None if lookalike else payee, tuple(findings))


def _named(payee: Payee, claim: Claim) -> bool:
    return any(name_key(name) == name_key(payee.name) for name in claim.names)


def _nobody(claim: Claim, candidates: Sequence[Payee]) -> InvoiceFinding:
    skeletons = {name_skeleton(name) for name in claim.names}
    for payee in candidates:
        if name_skeleton(payee.name) in skeletons:
            return _lookalike(payee)
    return _review(
        "UNKNOWN_PAYEE",
        "the seller is no payee here; add it and have its address verified",
        "seller",
    )


def _disagreement(agreed: set[PayeeId]) -> InvoiceFinding:
    if agreed:
        return _review(
            "PAYEE_AMBIGUOUS", "several payees have these particulars; pick the right one", "seller"
        )
    return _review(
        "PAYEE_CONTRADICTION",
        "name, VAT id, IBAN and wallet in the document belong to different payees",
        "seller",
    )


def _name_findings(claim: Claim, payee: Payee) -> list[InvoiceFinding]:
    if not claim.names or _named(payee, claim):
        paid_to = claim.payee_name
        if paid_to is None or name_key(paid_to) in {
            name_key(payee.name),
            *map(name_key, claim.names),
        }:
            return []
        return [
            _review(
                "PAYEE_DIFFERS_FROM_SELLER",
                "the document asks for payment to somebody other than the seller (BT-59)",
                "payee",
            )
        ]
    if name_skeleton(payee.name) in {name_skeleton(name) for name in claim.names}:
        return [_lookalike(payee)]
    return [
        _review(
            "PAYEE_NAME_MISMATCH",
            f"the particulars are {payee.code}'s, the name is not; ask the seller",
            "seller",
        )
    ]


def _detail_findings(claim: Claim, payee: Payee) -> list[InvoiceFinding]:
    findings = []
    if payee.vat_id and claim.vat_id and payee.vat_id != claim.vat_id:
        findings.append(
            _review(
                "PAYEE_VAT_MISMATCH", f"{payee.code} has another VAT id on file", "seller_vat_id"
            )
        )
    if payee.iban and claim.ibans and payee.iban not in claim.ibans:
        findings.append(
            _review(
                "PAYEE_IBAN_MISMATCH",
                f"{payee.code} has another bank account on file; call the payee to ask",
                "iban",
            )
        )
    return findings


def _address_findings(claim: Claim, payee: Payee) -> list[InvoiceFinding]:
    findings = []
    verified = _verified(payee)
    pending = {entry.address for entry in payee.addresses if entry.state is AddressState.PENDING}
    for address in claim.addresses:
        if address in verified:
            continue
        if address in pending:
            findings.append(
                _review(
                    "PAYEE_ADDRESS_UNVERIFIED",
                    f"the document's address waits for verification at {payee.code}",
                    "pay_to_address",
                )
            )
            continue
        findings.append(
            _review(
                "PAYEE_ADDRESS_MISMATCH",
                f"the document's address is not {payee.code}'s verified one; call the payee to ask",
                "pay_to_address",
            )
        )
        if any(_imitates(address, known) for known in verified):
            findings.append(
                _review(
                    "ADDRESS_POISONING",
                    "the address imitates the ends of the verified one; compare every character",
                    "pay_to_address",
                )
            )
    return findings


def _verified(payee: Payee) -> set[str]:
    return {entry.address for entry in payee.addresses if entry.state is AddressState.VERIFIED}


def _imitates(address: str, known: str) -> bool:
    head, tail = slice(2, 2 + POISONING_DIGITS), slice(-POISONING_DIGITS, None)
    return address != known and address[head] == known[head] and address[tail] == known[tail]


def _lookalike(payee: Payee) -> InvoiceFinding:
    return _review(
        "LOOKALIKE_PAYEE",
        f"the seller's name only looks like {payee.code}'s; it is spelt with other characters",
        "seller",
    )


def _text(fields: Mapping[str, FieldValue], name: str) -> str | None:
    value = fields.get(name)
    return value.strip() or None if isinstance(value, str) else None


def _review(code: str, message: str, field: str) -> InvoiceFinding:
    return InvoiceFinding(code, message, field, Severity.REVIEW)
