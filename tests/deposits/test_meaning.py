"""What movements mean, and which blocks still stand: pure rules."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from treasurer.chain.head_track import SeenBlock, Track, follow
from treasurer.chain.port import Log, PlacedLog
from treasurer.chain.tokens import TRANSFER_TOPIC
from treasurer.deposits.model import Booking, OwnWallet, bookings, movements
from treasurer.kernel.ids import PayeeId, WalletId
from treasurer.kernel.money import Asset

USDC = Asset("USDC", 6)
TOKEN, A, B, PAYEE, OTHER = ("0x" + digit * 40 for digit in "abcde")
WALLETS = {address: OwnWallet(WalletId(uuid7()), address, opened_block=10) for address in (A, B)}
HALDEN = PayeeId(uuid7())
OURS = b"\1" * 32


def placed(
    sender: str,
    recipient: str,
    amount: int,
    *,
    at: int = 11,
    hash_: bytes = b"\2" * 32,
    token: str = TOKEN,
) -> PlacedLog:
    topics = [TRANSFER_TOPIC, *(bytes.fromhex(a[2:]).rjust(32, b"\0") for a in (sender, recipient))]
    return PlacedLog(at, bytes([at]) * 32, hash_, Log(token, tuple(topics), amount.to_bytes(32), 3))


def meaning(log: PlacedLog) -> list[Booking]:
    moved = movements([log], chain_id=31337, assets={TOKEN: USDC})
    return bookings(moved, wallets=WALLETS, own_hashes={OURS}, payees={PAYEE: HALDEN})


@pytest.mark.parametrize(
    ("log", "kind", "debit", "credit", "incident"),
    [
        (placed(PAYEE, A, 5), "deposit.booked", A, "income:supplier-refunds:USDC", None),
        (placed(OTHER, B, 5), "deposit.booked", B, "liability:suspense:USDC", None),
        (placed(A, B, 5), "wallet.moved", B, A, A),
        (placed(A, B, 5, hash_=OURS), "wallet.arrived", B, "asset:transit:USDC", None),
        (placed(A, OTHER, 5), "wallet.foreign_outflow", "liability:suspense:USDC", A, A),
        (placed(A, PAYEE, 5), "wallet.foreign_outflow", "liability:suspense:USDC", A, A),
    ],
)
def test_each_movement_has_its_accounts(
    log: PlacedLog, kind: str, debit: str, credit: str, incident: str | None
) -> None:
    (booking,) = meaning(log)
    codes = {address: f"wallet:{wallet.id}:USDC" for address, wallet in WALLETS.items()}
    assert booking.kind == kind
    assert booking.debit.code == codes.get(debit, debit)
    assert booking.credit.code == codes.get(credit, credit)
    assert booking.incident_of == (WALLETS[incident].id if incident else None)
    assert booking.payee_id == (HALDEN if debit == A and incident is None else None)


@pytest.mark.parametrize(
    "log",
    [
        pytest.param(
            placed(A, OTHER, 5, hash_=OURS), id="our own payment is its transfer's to book"
        ),
        pytest.param(placed(A, OTHER, 0), id="nothing moved"),
        pytest.param(placed(A, A, 5), id="to itself"),
        pytest.param(placed(OTHER, A, 5, at=10), id="in the opening balance"),
        pytest.param(placed(A, OTHER, 5, at=10), id="before the books opened"),
        pytest.param(placed(OTHER, A, 5, token=OTHER), id="a token that is not pinned"),
        pytest.param(placed(OTHER, PAYEE, 5), id="between others"),
    ],
)
def test_what_is_not_booked(log: PlacedLog) -> None:
    assert meaning(log) == []


def test_a_movement_is_named_by_chain_block_and_place() -> None:
    def name(log: PlacedLog, chain_id: int = 31337) -> object:
        return movements([log], chain_id=chain_id, assets={TOKEN: USDC})[0].id

    log = placed(OTHER, A, 5)
    assert name(log) == name(placed(OTHER, A, 5, hash_=OURS)), "the block and the place say it all"
    assert name(log) != name(placed(OTHER, A, 5, at=12))
    assert name(log) != name(log, chain_id=1)


def chain(length: int, forks: dict[int, int]) -> list[SeenBlock]:
    """Blocks 0 to `length`; each entry of `forks` (height to salt) makes another chain from there on."""
    blocks, salt = [SeenBlock(0, bytes(32), b"")], 0
    for number in range(1, length + 1):
        salt = 31 * salt + forks.get(number, 0)
        hash_ = number.to_bytes(8) + (salt % 2**64).to_bytes(24)
        blocks.append(SeenBlock(number, hash_, blocks[-1].hash))
    return blocks


@given(
    old=st.integers(0, 12),
    new=st.integers(0, 12),
    fork=st.integers(1, 13),
    first=st.integers(1, 13),
)
def test_a_track_ends_up_on_the_new_chain(old: int, new: int, fork: int, first: int) -> None:
    seen, now = chain(old, {}), chain(new, {fork: 7})
    track = follow(seen, now[first:])
    if track is None:
        assert first > min(old + 1, fork, new + 1), "looked too far above what is shared"
        return
    held = [*(block for block in seen if block.number <= track.kept), *track.added]
    assert all(child.parent_hash == parent.hash for parent, child in pairwise(held))
    if now[first:]:
        assert held == now
    else:
        assert held == seen, "nothing was found, nothing is forgotten"


def test_blocks_that_do_not_follow_each_other_say_nothing() -> None:
    seen, one, other = chain(3, {}), chain(6, {}), chain(6, {5: 1})
    assert follow(seen, [*one[3:5], *other[5:]]) is None or other[5].parent_hash == one[4].hash
    assert follow(seen, [one[4], other[6]]) is None
    assert follow(seen, one[3:]) == Track(3, tuple(one[4:]))
