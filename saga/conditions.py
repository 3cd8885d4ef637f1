"""Owns what may still stop a transfer: the kill conditions, read under one snapshot.

Must never be weaker than reserve: frozen, too late, payee or address revoked or replaced, wallet
stopped. Asked before a slot is given, before a signature, and before the first broadcast.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from saga.leases import Leased
from saga.transfer import TransferState
from treasurer.kernel.allowance_order import AllowanceOrder, parse_allowance_order
from treasurer.kernel.ids import TransferId
from treasurer.kernel.top_up_order import TopUpOrder, parse_top_up_order

_FACTS = """
    FROM unnest(CAST(:ids AS uuid[]), CAST(:fences AS integer[])) AS l (id, fence)
    JOIN transfers t ON t.organization_id = :organization_id AND t.id = l.id
    JOIN transfer_items i ON i.organization_id = :organization_id AND i.transfer_id = t.id
    JOIN organizations o ON o.id = :organization_id
    JOIN wallets w ON w.organization_id = :organization_id AND w.id = t.wallet_id
    JOIN payments p ON p.organization_id = :organization_id AND p.id = i.payment_id
    JOIN payees y ON y.organization_id = :organization_id AND y.id = p.payee_id
    JOIN payee_addresses d ON d.organization_id = :organization_id AND d.id = p.payee_address_id
"""
# What is not proven clear is stopped, so a row that is missing anywhere stops its transfer too.
_CLEAR = text(f"""
    SELECT t.id {_FACTS} GROUP BY t.id HAVING bool_and(
        t.fence = l.fence AND t.state = :state AND NOT o.frozen AND o.mode = 'live'
        AND w.state = 'active' AND y.state = 'active' AND d.state = 'verified'
        AND d.address = i.recipient AND p.state = 'executing' AND p.not_after >= :now)
""")
_WHY = text(f"""
    SELECT t.id, t.fence = l.fence AND t.state = :state AS ours, o.frozen, o.mode,
        w.state AS wallet_state, y.state AS payee_state, d.state AS address_state, d.address,
        i.recipient, p.state AS payment_state, p.not_after < :now AS late
    {_FACTS}
""")
# A transfer of an allowance or a top-up has no payee: people, or the policy set, and the signer's own
# pins stand for one.
_OWN_ORDERS = text("""
    SELECT t.id, t.fence = l.fence AND t.state = :state AS ours, o.frozen, o.mode,
        w.state AS wallet_state, coalesce(a.state, u.state) AS order_state,
        a.order_bytes AS allowance, u.order_bytes AS top_up
    FROM unnest(CAST(:ids AS uuid[]), CAST(:fences AS integer[])) AS l (id, fence)
    JOIN transfers t ON t.organization_id = :organization_id AND t.id = l.id
    LEFT JOIN allowances a ON a.organization_id = :organization_id AND a.id = t.allowance_id
    LEFT JOIN top_ups u ON u.organization_id = :organization_id AND u.id = t.top_up_id
    JOIN organizations o ON o.id = :organization_id
    JOIN wallets w ON w.organization_id = :organization_id AND w.id = t.wallet_id
    WHERE t.allowance_id IS NOT NULL OR t.top_up_id IS NOT NULL
""")


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a transfer may not go on. A `lasting` one will never be met by waiting."""

    reason: str
    lasting: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """Who may go on, and what stops the others.

    A transfer whose lease was lost is in neither: another worker goes on with it.
    """

    clear: frozenset[TransferId]
    stops: Mapping[TransferId, Stop]

    @property
    def reasons(self) -> dict[TransferId, str]:
        return {id_: stop.reason for id_, stop in self.stops.items()}

    @property
    def rehearsed(self) -> frozenset[TransferId]:
        """Those that nothing stops but that the organization only rehearses."""
        return frozenset(id_ for id_, stop in self.stops.items() if stop is DRY_RUN)


DRY_RUN = Stop("dry run: everything but signing", lasting=False)
_MISSING = Stop("its payment, payee or wallet is not to be found", lasting=True)


async def check(
    connection: AsyncConnection, leased: Leased, state: TransferState, now: datetime
) -> Checked:
    """Ask lease, state and all kill conditions in one read; what stops in a second, if any is met."""
    scope: dict[str, object] = {
        "organization_id": leased.organization_id,
        "state": state.value,
        "now": now,
    }
    clear = frozenset((await connection.execute(_CLEAR, scope | _arrays(leased))).scalars())
    held = leased.only(id_ for id_ in leased.fences if id_ not in clear)
    if not held.fences:
        return Checked(clear, {})
    own = (await connection.execute(_OWN_ORDERS, scope | _arrays(held))).mappings().all()
    why = {TransferId(row["id"]): _stop_of_own_order(row, now) for row in own if row["ours"]}
    clear |= {id_ for id_, stop in why.items() if stop is None}
    held = held.only(held.fences.keys() - {TransferId(row["id"]) for row in own})
    rows = (await connection.execute(_WHY, scope | _arrays(held))).mappings().all()
    lost = {TransferId(row["id"]) for row in rows if not row["ours"]}
    stops = {id_: _MISSING for id_ in held.fences if id_ not in lost}
    for row in rows:
        id_, found = TransferId(row["id"]), _stop(row)
        # Of a transfer with several payments, what lasts for one of them counts.
        if id_ in stops and found is not None and (stops[id_] is _MISSING or found.lasting):
            stops[id_] = found
    stops |= {id_: stop for id_, stop in why.items() if stop is not None}
    return Checked(clear, stops)


def _arrays(leased: Leased) -> dict[str, object]:
    return {"ids": list(leased.fences), "fences": list(leased.fences.values())}


def _stop(row: RowMapping) -> Stop | None:
    """What stops this payment of the transfer; None if another payment of it does."""
    if row["payee_state"] != "active":
        return Stop("the payee is suspended", lasting=True)
    if row["address_state"] != "verified" or row["address"] != row["recipient"]:
        return Stop("the payee's address is no longer verified", lasting=True)
    if row["payment_state"] != "executing":
        return Stop(f"the payment is {row['payment_state']}", lasting=True)
    if row["late"]:
        return Stop("past its not_after", lasting=True)
    return _stop_of_all(row)


def _stop_of_own_order(row: RowMapping, now: datetime) -> Stop | None:
    if row["order_state"] != "executing":
        return Stop(f"its order is {row['order_state']}", lasting=True)
    order: AllowanceOrder | TopUpOrder
    if row["allowance"]:
        order = parse_allowance_order(bytes(row["allowance"]))
    else:
        order = parse_top_up_order(bytes(row["top_up"]))
    if order.not_after < now:
        return Stop("past its not_after", lasting=True)
    return _stop_of_all(row)


def _stop_of_all(row: RowMapping) -> Stop | None:
    """What stops whatever the organization sends."""
    if row["frozen"]:
        return Stop("the organization is frozen", lasting=False)
    if row["wallet_state"] != "active":
        return Stop("the wallet is stopped", lasting=False)
    if row["mode"] != "live":
        return DRY_RUN
    return None
