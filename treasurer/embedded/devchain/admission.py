"""Owns the checks before a raw transaction is accepted, in geth's words. Must never change anything."""

from eth.abc import SignedTransactionAPI
from eth.exceptions import UnrecognizedTransactionType
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError
from rlp.exceptions import RLPException

from treasurer.embedded.devchain.accounts import CHAIN_ID
from treasurer.embedded.devchain.chain import BLOCK_GAS_LIMIT, DevelopmentChain
from treasurer.embedded.devchain.errors import refused
from treasurer.embedded.devchain.mempool import Mempool, Waiting
from treasurer.embedded.devchain.rendering import transaction_type

MAX_RAW_BYTES = 128 * 1024
DYNAMIC_FEE_TYPE = 2


def read_transaction(raw: bytes, chain: DevelopmentChain) -> SignedTransactionAPI:
    """Decode `raw` and recover its sender; refuse foreign chains and types that are not mined here."""
    if len(raw) > MAX_RAW_BYTES:
        raise refused(f"oversized data: transaction size {len(raw)}, limit {MAX_RAW_BYTES}")
    try:
        transaction = chain.decode(raw)
        if transaction_type(transaction) > DYNAMIC_FEE_TYPE:
            raise refused("transaction type not supported")
        transaction.validate()
        transaction.check_signature_validity()
    except (RLPException, UnrecognizedTransactionType, IndexError, TypeError) as error:
        raise refused(f"rlp: cannot decode the transaction: {error}") from error
    except (BadSignature, ValidationError, ValueError) as error:
        raise refused(f"invalid sender: {error}") from error
    if transaction.chain_id is None:
        raise refused("only replay-protected (EIP-155) transactions allowed over RPC")
    if transaction.chain_id != CHAIN_ID:
        raise refused(
            "invalid sender: invalid chain id for signer: "
            f"have {transaction.chain_id} want {CHAIN_ID}"
        )
    return transaction


def check_admissible(
    transaction: SignedTransactionAPI, chain: DevelopmentChain, pool: Mempool
) -> Waiting | None:
    """Raise an RpcError unless the pool may take `transaction`; return what it would replace."""
    if pool.get(transaction.hash) is not None:
        raise refused("already known")
    if transaction.gas > BLOCK_GAS_LIMIT:
        raise refused("exceeds block gas limit")
    if transaction.max_priority_fee_per_gas > transaction.max_fee_per_gas:
        raise refused(
            "max priority fee per gas higher than max fee per gas: "
            f"maxPriorityFeePerGas: {transaction.max_priority_fee_per_gas}, "
            f"maxFeePerGas: {transaction.max_fee_per_gas}"
        )
    if transaction.gas < transaction.intrinsic_gas:
        raise refused(
            f"intrinsic gas too low: gas {transaction.gas}, "
            f"minimum needed {transaction.intrinsic_gas}"
        )
    state = chain.state(chain.head)
    next_nonce = state.get_nonce(transaction.sender)
    if transaction.nonce < next_nonce:
        raise refused(f"nonce too low: next nonce {next_nonce}, tx nonce {transaction.nonce}")
    replaced = pool.check_room(transaction)
    _check_funds(
        transaction,
        balance_wei=state.get_balance(transaction.sender),
        queued_wei=pool.queued_cost_wei(transaction.sender)
        - (replaced.cost_wei if replaced is not None else 0),
    )
    return replaced


def _check_funds(transaction: SignedTransactionAPI, *, balance_wei: int, queued_wei: int) -> None:
    cost_wei = transaction.gas * transaction.max_fee_per_gas + transaction.value
    overshot_wei = cost_wei + queued_wei - balance_wei
    if overshot_wei > 0:
        raise refused(
            f"insufficient funds for gas * price + value: balance {balance_wei}, "
            f"queued cost {queued_wei}, tx cost {cost_wei}, overshot {overshot_wei}"
        )
