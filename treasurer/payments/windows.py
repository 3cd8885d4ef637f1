"""Owns the sums by scope that windows are held against. Must never sum history.

As in `treasurer.payments.spending`: in flight from hold to settlement or void, whatever its age, then
settled by whole minutes. All but a window's oldest day is read by days. The caller holds the budget lock
for what binds.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import repeat

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from policy.scopes import Window, first_minute
from treasurer.kernel.ids import OrganizationId, PaymentId

Sums = Mapping[tuple[Window, str], int]
"""Reporting amounts by window and by the key of its scope (`policy.scopes.key_of`)."""

_MOVED = """
    SELECT p.organization_id, s.scope, s.key, sum(p.reporting_amount_minor) AS amount
    FROM payments p
    JOIN payee_addresses d ON d.organization_id = p.organization_id AND d.id = p.payee_address_id,
        LATERAL payment_scopes(p, d.chain_id) s
    WHERE p.organization_id = :organization_id AND p.id = ANY(:ids)
    GROUP BY p.organization_id, s.scope, s.key
"""
_TAKE_OFF = text(f"""
    INSERT INTO scoped_in_flight (organization_id, scope, key, amount_minor) {_MOVED}
    ON CONFLICT (organization_id, scope, key)
    DO UPDATE SET amount_minor = scoped_in_flight.amount_minor + excluded.amount_minor
""")
_COME_BACK = text(f"""
    UPDATE scoped_in_flight f SET amount_minor = f.amount_minor - m.amount FROM ({_MOVED}) m
    WHERE f.organization_id = :organization_id AND f.scope = m.scope AND f.key = m.key
""")
_LAND = text(f"""
    WITH moved AS ({_MOVED}), landed AS (
        UPDATE scoped_in_flight f SET amount_minor = f.amount_minor - m.amount FROM moved m
        WHERE f.organization_id = :organization_id AND f.scope = m.scope AND f.key = m.key)
    INSERT INTO scoped_spending (organization_id, scope, key, bucket, starts_at, amount_minor)
    SELECT m.organization_id, m.scope, m.key, b.bucket,
        date_trunc(b.bucket, CAST(:now AS timestamptz), 'UTC'), m.amount
    FROM moved m, (VALUES ('minute'), ('day')) AS b (bucket)
    ON CONFLICT (organization_id, scope, key, bucket, starts_at)
    DO UPDATE SET amount_minor = scoped_spending.amount_minor + excluded.amount_minor
""")
_READ = text("""
    SELECT coalesce((
            SELECT f.amount_minor FROM scoped_in_flight f
            WHERE f.organization_id = :organization_id AND f.scope = w.scope AND f.key = w.key), 0)
        + coalesce((
            SELECT sum(m.amount_minor) FROM scoped_spending m
            WHERE m.organization_id = :organization_id AND m.scope = w.scope AND m.key = w.key
              AND m.bucket = 'minute' AND m.starts_at >= w.first_minute
              AND m.starts_at < w.first_day), 0)
        + coalesce((
            SELECT sum(d.amount_minor) FROM scoped_spending d
            WHERE d.organization_id = :organization_id AND d.scope = w.scope AND d.key = w.key
              AND d.bucket = 'day' AND d.starts_at >= w.first_day), 0) AS sum_minor
    FROM unnest(CAST(:scopes AS text[]), CAST(:keys AS text[]),
                CAST(:first_minutes AS timestamptz[]), CAST(:first_days AS timestamptz[]))
         WITH ORDINALITY AS w (scope, key, first_minute, first_day, position)
    ORDER BY w.position
""")


async def take_off(
    connection: AsyncConnection, organization_id: OrganizationId, ids: Sequence[PaymentId]
) -> None:
    """Count these payments as in flight in all their scopes: their holds stand."""
    await connection.execute(_TAKE_OFF, {"organization_id": organization_id, "ids": list(ids)})


async def come_back(
    connection: AsyncConnection, organization_id: OrganizationId, ids: Sequence[PaymentId]
) -> None:
    """Their transfers were voided: they count no more."""
    await connection.execute(_COME_BACK, {"organization_id": organization_id, "ids": list(ids)})


async def land(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    ids: Sequence[PaymentId],
    now: datetime,
) -> None:
    """Their transfers settled: they leave flight and count from `now`."""
    await connection.execute(
        _LAND, {"organization_id": organization_id, "ids": list(ids), "now": now}
    )


async def sums(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    wanted: Collection[tuple[Window, str]],
    now: datetime,
) -> Sums:
    """The wanted sums at `now`, in one query. Binding only under the budget lock."""
    if not wanted:
        return {}
    distinct = sorted(set(wanted))
    minutes = [first_minute(window.period, now) for window, _ in distinct]
    rows = await connection.execute(
        _READ,
        {
            "organization_id": organization_id,
            "scopes": [window.scope.value for window, _ in distinct],
            "keys": [key for _, key in distinct],
            "first_minutes": minutes,
            "first_days": list(map(_next_midnight, minutes)),
        },
    )
    return dict(zip(distinct, (int(row.sum_minor) for row in rows), strict=True))


def grown(sums: Sums, keys: Collection[tuple[Window, str]], amount_minor: int) -> Sums:
    """The sums once another payment, counted by `keys`, is in flight."""
    more = dict(zip(keys, repeat(amount_minor)))
    return {key: minor + more.get(key, 0) for key, minor in sums.items()}


def _next_midnight(minute: datetime) -> datetime:
    midnight = minute.replace(hour=0, minute=0)
    return midnight if midnight == minute else midnight + timedelta(days=1)
