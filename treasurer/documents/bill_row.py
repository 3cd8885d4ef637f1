"""Reads one bill of a list. Must never evaluate a cell: what it holds is data, whatever it begins with.

Evidence is the row, counted as a spreadsheet does (the header is row 1), and the column as written.
"""

import re
from dataclasses import dataclass

from treasurer.documents.addresses import find_addresses, report_stray, report_syntax
from treasurer.documents.amounts import AMOUNT_SYNTAX, PrintedAmount, find_amounts
from treasurer.documents.bill_columns import AMOUNTS, DATES, Header, plain
from treasurer.documents.currencies import from_printed
from treasurer.documents.dates import find_date, xml_date
from treasurer.documents.document_types import kind_of_type
from treasurer.documents.draft import Draft
from treasurer.documents.payee_accounts import put_accounts
from treasurer.documents.reading import Evidence, Source

_TEXT_CHARACTERS = 2_000
_DATE_CHARACTERS = 30
_FORMULA = ("=", "+", "-", "@")
_SIGNED_NUMBER = re.compile(r"[+-]?[\d\s.,()/]*", re.ASCII)
_TYPE_CODE = re.compile(r"\d{2,3}", re.ASCII)
_INVOICES = frozenset({"", "invoice", "bill", "commercialinvoice"})
_CREDIT_NOTES = frozenset({"creditnote", "creditmemo", "credit"})
_OPEN = frozenset({"", "open", "unpaid", "due", "overdue", "outstanding", "new"})
_PAID = frozenset({"paid", "settled", "closed"})
_NOT_PAID = frozenset({"", "no", "n", "false", "open", "unpaid"})
_WORDS = frozenset(
    {
        "document_kind", "status", "paid_on", "iban", "pay_to_address", "currency", "prepaid_amount",
        "discount", "retention",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell below a column that is named, its outer blanks left out."""

    row: int
    column: str
    text: str

    def evidence(self, name: str) -> Evidence:
        return Evidence(name, Source.LINE, f"row {self.row}, column {self.column[:60]}", self.text)


def exact_amount(text: str) -> PrintedAmount | None:
    """The amount that a cell is; None where it holds anything else besides."""
    found = find_amounts(text)
    return found[0] if len(found) == 1 and found[0].text == text.strip() else None


def read_bill(draft: Draft, header: Header, number: int, values: list[str]) -> None:
    """Fill `draft` from row `number`."""
    cells: dict[str, Cell] = {}
    unread: list[Cell] = []
    for column, field, value in zip(header.columns, header.fields, values, strict=True):
        # Blanks of another width group digits, so those of amounts are kept.
        text = value.strip() if field in AMOUNTS else " ".join(value.split())
        text = text[:_TEXT_CHARACTERS]
        if field is None:
            _unread(draft, column, text)
            unread.append(Cell(number, column, text))
        elif text:
            cells[field] = Cell(number, column, text)
    for name, cell in cells.items():
        if name in AMOUNTS:
            _amount(draft, name, cell)
        elif name in DATES:
            _date(draft, name, cell)
        else:
            if cell.text.startswith(_FORMULA):
                draft.review("FORMULA_TEXT", f"{name} begins like a spreadsheet formula", name)
            if name not in _WORDS:
                draft.put(name, cell.text, cell.evidence(name))
    payable = draft.text("payable_amount")
    if payable is not None and "tax_inclusive_amount" not in header.fields:
        # One total is both BT-112 and BT-115, so that net and tax are held against it (BR-CO-15).
        draft.put("tax_inclusive_amount", payable, draft.evidence["payable_amount"])
    _kind(draft, cells.get("document_kind"))
    _status(draft, cells)
    _subtracted(draft, cells)
    _currency(draft, header, cells)
    _accounts(draft, cells)
    report_stray(draft, [(cell.text, cell.evidence("pay_to_address")) for cell in unread])


def _unread(draft: Draft, column: str, text: str) -> None:
    draft.note("UNKNOWN_FIELD", f"column {column[:60]!r} is none of a bill; it was not read")
    if text.startswith(_FORMULA) and not _SIGNED_NUMBER.fullmatch(text):
        draft.review("FORMULA_TEXT", f"column {column[:60]!r} begins like a spreadsheet formula")


def _amount(draft: Draft, name: str, cell: Cell) -> None:
    amount = exact_amount(cell.text)
    if amount is None or amount.value is None:
        problem = (amount and amount.problem) or AMOUNT_SYNTAX
        draft.review(problem, f"{name} is no amount that reads in one way only; correct it", name)
        return
    draft.put(name, amount.value, cell.evidence(name))


def _date(draft: Draft, name: str, cell: Cell) -> None:
    found = xml_date(cell.text)
    if found is None and len(cell.text) <= _DATE_CHARACTERS:
        found, _unclear = find_date(cell.text, day_first=None)
    if found is None:
        draft.review("INVALID_DATE", f"{name} is no date that reads in one way (YYYY-MM-DD)", name)
        return
    draft.put(name, found, cell.evidence(name))


def _kind(draft: Draft, cell: Cell | None) -> None:
    word = plain(cell.text) if cell else ""
    header = Evidence("document_kind", Source.LINE, "row 1", "")
    evidence = cell.evidence("document_kind") if cell else header
    if _TYPE_CODE.fullmatch(word):
        draft.put("type_code", word, evidence)
        draft.put("document_kind", kind_of_type(word), evidence)
    elif word in _INVOICES or word in _CREDIT_NOTES:
        draft.put("document_kind", "invoice" if word in _INVOICES else "credit_note", evidence)
    else:
        draft.review(
            "DOCUMENT_KIND", "the row names a kind that is no bill; check it", "document_kind"
        )


def _status(draft: Draft, cells: dict[str, Cell]) -> None:
    word = plain(cells["status"].text) if "status" in cells else ""
    if word in _PAID or "paid_on" in cells:
        draft.note("ALREADY_PAID", "the list says that this bill is paid; see that it is not twice")
    elif word not in _OPEN:
        draft.review("BILL_STATUS", "the bill's status is not simply open; check it before paying")


def _subtracted(draft: Draft, cells: dict[str, Cell]) -> None:
    """What was paid counts in BR-CO-16; a column of it may also hold a word or a day. What is deducted
    may be in the amount or not: a person says.
    """
    paid = cells.get("prepaid_amount")
    amount = exact_amount(paid.text) if paid else None
    if paid and amount is not None and amount.value is not None:
        draft.put("prepaid_amount", amount.value.removeprefix("-"), paid.evidence("prepaid_amount"))
    elif paid and plain(paid.text) not in _NOT_PAID:
        draft.note("ALREADY_PAID", "the list says that this bill is paid; see that it is not twice")
    for name in ("discount", "retention"):
        if name in cells and cells[name].text.strip("0.,-% "):
            draft.review(
                "AMOUNT_DUE_UNCLEAR",
                f"column {cells[name].column[:60]!r} names a deduction; say what is due",
                "payable_amount",
            )


def _currency(draft: Draft, header: Header, cells: dict[str, Cell]) -> None:
    """From its column, else from beside the amount. A list that names none anywhere, and its payees by
    our own codes, comes from our own books and is in their currency.
    """
    own, beside = cells.get("currency"), set()
    for name in AMOUNTS & cells.keys():
        amount = exact_amount(cells[name].text)
        if amount is not None and amount.currency_text is not None:
            beside.add(from_printed(amount.currency_text) or amount.currency_text)
    stated = beside | ({from_printed(own.text) or own.text} if own else set())
    if len(stated) > 1:
        draft.review(
            "CURRENCY_MISMATCH", "the row names several currencies; correct it", "currency"
        )
    elif stated:
        cell = own or cells.get("payable_amount") or next(iter(cells.values()))
        draft.put("currency", stated.pop(), cell.evidence("currency"))
    elif "currency" not in header.fields and "payee_code" in cells:
        draft.put("currency_basis", "organization", cells["payee_code"].evidence("currency_basis"))
        draft.note(
            "CURRENCY_OF_BOOKS",
            "the list names no currency; its amounts count in the organization's own",
            "currency",
        )


def _accounts(draft: Draft, cells: dict[str, Cell]) -> None:
    accounts = []
    if "iban" in cells:
        accounts.append((cells["iban"].text, cells["iban"].evidence("payee_accounts")))
    wallet = cells.get("pay_to_address")
    if wallet is not None and find_addresses(wallet.text)[0] == [wallet.text]:
        accounts.append((wallet.text, wallet.evidence("payee_accounts")))
    elif wallet is not None:
        report_syntax(draft)
    if accounts:
        put_accounts(draft, accounts)
