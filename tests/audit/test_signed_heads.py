"""Signed heads: a database that was rewritten, cut or given a false signature is found out."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text
from uuid_utils.compat import uuid7

from tests.support.clock import START
from tests.support.database import run_as_owner
from tests.support.heads import LocalHeadSigner, open_register
from tests.support.organization import TestOrganization, create_organization
from tests.support.signer import make_home, signer_process
from treasurer.audit import store
from treasurer.audit.head_key import PinnedHeadKey
from treasurer.audit.model import AuditEvent, seal_hash
from treasurer.audit.service import AuditService
from treasurer.bootstrap import utc_now
from treasurer.db.engine import Database, DatabaseUrls
from treasurer.incidents.service import IncidentService
from treasurer.kernel.audit_head import SignedHead
from treasurer.kernel.errors import InvalidInput, InvariantViolated
from treasurer.kernel.ids import OrganizationId
from worker.heads import sign_heads


@dataclass(frozen=True, slots=True)
class Audited:
    """One organization's chain, with the signer that watches it."""

    database: Database
    urls: DatabaseUrls
    id: OrganizationId
    signer: LocalHeadSigner
    service: AuditService

    async def record(self, events: int) -> None:
        """Append and seal."""
        invoice = uuid7()
        recorded = [
            AuditEvent("invoice", invoice, "invoice.received", {"number": str(number)})
            for number in range(events)
        ]
        async with self.database.unit(self.id) as connection:
            await store.append(connection, self.id, recorded, now=START, new_id=uuid7)
        await self.service.seal(self.id)

    async def sign(self) -> None:
        await self.service.sign_head(self.id, self.signer)

    async def cut_after(self, sequence: int) -> None:
        """Remove the tail as a database administrator can, and make the rest look whole."""
        run_as_owner(
            self.urls,
            self.id,
            f"DELETE FROM audit_seals WHERE sequence > {sequence}",
            f"""UPDATE audit_heads SET sequence = {sequence},
                hash = (SELECT hash FROM audit_seals WHERE sequence = {sequence})""",
        )

    async def rewrite_from(self, sequence: int) -> None:
        """Change one event, and compute every hash behind it anew."""
        async with self.database.unit(self.id) as connection:
            events = await store.sealed_page(connection, self.id, after=0, most=1000)
        previous = events[sequence - 2].hash if sequence > 1 else bytes(32)
        changes = [
            "UPDATE audit_events SET kind = 'invoice.forged' "
            f"WHERE id = '{events[sequence - 1].event_id}'"
        ]
        for event in events[sequence - 1 :]:
            kind = "invoice.forged" if event.sequence == sequence else event.kind
            previous = seal_hash(previous, replace(event, kind=kind))
            changes.append(
                f"UPDATE audit_seals SET hash = '\\x{previous.hex()}' "
                f"WHERE sequence = {event.sequence}"
            )
        changes.append(f"UPDATE audit_heads SET hash = '\\x{previous.hex()}'")
        run_as_owner(self.urls, self.id, *changes)

    async def put_signature(self, signature: bytes) -> None:
        run_as_owner(
            self.urls, self.id, f"UPDATE audit_heads SET signature = '\\x{signature.hex()}'"
        )

    async def stored(self) -> store.Head:
        async with self.database.unit(self.id) as connection:
            head = await store.head_and_signature(connection, self.id)
        assert head is not None
        return head


@pytest.fixture
def audited(
    database: Database, database_urls: DatabaseUrls, organization: TestOrganization, tmp_path: Path
) -> Iterator[Audited]:
    with open_register(make_home(tmp_path / "signer")) as register:
        service = AuditService(database, PinnedHeadKey(tmp_path / "audit-head.pub"))
        service.pin(register.public_key)
        yield Audited(database, database_urls, organization.id, LocalHeadSigner(register), service)


async def test_a_signed_head_is_verified(audited: Audited) -> None:
    await audited.record(3)
    unsigned = await audited.service.verify(audited.id)
    assert (unsigned.events, unsigned.fault, unsigned.signed_sequence) == (3, None, None)
    await audited.sign()
    await audited.record(2)
    verification = await audited.service.verify(audited.id)
    assert (verification.events, verification.fault) == (5, None)
    assert verification.signed_sequence == 3
    await audited.sign()
    assert (await audited.service.verify(audited.id)).signed_sequence == 5


async def test_no_head_before_the_first_seal(audited: Audited) -> None:
    await audited.sign()
    assert audited.signer.register.latest(audited.id) is None
    assert await audited.service.signed_head(audited.id) is None


async def test_more_seals_than_a_page_are_signed_page_by_page(audited: Audited) -> None:
    await audited.record(1)
    await audited.sign()
    await audited.record(1500)
    await audited.sign()
    verification = await audited.service.verify(audited.id)
    assert (verification.events, verification.signed_sequence) == (1501, 1501)


async def test_a_signature_lost_before_it_was_stored_is_stored_next_time(audited: Audited) -> None:
    await audited.record(3)
    await audited.sign()
    lost = await audited.stored()
    run_as_owner(
        audited.urls,
        audited.id,
        "UPDATE audit_heads SET signature = NULL, signed_sequence = NULL",
    )
    await audited.sign()
    assert await audited.stored() == lost


