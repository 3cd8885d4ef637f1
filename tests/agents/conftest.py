"""The world that intake tests assume: three payees, one paid invoice, doors to real services."""

import pytest
from sqlalchemy import text

from agents.intake.graph import IntakeGraph, build_intake
from tests.support.agents import FakePayments
from tests.support.clock import ManualClock
from tests.support.invoices import invoice_service, printed, submit_and_read
from tests.support.organization import TestOrganization
from tests.support.payees import create_world, payee_service
from treasurer.db.engine import Database
from treasurer.invoices.service import InvoiceService
from treasurer.payees.model import Payee


@pytest.fixture(scope="session")
def graph() -> IntakeGraph:
    return build_intake()


@pytest.fixture
def invoices(database: Database, clock: ManualClock) -> InvoiceService:
    return invoice_service(database, clock)


@pytest.fixture
def payments(database: Database, invoices: InvoiceService) -> FakePayments:
    return FakePayments(database, invoices)


@pytest.fixture
async def world(
    database: Database,
    clock: ManualClock,
    organization: TestOrganization,
    invoices: InvoiceService,
) -> dict[str, Payee]:
    """Norwick's payees, with Halden's invoice HF-2101 over 4,150.00 paid."""
    payees = await create_world(payee_service(database, clock), organization)
    paid = await submit_and_read(
        invoices,
        organization.clerk,
        organization.agent,
        printed("HF-2101", "4,150.00 USDC", date="2026-11-02"),
    )
    async with database.unit(organization.id) as connection:
        await connection.execute(
            text("UPDATE invoices SET state = 'paid', open_amount_minor = 0 WHERE id = :id"),
            {"id": paid.id},
        )
    return payees
