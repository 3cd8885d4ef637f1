"""Owns asking for what `treasurer init` must know. Must never guess where a flag or a person is silent."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

import click

from policy.policy_set import PolicySet, load_policy_set
from treasurer.chain.networks import NetworkProfile, load_profile, missing_token_addresses
from treasurer.cli.answers import (
    Person,
    TokenCap,
    amount_of,
    cap_of,
    person_of,
    require_cap,
    require_people,
    token_address_of,
)
from treasurer.cli.network_file import pinned, profile_text
from treasurer.identity.model import require_email, require_name
from treasurer.kernel.errors import InvalidInput, TreasurerError
from treasurer.kernel.money import Asset
from treasurer.kernel.organization import Role
from treasurer.payees.model import chain_address

Answer = TypeVar("Answer")
_ASKED_ROLES = (
    (Role.CFO, "CFO (approves, sees all)"),
    (Role.APPROVER, "Approver"),
    (Role.CLERK, "Clerk (submits invoices, enters payees)"),
)
_SAMPLE_COPY = Path("policy.yaml")


@dataclass(frozen=True, slots=True)
class Questioner:
    """Takes an answer from its flag, else from the terminal, where a wrong one is asked again."""

    interactive: bool

    def answer(
        self,
        flag: str,
        given: str | None,
        question: str,
        read: Callable[[str], Answer],
        default: str | None = None,
    ) -> Answer:
        """What `read` makes of it. Raises InvalidInput that names the flag when nobody may be asked."""
        if given is None and not self.interactive:
            given = default
        if given is not None:
            return self.flagged(flag, given, read)
        if not self.interactive:
            raise InvalidInput("ANSWER_MISSING", f"{flag} is missing: {question}")
        return self.asked(question, read, default)

    def flagged(self, flag: str, given: str, read: Callable[[str], Answer]) -> Answer:
        """The answer of a flag, which its fault names."""
        try:
            return read(given)
        except TreasurerError as error:
            raise InvalidInput(error.code, f"{flag}: {error.message}") from error

    def asked(
        self, question: str, read: Callable[[str], Answer], default: str | None = None
    ) -> Answer:
        """Ask until the answer can be read."""
        while True:
            try:
                return read(click.prompt(question, default=default, show_default=bool(default)))
            except TreasurerError as error:
                click.echo(f"  {error.message}")


def ask_network(
    ask: Questioner, name_or_file: str | None, given: Iterable[str], deployed: str | None
) -> tuple[str, NetworkProfile]:
    """The profile's YAML with every address pinned, and what it means.

    `deployed` is the address of the test token that the development chain will have.
    """
    text = ask.answer(
        "--network",
        name_or_file,
        "Network (soneium-minato, development, or a profile's file)",
        profile_text,
    )
    addresses = dict(ask.flagged("--token-address", entry, token_address_of) for entry in given)
    for symbol in missing_token_addresses(text):
        if symbol in addresses:
            continue
        if deployed and text == profile_text("development"):
            addresses[symbol] = deployed
            continue
        addresses[symbol] = ask.answer(
            f"--token-address {symbol}=0x…",
            None,
            f"Address of the token {symbol} on this network (0x…)",
            chain_address,
        )
    text = pinned(text, addresses)
    return text, load_profile(text)


def ask_people(ask: Questioner, given: Iterable[str]) -> tuple[Person, ...]:
    """Everybody, an administrator first."""
    people = [ask.flagged("--person", entry, person_of) for entry in given]
    if people or not ask.interactive:
        return require_people(people)
    email = ask.asked("Administrator's e-mail address (sets up, never approves)", require_email)
    roles: dict[str, set[Role]] = {email: {Role.ADMINISTRATOR}}
    names = {email: ask.asked("  name", require_name)}
    for role, title in _ASKED_ROLES:
        while email := ask.asked(f"{title}: e-mail address, - for no more", _email_or_end, "-"):
            if email not in names:
                names[email] = ask.asked("  name", require_name)
            roles.setdefault(email, set()).add(role)
    return require_people(
        [Person(email, name, frozenset(roles[email])) for email, name in names.items()]
    )


def ask_policy(
    ask: Questioner, file: str | None, fits: Callable[[PolicySet], None]
) -> tuple[str, PolicySet]:
    """The policy's YAML and what it compiles to; `fits` raises InvalidInput when it cannot serve."""

    def read(path: str) -> tuple[str, PolicySet]:
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise InvalidInput("POLICY_FILE", f"{path} cannot be read as text") from None
        policy_set = load_policy_set(text)
        fits(policy_set)
        return text, policy_set

    if (
        file is None
        and ask.interactive
        and click.confirm(f"Copy the sample policy to {_SAMPLE_COPY}, to edit it now?")
    ):
        _copy_sample()
        click.pause(f"Edit {_SAMPLE_COPY}: currency, networks, limits. Save it, then press a key …")
        file = str(_SAMPLE_COPY)
        try:
            return read(file)
        except InvalidInput as error:
            click.echo(f"  {error.message}")
        return ask.asked("Policy file, when it is mended", read, file)
    return ask.answer("--policy", file, "Policy file", read)


def ask_caps(ask: Questioner, given: Iterable[str], network: NetworkProfile) -> dict[str, TokenCap]:
    """The signer's caps for every token of the network."""
    caps = dict(ask.flagged("--cap", entry, lambda text: cap_of(text, network)) for entry in given)
    for token in network.tokens:
        if token.symbol in caps:
            continue
        if not ask.interactive:
            raise InvalidInput(
                "ANSWER_MISSING",
                f"--cap {token.symbol}:PER_TRANSACTION:PER_24H is missing: what the signer signs at"
                " most, whatever policy and people said",
            )
        caps[token.symbol] = _asked_cap(ask, token.asset)
    return caps


def _asked_cap(ask: Questioner, token: Asset) -> TokenCap:
    def read(text: str) -> int:
        return amount_of(text, token)

    while True:
        cap = TokenCap(
            ask.asked(f"The signer signs at most how much {token.symbol} a transaction?", read),
            ask.asked(f"The signer signs at most how much {token.symbol} in 24 hours?", read),
        )
        try:
            return require_cap(cap)
        except InvalidInput as error:
            click.echo(f"  {error.message}")


def _email_or_end(text: str) -> str:
    return "" if text.strip() == "-" else require_email(text)


def _copy_sample() -> None:
    """A file of that name is the person's own and stays."""
    if _SAMPLE_COPY.exists():
        click.echo(f"  {_SAMPLE_COPY} exists and is kept")
        return
    sample = (files("samples") / "policies" / "norwick.yaml").read_text(encoding="utf-8")
    _SAMPLE_COPY.write_text(sample, encoding="utf-8")
