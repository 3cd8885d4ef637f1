import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from tests.support.approvals import rows
from tests.support.clock import START, ManualClock
from tests.support.organization import TestOrganization, create_organization
from tests.support.payees import (
    BRIGHTMOOR_ADDRESS,
    CHAIN_ID,
    FOREIGN_ADDRESS,
    HALDEN_ADDRESS,
    QORVANE_ADDRESS,
    create_payee,
    payee_service,
)
from treasurer.audit import store as audit
from treasurer.db.engine import Database
from treasurer.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted, TreasurerError
from treasurer.kernel.ids import PayeeId
from treasurer.payees import store
from treasurer.payees.change import CallBackNote
from treasurer.payees.model import AddressState, Payee
from treasurer.payees.service import PayeeService


@pytest.fixture
def payees(database: Database, clock: ManualClock) -> PayeeService:
    return payee_service(database, clock)


@pytest.fixture
async def halden(payees: PayeeService, organization: TestOrganization) -> Payee:
    return await payees.create(organization.clerk, code="V-001", name="Halden Freight AS")


async def events(database: Database, organization: TestOrganization, payee: Payee) -> list[str]:
    async with database.unit(organization.id) as connection:
        rows = await audit.event_page(
            connection, organization.id, before=None, aggregate_id=payee.id, most=50
        )
    return [row["kind"] for row in reversed(rows)]


