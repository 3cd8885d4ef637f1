"""What the signer cannot do for now is waited for; what it will not do is given up by a cancel."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import pytest

from saga.engine import Pump
from tests.faults.chain import NodeChain
from tests.faults.signers import Answer, Signs
from tests.faults.world import build_world
from treasurer.chain.signer_client import RecordedAttempt, SignerClient, SignerRefusal
from treasurer.db.engine import Database
from treasurer.kernel.signing import SignRequest


@dataclass
class Refusing:
    """Refuses everything with `code` while it has one."""

    signer: Signs
    code: str

    async def sign(self, requests: Sequence[SignRequest]) -> list[Answer]:
        if self.code:
            return [SignerRefusal(self.code, "not now") for _ in requests]
        return await self.signer.sign(requests)

    async def slot(self, chain_id: int, wallet: str, nonce: int) -> list[RecordedAttempt]:
        return await self.signer.slot(chain_id, wallet, nonce)


@pytest.mark.parametrize(
    ("code", "kinds"), [("KEY_UNAVAILABLE", ["payment"]), ("AMOUNT_OVER_CAP", ["cancel"])]
)
async def test_a_key_service_that_is_away_costs_no_cancel(
    laboratory: Database, code: str, kinds: list[str]
) -> None:
    world = await build_world(laboratory, f"waits for {code}", wallets=1)
    await world.approve([250_000_000])
    signer = Refusing(world.signer, code)
    pump = Pump(world.context(NodeChain(world.node)), cast("SignerClient", signer))
    for turn in range(7):
        await pump.pass_once()
        world.node.mine()
        world.clock.advance(seconds=3)
        signer.code = code if turn < 1 else ""
    assert await world.rows("SELECT kind FROM attempts WHERE number = 1 ORDER BY created_at") == [
        (kind,) for kind in kinds
    ]
    await world.retire()
