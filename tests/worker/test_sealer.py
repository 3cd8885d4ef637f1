"""Every organization's events are sealed, whatever state another one's history is in."""

from uuid_utils.compat import uuid7

from tests.support.clock import START
from tests.support.database import run_as_owner
from tests.support.organization import create_organization
from treasurer.audit import store
from treasurer.audit.model import AuditEvent
from treasurer.audit.service import AuditService
from treasurer.db.engine import Database, DatabaseUrls
from treasurer.kernel.ids import OrganizationId
from worker.sealer import seal_all


async def test_a_damaged_history_keeps_no_other_from_being_sealed(
    database: Database, database_urls: DatabaseUrls
) -> None:
    audit = AuditService(database)
    ids = sorted([(await create_organization(database)).id for _ in range(5)])
    for id_ in ids:
        await _record(database, id_)
        await audit.seal(id_)
        await _record(database, id_)
    # As after a restore that brought the seals back and not the head: the next seal is there already.
    damaged = ids[0]
    run_as_owner(database_urls, damaged, "UPDATE audit_heads SET sequence = sequence - 1")
    assert await seal_all(database, audit) == 4
    assert [(await audit.verify(id_)).events for id_ in ids[1:]] == [2, 2, 2, 2]


async def _record(database: Database, organization_id: OrganizationId) -> None:
    event = AuditEvent("invoice", uuid7(), "invoice.received", {})
    async with database.unit(organization_id) as connection:
        await store.append(connection, organization_id, [event], now=START, new_id=uuid7)