async def test_a_tail_cut_after_it_was_signed(audited: Audited) -> None:
    await audited.record(5)
    await audited.sign()
    await audited.cut_after(3)
    verification = await audited.service.verify(audited.id)
    assert verification.events == 3
    assert verification.fault is not None
    assert "seal 5 was signed and is missing" in verification.fault.reason
    assert verification.signed_sequence is None
    # Grown again or not, the signer does not go along.
    with pytest.raises(InvariantViolated, match="AUDIT_TAIL_MISSING"):
        await audited.sign()
    await audited.record(4)
    with pytest.raises(InvariantViolated, match="AUDIT_HISTORY_CHANGED"):
        await audited.sign()


async def test_history_rewritten_with_every_hash_right(audited: Audited) -> None:
    await audited.record(5)
    await audited.sign()
    await audited.rewrite_from(2)
    without_key = await AuditService(audited.database).verify(audited.id)
    assert without_key.fault is None
    verification = await audited.service.verify(audited.id)
    assert verification.fault is not None
    assert verification.fault.sequence == 5
    assert "not for this history" in verification.fault.reason
    with pytest.raises(InvariantViolated, match="AUDIT_HISTORY_CHANGED"):
        await audited.sign()
    await audited.record(1)
    with pytest.raises(InvariantViolated, match="AUDIT_HISTORY_CHANGED"):
        await audited.sign()


async def test_what_is_not_signed_yet_can_be_rewritten(audited: Audited) -> None:
    """The stated limit: some seconds of history are as good as the database's own grants."""
    await audited.record(3)
    await audited.sign()
    await audited.record(2)
    await audited.rewrite_from(4)
    assert (await audited.service.verify(audited.id)).fault is None
    await audited.sign()


async def test_a_forged_signature(audited: Audited) -> None:
    await audited.record(5)
    await audited.sign()
    signed = await audited.service.signed_head(audited.id)
    assert signed is not None
    false_key = Ed25519PrivateKey.generate()
    for forged in (bytes(64), b"short", false_key.sign(signed.head.statement())):
        await audited.put_signature(forged)
        verification = await audited.service.verify(audited.id)
        assert verification.fault is not None
        assert verification.fault.sequence == 5
    await audited.sign()
    assert (await audited.service.verify(audited.id)).signed_sequence == 5


async def test_a_head_kept_elsewhere_proves_what_the_database_forgot(audited: Audited) -> None:
    await audited.record(3)
    await audited.sign()
    early = await audited.service.signed_head(audited.id)
    await audited.record(2)
    await audited.sign()
    late = await audited.service.signed_head(audited.id)
    assert early is not None
    assert late is not None
    whole = await audited.service.verify(audited.id, kept=[early, late])
    assert (whole.fault, whole.signed_sequence) == (None, 5)
    await audited.cut_after(3)
    run_as_owner(audited.urls, audited.id, "UPDATE audit_heads SET signed_sequence = 3")
    await audited.put_signature(early.signature)
    assert (await audited.service.verify(audited.id)).fault is None
    cut = await audited.service.verify(audited.id, kept=[late])
    assert cut.fault is not None
    assert "seal 5 was signed and is missing" in cut.fault.reason
    assert (await audited.service.verify(audited.id, kept=[early])).fault is None
    forged = SignedHead(replace(early.head, hash=bytes(32)), early.signature)
    assert (await audited.service.verify(audited.id, kept=[forged])).fault is not None
    with pytest.raises(InvalidInput, match="AUDIT_KEY_MISSING"):
        await AuditService(audited.database).verify(audited.id, kept=[early])


async def test_the_first_key_is_pinned_for_good(audited: Audited, tmp_path: Path) -> None:
    pinned = (tmp_path / "audit-head.pub").read_bytes()
    assert pinned.startswith(b"-----BEGIN PUBLIC KEY-----\n")
    audited.service.pin(audited.signer.register.public_key)
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    with pytest.raises(InvariantViolated, match="AUDIT_KEY_CHANGED"):
        audited.service.pin(other)
    assert (tmp_path / "audit-head.pub").read_bytes() == pinned
    (tmp_path / "audit-head.pub").write_text("no key")
    with pytest.raises(InvariantViolated, match="AUDIT_KEY_UNREADABLE"):
        await audited.service.verify(audited.id)


async def test_the_worker_has_every_moved_head_signed_by_the_signers_process(
    database: Database, database_urls: DatabaseUrls, audited: Audited, tmp_path: Path
) -> None:
    tampered = replace(audited, id=(await create_organization(database)).id)
    await audited.record(3)
    await tampered.record(3)
    service = AuditService(database, PinnedHeadKey(tmp_path / "process.pub"))
    incidents = IncidentService(database=database, clock=utc_now, new_id=uuid7)
    with signer_process(make_home(tmp_path / "process")) as process:
        await process.start()
        client = process.client()
        await sign_heads(database, service, client, incidents)
        signed = await audited.stored()
        assert (signed.sequence, signed.signed_sequence) == (3, 3)
        await tampered.rewrite_from(1)
        await tampered.record(1)
        await audited.record(1)
        await sign_heads(database, service, client, incidents)
        await client.close()
    assert (await audited.stored()).signed_sequence == 4
    assert (await tampered.stored()).signed_sequence == 3
    async with database.unit(tampered.id) as connection:
        (found,) = await connection.execute(text("SELECT kind, subject_id FROM incidents"))
    assert tuple(found) == ("audit.head_refused", tampered.id)
    assert (await service.verify(audited.id)).signed_sequence == 4
    assert (await service.verify(tampered.id)).fault is not None


async def test_the_system_role_reads_no_hash(database: Database) -> None:
    with pytest.raises(Exception, match="permission denied"):
        async with database.claims() as connection:
            await connection.execute(text("SELECT hash FROM audit_heads"))
