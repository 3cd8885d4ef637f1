"""Owns which heads of audit chains were signed. Must never sign a lower head, or one of a fork.

It sees no event, only what the seals cover, and recomputes their hashes from the head that it signed
last: whoever rewrote the database's history cannot show it seals that lead to the new head.
"""

import struct
from collections.abc import Sequence
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from signer.journal import Journal
from treasurer.kernel.audit_head import AuditHead, SignedHead, follow
from treasurer.kernel.errors import NotPermitted
from treasurer.kernel.ids import OrganizationId

_RECORD = struct.Struct(">16sQ32s")


class HeadRegister:
    """The latest signed head of each organization, over an append-only file. Close it when done."""

    def __init__(self, journal: Journal, key: Ed25519PrivateKey) -> None:
        self._journal = journal
        self._key = key
        self._latest: dict[OrganizationId, AuditHead] = {}
        for _, record in journal.replay():
            self._remember(_decode(record))

    @property
    def public_key(self) -> bytes:
        """32 bytes, for verifiers."""
        return self._key.public_key().public_bytes_raw()

    def latest(self, organization_id: OrganizationId) -> SignedHead | None:
        """The organization's head that was signed last."""
        head = self._latest.get(organization_id)
        return None if head is None else self._signed(head)

    def sign(self, head: AuditHead, seals: Sequence[bytes]) -> SignedHead:
        """Sign `head`; durable when this returns. `seals` cover at least the seals since the last.

        The first head of an organization is taken as it comes. Raises NotPermitted `HEAD_BEHIND` or
        `HEAD_FORKED`; OSError if the record cannot be written: then the process must end.
        """
        known = self._latest.get(head.organization_id)
        if known != head:
            if known is not None:
                _require_successor(known, head, seals)
            self._journal.append(_encode(head))
            self._journal.commit()
            self._remember(head)
        return self._signed(head)

    def close(self) -> None:
        """Release the file."""
        self._journal.close()

    def _remember(self, head: AuditHead) -> None:
        self._latest[head.organization_id] = head

    def _signed(self, head: AuditHead) -> SignedHead:
        # Ed25519 is deterministic (RFC 8032): the same head has one signature, recorded or not.
        return SignedHead(head, self._key.sign(head.statement()))


def _require_successor(known: AuditHead, head: AuditHead, seals: Sequence[bytes]) -> None:
    if head.sequence < known.sequence:
        raise NotPermitted(
            "HEAD_BEHIND",
            f"seal {known.sequence} was signed already: the chain was cut or restored from a copy",
        )
    count = head.sequence - known.sequence
    reached = known.hash
    for seal in seals[len(seals) - count :]:
        reached = follow(reached, seal)
    # Too few seals would prove nothing: with none at all, the old hash would pass as a later one.
    if count > len(seals) or reached != head.hash:
        raise NotPermitted(
            "HEAD_FORKED",
            f"head {head.sequence} does not follow from the signed seal {known.sequence}: what was"
            " signed was changed since, or seals in between were not shown",
        )


def _encode(head: AuditHead) -> bytes:
    return _RECORD.pack(head.organization_id.bytes, head.sequence, head.hash)


def _decode(record: bytes) -> AuditHead:
    organization, sequence, hash_ = _RECORD.unpack(record)
    return AuditHead(OrganizationId(UUID(bytes=organization)), sequence, hash_)
