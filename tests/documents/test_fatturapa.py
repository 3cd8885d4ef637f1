import base64

import pytest

from tests.support.documents import SAMPLES, codes, parse
from treasurer.documents.reading import Outcome

FATTURA = (SAMPLES / "corvale-cs-1008.fatturapa.xml").read_text(encoding="utf-8")
PAYMENT = (
    "<DettaglioPagamento><ModalitaPagamento>MP05</ModalitaPagamento>"
    "<ImportoPagamento>{}</ImportoPagamento></DettaglioPagamento>"
)
BODY = FATTURA[FATTURA.index("<FatturaElettronicaBody>") : FATTURA.index("</p:FatturaEl")]
SIMPLIFIED = """<p:FatturaElettronicaSemplificata versione="FSM10"
  xmlns:p="http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.0">
 <FatturaElettronicaHeader><CedentePrestatore>
  <IdFiscaleIVA><IdPaese>IT</IdPaese><IdCodice>01234567897</IdCodice></IdFiscaleIVA>
  <Denominazione>Corvale Strumenti S.r.l.</Denominazione></CedentePrestatore>
  <CessionarioCommittente><IdentificativiFiscali><CodiceFiscale>X</CodiceFiscale>
  </IdentificativiFiscali><AltriDatiIdentificativi><Denominazione>Norwick Instruments Ltd
  </Denominazione></AltriDatiIdentificativi></CessionarioCommittente></FatturaElettronicaHeader>
 <FatturaElettronicaBody><DatiGenerali><DatiGeneraliDocumento><TipoDocumento>TD07</TipoDocumento>
  <Divisa>EUR</Divisa><Data>2026-11-13</Data><Numero>S-1</Numero></DatiGeneraliDocumento>
  </DatiGenerali><DatiBeniServizi><Descrizione>Pranzo</Descrizione><Importo>11.00</Importo>
  <DatiIVA><Imposta>1.00</Imposta></DatiIVA></DatiBeniServizi></FatturaElettronicaBody>
</p:FatturaElettronicaSemplificata>"""


def fattura(*changes: tuple[str, str]) -> str:
    text = FATTURA
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def paid(*amounts: str, total: str = "366.00", extra: str = "") -> str:
    start, end = FATTURA.index("<DettaglioPagamento>"), FATTURA.index("</DatiPagamento>")
    text = FATTURA[:start] + "".join(map(PAYMENT.format, amounts)) + FATTURA[end:]
    whole = "<ImportoTotaleDocumento>366.00</ImportoTotaleDocumento>"
    return text.replace(whole, extra + whole.replace("366.00", total) if total else "")


def test_every_field_of_the_sample_is_read_with_its_xpath():
    reading = parse(FATTURA)
    assert reading.outcome is Outcome.ACCEPTED
    assert reading.findings == ()
    assert reading.format == "fatturapa"
    expected = {
        "syntax": "FatturaPA FPR12",
        "seller": "Corvale Strumenti S.r.l.",
        "seller_vat_id": "IT01234567897",
        "buyer": "Norwick Instruments Ltd",
        "invoice_number": "CS-1008",
        "type_code": "TD01",
        "document_kind": "invoice",
        "issue_date": "2026-11-13",
        "due_date": "2026-12-13",
        "currency": "EUR",
        "document_total": "366.00",
        "tax_amount": "66.00",
        "payable_amount": "366.00",
        "iban": "IT60X0542811101000000123456",
        "purchase_order": "PO-7781",
        "bodies": 1,
        "line_count": 1,
    }
    assert {name: reading.fields[name] for name in expected} == expected
    shown = {item.field: item for item in reading.evidence}
    assert shown["payable_amount"].location == (
        "/FatturaElettronica/f:FatturaElettronicaBody[1]/f:DatiPagamento[1]"
        "/f:DettaglioPagamento[1]/f:ImportoPagamento"
    )


def test_person_is_named_by_first_and_last_name():
    company = "<Denominazione>Corvale Strumenti S.r.l.</Denominazione>"
    person = "<Nome>Ada</Nome><Cognome>Corvale</Cognome>"
    assert parse(fattura((company, person))).fields["seller"] == "Ada Corvale"


