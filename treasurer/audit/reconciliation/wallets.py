"""Owns holding the books of each wallet against the chain at one final block, coin by coin (I3, I9).

Must never explain a difference away: what is mined and not yet booked, or booked in a later block, is
named item by item, and the rest is a violation.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, text

from treasurer.audit.reconciliation.model import Check, Found, InFlight, Violation
from treasurer.audit.reconciliation.scene import Scene
from treasurer.chain.port import Receipt
from treasurer.chain.tokens import decode_transfers

LEDGER = Check(
    "I9.balances",
    "A wallet's ledger balance is the chain's at the block, after what is in flight, gas included.",
)
NONCES = Check("I3.nonces", "No wallet made more transactions on chain than slots were given out.")
NOT_YET: Final = "mined, not yet booked"
LATER: Final = "booked in a later block"

# One statement, so that balances and the transfers which explain them are of one instant.
_WALLETS = text("""
    SELECT w.id, w.address, w.next_nonce,
        (SELECT jsonb_object_agg(a.asset, CAST(a.posted_minor AS text)) FROM ledger_accounts a
         WHERE a.organization_id = w.organization_id
           AND a.code = 'wallet:' || w.id || ':' || a.asset) AS posted,
        (SELECT jsonb_agg(jsonb_build_object('id', t.id, 'token', t.token, 'state', t.state,
            'value', (SELECT CAST(u.amount_wei AS text) FROM top_ups u
                      WHERE u.organization_id = t.organization_id AND u.id = t.top_up_id),
            'hashes', (SELECT jsonb_agg(encode(x.transaction_hash, 'hex')) FROM attempts x
                       WHERE x.organization_id = t.organization_id AND x.transfer_id = t.id),
            'cancels', (SELECT jsonb_agg(encode(x.transaction_hash, 'hex')) FROM attempts x
                        WHERE x.organization_id = t.organization_id AND x.transfer_id = t.id
                          AND x.kind = 'cancel')))
         FROM transfers t
         WHERE t.organization_id = w.organization_id AND t.wallet_id = w.id
           AND t.nonce IS NOT NULL
           AND (t.state NOT IN ('settled', 'void') OR t.block_number > :block
                OR t.block_number IS NULL)) AS transfers,
        (SELECT jsonb_agg(jsonb_build_object('id', t.id, 'state', t.state,
            'amount', CAST(u.amount_wei AS text),
            'hashes', (SELECT jsonb_agg(encode(x.transaction_hash, 'hex')) FROM attempts x
                       WHERE x.organization_id = t.organization_id AND x.transfer_id = t.id
                         AND x.kind = 'top_up')))
         FROM top_ups u JOIN transfers t
           ON t.organization_id = u.organization_id AND t.top_up_id = u.id
         WHERE u.organization_id = w.organization_id AND u.recipient_wallet_id = w.id
           AND t.nonce IS NOT NULL
           AND (t.state NOT IN ('settled', 'void') OR t.block_number > :block)) AS top_ups,
        (SELECT jsonb_agg(jsonb_build_object('id', d.id, 'token', d.token,
            'amount', CAST(d.amount_minor AS text)))
         FROM deposits d
         WHERE d.organization_id = w.organization_id AND d.wallet_id = w.id
           AND d.state = 'booked' AND d.block_number > :block) AS deposits,
        (SELECT jsonb_agg(jsonb_build_object('id', d.id, 'amount', CAST(d.amount_wei AS text)))
         FROM coin_deposits d
         WHERE d.organization_id = w.organization_id AND d.wallet_id = w.id
           AND d.block_number > :block) AS coin_deposits
    FROM wallets w WHERE w.organization_id = :organization_id AND w.chain_id = :chain_id
    ORDER BY w.id
