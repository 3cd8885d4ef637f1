"""Owns what the demonstration finds on the chain: contracts, payees' accounts, and the signer's folder.

Must never load the services, which load beside it; nor work but on the development chain.
"""

from contracts.artifacts import load_artifact
from signer.home import create_home
from signer.keys import DEVELOPMENT_SCRYPT_N
from signer.limits import Destination, Limits, Spender, TokenLimit
from treasurer.chain.networks import PinnedContract, shipped_profile
from treasurer.cli.network_file import pinned, write_network
from treasurer.embedded.devchain.accounts import CHAIN_ID, development_account
from treasurer.embedded.devchain.seed import deploy_disperse, deploy_test_usd
from treasurer.settings import Settings

PAYEES = (
    ("V-001", "Halden Freight AS", "accounts@halden-freight.example", 1),
    ("V-002", "Qorvane Logistics GmbH", "billing@qorvane.example", 2),
    ("V-003", "Brightmoor Cleaning Ltd", "office@brightmoor.example", 3),
)
"""Code, name, e-mail address, and the number of the development account that is paid."""
_USDC_CAP = 25_000 * 10**6
_MAX_FEE_PER_GAS_WEI = 200 * 10**9


def prepare_network(settings: Settings) -> None:
    """Deploy the contracts, mint the test token, pin both in network.yaml, make the signer's folder."""
    wallet = development_account(0)
    token = deploy_test_usd(settings.rpc_urls[0], mint_to=wallet.address.lower())
    disperse = PinnedContract(
        deploy_disperse(settings.rpc_urls[0]), load_artifact("Disperse").runtime_code_hash
    )
    home = settings.home
    if not home.network.exists():
        write_network(settings, pinned(shipped_profile("development"), {"USDC": token}, disperse))
    if not (home.signer / "journal.bin").exists():
        create_home(
            home.signer,
            private_keys=[bytes(wallet.key)],
            limits=_limits(token, wallet.address.lower(), disperse.address),
            scrypt_n=DEVELOPMENT_SCRYPT_N,
        )


def _limits(token: str, wallet: str, disperse: str) -> Limits:
    return Limits(
        chain_ids=(CHAIN_ID,),
        wallets=(wallet,),
        max_fee_per_gas_wei=_MAX_FEE_PER_GAS_WEI,
        max_gas_limit=200_000,
        tokens=(TokenLimit(CHAIN_ID, token, "USDC", 6, _USDC_CAP, _USDC_CAP, _USDC_CAP),),
        spenders=(Spender(CHAIN_ID, disperse, "Disperse"),),
        destinations=tuple(
            Destination(CHAIN_ID, development_account(account).address.lower(), name)
            for _, name, _, account in PAYEES
        ),
    )
