"""The sanctions list: what a file may hold, that it replaces the one before, and who may load it."""

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from tests.support.approvals import rows
from tests.support.clock import ManualClock
from tests.support.organization import TestOrganization
from tests.support.payees import payee_service
from treasurer.db.engine import Database
from treasurer.kernel.errors import InvalidInput, NotPermitted
from treasurer.payees.sanctions import SanctionsEntry, SanctionsService, parse_list

ADDRESS = "0x" + "Ab" * 20


@pytest.fixture
def sanctions(database: Database, clock: ManualClock) -> SanctionsService:
    return SanctionsService(database=database, clock=clock, new_id=uuid7)


def test_a_list_has_names_and_addresses() -> None:
    content = f"# a comment\n\nAcme,  Trading LTD\n{ADDRESS}\nacme trading ltd\n".encode()
    assert parse_list(content) == [
        SanctionsEntry("name", "acme trading ltd", "acme trading ltd"),
        SanctionsEntry("address", ADDRESS.lower(), ADDRESS),
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "1 to 200000 entries"),
        (b"# nothing\n", "1 to 200000 entries"),
        (b"Acme\n0x12\n", "line 2: no address"),
        (b"...\n", "line 1: neither"),
        (b"\xff\xfe", "no UTF-8"),
    ],
)
def test_a_broken_list_is_refused(content: bytes, says: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_list(content)
    assert says in refused.value.message


async def test_a_list_replaces_the_one_before(
    database: Database,
    organization: TestOrganization,
    sanctions: SanctionsService,
    clock: ManualClock,
) -> None:
    assert await sanctions.load(organization.cfo, b"Acme\nBolt\n") == 2
    clock.advance(hours=1)
    assert await sanctions.load(organization.administrator, b"Cask\n") == 1
    assert [row["label"] for row in await rows(database, organization, "sanctions_entries")] == [
        "Cask"
    ]
    (loaded,) = await rows(database, organization, "sanctions_lists")
    assert (loaded["entries"], loaded["loaded_at"]) == (1, clock())
    kinds = [event["kind"] for event in await rows(database, organization, "audit_events")]
    assert kinds == ["sanctions_list.loaded"] * 2


async def test_a_broken_file_leaves_the_list_as_it_is(
    database: Database, organization: TestOrganization, sanctions: SanctionsService
) -> None:
    await sanctions.load(organization.cfo, b"Acme\n")
    with pytest.raises(InvalidInput):
        await sanctions.load(organization.cfo, b"0x0\n")
    assert len(await rows(database, organization, "sanctions_entries")) == 1


async def test_who_enters_payees_loads_no_list(
    organization: TestOrganization, sanctions: SanctionsService
) -> None:
    for principal in (organization.clerk, organization.approver, organization.agent):
        with pytest.raises(NotPermitted):
            await sanctions.load(principal, b"Acme\n")


async def test_a_category_is_given_by_whoever_may_change_limits(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    payees = payee_service(database, clock)
    payee = await payees.create(organization.clerk, code="V-001", name="Halden Freight AS")
    with pytest.raises(NotPermitted):
        await payees.categorize(organization.clerk, payee.id, "cloud")
    for wrong in ("none", "Cloud", ""):
        with pytest.raises(InvalidInput):
            await payees.categorize(organization.cfo, payee.id, wrong)
    assert (await payees.categorize(organization.cfo, payee.id, "cloud")).category == "cloud"
    assert (await payees.get(organization.clerk, payee.id)).category == "cloud"
    await payees.categorize(organization.cfo, payee.id, None)
    async with database.unit(organization.id) as connection:
        found = await connection.execute(text("SELECT category FROM payees"))
        assert found.scalar_one() is None
