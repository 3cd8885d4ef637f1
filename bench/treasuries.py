"""Owns the organizations whose payments are measured, and approved payments by the thousand.

Must never take part in what is timed. Organizations, people, payees and policies are made by the
services; the payments, which would take a minute a thousand that way, by SQL, as proposing leaves them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import text
from uuid_utils.compat import uuid7

from bench.fakes import SoundTokens
from saga.context import FeePolicy, Pace, SagaContext, TokenGuard
from saga.failpoints import unarmed
from treasurer.approvals.service import ApprovalService
from treasurer.bootstrap import utc_now
from treasurer.chain.fees import FeeCaps
from treasurer.chain.port import Chain
from treasurer.db.engine import Database
from treasurer.db.jobs import JobQueue
from treasurer.identity.model import User, UserState
from treasurer.identity.organizations import NewOrganization, create_organization
from treasurer.identity.store import insert_user
from treasurer.kernel.ids import OrganizationId, PaymentId, UserId, WalletId
from treasurer.kernel.money import Asset
from treasurer.kernel.order import ExecutionOrder, OrderItem, Quote
from treasurer.kernel.organization import Principal, PrincipalKind, Role
from treasurer.ledger import store as ledger
from treasurer.ledger.model import JournalEntry, Posting, opening_equity, wallet_account
from treasurer.notifications.service import Outbox
from treasurer.payees.model import Payee
from treasurer.payees.service import PayeeService
from treasurer.payments import wallets
from treasurer.payments.outcomes import PaymentOutcomes
from treasurer.payments.rail import Rail, RailToken
from treasurer.payments.wallets import Wallet
from treasurer.policies.service import PolicyService
from treasurer.prices.feed import DeclaredPar

CHAIN_ID = 31337
USDC = Asset("USDC", 6)
ETH = Asset("ETH", 18)
USD = Asset("USD", 2)
TOKEN = "0x" + "5f" * 20
GWEI = 10**9
AMOUNT_MINOR = 250_000_000
OPENING_MINOR = 10**15
OPENING_WEI = 10**24
PAYEES = 8
LASTS = timedelta(days=7)
RAIL = Rail(CHAIN_ID, "benchmark", ETH, (RailToken(USDC, TOKEN, "USD"),), 7 * 24 * 3600)

_POLICY = """
policy: 1
name: benchmark
reporting: {currency: USD, decimals: 2}
pay_in: [{asset: USDC, chain: 31337}]
tiers: [{up_to: 1000.00 USD, then: pay without asking}]
limits:
  per_payment: [{at_most: 1000.00 USD}]
  rolling_24h: {at_most: 1000000000.00 USD}
payees: {cooling_off: 24 h}
duplicates: {near: ask 1 of approver or cfo}
runway: {deny_below: 30 days, ask_below: 90 days, ask: 1 of cfo, max_age: 7 days}
batches: {at_most: %d}
max_age: {ledger: 5 min, price: 15 min}
approvals: {expire_after: 72 h}
"""
_INVOICES = text("""
    WITH document AS (
        INSERT INTO documents (organization_id, sha256, media_type, content, received_at)
        SELECT :organization_id, sha256(CAST(i.number AS bytea)), 'text/plain',
            CAST(i.number AS bytea), :now
        FROM unnest(CAST(:numbers AS text[])) AS i (number))
    INSERT INTO invoices (organization_id, id, state, channel, document_sha256, submitted_by,
        received_at, payee_id, invoice_number, invoice_number_key, currency, currency_decimals,
        payable_amount_minor, open_amount_minor)
    SELECT :organization_id, i.id, 'proposed', 'api', sha256(CAST(i.number AS bytea)), :submitter,
        :now, i.payee, i.number, i.number, 'USDC', 6, :amount, :amount
    FROM unnest(CAST(:ids AS uuid[]), CAST(:numbers AS text[]), CAST(:payees AS uuid[]))
         AS i (id, number, payee)
