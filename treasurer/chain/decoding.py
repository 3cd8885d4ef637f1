"""Owns the reading of JSON-RPC values into our types. Must never fill in what a provider left out."""

from collections.abc import Callable
from typing import TypeVar

from treasurer.chain.errors import ChainBadAnswer
from treasurer.chain.json_rpc import Json
from treasurer.chain.port import BlockRef, Log, PlacedLog, Receipt

T = TypeVar("T")


def decode(method: str, read: Callable[[Json], T], answer: Json) -> T:
    """`read(answer)`; raises ChainBadAnswer where the answer has another shape."""
    try:
        return read(answer)
    except (KeyError, TypeError, ValueError) as error:
        raise ChainBadAnswer(method, f"{type(error).__name__}: {error}") from error


def quantity(answer: Json) -> int:
    """A JSON-RPC quantity: 0x and hexadecimal digits without sign or separator."""
    return int.from_bytes(data(answer, pad=True))


def data(answer: Json, *, length: int | None = None, pad: bool = False) -> bytes:
    """JSON-RPC data, of `length` bytes if given; `pad` permits an odd number of digits."""
    if not isinstance(answer, str) or not answer.startswith("0x"):
        raise TypeError("expected a string that starts with 0x")
    digits = answer[2:]
    decoded = bytes.fromhex("0" + digits if pad and len(digits) % 2 else digits)
    if length is not None and len(decoded) != length:
        raise ValueError(f"expected {length} bytes, got {len(decoded)}")
    return decoded


def word(answer: Json) -> bytes:
    """A storage word; some nodes leave out its leading zeros."""
    found = data(answer, pad=True)
    if len(found) > 32:
        raise ValueError(f"expected 32 bytes, got {len(found)}")
    return found.rjust(32, b"\0")


def block(answer: Json) -> BlockRef:
    """A block header."""
    fields = _object(answer)
    return BlockRef(
        number=quantity(fields["number"]),
        hash=data(fields["hash"], length=32),
        timestamp=quantity(fields["timestamp"]),
        base_fee_wei=quantity(fields["baseFeePerGas"]),
        parent_hash=data(fields["parentHash"], length=32),
    )


def receipt(answer: Json) -> Receipt:
    """A transaction receipt with its logs in order of emission."""
    fields = _object(answer)
    logs = fields["logs"]
    if not isinstance(logs, list):
        raise TypeError("logs is no list")
    gas_used = quantity(fields["gasUsed"])
    return Receipt(
        transaction_hash=data(fields["transactionHash"], length=32),
        block_number=quantity(fields["blockNumber"]),
        block_hash=data(fields["blockHash"], length=32),
        succeeded=quantity(fields["status"]) == 1,
        gas_used=gas_used,
        effective_gas_price_wei=quantity(fields["effectiveGasPrice"]),
        logs=tuple(sorted((_log(entry) for entry in logs), key=lambda log: log.log_index)),
        rollup_fee_wei=_rollup_fee_wei(fields, gas_used),
    )


def receipts(answer: Json) -> tuple[Receipt, ...] | None:
    """All receipts of a block; None for a block that the node does not have."""
    if answer is None:
        return None
    if not isinstance(answer, list):
        raise TypeError("expected a list of receipts")
    return tuple(receipt(entry) for entry in answer)


def transaction_hashes(answer: Json) -> tuple[bytes, list[bytes]]:
    """A block's own hash and the hashes of its transactions, in order."""
    fields = _object(answer)
    hashes = fields["transactions"]
    if not isinstance(hashes, list):
        raise TypeError("transactions is no list")
    return data(fields["hash"], length=32), [data(entry, length=32) for entry in hashes]


def placed_logs(answer: Json) -> list[PlacedLog]:
    """Events of a range. A log that was removed by a reorganisation is none."""
    if not isinstance(answer, list):
        raise TypeError("expected a list of logs")
    return [
        PlacedLog(
            block_number=quantity(fields["blockNumber"]),
            block_hash=data(fields["blockHash"], length=32),
            transaction_hash=data(fields["transactionHash"], length=32),
            log=_log(entry),
        )
        for entry in answer
        if (fields := _object(entry)).get("removed") is not True
    ]


def _rollup_fee_wei(fields: dict[str, Json], gas_used: int) -> int:
    """The OP Stack's fees, which `effectiveGasPrice` does not hold; its receipts leave a fee of zero out.

    The operator's fee is millionths of its scalar a unit of gas (Isthmus), and hundred times the scalar
    since Jovian, whose receipts name `daFootprintGasScalar`.
    """

    def stated(name: str) -> int:
        return 0 if fields.get(name) is None else quantity(fields[name])

    scaled = gas_used * stated("operatorFeeScalar")
    operator = scaled * 100 if "daFootprintGasScalar" in fields else scaled // 1_000_000
    return stated("l1Fee") + operator + stated("operatorFeeConstant")


def _log(answer: Json) -> Log:
    fields = _object(answer)
    topics = fields["topics"]
    if not isinstance(topics, list):
        raise TypeError("topics is no list")
    return Log(
        address="0x" + data(fields["address"], length=20).hex(),
        topics=tuple(data(topic, length=32) for topic in topics),
        data=data(fields["data"]),
        log_index=quantity(fields["logIndex"]),
    )


def _object(answer: Json) -> dict[str, Json]:
    if not isinstance(answer, dict):
        raise TypeError("expected an object")
    return answer
