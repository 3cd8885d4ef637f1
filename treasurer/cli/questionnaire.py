"""Owns the order of `treasurer init`'s questions. Must never change anything while it asks."""

from dataclasses import dataclass
from pathlib import Path

import click

from policy.policy_set import PolicySet
from signer.limits import DEVELOPMENT_CHAIN_ID
from treasurer.chain.networks import NetworkProfile
from treasurer.cli.answers import UNKNOWN, Answers, WalletKey, burn_of, currency_of, require_fit
from treasurer.cli.key_files import imported_secret, new_secret
from treasurer.cli.own_organization import own_organization
from treasurer.cli.passphrase import new_passphrase, present_passphrase
from treasurer.cli.questions import Questioner, ask_caps, ask_network, ask_people, ask_policy
from treasurer.cli.signer_folder import wallet_of_signer
from treasurer.embedded.directory import is_locked
from treasurer.identity.model import require_name
from treasurer.kernel.errors import Conflict, InvalidInput, NotFound
from treasurer.payees.csv_import import COLUMNS, CsvRow, parse_csv
from treasurer.settings import Settings


@dataclass(frozen=True, slots=True)
class Flags:
    """What the command line gave; None or empty where it was silent."""

    organization: str | None
    currency: str | None
    monthly_burn: str | None
    people: tuple[str, ...]
    network: str | None
    token_addresses: tuple[str, ...]
    policy: str | None
    payees_file: Path | None
    enroll_payees: bool | None
    import_key: Path | None
    import_passphrase_file: Path | None
    new_key: bool
    passphrase_file: Path | None
    caps: tuple[str, ...]
    wallet_label: str | None
    non_interactive: bool


def ask_all(settings: Settings, flags: Flags) -> Answers:
    """Every answer, from its flag or the terminal. Raises Conflict when all is set up already."""
    _require_fresh(settings)
    ask = Questioner(interactive=not flags.non_interactive)
    network_text, network = ask_network(ask, flags.network, flags.token_addresses, _deployed())
    _require_node(settings, network)
    organization = ask.answer(
        "--organization", flags.organization, "Name of the organization", require_name
    )
    reporting = ask.answer("--currency", flags.currency, "Reporting currency", currency_of, "USD")
    burn_minor = ask.answer(
        "--monthly-burn",
        flags.monthly_burn,
        f"What does a month cost, in {reporting.symbol}?",
        lambda text: burn_of(text, reporting),
        UNKNOWN,
    )
    people = ask_people(ask, flags.people)

    def fits(policy_set: PolicySet) -> None:
        require_fit(policy_set, reporting, network, people)

    policy_text, _ = ask_policy(ask, flags.policy, fits)
    content, rows = _payees(ask, flags)
    key = _key(settings, ask, flags)
    return Answers(
        network=network,
        network_text=network_text,
        organization=organization,
        reporting=reporting,
        monthly_burn_minor=burn_minor,
        people=people,
        policy_text=policy_text,
        payees=rows,
        payees_csv=content,
        enroll_payees=_enroll(ask, flags, rows),
        key=key,
        caps=ask_caps(ask, flags.caps, network) if key else {},
        wallet_label=ask.answer(
            "--wallet-label", flags.wallet_label, "What is the wallet called?", require_name, "Main"
        ),
    )


def _require_fresh(settings: Settings) -> None:
    own = own_organization(settings)
    root = settings.home.root
    if own is not None:
        raise Conflict(
            "ALREADY_SET_UP",
            f"{root} is set up for {own.name} (administrator {own.administrator_email}). More people"
            " and payees come by the API; for another organization set TREASURER_HOME to another"
            " folder",
        )
    if is_locked(root):
        raise Conflict("DATA_FOLDER_IN_USE", f"stop what runs on {root} first: `treasurer up`")


def _deployed() -> str:
    from treasurer.embedded.devchain.seed import test_usd_address

    return test_usd_address()


def _require_node(settings: Settings, network: NetworkProfile) -> None:
    if settings.rpc_url is None and network.chain_id != DEVELOPMENT_CHAIN_ID:
        raise InvalidInput(
            "RPC_URL_MISSING",
            f"set RPC_URL to a node of {network.name} first, in .env for instance: the wallet's"
            " balances are read from the chain",
        )


def _payees(ask: Questioner, flags: Flags) -> tuple[bytes | None, tuple[CsvRow, ...]]:
    if flags.payees_file is None and not ask.interactive:
        return None, ()

    def read(path: str) -> tuple[bytes | None, tuple[CsvRow, ...]]:
        if path == "-":
            return None, ()
        content = _read_file(Path(path))
        return content, tuple(parse_csv(content))

    question = f"CSV file of payees ({', '.join(COLUMNS)}), - for none"
    given = None if flags.payees_file is None else str(flags.payees_file)
    return ask.answer("--payees", given, question, read, "-")


def _enroll(ask: Questioner, flags: Flags, rows: tuple[CsvRow, ...]) -> bool:
    """Whether the signer may pay the file's addresses at once."""
    if not any(row.values.get("address", "").strip() for row in rows):
        return False
    if flags.enroll_payees is not None or not ask.interactive:
        return bool(flags.enroll_payees)
    return click.confirm(
        "Did you compare every address in that file with its owner's word? Then the signer may pay"
        " them; otherwise enroll each later on its host. Enroll all?"
    )


def _key(settings: Settings, ask: Questioner, flags: Flags) -> WalletKey | None:
    """The wallet's key and its new passphrase; None when the signer's folder stands already."""
    file, fresh = flags.import_key, flags.new_key
    if file and fresh:
        raise InvalidInput("KEY_TWICE", "give either --import-key or --new-key")
    if file is None and not fresh:
        present = wallet_of_signer(settings)
        if present is not None:
            click.echo(f"the signer's folder holds the key of {present}; going on with it")
            return None
        if not ask.interactive:
            raise InvalidInput("ANSWER_MISSING", "give --import-key FILE or --new-key")
        path = ask.asked("File with the wallet's key, or `new` to make one", _file_or_new)
        file = path
    if flags.passphrase_file is None and not ask.interactive:
        raise InvalidInput("ANSWER_MISSING", "--passphrase-file is missing: it guards the keystore")
    if file is None:
        return WalletKey(new_secret(), new_passphrase(flags.passphrase_file))
    secret = imported_secret(
        file,
        lambda: present_passphrase(
            flags.import_passphrase_file, f"Passphrase of {file}", may_ask=ask.interactive
        ),
    )
    return WalletKey(secret, new_passphrase(flags.passphrase_file))


def _file_or_new(text: str) -> Path | None:
    if text.strip() == "new":
        return None
    path = Path(text.strip())
    if not path.is_file():
        raise NotFound("FILE_MISSING", f"there is no file {path}")
    return path


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotFound("FILE_MISSING", f"{path} cannot be read: {error.strerror}") from None
