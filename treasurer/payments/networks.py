"""Owns the newest reading of each network, written by the worker and read as a fact of decisions.

Must never replace a reading by an older one. Chain-global: no reading is an organization's.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from policy.background import NetworkFact

_WRITE = text("""
    INSERT INTO network_readings AS n (chain_id, head_number, head_at, gas_price_wei, read_at)
    VALUES (:chain_id, :head_number, :head_at, :gas_price_wei, :read_at)
    ON CONFLICT (chain_id) DO UPDATE SET head_number = excluded.head_number,
        head_at = excluded.head_at, gas_price_wei = excluded.gas_price_wei, read_at = excluded.read_at
    WHERE n.read_at < excluded.read_at
""")
_READ = text("""
    SELECT head_at, gas_price_wei, read_at FROM network_readings WHERE chain_id = :chain_id
""")


@dataclass(frozen=True, slots=True)
class Reading:
    """A network's newest block, when it was made, and what a unit of gas costs: base fee and usual tip."""

    chain_id: int
    head_number: int
    head_at: datetime
    gas_price_wei: int
    read_at: datetime


async def write(connection: AsyncConnection, reading: Reading) -> None:
    """Keep it unless a younger one is kept already."""
    await connection.execute(
        _WRITE,
        {
            "chain_id": reading.chain_id,
            "head_number": reading.head_number,
            "head_at": reading.head_at,
            "gas_price_wei": reading.gas_price_wei,
            "read_at": reading.read_at,
        },
    )


async def newest(connection: AsyncConnection, chain_id: int) -> NetworkFact | None:
    """What is known of the network; None if it was never read."""
    row = (await connection.execute(_READ, {"chain_id": chain_id})).one_or_none()
    return None if row is None else NetworkFact(row.head_at, int(row.gas_price_wei), row.read_at)
