import pytest
from uuid_utils.compat import uuid7

from tests.support.clock import START
from tests.support.payees import (
    BRIGHTMOOR_ADDRESS,
    CHAIN_ID,
    FOREIGN_ADDRESS,
    HALDEN_ADDRESS,
    QORVANE_ADDRESS,
)
from treasurer.documents.reading import FieldValue
from treasurer.invoices.claim import claim_of
from treasurer.invoices.matching import Match, match
from treasurer.kernel.ids import PayeeAddressId, PayeeId, UserId
from treasurer.payees.model import AddressState, Payee, PayeeAddress, PayeeState

IBAN = "NO9386011117947"
OTHER_IBAN = "DE89370400440532013000"


def payee(
    code: str,
    name: str,
    address: str,
    *,
    vat_id: str | None = None,
    iban: str | None = None,
    email: str | None = None,
    state: AddressState = AddressState.VERIFIED,
) -> Payee:
    payee_id, clerk = PayeeId(uuid7()), UserId(uuid7())
    entry = PayeeAddress(
        PayeeAddressId(uuid7()), payee_id, CHAIN_ID, address, state, START, clerk, None, START
    )
    return Payee(
        payee_id, code, name, PayeeState.ACTIVE, vat_id, iban, email, START, clerk, (entry,)
    )


HALDEN = payee(
    "V-001",
    "Halden Freight AS",
    HALDEN_ADDRESS,
    vat_id="NO923609016MVA",
    iban=IBAN,
    email="accounts@halden-freight.example",
)
QORVANE = payee("V-002", "Qorvane Logistics GmbH", QORVANE_ADDRESS, vat_id="DE811907980")
BRIGHTMOOR = payee("V-003", "Brightmoor Cleaning Ltd", BRIGHTMOOR_ADDRESS)
MASTER = [HALDEN, QORVANE, BRIGHTMOOR]


def matched(*candidates: Payee, **fields: FieldValue) -> Match:
    return match(claim_of(fields), candidates or MASTER)


def codes(found: Match) -> list[str]:
    return [finding.code for finding in found.findings]


@pytest.mark.parametrize(
    "fields",
    [
        {"seller": "Halden Freight AS"},
        {"seller": "HALDEN FREIGHT, AS"},
        {"seller": "Halden\u00a0Freight AS"},
        {"seller_vat_id": "NO 923 609 016 MVA"},
        {"payee_accounts": ["NO93 8601 1117 947"]},
        {"iban": IBAN},
        {"pay_to_address": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"},
        {"pay_to_address": HALDEN_ADDRESS, "seller": "Halden Freight AS", "iban": IBAN},
        {"payee_accounts": [HALDEN_ADDRESS], "seller": "Halden Freight AS"},
        {"seller": "HF Holding", "seller_trading_name": "Halden Freight AS"},
        {"seller": "Halden Freight AS", "payee": "Halden Freight AS"},
        {"payee_code": "V-001"},
        {"seller_email": "Billing@Halden-Freight.example"},
        # The legal form may be left out where a harder mark says who is meant.
        {"seller": "Halden Freight", "seller_vat_id": "NO923609016MVA"},
    ],
)
def test_marks_that_agree_match(fields: dict[str, FieldValue]) -> None:
    found = matched(**fields)
    assert found.payee == HALDEN
    assert found.findings == ()


@pytest.mark.parametrize(
    "name",
    [
        "Ha1den Freight AS",
        "H\u0430lden Freight AS",
        "HaIden Freight AS",
    ],
)
@pytest.mark.parametrize("address", [None, HALDEN_ADDRESS])
def test_a_lookalike_never_matches(name: str, address: str | None) -> None:
    found = matched(seller=name, pay_to_address=address)
    assert found.payee is None
    assert codes(found) == ["LOOKALIKE_PAYEE"]


def test_an_unknown_seller_is_said_to_be_unknown() -> None:
    found = matched(seller="Nordlys Catering", pay_to_address=FOREIGN_ADDRESS)
    assert (found.payee, codes(found)) == (None, ["UNKNOWN_PAYEE"])


def test_another_address_than_the_masters_is_held_and_never_taken() -> None:
    found = matched(seller="Halden Freight AS", pay_to_address=FOREIGN_ADDRESS)
    assert codes(found) == ["PAYEE_ADDRESS_MISMATCH"]
    assert found.payee is not None
    assert [entry.address for entry in found.payee.addresses] == [HALDEN_ADDRESS]


def test_an_address_with_imitated_ends_is_called_poisoned() -> None:
    poison = "0x70997970E31Bb04C9f2D5a6618c0fFEE00dC79C8"
    found = matched(seller="Halden Freight AS", pay_to_address=poison)
    assert codes(found) == ["PAYEE_ADDRESS_MISMATCH", "ADDRESS_POISONING"]
    # It is poison in anybody's document.
    found = matched(seller="Nordlys Catering", pay_to_address=poison)
    assert codes(found) == ["UNKNOWN_PAYEE", "ADDRESS_POISONING"]


def test_an_address_that_waits_for_verification_is_held() -> None:
    pending = payee("V-009", "Nordlys", FOREIGN_ADDRESS, state=AddressState.PENDING)
    found = matched(pending, seller="Nordlys", pay_to_address=FOREIGN_ADDRESS)
    assert codes(found) == ["PAYEE_ADDRESS_UNVERIFIED"]
    revoked = payee("V-009", "Nordlys", FOREIGN_ADDRESS, state=AddressState.REVOKED)
    found = matched(revoked, seller="Nordlys", pay_to_address=FOREIGN_ADDRESS)
    assert codes(found) == ["PAYEE_ADDRESS_MISMATCH"]


def test_marks_of_two_payees_contradict() -> None:
    found = matched(seller="Qorvane Logistics GmbH", pay_to_address=HALDEN_ADDRESS)
    assert (found.payee, codes(found)) == (None, ["PAYEE_CONTRADICTION"])


def test_two_payees_of_one_name_need_a_further_mark() -> None:
    twin = payee("V-010", "Halden Freight AS", FOREIGN_ADDRESS, vat_id="SE556677889901")
    assert codes(matched(HALDEN, twin, seller="Halden Freight AS")) == ["PAYEE_AMBIGUOUS"]
    found = matched(HALDEN, twin, seller="Halden Freight AS", seller_vat_id="SE556677889901")
    assert (found.payee, codes(found)) == (twin, [])


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"seller": "Freight Partners", "iban": IBAN}, "PAYEE_NAME_MISMATCH"),
        ({"seller": "Halden Freight AS", "seller_vat_id": "NO000000000MVA"}, "PAYEE_VAT_MISMATCH"),
        ({"seller": "Halden Freight AS", "iban": OTHER_IBAN}, "PAYEE_IBAN_MISMATCH"),
        ({"seller": "Halden Freight AS", "payee": "Factor Bank"}, "PAYEE_DIFFERS_FROM_SELLER"),
    ],
)
def test_a_contradicting_detail_is_held(fields: dict[str, FieldValue], code: str) -> None:
    found = matched(**fields)
    assert (found.payee, codes(found)) == (HALDEN, [code])


