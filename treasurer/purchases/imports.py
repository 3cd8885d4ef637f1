"""Owns the shape of imported orders and receipts. Pure; must never change an order that is here.

CSV columns of orders: order, payee_code, currency, line, name, quantity, net_amount, receipt_required;
of receipts: order, line, quantity, reference, received_on. A column of another name is refused.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from treasurer.documents.currencies import fraction_digits, is_known
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.money import Asset, parse_decimal, to_minor
from treasurer.purchases.model import OrderLine, Receipt

ORDER_COLUMNS = (
    "order", "payee_code", "currency", "line", "name", "quantity", "net_amount", "receipt_required",
)  # fmt: skip
RECEIPT_COLUMNS = ("order", "line", "quantity", "reference", "received_on")
MAX_BYTES = 2 * 1024 * 1024
MAX_ROWS = 5_000
_STABLECOIN_DECIMALS = 6
_MOST_QUANTITY = Decimal(10) ** 12
_QUANTITY_DIGITS = 6


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order as imported: the payee by its code."""

    number: str
    payee_code: str
    currency: Asset
    receipt_required: bool
    lines: tuple[OrderLine, ...]


def csv_rows(content: bytes, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """The rows of a UTF-8 CSV with exactly `columns` in its header, in any order."""
    if len(content) > MAX_BYTES:
        raise InvalidInput("CSV_TOO_LARGE", f"the file is over {MAX_BYTES} bytes; split it")
    if b"\0" in content:
        raise InvalidInput("CSV_SYNTAX", "the file holds a zero byte; save it as UTF-8 text")
    try:
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        header = [name.strip().lower() for name in next(reader, [])]
        rows = [row for row in reader if any(cell.strip() for cell in row)]
    except UnicodeDecodeError as error:
        raise InvalidInput("CSV_ENCODING", "save the file as UTF-8") from error
    except csv.Error as error:
        raise InvalidInput("CSV_SYNTAX", f"the file is no CSV: {error}") from error
    if sorted(header) != sorted(columns):
        raise InvalidInput("CSV_HEADER", f"the header names these columns: {', '.join(columns)}")
    if any(len(row) != len(header) for row in rows):
        raise InvalidInput("CSV_SYNTAX", "every row has as many cells as the header")
    return [dict(zip(header, (cell.strip() for cell in row), strict=True)) for row in rows]


def orders_of(rows: Iterable[Mapping[str, str]]) -> list[NewOrder]:
    """Rows of lines, grouped into orders. Raises InvalidInput, naming the order at fault."""
    grouped: dict[str, list[Mapping[str, str]]] = {}
    for count, row in enumerate(rows, start=1):
        if count > MAX_ROWS:
            raise InvalidInput("TOO_MANY_ROWS", f"over {MAX_ROWS} lines; split the import")
        grouped.setdefault(_number(row["order"]), []).append(row)
    return [_order(number, lines) for number, lines in grouped.items()]


def receipts_of(rows: Iterable[Mapping[str, str]]) -> list[Receipt]:
    """Receipts, one a row. Raises InvalidInput."""
    found = []
    for count, row in enumerate(rows, start=1):
        if count > MAX_ROWS:
            raise InvalidInput("TOO_MANY_ROWS", f"over {MAX_ROWS} receipts; split the import")
        try:
            received_on = date.fromisoformat(row["received_on"])
        except ValueError:
            raise InvalidInput("RECEIPT_DATE", "write received_on as YYYY-MM-DD") from None
        reference = row["reference"].strip()
        if not 1 <= len(reference) <= 100:
            raise InvalidInput(
                "RECEIPT_REFERENCE", "name the delivery note, in 1 to 100 characters"
            )
        found.append(
            Receipt(
                _number(row["order"]),
                _line_number(row["line"]),
                _quantity(row["quantity"]),
                reference,
                received_on,
            )
        )
    return found


def _order(number: str, rows: list[Mapping[str, str]]) -> NewOrder:
    first = rows[0]
    shared = ("payee_code", "currency", "receipt_required")
    if any(row[name] != first[name] for row in rows for name in shared):
        raise InvalidInput("ORDER_SPLIT", f"order {number} has one payee, currency and flag")
    code = first["currency"].upper()
    if not is_known(code):
        raise InvalidInput("UNKNOWN_CURRENCY", f"order {number}: no currency in use is {code[:10]}")
    digits = fraction_digits(code)
    currency = Asset(code, _STABLECOIN_DECIMALS if digits is None else digits)
    lines = tuple(_order_line(number, row, currency) for row in rows)
    if len({line.number for line in lines}) < len(lines):
        raise InvalidInput("ORDER_LINE", f"order {number} has two lines of one number")
    if len({line.name.casefold() for line in lines}) < len(lines):
        raise InvalidInput("ORDER_LINE", f"order {number} has two lines of one name")
    flag = first["receipt_required"].lower()
    if flag not in ("yes", "no"):
        raise InvalidInput("ORDER_RECEIPT", f"order {number}: receipt_required is yes or no")
    return NewOrder(number, first["payee_code"], currency, flag == "yes", lines)


def _order_line(number: str, row: Mapping[str, str], currency: Asset) -> OrderLine:
    name = " ".join(row["name"].split())
    if not 1 <= len(name) <= 200:
        raise InvalidInput("ORDER_LINE", f"order {number}: a line's name has 1 to 200 characters")
    net = to_minor(parse_decimal(row["net_amount"]), currency)
    if net <= 0:
        raise InvalidInput("ORDER_LINE", f"order {number}: a line's net amount is positive")
    return OrderLine(_line_number(row["line"]), name, _quantity(row["quantity"]), net)


def _number(text: str) -> str:
    number = " ".join(text.split())
    if not 1 <= len(number) <= 100:
        raise InvalidInput("ORDER_NUMBER", "an order's number has 1 to 100 characters")
    return number


def _line_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 9999):
        raise InvalidInput("ORDER_LINE", "a line is numbered from 1 to 9999")
    return int(text)


def _quantity(text: str) -> Decimal:
    quantity = parse_decimal(text)
    exponent = quantity.as_tuple().exponent
    if not 0 < quantity <= _MOST_QUANTITY or int(exponent) < -_QUANTITY_DIGITS:
        raise InvalidInput("QUANTITY", "a quantity is positive, with at most six decimals")
    return quantity
