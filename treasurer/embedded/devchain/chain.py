"""Owns the chain itself: genesis, blocks, state, by py-evm. Must never pick what is mined.

Headers and state lie in the store for ever, so any past block can be asked for its state, and a
restarted chain answers the same hashes.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from eth.abc import ReceiptAPI, SignedTransactionAPI, StateAPI, VirtualMachineAPI
from eth.chains.base import Chain
from eth.constants import POST_MERGE_DIFFICULTY, POST_MERGE_MIX_HASH, POST_MERGE_NONCE
from eth.db.atomic import AtomicDB
from eth.db.schema import SchemaV1
from eth.exceptions import CanonicalHeadNotFound, HeaderNotFound
from eth.rlp.sedes import chain_gaps
from eth.vm.forks.cancun import CancunVM
from eth_typing import Address, BlockNumber, Hash32
from eth_utils.exceptions import ValidationError
from rlp import encode as rlp_encode

from treasurer.embedded.devchain.accounts import (
    CHAIN_ID,
    GENESIS_BALANCE_WEI,
    development_addresses,
)
from treasurer.embedded.devchain.rendering import Header, render_receipt, render_transaction
from treasurer.embedded.devchain.store import ChainStore, Mined

BLOCK_GAS_LIMIT = 30_000_000
ZERO_ADDRESS = Address(b"\0" * 20)


class _EvmChain(Chain):
    chain_id = CHAIN_ID
    vm_configuration = ((BlockNumber(0), CancunVM),)


@dataclass(frozen=True, slots=True)
class AppendedBlock:
    """A block that was made, and the candidates that could no longer be executed."""

    header: Header
    mined: tuple[Mined, ...]
    refused: tuple[bytes, ...]


class DevelopmentChain:
    """The canonical chain of one store. Not thread-safe: one event loop owns it."""

    def __init__(self, store: ChainStore, genesis_timestamp: int) -> None:
        """Open the chain of `store`; an empty store gets a genesis at `genesis_timestamp` (epoch s).

        The genesis hash depends on that instant, so that a wiped and remade chain is seen as another.
        """
        self._store = store
        self._evm: Chain = _EvmChain(AtomicDB(store))
        try:
            self.head: Header = self._evm.get_canonical_head()
        except CanonicalHeadNotFound:
            with store.commit_together():
                self._write_genesis(genesis_timestamp)
            self.head = self._evm.get_canonical_head()

    def _write_genesis(self, timestamp: int) -> None:
        _EvmChain.from_genesis(
            AtomicDB(self._store),
            {
                "coinbase": ZERO_ADDRESS,
                "difficulty": POST_MERGE_DIFFICULTY,
                "extra_data": b"",
                "gas_limit": BLOCK_GAS_LIMIT,
                "mix_hash": POST_MERGE_MIX_HASH,
                "nonce": POST_MERGE_NONCE,
                "timestamp": timestamp,
            },
            {
                Address(bytes.fromhex(address[2:])): {
                    "balance": GENESIS_BALANCE_WEI,
                    "nonce": 0,
                    "code": b"",
                    "storage": {},
                }
                for address in development_addresses()
            },
        )

    def header(self, number: int) -> Header | None:
        """The canonical header at `number`, or None above the head."""
        if number > self.head.block_number:
            return None
        return self._evm.get_canonical_block_header_by_number(BlockNumber(number))

    def header_by_hash(self, block_hash: Hash32) -> Header | None:
        """The canonical header of that hash; None for unknown and for reverted blocks."""
        try:
            found = self._evm.get_block_header_by_hash(block_hash)
        except HeaderNotFound:
            return None
        canonical = self.header(found.block_number)
        return found if canonical is not None and canonical.hash == block_hash else None

    def state(self, header: Header) -> StateAPI:
        """State after the block of `header`. Changes to it are never stored."""
        return self.vm(header).state

    def vm(self, header: Header) -> VirtualMachineAPI:
        return self._evm.get_vm(header)

    def decode(self, raw: bytes) -> SignedTransactionAPI:
        """Read a signed transaction. Raises whatever py-evm's decoders raise on bytes that are none."""
        return CancunVM.get_transaction_builder().decode(raw)

    def next_base_fee_wei(self) -> int:
        """Base fee of the block after the head (EIP-1559)."""
        fee: int = self._next_header(self.head.timestamp).base_fee_per_gas
        return fee

    def _next_header(self, timestamp: int) -> Header:
        return self._evm.create_header_from_parent(
            self.head, timestamp=timestamp, gas_limit=self.head.gas_limit, coinbase=ZERO_ADDRESS
        )

    def append(self, timestamp: int, candidates: Iterable[SignedTransactionAPI]) -> AppendedBlock:
        """Make the next block. The caller holds `store.commit_together` and calls `moved_to` after it.

        A candidate that fails validation (funds spent meanwhile) is left out and named in `refused`;
        its sender's later ones wait. One whose execution reverts is mined with status 0.
        """
        header = self._next_header(max(timestamp, self.head.timestamp))
        vm = self._evm.get_vm(header)
        taken: list[SignedTransactionAPI] = []
        receipts: list[ReceiptAPI] = []
        refused: list[bytes] = []
        waiting_senders: set[bytes] = set()
        for transaction in candidates:
            if transaction.sender in waiting_senders:
                continue
            if header.gas_used + transaction.gas > header.gas_limit:
                waiting_senders.add(transaction.sender)
                continue
            try:
                receipt, _ = vm.apply_transaction(header, transaction)
            except ValidationError:
                refused.append(transaction.hash)
                waiting_senders.add(transaction.sender)
                continue
            header = vm.add_receipt_to_header(header, receipt)
            taken.append(transaction)
            receipts.append(receipt)
        filled = vm.set_block_transactions_and_withdrawals(
            vm.get_block(), header, tuple(taken), tuple(receipts)
        )
        # Not `mine_block`: it refuses blocks of one second that follow each other, and then time here
        # would run ahead of the clock's.
        block = vm.finalize_block(filled).block
        self._evm.chaindb.persist_block(block)
        mined = _render(block.header, taken, receipts)
        self._store.add_mined(mined)
        return AppendedBlock(block.header, mined, tuple(refused))

    def rewind(self, header: Header) -> None:
        """Make the canonical `header` the head again. Caller: as for `append`."""
        evm_db = self._evm.chaindb.db
        for number in range(header.block_number + 1, self.head.block_number + 1):
            evm_db.delete(SchemaV1.make_block_number_to_hash_lookup_key(BlockNumber(number)))
        evm_db.set(SchemaV1.make_canonical_head_hash_lookup_key(), header.hash)
        # py-evm also remembers up to where headers and blocks are stored without a gap.
        whole = rlp_encode(((), header.block_number + 1), sedes=chain_gaps)
        evm_db.set(SchemaV1.make_header_chain_gaps_lookup_key(), whole)
        evm_db.set(SchemaV1.make_chain_gaps_lookup_key(), whole)
        self._store.forget_mined_after(header.block_number)

    def moved_to(self, header: Header) -> None:
        """The commit that made `header` the head is on disk: answer from it now, not before."""
        self.head = header


def _render(
    header: Header, transactions: list[SignedTransactionAPI], receipts: list[ReceiptAPI]
) -> tuple[Mined, ...]:
    rows: list[Mined] = []
    gas_before = 0
    logs_before = 0
    for position, (transaction, receipt) in enumerate(zip(transactions, receipts, strict=True)):
        rows.append(
            Mined(
                hash=transaction.hash,
                block_number=header.block_number,
                position=position,
                transaction_json=render_transaction(transaction, header, position),
                receipt_json=render_receipt(
                    transaction, receipt, header, position, gas_before, logs_before
                ),
            )
        )
        gas_before = receipt.gas_used
        logs_before += len(receipt.logs)
    return tuple(rows)
