"""Nodes that tell different final chains: nothing is booked, and people are told once."""

from uuid_utils.compat import uuid7

from tests.faults.chain import NodeChain
from tests.faults.world import build_world
from treasurer.chain.errors import ProvidersDisagree
from treasurer.chain.port import BlockRef
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
