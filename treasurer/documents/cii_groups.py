"""Owns the repeated groups of a CII invoice: VAT breakdown, payment means, lines."""

from treasurer.documents.cii_dialects import Dialect
from treasurer.documents.draft import Refused
from treasurer.documents.limits import Limits
from treasurer.documents.payee_accounts import put_accounts
from treasurer.documents.reading import Evidence, FieldValue, Source
from treasurer.documents.xml import Node
from treasurer.documents.xml_amounts import decimal_text

_MEANS = "ram:SpecifiedTradeSettlementPaymentMeans"
_CREDITOR = "ram:PayeePartyCreditorFinancialAccount"
_LINE = "ram:IncludedSupplyChainTradeLineItem"


def vat_breakdown(settlement: Node, dialect: Dialect) -> None:
    """BG-23. Taxes that are no VAT stand in the older drafts only, and are no part of it."""
    rows: list[FieldValue] = []
    for tax in settlement.children("ram:ApplicableTradeTax"):
        reason = tax.text("ram:ExemptionReason")
        rows.append(
            {
                "category": tax.text("ram:CategoryCode"),
                "rate": decimal_text(tax.child(dialect.percent)),
                "taxable": decimal_text(tax.child("ram:BasisAmount")),
                "tax": decimal_text(tax.child("ram:CalculatedAmount")),
                "exemption": reason or tax.text("ram:ExemptionReasonCode"),
            }
        )
    path = f"{settlement.path}/ram:ApplicableTradeTax"
    settlement.draft.put_xpath("vat_breakdown", rows, path)


def allowance_charges(settlement: Node, dialect: Dialect) -> None:
    """BG-20 and BG-21; the older drafts and profile EXTENDED keep freight apart from other charges."""
    rows: list[FieldValue] = []
    for item in settlement.children("ram:SpecifiedTradeAllowanceCharge"):
        indicator = item.child("ram:ChargeIndicator")
        flag = "" if indicator is None else "".join(map(str, indicator.element.itertext()))
        tax = item.first("ram:CategoryTradeTax")
        rows.append(_adjustment(item.child("ram:ActualAmount"), tax, dialect, flag.strip()))
    for item in settlement.children("ram:SpecifiedLogisticsServiceCharge"):
        tax = item.first("ram:AppliedTradeTax")
        rows.append(_adjustment(item.child("ram:AppliedAmount"), tax, dialect, "true"))
    if rows:
        path = f"{settlement.path}/ram:SpecifiedTradeAllowanceCharge"
        settlement.draft.put_xpath("allowance_charges", rows, path)


def _adjustment(
    amount: Node | None, tax: Node | None, dialect: Dialect, indicator: str
) -> dict[str, FieldValue]:
    return {
        "charge": indicator in ("true", "1"),
        "amount": decimal_text(amount),
        "vat_category": None if tax is None else tax.text("ram:CategoryCode"),
        "vat_rate": None if tax is None else decimal_text(tax.child(dialect.percent)),
    }


def payment_means(settlement: Node) -> None:
    """BG-16, one row a group. The remittance text (BT-83) and the mandate stand once for all."""
    reference = settlement.text("ram:PaymentReference")
    mandate = settlement.first("ram:SpecifiedTradePaymentTerms", "ram:DirectDebitMandateID")
    mandate_id = None if mandate is None else mandate.value()
    rows: list[FieldValue] = []
    accounts: list[tuple[str, Evidence]] = []
    for means in settlement.children(_MEANS):
        account = means.child(_CREDITOR, "ram:IBANID")
        if account is None or account.value() is None:
            account = means.child(_CREDITOR, "ram:ProprietaryID")
        written = None if account is None else account.value()
        if account is not None and written is not None:
            evidence = Evidence("payee_accounts", Source.XPATH, account.path, written)
            accounts.append((written, evidence))
        rows.append(
            {
                "code": means.text("ram:TypeCode"),
                "name": _joined(means.children("ram:Information")),
                "account": written,
                "account_name": means.text(_CREDITOR, "ram:AccountName"),
                "bic": means.text("ram:PayeeSpecifiedCreditorFinancialInstitution", "ram:BICID"),
                "reference": reference,
                "card": means.text("ram:ApplicableTradeSettlementFinancialCard", "ram:ID"),
                "mandate": mandate_id,
                "payer_account": means.text("ram:PayerPartyDebtorFinancialAccount", "ram:IBANID"),
            }
        )
    settlement.draft.put_xpath("payment_means", rows, f"{settlement.path}/{_MEANS}")
    put_accounts(settlement.draft, accounts)


def lines(transaction: Node, dialect: Dialect, limits: Limits) -> None:
    """BG-25. Raises Refused over the line limit."""
    found = transaction.children(_LINE)
    if len(found) > limits.invoice_lines:
        raise Refused(
            "TOO_MANY_LINES", f"more than {limits.invoice_lines} lines; split the invoice"
        )
    draft = transaction.draft
    rows: list[FieldValue] = []
    for index, line in enumerate(found):
        row = _line(line, dialect)
        rows.append(row)
        identifier = row["id"]
        draft.put_xpath(f"lines[{index}]", None, line.path, str(identifier or ""))
        del draft.fields[f"lines[{index}]"]
    draft.put_xpath("lines", rows, f"{transaction.path}/{_LINE}")
    draft.put_xpath("line_count", len(rows), f"{transaction.path}/{_LINE}")


def _line(line: Node, dialect: Dialect) -> dict[str, FieldValue]:
    settlement = line.child(dialect.line_settlement)
    quantity = line.child(dialect.line_delivery, "ram:BilledQuantity")
    price = line.child(dialect.line_agreement, "ram:NetPriceProductTradePrice")
    # The older drafts let a line bear several taxes; the first one is shown.
    tax = None if settlement is None else settlement.first("ram:ApplicableTradeTax")
    document = line.child("ram:AssociatedDocumentLineDocument")
    row: dict[str, FieldValue] = {
        "id": None if document is None else document.text("ram:LineID"),
        "name": line.text("ram:SpecifiedTradeProduct", "ram:Name"),
        "quantity": decimal_text(quantity),
        "unit": None if quantity is None else quantity.element.get("unitCode"),
        "net_amount": None
        if settlement is None
        else decimal_text(settlement.child(dialect.line_summation, "ram:LineTotalAmount")),
        "price": None if price is None else decimal_text(price.child("ram:ChargeAmount")),
        "base_quantity": None if price is None else decimal_text(price.child("ram:BasisQuantity")),
        "vat_category": None if tax is None else tax.text("ram:CategoryCode"),
        "vat_rate": None if tax is None else decimal_text(tax.child(dialect.percent)),
    }
    if settlement is not None:
        adjustments = len(settlement.children("ram:SpecifiedTradeAllowanceCharge"))
        if adjustments:
            row["allowance_charge"] = adjustments
    if document is not None:
        # Profile EXTENDED and the XRechnung extension nest lines by naming their parent.
        if parent := document.text("ram:ParentLineID"):
            row["parent"] = parent
        if status := document.text("ram:LineStatusReasonCode"):
            row["status"] = status
    return row


def _joined(nodes: list[Node]) -> str | None:
    """Texts that may repeat, as one."""
    return " ".join(value for node in nodes if (value := node.value())) or None
