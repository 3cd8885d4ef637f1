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
from treasurer.invoices.matching import Match, claim_of, match
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
    state: AddressState = AddressState.VERIFIED,
) -> Payee:
    payee_id, clerk = PayeeId(uuid7()), UserId(uuid7())
    entry = PayeeAddress(
        PayeeAddressId(uuid7()), payee_id, CHAIN_ID, address, state, START, clerk, None, START
    )
    return Payee(
        payee_id, code, name, PayeeState.ACTIVE, vat_id, iban, None, START, clerk, (entry,)
    )


HALDEN = payee("V-001", "Halden Freight AS", HALDEN_ADDRESS, vat_id="NO923609016MVA", iban=IBAN)
QORVANE = payee("V-002", "Qorvane Logistics GmbH", QORVANE_ADDRESS)
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
    found = matched(
        seller="Halden Freight AS",
        pay_to_address="0x70997970E31Bb04C9f2D5a6618c0fFEE00dC79C8",
    )
    assert codes(found) == ["PAYEE_ADDRESS_MISMATCH", "ADDRESS_POISONING"]


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
