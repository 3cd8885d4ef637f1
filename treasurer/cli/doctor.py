"""`treasurer doctor`: what is used and what is wrong, in plain words. Must never repair anything."""

import asyncio
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from treasurer.cli.checkup import Finding
    from treasurer.settings import Settings

_MARKS = {"good": ("ok", "green"), "note": ("note", "yellow"), "bad": ("WRONG", "red")}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(as_json: bool) -> None:
    """Say of each part whether it is embedded, given or missing, whether it answers, what is wrong.

    Exits 1 when something is wrong.
    """
    from treasurer.settings import Settings

    findings = asyncio.run(_examined(Settings()))
    wrong = sum(finding.state == "bad" for finding in findings)
    if as_json:
        click.echo(_json(findings))
    else:
        for finding in findings:
            word, colour = _MARKS[finding.state]
            click.echo(
                f"{click.style(f'{word:<6}', fg=colour)}{finding.subject:<13}{finding.sentence}"
            )
        click.echo(f"\n{wrong or 'nothing'} wrong" if wrong != 1 else "\none thing wrong")
    if wrong:
        raise SystemExit(1)


async def _examined(given: "Settings") -> "list[Finding]":
    """Everything that can be looked at, given what runs and what is set up."""
    from treasurer.cli.checkup import bad, look_at_machine, looked_at
    from treasurer.cli.checkup_chain import look_at_chain, look_at_signer
    from treasurer.cli.checkup_services import listens, look_at_services
    from treasurer.cli.installation import network_of
    from treasurer.cli.own_organization import own_organization
    from treasurer.cli.running import running_settings

    found = running_settings(given) or given
    findings = look_at_machine(found)
    findings += await look_at_services(given, found)
    network, own = network_of(found), own_organization(found)
    if network is None:
        findings.append(bad("network", "none is set up: run `treasurer init`"))
    else:
        findings += await look_at_chain(given, found, network)
        findings += await look_at_signer(found, network)
    findings.append(listens(found))
    if own is None or network is None:
        findings.append(bad("organization", "none is set up: run `treasurer init`"))
    elif found.database_url is not None and found.redis_url is not None:
        from treasurer.cli.checkup_organization import look_at_organization

        findings += await looked_at(
            "organization", own.name, lambda: look_at_organization(found, own.administrator_email)
        )
    return findings


def _json(findings: "Sequence[Finding]") -> str:
    return json.dumps(
        {
            "ok": not any(finding.state == "bad" for finding in findings),
            "findings": [
                {
                    "subject": finding.subject,
                    "state": finding.state.value,
                    "message": finding.sentence,
                }
                for finding in findings
            ],
        }
    )
