"""`treasurer allowances`: what batches may move. Must never act without a named person."""

import asyncio
from uuid import UUID

import click

_WHO = click.option("--user", "email", required=True, metavar="EMAIL", help="Who decides.")


@click.group()
def allowances() -> None:
    """Let the contract that pays batches move an exact amount of a wallet's tokens: two people."""


@allowances.command()
@click.argument("wallet")
@click.argument("amount")
@click.argument("symbol")
@_WHO
def propose(wallet: str, amount: str, symbol: str, email: str) -> None:
    """Propose what may be moved of WALLET, as 5000.00 USDC, in place of what may be moved now; 0 takes it
    back. Another person confirms it.
    """
    asyncio.run(_propose(wallet, amount, symbol, email))


@allowances.command()
@click.argument("allowance_id", type=click.UUID)
@_WHO
def confirm(allowance_id: UUID, email: str) -> None:
    """Agree as the second person; the worker then has it signed, if the signer's limits permit it."""
    asyncio.run(_decide(allowance_id, email, agree=True))


@allowances.command()
@click.argument("allowance_id", type=click.UUID)
@_WHO
def reject(allowance_id: UUID, email: str) -> None:
    """Take a proposal back, or refuse it."""
    asyncio.run(_decide(allowance_id, email, agree=False))


@allowances.command(name="list")
@click.option("--user", "email", metavar="EMAIL", help="Who asks; the administrator, if unset.")
def list_(email: str | None) -> None:
    """List the newest allowances and what came of them."""
    asyncio.run(_list(email))


async def _propose(wallet: str, amount: str, symbol: str, email: str) -> None:
    from treasurer.cli.attached import attached_core
    from treasurer.kernel.money import parse_decimal, to_minor
    from treasurer.settings import Settings

    async with attached_core(Settings()) as core:
        user = await core.identity.user_of(email)
        made = await core.allowances.propose(
            user.principal,
            wallet=wallet,
            symbol=symbol,
            amount_minor=to_minor(parse_decimal(amount), core.rail.token_of(symbol).asset),
        )
    click.echo(f"proposed; another person runs `treasurer allowances confirm {made.id}`")


async def _decide(allowance_id: UUID, email: str, *, agree: bool) -> None:
    from treasurer.cli.attached import attached_core
    from treasurer.kernel.ids import AllowanceId
    from treasurer.settings import Settings

    async with attached_core(Settings()) as core:
        user = await core.identity.user_of(email)
        decide = core.allowances.confirm if agree else core.allowances.reject
        await decide(user.principal, AllowanceId(allowance_id))
    click.echo("confirmed; `treasurer allowances list` tells the result" if agree else "rejected")


async def _list(email: str | None) -> None:
    from treasurer.cli.attached import attached_core
    from treasurer.cli.own_organization import email_or_own
    from treasurer.kernel.money import format_minor
    from treasurer.settings import Settings

    async with attached_core(Settings()) as core:
        user = await core.identity.user_of(email_or_own(core.settings, email))
        found = await core.allowances.page(user.principal)
        for allowance in found:
            order = allowance.order
            amount = format_minor(order.amount_minor, core.rail.asset_at(order.token))
            why = f" ({allowance.result})" if allowance.result else ""
            click.echo(f"{allowance.id} {order.wallet} {amount}: {allowance.state}{why}")
    if not found:
        click.echo("nothing was ever allowed")
