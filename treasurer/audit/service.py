"""Owns the use cases of the audit log: sealing, having heads signed, verifying an organization's chain.

Must never repair a chain: a fault is reported, with its place. What was not sealed yet (about a
second) and not signed yet (some seconds) is covered by nothing but the database's own grants.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from treasurer.audit import store
from treasurer.audit.head_key import PinnedHeadKey, is_signed_by
from treasurer.audit.model import ChainFault, ChainVerifier, SealedEvent, seal_content
from treasurer.audit.port import HeadSigner
from treasurer.audit.store import Head
from treasurer.db.engine import Database
from treasurer.kernel.audit_head import AuditHead, SignedHead
from treasurer.kernel.errors import InvalidInput, InvariantViolated, NotPermitted
from treasurer.kernel.ids import OrganizationId

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Verification:
    """How far the chain was checked, its head there, and the first fault if there is one.

    `signed_sequence` is the last seal whose signature was verified; None if no head is signed, or no
    key is pinned here to verify one with.
    """

    events: int
    head_hash: bytes
    fault: ChainFault | None
    signed_sequence: int | None = None


class AuditService:
    """Without `head_key` signatures are neither pinned nor verified."""

    def __init__(self, database: Database, head_key: PinnedHeadKey | None = None) -> None:
        self._database = database
        self._head_key = head_key

    async def seal(self, organization_id: OrganizationId) -> int:
        """Seal everything unsealed, a page a transaction; return the number of events sealed."""
        total = 0
        while True:
            async with self._database.unit(organization_id) as connection:
                sealed = await store.seal(connection, organization_id, most=_PAGE)
            total += sealed
            if sealed < _PAGE:
                return total

    def pin(self, public_key: bytes) -> None:
        """Trust this key for heads from now on. Raises InvariantViolated `AUDIT_KEY_CHANGED`."""
        if self._head_key is not None:
            self._head_key.pin(public_key)

    async def sign_head(self, organization_id: OrganizationId, signer: HeadSigner) -> None:
        """Have the present head signed and keep the signature.

        Raises InvariantViolated `AUDIT_TAIL_MISSING` or `AUDIT_HISTORY_CHANGED` if the chain does not
        go on from what was signed before.
        """
        signed = await signer.head(organization_id)
        try:
            signed = signed or await self._sign_first(organization_id, signer)
            if signed is None:
                return
            while page := await self._page(organization_id, signed.head.sequence):
                last = AuditHead(organization_id, page[-1].sequence, page[-1].hash)
                signed = await signer.sign_head(last, [seal_content(event) for event in page])
        except NotPermitted as refusal:
            if refusal.code == "HEAD_BEHIND":
                return  # Another worker had a later one signed since the first question.
            raise InvariantViolated("AUDIT_HISTORY_CHANGED", refusal.message) from refusal
        async with self._database.unit(organization_id) as connection:
            stored = await store.hash_of(connection, organization_id, signed.head.sequence)
            if stored == signed.head.hash:
                await store.keep_signature(connection, signed)
                return
        raise InvariantViolated(
            "AUDIT_HISTORY_CHANGED" if stored else "AUDIT_TAIL_MISSING",
            f"seal {signed.head.sequence} was signed and is {'another' if stored else 'gone'} now:"
            " the database was changed or restored from a copy; compare it with a backup",
        )

    async def signed_head(self, organization_id: OrganizationId) -> SignedHead | None:
        """The last signed head, for keeping outside of this installation."""
        async with self._database.unit(organization_id) as connection:
            head = await store.head_and_signature(connection, organization_id)
            if head is None or head.signature is None or head.signed_sequence is None:
                return None
            hash_ = await store.hash_of(connection, organization_id, head.signed_sequence)
        if hash_ is None:
            return None
        return SignedHead(AuditHead(organization_id, head.signed_sequence, hash_), head.signature)

    async def verify(
        self, organization_id: OrganizationId, *, kept: Sequence[SignedHead] = ()
    ) -> Verification:
        """Recompute every hash from the first seal on, and compare with the signed heads.

        `kept` are heads that were signed earlier and kept elsewhere: history up to them must be the
        same. Raises InvalidInput `AUDIT_KEY_MISSING` if there is no key to verify them with.
        """
        key = self._head_key.read() if self._head_key else None
        if kept and key is None:
            raise InvalidInput("AUDIT_KEY_MISSING", "no key is pinned to verify kept heads with")
        async with self._database.unit(organization_id) as connection:
            head = await store.head_and_signature(connection, organization_id)
        verifier = ChainVerifier()
        hashes: dict[int, bytes] = {}
        places = {signed.head.sequence for signed in kept}
        if head is not None:
            places |= {head.sequence, head.signed_sequence or 0}
        while page := await self._page(organization_id, verifier.sequence):
            if fault := verifier.check(page):
                return Verification(verifier.sequence, verifier.hash, fault)
            hashes |= {event.sequence: event.hash for event in page if event.sequence in places}
        claims = [*kept, *_claims(organization_id, head, hashes)]
        fault = _head_fault(head, hashes, verifier.sequence) or next(
            filter(None, (_claim_fault(claim, hashes, verifier.sequence, key) for claim in claims)),
            None,
        )
        verified = [claim.head.sequence for claim in claims] if key and not fault else []
        return Verification(
            verifier.sequence, verifier.hash, fault, signed_sequence=max(verified, default=None)
        )

    async def _sign_first(
        self, organization_id: OrganizationId, signer: HeadSigner
    ) -> SignedHead | None:
        async with self._database.unit(organization_id) as connection:
            head = await store.head_and_signature(connection, organization_id)
        if head is None:
            return None
        return await signer.sign_head(AuditHead(organization_id, head.sequence, head.hash), ())

    async def _page(self, organization_id: OrganizationId, after: int) -> list[SealedEvent]:
        async with self._database.unit(organization_id) as connection:
            return await store.sealed_page(connection, organization_id, after=after, most=_PAGE)


def _claims(
    organization_id: OrganizationId, head: Head | None, hashes: Mapping[int, bytes]
) -> list[SignedHead]:
    """The signature in the database, over whatever hash now stands where it was given."""
    if head is None or head.signature is None or head.signed_sequence is None:
        return []
    found = hashes.get(head.signed_sequence, b"")
    return [SignedHead(AuditHead(organization_id, head.signed_sequence, found), head.signature)]


def _head_fault(head: Head | None, hashes: Mapping[int, bytes], last: int) -> ChainFault | None:
    if head is None or head.sequence == 0 or hashes.get(head.sequence) == head.hash:
        return None
    return ChainFault(last, "the head names another seal: the tail is missing")


def _claim_fault(
    claim: SignedHead, hashes: Mapping[int, bytes], last: int, key: Ed25519PublicKey | None
) -> ChainFault | None:
    sequence = claim.head.sequence
    if sequence not in hashes:
        return ChainFault(last, f"seal {sequence} was signed and is missing: the tail was cut off")
    if key and not (hashes[sequence] == claim.head.hash and is_signed_by(key, claim)):
        return ChainFault(
            sequence, "the signature is not for this history: it was rewritten, or that was forged"
        )
    return None
