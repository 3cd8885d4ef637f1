"""Owns what a token movement of an own wallet means for the books. Pure. Must never guess who sent.

Facts of the chain are always booked (I8). What nobody can name goes to suspense, where people find it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID, uuid5

from treasurer.chain.port import PlacedLog
from treasurer.chain.tokens import decode_transfer
from treasurer.kernel.ids import PayeeId, WalletId
from treasurer.kernel.money import Asset
from treasurer.ledger.model import (
    AccountCode,
    supplier_refunds,
    suspense,
    transit,
    wallet_account,
)

_NAMESPACE = UUID("5f0a1d5e-6a0e-4a63-9d0f-2b1f6a0b7c11")
FOREIGN_OUTFLOW = "wallet.foreign_outflow"


@dataclass(frozen=True, slots=True)
class OwnWallet:
    """A wallet in the books. What it held at `opened_block` came in with the opening entry."""

    id: WalletId
    address: str
    opened_block: int


@dataclass(frozen=True, slots=True)
class Movement:
    """A `Transfer` event of a pinned token. `id` follows from (chain, block hash, log index)."""

    id: UUID
    placed: PlacedLog
    token: str
    asset: Asset
    sender: str
    recipient: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Booking:
    """One entry to write. `deposit_to` is the wallet that got something, `incident_of` one that lost
    something without us.
    """

    kind: str
    movement: Movement
    debit: AccountCode
    credit: AccountCode
    deposit_to: WalletId | None = None
    payee_id: PayeeId | None = None
    incident_of: WalletId | None = None


def movements(
    logs: Iterable[PlacedLog], *, chain_id: int, assets: Mapping[str, Asset]
) -> list[Movement]:
    """What `logs` moved of `assets`, by token address.

    Events of amount 0 move nothing: anybody can make a token name our wallet as their sender.
    """
    found = []
    for placed in logs:
        transfer, asset = decode_transfer(placed.log), assets.get(placed.log.address)
        if transfer is None or asset is None or transfer.amount_minor == 0:
            continue
        name = f"{chain_id}:{placed.block_hash.hex()}:{placed.log.log_index}"
        found.append(
            Movement(
                id=uuid5(_NAMESPACE, name),
                placed=placed,
                token=placed.log.address,
                asset=asset,
                sender=transfer.sender,
                recipient=transfer.recipient,
                amount_minor=transfer.amount_minor,
            )
        )
    return found


def receiver(movement: Movement, wallets: Mapping[str, OwnWallet]) -> OwnWallet | None:
    """The own wallet that `movement` reached since its books were opened, from elsewhere."""
    if movement.sender == movement.recipient:
        return None
    return _followed(wallets.get(movement.recipient), movement)


def bookings(
    moved: Iterable[Movement],
    *,
    wallets: Mapping[str, OwnWallet],
    own_hashes: Collection[bytes],
    payees: Mapping[str, PayeeId],
) -> list[Booking]:
    """The entries for final movements.

    `own_hashes` are transactions that we signed: what those send is booked by their transfers. `payees`
    are known by addresses that somebody verified.
    """
    made = []
    for movement in moved:
        to = receiver(movement, wallets)
        origin = _followed(wallets.get(movement.sender), movement)
        ours = movement.placed.transaction_hash in own_hashes
        if to is not None:
            made.append(_arrival(movement, to, origin, ours, payees))
        elif origin is not None and not ours and movement.sender != movement.recipient:
            asset = movement.asset
            made.append(
                Booking(
                    FOREIGN_OUTFLOW,
                    movement,
                    debit=suspense(asset),
                    credit=wallet_account(origin.id, asset),
                    incident_of=origin.id,
                )
            )
    return made


def _arrival(
    movement: Movement,
    to: OwnWallet,
    origin: OwnWallet | None,
    ours: bool,
    payees: Mapping[str, PayeeId],
) -> Booking:
    asset = movement.asset
    debit = wallet_account(to.id, asset)
    if origin is not None and not ours:
        credit = wallet_account(origin.id, asset)
        return Booking(
            "wallet.moved", movement, debit, credit, deposit_to=to.id, incident_of=origin.id
        )
    if origin is not None:
        return Booking("wallet.arrived", movement, debit, transit(asset), deposit_to=to.id)
    payee_id = payees.get(movement.sender)
    credit = suspense(asset) if payee_id is None else supplier_refunds(asset)
    return Booking("deposit.booked", movement, debit, credit, deposit_to=to.id, payee_id=payee_id)


def _followed(wallet: OwnWallet | None, movement: Movement) -> OwnWallet | None:
    if wallet is None or movement.placed.block_number <= wallet.opened_block:
        return None
    return wallet