@pytest.mark.parametrize(
    "fields",
    [
        {"seller_vat_id": "DE811907980", "iban": IBAN},
        {"seller": "Halden Freight AS", "seller_vat_id": "DE811907980"},
        {"payee_code": "V-002", "seller": "Halden Freight AS"},
    ],
)
def test_hard_marks_of_two_payees_match_neither(fields: dict[str, FieldValue]) -> None:
    found = matched(**fields)
    assert (found.payee, codes(found)) == (None, ["PAYEE_CONTRADICTION"])


def test_a_second_account_beside_the_right_one_is_held() -> None:
    found = matched(seller="Halden Freight AS", payee_accounts=[IBAN, OTHER_IBAN])
    assert codes(found) == ["PAYEE_IBAN_MISMATCH"]


@pytest.mark.parametrize("name", ["Haldan Freight AS", "Halden Freights AS", "Halden Freight GmbH"])
def test_a_similar_name_names_a_suspect_and_matches_nobody(name: str) -> None:
    found = matched(seller=name)
    assert (found.payee, codes(found)) == (None, ["PAYEE_NAME_SIMILAR"])
    assert "V-001" in found.findings[0].message


def test_another_legal_form_is_another_company_even_with_the_right_vat_id() -> None:
    found = matched(seller="Halden Freight GmbH", seller_vat_id="NO923609016MVA")
    assert codes(found) == ["PAYEE_NAME_MISMATCH"]


def test_a_name_that_shares_little_is_unknown() -> None:
    assert codes(matched(seller="Halden Catering AS")) == ["UNKNOWN_PAYEE"]


def test_an_unknown_code_is_nobodys_whatever_the_name_says() -> None:
    found = matched(payee_code="V-099", seller="Halden Freight AS")
    assert (found.payee, codes(found)) == (None, ["UNKNOWN_PAYEE"])


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("a@halden-freight.example", []),
        ("a@ha1den-freight.example", ["LOOKALIKE_DOMAIN"]),
        ("a@h\u0430lden-freight.example", ["LOOKALIKE_DOMAIN"]),
        ("a@freight-billing.example", ["PAYEE_DOMAIN_DIFFERS"]),
        ("halden@gmail.com", []),
    ],
)
def test_a_mail_domain_is_compared(address: str, expected: list[str]) -> None:
    found = matched(seller="Halden Freight AS", seller_email=address)
    assert (found.payee, codes(found)) == (HALDEN, expected)


def test_a_domain_decides_between_payees_of_one_name_and_against_no_mark() -> None:
    twin = payee("V-010", "Halden Freight AS", FOREIGN_ADDRESS, email="pay@halden.example")
    found = matched(HALDEN, twin, seller="Halden Freight AS", seller_email="x@halden.example")
    assert found.payee == twin
    found = matched(seller="Qorvane Logistics GmbH", seller_email="x@halden-freight.example")
    assert (found.payee, codes(found)) == (QORVANE, [])
