"""What a receipt says about all that its sender paid, on a chain of its own and on a rollup."""

import pytest

from treasurer.chain.decoding import decode, receipt
from treasurer.chain.errors import ChainBadAnswer
from treasurer.chain.json_rpc import Json

PLAIN: dict[str, Json] = {
    "transactionHash": "0x" + "11" * 32,
    "blockNumber": "0x10",
    "blockHash": "0x" + "22" * 32,
    "status": "0x1",
    "gasUsed": hex(50_000),
    "effectiveGasPrice": hex(2_000_000),
    "logs": [],
}
GAS_WEI = 50_000 * 2_000_000
L1 = {"l1Fee": hex(7_654_321), "l1GasPrice": "0x9", "l1GasUsed": "0x640"}
OPERATOR = {"operatorFeeScalar": hex(40), "operatorFeeConstant": hex(9)}
JOVIAN = {"daFootprintGasScalar": hex(400), "blobGasUsed": "0x9c40"}


@pytest.mark.parametrize(
    ("fields", "rollup_fee_wei"),
    [
        ({}, 0),
        ({"l1Fee": None}, 0),
        (L1, 7_654_321),
        (L1 | OPERATOR, 7_654_321 + 2 + 9),
        (L1 | JOVIAN, 7_654_321),
        (L1 | OPERATOR | JOVIAN, 7_654_321 + 50_000 * 40 * 100 + 9),
    ],
    ids=["no rollup", "null", "L1 data", "Isthmus", "Jovian without operator", "Jovian"],
)
def test_a_rollup_takes_more_than_gas(fields: dict[str, Json], rollup_fee_wei: int) -> None:
    read = receipt({**PLAIN, **fields})
    assert read.rollup_fee_wei == rollup_fee_wei
    assert read.fee_wei == GAS_WEI + rollup_fee_wei


def test_a_fee_that_is_no_quantity_is_no_receipt() -> None:
    with pytest.raises(ChainBadAnswer):
        decode("eth_getTransactionReceipt", receipt, {**PLAIN, "l1Fee": "much"})
