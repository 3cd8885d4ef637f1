"""`treasurer transfers`: stories and quarantines of transfers. Must never act without a named person."""

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

import click

if TYPE_CHECKING:
    from treasurer.bootstrap import Core
    from treasurer.identity.model import User
    from treasurer.reports.story import Story

_USER = click.option(
    "--user", "email", metavar="EMAIL", help="Who asks; the administrator, if unset."
)
_WHO = click.option("--user", "email", required=True, metavar="EMAIL", help="Who decides.")


@click.group()
def transfers() -> None:
    """Show transfers, and resolve what is quarantined: two people, and the chain has to agree."""


@transfers.command()
@click.argument("payment_id", type=click.UUID)
@_USER
def show(payment_id: UUID, email: str | None) -> None:
    """Tell everything that happened to a payment's transfers, attempts and entries, oldest first."""
    asyncio.run(_show(payment_id, email))


@transfers.command()
@_USER
def quarantined(email: str | None) -> None:
    """List the transfers that chain and books contradict."""
    asyncio.run(_quarantined(email))


@transfers.command()
@click.argument("transfer_id", type=click.UUID)
@click.argument("outcome", type=click.Choice(["settled", "void", "broadcast"]))
@click.option("--reason", required=True, help="What you saw.")
@_WHO
def resolve(transfer_id: UUID, outcome: str, reason: str, email: str) -> None:
    """Propose what should become of a quarantined transfer. Another person confirms it."""
    asyncio.run(_resolve(transfer_id, outcome, reason, email))


@transfers.command()
@click.argument("transfer_id", type=click.UUID)
@_WHO
def confirm(transfer_id: UUID, email: str) -> None:
    """Agree as the second person; the worker then asks the chain and does it if the chain agrees."""
    asyncio.run(_confirm(transfer_id, email))


async def _show(payment_id: UUID, email: str | None) -> None:
    from treasurer.cli.attached import attached_core
    from treasurer.kernel.ids import PaymentId
    from treasurer.reports.story import read_story
    from treasurer.settings import Settings

    async with attached_core(Settings()) as core:
        user = await _user(core, email)
        async with core.database.unit(user.organization_id) as connection:
            story = await read_story(connection, user.organization_id, PaymentId(payment_id))
    _tell(story)


def _tell(story: "Story") -> None:
    from treasurer.kernel.clock import iso
    from treasurer.kernel.money import format_minor

    if not story.events:
        raise click.ClickException("no payment of that id is known here")
    for transfer in story.transfers:
        slot = "no slot" if transfer.nonce is None else f"slot {transfer.nonce}"
        click.echo(f"transfer {transfer.id}: {transfer.state}, {slot} of {transfer.sender}")
        if transfer.reason:
            click.echo(f"  {transfer.reason}")
        if transfer.block_hash is not None:
            click.echo(f"  block {transfer.block_number} 0x{transfer.block_hash.hex()}")
        for attempt in transfer.attempts:
            click.echo(
                f"  attempt {attempt.number} ({attempt.kind}) {iso(attempt.created_at)}"
                f" 0x{attempt.transaction_hash.hex()}, at most {attempt.max_fee_per_gas_wei} wei"
            )
    for entry in story.entries:
        click.echo(f"entry {entry.kind} {iso(entry.posted_at)}")
        for leg in entry.legs:
            click.echo(f"  {leg.account}: {format_minor(leg.amount_minor, leg.asset)}")
    for event in story.events:
        by = f" by {event.actor.name}" if event.actor else ""
        click.echo(f"{iso(event.at)} {event.kind}{by}")


async def _quarantined(email: str | None) -> None:
    from treasurer.cli.attached import attached_core
    from treasurer.settings import Settings

    async with attached_core(Settings()) as core:
        user = await _user(core, email)
        waiting = await core.transfers.quarantined(user.principal)
    if not waiting:
        click.echo("nothing is quarantined")
    for transfer in waiting:
        slot = "no slot" if transfer.nonce is None else f"slot {transfer.nonce}"
        click.echo(f"{transfer.id} {slot} of {transfer.sender}: {transfer.reason}")
        if transfer.open is not None:
            state = "confirmed" if transfer.open.confirmed_by else "waits for a second person"
            click.echo(f"  proposed: {transfer.open.outcome} ({transfer.open.reason}), {state}")


async def _resolve(transfer_id: UUID, outcome: str, reason: str, email: str) -> None:
    from treasurer.cli.attached import attached_core
    from treasurer.kernel.ids import TransferId
    from treasurer.settings import Settings
    from treasurer.transfers.model import ResolutionOutcome

    async with attached_core(Settings()) as core:
        user = await core.identity.user_of(email)
        await core.transfers.propose(
            user.principal, TransferId(transfer_id), ResolutionOutcome(outcome), reason
        )
    click.echo("proposed; another person confirms with `treasurer transfers confirm`")


async def _confirm(transfer_id: UUID, email: str) -> None:
    from treasurer.cli.attached import attached_core
    from treasurer.kernel.ids import TransferId
    from treasurer.settings import Settings

    async with attached_core(Settings()) as core:
        user = await core.identity.user_of(email)
        await core.transfers.confirm(user.principal, TransferId(transfer_id))
    click.echo(
        "confirmed; the worker asks the chain, and `treasurer transfers show` tells the result"
    )


async def _user(core: "Core", email: str | None) -> "User":
    from treasurer.cli.own_organization import email_or_own

    return await core.identity.user_of(email_or_own(core.settings, email))
