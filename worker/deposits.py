"""Owns when the chain is followed: every few seconds, for every organization. Must never skip one."""

import structlog
from sqlalchemy import text

from treasurer.chain.errors import ProvidersDisagree
from treasurer.db.engine import Database
from treasurer.db.turns import each
from treasurer.deposits.coins import CoinService
from treasurer.deposits.service import DepositService
from treasurer.incidents.model import IncidentKind
from treasurer.incidents.service import IncidentService
from treasurer.kernel.errors import Transient
from treasurer.kernel.ids import OrganizationId

_ORGANIZATIONS = text("SELECT id FROM organizations ORDER BY id")

log = structlog.get_logger("worker.deposits")


async def follow_all(
    database: Database, deposits: DepositService | CoinService, incidents: IncidentService
) -> int:
    """One pass for each organization; how many entries were booked."""
    async with database.claims() as connection:
        found = await connection.execute(_ORGANIZATIONS)
        organizations = [(OrganizationId(row[0]),) for row in found]

    async def turn(organization_id: OrganizationId) -> int:
        try:
            return await deposits.follow(organization_id)
        except Transient as error:
            log.info("deposits.waiting", organization_id=str(organization_id), code=error.code)
        except ProvidersDisagree as error:
            log.error(
                "deposits.contradiction",
                organization_id=str(organization_id),
                message=error.message,
            )
            await incidents.report(
                organization_id,
                IncidentKind.PROVIDERS_CONTRADICT,
                organization_id,
                error.message,
            )
        return 0

    return await each("deposits", organizations, turn)
