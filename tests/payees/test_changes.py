"""Other details for a payee: two people, a call to the number of the master, and a wait."""

from datetime import timedelta

import pytest
from uuid_utils.compat import uuid7

from tests.support.approvals import rows
from tests.support.clock import ManualClock
from tests.support.organization import TestOrganization
from tests.support.payees import payee_service
from treasurer.db.engine import Database
from treasurer.kernel.errors import Conflict, InvalidInput, NotPermitted
from treasurer.payees import change_store
from treasurer.payees.change import CallBackNote, ChangeState, PayeeChange
from treasurer.payees.changes import PayeeChanges
from treasurer.payees.model import Payee
from treasurer.payees.service import PayeeService

PHONE = "+4721001000"
IBAN = "NO9386011117947"
DAY_S = 86_400


@pytest.fixture
def payees(database: Database, clock: ManualClock) -> PayeeService:
    return payee_service(database, clock)


@pytest.fixture
def changes(database: Database, clock: ManualClock) -> PayeeChanges:
    return PayeeChanges(database=database, clock=clock, new_id=uuid7)


@pytest.fixture
async def halden(payees: PayeeService, organization: TestOrganization) -> Payee:
    return await payees.create(
        organization.clerk,
        code="V-001",
        name="Halden Freight AS",
        email="accounts@halden.example",
        phone="+47 21 00 10 00",
    )


def call(clock: ManualClock, *, number: str = "") -> CallBackNote:
    return CallBackNote("Ane Halden", clock(), "She named the new bank herself.", number)


async def test_the_former_details_stand_until_another_person_called(
    changes: PayeeChanges,
    payees: PayeeService,
    organization: TestOrganization,
    halden: Payee,
    database: Database,
    clock: ManualClock,
) -> None:
    clerk, administrator = organization.clerk, organization.administrator
    wanted = {"name": "Halden Shipping AS", "iban": "NO93 8601 1117 947", "phone": PHONE}
    proposed = await changes.propose(clerk, halden.id, wanted)
    assert proposed.details == {"name": "Halden Shipping AS", "iban": IBAN}
    assert proposed.former == {"name": "Halden Freight AS", "iban": None}
    assert await payees.get(clerk, halden.id) == halden
    with pytest.raises(NotPermitted) as own:
        await changes.confirm(clerk, halden.id, proposed.id, call(clock), cooling_off_s=DAY_S)
    assert own.value.code == "CHANGE_OWN"
    clock.advance(hours=1)
    confirmed = await changes.confirm(
        administrator, halden.id, proposed.id, call(clock), cooling_off_s=DAY_S
    )
    assert confirmed.cooling_off_until == clock() + timedelta(days=1)
    assert confirmed.call_back == {
        "spoke_to": "Ane Halden",
        "called_at": "2026-11-22T11:00:00.000000Z",
        "number": PHONE,
        "from_master": True,
        "note": "She named the new bank herself.",
    }
    after = await payees.get(clerk, halden.id)
    assert (after.name, after.iban, after.email) == ("Halden Shipping AS", IBAN, halden.email)
    assert after.cooling_off_until == clock() + timedelta(days=1)
    assert await changes.of(clerk, halden.id) == [confirmed]
    async with database.unit(organization.id) as connection:
        for wait, barred in ((DAY_S - 1, {clerk.user_id}), (DAY_S, set())):
            at = clock() + timedelta(seconds=wait)
            found = await change_store.changers(connection, organization.id, halden.id, at)
            assert found == barred
    events = await rows(database, organization, "audit_events")
    assert [e["kind"] for e in events if str(e["kind"]).startswith("payee_change")] == [
        "payee_change.proposed",
        "payee_change.confirmed",
    ]


@pytest.mark.parametrize(
    ("note", "code"),
    [
        (CallBackNote("", ManualClock()(), "She named the bank."), "CALL_BACK_PERSON"),
        (CallBackNote("Ane", ManualClock()(), "ok"), "CALL_BACK_NOTE"),
        (
            CallBackNote("Ane", ManualClock()() + timedelta(minutes=1), "She named the bank."),
            "CALL_BACK_TIME",
        ),
        (
            CallBackNote("Ane", ManualClock()() - timedelta(minutes=1), "She named the bank."),
            "CALL_BACK_TIME",
        ),
        # The number of the mail, as an impostor would like it.
        (
            CallBackNote("Ane", ManualClock()(), "She named the bank.", "+447700900123"),
            "CALL_BACK_NUMBER",
        ),
    ],
)
async def test_a_call_that_is_none_confirms_nothing(
    changes: PayeeChanges,
    payees: PayeeService,
    organization: TestOrganization,
    halden: Payee,
    note: CallBackNote,
    code: str,
) -> None:
    proposed = await changes.propose(organization.clerk, halden.id, {"iban": IBAN})
    with pytest.raises(InvalidInput) as refused:
        await changes.confirm(
            organization.administrator, halden.id, proposed.id, note, cooling_off_s=0
        )
    assert refused.value.code == code
    assert await payees.get(organization.clerk, halden.id) == halden


async def test_a_new_phone_is_called_back_at_the_former_one(
    changes: PayeeChanges, organization: TestOrganization, halden: Payee, clock: ManualClock
) -> None:
    proposed = await changes.propose(organization.clerk, halden.id, {"phone": "+447700900123"})
    with pytest.raises(InvalidInput) as wrong:
        await changes.confirm(
            organization.administrator,
            halden.id,
            proposed.id,
            call(clock, number="+447700900123"),
            cooling_off_s=0,
        )
    assert wrong.value.code == "CALL_BACK_NUMBER"


async def test_one_change_waits_at_a_time_and_a_refused_one_changes_nothing(
    changes: PayeeChanges,
    payees: PayeeService,
    organization: TestOrganization,
    halden: Payee,
    clock: ManualClock,
) -> None:
    first: PayeeChange = await changes.propose(organization.clerk, halden.id, {"iban": IBAN})
    with pytest.raises(Conflict) as second:
        await changes.propose(organization.administrator, halden.id, {"name": "Halden"})
    assert second.value.code == "CHANGE_OPEN"
    refused = await changes.refuse(organization.administrator, halden.id, first.id)
    assert refused.state is ChangeState.REFUSED
    for decide in (
        changes.refuse(organization.administrator, halden.id, first.id),
        changes.confirm(
            organization.administrator, halden.id, first.id, call(clock), cooling_off_s=0
        ),
    ):
        with pytest.raises(Conflict) as decided:
            await decide
        assert decided.value.code == "CHANGE_DECIDED"
    assert await payees.get(organization.clerk, halden.id) == halden


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({}, "CHANGE_EMPTY"),
        ({"name": "Halden Freight AS"}, "CHANGE_EMPTY"),
        ({"code": "V-002"}, "CHANGE_FIELD"),
        ({"state": "active"}, "CHANGE_FIELD"),
        ({"iban": "NO9386011117948"}, "PAYEE_IBAN"),
        ({"phone": "21 00 10 00"}, "PAYEE_PHONE"),
    ],
)
async def test_what_is_no_change(
    changes: PayeeChanges,
    organization: TestOrganization,
    halden: Payee,
    wanted: dict[str, str | None],
    code: str,
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await changes.propose(organization.clerk, halden.id, wanted)
    assert refused.value.code == code
