"""Owns taking the mails of a mailbox in as invoices. Must never take one in twice, or lose one.

A mail is received first, with its claim in the same transaction (Message-ID and hash of the bytes), then
the position moves on, then it is marked as seen. Whatever dies in between is done again, and the claim
answers with the invoice that is here. Who submits is the mailbox's own user; the sender is a fact that
the reader notes.
"""

import asyncio
import hashlib

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.db.engine import Database
from treasurer.documents.limits import Limits
from treasurer.identity.idempotency import IdempotencyClaim, claim_for
from treasurer.invoices.service import InvoiceService
from treasurer.kernel.clock import Clock
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.organization import Principal
from treasurer.mailbox.imap import ImapServer, Mail, open_mailbox

CHANNEL = "mail"
_ROUTE = "mailbox"
_MOST_A_ROUND = 50

_POSITION = text("""
    SELECT uid_validity, uid FROM mailbox_positions
    WHERE organization_id = :organization_id AND mailbox = :mailbox
""")
# Of two workers the one that is behind takes nothing back.
_MOVE_ON = text("""
    INSERT INTO mailbox_positions (organization_id, mailbox, uid_validity, uid, moved_at)
    VALUES (:organization_id, :mailbox, :uid_validity, :uid, :now)
    ON CONFLICT (organization_id, mailbox) DO UPDATE
        SET uid_validity = EXCLUDED.uid_validity, uid = EXCLUDED.uid, moved_at = EXCLUDED.moved_at
        WHERE mailbox_positions.uid_validity <> EXCLUDED.uid_validity
           OR mailbox_positions.uid < EXCLUDED.uid
""")

log = structlog.get_logger("mailbox")


class MailboxWatcher:
    """Watches one mailbox for one organization."""

    def __init__(
        self,
        *,
        server: ImapServer,
        database: Database,
        invoices: InvoiceService,
        limits: Limits,
        clock: Clock,
    ) -> None:
        self._server = server
        self._database = database
        self._invoices = invoices
        self._limits = limits
        self._clock = clock

    async def look(self, principal: Principal) -> int:
        """Take in what is new, at most 50 mails; how many were. Raises Transient MAILBOX_UNREACHABLE."""
        opening = open_mailbox(self._server)
        mailbox = await asyncio.to_thread(opening.__enter__)
        taken = 0
        try:
            async with self._database.unit(principal.organization_id) as connection:
                known = await self._position(connection, principal)
            # A new UIDVALIDITY numbers all mails anew: they are looked at again, and claims tell them.
            last = known[1] if known and known[0] == mailbox.uid_validity else 0
            uids = await asyncio.to_thread(mailbox.uids_after, last)
            for uid in uids[:_MOST_A_ROUND]:
                mail = await asyncio.to_thread(mailbox.fetch, uid, self._limits.document_bytes)
                if mail is not None and await self._take_in(principal, mail):
                    taken += 1
                await self._move_on(principal, mailbox.uid_validity, uid)
                if mail is not None and mail.content is not None:
                    await asyncio.to_thread(mailbox.mark_seen, uid)
        except BaseException as error:
            if not await asyncio.to_thread(
                opening.__exit__, type(error), error, error.__traceback__
            ):
                raise
        else:
            await asyncio.to_thread(opening.__exit__, None, None, None)
        return taken

    async def _take_in(self, principal: Principal, mail: Mail) -> bool:
        if mail.content is None:
            log.warning("mail.too_large", mailbox=self._server.name, uid=mail.uid)
            return False
        try:
            await self._invoices.receive(
                principal,
                content=mail.content,
                filename=None,
                media_type="message/rfc822",
                channel=CHANNEL,
                idempotency=mail_claim(principal, mail.message_id, mail.content),
            )
        except InvalidInput as refused:
            log.warning("mail.refused", mailbox=self._server.name, uid=mail.uid, code=refused.code)
            return False
        return True

    async def _position(
        self, connection: AsyncConnection, principal: Principal
    ) -> tuple[int, int] | None:
        rows = await connection.execute(
            _POSITION,
            {"organization_id": principal.organization_id, "mailbox": self._server.name},
        )
        row = rows.one_or_none()
        return (int(row.uid_validity), int(row.uid)) if row else None

    async def _move_on(self, principal: Principal, uid_validity: int, uid: int) -> None:
        async with self._database.unit(principal.organization_id) as connection:
            await connection.execute(
                _MOVE_ON,
                {
                    "organization_id": principal.organization_id,
                    "mailbox": self._server.name,
                    "uid_validity": uid_validity,
                    "uid": uid,
                    "now": self._clock(),
                },
            )


def mail_claim(principal: Principal, message_id: str, content: bytes) -> IdempotencyClaim:
    """What makes a mail the same mail: its Message-ID and its bytes, since anybody may reuse an id."""
    digest = hashlib.sha256(content)
    key = hashlib.sha256(message_id.encode("utf-8", "replace") + digest.digest()).hexdigest()
    return claim_for(principal, route=_ROUTE, key=key, fields={}, blobs=[digest.digest()])
