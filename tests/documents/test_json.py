import json

import pytest

from tests.support.documents import HALDEN, codes, parse
from treasurer.documents.readers import json as json_reader
from treasurer.documents.reading import Outcome, Source

INVOICE = {
    "seller": "Brightmoor Cleaning Ltd",
    "invoice_number": "BM-1006",
    "issue_date": "2026-11-18",
    "currency": "USDC",
    "payable_amount": "310.50",
}


def test_own_shape_is_accepted_with_pointers():
    reading = parse(json.dumps(INVOICE))
    assert reading.outcome is Outcome.ACCEPTED
    assert reading.fields["payable_amount"] == "310.50"
    assert reading.fields["due_date"] is None
    (payable,) = [item for item in reading.evidence if item.field == "payable_amount"]
    assert (payable.source, payable.location) == (Source.POINTER, "/payable_amount")


def test_whole_numbers_are_amounts():
    assert parse(json.dumps({**INVOICE, "payable_amount": 310})).fields["payable_amount"] == "310"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('{"payable_amount": 310.5}', "JSON_NUMBER"),
        ('{"payable_amount": 1e3}', "JSON_NUMBER"),
        ('{"payable_amount": NaN}', "JSON_NUMBER"),
        ('{"payable_amount": Infinity}', "JSON_NUMBER"),
        ('{"payable_amount": "1", "payable_amount": "2"}', "JSON_DUPLICATE_KEY"),
        ('{"lines": [{"id": "1", "id": "2"}]}', "JSON_DUPLICATE_KEY"),
        ('{"seller": ', "JSON_BROKEN"),
        ("[]", "JSON_SHAPE"),
        ("[1", "JSON_BROKEN"),
        ('{"payable_amount": ' + "9" * 5000 + "}", "JSON_BROKEN"),
        ("[" * 100_000, "JSON_TOO_DEEP"),
    ],
)
def test_what_readers_differ_on_is_refused(body, code):
    reading = parse(body)
    assert reading.outcome is Outcome.REJECTED
    assert codes(reading) == {code}
    assert reading.fields == {}


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("payable_amount", "1,000.00", "AMOUNT_SYNTAX"),
        ("payable_amount", True, "AMOUNT_SYNTAX"),
        ("payable_amount", "٤٥٠", "AMOUNT_SYNTAX"),
        ("payable_amount", "1" * 16, "AMOUNT_TOO_LARGE"),
        ("seller", 5, "JSON_SHAPE"),
        ("chain_id", "31337", "JSON_SHAPE"),
        ("lines", {"id": "1"}, "JSON_SHAPE"),
    ],
)
def test_wrong_types_reject(key, value, code):
    reading = parse(json.dumps({**INVOICE, key: value}))
    assert reading.outcome is Outcome.REJECTED
    assert code in codes(reading)


def test_unknown_key_is_reviewed_and_not_read():
    reading = parse(json.dumps({**INVOICE, "approved_by": "cfo@norwick.example"}))
    assert codes(reading) == {"UNKNOWN_FIELD"}
    assert reading.outcome is Outcome.REVIEW
    assert "cfo@norwick.example" not in str(reading.to_json())


def test_lines_are_summed_like_those_of_an_e_invoice():
    lines = [{"id": "1", "name": "Cleaning", "net_amount": "300.00"}]
    reading = parse(json.dumps({**INVOICE, "line_total": "310.50", "lines": lines}))
    assert codes(reading) == {"BR-CO-10"}


def test_addresses_and_ibans_are_checked():
    wrong = {**INVOICE, "pay_to_address": HALDEN[:-1], "iban": "DE89370400440532013001"}
    reading = parse(json.dumps(wrong))
    assert codes(reading) == {"ADDRESS_SYNTAX", "IBAN_INVALID"}
    assert "pay_to_address" not in reading.fields
    assert reading.fields["iban"] is None


def test_what_a_database_refuses_is_not_kept():
    reading = parse('{"seller": "a\\u0000b\\ud800c"}')
    assert reading.fields["seller"] == "a\ufffdb\ufffdc"


def test_the_shape_that_the_reader_documents_is_accepted_whole():
    documented = (
        "{" + str(json_reader.__doc__).partition("\n    {")[2].rpartition("\n    }")[0] + "}"
    )
    reading = parse(documented)
    assert reading.findings == ()
    assert reading.outcome is Outcome.ACCEPTED
    assert set(json.loads(documented)) <= set(reading.fields)
    keys = json_reader._TEXTS | json_reader._DATES | json_reader._AMOUNTS | {"chain_id", "lines"}
    assert set(json.loads(documented)) == keys
