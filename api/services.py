"""Owns the list of what the API stands on. Must never build any of it: bootstrap does."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from treasurer.allowances.service import AllowanceService
from treasurer.approvals.delegations import Delegations
from treasurer.approvals.service import ApprovalService
from treasurer.approvals.settings import ApprovalSettingsService
from treasurer.audit.service import AuditService
from treasurer.cash.service import CashService
from treasurer.db.engine import Database
from treasurer.identity.counters import WindowCounters
from treasurer.identity.service import IdentityService
from treasurer.identity.step_up import StepUp
from treasurer.identity.totp import TotpCodes
from treasurer.incidents.service import IncidentService
from treasurer.invoices.reviewing import InvoiceReviews
from treasurer.invoices.service import InvoiceService
from treasurer.kernel.clock import Clock
from treasurer.kernel.ids import NewId
from treasurer.payees.changes import PayeeChanges
from treasurer.payees.service import PayeeService
from treasurer.payments.backtests import BacktestService
from treasurer.payments.service import PaymentService
from treasurer.policies.life import PolicyLife
from treasurer.policies.service import PolicyService
from treasurer.purchases.service import PurchaseService
from treasurer.transfers.service import TransferService


class Health(StrEnum):
    """How a component does. Degraded: it works with less than it should have."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class ComponentHealth:
    """A component's state, and for people what is the matter with it."""

    state: Health
    detail: str = ""


Probe = Callable[[], Awaitable[ComponentHealth]]
"""Looks at one component. Anything that it raises counts as down."""


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """What an operator may decide about the API.

    `served_over_tls` marks cookies Secure and sends HSTS. `process_wait_s` bounds how long
    `POST /api/process-invoice` waits for a decision.
    """

    served_over_tls: bool
    metrics_token: str | None = None
    requests_per_minute: int = 100
    process_wait_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a router may use."""

    settings: ApiSettings
    database: Database
    counters: WindowCounters
    clock: Clock
    new_id: NewId
    identity: IdentityService
    invoices: InvoiceService
    invoice_reviews: InvoiceReviews
    payees: PayeeService
    payee_changes: PayeeChanges
    purchases: PurchaseService
    payments: PaymentService
    transfers: TransferService
    allowances: AllowanceService
    incidents: IncidentService
    approvals: ApprovalService
    approval_settings: ApprovalSettingsService
    delegations: Delegations
    step_up: StepUp
    codes: TotpCodes
    policies: PolicyService
    policy_life: PolicyLife
    backtests: BacktestService
    cash: CashService
    audit: AuditService
    probes: Mapping[str, Probe]
