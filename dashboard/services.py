"""Owns the list of what the pages stand on. Must never build any of it: bootstrap does."""

from dataclasses import dataclass

from treasurer.approvals.delegations import Delegations
from treasurer.approvals.links import ApprovalLinks
from treasurer.approvals.service import ApprovalService
from treasurer.approvals.settings import ApprovalSettingsService
from treasurer.audit.service import AuditService
from treasurer.cash.service import CashService
from treasurer.db.engine import Database
from treasurer.identity.service import IdentityService
from treasurer.identity.step_up import StepUp
from treasurer.identity.totp import TotpCodes
from treasurer.invoices.reviewing import InvoiceReviews
from treasurer.invoices.service import InvoiceService
from treasurer.kernel.clock import Clock
from treasurer.payees.changes import PayeeChanges
from treasurer.payees.service import PayeeService
from treasurer.payments.service import PaymentService
from treasurer.policies.service import PolicyService
from treasurer.reports.service import ReportService


@dataclass(frozen=True, slots=True)
class PageServices:
    """The services of the API, and the reports. `served_over_tls` marks the cookie Secure."""

    database: Database
    clock: Clock
    identity: IdentityService
    invoices: InvoiceService
    invoice_reviews: InvoiceReviews
    payees: PayeeService
    payee_changes: PayeeChanges
    payments: PaymentService
    approvals: ApprovalService
    approval_links: ApprovalLinks
    approval_settings: ApprovalSettingsService
    delegations: Delegations
    step_up: StepUp
    codes: TotpCodes
    policies: PolicyService
    cash: CashService
    audit: AuditService
    reports: ReportService
    served_over_tls: bool
