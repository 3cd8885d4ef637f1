"""Reads CII invoices (D16B to D22B, Factur-X, ZUGFeRD 1.0) into EN 16931 fields. Must never take one
of two values.

Paths follow the EN 16931 binding to CII (CEN/TS 16931-3-3); field names the corpus manifest. A profile
that leaves a group out (MINIMUM, BASIC WL have no lines) leaves its fields empty.
"""

from treasurer.documents.attachments import put_attachments
from treasurer.documents.cii_dialects import DIALECT_OF_ROOT, Dialect
from treasurer.documents.cii_groups import allowance_charges, lines, payment_means, vat_breakdown
from treasurer.documents.coded_dates import coded_date
from treasurer.documents.document_types import kind_of_type
from treasurer.documents.draft import Draft
from treasurer.documents.media import Document, Kind
from treasurer.documents.xml import Node, report_texts
from treasurer.documents.xml_amounts import put_amount_of

_TOTALS = (
    ("line_total", "ram:LineTotalAmount"),
    ("allowance_total", "ram:AllowanceTotalAmount"),
    ("charge_total", "ram:ChargeTotalAmount"),
    ("tax_exclusive_amount", "ram:TaxBasisTotalAmount"),
    ("tax_inclusive_amount", "ram:GrandTotalAmount"),
    ("prepaid_amount", "ram:TotalPrepaidAmount"),
    ("rounding_amount", "ram:RoundingAmount"),
    ("payable_amount", "ram:DuePayableAmount"),
)
_REGISTRATIONS = {"VA": "seller_vat_id", "FC": "seller_tax_registration"}
_SELLER, _BUYER = "ram:SellerTradeParty", "ram:BuyerTradeParty"
_ADDRESS, _CONTACT = "ram:PostalTradeAddress", "ram:DefinedTradeContact"
_PARTY_DETAILS = (
    ("seller_country", (_SELLER, _ADDRESS, "ram:CountryID")),
    ("seller_city", (_SELLER, _ADDRESS, "ram:CityName")),
    ("seller_post_code", (_SELLER, _ADDRESS, "ram:PostcodeCode")),
    ("seller_contact", (_SELLER, _CONTACT, "ram:DepartmentName")),
    ("seller_contact", (_SELLER, _CONTACT, "ram:PersonName")),
    ("seller_phone", (_SELLER, _CONTACT, "ram:TelephoneUniversalCommunication",
                      "ram:CompleteNumber")),
    ("seller_email", (_SELLER, _CONTACT, "ram:EmailURIUniversalCommunication", "ram:URIID")),
    ("buyer_country", (_BUYER, _ADDRESS, "ram:CountryID")),
    ("buyer_city", (_BUYER, _ADDRESS, "ram:CityName")),
    ("buyer_post_code", (_BUYER, _ADDRESS, "ram:PostcodeCode")),
)  # fmt: skip


class CiiReader:
    """One message in three dialects; what differs is names, which `cii_dialects` holds."""

    format = "cii"

    def claims(self, document: Document) -> bool:
        return document.kind is Kind.XML and document.xml_root.tag in DIALECT_OF_ROOT

    def read(self, document: Document) -> Draft:
        root = document.xml_root
        dialect = DIALECT_OF_ROOT[str(root.tag)]
        draft = Draft(self.format, structured=True)
        top = Node(root, f"/rsm:{dialect.root.partition('}')[2]}", dialect.prefixes, draft)
        draft.put_xpath("syntax", dialect.syntax, top.path)
        top.put_first("profile", dialect.context, dialect.guideline, "ram:ID")
        _header(top, dialect)
        transaction = top.child(dialect.transaction)
        if transaction is not None:
            _agreement(transaction, dialect)
            _settlement(transaction, dialect)
            lines(transaction, dialect, document.limits)
        report_texts(root, draft)
        for name in ("due_date", "payable_amount", "iban"):
            draft.absent(name)
        return draft


def _header(top: Node, dialect: Dialect) -> None:
    draft = top.draft
    header = top.child(dialect.document)
    if header is None:
        return
    header.put("invoice_number", "ram:ID")
    header.put("type_code", "ram:TypeCode")
    evidence = draft.evidence.get("type_code")
    draft.put_xpath(
        "document_kind",
        kind_of_type(draft.text("type_code")),
        header.path if evidence is None else evidence.location,
    )
    put_date(header.child("ram:IssueDateTime"), "issue_date")
    test = top.first(dialect.context, "ram:TestIndicator")
    if test is not None and "".join(map(str, test.element.itertext())).strip().lower() in (
        "true",
        "1",
    ):
        draft.note("TEST_DOCUMENT", "the invoice calls itself a test; ask before paying it")


