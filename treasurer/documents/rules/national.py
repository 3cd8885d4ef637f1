"""Rules that countries add to EN 16931 for their own invoices, as Peppol BIS 3 and XRechnung carry them.

They hold only where the document claims such a profile. Ids are Peppol's; XRechnung's BR-DE-n is DE-R-n.
What is only missing or misspelt changes no amount and is noted: half of the invoices that claim these
profiles lack a telephone number. What contradicts the payment, or shifts tax to the buyer, is reviewed.
"""

import re
from collections.abc import Mapping

from stdnum import luhn
from stdnum.no import mva

from treasurer.documents.accounts import valid_iban
from treasurer.documents.draft import Draft
from treasurer.documents.rules.rule import Rule, amount, decimal, rows

_TRANSFERS = frozenset({"30", "58"})
_CARDS = frozenset({"48", "54", "55"})
_DEBITS = frozenset({"59"})
_REQUIRED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "DE": (
        ("DE-R-003", "seller_city"), ("DE-R-004", "seller_post_code"),
        ("DE-R-005", "seller_contact"), ("DE-R-006", "seller_phone"), ("DE-R-007", "seller_email"),
        ("DE-R-008", "buyer_city"), ("DE-R-009", "buyer_post_code"),
        ("DE-R-015", "buyer_reference"),
    ),
    "DK": (("DK-R-002", "seller_legal_id"),),
    "IS": (("IS-R-002", "seller_legal_id"),),
    "IT": (("IT-R-003", "seller_city"), ("IT-R-004", "seller_post_code")),
    "NL": (("NL-R-002", "seller_city"), ("NL-R-003", "seller_legal_id")),
}  # fmt: skip
"""Fields that a seller of that country must state."""
_BOTH_SIDES = frozenset({"DE"})
"""Countries whose rules speak of invoices between two of their own parties only."""
_DUTCH_MEANS = frozenset({"30", "48", "49", "57", "58", "59"})
_SWEDISH_RATES = frozenset({6, 12, 25})


def _country(draft: Draft) -> str | None:
    """Whose rules hold for this document, None where none do."""
    profile = (draft.text("profile") or "").lower()
    if "xrechnung" in profile:
        return "DE"
    seller = draft.text("seller_country")
    if "peppol" not in profile or seller is None:
        return None
    if seller in _BOTH_SIDES and draft.text("buyer_country") != seller:
        return None
    return seller


def required_by_country(draft: Draft) -> None:
    """What the country wants on top."""
    for rule, name in _REQUIRED.get(_country(draft) or "", ()):
        if draft.fields.get(name) is None:
            draft.note(rule, f"{name} is missing, which its country requires; ask the seller", name)


def german_payment(draft: Draft) -> None:
    """DE-R-001, 020, 023 to 025, 030, 031: each way to pay with its own group, and no other's."""
    if _country(draft) != "DE":
        return
    means = rows(draft, "payment_means")
    if not means:
        draft.note(
            "DE-R-001", "the invoice does not say how to pay; ask the seller", "payment_means"
        )
    for row in means:
        code = row.get("code")
        account, card = row.get("account"), row.get("card")
        debit = row.get("mandate") or row.get("payer_account")
        for rule, codes, own, others in (
            ("DE-R-023", _TRANSFERS, account, (card, debit)),
            ("DE-R-024", _CARDS, card, (account, debit)),
            ("DE-R-025", _DEBITS, debit, (account, card)),
        ):
            if code in codes and (own is None or any(others)):
                draft.review(
                    rule,
                    f"payment code {code} stands without its own particulars, or with others'",
                    "payment_means",
                )
        if debit is not None:
            _german_debit(draft, code, row.get("payer_account"))


def _german_debit(draft: Draft, code: object, payer: object) -> None:
    if draft.fields.get("creditor_id") is None:
        draft.review("DE-R-030", "a direct debit names no creditor identifier", "creditor_id")
    if payer is None:
        draft.review("DE-R-031", "a direct debit names no account to debit", "payment_means")
    elif code in _DEBITS and isinstance(payer, str) and valid_iban(payer) is None:
        draft.review("DE-R-020", "the account to debit is no valid IBAN", "payment_means")


def swedish_seller(draft: Draft) -> None:
    """SE-R-001 to 010 and 013: VAT and organisation number, F-tax, rates, giro accounts."""
    if _country(draft) != "SE":
        return
    vat = draft.text("seller_vat_id")
    if vat is not None and re.fullmatch(r"SE[0-9]{12}", vat) is None:
        draft.note("SE-R-001", "a Swedish VAT number is SE and twelve digits", "seller_vat_id")
    legal = draft.text("seller_legal_id")
    if legal is not None and (
        re.fullmatch(r"[0-9]{10}", legal) is None or not luhn.is_valid(legal)
    ):
        draft.note("SE-R-003", "a Swedish organisation number has ten digits", "seller_legal_id")
    registered = draft.text("seller_tax_registration")
    if registered is not None and registered.lower() != "godkänd för f-skatt":
        draft.review(
            "SE-R-005",
            "the seller does not state that it is approved for F-tax",
            "seller_tax_registration",
        )
    for row in rows(draft, "vat_breakdown"):
        if row.get("category") == "S" and decimal(row, "rate") not in _SWEDISH_RATES:
            draft.note("SE-R-006", "Swedish VAT is 6, 12 or 25 %", "vat_breakdown")
    for row in rows(draft, "payment_means"):
        account = row.get("account")
        digits = {"SE:BANKGIRO": r"[0-9]{7,8}", "SE:PLUSGIRO": r"[0-9]{2,8}"}.get(
            str(row.get("bic"))
        )
        if digits and isinstance(account, str) and re.fullmatch(digits, account) is None:
            draft.note("SE-R-007", "this is no giro number; ask the seller", "payee_accounts")


def norwegian_vat_number(draft: Draft) -> None:
    """NO-R-001: NO, nine digits with their check digit, MVA."""
    vat = draft.text("seller_vat_id")
    if (
        _country(draft) == "NO"
        and vat is not None
        and not (vat.startswith("NO") and mva.is_valid(vat))
    ):
        draft.note("NO-R-001", "this is no Norwegian VAT number", "seller_vat_id")


def dutch_payment(draft: Draft) -> None:
    """NL-R-001, 007 and 008: what is credited, and how to pay within the Netherlands."""
    if _country(draft) != "NL":
        return
    if draft.text("document_kind") == "credit_note" and draft.text("preceding_invoice") is None:
        draft.note("NL-R-001", "the credit note names no invoice", "preceding_invoice")
    if draft.text("buyer_country") != "NL":
        return
    codes = [row.get("code") for row in rows(draft, "payment_means")]
    payable = amount(draft, "payable_amount")
    if (
        not codes
        and payable is not None
        and payable > 0
        and draft.text("document_kind") != "credit_note"
    ):
        draft.note("NL-R-007", "the invoice does not say how to pay", "payment_means")
    if any(code not in _DUTCH_MEANS for code in codes):
        draft.note("NL-R-008", "this way to pay is not used in the Netherlands", "payment_means")


RULES: tuple[Rule, ...] = (
    required_by_country,
    german_payment,
    swedish_seller,
    norwegian_vat_number,
    dutch_payment,
)
