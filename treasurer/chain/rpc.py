"""Owns JSON-RPC 2.0 over HTTP: single calls and batches. Must never retry: the caller knows the effect.

A batch is one round trip for up to `batch_limit` calls; a thousand balances cost two of them.
"""

import asyncio
from collections.abc import Sequence
from typing import TypeAlias

import httpx
import orjson

from treasurer.chain.errors import (
    ChainBadAnswer,
    ChainHttpError,
    ChainRateLimited,
    ChainTimeout,
    ChainUnreachable,
    read_error,
)
from treasurer.kernel.errors import Permanent, Transient

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"


_CONCURRENT_REQUESTS = 8
"""More would only wait for a connection, and a provider would see them as a burst."""


class RpcFailure:
    """The provider's own error object to one call of a batch."""

    __slots__ = ("code", "text")

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        self.text = text


Result: TypeAlias = "Json | RpcFailure | Transient"
"""What became of one call: its result, the provider's refusal, or no usable answer."""


class JsonRpc:
    """A provider's address and a pool of connections to it."""

    def __init__(self, url: str, *, timeout_s: float, batch_limit: int) -> None:
        self._url = url
        self._batch_limit = batch_limit
        self._slots = asyncio.Semaphore(_CONCURRENT_REQUESTS)
        self._client = httpx.AsyncClient(
            timeout=timeout_s,
            headers={"Content-Type": "application/json"},
            # Proxies from the environment would see and could change what we read of the chain.
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the pool."""
        await self._client.aclose()

    async def call(self, method: str, *parameters: Json) -> Json:
        """The result of one call. Raises Transient, or Permanent where the call reverts."""
        (result,) = await self.batch(method, [parameters])
        return value(method, result)

    async def batch(self, method: str, calls: Sequence[Sequence[Json]]) -> list[Result]:
        """One `method` with many parameters; results in the order of `calls`. Never raises."""
        chunks = [
            calls[start : start + self._batch_limit]
            for start in range(0, len(calls), self._batch_limit)
        ]
        answered = await asyncio.gather(*(self._chunk(method, chunk) for chunk in chunks))
        return [result for chunk in answered for result in chunk]

    async def batch_in_order(self, method: str, calls: Sequence[Sequence[Json]]) -> list[Result]:
        """As `batch`, one chunk after the other: for writes whose order the node must see."""
        results: list[Result] = []
        for start in range(0, len(calls), self._batch_limit):
            results += await self._chunk(method, calls[start : start + self._batch_limit])
        return results

    async def _chunk(self, method: str, calls: Sequence[Sequence[Json]]) -> list[Result]:
        requests = [
            {"jsonrpc": "2.0", "id": index, "method": method, "params": list(parameters)}
            for index, parameters in enumerate(calls)
        ]
        # One call goes as an object: some providers refuse or count batches separately.
        body = orjson.dumps(requests if len(requests) > 1 else requests[0])
        answer = await self._post(method, body)
        if isinstance(answer, Transient):
            return [answer] * len(calls)
        return _results(method, answer, len(calls))

    async def _post(self, method: str, body: bytes) -> "Json | Transient":
        try:
            async with self._slots:
                response = await self._client.post(self._url, content=body)
        except httpx.TimeoutException:
            return ChainTimeout(method)
        except httpx.HTTPError as error:
            return ChainUnreachable(method, type(error).__name__)
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            return ChainRateLimited(method)
        try:
            parsed: Json = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            if response.status_code != httpx.codes.OK:
                return ChainHttpError(method, response.status_code)
            return ChainBadAnswer(method, "no JSON")
        # Some nodes send a JSON-RPC error with status 400 or 500; it says more than the status.
        if response.status_code != httpx.codes.OK and not _is_rpc_error(parsed):
            return ChainHttpError(method, response.status_code)
        return parsed


def value(method: str, result: Result) -> Json:
    """The result itself. Raises what else came."""
    if isinstance(result, RpcFailure):
        raise read_error(method, result.code, result.text)
    if isinstance(result, Transient | Permanent):
        raise result
    return result


def _results(method: str, answer: Json, count: int) -> list[Result]:
    entries = answer if isinstance(answer, list) else [answer]
    results: list[Result] = [ChainBadAnswer(method, "no answer to this call")] * count
    for entry in entries:
        if not isinstance(entry, dict):
            continue
        place = entry.get("id")
        if isinstance(place, int) and 0 <= place < count:
            results[place] = _result(method, entry)
        elif place is None and "error" in entry:
            # An error without id speaks of the whole batch.
            return [_result(method, entry)] * count
    return results


def _result(method: str, entry: dict[str, Json]) -> Result:
    error = entry.get("error")
    if isinstance(error, dict):
        code = error.get("code")
        return RpcFailure(
            code if isinstance(code, int) else 0, str(error.get("message") or "no message")
        )
    if "result" not in entry:
        return ChainBadAnswer(method, "neither result nor error")
    return entry["result"]


def _is_rpc_error(parsed: Json) -> bool:
    if isinstance(parsed, list):
        return any(_is_rpc_error(entry) for entry in parsed)
    return isinstance(parsed, dict) and isinstance(parsed.get("error"), dict)
