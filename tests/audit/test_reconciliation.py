"""Each check fires on its own violation, planted in the rows or on the chain, and on nothing else."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace

import pytest
import pytest_asyncio

from policy.quorum import Choice
from saga.engine import Pump
from tests.faults.chain import NodeChain
from tests.faults.node import Block, Node
from tests.faults.world import NETWORK, World, build_world
from tests.support.planting import planted
from tests.support.violations import ROWS
from treasurer.audit.reconciliation.model import Check, Report
from treasurer.audit.reconciliation.registry import EXAMINATIONS, UNCHECKED
from treasurer.audit.reconciliation.service import Reconciliation
from treasurer.audit.service import AuditService
from treasurer.chain.port import Receipt
from treasurer.db.engine import Database, DatabaseUrls
from treasurer.db.roles import OWNER

ALL_CHECKS: list[Check] = [check for examination in EXAMINATIONS for check in examination.checks]


@dataclass(frozen=True)
class Audited:
    """A world with every kind of row, whose books and chain agree."""

    world: World
    urls: DatabaseUrls

    async def found(
        self,
        *statements: str,
        node: Node | None = None,
        role: str | None = OWNER,
    ) -> set[str]:
        """`check CODE` of all that is found after `statements`, on the node as it is given."""
        report = await self.report(*statements, node=node, role=role)
        assert [result.failed for result in report.results if result.failed] == []
        return {
            f"{violation.check} {violation.code}"
            for result in report.results
            for violation in result.violations
        }

    async def report(
        self, *statements: str, node: Node | None = None, role: str | None = OWNER
    ) -> Report:
        world = self.world
        async with planted(self.urls, world.organization.id, *statements, role=role) as database:
            reconciliation = Reconciliation(
                database=database,
                chain=NodeChain(node or world.node),
                network=NETWORK,
                audit=AuditService(database),
                clock=world.clock,
                new_id=lambda: world.organization.id,
            )
            return await reconciliation.examine(world.organization.id)


async def _vote(world: World) -> None:
    (request,) = await world.approvals.page_open(world.organization.approver)
    await world.approvals.vote(
        world.organization.approver, request.id, Choice.APPROVE, "", request.order_digest
    )


async def _run(world: World, passes: int) -> None:
    pump = Pump(world.context(NodeChain(world.node)), world.signer)
    for _ in range(passes):
        await pump.pass_once()
        world.node.mine()
        world.clock.advance(seconds=1)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def audited(database: Database, database_urls: DatabaseUrls) -> Audited:
    return Audited(await _lived_in(database), database_urls)


async def _lived_in(database: Database) -> World:
    """Two payments allowed, one approved by a person, one reverted, one final and not yet booked."""
    world = await build_world(database, "audited", wallets=2)
    await world.approve([100_000_000, 200_000_000])
    await world.propose(5_000_000_000)
    await _vote(world)
    await _run(world, 8)
    world.node.blocked.add(world.payees[0].addresses[0].address)
    await world.approve([300_000_000])
    await _run(world, 5)
    world.node.blocked.clear()
    await world.postpone()
    await world.approve([400_000_000])
    pump = Pump(world.context(NodeChain(world.node)), world.signer)
    await pump.pass_once()
    for _ in range(4):
        world.node.mine()
    await world.audit.seal(world.organization.id)
    assert await world.rows("SELECT state, count(*) FROM transfers GROUP BY 1 ORDER BY 1") == [
        ("broadcast", 1),
        ("settled", 3),
        ("void", 1),
    ]
    return world


async def test_a_clean_world_has_no_violation(audited: Audited) -> None:
    report = await audited.report()
    assert report.clean
    assert [result.check for result in report.results] == ALL_CHECKS
    assert report.block_number == audited.world.node.finalized.ref.number


async def test_what_is_mined_and_not_booked_is_itemised(audited: Audited) -> None:
    (transfer_id,) = (
        await audited.world.rows("SELECT id FROM transfers WHERE state = 'broadcast'")
    )[0]
    report = await audited.report()
    assert {(item.transfer_id, item.asset, item.why) for item in report.in_flight} == {
        (str(transfer_id), "USDC", "mined, not yet booked"),
        (str(transfer_id), "ETH", "mined, not yet booked"),
    }
    assert [item.amount_minor for item in report.in_flight if item.asset == "USDC"] == [
        -400_000_000
    ]


async def test_what_was_booked_in_a_later_block_is_itemised(audited: Audited) -> None:
    node = deepcopy(audited.world.node)
    last = max(
        block.ref.number
        for block in node.blocks
        if any(receipt.logs for receipt in block.receipts)
        and block.ref.number < len(node.blocks) - 5
    )
    # The node calls that block final no more, so the report is of an older one.
    node.finality_lag = len(node.blocks) - last
    report = await audited.report(node=node)
    (balances,) = (result for result in report.results if result.check.id == "I9.balances")
    assert balances.holds
    assert "booked in a later block" in {item.why for item in report.in_flight}


def test_every_invariant_is_checked_or_named_as_not_checkable() -> None:
    named = {check.id.partition(".")[0] for check in ALL_CHECKS} | UNCHECKED.keys()
    assert named == {f"I{number}" for number in range(1, 21)}
    assert len({check.id for check in ALL_CHECKS}) == len(ALL_CHECKS)


@pytest.mark.parametrize("what", ROWS)
async def test_rows_that_contradict(audited: Audited, what: str) -> None:
    statements, expected = ROWS[what]
    assert await audited.found(*statements) == expected


async def test_a_role_that_row_level_security_does_not_bind(audited: Audited) -> None:
    assert await audited.found("ALTER ROLE treasurer_app BYPASSRLS", role=None) == {
        "I20.role ROLE_SEES_EVERYTHING"
    }


def _paying_block(node: Node) -> tuple[int, Block, Receipt]:
    """The first block with a payment, and the receipt of that payment."""
    for number, block in enumerate(node.blocks):
        for receipt in block.receipts:
            if receipt.logs:
                return number, block, receipt
    raise AssertionError("nothing was paid")


def _swap(node: Node, change: Callable[[Receipt], Receipt | None]) -> None:
    number, block, receipt = _paying_block(node)
    changed = change(receipt)
    others = [other for other in block.receipts if other != receipt]
    receipts = (changed, *others) if changed else tuple(others)
    node.blocks[number] = replace(block, receipts=receipts)


def _without_receipt(node: Node) -> None:
    _swap(node, lambda _: None)


def _paid_twice(node: Node) -> None:
    def twice(receipt: Receipt) -> Receipt:
        (log,) = receipt.logs
        return replace(receipt, logs=(log, replace(log, log_index=99)))

    _swap(node, twice)


def _paid_less(node: Node) -> None:
    def less(receipt: Receipt) -> Receipt:
        (log,) = receipt.logs
        return replace(receipt, logs=(replace(log, data=(1).to_bytes(32)),))

    _swap(node, less)


def _reverted(node: Node) -> None:
    _swap(node, lambda receipt: replace(receipt, succeeded=False, logs=()))


def _used_elsewhere(node: Node) -> None:
    sender = next(iter(node.finalized.state.nonces))
    node.finalized.state.nonces[sender] += 1


def _received_unbooked(node: Node) -> None:
    sender = next(iter(node.finalized.state.nonces))
    node.finalized.state.tokens[sender] += 7


def _received_coins(node: Node) -> None:
    sender = next(iter(node.finalized.state.nonces))
    node.finalized.state.native[sender] += 5


CHAIN: dict[str, tuple[Callable[[Node], None], set[str]]] = {
    "a slot was used by a transaction of somebody else": (
        _without_receipt,
        {
            "I3.own SLOT_USED_BY_ANOTHER_TRANSACTION",
            "I6.settled SETTLED_WITHOUT_FINAL_TRANSACTION",
        },
    ),
    "a payment left twice": (_paid_twice, {"I2.outflow UNEXPLAINED_OUTFLOW"}),
    "less arrived": (
        _paid_less,
        {"I2.outflow PAID_ANOTHER_AMOUNT", "I6.settled SETTLED_WITHOUT_ITS_LOG"},
    ),
    "the payment reverted after all": (
        _reverted,
        {"I6.settled SETTLED_IN_ANOTHER_BLOCK", "I6.settled SETTLED_WITHOUT_ITS_LOG"},
    ),
    "the wallet's key was used elsewhere": (_used_elsewhere, {"I3.nonces WALLET_USED_ELSEWHERE"}),
    "somebody sent coins": (_received_coins, {"I9.balances NATIVE_DEPOSIT_NOT_BOOKED"}),
    "something came in that is not booked": (
        _received_unbooked,
        {"I9.balances LEDGER_IS_NOT_CHAIN"},
    ),
}


@pytest.mark.parametrize("what", CHAIN)
async def test_a_chain_that_contradicts(audited: Audited, what: str) -> None:
    change, expected = CHAIN[what]
    node = deepcopy(audited.world.node)
    change(node)
    assert await audited.found(node=node) == expected


def test_every_check_is_seen_to_fire() -> None:
    """A check that no planting makes fire proves nothing by its silence."""
    planted_ones = {
        entry.partition(" ")[0]
        for _, expected in (*ROWS.values(), *CHAIN.values())
        for entry in expected
    } | {"I20.role"}
    assert {check.id for check in ALL_CHECKS} - planted_ones == set()
