"""Owns `treasurer policy`: what a policy file means, and what it would decide. Must never store.

What needs an installation stands in `treasurer.cli.policy_stored`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from treasurer.cli.policy_stored import backtest, sanctions, stored_set, verify

if TYPE_CHECKING:
    from policy.decision import Decision
    from policy.policy_set import PolicySet
    from treasurer.kernel.errors import InvalidInput

_FILE = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
_OUTCOMES = {"ALLOW": "allowed", "REQUIRE_APPROVAL": "needs approval", "DENY": "denied"}


@click.group()
def policy() -> None:
    """Check policy files, try decisions, and look at what an installation decided.

    check, decide, and diff of two files need neither database nor server.
    """


policy.add_command(backtest)
policy.add_command(sanctions)
policy.add_command(verify)


@policy.command()
@click.argument("file", type=_FILE)
def check(file: Path) -> None:
    """Say in plain English what the policy in FILE means.

    Exits 1 with line, column and remedy of each fault when it is wrong.
    """
    policy_set = policy_set_of(file)
    click.echo(f"{policy_set.name}\n")
    for sentence in policy_set.describe():
        click.echo(f"  {sentence}")
    people = policy_set.most_people_asked
    click.echo(
        "\nNobody is ever asked, so an organization of one person can use it."
        if people == 0
        else f"\nIt may ask up to {people} people besides whoever proposed the payment."
    )
    click.echo(f"version {policy_set.digest.hex()}")


@policy.command()
@click.argument("request", metavar="REQUEST.json", type=_FILE)
@click.option("--policy", "policy_file", required=True, type=_FILE, help="The policy file.")
@click.option("--json", "as_json", is_flag=True, help="Print the decision as it would be stored.")
def decide(request: Path, policy_file: Path, as_json: bool) -> None:
    """Decide on the request and the facts in REQUEST.json, as the policy would.

    See samples/policies/request-example.json. Exits 0 whatever the outcome, 1 when a file is wrong.
    """
    # Imported here, because `treasurer --help` must not pay for the engine.
    from policy.codec import parse_object
    from policy.engine import evaluate
    from policy.facts import facts_from
    from policy.request import request_from
    from treasurer.kernel.errors import InvalidInput

    policy_set = policy_set_of(policy_file)
    try:
        source = parse_object(_text(request))
        asked, known = source.section("request"), source.section("facts")
        if asked is None or known is None:
            source.refuse("request" if asked is None else "facts", "an object belongs here")
        source.done()
        decision = evaluate(request_from(asked), facts_from(known), policy_set)
    except InvalidInput as error:
        _refuse(request, error)
    click.echo(decision.to_json() if as_json else _in_words(decision))


@policy.command()
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option("--user", "email", metavar="EMAIL", help="Whose stored versions A and B are.")
def diff(before: str, after: str, email: str | None) -> None:
    """Say in plain English what changes from A to B: files, or numbers of stored versions."""
    from policy.difference import differences

    old, new = (
        stored_set(int(name), email) if name.isdigit() else policy_set_of(Path(name))
        for name in (before, after)
    )
    click.echo("\n".join(differences(old, new)) or "Nothing changes.")


def _in_words(decision: "Decision") -> str:
    lines = [
        f"{_OUTCOMES[decision.outcome.name]}{' for now' if decision.retriable else ''}",
        "",
        decision.explanation,
        decision.counterfactual,
        "",
        *(
            f"  {_OUTCOMES[finding.outcome.name]:15} {finding.rule}: {finding.message}"
            for finding in decision.findings
        ),
    ]
    return "\n".join(lines)


def policy_set_of(file: Path) -> "PolicySet":
    """Compile a file; print its faults and exit with 1 if it has any."""
    from policy.policy_set import load_policy_set
    from treasurer.kernel.errors import InvalidInput

    try:
        return load_policy_set(_text(file))
    except InvalidInput as error:
        _refuse(file, error)


def _text(file: Path) -> str:
    from treasurer.kernel.errors import InvalidInput

    try:
        with click.open_file(str(file), encoding="utf-8") as stream:
            text: str = stream.read()
    except UnicodeDecodeError as error:
        raise InvalidInput("NOT_TEXT", "this is no UTF-8 text") from error
    return text


def _refuse(file: Path, error: "InvalidInput") -> NoReturn:
    for line in error.message.splitlines():
        click.echo(f"{file}: {line}", err=True)
    raise SystemExit(1)
