"""Pure rules: slots, finality, network profiles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treasurer.chain.fees import FeeCaps
from treasurer.chain.finality import Depth, FinalizedTag, is_final, parse_finality
from treasurer.chain.networks import load_profile, missing_token_addresses, shipped_profile
from treasurer.chain.nonces import SlotPlan, plan_slots
from treasurer.chain.port import BlockRef
from treasurer.kernel.errors import InvalidInput, NotFound


def block(number: int, fork: int = 0) -> BlockRef:
    return BlockRef(number, bytes([fork]) * 32, number, 7, bytes(32))


@given(
    chain_nonce=st.integers(0, 50),
    next_nonce=st.integers(0, 50),
    in_flight=st.integers(0, 20),
    wanted=st.integers(0, 40),
)
def test_slots_follow_each_other_and_never_repeat(
    chain_nonce: int, next_nonce: int, in_flight: int, wanted: int
) -> None:
    flying = range(next_nonce - in_flight, next_nonce)
    plan = plan_slots(
        chain_nonce=chain_nonce, next_nonce=next_nonce, in_flight=flying, wanted=wanted
    )
    if chain_nonce > next_nonce:
        assert plan == SlotPlan((), chain_nonce - next_nonce)
        return
    count = max(0, min(wanted, 16 - in_flight))
    assert plan == SlotPlan(tuple(range(next_nonce, next_nonce + count)), 0)


def test_finality_is_height_and_hash() -> None:
    finalized = block(10)
    assert is_final(block(10), block(10), finalized)
    assert is_final(block(9, 1), block(9, 1), finalized)
    assert not is_final(block(11), block(11), finalized)
    assert not is_final(block(9, 1), block(9, 2), finalized), "reorganised away"
    assert not is_final(block(9), None, finalized), "unknown to the provider"
    assert not is_final(block(10, 1), block(10, 1), finalized), "the tag names another block"


def test_finality_rules_are_written_one_way() -> None:
    assert parse_finality("finalized") == FinalizedTag()
    assert parse_finality("depth:12") == Depth(12)
    assert Depth(12).final_number(100) == 88
    assert Depth(12).final_number(5) == 0
    for text in ("safe", "latest", "depth:0", "depth:-1", "depth:", "depth:٣", "12"):
        with pytest.raises(ValueError):
            parse_finality(text)


def test_soneium_minato_asks_for_the_token_and_pins_the_rest() -> None:
    text = shipped_profile("soneium-minato")
    assert missing_token_addresses(text) == ("MNEE",)
    with pytest.raises(InvalidInput, match="NETWORK_TOKEN_ADDRESS_MISSING"):
        load_profile(text)
    profile = load_profile(text, token_addresses={"MNEE": "0x" + "ab" * 20})
    assert profile.chain_id == 1946
    assert profile.finality == FinalizedTag()
    assert profile.genesis_hash is not None
    assert profile.genesis_hash.hex().startswith("7ec49d93fa8f47c0")
    token = profile.token("0x" + "ab" * 20)
    assert token is not None
    assert (token.asset.symbol, token.asset.decimals) == ("MNEE", 18)
    assert profile.token("0x" + "cd" * 20) is None


def test_caps_are_the_networks_unless_the_operator_names_others() -> None:
    minato = load_profile(
        shipped_profile("soneium-minato"), token_addresses={"MNEE": "0x" + "ab" * 20}
    )
    assert minato.fee_caps(None, None) == FeeCaps(payment_wei=10**9, cancel_wei=2 * 10**9)
    assert minato.fee_caps(5, 9) == FeeCaps(payment_wei=5 * 10**9, cancel_wei=9 * 10**9)
    with pytest.raises(InvalidInput, match="FEE_CAPS"):
        minato.fee_caps(5, None)
    development = load_profile(
        shipped_profile("development"), token_addresses={"USDC": "0x" + "ab" * 20}
    )
    assert development.fee_caps(None, None) == FeeCaps(
        payment_wei=100 * 10**9, cancel_wei=150 * 10**9
    )


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("finality: finalized", "finality: safe", "NETWORK_FIELD"),
        ("chain_id: 31337", "chain_id: 0", "NETWORK_FIELD"),
        ("chain_id: 31337", "chain_id: 31337\nchainid: 1", "NETWORK_FIELD"),
        ("address: null", "address: 0x" + "12" * 20, "NETWORK_FIELD"),
        ("address: null", "address: '0x12'", "NETWORK_FIELD"),
        ("name: development", "name: [", "NETWORK_SYNTAX"),
        ("address: null", "address: '0x" + "cd" * 20 + "'", "NETWORK_TOKEN_PINNED"),
    ],
)
def test_a_mistake_in_a_profile_is_named(old: str, new: str, code: str) -> None:
    text = shipped_profile("development")
    assert old in text
    with pytest.raises(InvalidInput) as refused:
        load_profile(text.replace(old, new), token_addresses={"USDC": "0x" + "ab" * 20})
    assert refused.value.code == code


def test_only_shipped_names_are_shipped() -> None:
    with pytest.raises(NotFound):
        shipped_profile("../networks")
