"""What `treasurer init` may be told, and what it refuses."""

import re

import pytest

from policy.policy_set import load_policy_set
from tests.support.cli import policy_yaml
from treasurer.chain.networks import NetworkProfile, load_profile, shipped_profile
from treasurer.cli.answers import (
    Person,
    TokenCap,
    burn_of,
    cap_of,
    currency_of,
    person_of,
    require_fit,
    require_people,
    token_address_of,
)
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.money import Asset
from treasurer.kernel.organization import Role

USD = Asset("USD", 2)
ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


def development() -> NetworkProfile:
    text = shipped_profile("development")
    return load_profile(text, token_addresses={"USDC": ADDRESS.lower()})


def test_a_person() -> None:
    assert person_of("ann@acme.example: Ann: the Great :approver+Clerk") == Person(
        "ann@acme.example", "Ann: the Great", frozenset({Role.APPROVER, Role.CLERK})
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ann@acme.example", "PERSON_SYNTAX"),
        ("ann@acme.example:Ann", "PERSON_SYNTAX"),
        ("ann:Ann:clerk", "EMAIL_SYNTAX"),
        ("ann@acme.example::clerk", "NAME_SYNTAX"),
        ("ann@acme.example:Ann:boss", "ROLE_UNKNOWN"),
        ("ann@acme.example:Ann:", "ROLE_UNKNOWN"),
        ("bot@acme.example:Bot:service", "ROLE_UNKNOWN"),
    ],
)
def test_no_person(text: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        person_of(text)
    assert refused.value.code == code


def test_people_begin_with_an_administrator() -> None:
    clerk, admin = person_of("c@a.example:C:clerk"), person_of("a@a.example:A:administrator")
    assert require_people([clerk, admin]) == (admin, clerk)
    with pytest.raises(InvalidInput, match="ADMINISTRATOR_MISSING"):
        require_people([clerk])
    with pytest.raises(InvalidInput, match=r"EMAIL_TWICE.*c@a\.example"):
        require_people([admin, clerk, person_of("C@a.example:C:approver")])


def test_currency_and_burn() -> None:
    assert currency_of(" jpy ") == Asset("JPY", 0)
    assert currency_of("USD") == USD
    with pytest.raises(InvalidInput, match="CURRENCY_UNKNOWN"):
        currency_of("USDC")
    assert burn_of("Unknown", USD) is None
    assert burn_of("40000.5", USD) == 4_000_050
    for wrong in ("40,000", "0", "-1", "1e5", "4.005"):
        with pytest.raises(InvalidInput):
            burn_of(wrong, USD)


def test_caps_are_of_a_token_and_in_order() -> None:
    assert cap_of("USDC:10000.5:25000", development()) == (
        "USDC",
        TokenCap(10_000_500_000, 25_000_000_000),
    )
    for wrong, code in {
        "USDC:10000": "CAP_SYNTAX",
        "USDC:1:2:3": "CAP_SYNTAX",
        "MNEE:1:2": "CAP_SYNTAX",
        "USDC:2:1": "CAP_ORDER",
        "USDC:0:1": "AMOUNT_NOT_POSITIVE",
        "USDC:٤:5": "AMOUNT_SYNTAX",
    }.items():
        with pytest.raises(InvalidInput) as refused:
            cap_of(wrong, development())
        assert refused.value.code == code, wrong


def test_a_tokens_address_keeps_its_checksum() -> None:
    assert token_address_of(f"MNEE={ADDRESS}") == ("MNEE", ADDRESS.lower())
    with pytest.raises(InvalidInput, match="ADDRESS_CHECKSUM"):
        token_address_of("MNEE=" + ADDRESS.replace("dc79C8", "dc79c8"))
    with pytest.raises(InvalidInput, match="TOKEN_ADDRESS_SYNTAX"):
        token_address_of(ADDRESS)


PEOPLE = tuple(
    person_of(text)
    for text in ("a@a.example:A:administrator", "b@a.example:B:cfo", "c@a.example:C:approver")
)


def test_a_policy_has_to_fit_currency_network_and_people() -> None:
    fitting = load_policy_set(policy_yaml())
    require_fit(fitting, USD, development(), PEOPLE)
    with pytest.raises(InvalidInput, match="POLICY_REPORTING_CURRENCY"):
        require_fit(fitting, Asset("EUR", 2), development(), PEOPLE)
    elsewhere = load_policy_set(policy_yaml(**{"chain: 31337": "chain: 1946"}))
    with pytest.raises(InvalidInput, match="add USDC on chain 31337 to its pay_in"):
        require_fit(elsewhere, USD, development(), PEOPLE)
    other_token = load_policy_set(policy_yaml(**{"asset: USDC": "asset: EURC"}))
    with pytest.raises(InvalidInput, match="POLICY_OTHER_NETWORK"):
        require_fit(other_token, USD, development(), PEOPLE)
    with pytest.raises(InvalidInput, match=re.escape("may ask 2 people and 1 may vote")):
        require_fit(fitting, USD, development(), PEOPLE[:2])
