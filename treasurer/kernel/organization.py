"""Owns who acts: principals, their roles, and the permissions that roles bundle.

Must never decide about money: roles open doors, the policy set decides what passes.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from uuid import UUID

from treasurer.kernel.errors import NotPermitted
from treasurer.kernel.ids import OrganizationId, UserId


class PrincipalKind(StrEnum):
    HUMAN = "human"
    AGENT = "agent"
    SERVICE = "service"


class Permission(StrEnum):
    TREASURY_READ = "treasury:read"
    TREASURY_WRITE = "treasury:write"
    PORTFOLIO_READ = "portfolio:read"
    PORTFOLIO_WRITE = "portfolio:write"
    ALERTS_MANAGE = "alerts:manage"
    ANALYTICS_VIEW = "analytics:view"
    REPORTS_GENERATE = "reports:generate"
    POLICY_WRITE = "policy:write"
    APPROVALS_VOTE = "approvals:vote"
    PAYEES_WRITE = "payees:write"
    PAYMENTS_FREEZE = "payments:freeze"
    INVOICES_SUBMIT = "invoices:submit"
    AUDIT_READ = "audit:read"
    ADMIN_ALL = "admin:all"


class Role(StrEnum):
    ADMINISTRATOR = "administrator"
    CFO = "cfo"
    APPROVER = "approver"
    CLERK = "clerk"
    AUDITOR = "auditor"
    SERVICE = "service"


_READ = frozenset({Permission.TREASURY_READ, Permission.PORTFOLIO_READ, Permission.ANALYTICS_VIEW})

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    # An administrator runs the installation; `admin:all` opens its doors but never counts as a vote.
    Role.ADMINISTRATOR: _READ
    | {
        Permission.ADMIN_ALL,
        Permission.POLICY_WRITE,
        Permission.PAYEES_WRITE,
        Permission.PAYMENTS_FREEZE,
        Permission.AUDIT_READ,
        Permission.TREASURY_WRITE,
    },
    Role.CFO: _READ
    | {
        Permission.APPROVALS_VOTE,
        Permission.POLICY_WRITE,
        Permission.PAYMENTS_FREEZE,
        Permission.PORTFOLIO_WRITE,
        Permission.ALERTS_MANAGE,
        Permission.REPORTS_GENERATE,
        Permission.INVOICES_SUBMIT,
        Permission.AUDIT_READ,
    },
    Role.APPROVER: _READ | {Permission.APPROVALS_VOTE},
    Role.CLERK: _READ | {Permission.INVOICES_SUBMIT, Permission.PAYEES_WRITE},
    Role.AUDITOR: _READ | {Permission.AUDIT_READ, Permission.REPORTS_GENERATE},
    Role.SERVICE: frozenset({Permission.TREASURY_READ, Permission.INVOICES_SUBMIT}),
}


@cache
def _permissions(roles: frozenset[Role]) -> frozenset[Permission]:
    """Asked for twice a request; there are at most as many answers as sets of roles."""
    return frozenset().union(*(ROLE_PERMISSIONS[role] for role in roles))


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, in which organization. Built from a verified token or session, never from a body.

    `session_id` is the session that speaks; None where the machine itself does (command line, jobs).
    """

    organization_id: OrganizationId
    user_id: UserId
    kind: PrincipalKind
    roles: frozenset[Role]
    session_id: UUID | None = field(default=None, compare=False)

    @property
    def permissions(self) -> frozenset[Permission]:
        return _permissions(self.roles)

    def require(self, permission: Permission) -> None:
        """Raise NotPermitted unless one of the roles carries `permission`."""
        if permission not in self.permissions:
            raise NotPermitted(
                "PERMISSION_MISSING",
                f"this needs the permission {permission}; ask an administrator for a role with it",
                permission=permission.value,
            )
