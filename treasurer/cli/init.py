"""`treasurer init`: sets an organization up for real use, in dry run. Must never print a key."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--organization", metavar="NAME", help="The organization's name.")
@click.option("--currency", metavar="CODE", help="Reporting currency, such as USD.")
@click.option("--monthly-burn", metavar="AMOUNT", help="What a month costs, or `unknown`.")
@click.option(
    "--person",
    "people",
    multiple=True,
    metavar="EMAIL:NAME:ROLE",
    help="Repeat. Roles: administrator, cfo, approver, clerk, auditor; several joined by +.",
)
@click.option("--network", metavar="NAME|FILE", help="soneium-minato, development, or a profile.")
@click.option(
    "--token-address",
    "token_addresses",
    multiple=True,
    metavar="SYMBOL=0x…",
    help="Repeat, for tokens whose address the profile leaves open.",
)
@click.option("--policy", metavar="FILE", help="The policy set; see samples/policies.")
@click.option("--payees", "payees_file", type=_FILE, metavar="FILE", help="CSV of payees.")
@click.option(
    "--enroll-payees/--no-enroll-payees",
    default=None,
    help="Let the signer pay the addresses of the CSV; else enroll each on its host.",
)
@click.option("--import-key", type=_FILE, metavar="FILE", help="Private key (hex) or keystore.")
@click.option(
    "--import-passphrase-file", type=_FILE, metavar="FILE", help="Opens the imported keystore."
)
@click.option("--new-key", is_flag=True, help="Make a new key instead.")
@click.option("--passphrase-file", type=_FILE, metavar="FILE", help="Guards the signer's keystore.")
@click.option(
    "--cap",
    "caps",
    multiple=True,
    metavar="SYMBOL:TX:DAY",
    help="Repeat. The signer's own caps a transaction and in 24 hours, in whole units.",
)
@click.option("--wallet-label", metavar="TEXT", help="What the wallet is called in the books.")
@click.option("--non-interactive", is_flag=True, help="Never ask; what is missing is an error.")
def init(**given: Any) -> None:
    """Set up an organization: people, payees, network, keys, policy. Ends in dry run.

    Asks for what no flag answers. Secrets come from files or a hidden prompt, never as arguments.
    An interrupted run goes on when it is started again with the same answers.
    """
    # Imported here, because `treasurer init --help` must not pay for the services.
    from treasurer.cli.founding import found
    from treasurer.cli.installation import start_installation
    from treasurer.cli.next_steps import next_steps, summary
    from treasurer.cli.questionnaire import Flags, ask_all
    from treasurer.settings import Settings

    settings, flags = Settings(), Flags(**given)
    answers = ask_all(settings, flags)
    click.echo("\n".join(summary(answers)))
    if not flags.non_interactive:
        click.confirm("Set this up?", default=True, abort=True)
    click.echo("starting what is needed …")
    with start_installation(settings, development_chain=answers.on_development_chain) as started:
        founded = found(
            answers,
            started,
            say=lambda text: click.echo(f"  {text}"),
            await_funds=_go_on if flags.non_interactive else _ask_for_funds,
        )
    click.echo("\n".join(next_steps(settings, answers, founded)))


def _ask_for_funds(wallet: str, empty: Sequence[str]) -> bool:
    """Let the person send them now: what comes later is booked as from somebody unknown."""
    from signer.addresses import checksummed

    click.echo(f"  {checksummed(wallet)} holds no {' and no '.join(empty)}")
    return click.confirm(
        "  The books open with what it holds now. Send them, wait until they are final, and say yes to"
        " look again. No goes on without: what comes later is booked to suspense. Look again?",
        default=True,
    )


def _go_on(wallet: str, empty: Sequence[str]) -> bool:
    from signer.addresses import checksummed

    click.echo(
        f"  warning: {checksummed(wallet)} holds no {' and no '.join(empty)}; nothing is paid before"
        " some has arrived. It is booked to suspense once its block is final"
    )
    return False
