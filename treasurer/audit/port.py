"""Owns what the audit log asks of whoever signs its heads. Must never name a process or a socket."""

from collections.abc import Sequence
from typing import Protocol

from treasurer.kernel.audit_head import AuditHead, SignedHead
from treasurer.kernel.ids import OrganizationId


class HeadSigner(Protocol):
    """A signer with a memory of its own, out of the database's reach."""

    async def head_public_key(self) -> bytes:
        """The Ed25519 key of its signatures, 32 bytes."""

    async def head(self, organization_id: OrganizationId) -> SignedHead | None:
        """The head that it signed last; None before the first."""

    async def sign_head(self, head: AuditHead, seals: Sequence[bytes]) -> SignedHead:
        """Sign `head`. `seals` are what the seals since the last signed head cover, at most 1,000.

        Raises NotPermitted `HEAD_BEHIND` if it signed a later one, `HEAD_FORKED` if `head` does not
        follow from what it signed.
        """
