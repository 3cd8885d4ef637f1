"""Owns reading the key that a person imports, and making a new one. Must never print or keep one."""

import json
import re
import secrets
from collections.abc import Callable
from pathlib import Path

from signer.keys import decrypt_key, secret_address
from treasurer.cli.passphrase import private_file
from treasurer.kernel.errors import InvalidInput

_HEX = re.compile(rb"(0x)?[0-9a-fA-F]{64}")


def new_secret() -> bytes:
    """32 random bytes that are a private key."""
    while True:
        secret = secrets.token_bytes(32)
        try:
            secret_address(secret)
        except InvalidInput:
            continue  # as likely as guessing somebody's key
        return secret


def imported_secret(path: Path, ask_passphrase: Callable[[], bytes]) -> bytes:
    """The key in `path`: 64 hexadecimal digits, or a Web3 keystore (version 3, scrypt).

    The file must be closed to others. Raises InvalidInput, NotPermitted or NotFound, none of which
    repeats any content.
    """
    content = private_file(path).strip()
    if _HEX.fullmatch(content):
        secret = bytes.fromhex(content.decode("ascii").removeprefix("0x"))
    elif _is_json(content):
        secret = decrypt_key(content, ask_passphrase())
    else:
        raise InvalidInput(
            "KEY_FILE_UNREADABLE",
            f"{path} is neither a private key of 64 hexadecimal digits nor a keystore in JSON",
        )
    secret_address(secret)
    return secret


def _is_json(content: bytes) -> bool:
    try:
        return isinstance(json.loads(content), dict)
    except ValueError:
        return False