async def test_a_second_person_makes_an_address_payable_after_cooling_off(
    payees: PayeeService, organization: TestOrganization, halden: Payee, database: Database
) -> None:
    entry = await payees.add_address(
        organization.clerk,
        halden.id,
        chain_id=CHAIN_ID,
        address="0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    )
    assert (entry.address, entry.state) == (HALDEN_ADDRESS, AddressState.PENDING)
    async with database.unit(organization.id) as connection:
        assert (
            await store.verified_address(connection, organization.id, halden.id, CHAIN_ID) is None
        )
    with pytest.raises(NotPermitted) as refused:
        await payees.verify_address(organization.clerk, entry.id, cooling_off_s=0)
    assert refused.value.code == "ADDRESS_OWN_CHANGE"

    verified = await payees.verify_address(
        organization.administrator, entry.id, cooling_off_s=86_400
    )

    async with database.unit(organization.id) as connection:
        stored = await store.verified_address(connection, organization.id, halden.id, CHAIN_ID)
        elsewhere = await store.verified_address(connection, organization.id, halden.id, 1)
    assert stored == verified
    assert elsewhere is None
    assert verified.cooling_off_until == START + timedelta(days=1)
    assert verified.changed_by == organization.clerk.user_id
    assert verified.verified_by == organization.administrator.user_id
    assert await events(database, organization, halden) == [
        "payee.created",
        "payee_address.added",
        "payee_address.verified",
    ]


async def test_verifying_another_address_revokes_the_former(
    payees: PayeeService, organization: TestOrganization, database: Database
) -> None:
    payee = await create_payee(payees, organization, "V-001", "Halden Freight AS", HALDEN_ADDRESS)
    new = await payees.add_address(
        organization.clerk, payee.id, chain_id=CHAIN_ID, address=FOREIGN_ADDRESS
    )
    other_chain = await payees.add_address(
        organization.clerk, payee.id, chain_id=1, address=HALDEN_ADDRESS
    )
    await payees.verify_address(organization.administrator, other_chain.id, cooling_off_s=0)
    with pytest.raises(InvalidInput) as uncalled:
        await payees.verify_address(organization.administrator, new.id, cooling_off_s=60)
    assert uncalled.value.code == "CALL_BACK_MISSING"
    await payees.verify_address(
        organization.administrator,
        new.id,
        cooling_off_s=60,
        call_back=CallBackNote(
            "Ane Halden", START, "Number of the contract of 2024", "+4721001000"
        ),
    )
    (stored,) = [
        row["call_back"]
        for row in await rows(database, organization, "payee_addresses")
        if row["id"] == new.id
    ]
    assert stored == {
        "spoke_to": "Ane Halden",
        "called_at": "2026-11-22T10:00:00.000000Z",
        "number": "+4721001000",
        "from_master": False,
        "note": "Number of the contract of 2024",
    }
    addresses = (await payees.get(organization.clerk, payee.id)).addresses
    assert [(entry.chain_id, entry.address, entry.state) for entry in addresses] == [
        (CHAIN_ID, HALDEN_ADDRESS, AddressState.REVOKED),
        (CHAIN_ID, FOREIGN_ADDRESS, AddressState.VERIFIED),
        (1, HALDEN_ADDRESS, AddressState.VERIFIED),
    ]


async def test_two_verifiers_at_once_verify_once(
    payees: PayeeService, organization: TestOrganization, halden: Payee, database: Database
) -> None:
    entry = await payees.add_address(
        organization.clerk, halden.id, chain_id=CHAIN_ID, address=HALDEN_ADDRESS
    )
    results = await asyncio.gather(
        *(
            payees.verify_address(organization.administrator, entry.id, cooling_off_s=0)
            for _ in range(4)
        ),
        return_exceptions=True,
    )
    failures = [result for result in results if isinstance(result, TreasurerError)]
    assert [failure.code for failure in failures] == ["ADDRESS_NOT_PENDING"] * 3
    assert (await events(database, organization, halden)).count("payee_address.verified") == 1


async def test_programs_do_not_verify_and_readers_do_not_write(
    payees: PayeeService, organization: TestOrganization, halden: Payee
) -> None:
    entry = await payees.add_address(
        organization.clerk, halden.id, chain_id=CHAIN_ID, address=HALDEN_ADDRESS
    )
    with pytest.raises(NotPermitted):
        await payees.verify_address(organization.agent, entry.id, cooling_off_s=0)
    for principal in (organization.agent, organization.approver, organization.auditor):
        with pytest.raises(NotPermitted):
            await payees.create(principal, code="V-009", name="Mallory")
        with pytest.raises(NotPermitted):
            await payees.add_address(
                principal, halden.id, chain_id=CHAIN_ID, address=FOREIGN_ADDRESS
            )
        with pytest.raises(NotPermitted):
            await payees.import_csv(principal, b"code,name\nV-9,Mallory\n")


async def test_a_revoked_address_frees_itself_and_never_returns(
    payees: PayeeService, organization: TestOrganization, halden: Payee
) -> None:
    entry = await payees.add_address(
        organization.clerk, halden.id, chain_id=CHAIN_ID, address=HALDEN_ADDRESS
    )
    await payees.revoke_address(organization.clerk, entry.id)
    with pytest.raises(Conflict) as refused:
        await payees.verify_address(organization.administrator, entry.id, cooling_off_s=0)
    assert refused.value.code == "ADDRESS_NOT_PENDING"
    again = await payees.add_address(
        organization.clerk, halden.id, chain_id=CHAIN_ID, address=HALDEN_ADDRESS
    )
    assert again.state is AddressState.PENDING


async def test_codes_and_addresses_are_taken_once(
    payees: PayeeService, organization: TestOrganization, halden: Payee
) -> None:
    with pytest.raises(Conflict) as refused:
        await payees.create(organization.clerk, code="V-001", name="Another")
    assert refused.value.code == "PAYEE_EXISTS"
    other = await payees.create(organization.clerk, code="V-002", name="Qorvane Logistics GmbH")
    await payees.add_address(
        organization.clerk, halden.id, chain_id=CHAIN_ID, address=HALDEN_ADDRESS
    )
    with pytest.raises(Conflict) as refused:
        await payees.add_address(
            organization.clerk, other.id, chain_id=CHAIN_ID, address=HALDEN_ADDRESS
        )
    assert refused.value.code == "ADDRESS_TAKEN"


async def test_another_organization_sees_nothing(
    payees: PayeeService, organization: TestOrganization, halden: Payee, database: Database
) -> None:
    entry = await payees.add_address(
        organization.clerk, halden.id, chain_id=CHAIN_ID, address=HALDEN_ADDRESS
    )
    stranger = await create_organization(database)
    with pytest.raises(NotFound):
        await payees.get(stranger.clerk, halden.id)
    with pytest.raises(NotFound):
        await payees.get_by_code(stranger.clerk, "V-001")
    with pytest.raises(NotFound):
        await payees.verify_address(stranger.administrator, entry.id, cooling_off_s=0)
    with pytest.raises(NotFound):
        await payees.add_address(
            stranger.clerk, halden.id, chain_id=CHAIN_ID, address=FOREIGN_ADDRESS
        )
    assert await payees.page(stranger.clerk) == []
    async with database.unit(stranger.id) as connection:
        assert (await connection.execute(text("SELECT id FROM payees"))).all() == []


async def test_pages_follow_the_key(payees: PayeeService, organization: TestOrganization) -> None:
    for number in range(5):
        await payees.create(organization.clerk, code=f"V-{number}", name=f"Supplier {number}")
    first = await payees.page(organization.clerk, most=3)
    second = await payees.page(organization.clerk, before=first[-1].id, most=3)
    assert [payee.code for payee in first] == ["V-4", "V-3", "V-2"]
    assert [payee.code for payee in second] == ["V-1", "V-0"]
    with pytest.raises(NotFound):
        await payees.get(organization.clerk, PayeeId(uuid7()))


CSV = (
    "\ufeffcode,name,vat_id,iban,email,chain_id,address\r\n"
    f"V-001,Halden Freight AS,NO923609016MVA,NO9386011117947,pay@halden.example,31337,"
    f"0x70997970C51812dc3A010C7d01b50e0d17dc79C8\r\n"
    f'V-002,"Qorvane Logistics GmbH",,,,31337,{QORVANE_ADDRESS}\r\n'
    f"V-003,Brightmoor Cleaning Ltd,,,,31337,{HALDEN_ADDRESS}\r\n"
    f"V-004,Bad Checksum,,,,31337,0x70997970C51812dc3A010C7d01b50e0d17dc79c8\r\n"
    "\r\n"
    "V-002,Qorvane Logistics AG,,,,,\r\n"
    "V-005,No Wallet Ltd,,,,,\r\n"
).encode()


async def test_an_import_reports_each_row_and_repeats_harmlessly(
    payees: PayeeService, organization: TestOrganization
) -> None:
    reports = await payees.import_csv(organization.clerk, CSV)
    assert [(r.line, r.code, r.outcome.value, r.error_code) for r in reports] == [
        (2, "V-001", "created", None),
        (3, "V-002", "created", None),
        (4, "V-003", "refused", "ADDRESS_TAKEN"),
        (5, "V-004", "refused", "ADDRESS_CHECKSUM"),
        (7, "V-002", "refused", "PAYEE_EXISTS"),
        (8, "V-005", "created", None),
    ]
    halden = await payees.get_by_code(organization.clerk, "V-001")
    assert (halden.name, halden.vat_id, halden.iban) == (
        "Halden Freight AS",
        "NO923609016MVA",
        "NO9386011117947",
    )
    assert [(a.chain_id, a.address, a.state) for a in halden.addresses] == [
        (31337, HALDEN_ADDRESS, AddressState.PENDING)
    ]
    again = await payees.import_csv(organization.clerk, CSV)
    assert [report.outcome.value for report in again] == [
        "unchanged", "unchanged", "refused", "refused", "refused", "unchanged"
    ]  # fmt: skip
    assert len(await payees.page(organization.clerk)) == 3


async def test_an_import_never_changes_a_payee(
    payees: PayeeService, organization: TestOrganization
) -> None:
    await create_payee(payees, organization, "V-003", "Brightmoor Cleaning Ltd", BRIGHTMOOR_ADDRESS)
    content = f"code,name,chain_id,address\nV-003,Brightmoor Cleaning Ltd,31337,{FOREIGN_ADDRESS}\n"
    (report,) = await payees.import_csv(organization.clerk, content.encode())
    assert report.error_code == "PAYEE_EXISTS"
    payee = await payees.get_by_code(organization.clerk, "V-003")
    assert [entry.address for entry in payee.addresses] == [BRIGHTMOOR_ADDRESS]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"code,name,approved_by\nV-1,A,cfo\n", "CSV_UNKNOWN_COLUMN"),
        (b"name\nA\n", "CSV_MISSING_COLUMN"),
        (b"", "CSV_MISSING_COLUMN"),
        (b"code,name,name\nV-1,A,B\n", "CSV_DUPLICATE_COLUMN"),
        (b"code,name\nV-1\n", "CSV_SYNTAX"),
        (b'code,name\nV-1,"A\n', "CSV_SYNTAX"),
        (b"code,name\nV-1,\xff\n", "CSV_ENCODING"),
        (b"code,name\n" + b"V-1,A\n" * 5001, "CSV_TOO_LARGE"),
    ],
)
async def test_a_file_that_cannot_be_read_stores_nothing(
    payees: PayeeService, organization: TestOrganization, content: bytes, code: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await payees.import_csv(organization.clerk, content)
    assert refused.value.code == code
    assert await payees.page(organization.clerk) == []