""")
_PAYMENTS = text("""
    WITH payment AS (
        INSERT INTO payments (organization_id, id, invoice_id, payee_id, payee_address_id, state,
            initiator_id, initiator_kind, asset, amount_minor, reporting_amount_minor, order_bytes,
            order_digest, not_after, created_at, next_at)
        SELECT :organization_id, p.id, p.invoice, p.payee, p.address, 'approved', :submitter,
            'human', 'USDC', :amount, :reporting, p.bytes, sha256(p.bytes), :not_after, :now, :now
        FROM unnest(CAST(:ids AS uuid[]), CAST(:invoices AS uuid[]), CAST(:payees AS uuid[]),
                    CAST(:addresses AS uuid[]), CAST(:orders AS bytea[]))
             AS p (id, invoice, payee, address, bytes)
        RETURNING id, invoice_id)
    INSERT INTO allocations (organization_id, payment_id, invoice_id, amount_minor, state)
    SELECT :organization_id, id, invoice_id, :amount, 'live' FROM payment
""")


@dataclass(frozen=True, slots=True)
class Outline:
    """What an organization is to have. Addresses are lower-case; `batch` payments go in one transaction,
    and `first_nonce` is what its wallets have used.
    """

    number: int
    wallets: Sequence[str]
    payees: Sequence[str]
    token: str = TOKEN
    batch: int = 1
    first_nonce: int = 0


def invented(number: int, wallets: int) -> Outline:
    """Addresses that nobody has the keys of: for a chain that does not ask for signatures."""
    return Outline(
        number,
        [f"0x{number:020x}{0xAA:018x}{index:02x}" for index in range(wallets)],
        [f"0x{number:020x}{index + 1:020x}" for index in range(PAYEES)],
    )


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization with wallets that can pay for ever, and payees that may be paid."""

    id: OrganizationId
    token: str
    clerk: User
    wallets: tuple[Wallet, ...]
    payees: tuple[Payee, ...]


def saga_context(
    database: Database, chain: Chain, rail: Rail = RAIL, tokens: TokenGuard | None = None
) -> SagaContext:
    """The pump's dependencies as bootstrap composes them, but for the chain; it never waits."""
    outbox = Outbox(queue=JobQueue(), clock=utc_now, new_id=uuid7)
    outcomes = PaymentOutcomes(outbox=outbox, new_id=uuid7)
    return SagaContext(
        database=database,
        chain=chain,
        rail=rail,
        tokens=tokens or SoundTokens(),
        fees=FeePolicy(120_000, FeeCaps(100 * GWEI, 150 * GWEI)),
        pace=replace(Pace(), poll=timedelta(0)),
        clock=utc_now,
        new_id=uuid7,
        prices=DeclaredPar({"USDC": "USD"}, utc_now),
        policies=PolicyService(database=database, clock=utc_now, new_id=uuid7),
        approvals=ApprovalService(
            database=database,
            gate=outcomes,
            outbox=outbox,
            jobs=JobQueue(),
            clock=utc_now,
            new_id=uuid7,
        ),
        outcomes=outcomes,
        failpoint=unarmed,
    )


async def found(database: Database, outline: Outline) -> Organization:
    """A live organization under the benchmark's policy, which allows every payment of ours."""
    now, number = utc_now(), outline.number
    administrator = await create_organization(
        database,
        NewOrganization(
            name=f"Benchmark {number}",
            reporting=USD,
            live=True,
            declared_monthly_burn_minor=100_000_00,
            administrator_email=f"admin@benchmark-{number}.example",
            administrator_name="Administrator",
            administrator_roles=frozenset({Role.CFO, Role.APPROVER}),
        ),
        now=now,
        new_id=uuid7,
    )
    organization_id = administrator.organization_id
    clerk = await _person(
        database, organization_id, f"clerk@benchmark-{number}.example", Role.CLERK
    )
    await _person(database, organization_id, f"cfo@benchmark-{number}.example", Role.CFO)
    policies = PolicyService(database=database, clock=utc_now, new_id=uuid7)
    await policies.activate_first(administrator.principal, _policy(outline.batch))
    own = [
        await _fund(database, organization_id, each, outline.first_nonce, now)
        for each in outline.wallets
    ]
    payees = await _payees(database, clerk.principal, administrator.principal, outline.payees)
    return Organization(organization_id, outline.token, clerk, tuple(own), payees)


def _policy(batch: int) -> str:
    """Without its line on batches a policy knows none."""
    if batch > 1:
        return _POLICY % batch
    return "\n".join(line for line in _POLICY.splitlines() if not line.startswith("batches"))


