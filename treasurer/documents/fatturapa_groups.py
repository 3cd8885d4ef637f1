"""Owns the repeated groups of a FatturaPA body: VAT summary, lines, payments.

Must never choose between payments: instalments are summed only where they make up what is owed.
"""

from decimal import Decimal

from treasurer.documents.dates import xml_date
from treasurer.documents.draft import Refused
from treasurer.documents.limits import Limits
from treasurer.documents.payee_accounts import put_accounts
from treasurer.documents.reading import Evidence, FieldValue, Source
from treasurer.documents.xml import Node
from treasurer.documents.xml_amounts import decimal_text

_ZERO = Decimal(0)


def vat_breakdown(body: Node) -> None:
    """`DatiRiepilogo`. The document states no VAT total; it is the sum of the summary's rows."""
    rows: list[FieldValue] = []
    taxes: list[str | None] = []
    for row in body.walk("f:DatiBeniServizi", "f:DatiRiepilogo"):
        tax = decimal_text(row.child("f:Imposta"))
        taxes.append(tax)
        rows.append(
            {
                "rate": decimal_text(row.child("f:AliquotaIVA")),
                "taxable": decimal_text(row.child("f:ImponibileImporto")),
                "tax": tax,
                "nature": row.text("f:Natura"),
            }
        )
    path = f"{body.path}/f:DatiBeniServizi/f:DatiRiepilogo"
    body.draft.put_xpath("vat_breakdown", rows, path)
    stated = [Decimal(tax) for tax in taxes if tax is not None]
    if stated and len(stated) == len(taxes):
        shown = " + ".join(str(tax) for tax in stated)
        body.draft.put_xpath("tax_amount", str(sum(stated, _ZERO)), f"{path}/f:Imposta", shown)


def lines(body: Node, limits: Limits) -> None:
    """`DettaglioLinee`. Raises Refused over the line limit."""
    found = list(body.walk("f:DatiBeniServizi", "f:DettaglioLinee"))
    if len(found) > limits.invoice_lines:
        raise Refused(
            "TOO_MANY_LINES", f"more than {limits.invoice_lines} lines; split the invoice"
        )
    rows: list[FieldValue] = [
        {
            "id": line.text("f:NumeroLinea"),
            "name": line.text("f:Descrizione"),
            "quantity": decimal_text(line.child("f:Quantita")),
            "price": decimal_text(line.child("f:PrezzoUnitario")),
            "net_amount": decimal_text(line.child("f:PrezzoTotale")),
            "vat_rate": decimal_text(line.child("f:AliquotaIVA")),
        }
        for line in found
    ]
    path = f"{body.path}/f:DatiBeniServizi/f:DettaglioLinee"
    body.draft.put_xpath("lines", rows, path)
    body.draft.put_xpath("line_count", len(rows), path)


def payments(body: Node, general: Node | None) -> None:
    """`DatiPagamento`: what is to be paid when, where to, and how."""
    draft = body.draft
    rows: list[FieldValue] = []
    amounts: list[Node] = []
    accounts: list[tuple[str, Evidence]] = []
    for detail in body.walk("f:DatiPagamento", "f:DettaglioPagamento"):
        amount = detail.child("f:ImportoPagamento")
        if amount is not None:
            amounts.append(amount)
        iban = detail.child("f:IBAN")
        account = None if iban is None else iban.value()
        if iban is not None and account is not None:
            accounts.append((account, Evidence("payee_accounts", Source.XPATH, iban.path, account)))
        due = _due_date(detail)
        rows.append(
            {
                "due_date": due,
                "amount": decimal_text(amount),
                "iban": account,
                "method": detail.text("f:ModalitaPagamento"),
            }
        )
    draft.put_xpath("payments", rows, f"{body.path}/f:DatiPagamento")
    put_accounts(draft, accounts)
    body.put_first("payee", "f:DatiPagamento", "f:DettaglioPagamento", "f:Beneficiario")
    _payable(body, amounts, _owed(body, general))


