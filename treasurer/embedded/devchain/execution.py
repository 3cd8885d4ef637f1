"""Owns `eth_call` and `eth_estimateGas`: execution whose effects are thrown away."""

from dataclasses import dataclass
from typing import cast

from eth.abc import ComputationAPI, SignedTransactionAPI, StateAPI
from eth.exceptions import Revert
from eth.vm.forks.cancun.transactions import CancunTransactionBuilder
from eth.vm.spoof import SpoofTransaction
from eth_abi.abi import decode as abi_decode
from eth_abi.exceptions import DecodingError
from eth_typing import Address
from eth_utils.exceptions import ValidationError

from treasurer.embedded.devchain.accounts import CHAIN_ID
from treasurer.embedded.devchain.chain import BLOCK_GAS_LIMIT, DevelopmentChain
from treasurer.embedded.devchain.errors import (
    EXECUTION_REVERTED,
    SERVER_ERROR,
    RpcError,
    invalid_params,
)
from treasurer.embedded.devchain.rendering import Header

_ERROR_STRING_SELECTOR = bytes.fromhex("08c379a0")
"""First four bytes of keccak256("Error(string)")."""

_ESTIMATE_TOLERANCE_GAS = 500


@dataclass(frozen=True, slots=True)
class Call:
    """The transaction object of a call. `to` is empty for a creation; amounts in wei."""

    sender: Address
    to: Address
    data: bytes
    value_wei: int
    gas: int


def call(chain: DevelopmentChain, header: Header, request: Call) -> bytes:
    """What `request` returns on the state after `header`. Raises RpcError on a revert."""
    if not request.to:
        raise invalid_params("eth_call needs `to`")
    vm = chain.vm(header)
    computation = vm.execute_bytecode(
        origin=request.sender,
        gas_price=0,
        gas=request.gas,
        to=request.to,
        sender=request.sender,
        value=request.value_wei,
        data=request.data,
        code=vm.state.get_code(request.to),
    )
    _require_success(computation)
    output: bytes = computation.output
    return output


def estimate_gas(chain: DevelopmentChain, header: Header, request: Call) -> int:
    """The gas limit with which `request` succeeds, at most `_ESTIMATE_TOLERANCE_GAS` too high.

    What the run used before refunds nearly always suffices; only where a contract hands on a share
    of its gas (EIP-150) must the limit be searched.
    """
    with chain.vm(header).in_costless_state() as state:
        most = min(request.gas, BLOCK_GAS_LIMIT)
        computation = _attempt(state, request, most)
        _require_success(computation)
        used = most - computation.get_gas_remaining()
        if not _attempt(state, request, used).is_error:
            return int(used)
        too_low, enough = used, most
        while enough - too_low > _ESTIMATE_TOLERANCE_GAS:
            middle = (too_low + enough) // 2
            if _attempt(state, request, middle).is_error:
                too_low = middle
            else:
                enough = middle
        return int(enough)


def _attempt(state: StateAPI, request: Call, gas: int) -> ComputationAPI:
    unsigned = CancunTransactionBuilder.new_unsigned_dynamic_fee_transaction(
        chain_id=CHAIN_ID,
        nonce=state.get_nonce(request.sender),
        max_priority_fee_per_gas=0,
        max_fee_per_gas=0,
        gas=gas,
        to=request.to,
        value=request.value_wei,
        data=request.data,
        access_list=(),
    )
    spoofed = cast("SignedTransactionAPI", SpoofTransaction(unsigned, from_=request.sender))
    snapshot = state.snapshot()
    try:
        return state.apply_transaction(spoofed)
    except ValidationError as error:
        raise RpcError(SERVER_ERROR, f"insufficient funds for transfer: {error}") from error
    finally:
        state.revert(snapshot)


def _require_success(computation: ComputationAPI) -> None:
    if not computation.is_error:
        return
    error = computation.error
    if not isinstance(error, Revert):
        raise RpcError(SERVER_ERROR, f"execution failed: {type(error).__name__} {error}".rstrip())
    returned = bytes(computation.output)
    reason = _revert_reason(returned)
    raise RpcError(
        EXECUTION_REVERTED,
        "execution reverted" + (f": {reason}" if reason else ""),
        "0x" + returned.hex(),
    )


def _revert_reason(returned: bytes) -> str:
    if not returned.startswith(_ERROR_STRING_SELECTOR):
        return ""
    try:
        (reason,) = abi_decode(["string"], returned[4:])
    except DecodingError:
        return ""
    return str(reason)
