"""Owns the socket: who may speak, one frame in, one frame out, one fsync for all who wait.

Must never answer a sign frame before desk or register has returned: that is what makes it durable.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from signer import logs
from signer.desk import SigningDesk
from signer.freeze import FreezeSwitch, FrozenBy
from signer.heads import HeadRegister
from signer.limits_file import LimitsFile
from signer.protocol import (
    MAX_FRAME_BYTES,
    Answer,
    Frame,
    FreezeFrame,
    HeadFrame,
    SignFrame,
    SignHeadFrame,
    SlotFrame,
    StatusFrame,
    UnfreezeFrame,
    answers_frame,
    frame,
    head_frame,
    parse_frame,
    refusal_frame,
    slot_frame,
)
from treasurer.kernel.errors import InvalidInput, TreasurerError
from treasurer.kernel.signing import SignRequest

_PEER_CREDENTIALS = struct.Struct("3i")
_MAX_SOCKET_PATH_BYTES = 107


class SignerServer:
    """Serves one desk. Batches of all connections that wait are answered with one fsync."""

    def __init__(
        self,
        *,
        desk: SigningDesk,
        heads: HeadRegister,
        freeze: FreezeSwitch,
        limits: LimitsFile,
        status: Callable[[], dict[str, object]],
        own_uid: int,
    ) -> None:
        self._desk = desk
        self._heads = heads
        self._freeze = freeze
        self._limits = limits
        self._status = status
        self._own_uid = own_uid
        self._waiting: list[tuple[int, Sequence[SignRequest], asyncio.Future[list[Answer]]]] = []
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def serve(self, path: Path, stop: asyncio.Event) -> None:
        """Listen on `path` until `stop` is set. Raises what made signing impossible (a full disk)."""
        listener = _listen(path, self._limits.current().socket_gid)
        server = await asyncio.start_unix_server(self._connection, sock=listener)
        logs.info("signer.ready", socket=str(path))
        stopping = asyncio.create_task(stop.wait())
        try:
            ends: tuple[asyncio.Future[Any], ...] = stopping, self._failure
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if self._failure.done():
                self._failure.result()
        finally:
            stopping.cancel()
            server.close()
            path.unlink(missing_ok=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        uid = _peer_uid(writer.get_extra_info("socket"))
        try:
            while True:
                length = int.from_bytes(await reader.readexactly(4))
                if length > MAX_FRAME_BYTES:
                    writer.write(refusal_frame("FRAME_TOO_LARGE", "send fewer requests a frame"))
                    await writer.drain()
                    return
                # Read in any case: closing on unread bytes would cost the caller the answer.
                content = await reader.readexactly(length)
                if not self._may_speak(uid):
                    logs.warning("signer.caller_refused", uid=uid)
                    writer.write(
                        refusal_frame("CALLER_NOT_PERMITTED", f"user id {uid} may not ask")
                    )
                    await writer.drain()
                    return
                writer.write(await self._answer(uid, content))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # The caller left; what it asked for stays recorded.
        finally:
            writer.close()

    def _may_speak(self, uid: int) -> bool:
        try:
            permitted = self._limits.current().caller_uids
        except InvalidInput:
            # Freezing and asking for recorded bytes must stay possible with a broken limits.yaml.
            permitted = ()
        return uid in (permitted or (self._own_uid,))

    def _isolates(self, uid: int) -> bool:
        try:
            return self._limits.current().isolates(caller_uid=uid, own_uid=self._own_uid)
        except InvalidInput:
            return False

    async def _answer(self, uid: int, content: bytes) -> bytes:
        try:
            return await self._dispatch(uid, parse_frame(content))
        except TreasurerError as error:
            return refusal_frame(error.code, error.message)

    async def _dispatch(self, uid: int, request: Frame) -> bytes:
        match request:
            case SignFrame():
                return answers_frame(await self._sign(uid, request.requests))
            case SlotFrame():
                slot = request.chain_id, request.wallet, request.nonce
                return slot_frame(self._desk.signed_for(slot))
            case HeadFrame():
                return head_frame(self._heads.latest(request.organization_id))
            case SignHeadFrame():
                return self._sign_head(request)
            case StatusFrame():
                pass
            case FreezeFrame():
                self._freeze.freeze(FrozenBy.CALLER, request.reason)
                logs.warning("signer.frozen", uid=uid, reason=request.reason)
            case UnfreezeFrame():
                self._freeze.unfreeze(FrozenBy.CALLER)
                logs.warning("signer.unfrozen", uid=uid)
        return frame({"status": {**self._status(), "isolated": self._isolates(uid)}})

    def _sign_head(self, request: SignHeadFrame) -> bytes:
        # Frozen too: a freeze stops payments, and what happens meanwhile is worth a signature.
        try:
            return head_frame(self._heads.sign(request.head, request.seals))
        except OSError as error:
            self._fail(error)
            raise ConnectionAbortedError from error

    async def _sign(self, uid: int, requests: Sequence[SignRequest]) -> list[Answer]:
        answered: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()
        self._waiting.append((uid, requests, answered))
        if len(self._waiting) == 1:
            # Runs after every connection that is readable now has queued its frame as well.
            asyncio.get_running_loop().call_soon(self._answer_waiting)
        return await answered

    def _answer_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        try:
            answers = self._desk.answer([(uid, requests) for uid, requests, _ in waiting])
        except Exception as error:
            self._fail(error)
            return
        for (_, _, answered), batch in zip(waiting, answers, strict=True):
            if not answered.done():
                answered.set_result(batch)

    def _fail(self, error: Exception) -> None:
        """End the process unanswered: after a failed fsync nobody knows what the disk holds."""
        if not self._failure.done():
            self._failure.set_exception(error)


def _listen(path: Path, group: int | None) -> socket.socket:
    if len(os.fsencode(path)) > _MAX_SOCKET_PATH_BYTES:
        raise InvalidInput(
            "SOCKET_PATH_TOO_LONG",
            f"{path} is longer than {_MAX_SOCKET_PATH_BYTES} bytes; name another with --socket",
        )
    # The journal's lock makes this the only signer of the folder, so a file here is a leftover.
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listener.bind(os.fspath(path))
    finally:
        os.umask(mask)
    if group is not None:
        os.chown(path, -1, group)
        path.chmod(0o660)
    return listener


def _peer_uid(connection: socket.socket) -> int:
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size)
    _, uid, _ = _PEER_CREDENTIALS.unpack(data)
    return int(uid)
