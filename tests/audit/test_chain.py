"""The audit chain: gapless versions, seals that follow, and faults that are found."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from uuid_utils.compat import uuid7

from tests.support.clock import START
from tests.support.organization import TestOrganization
from treasurer.audit import store
from treasurer.audit.model import AuditEvent, ChainVerifier, SealedEvent
from treasurer.audit.service import AuditService
from treasurer.db.engine import Database

Append = Callable[..., Awaitable[None]]


@pytest.fixture
def append(database: Database, organization: TestOrganization) -> Append:
    async def append_events(*events: AuditEvent) -> None:
        async with database.unit(organization.id) as connection:
            await store.append(connection, organization.id, events, now=START, new_id=uuid7)

    return append_events


async def _sealed(database: Database, organization: TestOrganization) -> list[SealedEvent]:
    async with database.unit(organization.id) as connection:
        return await store.sealed_page(connection, organization.id, after=0, most=100)


async def test_versions_count_up_for_each_aggregate(
    database: Database, organization: TestOrganization, append: Append
) -> None:
    one, two = uuid7(), uuid7()
    await append(
        AuditEvent("payment", one, "payment.proposed", {"amount_minor": "1"}),
        AuditEvent("invoice", two, "invoice.received", {}),
        AuditEvent("payment", one, "payment.approved", {}, organization.cfo.user_id),
    )
    await append(AuditEvent("payment", one, "payment.settled", {}))
    assert await AuditService(database).seal(organization.id) == 4
    events = await _sealed(database, organization)
    assert [(event.sequence, event.kind, event.version) for event in events] == [
        (1, "payment.proposed", 1),
        (2, "invoice.received", 1),
        (3, "payment.approved", 2),
        (4, "payment.settled", 3),
    ]
    verification = await AuditService(database).verify(organization.id)
    assert (verification.events, verification.fault) == (4, None)
    assert verification.head_hash == events[-1].hash


async def test_sealing_again_seals_only_what_is_new(
    database: Database, organization: TestOrganization, append: Append
) -> None:
    service = AuditService(database)
    await append(AuditEvent("invoice", uuid7(), "invoice.received", {}))
    assert [await service.seal(organization.id), await service.seal(organization.id)] == [1, 0]


async def test_pages_follow_the_order_of_recording_and_not_of_ids(
    database: Database, organization: TestOrganization
) -> None:
    """Ids come from the clocks of several hosts; an aggregate's later event may have the lower one."""
    payment, ids = uuid7(), sorted((uuid7() for _ in range(3)), reverse=True)
    for id_ in ids:
        async with database.unit(organization.id) as connection:
            await store.append(
                connection,
                organization.id,
                [AuditEvent("payment", payment, "payment.proposed", {})],
                now=START,
                new_id=iter([id_]).__next__,
            )
    async with database.unit(organization.id) as connection:
        # As the planner may, and as a vacuumed table gives back: not in the order of recording.
        await connection.execute(text("SET LOCAL enable_seqscan = off"))
        for _ in ids:
            assert await store.seal(connection, organization.id, most=1) == 1
    assert [event.event_id for event in await _sealed(database, organization)] == ids
    assert (await AuditService(database).verify(organization.id)).fault is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"payload": {"amount_minor": "2"}}, "changed after it was recorded"),
        ({"kind": "payment.denied"}, "does not follow"),
        ({"version": 2}, "skips to version 2"),
        ({"sequence": 2}, "a seal is missing"),
        ({"hash": bytes(32)}, "does not follow"),
    ],
)
async def test_every_changed_field_is_found(
    database: Database,
    organization: TestOrganization,
    append: Append,
    change: dict[str, object],
    reason: str,
) -> None:
    await append(AuditEvent("payment", uuid7(), "payment.proposed", {"amount_minor": "1"}))
    await AuditService(database).seal(organization.id)
    (event,) = await _sealed(database, organization)
    from dataclasses import replace

    fault = ChainVerifier().check([replace(event, **change)])  # type: ignore[arg-type]
    assert fault is not None
    assert reason in fault.reason


async def test_erasing_content_keeps_the_chain(
    database: Database, organization: TestOrganization, append: Append
) -> None:
    await append(AuditEvent("payee", uuid7(), "payee.created", {"name": "A person"}))
    await AuditService(database).seal(organization.id)
    (event,) = await _sealed(database, organization)
    from dataclasses import replace

    assert ChainVerifier().check([replace(event, salt=None, payload=None)]) is None


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_events SET kind = 'x'", "DELETE FROM audit_events"]
)
async def test_the_app_role_cannot_rewrite_events(
    database: Database, organization: TestOrganization, statement: str
) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        async with database.unit(organization.id) as connection:
            await connection.execute(text(statement))


async def test_a_rolled_back_change_leaves_no_event(
    database: Database, organization: TestOrganization
) -> None:
    class Abandoned(Exception):
        pass

    with pytest.raises(Abandoned):
        async with database.unit(organization.id) as connection:
            event = AuditEvent("invoice", uuid7(), "invoice.received", {})
            await store.append(connection, organization.id, [event], now=START, new_id=uuid7)
            raise Abandoned
    assert await AuditService(database).seal(organization.id) == 0
