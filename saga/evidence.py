"""Owns what a final receipt proves about a transfer. Pure; must never settle on a status alone (I6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from saga.transfer import Transfer
from treasurer.chain.port import Receipt
from treasurer.chain.tokens import ExpectedItem, decode_approvals, decode_transfers, match_items
from treasurer.kernel.allowance_order import AllowanceOrder


class Verdict(StrEnum):
    PAID = "paid"
    REVERTED = "reverted"
    CANCELLED = "cancelled"
    CONTRADICTION = "contradiction"


@dataclass(frozen=True, slots=True)
class Evidence:
    """The verdict, the log index of each item when paid, and the reason when contradictory."""

    verdict: Verdict
    log_indexes: tuple[int, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Movement:
    """What a holder gained in a block: as its balances say, and as the token's logs do."""

    moved: int
    logged: int


def examine(transfer: Transfer, receipt: Receipt, movements: Mapping[str, Movement]) -> Evidence:
    """Hold a receipt against what the transfer was to do, and its block's logs against balances.

    `movements` are those of the token in the receipt's block, by holder.
    """
    if not receipt.succeeded:
        if decode_transfers(receipt, transfer.token):
            return Evidence(Verdict.CONTRADICTION, reason="a reverted transaction carries logs")
        return Evidence(Verdict.REVERTED)
    match = match_items(
        receipt,
        token=transfer.token,
        sender=transfer.sender,
        items=[ExpectedItem(item.recipient, item.amount_minor) for item in transfer.items],
    )
    if match.contradiction:
        return Evidence(Verdict.CONTRADICTION, reason=match.contradiction)
    for holder in holders(transfer):
        movement = movements[holder]
        if movement.moved != movement.logged:
            return Evidence(
                Verdict.CONTRADICTION,
                reason=f"{holder} moved by {movement.moved} in the block, "
                f"its logs say {movement.logged}",
            )
    return Evidence(Verdict.PAID, match.log_indexes)


def examine_allowance(
    transfer: Transfer, order: AllowanceOrder, receipt: Receipt, *, allowed: int, used: int
) -> Evidence:
    """Hold a receipt against an allowance. `allowed` is what the token says after the receipt's block, in
    which batches that came later have `used` some of it.
    """
    if not receipt.succeeded:
        return Evidence(Verdict.REVERTED)
    said = decode_approvals(receipt, order.token, owner=transfer.sender, spender=order.spender)
    if said != (order.amount_minor,):
        return Evidence(
            Verdict.CONTRADICTION,
            reason=f"the token's events say {list(said)}, an allowance of {order.amount_minor}"
            " was sent",
        )
    if allowed + used != order.amount_minor:
        return Evidence(
            Verdict.CONTRADICTION,
            reason=f"the token allows {allowed} after the block and {used} were used in it;"
            f" {order.amount_minor} was sent",
        )
    return Evidence(Verdict.PAID)


def examine_top_up(receipt: Receipt) -> Evidence:
    """Coins have no contract that could lie about them: they moved if and only if the call succeeded."""
    return Evidence(Verdict.PAID if receipt.succeeded else Verdict.REVERTED)


def holders(transfer: Transfer) -> list[str]:
    """Whose balances the evidence is held against."""
    return [transfer.sender, *(item.recipient for item in transfer.items)]
