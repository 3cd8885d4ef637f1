"""Owns the match of a document's seller to the payee master. Pure; must never match by likeness.

Whom a document may mean is decided by VAT id, IBAN, verified wallet, our own code for the payee and
exact name, which must all agree; a mail domain counts where none of them speaks. A name that is only
similar names a suspect for people and matches nobody. An address or account in the document is only
ever compared: it never becomes a place to pay to.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from treasurer.documents.reading import Severity
from treasurer.invoices.claim import Claim
from treasurer.invoices.model import InvoiceFinding
from treasurer.kernel.ids import PayeeId
from treasurer.payees.model import AddressState, Payee, address_ends
from treasurer.payees.names import (
    domain_skeleton,
    mail_domain,
    name_key,
    name_likeness,
    name_skeleton,
    without_legal_form,
)

SIMILAR_PERCENT = 80
"""From here on an unknown seller's name is said to resemble a payee's."""


@dataclass(frozen=True, slots=True)
class Match:
    """The payee meant, None where that is not certain, and what a person should know."""

    payee: Payee | None
    findings: tuple[InvoiceFinding, ...]


def match(claim: Claim, candidates: Sequence[Payee]) -> Match:
    """The one payee on whom all marks of `claim` agree, with findings where they do not.

    `candidates` are all payees that share any mark, the ends of an address, or a name's skeleton or
    beginning with the claim.
    """
    poisoned = _poisoning(claim, candidates)
    marks = [
        {payee.id for payee in candidates if payee.code == claim.payee_code},
        {payee.id for payee in candidates if payee.vat_id and payee.vat_id == claim.vat_id},
        {payee.id for payee in candidates if payee.iban in claim.ibans},
        {payee.id for payee in candidates if _verified(payee) & set(claim.addresses)},
        {payee.id for payee in candidates if _named(payee, claim)},
    ]
    speaking = [mark for mark in marks if mark]
    if not speaking and (writers := _writers(claim, candidates)):
        speaking = [writers]
    if claim.payee_code and not marks[0]:
        return Match(None, (_unknown_code(claim.payee_code), *poisoned))
    if not speaking:
        return Match(None, (_nobody(claim, candidates), *poisoned))
    agreed = set.intersection(*speaking)
    if len(agreed) > 1:
        # Payees of one name may write from different domains; a domain alone decides nothing else.
        agreed = agreed & _writers(claim, candidates) or agreed
    if len(agreed) != 1:
        return Match(None, (_disagreement(agreed), *poisoned))
    (payee,) = (candidate for candidate in candidates if candidate.id in agreed)
    findings = [*_name_findings(claim, payee), *_detail_findings(claim, payee)]
    findings += [*_address_findings(claim, payee), *poisoned]
    lookalike = any(finding.code == "LOOKALIKE_PAYEE" for finding in findings)
    return Match(None if lookalike else payee, tuple(findings))


def _named(payee: Payee, claim: Claim) -> bool:
    return any(name_key(name) == name_key(payee.name) for name in claim.names)


def _writers(claim: Claim, candidates: Sequence[Payee]) -> set[PayeeId]:
    """Payees whose mail comes from the domain that the document names as the seller's."""
    if claim.domain is None:
        return set()
    return {payee.id for payee in candidates if mail_domain(payee.email) == claim.domain}


def _nobody(claim: Claim, candidates: Sequence[Payee]) -> InvoiceFinding:
    skeletons = {name_skeleton(name) for name in claim.names}
    for payee in candidates:
        if name_skeleton(payee.name) in skeletons and not _named(payee, claim):
            return _lookalike(payee)
    likeness, resembled = max(
        ((_likeness(payee, claim), payee) for payee in candidates),
        key=lambda pair: pair[0],
        default=(0, None),
    )
    if resembled is not None and likeness >= SIMILAR_PERCENT:
        return _review(
            "PAYEE_NAME_SIMILAR",
            f"the seller is no payee here; its name resembles {resembled.code}'s, which may be meant",
            "seller",
        )
    return _review(
        "UNKNOWN_PAYEE",
        "the seller is no payee here; add it and have its address verified",
        "seller",
    )


def _unknown_code(code: str) -> InvoiceFinding:
    return _review(
        "UNKNOWN_PAYEE", f"no payee here has the code {code[:40]!r}; correct it", "payee_code"
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
    if _abbreviated(payee, claim):
        return []
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
    if payee.iban and set(claim.ibans) - {payee.iban}:
        # Also beside the right one: a second account is how altered details slip past a comparison.
        findings.append(
            _review(
                "PAYEE_IBAN_MISMATCH",
                f"{payee.code} has another bank account on file; call the payee to ask",
                "iban",
            )
        )
    known = mail_domain(payee.email)
    if known and claim.domain and known != claim.domain:
        if domain_skeleton(known) == domain_skeleton(claim.domain):
            findings.append(
                _review(
                    "LOOKALIKE_DOMAIN",
                    f"the mail domain only looks like {payee.code}'s; it is spelt differently",
                    "seller_email",
                )
            )
        else:
            findings.append(
                InvoiceFinding(
                    "PAYEE_DOMAIN_DIFFERS",
                    f"{payee.code} has a mail address at another domain on file",
                    "seller_email",
                    Severity.NOTE,
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
    return findings


def _poisoning(claim: Claim, candidates: Sequence[Payee]) -> tuple[InvoiceFinding, ...]:
    """People compare the ends of an address; poisoners imitate them, of whichever payee."""
    verified = {address for payee in candidates for address in _verified(payee)}
    ends = {address_ends(address) for address in verified}
    if any(a not in verified and address_ends(a) in ends for a in claim.addresses):
        return (
            _review(
                "ADDRESS_POISONING",
                "the address imitates the ends of the verified one; compare every character",
                "pay_to_address",
            ),
        )
    return ()


def _verified(payee: Payee) -> set[str]:
    return {entry.address for entry in payee.addresses if entry.state is AddressState.VERIFIED}


def _likeness(payee: Payee, claim: Claim) -> int:
    return max((name_likeness(payee.name, name) for name in claim.names), default=0)


def _abbreviated(payee: Payee, claim: Claim) -> bool:
    """Whether one of both names lacks the legal form that the other has, and nothing else."""
    known = name_key(payee.name)
    return any(
        without_legal_form(known) == without_legal_form(name_key(name))
        and (without_legal_form(known) == known)
        != (without_legal_form(name_key(name)) == name_key(name))
        for name in claim.names
    )


def _lookalike(payee: Payee) -> InvoiceFinding:
    return _review(
        "LOOKALIKE_PAYEE",
        f"the seller's name only looks like {payee.code}'s; it is spelt with other characters",
        "seller",
    )


def _review(code: str, message: str, field: str) -> InvoiceFinding:
    return InvoiceFinding(code, message, field, Severity.REVIEW)
