"""Reads UBL 2.1 invoices and credit notes into EN 16931 fields. Must never take one of two values.

Paths follow the EN 16931 binding to UBL (CEN/TS 16931-3-2); field names the corpus manifest.
"""

from treasurer.documents.attachments import put_attachments
from treasurer.documents.dates import xml_date
from treasurer.documents.draft import Draft
from treasurer.documents.media import Document, Kind
from treasurer.documents.payee_accounts import put_accounts
from treasurer.documents.reading import Evidence, Source
from treasurer.documents.ubl_groups import (
    allowance_charges,
    lines,
    payment_means,
    third_party_payments,
    vat_breakdown,
)
from treasurer.documents.ubl_parties import put_parties
from treasurer.documents.xml import Node, report_texts
from treasurer.documents.xml_amounts import put_amount, require_currency

_UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
PREFIXES = {
    "cac": f"{_UBL}CommonAggregateComponents-2",
    "cbc": f"{_UBL}CommonBasicComponents-2",
}
_ROOTS = {
    f"{{{_UBL}Invoice-2}}Invoice": "Invoice",
    f"{{{_UBL}CreditNote-2}}CreditNote": "CreditNote",
}

_REFERENCE = "cac:AdditionalDocumentReference"

_TEXTS = (
    ("invoice_number", ("cbc:ID",)),
    ("profile", ("cbc:CustomizationID",)),
    ("currency", ("cbc:DocumentCurrencyCode",)),
    ("tax_currency", ("cbc:TaxCurrencyCode",)),
    ("buyer_reference", ("cbc:BuyerReference",)),
    ("order_reference", ("cac:OrderReference", "cbc:ID")),
    ("payee", ("cac:PayeeParty", "cac:PartyName", "cbc:Name")),
)
_FIRST_TEXTS = (
    ("payment_terms", ("cac:PaymentTerms", "cbc:Note")),
    ("tax_representative", ("cac:TaxRepresentativeParty", "cac:PartyName", "cbc:Name")),
    ("preceding_invoice", ("cac:BillingReference", "cac:InvoiceDocumentReference", "cbc:ID")),
)
_TOTALS = (
    ("line_total", "cbc:LineExtensionAmount"),
    ("allowance_total", "cbc:AllowanceTotalAmount"),
    ("charge_total", "cbc:ChargeTotalAmount"),
    ("tax_exclusive_amount", "cbc:TaxExclusiveAmount"),
    ("tax_inclusive_amount", "cbc:TaxInclusiveAmount"),
    ("prepaid_amount", "cbc:PrepaidAmount"),
    ("rounding_amount", "cbc:PayableRoundingAmount"),
    ("payable_amount", "cbc:PayableAmount"),
)


class UblReader:
    """Both roots are read alike; a credit note is then held, because money flows the other way."""

    format = "ubl"

    def claims(self, document: Document) -> bool:
        return document.kind is Kind.XML and document.xml_root.tag in _ROOTS

    def read(self, document: Document) -> Draft:
        root = document.xml_root
        kind = _ROOTS[str(root.tag)]
        draft = Draft("ubl-invoice" if kind == "Invoice" else "ubl-creditnote", structured=True)
        top = Node(root, f"/{kind}", PREFIXES, draft)
        draft.put_xpath("syntax", f"UBL {kind}", top.path)
        for name, path in _TEXTS:
            top.put(name, *path)
        for name, path in _FIRST_TEXTS:
            top.put_first(name, *path)
        _type(top, kind)
        _dates(top, kind)
        put_parties(top)
        if order := draft.text("order_reference"):
            draft.put_xpath("purchase_order", order, draft.evidence["order_reference"].location)
        _totals(top)
        _payment(top)
        allowance_charges(top)
        third_party_payments(top)
        lines(
            top, f"cac:{kind}Line", "Invoiced" if kind == "Invoice" else "Credited", document.limits
        )
        files = list(top.walk(_REFERENCE, "cac:Attachment", "cbc:EmbeddedDocumentBinaryObject"))
        put_attachments(top, files, f"{top.path}/{_REFERENCE}")
        report_texts(root, draft)
        for name in ("due_date", "payable_amount", "iban"):
            draft.absent(name)
        return draft


def _type(top: Node, kind: str) -> None:
    draft = top.draft
    top.put("type_code", f"cbc:{kind}TypeCode")
    document_kind = "invoice" if kind == "Invoice" else "credit_note"
    path = draft.evidence["type_code"].location if "type_code" in draft.evidence else top.path
    draft.put_xpath("document_kind", document_kind, path)


def _dates(top: Node, kind: str) -> None:
    due = ("cbc:DueDate",) if kind == "Invoice" else ("cac:PaymentMeans", "cbc:PaymentDueDate")
    period = "cac:InvoicePeriod"
    for name, path in (
        ("issue_date", ("cbc:IssueDate",)),
        ("due_date", due),
        ("period_start", (period, "cbc:StartDate")),
        ("period_end", (period, "cbc:EndDate")),
    ):
        # A credit note may name a date for each of several means of payment.
        node = top.first(*path) if len(path) > 1 else top.child(*path)
        printed = None if node is None else node.value()
        if node is None or printed is None:
            continue
        value = xml_date(printed)
        if value is None:
            top.draft.review(
                "INVALID_DATE", f"{node.path} is no date of the calendar (YYYY-MM-DD)", name
            )
            continue
        top.draft.put_xpath(name, value, node.path, printed)


def _totals(top: Node) -> None:
    draft = top.draft
    currency = draft.text("currency")
    total = top.child("cac:LegalMonetaryTotal")
    if total is not None:
        for name, element in _TOTALS:
            node = total.child(element)
            if node is not None:
                put_amount(node, name)
                require_currency(node, currency)
    tax_currency = draft.text("tax_currency")
    taxes = top.children("cac:TaxTotal")
    for tax in taxes:
        amount = tax.child("cbc:TaxAmount")
        if amount is None:
            continue
        printed = amount.element.get("currencyID")
        accounting = printed != currency and printed == tax_currency
        name = "tax_amount_in_tax_currency" if accounting else "tax_amount"
        if name in draft.fields:
            draft.reject(
                "DUPLICATE_ELEMENT",
                f"{tax.path} is a second VAT total in one currency; ask for a corrected invoice",
                name,
            )
        put_amount(amount, name)
        if not accounting:
            require_currency(amount, currency)
    vat_breakdown(top, taxes)


def _payment(top: Node) -> None:
    draft = top.draft
    means = payment_means(top)
    accounts = [
        (account, Evidence("payee_accounts", Source.XPATH, node.path, account))
        for node in top.walk("cac:PaymentMeans", "cac:PayeeFinancialAccount", "cbc:ID")
        if (account := node.value()) is not None
    ]
    draft.put_xpath("payment_means", means, f"{top.path}/cac:PaymentMeans")
    put_accounts(draft, accounts)
