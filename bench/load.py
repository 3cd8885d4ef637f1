"""Owns the load: plain HTTP/1.1 over kept connections, to the loopback only, bounded in count.

Must never be the bottleneck's excuse: the same client sends the same bytes to both servers.
"""

import asyncio
import time
from collections.abc import Iterator
from typing import Self

CONNECTIONS = 32
_LEAD_S = 1.0
"""Making thousands of tasks takes a moment, which is not the server's: the first is due after it."""


class Client:
    """A fixed number of connections to one local port."""

    def __init__(self, port: int, path: str, headers: str) -> None:
        self._port = port
        self._path = path
        self._headers = headers
        self._free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = (
            asyncio.Queue()
        )

    async def __aenter__(self) -> Self:
        # A server closes what idles for seconds, so connections last for one measurement.
        for _ in range(CONNECTIONS):
            self._free.put_nowait(await asyncio.open_connection("127.0.0.1", self._port))
        return self

    async def __aexit__(self, *_: object) -> None:
        while not self._free.empty():
            _, writer = self._free.get_nowait()
            writer.close()

    async def post(self, body: bytes, key: str) -> int:
        """One request; the status of its answer."""
        reader, writer = await self._free.get()
        try:
            head = (
                f"POST {self._path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n{self._headers}"
                f"Idempotency-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            writer.write(head.encode("ascii") + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = _content_length(answer)
            await reader.readexactly(length)
            return int(answer[9:12])
        finally:
            self._free.put_nowait((reader, writer))


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.split(b":")[1])
    raise RuntimeError(f"an answer without length: {head!r}")


async def saturate(client: Client, bodies: Iterator[tuple[bytes, str]], requests: int) -> float:
    """Accepted requests a second with all connections busy. Every answer must be 202."""
    left = iter(range(requests))

    async def work() -> None:
        for _ in left:
            await _accepted(client, *next(bodies))

    async with client:
        started = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
        return requests / (time.perf_counter() - started)


async def paced(
    client: Client, bodies: Iterator[tuple[bytes, str]], *, per_s: int, seconds: int, burst: int
) -> tuple[float, float]:
    """p50 and p99 in ms from when a request was due; bursts come whatever the server does."""
    latencies: list[float] = []

    async def one(due: float) -> None:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await _accepted(client, *next(bodies))
        latencies.append(time.perf_counter() - due)

    async with client:
        first = time.perf_counter() + _LEAD_S
        await asyncio.gather(
            *(one(first + number // burst * burst / per_s) for number in range(per_s * seconds))
        )
    ordered = sorted(latencies)
    return ordered[len(ordered) // 2] * 1000, ordered[len(ordered) * 99 // 100] * 1000


async def _accepted(client: Client, body: bytes, key: str) -> None:
    status = await client.post(body, key)
    if status != 202:
        raise RuntimeError(f"answered {status}, not 202")
