"""Owns what `treasurer init` says before and after. Must never name a secret, only where it lies."""

from collections.abc import Iterator

from signer.addresses import checksummed
from signer.settings import PASSPHRASE_FILE
from treasurer.cli.answers import Answers, Person
from treasurer.cli.founding import Founded
from treasurer.kernel.money import format_minor
from treasurer.kernel.organization import Permission
from treasurer.payees.csv_import import RowOutcome
from treasurer.settings import Settings


def summary(answers: Answers) -> Iterator[str]:
    """What will be set up, for a last look."""
    burn = answers.monthly_burn_minor
    yield f"\n{answers.organization}, reporting in {answers.reporting.symbol}"
    yield "  a month costs " + (
        "an unknown amount" if burn is None else format_minor(burn, answers.reporting)
    )
    for person in answers.people:
        roles = " and ".join(sorted(person.roles))
        yield f"  {person.name} <{person.email}>: {roles}"
    yield f"  pays on {answers.network.name}, chain {answers.network.chain_id}:"
    for token in answers.network.tokens:
        yield f"    {token.symbol} at {checksummed(token.address)}, held at par with {token.peg}"
        if cap := answers.caps.get(token.symbol):
            yield (
                f"    the signer signs at most {format_minor(cap.per_transaction_minor, token.asset)}"
                f" a transaction, {format_minor(cap.rolling_24h_minor, token.asset)} in 24 hours"
            )
    yield f"  {len(answers.payees)} payees" if answers.payees else "  no payees yet"


def next_steps(settings: Settings, answers: Answers, founded: Founded) -> Iterator[str]:
    """What came of it, and what a person does now."""
    created = sum(row.outcome is RowOutcome.CREATED for row in founded.rows)
    for row in founded.rows:
        if row.outcome is RowOutcome.REFUSED:
            yield f"  payee refused, line {row.line} {row.code}: {row.message}"
    if founded.rows:
        yield f"  {created} payees created, {len(founded.rows) - created} not"
    yield f"\n{answers.organization} is set up, in dry run: everything but signing. Next:"
    yield "\n".join(
        f"{number}. {step}" for number, step in enumerate(_steps(settings, answers, founded), 1)
    )


def _steps(settings: Settings, answers: Answers, founded: Founded) -> Iterator[str]:
    home = settings.home
    wallet = checksummed(founded.wallet)
    yield (
        f"Back up {home.signer} and, apart from it, the passphrase. Without both, what {wallet} holds"
        " is lost."
    )
    if not answers.on_development_chain:
        yield (
            "Let the signer run as a user of its own: as the user of the other processes it signs"
            f" for the development chain only. Then list their user id under caller_uids in"
            f" {home.signer / 'limits.yaml'} and set SIGNER_SOCKET (docs/security.md)."
        )
    yield f"Set {PASSPHRASE_FILE} to a file of mode 600, or be asked, and start: treasurer up"
    yield from _payee_steps(settings, answers, founded)
    yield "Look for what is wrong: treasurer doctor"
    yield f"Sign in: treasurer token --user {_signs_in(answers).email} --link"
    yield (
        "Submit an invoice and see what would be paid; then an administrator turns it live:"
        " treasurer live"
    )


def _payee_steps(settings: Settings, answers: Answers, founded: Founded) -> Iterator[str]:
    if not any(row.values.get("address", "").strip() for row in answers.payees):
        return
    importer = founded.importer
    others = [
        person
        for person in answers.people
        if person.may(Permission.PAYEES_WRITE) and person.email.lower() != importer.email.lower()
    ]
    if others:
        names = " or ".join(person.name for person in others)
        yield (
            f"Verify the payees' addresses: {importer.name} entered them, so {names} compares each"
            " with its owner's word and verifies it on the dashboard's page Payees. Nothing is paid"
            " to an address before that and before the policy's cooling-off."
        )
    else:
        yield (
            f"Add a second person who may verify payees' addresses (administrator or clerk):"
            f" {importer.name} entered them and cannot verify them, so nothing can be paid yet."
        )
    if not answers.enroll_payees:
        yield (
            "On the signer's host, enroll each address that may be paid: python -m signer enroll"
            f" --home {settings.home.signer} --destination 0x… --label NAME"
        )


def _signs_in(answers: Answers) -> Person:
    """Whom a newcomer signs in as: who submits and approves, else the administrator."""
    return next(
        (person for person in answers.people if person.may(Permission.INVOICES_SUBMIT)),
        answers.people[0],
    )
