"""Owns password hashing: Argon2id by pwdlib, off the event loop. Must never log or keep a password."""

import asyncio
import secrets
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor

from argon2 import DEFAULT_MEMORY_COST, DEFAULT_PARALLELISM, DEFAULT_TIME_COST
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

_THREADS = 2  # each verification takes 64 MiB: more at once would be a way to exhaust the machine


class Passwords:
    """Hashes and checks passwords with the parameters of RFC 9106's low-memory choice."""

    def __init__(self) -> None:
        self._hash = PasswordHash((Argon2Hasher(),))
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="argon2")
        self._nobody = _unmatched_hash()

    async def hash(self, password: str) -> str:
        """The encoded Argon2id hash, with a salt of its own."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._hash.hash, password)

    async def matches(self, password: str, stored: str | None) -> bool:
        """Whether `password` belongs to `stored`.

        With None the same work is done for nothing, so that time tells no one which users exist.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._threads, self._hash.verify, password, stored or self._nobody
        )


def _unmatched_hash() -> str:
    """An encoding with the present parameters that no known password has: random in place of it."""

    def field(length: int) -> str:
        return b64encode(secrets.token_bytes(length)).decode().rstrip("=")

    cost = f"m={DEFAULT_MEMORY_COST},t={DEFAULT_TIME_COST},p={DEFAULT_PARALLELISM}"
    return f"$argon2id$v=19${cost}${field(16)}${field(32)}"
