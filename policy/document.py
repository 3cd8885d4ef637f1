"""Owns the schema of a whole policy file. Must never decide: what it validates, the rules compile."""

from typing import Annotated, Literal

from pydantic import Field

from policy.terms import (
    Approvals,
    Batches,
    BudgetTerms,
    DriftTerms,
    Duplicates,
    EvidenceTerms,
    Gas,
    HoursTerms,
    InitiatorTerms,
    Limits,
    MaxAge,
    NetworkTerms,
    Payees,
    PayIn,
    RampTerms,
    Reporting,
    RuleTerms,
    RunwayTerms,
    SanctionsTerms,
    Section,
    Tier,
)
from treasurer.kernel.money import Asset


class PolicyDocument(Section):
    """A whole policy file. Validated with the reporting currency's `Asset` as context."""

    policy: Literal["1"]
    name: Annotated[str, Field(min_length=1, max_length=120)]
    reporting: Reporting
    pay_in: Annotated[tuple[PayIn, ...], Field(min_length=1)]
    tiers: Annotated[tuple[Tier, ...], Field(min_length=1)]
    limits: Limits = Limits()
    payees: Payees
    duplicates: Duplicates
    budgets: Annotated[tuple[BudgetTerms, ...], Field(min_length=1, max_length=30)] | None = None
    evidence: EvidenceTerms | None = None
    initiators: InitiatorTerms | None = None
    hours: HoursTerms | None = None
    sanctions: SanctionsTerms | None = None
    network: NetworkTerms | None = None
    ramp: RampTerms | None = None
    rules: Annotated[tuple[RuleTerms, ...], Field(min_length=1, max_length=30)] | None = None
    runway: RunwayTerms | None = None
    max_age: MaxAge
    approvals: Approvals | None = None
    batches: Batches | None = None
    drift: DriftTerms | None = None
    gas: Gas | None = None

    @property
    def approvals_expire_s(self) -> int | None:
        """How long an approval waits where a phrase does not say it itself."""
        return None if self.approvals is None else self.approvals.expire_after.seconds

    @property
    def reporting_asset(self) -> Asset:
        """The reporting currency as an asset."""
        return Asset(self.reporting.currency, self.reporting.decimals)
