"""Owns ERC-20: the calls we make and the one event we believe. Must never trust `status`.

`status == 1` proves nothing: an address without code and a token that returns false give it too.
Evidence is the `Transfer` log of the pinned token and the net change of its balances.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from treasurer.chain.port import Log, Receipt
from treasurer.kernel.order import require_address

TRANSFER_TOPIC = bytes.fromhex("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")
"""keccak256("Transfer(address,address,uint256)")."""
APPROVAL_TOPIC = bytes.fromhex("8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925")
"""keccak256("Approval(address,address,uint256)")."""
_BALANCE_OF = bytes.fromhex("70a08231")
"""First four bytes of keccak256("balanceOf(address)")."""
_ALLOWANCE = bytes.fromhex("dd62ed3e")
"""First four bytes of keccak256("allowance(address,address)")."""
DECIMALS_CALL = bytes.fromhex("313ce567")
"""First four bytes of keccak256("decimals()")."""
_WORD_BYTES = 32


@dataclass(frozen=True, slots=True)
class TokenTransfer:
    """One `Transfer` event, `amount_minor` in base units, addresses lower-case."""

    sender: str
    recipient: str
    amount_minor: int
    log_index: int


@dataclass(frozen=True, slots=True)
class ExpectedItem:
    """What one item of a transfer must have moved."""

    recipient: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class ItemMatch:
    """`log_indexes[i]` proves item i. With a `contradiction` nothing is proven and it is empty."""

    log_indexes: tuple[int, ...]
    contradiction: str | None


def balance_of_call(owner: str) -> bytes:
    """Call data of `balanceOf(owner)`."""
    return _BALANCE_OF + bytes.fromhex(require_address(owner)[2:]).rjust(_WORD_BYTES, b"\0")


def allowance_call(owner: str, spender: str) -> bytes:
    """Call data of `allowance(owner, spender)`."""
    words = [bytes.fromhex(require_address(each)[2:]).rjust(32, b"\0") for each in (owner, spender)]
    return _ALLOWANCE + b"".join(words)


def decode_transfers(receipt: Receipt, token: str) -> tuple[TokenTransfer, ...]:
    """The `Transfer` events that `token` itself emitted, in order of emission.

    Logs of another shape under the same topic (ERC-721 indexes the third argument) are left out: they
    move no base units.
    """
    return tuple(
        transfer
        for log in receipt.logs
        if log.address == token and (transfer := decode_transfer(log)) is not None
    )


def decode_transfer(log: Log) -> TokenTransfer | None:
    """What a `Transfer` event says; None for an event of another shape."""
    if len(log.topics) != 3 or log.topics[0] != TRANSFER_TOPIC or len(log.data) != _WORD_BYTES:
        return None
    return TokenTransfer(
        sender=_address(log.topics[1]),
        recipient=_address(log.topics[2]),
        amount_minor=int.from_bytes(log.data),
        log_index=log.log_index,
    )


def decode_approvals(receipt: Receipt, token: str, *, owner: str, spender: str) -> tuple[int, ...]:
    """What `token` says `owner` allowed `spender`, base units, in order of emission."""
    named = (APPROVAL_TOPIC, _topic(owner), _topic(spender))
    return tuple(
        int.from_bytes(log.data)
        for log in receipt.logs
        if log.address == token and log.topics == named and len(log.data) == _WORD_BYTES
    )


def match_items(
    receipt: Receipt, *, token: str, sender: str, items: Sequence[ExpectedItem]
) -> ItemMatch:
    """Map `items` one to one to the logs by which `token` left `sender`, in order of emission (I6).

    Every such log must be an item and every item such a log: a fee on transfer, a missing event or
    a second one is a contradiction, in words for an incident. Others' transfers are not ours to judge.
    """
    if not receipt.succeeded:
        return ItemMatch((), "the transaction reverted")
    outgoing = [log for log in decode_transfers(receipt, token) if log.sender == sender]
    if len(outgoing) != len(items):
        return ItemMatch((), f"{len(outgoing)} transfers left the wallet, {len(items)} expected")
    for place, (log, item) in enumerate(zip(outgoing, items, strict=True)):
        if log.recipient != item.recipient:
            return ItemMatch((), f"item {place} went to {log.recipient}, not {item.recipient}")
        if log.amount_minor != item.amount_minor:
            return ItemMatch((), f"item {place} moved {log.amount_minor}, not {item.amount_minor}")
    return ItemMatch(tuple(log.log_index for log in outgoing), None)


def net_changes(receipts: Iterable[Receipt], *, token: str) -> dict[str, int]:
    """Base units that each holder gained (negative: lost) by the logs of `receipts`.

    Over all receipts of a block it must equal the holder's balance at the block less the balance at
    its parent; if not, the token's events do not tell the truth (rebasing, fee on transfer).
    """
    changes: dict[str, int] = defaultdict(int)
    for receipt in receipts:
        for transfer in decode_transfers(receipt, token):
            changes[transfer.sender] -= transfer.amount_minor
            changes[transfer.recipient] += transfer.amount_minor
    return changes


def _topic(address: str) -> bytes:
    return bytes.fromhex(require_address(address)[2:]).rjust(_WORD_BYTES, b"\0")


def _address(topic: bytes) -> str:
    return "0x" + topic[-20:].hex()
