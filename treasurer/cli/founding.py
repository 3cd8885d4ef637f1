"""Owns carrying out what `treasurer init` was told. Must never turn an organization live.

Every step finds what an interrupted run left, so running init again with the same answers goes on.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from treasurer.bootstrap import Core, open_chain, open_core
from treasurer.chain.connect import open_network
from treasurer.chain.networks import load_profile
from treasurer.chain.pinning import require_network
from treasurer.chain.proxies import observe
from treasurer.cli.answers import Answers, Person
from treasurer.cli.installation import Installation
from treasurer.cli.network_file import pinned_as_observed, write_network
from treasurer.cli.own_organization import remember_organization
from treasurer.cli.signer_folder import make_signer_folder, wallet_to_use
from treasurer.identity.model import User
from treasurer.identity.organizations import (
    NewOrganization,
    create_organization,
    organization_name,
)
from treasurer.identity.store import users_with_roles
from treasurer.kernel.errors import Conflict, InvalidInput, NotFound
from treasurer.kernel.organization import Permission, Role
from treasurer.payees.csv_import import RowReport
from treasurer.payments import wallets
from treasurer.payments.enrolment import WalletEnrolment
from treasurer.settings import Settings

Say = Callable[[str], None]
AwaitFunds = Callable[[str, Sequence[str]], bool]
"""Told the wallet and what it has nothing of; answers whether to look again."""


@dataclass(frozen=True, slots=True)
class Founded:
    """What stands now. `importer` entered the payees' addresses; `rows` tell what became of each."""

    wallet: str
    administrator: User
    importer: User
    rows: Sequence[RowReport]


def found(
    answers: Answers, installation: Installation, *, say: Say, await_funds: AwaitFunds
) -> Founded:
    """Set the installation up: network, keys, organization, people, policy, wallet, payees."""
    settings = installation.settings
    if not settings.rpc_urls:
        raise InvalidInput("RPC_URL_MISSING", f"set RPC_URL to a node of {answers.network.name}")
    wallet = wallet_to_use(settings, answers)
    if answers.on_development_chain:
        _furnish(settings.rpc_urls[0], answers, wallet)
    nonce, network_text = asyncio.run(_look_at_chain(settings, answers, wallet))
    say(f"the node serves {answers.network.name} and its tokens are as pinned")
    write_network(settings, network_text)
    if answers.key is not None:
        make_signer_folder(settings, answers, wallet, nonce)
        say(f"the key of {wallet} is encrypted in {settings.home.signer / 'keys'}")
    # The books open with what the wallet holds when it is enrolled.
    while (empty := asyncio.run(_nothing_of(settings, answers, wallet))) and await_funds(
        wallet, empty
    ):
        continue
    return asyncio.run(_found_organization(settings, answers, wallet, say))


def _furnish(rpc_url: str, answers: Answers, wallet: str) -> None:
    """On the development chain: deploy the test token where it is pinned, give the wallet some of it
    and coins for fees."""
    from treasurer.embedded.devchain.seed import deploy_test_usd, give_gas, test_usd_address

    if test_usd_address() in {token.address for token in answers.network.tokens}:
        deploy_test_usd(rpc_url, mint_to=wallet)
    give_gas(rpc_url, to=wallet)


async def _look_at_chain(settings: Settings, answers: Answers, wallet: str) -> tuple[int, str]:
    """The wallet's next nonce and the profile with its tokens' code pinned, once the node has proved to
    be the right one.
    """
    async with open_network(settings.rpc_urls, answers.network) as chain:
        right = await chain.chain_id() == answers.network.chain_id
        observed = {
            token.symbol: await observe(chain, token.address) if right else None
            for token in answers.network.tokens
        }
        text = pinned_as_observed(answers.network_text, observed)
        await require_network(chain, load_profile(text))
        return await chain.nonce(wallet), text


async def _nothing_of(settings: Settings, answers: Answers, wallet: str) -> list[str]:
    """Symbols of which the wallet holds nothing."""
    network = answers.network
    async with open_network(settings.rpc_urls, network) as chain:
        (native_wei,) = await chain.native_balances([wallet])
        held = {network.native.symbol: native_wei}
        for token in network.tokens:
            (held[token.symbol],) = await chain.token_balances(token.address, [wallet])
    return [symbol for symbol, amount in held.items() if amount == 0]


async def _found_organization(
    settings: Settings, answers: Answers, wallet: str, say: Say
) -> Founded:
    core = open_core(settings, pool_size=2)
    try:
        administrator = await _administrator(core, answers)
        people = await _people(core, administrator, answers.people)
        say(f"{answers.organization} has {len(answers.people)} people")
        await core.policies.activate_first(administrator.principal, answers.policy_text)
        say("the policy is active")
        await _enrol_wallet(core, administrator, wallet, answers.wallet_label)
        say(f"the wallet {wallet} is enrolled in the books")
        importer = _importer(administrator, people)
        rows = await _import_payees(core, importer, answers.payees_csv)
        remember_organization(settings, answers.organization, administrator)
        return Founded(wallet, administrator, importer, rows)
    finally:
        await core.close()


async def _administrator(core: Core, answers: Answers) -> User:
    person = answers.people[0]
    with suppress(NotFound):
        known = await core.identity.user_of(person.email)
        name = await organization_name(core.database, known.organization_id)
        if name != answers.organization:
            raise Conflict(
                "EMAIL_TAKEN",
                f"{person.email} belongs to {name} already; an address is one person's in one"
                " organization",
            )
        return known
    return await create_organization(
        core.database,
        NewOrganization(
            name=answers.organization,
            reporting=answers.reporting,
            live=False,
            declared_monthly_burn_minor=answers.monthly_burn_minor,
            administrator_email=person.email,
            administrator_name=person.name,
            administrator_roles=person.roles,
        ),
        now=core.clock(),
        new_id=core.new_id,
    )


async def _people(core: Core, administrator: User, asked: Sequence[Person]) -> list[User]:
    """All active users, the missing ones created, oldest first."""
    organization_id = administrator.organization_id
    async with core.database.unit(organization_id) as connection:
        known = await users_with_roles(connection, organization_id, frozenset(Role))
    emails = {user.email.lower() for user in known}
    created = [
        await core.identity.create_user(
            administrator.principal, email=person.email, name=person.name, roles=person.roles
        )
        for person in asked
        if person.email.lower() not in emails
    ]
    return [*known, *created]


def _importer(administrator: User, people: Sequence[User]) -> User:
    """Who enters the payees: a clerk, so that the administrator is free to verify."""
    clerks = [user for user in people if Role.CLERK in user.roles and user.id != administrator.id]
    return clerks[0] if clerks else administrator


async def _enrol_wallet(core: Core, administrator: User, wallet: str, label: str) -> None:
    organization_id = administrator.organization_id
    async with core.database.unit(organization_id) as connection:
        known = await wallets.active(connection, organization_id, core.rail.chain_id)
    if wallet in {entry.address for entry in known}:
        return
    async with open_chain(core) as chain:
        enrolment = WalletEnrolment(
            database=core.database,
            chain=chain,
            rail=core.rail,
            clock=core.clock,
            new_id=core.new_id,
        )
        await enrolment.enrol(organization_id, address=wallet, label=label, actor=administrator.id)


async def _import_payees(core: Core, importer: User, content: bytes | None) -> list[RowReport]:
    if content is None:
        return []
    importer.principal.require(Permission.PAYEES_WRITE)
    return await core.payees.import_csv(importer.principal, content)
