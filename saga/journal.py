"""Owns how transfers speak to the audit log. Must never be the reason for a transition."""

from collections.abc import Iterable, Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from saga.context import SagaContext
from saga.transfer import Transfer
from treasurer.audit import store as audit
from treasurer.audit.model import AuditEvent
from treasurer.kernel.digest import Canonical
from treasurer.kernel.ids import OrganizationId


async def record(
    context: SagaContext,
    connection: AsyncConnection,
    organization_id: OrganizationId,
    kind: str,
    transfers: Iterable[tuple[Transfer, Mapping[str, Canonical]]],
) -> None:
    """One event a transfer, in the transaction of its transition."""
    events = [
        AuditEvent(
            "transfer",
            transfer.id,
            kind,
            {"payment_ids": [str(item.payment_id) for item in transfer.items], **payload},
        )
        for transfer, payload in transfers
    ]
    await audit.append(
        connection, organization_id, events, now=context.clock(), new_id=context.new_id
    )
