"""Owns looking at the organization itself: mode, policy, people, wallets, prices, work. Reads only."""

from collections.abc import Sequence

from sqlalchemy import text

from treasurer.bootstrap import Core
from treasurer.cash.model import Overview
from treasurer.cli.attached import attached_core
from treasurer.cli.checkup import Finding, bad, good, note
from treasurer.identity.model import User
from treasurer.identity.organizations import organization_name
from treasurer.identity.store import users_with_roles
from treasurer.kernel.money import format_minor
from treasurer.kernel.organization import Permission, PrincipalKind, Role
from treasurer.payments import wallets
from treasurer.settings import Settings

_WORKERS = text(
    "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '30 s'"
)


async def look_at_organization(found: Settings, email: str) -> Sequence[Finding]:
    """Everything that could keep the installation's organization from paying."""
    async with attached_core(found) as core:
        return await _looked_at(core, email)


async def _looked_at(core: Core, email: str) -> Sequence[Finding]:
    administrator = await core.identity.user_of(email)
    overview = await core.cash.overview(administrator.principal)
    return [
        await _mode(core, administrator, overview),
        await _policy(core, administrator),
        *await _people(core, administrator),
        *await _wallets(core, administrator, overview),
        *_prices(core, overview),
        await _workers(core),
    ]


async def _mode(core: Core, user: User, overview: Overview) -> Finding:
    name = await organization_name(core.database, user.organization_id)
    if overview.frozen:
        return bad("organization", f"{name} is frozen: nothing is paid")
    if not overview.live:
        return note(
            "organization",
            f"{name} is in dry run: everything but signing; `treasurer live` turns it live",
        )
    return good("organization", f"{name} is live")


async def _policy(core: Core, user: User) -> Finding:
    async with core.database.unit(user.organization_id) as connection:
        active = await core.policies.active(connection, user.organization_id)
    return good("policy", f"{active.name!r} is active, version {active.digest.hex()[:12]}")


async def _people(core: Core, user: User) -> list[Finding]:
    async with core.database.unit(user.organization_id) as connection:
        known = await users_with_roles(connection, user.organization_id, frozenset(Role))
        active = await core.policies.active(connection, user.organization_id)
    people = [person for person in known if person.kind is PrincipalKind.HUMAN]
    return people_findings(people, most_people_asked=active.most_people_asked)


def people_findings(people: Sequence[User], *, most_people_asked: int) -> list[Finding]:
    """Whether enough people can do what policy and payee master ask of different ones."""

    def who_may(permission: Permission) -> int:
        return sum(permission in person.principal.permissions for person in people)

    if len(people) == 1:
        return [
            note(
                "people",
                "one person: only payments that the policy lets pass without asking can be made, and"
                " nobody can verify a payee's address",
            )
        ]
    findings = []
    voters, payee_writers = who_may(Permission.APPROVALS_VOTE), who_may(Permission.PAYEES_WRITE)
    if voters < most_people_asked:
        findings.append(
            bad("people", f"the policy may ask {most_people_asked} people, {voters} may vote")
        )
    elif voters == most_people_asked > 0:
        findings.append(
            note(
                "people",
                f"the policy may ask {most_people_asked} people and just as many may vote: one of"
                " them who proposes a payment, or is away, leaves it waiting",
            )
        )
    if payee_writers < 2:
        findings.append(
            bad("people", "one person may enter payees: nobody can verify what that one enters")
        )
    return findings or [good("people", f"{len(people)} people, {voters} of them vote")]


async def _wallets(core: Core, user: User, overview: Overview) -> list[Finding]:
    async with core.database.unit(user.organization_id) as connection:
        own = await wallets.active(connection, user.organization_id, core.rail.chain_id)
    if not own:
        return [bad("wallet", f"no wallet is enrolled on {core.network.name}")]
    findings = [
        bad("wallet", f"no {balance.asset.symbol} for fees: nothing can be sent")
        for balance in overview.gas
        if balance.available_minor <= 0
    ]
    if not any(balance.available_minor > 0 for balance in overview.balances):
        findings.append(note("wallet", "the books know of no token to pay with"))
    held = " and ".join(
        format_minor(entry.posted_minor, entry.asset) for entry in overview.balances
    )
    return findings or [good("wallet", f"{own[0].address} holds {held}")]


def _prices(core: Core, overview: Overview) -> list[Finding]:
    currency = overview.reporting.symbol
    return [
        note("prices", f"{token.symbol} is declared at par with {token.peg}, not observed")
        if token.peg == currency
        else bad("prices", f"{token.symbol} has no price in {currency}: it cannot be paid with")
        for token in core.network.tokens
    ]


async def _workers(core: Core) -> Finding:
    async with core.database.claims() as connection:
        alive = (await connection.execute(_WORKERS)).scalar_one()
    if not alive:
        return bad("worker", "no worker gave a sign of life for 30 seconds: start `treasurer up`")
    return good("worker", f"{alive} at work")
