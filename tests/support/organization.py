"""Builds an organization with one person a role, by SQL, so that no service is needed."""

from dataclasses import dataclass

from sqlalchemy import text
from uuid_utils.compat import uuid7

from tests.support.clock import START
from treasurer.db.engine import Database
from treasurer.kernel.ids import OrganizationId, UserId
from treasurer.kernel.organization import Principal, PrincipalKind, Role


@dataclass(frozen=True)
class TestOrganization:
    """Principals of one fresh organization. E-mail: `<attribute>-<organization id>@example.test`."""

    __test__ = False

    id: OrganizationId
    clerk: Principal
    approver: Principal
    second_approver: Principal
    cfo: Principal
    administrator: Principal
    auditor: Principal
    service: Principal
    agent: Principal

    def email(self, name: str) -> str:
        return f"{name}-{self.id}@example.test"


_PEOPLE: dict[str, tuple[PrincipalKind, Role]] = {
    "clerk": (PrincipalKind.HUMAN, Role.CLERK),
    "approver": (PrincipalKind.HUMAN, Role.APPROVER),
    "second_approver": (PrincipalKind.HUMAN, Role.APPROVER),
    "cfo": (PrincipalKind.HUMAN, Role.CFO),
    "administrator": (PrincipalKind.HUMAN, Role.ADMINISTRATOR),
    "auditor": (PrincipalKind.HUMAN, Role.AUDITOR),
    "service": (PrincipalKind.SERVICE, Role.SERVICE),
    "agent": (PrincipalKind.AGENT, Role.SERVICE),
}


async def create_organization(
    database: Database, *, name: str = "Norwick Instruments Ltd", burn_minor: int | None = None
) -> TestOrganization:
    """A live organization reporting in USD, with an empty budget row."""
    organization_id = OrganizationId(uuid7())
    principals: dict[str, Principal] = {}
    async with database.unit(organization_id) as connection:
        await connection.execute(
            text(
                "INSERT INTO organizations (id, name, reporting_currency, reporting_decimals, mode,"
                " declared_monthly_burn_minor, created_at)"
                " VALUES (:id, :name, 'USD', 2, 'live', :burn, :now)"
            ),
            {"id": organization_id, "name": name, "burn": burn_minor, "now": START},
        )
        await connection.execute(
            text("INSERT INTO budgets (organization_id) VALUES (:id)"), {"id": organization_id}
        )
        for person, (kind, role) in _PEOPLE.items():
            user_id = UserId(uuid7())
            principals[person] = Principal(organization_id, user_id, kind, frozenset({role}))
            await connection.execute(
                text(
                    "INSERT INTO users (organization_id, id, email, name, kind, state, created_at)"
                    " VALUES (:org, :id, :email, :name, :kind, 'active', :now)"
                ),
                {
                    "org": organization_id,
                    "id": user_id,
                    "email": f"{person}-{organization_id}@example.test",
                    "name": person.replace("_", " ").title(),
                    "kind": kind.value,
                    "now": START,
                },
            )
            await connection.execute(
                text("INSERT INTO user_roles VALUES (:org, :id, :role)"),
                {"org": organization_id, "id": user_id, "role": role.value},
            )
    return TestOrganization(id=organization_id, **principals)