async def approve(
    database: Database,
    organization: Organization,
    count: int,
    learn: Callable[[ExecutionOrder], object] | None = None,
) -> list[PaymentId]:
    """`count` approved payments of as many invoices, due for reserve now; `learn` is shown each order."""
    now = utc_now()
    not_after = (now + LASTS).replace(microsecond=0)
    payees = [organization.payees[i % len(organization.payees)] for i in range(count)]
    ids = [PaymentId(uuid7()) for _ in range(count)]
    invoices = [uuid7() for _ in range(count)]
    permitted = tuple(sorted(wallet.address for wallet in organization.wallets))
    orders = [
        _order(organization, id_, payee, permitted, now)
        for id_, payee in zip(ids, payees, strict=True)
    ]
    for order in orders:
        if learn is not None:
            learn(order)
    common = {
        "organization_id": organization.id,
        "submitter": organization.clerk.id,
        "amount": AMOUNT_MINOR,
        "now": now,
        "payees": [payee.id for payee in payees],
    }
    async with database.unit(organization.id) as connection:
        await connection.execute(
            _INVOICES, common | {"ids": invoices, "numbers": [str(id_) for id_ in invoices]}
        )
        await connection.execute(
            _PAYMENTS,
            common
            | {
                "ids": ids,
                "invoices": invoices,
                "addresses": [payee.addresses[0].id for payee in payees],
                "orders": [order.canonical_bytes() for order in orders],
                "reporting": AMOUNT_MINOR // 10**4,
                "not_after": not_after,
            },
        )
    return ids


def _order(
    organization: Organization,
    payment_id: PaymentId,
    payee: Payee,
    permitted: Sequence[str],
    now: datetime,
) -> ExecutionOrder:
    as_of = now.replace(microsecond=0)
    not_after = as_of + LASTS
    return ExecutionOrder(
        organization_id=organization.id,
        chain_id=CHAIN_ID,
        token=organization.token,
        token_decimals=USDC.decimals,
        items=(OrderItem(payment_id, payee.addresses[0].address, AMOUNT_MINOR),),
        permitted_wallets=tuple(permitted),
        quote=Quote("USDC", AMOUNT_MINOR, 6, 1, 1, ("par",), as_of, not_after),
        not_after=not_after,
    )


async def _person(
    database: Database, organization_id: OrganizationId, email: str, role: Role
) -> User:
    person = User(
        organization_id=organization_id,
        id=UserId(uuid7()),
        email=email,
        name=role.value.title(),
        kind=PrincipalKind.HUMAN,
        state=UserState.ACTIVE,
        roles=frozenset({role}),
        created_at=utc_now(),
    )
    async with database.unit(organization_id) as connection:
        await insert_user(connection, person, password_hash=None)
    return person


async def _fund(
    database: Database, organization_id: OrganizationId, address: str, nonce: int, now: datetime
) -> Wallet:
    id_ = WalletId(uuid7())
    wallet = Wallet(id_, CHAIN_ID, address, f"wallet {address[-4:]}", "active", nonce, 0)
    async with database.unit(organization_id) as connection:
        await wallets.insert(connection, organization_id, wallet, now)
        for asset, amount in ((USDC, OPENING_MINOR), (ETH, OPENING_WEI)):
            account, equity = [
                await ledger.open_account(connection, organization_id, code, uuid7)
                for code in (wallet_account(id_, asset), opening_equity(asset))
            ]
            legs = (
                Posting(account, asset.symbol, amount),
                Posting(equity, asset.symbol, -amount),
            )
            entry = JournalEntry(f"wallet.opened:{asset.symbol}", id_, legs)
            await ledger.post(connection, organization_id, [entry], now=now, new_id=uuid7)
    return wallet


async def _payees(
    database: Database, clerk: Principal, administrator: Principal, addresses: Sequence[str]
) -> tuple[Payee, ...]:
    service = PayeeService(database=database, clock=utc_now, new_id=uuid7)
    made = []
    for index, address in enumerate(addresses):
        payee = await service.create(
            clerk,
            code=f"V-{index:03}",
            name=f"Supplier {index:03} Ltd",
            email=f"accounts@supplier-{index}.example",
        )
        entry = await service.add_address(clerk, payee.id, chain_id=CHAIN_ID, address=address)
        await service.verify_address(administrator, entry.id, cooling_off_s=0)
        made.append(await service.get(clerk, payee.id))
    return tuple(made)
