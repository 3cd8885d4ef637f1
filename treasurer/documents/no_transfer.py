"""Finds by its words that a document in prose asks for no transfer to its seller, as e-invoices say it by
a code: a title that is none of an invoice, money that the seller takes itself, a claim that was sold.

Must never reject by them: the reading may be sound, and a person decides.
"""

import re
from collections.abc import Iterator, Sequence

from treasurer.documents.labels import match_label
from treasurer.documents.layout import Line
from treasurer.documents.unicode import visible

_TITLE_LINES = 15
_TITLE_CHARACTERS = 80
_INVOICE = (
    r"(?:invoice|rechnung|facture|factuur|faktura|fattura|factura|fatura|faktúra|számla|lasku)"
)
_NUMBERED = r"(?:\s*(?:no|nr|num|number|n°|nº|č|#)?[.:]?\s*[\w./-]*\d[\w./-]*)?\W*"
_PRO_FORMA = re.compile(
    rf"\W*(?:pro[ -]?forma(?:[ -]?{_INVOICE})?|{_INVOICE} pro[ -]?forma){_NUMBERED}", re.IGNORECASE
)
_CORRECTED = re.compile(
    r"\W*(?:(?:corrected|revised|amended|replacement|cancellation|reversal) invoice|korrekturrechnung"
    r"|rechnungskorrektur|(?:berichtigte|korrigierte) rechnung|storno(?:rechnung)?|rechnungsstorno"
    r"|facture (?:rectificative|corrigée|d['’]annulation)|fattura (?:rettificativa|di storno)"
    r"|correctiefactuur|gecorrigeerde factuur|korrigerad faktura|korrigeret faktura)"
    rf"{_NUMBERED}",
    re.IGNORECASE,
)
_OTHER_TITLE = re.compile(
    r"\W*(?:quotation|quote|(?:cost )?estimate|order confirmation|purchase order|delivery note"
    r"|packing (?:list|slip)|(?:account )?statement(?: of account)?|angebot|kostenvoranschlag"
    r"|auftragsbestätigung|lieferschein|kontoauszug|devis|confirmation de commande|bon de livraison"
    r"|relevé de compte|presupuesto|albarán|estado de cuenta|preventivo|estratto conto|offerte"
    rf"|orderbevestiging|pakbon|oferta|orçamento|nabídka|tilbud|offert|orderbekräftelse){_NUMBERED}",
    re.IGNORECASE,
)
_INVOICE_WORD = re.compile(rf"\W*(?:\w+ )?\w*{_INVOICE}", re.IGNORECASE)
_NO_INVOICE = re.compile(
    r"\b(?:this is not an? (?:tax )?(?:invoice|bill)\b|not an invoice\b"
    r"|(?:ist|(?<=[-–:] )) ?keine rechnung\b|keine rechnung im sinne|n['’]est pas une facture"
    r"|no es una factura|non è una fattura|is geen factuur\b)",
    re.IGNORECASE,
)
_DRAFT = re.compile(
    r"\W*(?:draft(?: invoice)?|entwurf|rechnungsentwurf|brouillon|borrador|bozza|specimen)\W*",
    re.IGNORECASE,
)
_PAID = re.compile(
    r"\W*(?:PAID|BEZAHLT|PAYÉE?|ACQUITTÉE?|PAGAD[OA]|PAGAT[OA]|PAG[OA]|BETAALD|BETALT|BETALD|ZAPŁACONO"
    r"|ZAPLACENO)\W*"
)
_COLLECTED = re.compile(
    r"\b(?:(?:will be|is being|are being) (?:automatically )?(?:debited|collected|charged|withdrawn|taken)"
    r"\b.{0,60}?\b(?:direct[ -]debit|your (?:bank )?account|your (?:\w+ )?card|card (?:ending|on file))"
    r"|card (?:ending|on file)\b.{0,40}?\bwill be (?:automatically )?charged"
    r"|(?:collected|taken|paid) by (?:sepa )?direct[ -]debit"
    r"|payment (?:method|terms)\W{1,3}(?:sepa[ -])?direct[ -]debit"
    r"|no (?:further )?payment (?:is )?(?:required|necessary|needed)"
    r"|(?:wird|werden|wurde)\b.{0,80}?\b(?:abgebucht|eingezogen)"
    r"|(?:buchen|ziehen) wir\b.{0,60}?\bkonto\b.{0,60}?\b(?:ab|ein)\b"
    r"|zahlungsart\W{1,3}(?:sepa[ -]?)?lastschrift|bitte nicht überweisen"
    r"|keine (?:zahlung|überweisung) (?:erforderlich|notwendig|nötig)"
    r"|ser(?:a|ont) (?:automatiquement )?(?:prélevée?s?|débitée?s?)"
    r"|mode de (?:règlement|paiement)\W{1,3}prélèvement"
    r"|aucun (?:paiement|règlement) (?:n['’]est )?(?:requis|nécessaire)"
    r"|word(?:t|en)\b.{0,80}?\b(?:geïncasseerd|afgeschreven)"
    r"|betaal(?:wijze|methode)\W{1,3}(?:automatische )?incasso"
    r"|se (?:cargará|adeudará)|será (?:cargad|domiciliad)[oa]|forma de pago\W{1,3}(?:recibo )?domicili\w+"
    r"|(?:sarà|verrà) addebitat[oa]|(?:modalità|metodo) di pagamento\W{1,3}(?:sdd|rid|addebito)"
    r"|zostanie pobran[aey])\b",
    re.IGNORECASE,
)
_ASSIGNED = re.compile(
    r"\b(?:(?:invoice|debt|claim|receivables?|proceeds)\b.{0,60}?\b(?:assigned|sold) to\b"
    # Not the usual clause by which a buyer's own claims are assigned to the seller.
    r"|(?:forderung|rechnung)\w*\b(?:(?!\ban uns\b).){0,80}?\babgetreten"
    r"|(?:créance|facture)s?\b.{0,60}?\b(?:cédée?s?|subrogée?s?)"
    r"|(?:vordering|factuur)\w*\b.{0,60}?\b(?:gecedeerd|verpand|overgedragen)"
    r"|(?:crédito|factura)\b.{0,60}?\bcedid[oa]|(?:credito|fattura)\b.{0,60}?\bcedut[oa])\b",
    re.IGNORECASE,
)


