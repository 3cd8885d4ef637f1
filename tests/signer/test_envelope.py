"""Our transaction bytes against eth-account's, which everybody else's nodes read."""

from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hypothesis import given, settings
from hypothesis import strategies as st

from signer.envelope import sealed, unsigned_hash
from signer.keys import Keystore, secret_address
from treasurer.kernel.transaction import FeeTerms, UnsignedTransaction

ADDRESSES = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
WORDS = st.integers(0, 2**256 - 1)


@given(
    secret=st.integers(1, 2**250),
    chain_id=st.integers(1, 2**40),
    nonce=st.integers(0, 2**63),
    to=ADDRESSES,
    value_wei=st.one_of(st.integers(0, 300), st.integers(0, 10**30)),
    data=st.one_of(st.binary(max_size=3), st.binary(min_size=50, max_size=400)),
    gas=st.integers(21_000, 2**40),
    fee=st.integers(0, 2**64),
)
@settings(max_examples=150, deadline=None)
def test_bytes_and_hash_equal_eth_account(
    secret: int,
    chain_id: int,
    nonce: int,
    to: str,
    value_wei: int,
    data: bytes,
    gas: int,
    fee: int,
) -> None:
    key = secret.to_bytes(32)
    sender = secret_address(key)
    transaction = UnsignedTransaction(
        chain_id, nonce, sender, to, value_wei, data, FeeTerms(gas, fee, fee // 2)
    )
    fields = {
        "type": 2,
        "chainId": chain_id,
        "nonce": nonce,
        "to": bytes.fromhex(to[2:]),
        "value": value_wei,
        "data": data,
        "gas": gas,
        "maxFeePerGas": fee,
        "maxPriorityFeePerGas": fee // 2,
        "accessList": (),
    }
    covered = unsigned_hash(transaction)
    envelope = sealed(transaction, Keystore([key]).sign(sender, covered))
    expected = Account.from_key(key).sign_transaction(fields)
    assert covered == bytes(TypedTransaction.from_dict(fields).hash())
    assert envelope.raw == bytes(expected.raw_transaction)
    assert envelope.transaction_hash == bytes(expected.hash)
    assert Account.recover_transaction(envelope.raw).lower() == sender
