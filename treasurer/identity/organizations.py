"""Owns the making of an organization and its first administrator. Must never be reached by the API."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from treasurer.audit import store as audit
from treasurer.audit.model import AuditEvent
from treasurer.db.engine import Database
from treasurer.identity import store
from treasurer.identity.model import User, UserState, require_email, require_name
from treasurer.kernel.errors import Conflict
from treasurer.kernel.ids import NewId, OrganizationId, UserId
from treasurer.kernel.money import Asset
from treasurer.kernel.organization import PrincipalKind, Role

_INSERT = text("""
    INSERT INTO organizations (id, name, reporting_currency, reporting_decimals, mode,
                               declared_monthly_burn_minor, created_at)
    VALUES (:id, :name, :currency, :decimals, :mode, :burn_minor, :now)
""")
_INSERT_BUDGET = text("INSERT INTO budgets (organization_id) VALUES (:id)")
_NAME = text("SELECT name FROM organizations WHERE id = :id")
_SET_MODE = text("UPDATE organizations SET mode = :mode WHERE id = :id")


@dataclass(frozen=True, slots=True)
class NewOrganization:
    """`declared_monthly_burn_minor` is in base units of `reporting`; None where nobody knows.

    The administrator may have more roles: an organization of one person has no other choice.
    """

    name: str
    reporting: Asset
    live: bool
    declared_monthly_burn_minor: int | None
    administrator_email: str
    administrator_name: str
    administrator_roles: frozenset[Role] = frozenset({Role.ADMINISTRATOR})


async def create_organization(
    database: Database, new: NewOrganization, *, now: datetime, new_id: NewId
) -> User:
    """Create the organization with its administrator, in one transaction; return that user.

    Raises Conflict EMAIL_TAKEN.
    """
    organization_id = OrganizationId(new_id())
    administrator = User(
        organization_id=organization_id,
        id=UserId(new_id()),
        email=require_email(new.administrator_email),
        name=require_name(new.administrator_name),
        kind=PrincipalKind.HUMAN,
        state=UserState.ACTIVE,
        roles=new.administrator_roles | {Role.ADMINISTRATOR},
        created_at=now,
    )
    async with database.unit(organization_id) as connection:
        await connection.execute(
            _INSERT,
            {
                "id": organization_id,
                "name": require_name(new.name),
                "currency": new.reporting.symbol,
                "decimals": new.reporting.decimals,
                "mode": "live" if new.live else "dry_run",
                "burn_minor": new.declared_monthly_burn_minor,
                "now": now,
            },
        )
        await connection.execute(_INSERT_BUDGET, {"id": organization_id})
        if not await store.insert_user(connection, administrator, password_hash=None):
            raise Conflict("EMAIL_TAKEN", "a user with this e-mail address exists; choose another")
        await store.insert_user(
            connection, _agent(organization_id, new_id, now), password_hash=None
        )
        event = AuditEvent(
            "organization", organization_id, "organization.created", {"name": new.name}
        )
        await audit.append(connection, organization_id, [event], now=now, new_id=new_id)
    return administrator


def _agent(organization_id: OrganizationId, new_id: NewId, now: datetime) -> User:
    """The user as whom the organization's agents act: it submits and proposes, and never votes."""
    return User(
        organization_id=organization_id,
        id=UserId(new_id()),
        email=f"agents@{organization_id}.invalid",
        name="Agents",
        kind=PrincipalKind.AGENT,
        state=UserState.ACTIVE,
        roles=frozenset({Role.SERVICE}),
        created_at=now,
    )


async def organization_name(database: Database, organization_id: OrganizationId) -> str:
    """The name that it was created with."""
    async with database.unit(organization_id) as connection:
        return str((await connection.execute(_NAME, {"id": organization_id})).scalar_one())


async def set_live(
    database: Database, actor: User, *, live: bool, now: datetime, new_id: NewId
) -> None:
    """Turn signing on or off for the actor's organization: a person's decision, on the record."""
    mode = "live" if live else "dry_run"
    async with database.unit(actor.organization_id) as connection:
        await connection.execute(_SET_MODE, {"mode": mode, "id": actor.organization_id})
        event = AuditEvent(
            "organization", actor.organization_id, f"organization.{mode}", {}, actor.id
        )
        await audit.append(connection, actor.organization_id, [event], now=now, new_id=new_id)