def put_date(node: Node | None, name: str) -> None:
    """Record the date in `node`, which wraps it in one element; the candidate of 2014 does not. No
    payment hangs on a period, so a slip there is only noted.
    """
    if node is None:
        return
    inner = list(node.element)
    if len(inner) > 1:
        node.draft.reject("DUPLICATE_ELEMENT", f"{node.path} holds several dates", name)
        return
    if inner:
        wrapped = str(inner[0].tag).partition("}")[2]
        node = Node(inner[0], f"{node.path}/udt:{wrapped}", node.prefixes, node.draft)
    printed = node.value()
    if printed is None:
        return
    value = coded_date(printed, node.element.get("format"))
    if value is None:
        report = node.draft.note if name.startswith("period") else node.draft.review
        report("INVALID_DATE", f"{node.path} is no day of the calendar", name)
    else:
        node.draft.put_xpath(name, value, node.path, printed)


def _agreement(transaction: Node, dialect: Dialect) -> None:
    draft = transaction.draft
    agreement = transaction.child(dialect.agreement)
    if agreement is None:
        return
    agreement.put("buyer_reference", "ram:BuyerReference")
    agreement.put("order_reference", "ram:BuyerOrderReferencedDocument", dialect.order_id)
    if order := draft.text("order_reference"):
        draft.put_xpath("purchase_order", order, draft.evidence["order_reference"].location)
    seller = agreement.child("ram:SellerTradeParty")
    if seller is not None:
        seller.put("seller", "ram:Name")
        legal = "ram:SpecifiedLegalOrganization"
        seller.put("seller_legal_id", legal, "ram:ID")
        trading = seller.text(legal, "ram:TradingBusinessName")
        if trading != draft.text("seller"):
            seller.put("seller_trading_name", legal, "ram:TradingBusinessName")
        for registration in seller.walk("ram:SpecifiedTaxRegistration", "ram:ID"):
            field = _REGISTRATIONS.get(registration.element.get("schemeID", ""))
            if field is not None and field not in draft.fields:
                registration.put(field)
    agreement.put("buyer", "ram:BuyerTradeParty", "ram:Name")
    for name, place in _PARTY_DETAILS:
        agreement.put_first(name, *place)
    agreement.put("tax_representative", "ram:SellerTaxRepresentativeTradeParty", "ram:Name")
    path = "ram:AdditionalReferencedDocument"
    embedded = list(agreement.walk(path, "ram:AttachmentBinaryObject"))
    put_attachments(agreement, embedded, f"{agreement.path}/{path}")


def _settlement(transaction: Node, dialect: Dialect) -> None:
    settlement = transaction.child(dialect.settlement)
    if settlement is None:
        return
    settlement.put("currency", "ram:InvoiceCurrencyCode")
    settlement.put("tax_currency", "ram:TaxCurrencyCode")
    settlement.put("creditor_id", "ram:CreditorReferenceID")
    settlement.put("payee", "ram:PayeeTradeParty", "ram:Name")
    settlement.put_first("payment_terms", "ram:SpecifiedTradePaymentTerms", "ram:Description")
    put_date(settlement.first("ram:SpecifiedTradePaymentTerms", "ram:DueDateDateTime"), "due_date")
    settlement.put_first("preceding_invoice", "ram:InvoiceReferencedDocument", dialect.order_id)
    period = settlement.child("ram:BillingSpecifiedPeriod")
    if period is not None:
        put_date(period.child("ram:StartDateTime"), "period_start")
        put_date(period.child("ram:EndDateTime"), "period_end")
    vat_breakdown(settlement, dialect)
    allowance_charges(settlement, dialect)
    payment_means(settlement)
    summation = settlement.child(dialect.summation)
    if summation is not None:
        _totals(summation)


def _totals(summation: Node) -> None:
    """Profile EXTENDED may state a total in a second currency as well."""
    draft = summation.draft
    currency, tax_currency = draft.text("currency"), draft.text("tax_currency")
    for name, element in _TOTALS:
        put_amount_of(summation.children(element), name, currency)
    own: list[Node] = []
    accounting: list[Node] = []
    for tax in summation.children("ram:TaxTotalAmount"):
        printed = tax.element.get("currencyID")
        foreign = printed is not None and printed != currency
        (accounting if foreign and printed == tax_currency else own).append(tax)
    put_amount_of(own, "tax_amount", currency)
    put_amount_of(accounting, "tax_amount_in_tax_currency", tax_currency)
