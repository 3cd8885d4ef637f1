"""Owns the chain's process: socket, HTTP, the mining timer. Must never listen beyond loopback."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import uvicorn

from treasurer.embedded.devchain.errors import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    PARSE_ERROR,
    SERVER_ERROR,
    RpcError,
)
from treasurer.embedded.devchain.launch import URL_FILE
from treasurer.embedded.devchain.node import Node
from treasurer.embedded.devchain.rpc import RpcMethods
from treasurer.kernel.errors import Conflict

MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_BATCH = 10_000

_log = logging.getLogger("devchain")
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class RpcApplication:
    """An ASGI application: POST of one JSON-RPC request or of a batch, whatever the path."""

    def __init__(self, methods: RpcMethods) -> None:
        self._methods = methods

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] != "POST":
            await _respond(send, 405, b'{"error":"send JSON-RPC requests by POST"}')
            return
        body = bytearray()
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > MAX_BODY_BYTES:
                await _respond(send, 413, b'{"error":"the request is larger than 16 MB"}')
                return
        await _respond(send, 200, self.answer_body(bytes(body)))

    def answer_body(self, body: bytes) -> bytes:
        """The response to one request body, encoded."""
        try:
            request = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            return orjson.dumps(_failure(None, RpcError(PARSE_ERROR, f"parse error: {error}")))
        if not isinstance(request, list):
            return orjson.dumps(self._answer(request))
        if not 0 < len(request) <= MAX_BATCH:
            return orjson.dumps(_failure(None, RpcError(INVALID_REQUEST, "bad batch length")))
        return orjson.dumps([self._answer(item) for item in request])

    def _answer(self, request: Any) -> dict[str, Any]:
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            return _failure(None, RpcError(INVALID_REQUEST, "invalid request"))
        identifier = request.get("id")
        params = request.get("params", [])
        if not isinstance(params, list):
            return _failure(identifier, RpcError(INVALID_PARAMS, "params must be a list"))
        try:
            result = self._methods.answer(request["method"], params)
        except RpcError as error:
            return _failure(identifier, error)
        except Exception as error:
            _log.exception("request failed: %s", request["method"])
            return _failure(identifier, RpcError(SERVER_ERROR, f"internal error: {error!r}"))
        return {"jsonrpc": "2.0", "id": identifier, "result": result}


def _failure(identifier: Any, error: RpcError) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identifier, "error": error.as_json()}


async def _respond(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _mine_on_timer(node: Node, block_time_s: float) -> None:
    loop = asyncio.get_running_loop()
    due = loop.time() + block_time_s
    while True:
        await asyncio.sleep(max(0.0, due - loop.time()))
        # A late block does not cause a burst of blocks after it.
        due = max(due + block_time_s, loop.time())
        node.tick()


async def serve(node: Node, folder: Path, *, port: int, block_time_s: float) -> None:
    """Serve on 127.0.0.1:`port` (0: any free one) until SIGTERM or SIGINT.

    Makes a block every `block_time_s` seconds; 0 means only on `evm_mine`.
    """
    try:
        listener = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise Conflict(
            "DEVCHAIN_PORT", f"port {port} of 127.0.0.1 is taken ({error.strerror}); choose another"
        ) from error
    # asyncio sets this only on sockets that name their protocol, which `create_server` does not; and
    # Nagle's algorithm costs 40 ms an answer. Accepted sockets inherit it.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    application = RpcApplication(RpcMethods(node))
    server = uvicorn.Server(
        uvicorn.Config(application, lifespan="off", access_log=False, log_level="warning")
    )
    _publish(folder / URL_FILE, url)
    print(f"devchain ready {url} head {node.chain.head.block_number}", flush=True)
    miner = asyncio.create_task(_run_miner(node, block_time_s, server))
    await server.serve(sockets=[listener])
    miner.cancel()
    (failure,) = await asyncio.gather(miner, return_exceptions=True)
    if isinstance(failure, Exception):
        raise failure


async def _run_miner(node: Node, block_time_s: float, server: uvicorn.Server) -> None:
    if block_time_s <= 0:
        return
    try:
        await _mine_on_timer(node, block_time_s)
    finally:
        # A chain that cannot make blocks must not look alive.
        server.should_exit = True


def _publish(path: Path, url: str) -> None:
    unfinished = path.with_suffix(".new")
    unfinished.write_text(url + "\n", encoding="ascii")
    unfinished.replace(path)