@pytest.mark.parametrize(
    ("content", "payable", "outcome"),
    [
        (paid("366.00"), "366.00", Outcome.ACCEPTED),
        (paid("166.00", "200.00"), "366.00", Outcome.ACCEPTED),
        (paid("183.00", "183.00"), "366.00", Outcome.ACCEPTED),
        (paid("366.00", "366.00"), "366.00", Outcome.ACCEPTED),
        (paid("166.00", "100.00"), "266.00", Outcome.REVIEW),
        (paid("36.60"), "36.60", Outcome.REVIEW),
        (paid("183.00", "183.00", total=""), "366.00", Outcome.ACCEPTED),
        (paid("306.00", extra="<DatiRitenuta><ImportoRitenuta>60.00</ImportoRitenuta></DatiRitenuta>"),
         "306.00", Outcome.ACCEPTED),
        (paid("300.00").replace(">I<", ">S<"), "300.00", Outcome.ACCEPTED),
        (paid("300.00"), "300.00", Outcome.REVIEW),
        (paid(), None, Outcome.REVIEW),
    ],
)  # fmt: skip
def test_payments_make_up_what_is_owed_or_a_person_is_asked(content, payable, outcome):
    reading = parse(content)
    assert reading.fields["payable_amount"] == payable
    assert reading.outcome is outcome


def test_credit_note_is_told_by_its_type():
    reading = parse(fattura(("TD01", "TD04")))
    assert reading.outcome is Outcome.ACCEPTED
    assert reading.fields["document_kind"] == "credit_note"
    assert codes(reading) == {"CREDIT_NOTE"}


def test_several_invoices_in_one_file_are_never_read_as_one():
    reading = parse(
        fattura(("</p:FatturaEl", BODY.replace("CS-1008", "CS-1009") + "</p:FatturaEl"))
    )
    assert reading.outcome is Outcome.REVIEW
    assert codes(reading) == {"SEVERAL_INVOICES"}
    assert reading.fields["bodies"] == 2
    assert reading.fields["invoice_number"] == "CS-1008"


def test_inner_elements_may_carry_the_namespace():
    qualified = FATTURA.replace("<p:", "<").replace("</p:", "</").replace("xmlns:p=", "xmlns=")
    assert parse(qualified).fields == parse(FATTURA).fields


@pytest.mark.parametrize("twice", ["<Numero>CS-1008</Numero>", "<Divisa>EUR</Divisa>"])
def test_two_of_one_reject(twice):
    assert "DUPLICATE_ELEMENT" in codes(parse(fattura((twice, twice + twice))))


def test_simplified_form_states_no_amount_due():
    reading = parse(SIMPLIFIED)
    assert reading.fields["seller"] == "Corvale Strumenti S.r.l."
    assert reading.fields["buyer"] == "Norwick Instruments Ltd"
    assert reading.fields["document_total"] == "11.00"
    assert reading.fields["tax_amount"] == "1.00"
    assert reading.fields["payable_amount"] is None
    assert codes(reading) == {"MISSING_FIELD"}


def test_signature_envelope_is_refused_with_what_to_do():
    envelope = bytes.fromhex("3082100006092a864886f70d010702a0820ff1") + FATTURA.encode()
    for content in (envelope, base64.encodebytes(envelope)):
        reading = parse(content)
        assert reading.outcome is Outcome.REJECTED
        assert codes(reading) == {"SIGNED_ENVELOPE"}


def test_program_as_attachment_rejects():
    file = "<Allegati><NomeAttachment>{}</NomeAttachment><Attachment>AA==</Attachment></Allegati>"
    end = "</FatturaElettronicaBody>"
    assert parse(fattura((end, file.format("a.pdf") + end))).outcome is Outcome.ACCEPTED
    reading = parse(fattura((end, file.format("a.pdf.exe") + end)))
    assert codes(reading) == {"EXECUTABLE_ATTACHMENT"}
