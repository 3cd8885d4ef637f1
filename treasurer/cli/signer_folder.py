"""Owns the signer's folder of an installation: the wallet's key and what may be signed with it.

Must never replace one that stands: its journal says what was signed.
"""

from signer.home import create_home
from signer.keys import secret_address
from signer.limits import Destination, Limits, Spender, TokenLimit
from signer.limits_file import parse_limits
from signer.settings import Home
from treasurer.cli.answers import Answers
from treasurer.kernel.errors import Conflict
from treasurer.payees.model import chain_address
from treasurer.settings import Settings


def wallet_of_signer(settings: Settings) -> str | None:
    """The wallet of the signer's folder, if that stands already."""
    home = Home(settings.home.signer)
    if not home.journal.exists():
        return None
    limits = parse_limits(home.limits.read_text(encoding="utf-8"))
    return limits.wallets[0]


def wallet_to_use(settings: Settings, answers: Answers) -> str:
    """The answered key's address, else the folder's wallet. Raises Conflict when there are two."""
    present = wallet_of_signer(settings)
    if answers.key is None:
        assert present is not None
        return present
    wallet = secret_address(answers.key.secret)
    if present is not None:
        raise Conflict(
            "SIGNER_HOME_EXISTS",
            f"{settings.home.signer} holds the key of {present} already: leave the key out to go on"
            " with it, or set TREASURER_HOME to another folder",
        )
    return wallet


def make_signer_folder(settings: Settings, answers: Answers, wallet: str, nonce: int) -> None:
    """Encrypt the key and write the limits; no slot below `nonce` is ours to sign."""
    assert answers.key is not None
    create_home(
        settings.home.signer,
        private_keys=[answers.key.secret],
        limits=signer_limits(settings, answers, wallet),
        passphrase=answers.key.passphrase,
        next_nonces={(answers.network.chain_id, wallet): nonce},
    )


def signer_limits(settings: Settings, answers: Answers, wallet: str) -> Limits:
    """What the signer will permit: the answered caps, and the network's disperse contract if it has one."""
    network = answers.network
    caps = network.fee_caps(settings.payment_fee_cap_gwei, settings.cancel_fee_cap_gwei)
    return Limits(
        chain_ids=(network.chain_id,),
        wallets=(wallet,),
        max_fee_per_gas_wei=caps.payment_wei,
        cancel_max_fee_per_gas_wei=caps.cancel_wei,
        max_gas_limit=settings.gas_limit,
        tokens=tuple(
            TokenLimit(
                chain_id=network.chain_id,
                address=token.address,
                symbol=token.symbol,
                decimals=token.decimals,
                per_transaction_minor=answers.caps[token.symbol].per_transaction_minor,
                rolling_24h_minor=answers.caps[token.symbol].rolling_24h_minor,
                # A batch spends what payments may: an allowance is never good for more than a day's.
                allowance_minor=(
                    answers.caps[token.symbol].rolling_24h_minor if network.disperse else 0
                ),
            )
            for token in network.tokens
        ),
        spenders=(
            (Spender(network.chain_id, network.disperse.address, "Disperse"),)
            if network.disperse
            else ()
        ),
        destinations=_destinations(answers) if answers.enroll_payees else (),
    )


def _destinations(answers: Answers) -> tuple[Destination, ...]:
    """The payees' addresses on this network, as the file names them."""
    chain_id = str(answers.network.chain_id)
    return tuple(
        Destination(
            answers.network.chain_id, chain_address(row.values["address"]), row.values["name"]
        )
        for row in answers.payees
        if row.values.get("chain_id", "").strip() == chain_id
    )
