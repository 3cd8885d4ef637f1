"""Fixtures of voting: a service whose answers are remembered, and a payment that waits for people."""

import pytest

from tests.support.approvals import (
    RecordingGate,
    WaitingPayment,
    approval_service,
    create_payment,
)
from tests.support.clock import ManualClock
from tests.support.organization import TestOrganization
from treasurer.approvals.service import ApprovalService
from treasurer.db.engine import Database


@pytest.fixture
def gate() -> RecordingGate:
    return RecordingGate()


@pytest.fixture
def approvals(database: Database, gate: RecordingGate, clock: ManualClock) -> ApprovalService:
    return approval_service(database, gate, clock)


@pytest.fixture
async def payment(database: Database, organization: TestOrganization) -> WaitingPayment:
    return await create_payment(database, organization)
