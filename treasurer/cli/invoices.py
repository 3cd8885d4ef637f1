"""`treasurer invoices`: reviews of held invoices. Must never act without a named person."""

import asyncio
from uuid import UUID

import click


@click.group()
def invoices() -> None:
    """Answer what holds an invoice; other people agree before it is paid."""


@invoices.command()
@click.argument("invoice_id", type=click.UUID)
@click.option("--reason", required=True, help="Why it may go on; its approvers read it.")
@click.option(
    "--accept", "accepted", multiple=True, metavar="CODE", help="A finding that you answer for."
)
@click.option(
    "--state",
    "stated",
    multiple=True,
    metavar="FIELD=VALUE",
    help="A field, confirmed or corrected, as payable_amount=1234.56.",
)
@click.option("--user", "email", required=True, metavar="EMAIL", help="Who reviews.")
def review(
    invoice_id: UUID, reason: str, accepted: tuple[str, ...], stated: tuple[str, ...], email: str
) -> None:
    """Answer all that holds an invoice in review. You become the maker of its payment."""
    fields = {}
    for each in stated:
        name, equals, value = each.partition("=")
        if not equals:
            raise click.BadParameter(f"{each!r} is not FIELD=VALUE", param_hint="--state")
        fields[name] = value
    asyncio.run(_review(invoice_id, reason, accepted, fields, email))


async def _review(
    invoice_id: UUID, reason: str, accepted: tuple[str, ...], stated: dict[str, str], email: str
) -> None:
    from treasurer.cli.attached import attached_core
    from treasurer.kernel.ids import InvoiceId
    from treasurer.settings import Settings

    async with attached_core(Settings()) as core:
        user = await core.identity.user_of(email)
        await core.invoice_reviews.review(
            user.principal,
            InvoiceId(invoice_id),
            reason=reason,
            accepted=accepted,
            stated=stated,
        )
    click.echo("reviewed; the worker reads it again and proposes its payment")
