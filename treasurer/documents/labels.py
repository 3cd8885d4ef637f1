"""Owns the words by which invoices in prose name their fields. Must never know a single supplier.

A strong label names its field for certain; a weak one (`Total`, `Date`, `Invoice`) counts only where
no strong one stands.
"""

import re
from dataclasses import dataclass

from treasurer.documents.unicode import visible


@dataclass(frozen=True, slots=True)
class Label:
    """`day_first` holds where the language writes 03/11 for the third of November."""

    field: str
    strong: bool
    day_first: bool


_ENGLISH = {
    "invoice_number": "invoice number|invoice no|invoice nr|invoice id|invoice num|invoice #"
    "|inv no|bill number|bill no|tax invoice no|tax invoice number|~invoice|~tax invoice|~bill",
    "issue_date": "invoice date|date of invoice|date of issue|issue date|issued on|issued|billing date"
    "|tax invoice date|bill date|~date",
    "due_date": "due date|payment due date|payment due|due by|due on|due|pay by|payable by|date due",
    "seller": "from|seller|supplier|vendor|sold by|issued by",
    "buyer": "bill to|billed to|buyer|customer|client|sold to|invoice to|invoiced to",
    "payable_amount": "total due|amount due|balance due|total amount due|amount payable|total payable"
    "|payable amount|total to pay|amount to pay|net payable|outstanding balance|total balance due",
    "tax_inclusive_amount": "grand total|total|invoice total|total amount|invoice amount|total price"
    "|total incl vat|total including vat|total including tax|total incl tax|total inc vat"
    "|total inc gst|gross total|gross amount",
    "tax_exclusive_amount": "net total|total net|net amount|total excl vat|total excluding vat"
    "|total excluding tax|total ex vat|total before tax|taxable amount",
    "line_total": "subtotal|sub-total|sub total",
    "tax_amount": "total vat|vat amount|total tax|tax amount|sales tax|~vat|~tax|~gst",
    "charge_total": "freight|shipping|shipping and handling|delivery charge|handling",
    "allowance_total": "discount|total discount",
    "prepaid_amount": "prepaid|paid|already paid|amount paid|deposit|deposit paid|payments received",
    "rounding_amount": "rounding|rounding adjustment",
    "currency": "currency",
    "purchase_order": "po|po number|po no|po #|purchase order|purchase order number|purchase order no"
    "|your order|order reference",
    "seller_vat_id": "vat id|vat no|vat number|vat reg no|vat registration number|tax id|seller vat id",
    "pay_to_address": "pay to|payment address|wallet|wallet address|remit to|pay to address",
}
_GERMAN = {
    "invoice_number": "rechnungsnummer|rechnungs-nr|rechnungsnr|rechnung nr|rechnung nummer"
    "|rechnung no|re-nr|~rechnung",
    "issue_date": "rechnungsdatum|ausstellungsdatum|datum der rechnung|~datum",
    "due_date": "fällig am|fälligkeitsdatum|fälligkeit|zahlbar bis|zahlungsziel|fällig",
    "seller": "rechnungssteller|verkäufer|lieferant",
    "buyer": "rechnungsempfänger|rechnung an|kunde|käufer",
    "payable_amount": "zahlbetrag|zu zahlen|zu zahlender betrag|fälliger betrag|offener betrag"
    "|noch zu zahlen|zahlungsbetrag",
    "tax_inclusive_amount": "gesamtbetrag|rechnungsbetrag|gesamtsumme|bruttobetrag|bruttosumme"
    "|endbetrag|gesamt brutto|summe brutto|gesamtbetrag brutto",
    "tax_exclusive_amount": "nettobetrag|nettosumme|summe netto|gesamt netto|gesamtbetrag netto",
    "line_total": "zwischensumme|warenwert",
    "tax_amount": "umsatzsteuer|mehrwertsteuer|zzgl mwst|zzgl ust|~mwst|~ust",
    "charge_total": "versand|versandkosten|fracht|porto",
    "allowance_total": "rabatt|nachlass",
    "prepaid_amount": "anzahlung|bereits gezahlt|bereits bezahlt|vorauszahlung",
    "rounding_amount": "rundung|rundungsbetrag",
    "currency": "währung",
    "purchase_order": "bestellnummer|bestell-nr|ihre bestellung",
    "seller_vat_id": "ust-idnr|ust-id|ust-id-nr|umsatzsteuer-id|umsatzsteuer-identifikationsnummer",
    "pay_to_address": "zahlung an|zahladresse",
}
_FRENCH = {
    "invoice_number": "numéro de facture|facture n°|facture nº|facture no|n° de facture|n° facture"
    "|facture numéro|~facture",
    "issue_date": "date de facture|date de la facture|date d'émission|date facture",
    "due_date": "date d'échéance|échéance|à payer avant le|date limite de paiement",
    "seller": "vendeur|fournisseur|émetteur",
    "buyer": "acheteur|facturé à|destinataire",
    "payable_amount": "net à payer|montant à payer|total à payer|montant dû|solde dû|reste à payer",
    "tax_inclusive_amount": "total ttc|montant ttc|montant total ttc|total général",
    "tax_exclusive_amount": "total ht|montant ht|montant total ht|total hors taxe",
    "line_total": "sous-total|sous-total ht",
    "tax_amount": "total tva|montant tva|~tva",
    "charge_total": "frais de port|port|livraison",
    "allowance_total": "remise|rabais",
    "prepaid_amount": "acompte|déjà payé|déjà réglé",
    "rounding_amount": "arrondi",
    "currency": "devise|monnaie",
    "purchase_order": "bon de commande|numéro de commande|n° de commande|votre commande",
    "seller_vat_id": "n° tva|numéro de tva|tva intracommunautaire|n° tva intracommunautaire",
    "pay_to_address": "payer à|adresse de paiement",
}


