"""Reads invoices in prose by their labels: `Total due: 840.00 USDC`. Sentences are text and no more.

Must never choose between two values that a payment hangs on, nor use what is not printed.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from treasurer.documents.accounts import find_ibans
from treasurer.documents.addresses import find_addresses, report_checksum, report_syntax
from treasurer.documents.dates import find_date
from treasurer.documents.draft import Draft
from treasurer.documents.labels import Labelled, match_label
from treasurer.documents.printed_money import put_money
from treasurer.documents.reading import Box, Evidence, FieldValue, PrintedLine
from treasurer.documents.unicode import deceptive, visible

_SEGMENTS = re.compile(r"\t+|[ \u00a0]{2,}|\s\|\s")
_NUMBER_TOKEN = re.compile(r"#?[A-Za-z0-9][A-Za-z0-9_./#-]{0,40}", re.ASCII)
_CHAIN = re.compile(r"chain(?:[\s-]*id)?\s*[:#]?\s*([0-9]{1,10})", re.IGNORECASE | re.ASCII)
_BARE_NUMBER = re.compile(r"\W*\d[\d.,'’\s-]*(?:[A-Z]{3}|[^\w\s])?\s*")
_PAID = re.compile(
    r"\b(?:paid in full|already (?:been )?paid|payment received|bereits (?:bezahlt|beglichen)"
    r"|dankend erhalten|reeds (?:betaald|voldaan)|déjà (?:payée?|réglée?)|acquittée?|zapłacono)\b",
    re.IGNORECASE,
)
_CREDIT = re.compile(
    r"\s*(?:credit (?:note|memo)|(?:rechnungs)?gutschrift|avoir|creditnota|note de crédit)\b",
    re.IGNORECASE,
)
MONEY = frozenset(
    {
        "payable_amount", "tax_inclusive_amount", "tax_exclusive_amount", "line_total", "tax_amount",
        "charge_total", "allowance_total", "prepaid_amount", "rounding_amount",
    }
)  # fmt: skip
_PARTIES = frozenset({"seller", "buyer"})
_DATES = frozenset({"issue_date", "due_date"})


@dataclass(frozen=True, slots=True)
class Line:
    """A printed line. `number` counts from 1 on its page, or in the file where there are no pages."""

    text: str
    number: int
    page: int | None = None
    locate: Callable[[], Box | None] = lambda: None

    @property
    def printed(self) -> PrintedLine:
        """The line as a person sees it."""
        return PrintedLine(visible(self.text).strip(), self.number, self.page)

    def evidence(self, name: str) -> Evidence:
        """This line as the evidence of a field. Its box is asked for only now, because it costs."""
        return self.printed.evidence(name, None if self.page is None else self.locate())


@dataclass(frozen=True, slots=True)
class Found:
    """A labelled value before one of several is settled on."""

    match: Labelled
    line: Line


def read_labelled(draft: Draft, lines: Sequence[Line]) -> None:
    """Fill `draft` from `lines` in reading order."""
    draft.printed = [shown for line in lines if (shown := line.printed).text]
    found = list(_labelled(lines))
    by_field: dict[str, list[Found]] = {}
    for item in found:
        by_field.setdefault(item.match.label.field, []).append(item)
    _put_texts(draft, by_field)
    _put_dates(draft, by_field)
    put_money(draft, {name: by_field.get(name, []) for name in (*sorted(MONEY), "currency")}, lines)
    _put_addresses(draft, lines)
    _put_accounts(draft, lines)
    _warnings(draft, lines)
    draft.put("document_kind", "invoice", lines[0].evidence("document_kind"))
    for line in lines[:5]:
        if _CREDIT.match(line.text):
            draft.put("document_kind", "credit_note", line.evidence("document_kind"))
    for name in ("due_date", "payable_amount", "iban"):
        draft.absent(name)


def _labelled(lines: Sequence[Line]) -> Iterable[Found]:
    """Labels at the start of a line or column, with the value beside them or on the next line."""
    for index, line in enumerate(lines):
        segments = [part for part in _SEGMENTS.split(line.text.strip()) if part.strip()]
        for position, segment in enumerate(segments):
            match = match_label(segment)
            if match is None:
                continue
            if visible(match.rest).strip():
                yield Found(match, line)
            elif position + 1 < len(segments):
                # The columns of a table row belong together.
                rest = "  ".join(segments[position + 1 :])
                yield Found(Labelled(match.label, match.qualifier, True, rest), line)
            elif index + 1 < len(lines) and lines[index + 1].page == line.page:
                following = lines[index + 1]
                stacked = match.label.field in MONEY and _stacked(lines, index)
                # A colon below a bare `Seller` is a table of details, not the seller's name.
                detail = match.label.field in _PARTIES and ":" in following.text
                if match_label(following.text) is None and not stacked and not detail:
                    rest = following.text.strip()
                    yield Found(Labelled(match.label, match.qualifier, True, rest), following)


def _stacked(lines: Sequence[Line], index: int) -> bool:
    """Whether the label at `index` is one of a column of labels, with a column of amounts below.

    Which amount belongs to which label then hangs on the layout, so none is taken.
    """
    above = match_label(lines[index - 1].text) if index > 0 else None
    below = lines[index + 2].text if index + 2 < len(lines) else ""
    return (above is not None and not above.rest.strip()) or bool(_BARE_NUMBER.fullmatch(below))


def strongest(found: Sequence[Found]) -> list[Found]:
    """Those under strong labels, or all when there is none."""
    return [item for item in found if item.match.label.strong] or list(found)


def settle(
    draft: Draft, name: str, candidates: Sequence[tuple[FieldValue, Line]], *, decisive: bool
) -> None:
    """Put the one value that all candidates agree on. Where they differ, the field stays empty."""
    if not candidates:
        return
    if len({str(value).casefold() for value, _line in candidates}) > 1:
        if decisive:
            draft.review(
                "CONFLICTING_VALUES", f"{name} is printed with several values; pick one", name
            )
        return
    value, line = candidates[0]
    draft.put(name, value, line.evidence(name))


def _put_texts(draft: Draft, by_field: dict[str, list[Found]]) -> None:
    for name in ("invoice_number", "purchase_order"):
        numbers: list[tuple[FieldValue, Line]] = []
        for item in strongest(by_field.get(name, [])):
            token = _document_number(item.match)
            if token is not None:
                numbers.append((token, item.line))
        settle(draft, name, numbers, decisive=name == "invoice_number")
    for name in sorted(_PARTIES):
        parties: list[tuple[FieldValue, Line]] = [
            (" ".join(visible(item.match.rest).split())[:200], item.line)
            for item in by_field.get(name, [])
            # A sentence may begin with "From"; a field has a colon, or its value on the next line.
            if item.match.marked
        ]
        settle(draft, name, [p for p in parties if p[0]], decisive=name == "seller")
    vat: list[tuple[FieldValue, Line]] = [
        ("".join(visible(item.match.rest).split())[:20], item.line)
        for item in by_field.get("seller_vat_id", [])
        if re.match(r"\s*[A-Z]{2}", item.match.rest)
    ]
    settle(draft, "seller_vat_id", vat, decisive=False)


def _document_number(match: Labelled) -> str | None:
    rest = visible(match.rest).strip()
    token = _NUMBER_TOKEN.match(rest)
    if token is None or not any(character.isdigit() for character in token.group()):
        return None
    # `Invoice 7 of 9 was late` is a sentence; `INVOICE HF-2201` is a title.
    if not match.label.strong and not match.marked and token.group() != rest:
        return None
    return token.group().rstrip(".-/")


def _put_dates(draft: Draft, by_field: dict[str, list[Found]]) -> None:
    for name in sorted(_DATES):
        dates: list[tuple[FieldValue, Line]] = []
        for item in strongest(by_field.get(name, [])):
            value, unsure = find_date(
                visible(item.match.rest)[:60], day_first=item.match.label.day_first
            )
            if value is not None:
                dates.append((value, item.line))
            elif unsure:
                draft.note(
                    "AMBIGUOUS_DATE", f"{name} may be read as two dates or none; left empty", name
                )
        settle(draft, name, dates, decisive=False)


def _put_addresses(draft: Draft, lines: Sequence[Line]) -> None:
    found: list[tuple[FieldValue, Line]] = []
    for line in lines:
        if "0x" not in line.text and "0X" not in line.text:
            continue
        good, bad = find_addresses(visible(line.text))
        found += [(address, line) for address in good]
        if bad:
            report_syntax(draft)
    for address, _line in found:
        report_checksum(draft, str(address))
    if len({str(address).lower() for address, _line in found}) > 1:
        draft.review(
            "MULTIPLE_ADDRESSES", "several payment addresses are printed; ask why", "pay_to_address"
        )
    elif found:
        address, line = found[0]
        draft.put("pay_to_address", address, line.evidence("pay_to_address"))
        if chain := _CHAIN.search(visible(line.text)):
            draft.put("chain_id", int(chain[1]), line.evidence("chain_id"))


def _put_accounts(draft: Draft, lines: Sequence[Line]) -> None:
    accounts: list[str] = []
    for line in lines:
        for iban in find_ibans(visible(line.text)):
            if not accounts:
                draft.put("iban", iban, line.evidence("iban"))
            if iban not in accounts:
                accounts.append(iban)
                draft.put("payee_accounts", list(accounts), line.evidence("payee_accounts"))
    if len(accounts) > 1:
        draft.note("MULTIPLE_IBANS", "several bank accounts are printed", "iban")


def _warnings(draft: Draft, lines: Sequence[Line]) -> None:
    for code, message in deceptive("\n".join(line.text for line in lines)):
        draft.review(code, message)
    if any(_PAID.search(line.text) for line in lines):
        draft.review(
            "ALREADY_PAID", "the document says that it was paid; check before paying again"
        )
