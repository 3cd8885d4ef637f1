"""The choke point over a real database: Norwick's policy, a funded wallet in the books, no chain."""

from dataclasses import dataclass

from sqlalchemy import text
from uuid_utils.compat import uuid7

from tests.support.approvals import job_queue
from tests.support.clock import ManualClock
from tests.support.organization import TestOrganization
from tests.support.policy import NORWICK_YAML
from treasurer.approvals.service import ApprovalService
from treasurer.db.engine import Database
from treasurer.kernel.ids import WalletId
from treasurer.kernel.money import Asset
from treasurer.ledger import store as ledger
from treasurer.ledger.model import JournalEntry, Posting, opening_equity, wallet_account
from treasurer.notifications.service import Outbox
from treasurer.payments import wallets
from treasurer.payments.outcomes import PaymentOutcomes
from treasurer.payments.rail import Rail, RailToken
from treasurer.payments.service import PaymentService
from treasurer.payments.wallets import Wallet
from treasurer.policies.service import PolicyService
from treasurer.prices.feed import DeclaredPar

USDC = Asset("USDC", 6)
RAIL = Rail(
    31337, "development", Asset("ETH", 18), (RailToken(USDC, "0x" + "5c" * 20, "USD"),), 7 * 86_400
)


@dataclass(frozen=True)
class ChokePoint:
    """Payments and what they stand on, of one clock."""

    payments: PaymentService
    approvals: ApprovalService
    policies: PolicyService


def choke_point(database: Database, clock: ManualClock) -> ChokePoint:
    """The services as bootstrap composes them."""
    outbox = Outbox(queue=job_queue(), clock=clock, new_id=uuid7)
    outcomes = PaymentOutcomes(outbox=outbox, new_id=uuid7)
    policies = PolicyService(database=database, clock=clock, new_id=uuid7)
    approvals = ApprovalService(
        database=database,
        gate=outcomes,
        outbox=outbox,
        jobs=job_queue(),
        clock=clock,
        new_id=uuid7,
    )
    payments = PaymentService(
        database=database,
        rail=RAIL,
        prices=DeclaredPar({"USDC": "USD"}, clock),
        policies=policies,
        approvals=approvals,
        outcomes=outcomes,
        clock=clock,
        new_id=uuid7,
    )
    return ChokePoint(payments, approvals, policies)


async def open_for_business(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> ChokePoint:
    """Activate Norwick's policy, fund a wallet with a million, declare a burn that lasts ten months:
    neither money nor runway stands in any payment's way.
    """
    opened = choke_point(database, clock)
    await opened.policies.activate_first(organization.administrator, NORWICK_YAML)
    async with database.unit(organization.id) as connection:
        await connection.execute(
            text("UPDATE organizations SET declared_monthly_burn_minor = 10000000 WHERE id = :id"),
            {"id": organization.id},
        )
    await fund(database, organization, clock, 10**12)
    return opened


async def fund(
    database: Database, organization: TestOrganization, clock: ManualClock, amount_minor: int
) -> None:
    """A wallet with its opening balance in USDC booked, as enrolment leaves it."""
    wallet = Wallet(
        WalletId(uuid7()), 31337, f"0x{organization.id.hex}00000000", "treasury", "active", 0, 0
    )
    async with database.unit(organization.id) as connection:
        await wallets.insert(connection, organization.id, wallet, clock())
        account = await ledger.open_account(
            connection, organization.id, wallet_account(wallet.id, USDC), uuid7
        )
        equity = await ledger.open_account(connection, organization.id, opening_equity(USDC), uuid7)
        postings = (Posting(account, "USDC", amount_minor), Posting(equity, "USDC", -amount_minor))
        entry = JournalEntry("opening", wallet.id, postings)
        await ledger.post(connection, organization.id, [entry], now=clock(), new_id=uuid7)
