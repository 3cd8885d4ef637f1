"""Reads Italian FatturaPA, ordinary (FPA12, FPR12) and simplified (FSM10). Must never add up to an
amount that the document does not ask for.

Paths follow the technical rules of the Agenzia delle Entrate, version 1.2; the names of fields are
those of EN 16931 where it has one.
"""

from lxml import etree

from treasurer.documents.attachments import is_program
from treasurer.documents.dates import xml_date
from treasurer.documents.draft import Draft
from treasurer.documents.fatturapa_groups import (
    lines,
    payments,
    simplified_goods,
    vat_breakdown,
)
from treasurer.documents.media import Document, Kind
from treasurer.documents.xml import Node, report_texts
from treasurer.documents.xml_amounts import put_amount

_ROOTS = frozenset({"FatturaElettronica", "FatturaElettronicaSemplificata"})
_NAMESPACES = (
    "http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/",
    "http://www.fatturapa.gov.it/sdi/fatturapa/",
)
_CREDIT_NOTES = frozenset({"TD04", "TD08"})
_HEADER = "f:FatturaElettronicaHeader"
_BODY = "f:FatturaElettronicaBody"


class FatturaPaReader:
    """A file may hold several invoices of one seller; the first is read and a person told of the rest."""

    format = "fatturapa"

    def claims(self, document: Document) -> bool:
        if document.kind is not Kind.XML:
            return False
        name = etree.QName(document.xml_root)
        return name.localname in _ROOTS and (name.namespace or "").startswith(_NAMESPACES)

    def read(self, document: Document) -> Draft:
        root = document.xml_root
        name = etree.QName(root)
        draft = Draft(self.format, structured=True)
        # The schema leaves the elements below the root without a namespace; some writers do not.
        inner = etree.QName(root[0]).namespace if len(root) else None
        top = Node(root, f"/{name.localname}", {"f": inner or ""}, draft)
        _header(top)
        bodies = top.children(_BODY)
        draft.put_xpath("bodies", len(bodies), f"{top.path}/{_BODY}")
        if len(bodies) > 1:
            draft.review(
                "SEVERAL_INVOICES",
                f"the file holds {len(bodies)} invoices, of which the first is shown; send each alone",
            )
        if bodies:
            _body(bodies[0], document, simplified=name.localname.endswith("Semplificata"))
        report_texts(root, draft)
        for absent in ("due_date", "payable_amount", "iban"):
            draft.absent(absent)
        return draft


def _header(top: Node) -> None:
    draft = top.draft
    version = top.element.get("versione") or top.text(
        _HEADER, "f:DatiTrasmissione", "f:FormatoTrasmissione"
    )
    draft.put_xpath("syntax", f"FatturaPA {version or ''}".strip(), f"{top.path}/@versione")
    header = top.child(_HEADER)
    if header is None:
        return
    for party, field in (("f:CedentePrestatore", "seller"), ("f:CessionarioCommittente", "buyer")):
        node = header.child(party)
        if node is not None:
            _party(node, field)


def _party(party: Node, field: str) -> None:
    """The ordinary form wraps a party's particulars, the simplified one does not."""
    draft = party.draft
    data = party.child("f:DatiAnagrafici") or party.child("f:IdentificativiFiscali") or party
    named = data.child("f:Anagrafica") or party.child("f:AltriDatiIdentificativi") or data
    company = named.child("f:Denominazione")
    if company is not None and company.value() is not None:
        company.put(field)
    else:
        first, last = named.text("f:Nome"), named.text("f:Cognome")
        if last is not None:
            draft.put_xpath(field, " ".join(filter(None, (first, last))), named.path)
    country, code = (
        data.text("f:IdFiscaleIVA", "f:IdPaese"),
        data.text("f:IdFiscaleIVA", "f:IdCodice"),
    )
    if field == "seller":
        if country is not None and code is not None:
            draft.put_xpath("seller_vat_id", country + code, f"{data.path}/f:IdFiscaleIVA")
        data.put("seller_legal_id", "f:CodiceFiscale")


def _body(body: Node, document: Document, *, simplified: bool) -> None:
    draft = body.draft
    general = body.child("f:DatiGenerali", "f:DatiGeneraliDocumento")
    if general is not None:
        general.put("type_code", "f:TipoDocumento")
        general.put("currency", "f:Divisa")
        general.put("invoice_number", "f:Numero")
        _issue_date(general)
        total = general.child("f:ImportoTotaleDocumento")
        if total is not None:
            put_amount(total, "document_total")
        rounding = general.child("f:Arrotondamento")
        if rounding is not None:
            put_amount(rounding, "document_rounding")
    code = draft.text("type_code")
    place = draft.evidence["type_code"].location if "type_code" in draft.evidence else body.path
    kind = "credit_note" if code in _CREDIT_NOTES else "invoice"
    draft.put_xpath("document_kind", kind, place)
    body.put_first("order_reference", "f:DatiGenerali", "f:DatiOrdineAcquisto", "f:IdDocumento")
    if order := draft.text("order_reference"):
        draft.put_xpath("purchase_order", order, draft.evidence["order_reference"].location)
    body.put_first("preceding_invoice", "f:DatiGenerali", "f:DatiFattureCollegate", "f:IdDocumento")
    _files(body)
    if simplified:
        simplified_goods(body)
    else:
        vat_breakdown(body)
        lines(body, document.limits)
        payments(body, general)


def _issue_date(general: Node) -> None:
    node = general.child("f:Data")
    printed = None if node is None else node.value()
    if node is None or printed is None:
        return
    value = xml_date(printed)
    if value is None:
        general.draft.review(
            "INVALID_DATE", f"{node.path} is no date of the calendar (YYYY-MM-DD)", "issue_date"
        )
    else:
        general.draft.put_xpath("issue_date", value, node.path, printed)


def _files(body: Node) -> None:
    """`Allegati` names each file in an element of its own."""
    draft = body.draft
    named = body.children("f:Allegati")
    draft.put_xpath("attachments", len(named), f"{body.path}/f:Allegati")
    for file in named:
        if is_program(file.text("f:NomeAttachment") or ""):
            draft.reject(
                "EXECUTABLE_ATTACHMENT", f"{file.path} is a program; ask for the invoice without it"
            )
