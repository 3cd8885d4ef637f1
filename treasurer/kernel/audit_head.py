"""Owns what a signature on an audit chain covers. Pure; must never hold a key or a chain.

Stands in the kernel because the signer, which knows nothing else of the audit log, writes the same
bytes as the verifier reads.
"""

from dataclasses import dataclass

from treasurer.kernel.digest import canonical_json, digest
from treasurer.kernel.ids import OrganizationId

_DOMAIN = "autonomous-treasurer/audit-head/1"
"""Keeps these bytes apart from everything else that an Ed25519 key might ever be asked to sign."""


@dataclass(frozen=True, slots=True)
class AuditHead:
    """The seal number `sequence` (from 1) of an organization's chain and its hash, 32 bytes."""

    organization_id: OrganizationId
    sequence: int
    hash: bytes

    def statement(self) -> bytes:
        """The canonical bytes that a signature covers."""
        return canonical_json(
            {
                "domain": _DOMAIN,
                "organization_id": str(self.organization_id),
                "sequence": self.sequence,
                "hash": self.hash.hex(),
            }
        )


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A head and its Ed25519 signature, 64 bytes (RFC 8032)."""

    head: AuditHead
    signature: bytes


def follow(previous: bytes, content: bytes) -> bytes:
    """The hash of the seal over `content` behind the seal with the hash `previous`."""
    return digest(previous + content)
