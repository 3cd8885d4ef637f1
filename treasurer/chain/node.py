"""Owns the exchange with one node through web3's HTTP provider. Must never retry or use a middleware.

Imported only where a chain is built: importing any part of web3 imports all of it (about a second).
"""

import asyncio
import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast

import orjson
from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, TCPConnector
from eth_typing import URI

from treasurer.chain.curves import leave_out_validators
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

leave_out_validators()
# After that, because web3 computes what it leaves out while it is imported.
from web3.providers.rpc.async_rpc import AsyncHTTPProvider  # noqa: E402
from web3.types import RPCEndpoint  # noqa: E402

_CONCURRENT_REQUESTS = 8
"""More would only wait for a connection, and a provider would see them as a burst."""
_UNREADABLE = (ValueError, TypeError, AttributeError, LookupError, RecursionError)
"""What web3's decoding and sorting raise, depending on how an answer is spoilt."""

# web3 writes the node's address, in which providers put their key, into its lower lines.
logging.getLogger("web3").setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, unchecked, and the ids that the calls went out with, in their order."""

    ids: range
    content: Json


class _UnexpectedStatus(Exception):
    def __init__(self, status: int, body: bytes, retry_after: str) -> None:
        self.status = status
        self.body = body
        self.retry_after = retry_after


class Node:
    """A node's address and a pool of connections to it."""

    def __init__(self, url: str, *, timeout_s: float) -> None:
        # A redirect would send signed bytes, or the questions that prove a payment, elsewhere.
        options = {"timeout": ClientTimeout(total=timeout_s), "allow_redirects": False}
        self._provider = AsyncHTTPProvider(
            URI(url), request_kwargs=options, exception_retry_configuration=None
        )
        self._session: ClientSession | None = None
        self._opening = asyncio.Lock()
        self._slots = asyncio.Semaphore(_CONCURRENT_REQUESTS)
        self._next_id = 0
        self._in_flight: set[asyncio.Task[Answer | Transient]] = set()

    async def close(self) -> None:
        """Wait for what is on its way, at most the time-out, then close the pool."""
        await asyncio.gather(*self._in_flight, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def exchange(self, method: str, calls: Sequence[Sequence[Json]]) -> Answer | Transient:
        """Send the calls in one request. Never raises: what went wrong is returned."""
        await self._slots.acquire()
        # web3 8.0 guards its sessions by one lock of the process, taken in a thread: a request that
        # is cancelled there leaves the lock held, and every later request waits without a time-out.
        task = asyncio.create_task(self._exchange(method, calls))
        self._in_flight.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: "asyncio.Task[Answer | Transient]") -> None:
        self._in_flight.discard(task)
        self._slots.release()

    async def _exchange(self, method: str, calls: Sequence[Sequence[Json]]) -> Answer | Transient:
        try:
            await self._open()
            ids = self._take_ids(len(calls))
            return Answer(ids, await self._request(method, calls))
        except _UnexpectedStatus as error:
            return _status_answer(method, ids, error)
        except TimeoutError:
            return ChainTimeout(method)
        except (ClientError, OSError) as error:
            return ChainUnreachable(method, type(error).__name__)
        except _UNREADABLE as error:
            return ChainBadAnswer(method, type(error).__name__)

    async def _request(self, method: str, calls: Sequence[Sequence[Json]]) -> Json:
        endpoint = RPCEndpoint(method)
        if len(calls) == 1:
            # One call goes as an object: some providers refuse or count batches separately.
            return cast("Json", await self._provider.make_request(endpoint, calls[0]))
        batch = [(endpoint, parameters) for parameters in calls]
        return cast("Json", await self._provider.make_batch_request(batch))

    def _take_ids(self, count: int) -> range:
        """Number the next `count` calls: web3 does not tell which ids it used, nor check them.

        It takes them from the counter before it first gives way to another task.
        """
        ids = range(self._next_id, self._next_id + count)
        self._next_id = ids.stop
        self._provider.request_counter = itertools.count(ids.start)
        return ids

    async def _open(self) -> None:
        """Give web3 our session: its own opens a connection for every request."""
        async with self._opening:
            if self._session is None:
                self._session = await self._provider.cache_async_session(
                    ClientSession(
                        connector=TCPConnector(limit=_CONCURRENT_REQUESTS),
                        raise_for_status=_require_ok,
                        # Proxies from the environment would see and could change what we read.
                        trust_env=False,
                    )
                )


async def _require_ok(response: ClientResponse) -> None:
    if response.status != HTTPStatus.OK:
        raise _UnexpectedStatus(
            response.status, await response.read(), response.headers.get("Retry-After", "")
        )


def _status_answer(method: str, ids: range, error: _UnexpectedStatus) -> Answer | Transient:
    if error.status == HTTPStatus.TOO_MANY_REQUESTS:
        return ChainRateLimited(method, retry_after_s(error.retry_after))
    try:
        content: Json = orjson.loads(error.body)
    except orjson.JSONDecodeError:
        content = None
    # Some nodes send a JSON-RPC error with status 400 or 500; it says more than the status.
    if is_error_answer(content):
        return Answer(ids, content)
    return ChainHttpError(method, error.status)
