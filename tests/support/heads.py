"""Heads of made-up audit chains, and the signer's register of them in this process."""

import contextlib
from collections.abc import Iterator, Sequence
from uuid import UUID

from signer.heads import HeadRegister
from signer.home import open_heads
from signer.settings import Home, read_passphrase
from treasurer.kernel.audit_head import AuditHead, SignedHead, follow
from treasurer.kernel.ids import OrganizationId

ORGANIZATION = OrganizationId(UUID(int=7))
OTHER = OrganizationId(UUID(int=8))


class MadeUpChain:
    """Seals over numbered contents; `turn` makes a fork of everything from that seal on."""

    def __init__(self, length: int, *, fork_from: int | None = None) -> None:
        self.seals = [
            f"content {number}{' changed' if fork_from and number >= fork_from else ''}".encode()
            for number in range(1, length + 1)
        ]
        self.hashes = [bytes(32)]
        for seal in self.seals:
            self.hashes.append(follow(self.hashes[-1], seal))

    def head(self, sequence: int, organization_id: OrganizationId = ORGANIZATION) -> AuditHead:
        return AuditHead(organization_id, sequence, self.hashes[sequence])

    def since(self, sequence: int, until: int) -> list[bytes]:
        """What the seals after `sequence` cover, up to and with `until`."""
        return self.seals[sequence:until]


@contextlib.contextmanager
def open_register(home: Home) -> Iterator[HeadRegister]:
    """Closed afterwards, so that another one can open it."""
    with contextlib.closing(open_heads(home, read_passphrase(home))) as register:
        yield register


class LocalHeadSigner:
    """The signer's register without its process and socket."""

    def __init__(self, register: HeadRegister) -> None:
        self.register = register

    async def head_public_key(self) -> bytes:
        return self.register.public_key

    async def head(self, organization_id: OrganizationId) -> SignedHead | None:
        return self.register.latest(organization_id)

    async def sign_head(self, head: AuditHead, seals: Sequence[bytes]) -> SignedHead:
        return self.register.sign(head, seals)
