"""The payees of the demonstration world, created and verified through the service."""

from uuid_utils.compat import uuid7

from tests.support.clock import ManualClock
from tests.support.organization import TestOrganization
from treasurer.db.engine import Database
from treasurer.payees.model import Payee
from treasurer.payees.service import PayeeService

CHAIN_ID = 31337
HALDEN_ADDRESS = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
QORVANE_ADDRESS = "0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc"
BRIGHTMOOR_ADDRESS = "0x90f79bf6eb2c4f870365e785982e1f101e93b906"
FOREIGN_ADDRESS = "0x15d34aaf54267db7d7c367839aaf71a00a2c6a65"

WORLD = (
    ("V-001", "Halden Freight AS", HALDEN_ADDRESS),
    ("V-002", "Qorvane Logistics GmbH", QORVANE_ADDRESS),
    ("V-003", "Brightmoor Cleaning Ltd", BRIGHTMOOR_ADDRESS),
)


def payee_service(database: Database, clock: ManualClock) -> PayeeService:
    return PayeeService(database=database, clock=clock, new_id=uuid7)


async def create_payee(
    payees: PayeeService,
    organization: TestOrganization,
    code: str,
    name: str,
    address: str,
    *,
    vat_id: str | None = None,
    iban: str | None = None,
) -> Payee:
    """A payee whose address the clerk entered and the administrator verified, payable at once."""
    payee = await payees.create(organization.clerk, code=code, name=name, vat_id=vat_id, iban=iban)
    entry = await payees.add_address(
        organization.clerk, payee.id, chain_id=CHAIN_ID, address=address
    )
    await payees.verify_address(organization.administrator, entry.id, cooling_off_s=0)
    return await payees.get(organization.clerk, payee.id)


async def create_world(payees: PayeeService, organization: TestOrganization) -> dict[str, Payee]:
    """Norwick's three payees, by code."""
    return {
        code: await create_payee(payees, organization, code, name, address)
        for code, name, address in WORLD
    }
