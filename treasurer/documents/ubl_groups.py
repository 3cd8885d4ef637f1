"""Owns the repeated groups of a UBL invoice: VAT breakdown, payment means and lines."""

from decimal import Decimal

from treasurer.documents.draft import Refused
from treasurer.documents.limits import Limits
from treasurer.documents.reading import FieldValue
from treasurer.documents.xml import Node
from treasurer.documents.xml_amounts import decimal_text, require_currency


def vat_breakdown(top: Node, taxes: list[Node]) -> None:
    """BG-23, from the one VAT total that has categories."""
    rows: list[FieldValue] = []
    for tax in taxes:
        for subtotal in tax.children("cac:TaxSubtotal"):
            category = subtotal.child("cac:TaxCategory")
            rows.append(
                {
                    "category": None if category is None else category.text("cbc:ID"),
                    "rate": None
                    if category is None
                    else decimal_text(category.child("cbc:Percent")),
                    "taxable": decimal_text(subtotal.child("cbc:TaxableAmount")),
                    "tax": decimal_text(subtotal.child("cbc:TaxAmount")),
                    "exemption": None if category is None else _exemption(category),
                }
            )
    top.draft.put_xpath("vat_breakdown", rows, f"{top.path}/cac:TaxTotal/cac:TaxSubtotal")


def _exemption(category: Node) -> FieldValue:
    reason = category.first("cbc:TaxExemptionReason")
    printed = None if reason is None else reason.value()
    return printed or category.text("cbc:TaxExemptionReasonCode")


def payment_means(top: Node) -> list[FieldValue]:
    """BG-16, one row a `PaymentMeans`."""
    rows: list[FieldValue] = []
    for means in top.children("cac:PaymentMeans"):
        code = means.child("cbc:PaymentMeansCode")
        references = means.children("cbc:PaymentID")
        account = "cac:PayeeFinancialAccount"
        rows.append(
            {
                "code": None if code is None else code.value(),
                "name": None if code is None else code.element.get("name"),
                "account": means.text(account, "cbc:ID"),
                "account_name": means.text(account, "cbc:Name"),
                "bic": means.text(account, "cac:FinancialInstitutionBranch", "cbc:ID"),
                "reference": references[0].value() if references else None,
                "card": means.text("cac:CardAccount", "cbc:PrimaryAccountNumberID"),
                "mandate": means.text("cac:PaymentMandate", "cbc:ID"),
                "payer_account": means.text(
                    "cac:PaymentMandate", "cac:PayerFinancialAccount", "cbc:ID"
                ),
            }
        )
    return rows


def third_party_payments(top: Node) -> None:
    """BG-DEX-09 of the XRechnung extension: amounts collected for others, due on top of the total.

    Elsewhere the same group only explains what was prepaid.
    """
    if "extension:xrechnung" not in (top.draft.text("profile") or ""):
        return
    found = [
        (node, amount)
        for node in top.walk("cac:PrepaidPayment", "cbc:PaidAmount")
        if (amount := decimal_text(node)) is not None
    ]
    for node, _amount in found:
        require_currency(node, top.draft.text("currency"))
    if found:
        total = sum((Decimal(amount) for _node, amount in found), Decimal(0))
        shown = " + ".join(amount for _node, amount in found)
        top.draft.put_xpath("third_party_amount", str(total), found[0][0].path, shown)


def allowance_charges(top: Node) -> None:
    """BG-20 and BG-21, the document's own allowances and charges."""
    rows: list[FieldValue] = []
    for item in top.children("cac:AllowanceCharge"):
        category = item.child("cac:TaxCategory")
        rows.append(
            {
                "charge": item.text("cbc:ChargeIndicator") in ("true", "1"),
                "amount": decimal_text(item.child("cbc:Amount")),
                "vat_category": None if category is None else category.text("cbc:ID"),
                "vat_rate": None
                if category is None
                else decimal_text(category.child("cbc:Percent")),
            }
        )
    if rows:
        top.draft.put_xpath("allowance_charges", rows, f"{top.path}/cac:AllowanceCharge")


def lines(top: Node, element: str, quantity: str, limits: Limits) -> None:
    """BG-25. `quantity` is `Invoiced` or `Credited`. Raises Refused over the line limit."""
    found = top.children(element)
    if len(found) > limits.invoice_lines:
        raise Refused(
            "TOO_MANY_LINES", f"more than {limits.invoice_lines} lines; split the invoice"
        )
    rows: list[FieldValue] = []
    for index, line in enumerate(found):
        rows.append(_line(line, element, quantity))
        top.draft.put_xpath(f"lines[{index}]", None, line.path, line.text("cbc:ID"))
        del top.draft.fields[f"lines[{index}]"]
    top.draft.put_xpath("lines", rows, f"{top.path}/{element}")
    top.draft.put_xpath("line_count", len(rows), f"{top.path}/{element}")


def _line(line: Node, element: str, quantity: str) -> dict[str, FieldValue]:
    amount = line.child(f"cbc:{quantity}Quantity")
    category = line.child("cac:Item", "cac:ClassifiedTaxCategory")
    row: dict[str, FieldValue] = {
        "id": line.text("cbc:ID"),
        "name": line.text("cac:Item", "cbc:Name"),
        "quantity": decimal_text(amount),
        "unit": None if amount is None else amount.element.get("unitCode"),
        "net_amount": decimal_text(line.child("cbc:LineExtensionAmount")),
        "price": decimal_text(line.child("cac:Price", "cbc:PriceAmount")),
        "base_quantity": decimal_text(line.child("cac:Price", "cbc:BaseQuantity")),
        "vat_category": None if category is None else category.text("cbc:ID"),
        "vat_rate": None if category is None else decimal_text(category.child("cbc:Percent")),
    }
    adjustments = len(line.children("cac:AllowanceCharge"))
    if adjustments:
        row["allowance_charge"] = adjustments
    below = line.children(f"cac:Sub{element.removeprefix('cac:')}")
    if below:
        row["sub_lines"] = len(below)
    return row
