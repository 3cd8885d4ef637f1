"""Owns the shape of the payee CSV and what becomes of each row. Pure; must never change a payee.

Columns: code, name, vat_id, iban, email, chain_id, address; code and name must be there. A column of
another name is refused, so that nothing (an approval, a verified mark) is smuggled in or lost.
"""

import csv
import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from treasurer.kernel.errors import InvalidInput
from treasurer.payees.model import (
    AddressState,
    Payee,
    PayeeDetails,
    chain_address,
    payee_details,
    require_chain_id,
)

COLUMNS = ("code", "name", "vat_id", "iban", "email", "chain_id", "address")
REQUIRED = ("code", "name")
MAX_BYTES = 2 * 1024 * 1024
MAX_ROWS = 5_000


class RowOutcome(StrEnum):
    CREATED = "created"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class RowReport:
    """What became of one row. `line` counts from 1 with the header; `error_code` when refused."""

    line: int
    code: str
    outcome: RowOutcome
    error_code: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One row as written, by column."""

    line: int
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NewPayee:
    """A row that may be created. `address` is (chain id, lower-case address) or None."""

    line: int
    details: PayeeDetails
    address: tuple[int, str] | None


def parse_csv(content: bytes) -> list[CsvRow]:
    """The rows of a UTF-8 CSV with a header line. Raises InvalidInput for the file as a whole."""
    if len(content) > MAX_BYTES:
        raise InvalidInput("CSV_TOO_LARGE", f"the file is over {MAX_BYTES} bytes; split it")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput("CSV_ENCODING", "save the file as UTF-8") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        _require_header(header)
        rows = []
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                raise InvalidInput(
                    "CSV_SYNTAX",
                    f"line {reader.line_num} has {len(cells)} cells, the header {len(header)}",
                )
            rows.append(CsvRow(reader.line_num, dict(zip(header, cells, strict=True))))
            if len(rows) > MAX_ROWS:
                raise InvalidInput("CSV_TOO_LARGE", f"over {MAX_ROWS} rows; split the file")
    except csv.Error as error:
        raise InvalidInput("CSV_SYNTAX", f"line {reader.line_num}: {error}") from error
    return rows


def judge_row(
    row: CsvRow,
    *,
    known: Mapping[str, Payee],
    taken_addresses: Collection[tuple[int, str]],
) -> NewPayee | RowReport:
    """A payee to create, or the report of why nothing is done.

    `known` are the payees there already and earlier in the file; an import never changes one, so
    that the control over addresses cannot be walked around with a spreadsheet.
    """
    code = row.values["code"].strip()
    try:
        details = payee_details(
            code=code,
            name=row.values["name"],
            vat_id=row.values.get("vat_id"),
            iban=row.values.get("iban"),
            email=row.values.get("email"),
        )
        address = _address(row)
    except InvalidInput as error:
        return RowReport(row.line, code[:64], RowOutcome.REFUSED, error.code, error.message)
    existing = known.get(details.code)
    if existing is not None:
        if _same(existing, details, address):
            return RowReport(row.line, details.code, RowOutcome.UNCHANGED)
        return RowReport(
            row.line,
            details.code,
            RowOutcome.REFUSED,
            "PAYEE_EXISTS",
            "a payee of that code exists with other particulars; an import never changes one",
        )
    if address in taken_addresses:
        return RowReport(
            row.line,
            details.code,
            RowOutcome.REFUSED,
            "ADDRESS_TAKEN",
            "the address belongs to another payee; two payees never share one",
        )
    return NewPayee(row.line, details, address)


def _require_header(header: list[str]) -> None:
    unknown = [name for name in header if name not in COLUMNS]
    if unknown:
        raise InvalidInput(
            "CSV_UNKNOWN_COLUMN",
            f"the column {unknown[0][:40]!r} is not known; use {', '.join(COLUMNS)}",
            column=unknown[0][:40],
        )
    if len(set(header)) != len(header):
        raise InvalidInput("CSV_DUPLICATE_COLUMN", "a column stands twice in the header")
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise InvalidInput("CSV_MISSING_COLUMN", f"the header lacks {', '.join(missing)}")


def _address(row: CsvRow) -> tuple[int, str] | None:
    chain_id = row.values.get("chain_id", "").strip()
    address = row.values.get("address", "").strip()
    if not chain_id and not address:
        return None
    if not (chain_id.isascii() and chain_id.isdigit() and len(chain_id) <= 16):
        raise InvalidInput("CHAIN_ID", "an address needs the chain id, plain digits such as 1946")
    return require_chain_id(int(chain_id)), chain_address(address)


def _same(existing: Payee, details: PayeeDetails, address: tuple[int, str] | None) -> bool:
    there = {
        (item.chain_id, item.address)
        for item in existing.addresses
        if item.state is not AddressState.REVOKED
    }
    return (address is None or address in there) and PayeeDetails(
        existing.code, existing.name, existing.vat_id, existing.iban, existing.email
    ) == details
