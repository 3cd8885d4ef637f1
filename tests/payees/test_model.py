import pytest

from treasurer.kernel.errors import InvalidInput
from treasurer.payees.model import chain_address, clean_name, payee_details


def test_mixed_case_with_its_checksum_becomes_lower_case() -> None:
    assert (
        chain_address(" 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 ")
        == "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
    )


@pytest.mark.parametrize(
    "address",
    ["0x70997970c51812dc3a010c7d01b50e0d17dc79c8", "0x70997970C51812DC3A010C7D01B50E0D17DC79C8"],
)
def test_one_case_carries_no_checksum(address: str) -> None:
    assert chain_address(address) == "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("0x70997970C51812dc3A010C7d01b50e0d17dc79c8", "ADDRESS_CHECKSUM"),
        ("0x70997970c51812dc3a010c7d01b50e0d17dc79c", "ADDRESS_SYNTAX"),
        ("70997970c51812dc3a010c7d01b50e0d17dc79c8", "ADDRESS_SYNTAX"),
        ("0x709979…dC79C8", "ADDRESS_SYNTAX"),
        ("0x70997970c51812dc3a010c7d01b50e0d17dc79\uff10\uff11", "ADDRESS_SYNTAX"),
    ],
)
def test_what_is_no_address_is_refused(address: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        chain_address(address)
    assert refused.value.code == code


@pytest.mark.parametrize("name", ["", "   ", "a\tb", "a\u200bb", "\u202eevil", "a\nb", "x" * 201])
def test_names_hold_no_control_or_invisible_characters(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        clean_name(name)
    assert refused.value.code == "PAYEE_NAME"


def test_particulars_are_normalised() -> None:
    details = payee_details(
        code=" V-001 ",
        name="Halden\u00a0 Freight AS",
        vat_id="no 923 609 016 mva",
        iban="NO93 8601 1117 947",
        email=" pay@halden.example ",
    )
    assert details.code == "V-001"
    assert details.name == "Halden Freight AS"
    assert details.vat_id == "NO923609016MVA"
    assert details.iban == "NO9386011117947"
    assert details.email == "pay@halden.example"


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("code", "v 001", "PAYEE_CODE"),
        ("code", "V-001\x00", "PAYEE_CODE"),
        ("vat_id", "<script>", "PAYEE_VAT_ID"),
        ("iban", "NO9386011117948", "PAYEE_IBAN"),
        ("email", "a@b@c.example", "PAYEE_EMAIL"),
        ("email", "a@b.example\r\nBcc: x@y.example", "PAYEE_EMAIL"),
    ],
)
def test_each_bad_field_has_its_code(field: str, value: str, code: str) -> None:
    good = {"code": "V-001", "name": "Halden", "vat_id": None, "iban": None, "email": None}
    with pytest.raises(InvalidInput) as refused:
        payee_details(**{**good, field: value})  # type: ignore[arg-type]
    assert refused.value.code == code
