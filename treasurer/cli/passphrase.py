"""Owns how people hand over passphrases: a hidden prompt or a private file. Never an argument."""

import sys
from pathlib import Path

import click

from signer.settings import PASSPHRASE, PASSPHRASE_FILE, Home
from treasurer.kernel.errors import InvalidInput, NotFound, NotPermitted
from treasurer.settings import Settings, outer_environment

LEAST_LENGTH = 12


def passphrase_to_start(settings: Settings) -> str | None:
    """What the signer must be told to open its keys; None when it finds it by itself or is not ours.

    Asks on a terminal; elsewhere raises InvalidInput PASSPHRASE_MISSING.
    """
    home = Home(settings.home.signer)
    finds_it = (
        home.passphrase.exists() or {PASSPHRASE, PASSPHRASE_FILE} & outer_environment().keys()
    )
    if settings.signer_socket is not None or not home.keys.exists() or finds_it:
        return None
    if not sys.stdin.isatty():
        raise InvalidInput(
            "PASSPHRASE_MISSING",
            f"set {PASSPHRASE_FILE} to the file with the passphrase of the signer's keys,"
            " or start on a terminal to be asked",
        )
    asked: str = click.prompt("Passphrase of the signer's keys", hide_input=True)
    return asked


def new_passphrase(file: Path | None) -> bytes:
    """The passphrase for fresh key files: from `file`, else asked twice."""
    if file is not None:
        return require_length(private_file(file).rstrip(b"\r\n"))
    while True:
        asked: str = click.prompt(
            f"New passphrase for the keystore (at least {LEAST_LENGTH} characters)",
            hide_input=True,
            confirmation_prompt=True,
        )
        try:
            return require_length(asked.encode("utf-8"))
        except InvalidInput as error:
            click.echo(error.message)


def present_passphrase(file: Path | None, question: str, *, may_ask: bool) -> bytes:
    """The passphrase of an existing key file: from `file`, else asked."""
    if file is not None:
        return private_file(file).rstrip(b"\r\n")
    if not may_ask:
        raise InvalidInput("PASSPHRASE_MISSING", "name its file with --import-passphrase-file")
    asked: str = click.prompt(question, hide_input=True)
    return asked.encode("utf-8")


def private_file(path: Path) -> bytes:
    """The content of a file that only its owner reads. Raises NotFound or NotPermitted."""
    try:
        mode = path.stat().st_mode
        content = path.read_bytes()
    except FileNotFoundError:
        raise NotFound("FILE_MISSING", f"there is no file {path}") from None
    if mode & 0o077:
        raise NotPermitted("FILE_EXPOSED", f"{path} is readable by others; run: chmod 600 {path}")
    return content


def require_length(passphrase: bytes) -> bytes:
    """Raise InvalidInput for a passphrase that is guessed quickly."""
    if len(passphrase) < LEAST_LENGTH:
        raise InvalidInput(
            "PASSPHRASE_SHORT", f"choose a passphrase of at least {LEAST_LENGTH} characters"
        )
    return passphrase
