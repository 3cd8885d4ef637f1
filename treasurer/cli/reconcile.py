"""`treasurer audit reconcile`: books and chain against the money invariants. Must never repair any."""

import asyncio
import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from treasurer.audit.reconciliation.model import Report, Result


@click.command()
@click.option(
    "--user",
    "email",
    metavar="EMAIL",
    help="One of the organization's people; else the organization of this installation.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def reconcile(email: str | None, as_json: bool) -> None:
    """Check every money invariant against database and chain, and record the result.

    Exits 1 unless every check was made and none found anything.
    """
    report = asyncio.run(_reconciled(email))
    click.echo(json.dumps(report.document(), sort_keys=True) if as_json else _in_words(report))
    if not report.clean:
        raise SystemExit(1)


async def _reconciled(email: str | None) -> "Report":
    from treasurer.bootstrap import open_chain, open_reconciliation
    from treasurer.cli.attached import attached_core
    from treasurer.cli.own_organization import email_or_own
    from treasurer.settings import Settings

    settings = Settings()
    email = email_or_own(settings, email)
    async with attached_core(settings) as core:
        user = await core.identity.user_of(email)
        async with open_chain(core) as chain:
            return await open_reconciliation(core, chain).run(user.organization_id, progress=_tell)


def _tell(result: "Result") -> None:
    """One line a check on standard error, as it is made."""
    state = "ok  " if result.holds else "FAIL"
    click.echo(f"{state}  {result.check.id:<22} {result.check.says}", err=True)


def _in_words(report: "Report") -> str:
    lines = [
        f"{found.check} {found.code}: "
        + ", ".join(f"{name} {value}" for name, value in {**found.about, **found.numbers}.items())
        for result in report.results
        for found in result.violations
    ]
    lines += [
        f"{result.check.id} could not be checked: {result.failed}"
        for result in report.results
        if result.failed is not None
    ]
    lines += [
        f"in flight: {item.amount_minor} {item.asset} of transfer {item.transfer_id}, {item.why}"
        for item in report.in_flight
    ]
    lines += [f"not checkable at rest, {name}: {why}" for name, why in report.unchecked.items()]
    verdict = "the books hold" if report.clean else f"{report.violations} violations"
    return "\n".join(
        [
            *lines,
            f"{len(report.results)} checks at final block {report.block_number}: {verdict},"
            f" {report.failed} not made",
        ]
    )