def _vocabulary() -> dict[str, Label]:
    words: dict[str, Label] = {}
    for language, day_first in ((_ENGLISH, False), (_GERMAN, True), (_FRENCH, True)):
        for field, phrases in language.items():
            for phrase in phrases.split("|"):
                label = Label(field, not phrase.startswith("~"), day_first)
                words[phrase.removeprefix("~")] = label
    return words


SEGMENT_CHARACTERS = 400
"""No label and value together are longer; a longer line is prose, and is cut before matching."""

LABELS = _vocabulary()
_PHRASES = "|".join(
    re.escape(phrase).replace(r"\ ", r"\s+") for phrase in sorted(LABELS, key=len, reverse=True)
)
# A full stop may follow an abbreviation inside a phrase: `Total incl. VAT`.
_LABEL = re.compile(
    rf"(?P<label>{_PHRASES})(?![^\W_]|[-'](?=[^\W_]))"
    r"(?P<qualifier>(?:\s*\([^()]{0,60}\)|\s*[0-9]{1,2}(?:[.,][0-9]{1,3})?\s?%)*)"
    r"\s*(?P<mark>[:=#]|\.{2,}|\.(?=\s|:|$))*\s*",
    re.IGNORECASE,
)
_ABBREVIATION = re.compile(r"(?<=\b(?:incl|excl|zzgl|inkl))\.(?=\s)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Labelled:
    """A label at the beginning of a segment, what stands in brackets behind it, and the rest.

    `marked` tells that a colon or the like parts label and rest.
    """

    label: Label
    qualifier: str
    marked: bool
    rest: str


def match_label(segment: str) -> Labelled | None:
    """The longest label that `segment` begins with. Invisible characters cannot hide a label."""
    text = _ABBREVIATION.sub("", segment.strip()[:SEGMENT_CHARACTERS])
    shown = visible(text)
    match = _LABEL.match(shown)
    if match is None:
        return None
    label = LABELS[" ".join(match["label"].lower().split())]
    rest = shown[match.end() :]
    if shown != text:
        # Keep the deceptive characters of the value, so that whoever reads it sees them.
        rest = text[len(text) - _tail_length(text, rest) :]
    return Labelled(label, match["qualifier"].strip(), match["mark"] is not None, rest)


def _tail_length(text: str, shown_rest: str) -> int:
    """How many characters at the end of `text` show as `shown_rest`, invisible ones before included."""
    for start in range(len(text)):
        if visible(text[start:]) == shown_rest:
            return len(text) - start
    return 0
