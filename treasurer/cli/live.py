"""`treasurer live`: a person turns signing on or off. Must never be done by default or by a program."""

import asyncio
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from treasurer.bootstrap import Core
    from treasurer.cash.model import Overview
    from treasurer.identity.model import User


@click.command()
@click.option("--off", is_flag=True, help="Back to dry run: everything but signing.")
@click.option(
    "--user", "email", prompt="Administrator's e-mail address", metavar="EMAIL", help="Who decides."
)
def live(off: bool, email: str) -> None:
    """Turn dry run off: from then on payments that the policy lets pass are signed and sent.

    Asks the administrator to confirm, and records the decision on the audit log. --off acts at once.
    """
    asyncio.run(_turn(email.strip(), live=not off))


async def _turn(email: str, *, live: bool) -> None:
    from treasurer.cli.attached import attached_core
    from treasurer.identity.organizations import organization_name, set_live
    from treasurer.settings import Settings

    async with attached_core(Settings()) as core:
        user = await core.identity.user_of(email)
        _require_administrator(user)
        name = await organization_name(core.database, user.organization_id)
        overview = await core.cash.overview(user.principal)
        mode = "live" if live else "in dry run"
        if overview.live is live:
            click.echo(f"{name} is {mode} already")
            return
        if live:
            _confirm(core, user, name, overview)
        await set_live(core.database, user, live=live, now=core.clock(), new_id=core.new_id)
        click.echo(f"{name} is {mode} now, by {user.name}")


def _require_administrator(user: "User") -> None:
    from treasurer.kernel.errors import NotPermitted
    from treasurer.kernel.organization import Permission, PrincipalKind

    user.principal.require(Permission.ADMIN_ALL)
    if user.kind is not PrincipalKind.HUMAN:
        raise NotPermitted("HUMAN_REQUIRED", "a person turns signing on or off, never a program")


def _confirm(core: "Core", user: "User", name: str, overview: "Overview") -> None:
    """Say what will happen and ask; abort unless the answer is yes."""
    from treasurer.kernel.money import format_minor

    held = " and ".join(
        format_minor(balance.posted_minor, balance.asset) for balance in overview.balances
    )
    click.echo(
        f"{name} pays on {core.network.name} (chain {core.network.chain_id}) and holds"
        f" {held or 'nothing'}.\n"
        "Once live, what the policy lets pass is signed and sent; it cannot be called back.\n"
        "Payments that waited in dry run go out at once."
    )
    click.confirm(f"{user.name}, turn {name} live?", abort=True)
