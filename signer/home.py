"""Owns the making and changing of a signer's folder, on the signer's host.

Must never replace a journal, a key or limits that exist, and is never reached through the socket.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from signer.addresses import typed_address
from signer.files import replace_file, sync_directory
from signer.head_key import load_head_key, new_head_key
from signer.heads import HeadRegister
from signer.journal import MAGIC, Journal
from signer.keys import SCRYPT_N, encrypt_key, secret_address
from signer.limits import Destination, Limits
from signer.limits_file import limits_yaml, parse_limits
from signer.records import SignedRecords, WalletRecord
from signer.settings import Home
from treasurer.kernel.errors import Conflict, InvalidInput, InvariantViolated


def create_home(
    directory: Path,
    *,
    private_keys: Sequence[bytes],
    limits: Limits,
    passphrase: bytes | None = None,
    next_nonces: Mapping[tuple[int, str], int] | None = None,
    scrypt_n: int = SCRYPT_N,
) -> tuple[str, ...]:
    """Make a signer's folder; return the keys' addresses in the order given.

    Without `passphrase` a random one is written beside the keys, which suits development only.
    `next_nonces` names the first free nonce of (chain id, wallet) for keys with a history; without
    an entry it is 0. Raises Conflict if `directory` has a journal, InvalidInput if `limits` name a
    wallet without key.
    """
    home = Home(directory)
    if home.journal.exists():
        raise Conflict("SIGNER_HOME_EXISTS", f"{directory} already belongs to a signer")
    addresses = tuple(secret_address(secret) for secret in private_keys)
    if missing := sorted(set(limits.wallets) - set(addresses)):
        raise InvalidInput("WALLET_WITHOUT_KEY", f"limits name {missing[0]}, but no key was given")
    for folder in (home.path, home.keys):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if passphrase is None:
        passphrase = secrets.token_hex(32).encode("ascii")
        replace_file(home.passphrase, passphrase + b"\n")
    for address, secret in zip(addresses, private_keys, strict=True):
        replace_file(
            home.keys / f"{address}.json", encrypt_key(secret, passphrase, scrypt_n=scrypt_n)
        )
    replace_file(home.limits, limits_yaml(limits).encode("utf-8"))
    _create_heads(home, passphrase)
    # Last, because its presence says that the folder is complete.
    _create_journal(home, limits, next_nonces or {})
    return addresses


def enroll_destination(
    directory: Path, *, address: str, label: str, chain_id: int | None = None
) -> Destination:
    """Add a payee's address to the allow-list; return the entry. A second time changes nothing.

    Without `chain_id` the only chain of the limits is meant. Raises InvalidInput.
    """
    home = Home(directory)
    limits = parse_limits(home.limits.read_text(encoding="utf-8"))
    if chain_id is None:
        if len(limits.chain_ids) != 1:
            raise InvalidInput("CHAIN_AMBIGUOUS", "limits.yaml has several chains: name one")
        (chain_id,) = limits.chain_ids
    if chain_id not in limits.chain_ids:
        raise InvalidInput("CHAIN_NOT_PERMITTED", f"chain {chain_id} is not in limits.yaml")
    entry = Destination(chain_id=chain_id, address=typed_address(address), label=label)
    if (entry.chain_id, entry.address) not in limits.enrolled:
        changed = replace(limits, destinations=(*limits.destinations, entry))
        replace_file(home.limits, limits_yaml(changed).encode("utf-8"))
    return entry


def adopt_wallet(directory: Path, *, chain_id: int, wallet: str, next_nonce: int) -> None:
    """Record in the journal that `wallet` has used every nonce below `next_nonce` on `chain_id`.

    For an imported key, or after a lost journal, when a person has looked at the chain. Makes the
    journal if there is none. The signer must be stopped. Raises Conflict or InvalidInput.
    """
    home = Home(directory)
    if not home.journal.exists():
        Journal.create(home.journal)
    key = chain_id, typed_address(wallet)
    journal = Journal.open(home.journal)
    try:
        records = SignedRecords(journal)
        known = records.next_nonce(key)
        if next_nonce < (known or 0):
            raise InvalidInput(
                "NONCE_KNOWN_HIGHER", f"the journal already holds slots up to {known}"
            )
        records.enroll(WalletRecord(*key, next_nonce))
        records.commit()
    finally:
        journal.close()


def open_heads(home: Home, passphrase: bytes) -> HeadRegister:
    """The register of signed heads, made where neither it nor its key exists (an older home).

    Raises InvariantViolated `HEADS_INCOMPLETE` if one of both was lost. Close it when done.
    """
    if not home.head_key.exists() and _nothing_signed(home.heads):
        _create_heads(home, passphrase)
    if not (home.heads.exists() and home.head_key.exists()):
        raise InvariantViolated(
            "HEADS_INCOMPLETE",
            f"{home.heads} and {home.head_key} belong together and one is missing: restore it, or"
            " remove the other for a new key, which every verifier then has to be given",
        )
    return HeadRegister(Journal.open(home.heads), load_head_key(home.head_key, passphrase))


def _create_heads(home: Home, passphrase: bytes) -> None:
    # The register first: one that is empty and has no key was left by a start that was cut short.
    home.heads.unlink(missing_ok=True)
    Journal.create(home.heads)
    replace_file(home.head_key, new_head_key(passphrase))


def _nothing_signed(register: Path) -> bool:
    return not register.exists() or register.stat().st_size <= len(MAGIC)


def _create_journal(home: Home, limits: Limits, next_nonces: Mapping[tuple[int, str], int]) -> None:
    draft = home.journal.with_suffix(".new")
    draft.unlink(missing_ok=True)
    Journal.create(draft)
    journal = Journal.open(draft)
    records = SignedRecords(journal)
    for chain_id in limits.chain_ids:
        for wallet in limits.wallets:
            nonce = next_nonces.get((chain_id, wallet), 0)
            records.enroll(WalletRecord(chain_id, wallet, nonce))
    records.commit()
    journal.close()
    draft.replace(home.journal)
    sync_directory(home.path)