""")


@dataclass(frozen=True, slots=True)
class Wallets:
    """The examination of all wallets of the organization on its network."""

    @property
    def checks(self) -> Sequence[Check]:
        return [LEDGER, NONCES]

    async def find(self, scene: Scene) -> AsyncIterator[Found]:
        rows = await scene.rows(_WALLETS, block=scene.block.number, chain_id=scene.network.chain_id)
        for row in rows:
            async for found in _wallet(scene, row):
                yield found


async def _wallet(scene: Scene, row: Row[Any]) -> AsyncIterator[Found]:
    used = scene.nonces.get(row.address)
    if used is not None and used > row.next_nonce:
        yield Violation(
            NONCES.id,
            "WALLET_USED_ELSEWHERE",
            {"wallet_id": str(row.id)},
            {"nonces_used": used, "next_nonce": row.next_nonce},
        )
    posted = {asset: int(amount) for asset, amount in (row.posted or {}).items()}
    items = [item async for item in _in_flight(scene, row)]
    on_chain = await _balances(scene, row.address)
    for asset, amount in on_chain.items():
        own = [item for item in items if item.asset == asset]
        expected = posted.get(asset, 0) + sum(item.amount_minor for item in own)
        for item in own:
            yield item
        if expected != amount:
            yield Violation(
                LEDGER.id,
                _name(scene, asset, own, amount - expected),
                {"wallet_id": str(row.id), "asset": asset},
                {
                    "posted": posted.get(asset, 0),
                    "in_flight": sum(item.amount_minor for item in own),
                    "on_chain": amount,
                    "difference": amount - expected,
                    "block": scene.block.number,
                },
            )


def _name(scene: Scene, asset: str, in_flight: Sequence[InFlight], difference: int) -> str:
    """Coins leave no log: what somebody sends is seen as a difference only, and is booked once nothing of
    the wallet is under way. A difference that is an item in flight was counted twice, and came from nobody.
    """
    counted = {abs(item.amount_minor) for item in in_flight}
    if asset == scene.network.native.symbol and difference > 0 and difference not in counted:
        return "NATIVE_DEPOSIT_NOT_BOOKED"
    return "LEDGER_IS_NOT_CHAIN"


async def _balances(scene: Scene, address: str) -> dict[str, int]:
    number = scene.block.number
    (native,) = await scene.chain.native_balances([address], number)
    found = {scene.network.native.symbol: native}
    for token, asset in scene.network.tokens.items():
        (found[asset.symbol],) = await scene.chain.token_balances(token, [address], number)
    return found


async def _in_flight(scene: Scene, row: Row[Any]) -> AsyncIterator[InFlight]:
    deposits = [
        *((scene.network.tokens[each["token"]], each) for each in row.deposits or ()),
        *((scene.network.native, each) for each in row.coin_deposits or ()),
    ]
    for received, deposit in deposits:
        yield InFlight(
            wallet_id=str(row.id),
            transfer_id=str(deposit["id"]),
            asset=received.symbol,
            amount_minor=-int(deposit["amount"]),
            why=LATER,
        )
    for top_up in row.top_ups or ():
        async for arrived in _arrival(scene, str(row.id), top_up):
            yield arrived
    for transfer in row.transfers or ():
        hashes = [bytes.fromhex(hash_) for hash_ in transfer["hashes"] or ()]
        receipts = await scene.chain.receipts_of(hashes) if hashes else []
        booked = transfer["state"] in ("settled", "void")
        for receipt in receipts:
            if receipt is None or (receipt.block_number <= scene.block.number) is booked:
                continue
            sign = 1 if booked else -1
            value = (
                0
                if receipt.transaction_hash.hex() in (transfer["cancels"] or ())
                else (int(transfer["value"] or 0))
            )
            for asset, amount in _cost(scene, row.address, receipt, value).items():
                yield InFlight(
                    wallet_id=str(row.id),
                    transfer_id=str(transfer["id"]),
                    asset=asset,
                    amount_minor=sign * amount,
                    why=LATER if booked else NOT_YET,
                )


async def _arrival(
    scene: Scene, wallet_id: str, top_up: Mapping[str, Any]
) -> AsyncIterator[InFlight]:
    """Gas money that another own wallet sent here: mined, or booked in a later block."""
    hashes = [bytes.fromhex(hash_) for hash_ in top_up["hashes"] or ()]
    booked = top_up["state"] in ("settled", "void")
    for receipt in await scene.chain.receipts_of(hashes) if hashes else []:
        if receipt is None or not receipt.succeeded:
            continue
        if (receipt.block_number <= scene.block.number) is not booked:
            yield InFlight(
                wallet_id=wallet_id,
                transfer_id=top_up["id"],
                asset=scene.network.native.symbol,
                amount_minor=(-1 if booked else 1) * int(top_up["amount"]),
                why=LATER if booked else NOT_YET,
            )


def _cost(scene: Scene, address: str, receipt: Receipt, value_wei: int) -> dict[str, int]:
    """What the transaction took from the wallet: its fee, the gas money and the pinned tokens that left."""
    cost: dict[str, int] = defaultdict(int)
    if receipt.succeeded:
        cost[scene.network.native.symbol] += value_wei
    cost[scene.network.native.symbol] += receipt.fee_wei
    for token, asset in scene.network.tokens.items():
        for moved in decode_transfers(receipt, token):
            if moved.sender == address:
                cost[asset.symbol] += moved.amount_minor
            if moved.recipient == address:
                cost[asset.symbol] -= moved.amount_minor
    return {asset: amount for asset, amount in cost.items() if amount}