_CONDITION = re.compile(
    r"\b(?:if|where|should|unless|falls|sofern|wenn|soweit|vorlieg\w*|erteil\w*|si|indien|qualora|jeśli)\b",
    re.IGNORECASE,
)
_SENTENCE_CHARACTERS = 120


def no_transfer(lines: Sequence[Line]) -> Iterator[tuple[str, str]]:
    """Code and message of each such sign; all of them hold the invoice for a person."""
    titles = [
        visible(cell.text)
        for line in lines[:_TITLE_LINES]
        for cell in line.cells
        if len(cell.text) <= _TITLE_CHARACTERS
    ]
    text = " ".join(visible(line.text) for line in lines)
    if any(map(_PRO_FORMA.fullmatch, titles)):
        yield "PRO_FORMA", "this is a pro forma invoice; wait for the real one"
    if any(map(_CORRECTED.fullmatch, titles)):
        yield "CORRECTED_INVOICE", "this corrects an earlier invoice; see that not both are paid"
    named = any(
        _INVOICE_WORD.match(visible(cell.text[:_TITLE_CHARACTERS]))
        for line in lines
        for cell in line.cells
    )
    other = not named and any(map(_OTHER_TITLE.fullmatch, titles))
    draft = any(_DRAFT.fullmatch(visible(line.text)) for line in lines)
    if other or draft or _NO_INVOICE.search(text):
        yield "NOT_AN_INVOICE", "the document calls itself something else than an invoice"
    if _is_stamped_paid(lines):
        yield "ALREADY_PAID", "the document says that it was paid; check before paying again"
    if any(not _is_conditional(text, match) for match in _COLLECTED.finditer(text)):
        yield (
            "COLLECTED_BY_SELLER",
            "the seller collects the money; a payment would be the second one",
        )
    if _ASSIGNED.search(text):
        yield "CLAIM_ASSIGNED", "the seller has assigned its claim; ask to whom payment is due"


def _is_conditional(text: str, match: re.Match[str]) -> bool:
    """Whether the sentence speaks of those who gave a mandate, and not of this invoice."""
    before = text[max(match.start() - _SENTENCE_CHARACTERS, 0) : match.start()].rpartition(". ")[2]
    return _CONDITION.search(before + match.group()) is not None


def _is_stamped_paid(lines: Sequence[Line]) -> bool:
    """A line that holds this word alone and stands in no column of labels."""
    for index, line in enumerate(lines):
        if len(line.cells) == 1 and _PAID.fullmatch(visible(line.text)):
            above = lines[max(index - 1, 0) : index] if not line.parted else ()
            below = [near for near in lines[index + 1 : index + 2] if not near.parted]
            near = [cell for neighbour in (*above, *below) for cell in neighbour.cells]
            if not any(match_label(cell.text) for cell in near):
                return True
    return False
