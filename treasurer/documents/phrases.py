"""Owns phrases that say what a document is: its title, a credit note, a receipt of a payment.

Must never know a single supplier.
"""

import re
from collections.abc import Iterator, Sequence

from treasurer.documents.amounts import find_amounts
from treasurer.documents.layout import Line
from treasurer.documents.unicode import visible

TITLE = re.compile(
    r"(?P<title>.{0,60}?)(?<![^\W_])(?:nr|no|n|nº|n°|num|number|č|#)\s?[.:°º#]*\s*"
    r"(?P<number>[^\W_][\w./-]{1,40})\s+(?:vom|von|v\.|du|of|dated|del|de|van|z dnia|från|den|fra|af"
    r"|ze dne|dne)"
    r"(?!\w)\s*(?P<date>.{0,30})",
    re.IGNORECASE,
)
_TITLE_WORD = re.compile(
    r"(?:rechnung|invoice|facture|factuur|faktura|fattura|factura|fatura|gutschrift|avoir|bill)\b",
    re.IGNORECASE,
)
_PAID = re.compile(
    r"\b(?:paid in full|already (?:been )?paid|payment received|bereits (?:bezahlt|beglichen|abgebucht)"
    r"|dankend erhalten|betrag (?:dankend )?erhalten|reeds (?:betaald|voldaan)"
    r"|vooruitbetaald|vooruit betaald"
    r"|déjà (?:payée?|réglée?)|acquittée?|facture payée|zapłacon[oey]|opłacono|ya pagad[oa]|pagad[oa] el"
    r"|già pagat[oa]|pagato il|betalt (?:den|med)|allerede betalt|redan betald"
    r"|já pag[oa]|uhrazeno|zaplaceno"
    r"|paid (?:by|with|via|on)|bezahlt (?:am|mit|per|via)|betaald (?:op|met|via)|payé(?:e)? (?:par|le)"
    r"|status:? paid|balance(?: due)?:? (?:[a-z]{3} ?|[€$£] ?)?0[.,]00)(?!\w)",
    re.IGNORECASE,
)
_SETTLED_BY = re.compile(
    r"^\W*(?:ideal|rembours|credit ?card|kreditkarte|paypal|visa|mastercard|bancontact|klarna|sofort"
    r"|apple pay|google pay)\W{0,4}\s(?:op|am|on|le|el|il|den|dne|em)\s+\d",
    re.IGNORECASE,
)
"""A receipt of a payment among the totals: how, and on which day."""
_EARLIER_BALANCE = re.compile(
    r"^\W*(?:(?:previous|prior|opening|unpaid|overdue|past due|outstanding previous) (?:balance|amount)"
    r"|balance (?:brought )?forward|balance from (?:last|previous|prior)|past due|arrears|saldovortrag"
    r"|altsaldo|(?:alter|vorheriger|bisheriger) saldo|rückstand|solde (?:antérieur|précédent)|ancien solde"
    r"|arriéré"
    r"|saldo (?:anterior|precedente|z poprzedni\w*)|vorig saldo|zaległoś\w*)(?!\w)",
    re.IGNORECASE,
)
_PAYMENT = re.compile(
    r"payment|paid|zahlung|paiement|règlement|pago|pagament|betal|wpłat", re.IGNORECASE
)
CREDIT = re.compile(
    r"\s*(?:(?:(?:tax|sales|vat|commercial|supplier|adjustment) )?credit[ -]?(?:note|memo|invoice)"
    r"|(?:rechnungs)?gutschrift|avoir|creditnota|creditfactuur|(?:note|facture) (?:de crédit|d['’]avoir)"
    r"|factura rectificativa|(?:nota|factura) (?:di|de) (?:cr[eé]dito|accredito|abono)|nota d['’]accredito"
    r"|kreditnot[ae]|kreditfaktura|faktura korygująca|dobropis|opravný daňový doklad|hyvityslasku)\b",
    re.IGNORECASE,
)


def titles(lines: Sequence[Line]) -> Iterator[tuple[re.Match[str], int]]:
    """Titles with a number and a date, as `Handelsrechnung Nr. TX-471102 vom 30.10.2018`."""
    for index, line in enumerate(lines):
        match = TITLE.match(visible(line.text).strip())
        if match is None or not any(character.isdigit() for character in match["number"]):
            continue
        above = visible(lines[index - 1].text) if index > 0 else ""
        if _TITLE_WORD.search(match["title"] or above):
            yield match, index


def says_paid(lines: Sequence[Line]) -> bool:
    """Whether a line says that the invoice was paid, or is the receipt of a payment."""
    text = "\n".join(visible(line.text) for line in lines)
    return _PAID.search(text) is not None or any(
        _SETTLED_BY.match(visible(cell.text)) for line in lines for cell in line.cells
    )


def carries_earlier_balance(lines: Sequence[Line]) -> bool:
    """Whether what earlier invoices left open is asked for again, and no payment of it is printed."""
    earlier: set[str] = set()
    settled: set[str] = set()
    for line in lines:
        text = visible(line.text)
        kind = earlier if _EARLIER_BALANCE.match(text) else settled
        if kind is earlier or _PAYMENT.search(text):
            kind.update((found.value or "").lstrip("-") for found in find_amounts(text))
    return any(value.strip("0.") for value in earlier - settled)
