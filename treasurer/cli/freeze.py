"""`treasurer freeze | unfreeze`: the organization's stop and the signer's switch, turned together.

Must never thaw one half alone: the signer's host may hold its own freeze, and then nothing is lifted.
"""

import asyncio
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from treasurer.bootstrap import Core
    from treasurer.identity.model import User

_user = click.option(
    "--user", "email", prompt="Your e-mail address", metavar="EMAIL", help="Who decides."
)
_alone = click.option(
    "--organization-only",
    is_flag=True,
    help="Leave the signer's switch alone, which is that of all organizations it signs for.",
)


@click.command()
@click.argument("reason")
@_user
@_alone
def freeze(reason: str, email: str, organization_only: bool) -> None:
    """Stop payments at once, and say why. An administrator or a CFO may.

    Nothing new is reserved, signed or sent. Cancels, confirmations and settlement go on. If the
    database does not answer: `python -m signer freeze` on the signer's host.
    """
    asyncio.run(_freeze(reason, email.strip(), with_signer=not organization_only))


@click.command()
@click.argument("reason")
@_user
@_alone
def unfreeze(reason: str, email: str, organization_only: bool) -> None:
    """Let payments go again, and say why. An administrator may; what waited goes out at once."""
    asyncio.run(_unfreeze(reason, email.strip(), with_signer=not organization_only))


async def _freeze(reason: str, email: str, *, with_signer: bool) -> None:
    from treasurer.bootstrap import open_signer
    from treasurer.cli.attached import attached_core
    from treasurer.identity.freeze import freeze
    from treasurer.kernel.errors import TreasurerError
    from treasurer.settings import Settings

    async with attached_core(Settings()) as core:
        user = await core.identity.user_of(email)
        # First what holds for all workers, then the switch behind it.
        state = await freeze(
            core.database, user.principal, reason, now=core.clock(), new_id=core.new_id
        )
        click.echo(f"{await _name(core, user)} is frozen, by {state.by}: {state.reason}")
        if with_signer:
            signer = open_signer(core)
            try:
                await signer.freeze(reason)
            except TreasurerError as error:
                raise click.ClickException(
                    f"the signer's own switch could not be turned: {error.message}. The"
                    " organization's freeze holds; on the signer's host run `python -m signer freeze`"
                ) from error
            finally:
                await signer.close()
            click.echo("the signer signs no payment")


async def _unfreeze(reason: str, email: str, *, with_signer: bool) -> None:
    from treasurer.bootstrap import open_signer
    from treasurer.cli.attached import attached_core
    from treasurer.identity.freeze import unfreeze
    from treasurer.kernel.organization import Permission
    from treasurer.settings import Settings

    async with attached_core(Settings()) as core:
        user = await core.identity.user_of(email)
        user.principal.require(Permission.ADMIN_ALL)
        if with_signer:
            signer = open_signer(core)
            try:
                await signer.unfreeze()
            finally:
                await signer.close()
            click.echo("the signer signs again")
        await unfreeze(core.database, user.principal, reason, now=core.clock(), new_id=core.new_id)
        click.echo(f"{await _name(core, user)} is not frozen, by {user.name}: {reason.strip()}")


async def _name(core: "Core", user: "User") -> str:
    from treasurer.identity.organizations import organization_name

    return await organization_name(core.database, user.organization_id)
