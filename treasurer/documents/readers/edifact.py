"""Reads UN/EDIFACT INVOIC (D.96A to D.14B) into EN 16931 fields. Must never take one of two values.

Qualifiers follow the EN 16931 binding to INVOIC D.14B (CEN/TS 16931-3-4) and, for older releases, the
directory's own meaning: what a code does not mean is not read from it.
"""

from treasurer.documents.attachments import is_program
from treasurer.documents.coded_dates import coded_date
from treasurer.documents.document_types import kind_of_type
from treasurer.documents.draft import Draft, Refused
from treasurer.documents.edifact_message import Message, Part, messages
from treasurer.documents.edifact_money import put_lines, put_totals
from treasurer.documents.edifact_segments import decoded, looks_like_edifact, segments
from treasurer.documents.media import Document, Kind
from treasurer.documents.payee_accounts import put_accounts
from treasurer.documents.reading import Evidence, FieldValue
from treasurer.documents.unicode import deceptive

_SELLER = ("SE", "SU", "II")
_BUYER = ("BY", "IV")
_PAYEE = ("PE",)
_PAYEE_BANKS = ("RB", "BF", "RH")
_ORIGINAL = (None, "9")
_SPLIT_AT = 35
"""Older releases cut a party's name into components of 35 characters."""


class EdifactReader:
    """One message is one invoice; of several in an interchange the first is read."""

    format = "edifact"

    def claims(self, document: Document) -> bool:
        return document.kind is Kind.TEXT and looks_like_edifact(document.text or "")

    def read(self, document: Document) -> Draft:
        draft = Draft(self.format, structured=True)
        text = decoded(document.content)
        if text is None:
            text = document.text or ""
            draft.note("CHARACTER_SET", "the file is not in the character set that it declares")
        separators, found = segments(text)
        sent = messages(found, draft)
        invoices = [message for message in sent if message.type == "INVOIC"]
        if not invoices:
            raise Refused("EDIFACT_UNKNOWN", "the interchange holds no INVOIC message; send one")
        if len(sent) > 1:
            draft.review(
                "SEVERAL_INVOICES",
                f"the interchange holds {len(sent)} messages, of which one is shown; send each alone",
            )
        message = invoices[0]
        draft.put("syntax", f"UN/EDIFACT INVOIC {message.release}", message.head.evidence("syntax"))
        _header(draft, message)
        _parties(draft, message)
        put_totals(draft, message, separators)
        _payment(draft, message)
        _files(draft, message)
        put_lines(draft, message, separators, document.limits)
        for code, why in deceptive(
            text.replace("\x1c", "").replace("\x1d", "").replace("\x1f", "")
        ):
            draft.review(code, why)
        for name in ("due_date", "payable_amount", "iban"):
            draft.absent(name)
        return draft


def _header(draft: Draft, message: Message) -> None:
    begin = message.one(draft, "BGM", part=Part.HEADER)
    if begin is not None:
        if code := begin.get(0):
            draft.put("type_code", code, begin.evidence("type_code"))
        if number := begin.get(1):
            draft.put("invoice_number", number, begin.evidence("invoice_number"))
        draft.put("document_kind", kind_of_type(begin.get(0)), begin.evidence("document_kind"))
        if begin.get(2) not in _ORIGINAL:
            draft.review(
                "NOT_AN_ORIGINAL",
                "the message calls itself a copy, a change or a cancellation; ask which it is",
            )
    _date(draft, message, "issue_date", ("137", "3"))
    _date(draft, message, "due_date", ("13", "140", "265"))
    for name, qualifier in (("order_reference", "ON"), ("preceding_invoice", "OI")):
        for segment in message.all("RFF", qualifier, part=Part.HEADER, party=None):
            value = segment.get(0, 1)
            if value is not None and name not in draft.fields:
                draft.put(name, value, segment.evidence(name))
    if order := draft.text("order_reference"):
        draft.put("purchase_order", order, draft.evidence["order_reference"])
    for name, qualifier in (("currency", "2"), ("tax_currency", "6")):
        named = message.one(draft, "CUX", qualifier, part=Part.HEADER, name=name)
        if named is not None and (code := named.get(0, 1)):
            draft.put(name, code, named.evidence(name))


def _date(draft: Draft, message: Message, name: str, qualifiers: tuple[str, ...]) -> None:
    """The first qualifier that stands in the message decides. A due date may repeat by instalment."""
    for qualifier in qualifiers:
        found = message.all("DTM", qualifier, part=Part.HEADER)
        if not found:
            continue
        if len(found) > 1 and name == "issue_date":
            message.one(draft, "DTM", qualifier, part=Part.HEADER, name=name)
        segment = found[0]
        printed = segment.get(0, 1)
        if printed is None:
            return
        value = coded_date(printed, segment.get(0, 2))
        if value is None:
            draft.review(
                "INVALID_DATE", f"segment {segment.position} is no day of the calendar", name
            )
        else:
            draft.put(name, value, segment.evidence(name))
        return


def _parties(draft: Draft, message: Message) -> None:
    for name, qualifiers in (("seller", _SELLER), ("buyer", _BUYER), ("payee", _PAYEE)):
        for qualifier in qualifiers:
            segment = message.one(draft, "NAD", qualifier, part=Part.HEADER, name=name)
            if segment is None:
                continue
            first, second = segment.get(3, 0), segment.get(3, 1)
            if first is not None:
                older = not message.release.endswith("14B")
                if older and second is not None and len(first) == _SPLIT_AT:
                    first = f"{first}{second}"
                draft.put(name, first, segment.evidence(name))
            elif free := segment.get(2, 0):
                draft.put(name, free, segment.evidence(name))
            if name == "seller":
                _seller_details(draft, message, qualifier)
            break
    representative = message.all("NAD", "LC", part=Part.HEADER)
    if representative and (named := representative[0].get(3)):
        draft.put("tax_representative", named, representative[0].evidence("tax_representative"))


def _seller_details(draft: Draft, message: Message, party: str) -> None:
    for name, qualifier in (("seller_vat_id", "VA"), ("seller_legal_id", "GN")):
        found = message.all("RFF", qualifier, part=Part.HEADER, party=party)
        if found and (value := found[0].get(0, 1)):
            draft.put(name, value, found[0].evidence(name))


def _payment(draft: Draft, message: Message) -> None:
    accounts: list[tuple[str, Evidence]] = []
    for segment in message.all("FII", part=Part.HEADER):
        account = segment.get(1)
        if segment.qualifier in _PAYEE_BANKS and account is not None:
            accounts.append((account, segment.evidence("payee_accounts")))
    put_accounts(draft, accounts)
    means: list[FieldValue] = []
    for segment in message.all("PAI", part=Part.HEADER):
        means.append({"code": segment.get(0, 2)})
        draft.put("payment_means", means, segment.evidence("payment_means"))
    terms = message.all("FTX", "AAB", part=Part.HEADER)
    if terms:
        draft.put(
            "payment_terms",
            " ".join(" ".join(part.split()) for part in terms[0].elements[3] if part.strip())
            if len(terms[0].elements) > 3
            else None,
            terms[0].evidence("payment_terms"),
        )


def _files(draft: Draft, message: Message) -> None:
    """Objects behind the message are skipped; EFI names them. None is opened."""
    named = message.all("EFI", part=Part.HEADER)
    for segment in named:
        if is_program(segment.get(0) or ""):
            draft.reject(
                "EXECUTABLE_ATTACHMENT",
                f"segment {segment.position} names a program; ask for the invoice without it",
            )
    if named:
        draft.put("attachments", len(named), named[0].evidence("attachments"))
