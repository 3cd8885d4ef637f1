"""Owns that the network is read every few seconds. Must never hold a transaction meanwhile."""

import structlog

from treasurer.chain.port import Chain
from treasurer.db.engine import Database
from treasurer.kernel.clock import Clock, from_epoch_s
from treasurer.kernel.errors import Transient
from treasurer.payments.networks import Reading, write

log = structlog.get_logger("worker.networks")


async def read_network(database: Database, chain: Chain, chain_id: int, clock: Clock) -> int:
    """One reading; how many were kept. A silent network leaves the last one, which grows stale."""
    began = clock()
    try:
        head, fees = await chain.head(), await chain.fees()
    except Transient as error:
        log.info("network.silent", chain_id=chain_id, code=error.code)
        return 0
    gas_price_wei = fees.base_fee_wei + fees.priority_fee_wei
    reading = Reading(chain_id, head.number, from_epoch_s(head.timestamp), gas_price_wei, began)
    async with database.unscoped() as connection:
        await write(connection, reading)
    return 1
