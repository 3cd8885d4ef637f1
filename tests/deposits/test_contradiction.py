"""Nodes that tell different final chains: nothing is booked, people are told once, others go on."""

from uuid_utils.compat import uuid7

from tests.faults.chain import NodeChain
from tests.faults.world import build_world
from treasurer.chain.errors import ProvidersDisagree
from treasurer.chain.port import BlockRef, BlockSelector
from treasurer.db.engine import Database
from treasurer.incidents.service import IncidentService
from worker.deposits import follow_all


class _TwoMinds(NodeChain):
    """Two nodes of which each calls another block final."""

    async def finalized(self) -> BlockRef:
        raise ProvidersDisagree("the final block", "a and b")


async def test_an_incident_is_opened_and_the_next_pass_goes_on(database: Database) -> None:
    world = await build_world(database, "two minds", wallets=1)
    incidents = IncidentService(database=database, clock=world.clock, new_id=uuid7)
    world.node.give(world.wallets[0].address, 5)
    for _ in range(4):
        world.node.mine()
    torn = world.coins(_TwoMinds(world.node))
    assert [await follow_all(database, torn, incidents) for _ in range(2)] == [0, 0]
    (incident,) = await incidents.page(world.organization.administrator)
    assert (incident.kind, incident.subject_id) == ("providers.contradict", world.organization.id)
    assert incident.message.startswith("the final block: a and b contradict each other;")
    assert await follow_all(database, world.coins(), incidents) == 1


class _Unforeseen(NodeChain):
    """A node that breaks over one wallet in a way that nobody foresaw."""

    broken = ""

    async def nonce(self, address: str, block: BlockSelector = "latest") -> int:
        if address == self.broken:
            raise RuntimeError("unforeseen")
        return await super().nonce(address, block)


async def test_one_organization_that_breaks_keeps_no_other_from_being_followed(
    database: Database,
) -> None:
    first = await build_world(database, "breaks", wallets=1)
    world = await build_world(database, "goes on", wallets=1)
    assert first.organization.id < world.organization.id
    incidents = IncidentService(database=database, clock=world.clock, new_id=uuid7)
    world.node.give(world.wallets[0].address, 5)
    for _ in range(4):
        world.node.mine()
    chain = _Unforeseen(world.node)
    chain.broken = first.wallets[0].address
    assert await follow_all(database, world.coins(chain), incidents) == 1
