"""Owns the demonstration organization: Norwick Instruments, its people, policy, wallet and invoices.

Must never be reached but by `treasurer up --demo` and `treasurer demo`, and only on the development
chain. Every step finds what an interrupted start left and goes on.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files

from treasurer.bootstrap import Core, open_chain
from treasurer.cli.demonstration_network import PAYEES
from treasurer.cli.own_organization import DEMONSTRATION, remember_organization
from treasurer.embedded.devchain.accounts import CHAIN_ID, development_account
from treasurer.identity.idempotency import claim_for
from treasurer.identity.model import User
from treasurer.identity.organizations import NewOrganization, create_organization
from treasurer.identity.store import users_with_roles
from treasurer.kernel.errors import NotFound
from treasurer.kernel.ids import OrganizationId
from treasurer.kernel.money import Asset
from treasurer.kernel.organization import Role
from treasurer.payees import store as payees
from treasurer.payments import wallets
from treasurer.payments.enrolment import WalletEnrolment

REPORTING = Asset("USD", 2)
MONTHLY_BURN_MINOR = 40_000_00
ADMINISTRATOR = "admin@norwick.example"
CLERK = "clerk@norwick.example"
APPROVER = "approver@norwick.example"
CFO = "cfo@norwick.example"
PEOPLE: Mapping[str, tuple[str, Role]] = {
    CLERK: ("Astrid Lund", Role.CLERK),
    APPROVER: ("Tomas Berg", Role.APPROVER),
    CFO: ("Ingrid Solberg", Role.CFO),
}
INVOICES = ("halden-hf-1001.xml", "qorvane-ql-1002.pdf", "brightmoor-bm-1003.txt")


@dataclass(frozen=True, slots=True)
class Norwick:
    """The seeded organization's people, by e-mail address."""

    organization_id: OrganizationId
    people: Mapping[str, User]


async def seed(core: Core) -> Norwick:
    """Create what is missing of the organization; return its people."""
    administrator = await _administrator(core)
    people = await _people(core, administrator)
    await core.policies.activate_first(
        administrator.principal, _sample("policies", "norwick.yaml").decode("utf-8")
    )
    await _enrol_wallet(core, administrator)
    await _payees(core, people)
    remember_organization(core.settings, DEMONSTRATION, administrator)
    return Norwick(administrator.organization_id, people)


async def submit_samples(core: Core, norwick: Norwick) -> None:
    """Hand in the sample invoices as the clerk; a second time changes nothing."""
    clerk = norwick.people[CLERK].principal
    for name in INVOICES:
        await core.invoices.receive(
            clerk,
            content=_sample("invoices", name),
            filename=name,
            media_type=None,
            channel="upload",
            idempotency=claim_for(
                clerk, route="demonstration", key=f"sample-{name}", fields={"name": name}
            ),
        )


async def _administrator(core: Core) -> User:
    with suppress(NotFound):
        return await core.identity.user_of(ADMINISTRATOR)
    return await create_organization(
        core.database,
        NewOrganization(
            name=DEMONSTRATION,
            reporting=REPORTING,
            live=True,
            declared_monthly_burn_minor=MONTHLY_BURN_MINOR,
            administrator_email=ADMINISTRATOR,
            administrator_name="Norwick administrator",
        ),
        now=core.clock(),
        new_id=core.new_id,
    )


async def _people(core: Core, administrator: User) -> dict[str, User]:
    async with core.database.unit(administrator.organization_id) as connection:
        known = await users_with_roles(connection, administrator.organization_id, frozenset(Role))
    people = {user.email: user for user in known}
    for email, (name, role) in PEOPLE.items():
        if email not in people:
            people[email] = await core.identity.create_user(
                administrator.principal,
                email=email,
                name=name,
                roles=frozenset({role}),
            )
    return people


async def _enrol_wallet(core: Core, administrator: User) -> None:
    organization_id = administrator.organization_id
    async with core.database.unit(organization_id) as connection:
        if await wallets.active(connection, organization_id, core.rail.chain_id):
            return
    async with open_chain(core) as chain:
        enrolment = WalletEnrolment(
            database=core.database,
            chain=chain,
            rail=core.rail,
            clock=core.clock,
            new_id=core.new_id,
        )
        await enrolment.enrol(
            organization_id,
            address=development_account(0).address,
            label="Operating wallet",
            actor=administrator.id,
        )


async def _payees(core: Core, people: Mapping[str, User]) -> None:
    clerk, administrator = people[CLERK].principal, people[ADMINISTRATOR].principal
    async with core.database.unit(clerk.organization_id) as connection:
        known = await payees.by_codes(
            connection, clerk.organization_id, [code for code, _, _, _ in PAYEES]
        )
    for code, name, email, account in PAYEES:
        payee = known.get(code) or await core.payees.create(
            clerk, code=code, name=name, email=email
        )
        async with core.database.unit(clerk.organization_id) as connection:
            verified = await payees.verified_address(
                connection, clerk.organization_id, payee.id, CHAIN_ID
            )
        if verified:
            continue
        pending = [address for address in payee.addresses if address.state == "pending"]
        entry = (
            pending[0]
            if pending
            else await core.payees.add_address(
                clerk, payee.id, chain_id=CHAIN_ID, address=development_account(account).address
            )
        )
        # The demonstration's payees are old acquaintances: nothing to cool off.
        await core.payees.verify_address(administrator, entry.id, cooling_off_s=0)


def _sample(kind: str, name: str) -> bytes:
    return (files("samples") / kind / name).read_bytes()
