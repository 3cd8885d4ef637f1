"""`treasurer incidents`: what people have to look at. Must never answer without a named person."""

import asyncio
from uuid import UUID

import click

_WHO = click.option("--user", "email", required=True, metavar="EMAIL", help="Who answers.")
_NOTE = click.option("--note", required=True, help="What you found.")


@click.group(invoke_without_command=True)
@click.option("--closed", is_flag=True, help="Those that are over, instead of the open ones.")
@click.option("--user", "email", metavar="EMAIL", help="Who asks; the administrator, if unset.")
@click.pass_context
def incidents(context: click.Context, closed: bool, email: str | None) -> None:
    """List incidents, and answer them: quarantines, refusals of the signer, contradicting nodes,
    money that left without us."""
    if context.invoked_subcommand is None:
        asyncio.run(_list(email, closed=closed))


@incidents.command()
@click.argument("incident_id", type=click.UUID)
@_NOTE
@_WHO
def acknowledge(incident_id: UUID, note: str, email: str) -> None:
    """Say that you look after it."""
    asyncio.run(_answer(incident_id, note, email, close=False))


@incidents.command()
@click.argument("incident_id", type=click.UUID)
@_NOTE
@_WHO
def close(incident_id: UUID, note: str, email: str) -> None:
    """Say what it was and that it is over."""
    asyncio.run(_answer(incident_id, note, email, close=True))


async def _list(email: str | None, *, closed: bool) -> None:
    from treasurer.cli.attached import attached_core
    from treasurer.cli.own_organization import email_or_own
    from treasurer.kernel.clock import iso
    from treasurer.settings import Settings

    async with attached_core(Settings()) as core:
        user = await core.identity.user_of(email_or_own(core.settings, email))
        found = await core.incidents.page(user.principal, open_=not closed)
    for incident in found:
        click.echo(f"{incident.id} {iso(incident.opened_at)} {incident.kind} {incident.subject_id}")
        click.echo(f"  {incident.message}")
        if incident.note:
            click.echo(f"  {incident.note}")
    if not found:
        click.echo("nothing was ever closed" if closed else "nothing is open")


async def _answer(incident_id: UUID, note: str, email: str, *, close: bool) -> None:
    from treasurer.cli.attached import attached_core
    from treasurer.incidents.model import IncidentId
    from treasurer.settings import Settings

    async with attached_core(Settings()) as core:
        user = await core.identity.user_of(email)
        answer = core.incidents.close if close else core.incidents.acknowledge
        await answer(user.principal, IncidentId(incident_id), note)
    click.echo("closed" if close else "acknowledged")
