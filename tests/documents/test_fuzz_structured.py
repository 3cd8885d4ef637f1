"""Damage to structured invoices: whatever changes, a reader answers, and no changed sum is accepted."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.documents.test_fuzz import sound
from tests.support.cii import CII, candidate_2014, zugferd1
from tests.support.documents import SAMPLES, codes, hybrid_pdf, parse, ubl_invoice
from treasurer.documents.reading import Outcome

quick = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
UBL = (SAMPLES / "halden-hf-1001.xml").read_text(encoding="utf-8")
FATTURA = (SAMPLES / "corvale-cs-1008.fatturapa.xml").read_text(encoding="utf-8")
EDI = (SAMPLES / "halden-hf-1009.edi").read_text(encoding="ascii")
PDF = hybrid_pdf(
    ("INVOICE HF-4110", "From: Halden Freight AS", "Total due: 512.00 USD"), ubl_invoice()
)
WHOLE = {
    "cii": CII.encode(),
    "zugferd1": zugferd1(CII).encode(),
    "candidate": candidate_2014(CII).encode(),
    "fattura": FATTURA.encode(),
    "edifact": EDI.encode(),
    "hybrid": PDF,
}
SUMS = {
    "ubl": (UBL, r"(?:TaxExclusive|TaxInclusive|Payable|LineExtension|Taxable)Amount[^>]*>(\d+)"),
    "cii": (CII, r"(?:Total|Payable|Calculated|Basis|Prepaid)Amount[^>]*>(\d+)"),
    "edifact": (EDI, r"MOA\+(?:77|79|125|124|203):(\d+)"),
    "fattura": (
        FATTURA,
        r"<(?:ImportoTotaleDocumento|Imposta|ImponibileImporto|ImportoPagamento)>(\d+)",
    ),
}


@pytest.mark.parametrize("name", WHOLE)
@quick
@given(data=st.data())
def test_damaged_bytes(name, data):
    content = bytearray(WHOLE[name])
    places = st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255))
    for position, value in data.draw(st.lists(places, max_size=6)):
        content[position] = value
    sound(parse(bytes(content)))


@pytest.mark.parametrize("name", WHOLE)
@quick
@given(data=st.data())
def test_torn_and_repeated_parts(name, data):
    content = WHOLE[name]
    first, second = sorted(data.draw(st.tuples(*[st.integers(0, len(content))] * 2)))
    sound(parse(content[:first] + content[second:]))
    sound(parse(content[:second] + content[first:]))


@pytest.mark.parametrize(
    ("name", "place"),
    [(name, n) for name, (text, sums) in SUMS.items() for n in range(len(re.findall(sums, text)))],
)
def test_no_single_changed_sum_is_accepted(name, place):
    """Every amount of a total stands twice somehow, so that one alone cannot be changed unseen."""
    text, sums = SUMS[name]
    match = list(re.finditer(sums, text))[place]
    changed = f"{text[: match.start(1)]}9{match[1]}{text[match.end(1) :]}"
    assert parse(text).outcome is Outcome.ACCEPTED
    reading = parse(changed)
    assert reading.outcome is not Outcome.ACCEPTED, match.group()


@quick
@given(
    st.lists(
        st.sampled_from([*EDI.splitlines(), "UNT+1+1'", "ALC+A'", "MOA'", "TAX'"]), max_size=30
    )
)
def test_shuffled_segments(segments):
    sound(parse("UNA:+.? '" + "".join(segments)))


@quick
@given(st.text(alphabet="UNABHT+:'?* \n0123456789MOA", max_size=60))
def test_any_segments(text):
    reading = parse("UNB+UNOC:3" + text)
    sound(reading)
    assert reading.outcome is not Outcome.ACCEPTED
    assert codes(reading)
