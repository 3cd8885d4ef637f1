"""Owns the sums that limits are held against: in flight, by minute, by day. Must never sum history.

An amount is in flight from its hold to its settlement or void, whatever its age; a settled one counts
from its settlement, in whole minutes, the oldest minute counted whole. Reporting currency throughout.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.kernel.errors import InvariantViolated
from treasurer.kernel.ids import OrganizationId
from treasurer.kernel.money import Asset
from treasurer.payments.facts import Treasury

_LOCK = text("""
    SELECT in_flight_minor FROM budgets WHERE organization_id = :organization_id
    FOR NO KEY UPDATE
""")
_TREASURY = text("""
    SELECT o.reporting_currency, o.reporting_decimals, o.frozen, o.mode,
        o.declared_monthly_burn_minor,
        (SELECT in_flight_minor FROM budgets b WHERE b.organization_id = o.id) AS in_flight,
        coalesce((SELECT sum(amount_minor) FROM spend_minutes m
                  WHERE m.organization_id = o.id AND m.minute > :window_start), 0) AS settled,
        coalesce((SELECT sum(amount_minor) FROM outflow_days d
                  WHERE d.organization_id = o.id AND d.day > :since_day), 0) AS outflow,
        coalesce((SELECT sum(amount_minor) FROM bank_balances k
                  WHERE k.organization_id = o.id AND k.currency = o.reporting_currency), 0) AS bank
    FROM organizations o WHERE o.id = :organization_id
""")
_REPORTING = text("SELECT reporting_currency FROM organizations WHERE id = :organization_id")
_IN_FLIGHT = text("""
    UPDATE budgets SET in_flight_minor = in_flight_minor + :change
    WHERE organization_id = :organization_id
""")
_ADD_MINUTE = text("""
    INSERT INTO spend_minutes (organization_id, minute, amount_minor)
    VALUES (:organization_id, date_trunc('minute', CAST(:now AS timestamptz), 'UTC'), :amount)
    ON CONFLICT (organization_id, minute)
    DO UPDATE SET amount_minor = spend_minutes.amount_minor + excluded.amount_minor
""")
_ADD_DAY = text("""
    INSERT INTO outflow_days (organization_id, day, amount_minor, payments)
    VALUES (:organization_id, CAST(CAST(:now AS timestamptz) AT TIME ZONE 'UTC' AS date), :amount,
            :payments)
    ON CONFLICT (organization_id, day)
    DO UPDATE SET amount_minor = outflow_days.amount_minor + excluded.amount_minor,
                  payments = outflow_days.payments + excluded.payments
""")


async def lock(connection: AsyncConnection, organization_id: OrganizationId) -> None:
    """Hold the organization's budget row until the commit, so that two reserves never overlap."""
    row = await connection.execute(_LOCK, {"organization_id": organization_id})
    if row.one_or_none() is None:
        raise InvariantViolated("BUDGET_MISSING", "the organization has no budget row")


async def treasury(
    connection: AsyncConnection, organization_id: OrganizationId, now: datetime
) -> Treasury:
    """What limits and runway are held against, at `now`. Binding only under `lock`."""
    minute = now.replace(second=0, microsecond=0)
    row = (
        (
            await connection.execute(
                _TREASURY,
                {
                    "organization_id": organization_id,
                    # A bucket is left out only when all of its minute lies before the window.
                    "window_start": minute - timedelta(hours=24, minutes=1),
                    "since_day": (now - timedelta(days=90)).date(),
                },
            )
        )
        .mappings()
        .one()
    )
    burn = row["declared_monthly_burn_minor"]
    return Treasury(
        reporting=Asset(row["reporting_currency"], row["reporting_decimals"]),
        frozen=row["frozen"],
        live=row["mode"] == "live",
        declared_monthly_burn_minor=int(burn) if burn is not None else None,
        outflow_90d_minor=int(row["outflow"]),
        bank_minor=int(row["bank"]),
        in_flight_minor=int(row["in_flight"]),
        settled_24h_minor=int(row["settled"]),
    )


async def take_off(
    connection: AsyncConnection, organization_id: OrganizationId, amounts_minor: Sequence[int]
) -> None:
    """Count amounts as in flight: their holds stand."""
    await connection.execute(
        _IN_FLIGHT, {"organization_id": organization_id, "change": sum(amounts_minor)}
    )


async def come_back(
    connection: AsyncConnection, organization_id: OrganizationId, amounts_minor: Sequence[int]
) -> None:
    """Their transfers were voided: they count no more."""
    await connection.execute(
        _IN_FLIGHT, {"organization_id": organization_id, "change": -sum(amounts_minor)}
    )


async def land(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    amounts_minor: Sequence[int],
    now: datetime,
) -> None:
    """Their transfers settled: they leave flight and count from `now`, in window and runway."""
    total = sum(amounts_minor)
    await connection.execute(_IN_FLIGHT, {"organization_id": organization_id, "change": -total})
    parameters = {"organization_id": organization_id, "now": now, "amount": total}
    await connection.execute(_ADD_MINUTE, parameters)
    await connection.execute(_ADD_DAY, parameters | {"payments": len(amounts_minor)})


async def reporting_currency(connection: AsyncConnection, organization_id: OrganizationId) -> str:
    """The currency that the organization's limits are written in."""
    row = await connection.execute(_REPORTING, {"organization_id": organization_id})
    return str(row.scalar_one())
