"""Owns the list of commands and their lazy loading. Must never import what a command needs."""

from importlib import import_module
from typing import Any

import click

COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("treasurer.cli.up", "Start everything on this machine; --demo shows the main job."),
    "demo": ("treasurer.cli.demo", "Do the main job in a temporary folder and check it."),
    "init": ("treasurer.cli.init", "Set up an organization for real use."),
    "doctor": ("treasurer.cli.doctor", "Say what is used and what is wrong, in plain words."),
    "serve": ("treasurer.cli.serve", "Run the API and the dashboard."),
    "worker": ("treasurer.cli.worker", "Run jobs and the pump."),
    "migrate": ("treasurer.cli.migrate", "Bring the database to the newest schema."),
    "live": ("treasurer.cli.live", "Turn dry run off, or on again."),
    "freeze": ("treasurer.cli.freeze", "Stop payments at once, and say why."),
    "unfreeze": ("treasurer.cli.freeze", "Let payments go again, and say why."),
    "token": ("treasurer.cli.token", "Print an access token for scripts."),
    "read": ("treasurer.cli.read", "Read documents without database or server."),
    "invoices": ("treasurer.cli.invoices", "Review an invoice that was held."),
    "policy": ("treasurer.cli.policy", "Check policy sets and try decisions."),
    "transfers": ("treasurer.cli.transfers", "Show transfers; resolve what is quarantined."),
    "trace": ("treasurer.cli.trace", "Walk from a transaction back to the document's bytes."),
    "incidents": ("treasurer.cli.incidents", "List and answer what people have to look at."),
    "allowances": ("treasurer.cli.allowances", "Let batches move an exact amount: two people."),
    "audit": ("treasurer.cli.audit", "Verify the audit chain."),
}


class LazyGroup(click.Group):
    """Knows names and one-line helps; loads a command's module when it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: Any = getattr(import_module(COMMANDS[name][0]), name)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Errors that tell what to do are one sentence; only our own faults show a trace."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:
            message = _plain(error)
            if message is None:
                raise
            raise click.ClickException(message) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup)
@click.version_option(package_name="autonomous-treasurer")
def main() -> None:
    """Pays supplier invoices in stablecoins, exactly once, under a policy."""


def _plain(error: Exception) -> str | None:
    """The sentence for an error that the person at the terminal can do something about."""
    from treasurer.kernel.errors import TreasurerError

    if isinstance(error, TreasurerError):
        return error.message
    if isinstance(error, PermissionError):
        return f"{error.filename} is closed to this user; run as the one who set this up"
    if getattr(error, "title", None) == "Settings":
        return _settings_faults(error)
    return None


def _settings_faults(error: Exception) -> str:
    """Each wrong setting by name, without its value, which may be a secret."""
    from pydantic import ValidationError

    assert isinstance(error, ValidationError)
    faults = error.errors(include_url=False, include_input=False)
    return "\n".join(f"{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in faults)
