"""Owns the development accounts. Must never be used off the development chain: the keys are public.

The mnemonic and the BIP-44 path are those that every Ethereum development node uses, so that wallets
and tests agree on addresses without configuration.
"""

from eth_account import Account
from eth_account.hdaccount import seed_from_mnemonic
from eth_account.hdaccount.deterministic import HDPath
from eth_account.signers.local import LocalAccount

CHAIN_ID = 31337
MNEMONIC = "test test test test test test test test test test test junk"
FUNDED_ACCOUNTS = 10
GENESIS_BALANCE_WEI = 10_000 * 10**18
DEPLOYER_INDEX = 9


def development_account(index: int) -> LocalAccount:
    """The account at m/44'/60'/0'/0/`index`; the first `FUNDED_ACCOUNTS` are rich at genesis."""
    key = HDPath(f"m/44'/60'/0'/0/{index}").derive(seed_from_mnemonic(MNEMONIC, ""))
    account: LocalAccount = Account.from_key(key)
    return account


def development_addresses() -> tuple[str, ...]:
    """Checksummed addresses of the funded accounts, in order."""
    return tuple(development_account(index).address for index in range(FUNDED_ACCOUNTS))
