"""What the chain's counts say of our slots: lost, held up, unseen, or used by someone else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.anvil import anvil
from tests.support.chain import development_profile, mine, needs_anvil
from tests.support.embedded import JsonRpc, address, signed
from treasurer.chain.evm import EvmChain
from treasurer.chain.nonces import NonceHealth, SlotStanding, examine_nonces
from treasurer.chain.port import BroadcastOutcome

U, S, M = SlotStanding.UNSENT, SlotStanding.SENT, SlotStanding.MINED


@pytest.mark.parametrize(
    ("latest", "pending", "finalized", "slots", "health"),
    [
        pytest.param(5, 5, 5, {}, NonceHealth(), id="idle"),
        pytest.param(6, 8, 5, {5: M, 6: S, 7: S}, NonceHealth(), id="in flight"),
        pytest.param(5, 5, 5, {5: S}, NonceHealth(send_again=(5,)), id="dropped"),
        pytest.param(5, 5, 5, {5: S, 6: S}, NonceHealth(send_again=(5, 6)), id="gap"),
        pytest.param(5, 6, 5, {5: S, 6: S}, NonceHealth(send_again=(6,)), id="the upper one"),
        pytest.param(5, 5, 5, {5: U, 6: U}, NonceHealth(), id="not yet sent"),
        pytest.param(5, 6, 5, {5: S, 6: U}, NonceHealth(), id="the next one is not yet sent"),
        pytest.param(
            5, 5, 5, {5: U, 6: S}, NonceHealth(send_again=(6,), holding_up=5), id="held up"
        ),
        pytest.param(6, 6, 5, {5: S}, NonceHealth(look_up=(5,)), id="mined unseen"),
        pytest.param(6, 6, 5, {5: U}, NonceHealth(look_up=(5,)), id="mined without us, not final"),
        pytest.param(6, 6, 6, {5: S}, NonceHealth(foreign=(5,)), id="foreign"),
        pytest.param(6, 6, 6, {5: U}, NonceHealth(foreign=(5,)), id="foreign before we sent"),
        pytest.param(6, 6, 6, {5: M}, NonceHealth(), id="ours is final"),
        pytest.param(4, 4, 6, {5: M, 6: S}, NonceHealth(send_again=(6,)), id="a stale provider"),
        pytest.param(9, 9, 8, {5: M}, NonceHealth(foreign=(7,)), id="above all slots"),
    ],
)
def test_standings(
    latest: int,
    pending: int,
    finalized: int,
    slots: dict[int, SlotStanding],
    health: NonceHealth,
) -> None:
    next_nonce = 7 if slots else 5
    assert (
        examine_nonces(
            latest=latest,
            pending=pending,
            finalized=finalized,
            next_nonce=next_nonce,
            slots=slots,
        )
        == health
    )


@given(
    latest=st.integers(0, 12),
    ahead=st.integers(0, 4),
    final_lag=st.integers(-2, 6),
    slots=st.dictionaries(st.integers(0, 9), st.sampled_from(SlotStanding)),
)
def test_only_final_blocks_accuse_and_only_sent_bytes_go_out_again(
    latest: int, ahead: int, final_lag: int, slots: dict[int, SlotStanding]
) -> None:
    finalized = max(0, latest - final_lag)
    found = examine_nonces(
        latest=latest,
        pending=latest + ahead,
        finalized=finalized,
        next_nonce=10,
        slots=slots,
    )
    assert all(nonce < finalized for nonce in found.foreign)
    assert not any(slots.get(nonce) is M for nonce in found.foreign)
    assert all(slots[nonce] is S for nonce in found.send_again)
    assert not set(found.send_again) & {*found.foreign, *found.look_up}
    passed = {n for n, standing in slots.items() if n < finalized and standing is not M}
    assert passed <= set(found.foreign), "what is final and not ours is never overlooked"


@needs_anvil
async def test_a_dropped_transaction_is_found_and_healed() -> None:
    with anvil() as url, JsonRpc(url) as rpc:
        async with EvmChain(url, development_profile()) as chain:
            raws = [bytes.fromhex(signed(0, n, to=address(1))[0][2:]) for n in range(3)]
            outcomes = await chain.broadcast_many(raws)
            assert outcomes == [BroadcastOutcome.ACCEPTED] * 3
            assert await health(chain) == NonceHealth()
            rpc("anvil_dropTransaction", signed(0, 1, to=address(1))[1])
            found = await health(chain)
            assert found.send_again == (1, 2), "one is lost, and one waits for it"
            await chain.broadcast_many([raws[nonce] for nonce in found.send_again])
            assert await health(chain) == NonceHealth()
            mine(url)
            assert await chain.nonce(address(0)) == 3


async def health(chain: EvmChain) -> NonceHealth:
    return examine_nonces(
        latest=await chain.nonce(address(0)),
        pending=await chain.nonce(address(0), "pending"),
        finalized=await chain.nonce(address(0), (await chain.finalized()).number),
        next_nonce=3,
        slots=dict.fromkeys(range(3), SlotStanding.SENT),
    )
