"""Owns the exchange with one node: JSON-RPC 2.0 over HTTP. Must never retry, nor follow a redirect.

By aiohttp alone. web3's provider does no more than this, guards its sessions by a lock that a cancelled
request keeps, and takes longer to import than the rest of the worker.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from treasurer.chain.errors import (
    ChainBadAnswer,
    ChainHttpError,
    ChainRateLimited,
    ChainTimeout,
    ChainUnreachable,
)
from treasurer.chain.json_rpc import Json, is_error_answer
from treasurer.chain.pace import retry_after_s
from treasurer.kernel.errors import Transient

_CONCURRENT_REQUESTS = 8
"""More would only wait for a connection, and a provider would see them as a burst."""
_HEADERS = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, unchecked, and the ids that the calls went out with, in their order."""

    ids: range
    content: Json


class Node:
    """A node's address and a pool of connections to it."""

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self._url = url
        self._timeout = ClientTimeout(total=timeout_s)
        self._session: ClientSession | None = None
        self._slots = asyncio.Semaphore(_CONCURRENT_REQUESTS)
        self._next_id = 0

    async def close(self) -> None:
        """Close the pool; what is still on its way ends as unreachable."""
        if self._session is not None:
            await self._session.close()

    async def exchange(self, method: str, calls: Sequence[Sequence[Json]]) -> Answer | Transient:
        """Send the calls in one request. Never raises: what went wrong is returned."""
        ids = range(self._next_id, self._next_id + len(calls))
        self._next_id = ids.stop
        requests: list[Json] = [
            {"jsonrpc": "2.0", "id": id_, "method": method, "params": list(parameters)}
            for id_, parameters in zip(ids, calls, strict=True)
        ]
        try:
            # One call goes as an object: some providers refuse or count batches separately.
            body = orjson.dumps(requests[0] if len(requests) == 1 else requests)
            async with self._slots:
                return await self._post(method, ids, body)
        except TimeoutError:
            return ChainTimeout(method)
        except (ClientError, OSError) as error:
            return ChainUnreachable(method, type(error).__name__)
        except ValueError as error:
            return ChainBadAnswer(method, type(error).__name__)

    async def _post(self, method: str, ids: range, body: bytes) -> Answer | Transient:
        async with self._opened().post(
            self._url,
            data=body,
            headers=_HEADERS,
            timeout=self._timeout,
            # A redirect would send signed bytes, or the questions that prove a payment, elsewhere.
            allow_redirects=False,
        ) as response:
            content = await response.read()
            if response.status == HTTPStatus.OK:
                return Answer(ids, orjson.loads(content))
            retry_after = response.headers.get("Retry-After", "")
            return _status_answer(method, ids, response.status, content, retry_after)

    def _opened(self) -> ClientSession:
        """Made with the first request, so that a chain nobody asks leaves nothing to close."""
        if self._session is None:
            self._session = ClientSession(
                connector=TCPConnector(limit=_CONCURRENT_REQUESTS),
                # Proxies from the environment would see and could change what we read.
                trust_env=False,
            )
        return self._session


def _status_answer(
    method: str, ids: range, status: int, body: bytes, retry_after: str
) -> Answer | Transient:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return ChainRateLimited(method, retry_after_s(retry_after))
    try:
        content: Json = orjson.loads(body)
    except orjson.JSONDecodeError:
        content = None
    # Some nodes send a JSON-RPC error with status 400 or 500; it says more than the status.
    if is_error_answer(content):
        return Answer(ids, content)
    return ChainHttpError(method, status)
