"""`treasurer audit`: checks the audit chain from outside the service. Must never repair or seal it."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from treasurer.cli.reconcile import reconcile

if TYPE_CHECKING:
    from treasurer.audit.service import Verification
    from treasurer.kernel.audit_head import SignedHead

_WHOSE = click.option(
    "--user",
    "email",
    metavar="EMAIL",
    help="One of the organization's people; else the organization of this installation.",
)


@click.group()
def audit() -> None:
    """Verify the audit chain, keep its signed head elsewhere, hold books against the chain."""


audit.add_command(reconcile)


@audit.command()
@_WHOSE
@click.option(
    "--kept",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Repeat. A head of `treasurer audit head`: history up to it must be the same.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def verify(email: str | None, kept: tuple[Path, ...], as_json: bool) -> None:
    """Recompute every hash from the first event to the head, and print the head.

    Exits 1 at the first fault.
    """
    heads = [_kept_head(path) for path in kept]
    name, verification = asyncio.run(_verified(email, heads))
    click.echo(_json(name, verification) if as_json else _in_words(name, verification))
    if verification.fault:
        raise SystemExit(1)


@audit.command()
@_WHOSE
def head(email: str | None) -> None:
    """Print the last signed head, one JSON object, to be kept outside of this installation.

    With it `treasurer audit verify --kept` finds a chain that was rewritten or cut off later.
    """
    signed = asyncio.run(_signed_head(email))
    if signed is None:
        raise click.ClickException(
            "no head is signed yet; the worker has one signed within seconds"
        )
    click.echo(
        json.dumps(
            {
                "organization_id": str(signed.head.organization_id),
                "sequence": signed.head.sequence,
                "hash": signed.head.hash.hex(),
                "signature": signed.signature.hex(),
            }
        )
    )


async def _verified(email: str | None, kept: "list[SignedHead]") -> "tuple[str, Verification]":
    from treasurer.cli.attached import attached_core
    from treasurer.cli.own_organization import email_or_own
    from treasurer.identity.organizations import organization_name
    from treasurer.kernel.errors import InvalidInput
    from treasurer.settings import Settings

    settings = Settings()
    email = email_or_own(settings, email)
    async with attached_core(settings) as core:
        organization_id = (await core.identity.user_of(email)).organization_id
        if any(signed.head.organization_id != organization_id for signed in kept):
            raise InvalidInput("HEAD_OF_ANOTHER", "a kept head is another organization's")
        name = await organization_name(core.database, organization_id)
        return name, await core.audit.verify(organization_id, kept=kept)


async def _signed_head(email: str | None) -> "SignedHead | None":
    from treasurer.cli.attached import attached_core
    from treasurer.cli.own_organization import email_or_own
    from treasurer.settings import Settings

    settings = Settings()
    email = email_or_own(settings, email)
    async with attached_core(settings) as core:
        user = await core.identity.user_of(email)
        return await core.audit.signed_head(user.organization_id)


def _kept_head(path: Path) -> "SignedHead":
    from uuid import UUID

    from treasurer.kernel.audit_head import AuditHead, SignedHead
    from treasurer.kernel.errors import InvalidInput
    from treasurer.kernel.ids import OrganizationId

    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        organization_id = OrganizationId(UUID(content["organization_id"]))
        place = AuditHead(organization_id, int(content["sequence"]), bytes.fromhex(content["hash"]))
        return SignedHead(place, bytes.fromhex(content["signature"]))
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            "HEAD_UNREADABLE", f"{path} is no head as `treasurer audit head` prints it"
        ) from error


def _in_words(name: str, verification: "Verification") -> str:
    digest = verification.head_hash.hex()
    if verification.fault is not None:
        return (
            f"{name}: FAULT at event {verification.fault.sequence}: {verification.fault.reason}\n"
            f"{verification.events} events were read until there, the last hash is {digest}"
        )
    signed = verification.signed_sequence
    signatures = "no signature was checked" if signed is None else f"signed up to event {signed}"
    return f"{name}: {verification.events} events, the chain holds, {signatures}\nhead {digest}"


def _json(name: str, verification: "Verification") -> str:
    fault = verification.fault
    return json.dumps(
        {
            "organization": name,
            "events": verification.events,
            "head_hash": verification.head_hash.hex(),
            "signed_sequence": verification.signed_sequence,
            "fault": fault and {"sequence": fault.sequence, "reason": fault.reason},
        },
        sort_keys=True,
    )
