"""Owns fee answers: suggested tip and `eth_feeHistory`. Must never be asked what a payment may cost."""

import itertools
from collections.abc import Sequence
from typing import Any

import orjson

from treasurer.embedded.devchain.errors import invalid_params
from treasurer.embedded.devchain.node import Node
from treasurer.embedded.devchain.rendering import quantity

SUGGESTED_TIP_WEI = 10**9
MAX_HISTORY_BLOCKS = 1024


def fee_history(
    node: Node, block_count: int, newest: int, percentiles: Sequence[float]
) -> dict[str, Any]:
    """Fees of up to `block_count` blocks that end with `newest`, and the base fee after them."""
    if not 1 <= block_count <= MAX_HISTORY_BLOCKS:
        raise invalid_params(f"blockCount must lie in 1..{MAX_HISTORY_BLOCKS}")
    if list(percentiles) != sorted(percentiles) or any(not 0 <= p <= 100 for p in percentiles):
        raise invalid_params("reward percentiles must rise within 0..100")
    oldest = max(0, newest - block_count + 1)
    base_fees: list[str] = []
    used_ratios: list[float] = []
    rewards: list[list[str]] = []
    for number in range(oldest, newest + 1):
        header = node.chain.header(number)
        assert header is not None
        base_fees.append(quantity(header.base_fee_per_gas))
        used_ratios.append(header.gas_used / header.gas_limit)
        rewards.append(_rewards(node, number, header.base_fee_per_gas, percentiles))
    following = node.chain.header(newest + 1)
    base_fees.append(
        quantity(
            node.chain.next_base_fee_wei() if following is None else following.base_fee_per_gas
        )
    )
    history: dict[str, Any] = {
        "oldestBlock": quantity(oldest),
        "baseFeePerGas": base_fees,
        "gasUsedRatio": used_ratios,
    }
    if percentiles:
        history["reward"] = rewards
    return history


def _rewards(node: Node, number: int, base_fee_wei: int, percentiles: Sequence[float]) -> list[str]:
    """The tip at each percentile of the block's gas, cheapest first; zero for an empty block."""
    tips: list[tuple[int, int]] = []
    for row in node.store.mined_between(number, number):
        receipt = orjson.loads(row.receipt_json)
        tip_wei = int(receipt["effectiveGasPrice"], 16) - base_fee_wei
        tips.append((tip_wei, int(receipt["gasUsed"], 16)))
    if not tips:
        return ["0x0" for _ in percentiles]
    tips.sort()
    block_gas = sum(gas for _, gas in tips)
    rewards: list[str] = []
    for percentile in percentiles:
        gas_up_to = itertools.accumulate(gas for _, gas in tips)
        reached = next(
            index for index, gas in enumerate(gas_up_to) if gas * 100 >= block_gas * percentile
        )
        rewards.append(quantity(tips[reached][0]))
    return rewards
