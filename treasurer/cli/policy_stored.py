"""Owns the `treasurer policy` commands that read what an installation stored. Must never decide anew."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import click

if TYPE_CHECKING:
    from policy.policy_set import PolicySet
    from treasurer.payments.backtests import Backtest
    from treasurer.payments.verification import Verified

_FILE = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
_USER = click.option(
    "--user", "email", metavar="EMAIL", help="Who asks; else this installation's administrator."
)


@click.command()
@click.argument("payment", metavar="PAYMENT_ID", type=click.UUID)
@_USER
def verify(payment: UUID, email: str | None) -> None:
    """Replay the stored decisions of one payment, byte for byte.

    Exits 1 if one of them is not what its own facts and policy give.
    """
    found = asyncio.run(_verified(payment, email))
    for one in found:
        what = "FAULT: " + one.fault if one.fault else "the same bytes"
        click.echo(
            f"{one.decided_at:%Y-%m-%d %H:%M:%S} {one.stage:8} {one.outcome:16}"
            f" policy {one.policy_digest[:12]}  {what}"
        )
    if any(one.fault for one in found):
        raise SystemExit(1)


@click.command()
@click.argument("file", type=_FILE)
@click.option(
    "--since", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The first day, UTC."
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as it is kept.")
@_USER
def backtest(file: Path, since: datetime, as_json: bool, email: str | None) -> None:
    """Say who would have been paid, held or denied, had the policy in FILE decided since DATE.

    Kept where FILE is a stored draft; its sign-offs and its activation name the digest printed.
    """
    from treasurer.cli.policy import policy_set_of

    found = asyncio.run(_backtest(policy_set_of(file), since.replace(tzinfo=UTC), email))
    if as_json:
        click.echo(json.dumps(found.report.document(), indent=2))
    else:
        click.echo(_in_words(found))


@click.command()
@click.argument("file", type=_FILE)
@_USER
def sanctions(file: Path, email: str | None) -> None:
    """Load the sanctions list in FILE: a name or an address a line. It replaces the one before."""
    entries = asyncio.run(_loaded(file.read_bytes(), email))
    click.echo(f"{entries} entries are on the sanctions list now")


def stored_set(version: int, email: str | None) -> "PolicySet":
    """The compiled set of that version."""
    return asyncio.run(_stored_set(version, email))


async def _stored_set(version: int, email: str | None) -> "PolicySet":
    from policy.policy_set import parse_policy_set
    from treasurer.cli.attached import attached_core
    from treasurer.cli.own_organization import email_or_own
    from treasurer.settings import Settings

    settings = Settings()
    async with attached_core(settings) as core:
        user = await core.identity.user_of(email_or_own(settings, email))
        return parse_policy_set((await core.policies.version(user.principal, version)).document)


async def _verified(payment: UUID, email: str | None) -> "list[Verified]":
    from treasurer.cli.attached import attached_core
    from treasurer.cli.own_organization import email_or_own
    from treasurer.kernel.ids import PaymentId
    from treasurer.settings import Settings

    settings = Settings()
    async with attached_core(settings) as core:
        user = await core.identity.user_of(email_or_own(settings, email))
        return await core.verification.verify(user.principal, PaymentId(payment))


async def _backtest(policy_set: "PolicySet", since: datetime, email: str | None) -> "Backtest":
    from treasurer.cli.attached import attached_core
    from treasurer.cli.own_organization import email_or_own
    from treasurer.settings import Settings

    settings = Settings()
    async with attached_core(settings) as core:
        user = await core.identity.user_of(email_or_own(settings, email))
        return await core.backtests.run(user.principal, policy_set, since)


async def _loaded(content: bytes, email: str | None) -> int:
    from treasurer.cli.attached import attached_core
    from treasurer.cli.own_organization import email_or_own
    from treasurer.settings import Settings

    settings = Settings()
    async with attached_core(settings) as core:
        user = await core.identity.user_of(email_or_own(settings, email))
        return await core.sanctions.load(user.principal, content)


def _in_words(found: "Backtest") -> str:
    from treasurer.kernel.money import format_minor

    report = found.report
    lines = [
        f"{report.decisions} decisions about {len(report.payments)} payments since"
        f" {report.since:%Y-%m-%d}, as {report.policy_set.name} would have decided:",
        "",
    ]
    for (before, after), (count, minor) in report.totals().items():
        amount = format_minor(minor, report.policy_set.reporting)
        what = f"{before} as before" if before is after else f"{before} before, {after} now"
        lines.append(f"  {count:>7} {what:28} {amount}")
    if report.changes:
        lines += ["", "Newest payments whose fate would be another:"]
    for one in report.changes[:20]:
        amount = format_minor(one.amount_minor, report.policy_set.reporting)
        why = f" ({one.rules})" if one.rules else ""
        lines.append(f"  {one.payment_id}  {amount:>16}  {one.before} → {one.after}{why}")
    kept = f", kept for draft {found.kept_for}" if found.kept_for else ", not kept: no such draft"
    return "\n".join([*lines, "", f"backtest {found.digest.hex()}{kept}"])