def _due_date(detail: Node) -> str | None:
    """The first payment's date is the document's."""
    draft = detail.draft
    node = detail.child("f:DataScadenzaPagamento")
    printed = None if node is None else node.value()
    if node is None or printed is None:
        return None
    value = xml_date(printed)
    if value is None:
        draft.review("INVALID_DATE", f"{node.path} is no date of the calendar", "due_date")
    elif draft.fields.get("due_date") is None:
        draft.put_xpath("due_date", value, node.path, printed)
    return value


def _owed(body: Node, general: Node | None) -> set[Decimal]:
    """What the payments may come to: the total, less tax withheld at source (`DatiRitenuta`), and less
    VAT that the buyer pays to the treasury itself (`EsigibilitaIVA` S, split payment).
    """
    total = body.draft.text("document_total")
    gross = _summary_total(body) if total is None else Decimal(total)
    if gross is None or general is None:
        return set()
    withheld = [
        Decimal(amount)
        for node in general.walk("f:DatiRitenuta", "f:ImportoRitenuta")
        if (amount := decimal_text(node)) is not None
    ]
    split = [
        Decimal(tax)
        for row in body.walk("f:DatiBeniServizi", "f:DatiRiepilogo")
        if row.text("f:EsigibilitaIVA") == "S"
        and (tax := decimal_text(row.child("f:Imposta"))) is not None
    ]
    less_split = gross - sum(split, _ZERO)
    return {gross, less_split, gross - sum(withheld, _ZERO), less_split - sum(withheld, _ZERO)}


def _summary_total(body: Node) -> Decimal | None:
    """The summary's bases and taxes together, for documents that leave out their total."""
    rows = body.draft.fields.get("vat_breakdown")
    parts = [
        row.get(key)
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, dict)
        for key in ("taxable", "tax")
    ]
    if not parts or None in parts:
        return None
    return sum((Decimal(str(part)) for part in parts), _ZERO)


def _payable(body: Node, amounts: list[Node], owed: set[Decimal]) -> None:
    draft = body.draft
    stated = [(node, text) for node in amounts if (text := decimal_text(node)) is not None]
    if not stated:
        return
    values = [Decimal(text) for _node, text in stated]
    total = sum(values, _ZERO)
    # Several rows are instalments, or ways to pay the same amount, of which one is chosen.
    alternatives = len(set(values)) == 1 and values[0] in owed and total not in owed
    if len(values) == 1 or alternatives:
        node, text = stated[0]
        draft.put_xpath("payable_amount", text, node.path)
    else:
        shown = " + ".join(text for _node, text in stated)
        path = f"{body.path}/f:DatiPagamento/f:DettaglioPagamento/f:ImportoPagamento"
        draft.put_xpath("payable_amount", str(total), path, shown)
    payable = Decimal(draft.text("payable_amount") or 0)
    if owed and payable not in owed and draft.text("document_kind") == "invoice":
        draft.review(
            "PAYMENTS_UNCLEAR",
            "the payments named are neither the total nor the total less what is withheld; ask why",
            "payable_amount",
        )


def simplified_goods(body: Node) -> None:
    """The simplified form names gross amounts and no payment; what is due is then not stated."""
    rows: list[FieldValue] = []
    taxes: list[str | None] = []
    gross: list[str | None] = []
    for item in body.children("f:DatiBeniServizi"):
        amount, tax = decimal_text(item.child("f:Importo")), item.child("f:DatiIVA")
        gross.append(amount)
        stated = None if tax is None else decimal_text(tax.child("f:Imposta"))
        taxes.append(stated if item.text("f:Natura") is None else stated or "0")
        rows.append(
            {
                "name": item.text("f:Descrizione"),
                "gross_amount": amount,
                "vat_rate": None if tax is None else decimal_text(tax.child("f:Aliquota")),
            }
        )
    path = f"{body.path}/f:DatiBeniServizi"
    body.draft.put_xpath("lines", rows, path)
    body.draft.put_xpath("line_count", len(rows), path)
    for name, texts, element in (
        ("tax_amount", taxes, "f:DatiIVA/f:Imposta"),
        ("document_total", gross, "f:Importo"),
    ):
        numbers = [Decimal(text) for text in texts if text is not None]
        if numbers and len(numbers) == len(texts):
            shown = " + ".join(map(str, numbers))
            body.draft.put_xpath(name, str(sum(numbers, _ZERO)), f"{path}/{element}", shown)
