"""Owns the sections of a policy file, each with its words. Must never decide: the rules compile them.

A section that came later is None where a file leaves it out, so that older files keep their digest.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from policy.scalars import (
    AmountText,
    AskText,
    BoundText,
    ConditionText,
    ConsequenceText,
    DateText,
    DaysText,
    GasText,
    HoldText,
    MinuteText,
    PercentText,
    PeriodText,
    ScopeConditionText,
    ScopeText,
    SpanText,
    SuspicionText,
    Symbol,
    WholeText,
    Word,
)
from treasurer.kernel.batch import MOST_ORDERS
from treasurer.kernel.money import Asset

_GWEI = 10**9


class Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, arbitrary_types_allowed=True
    )


class Reporting(Section):
    """The currency in which limits are set and windows sum up."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    decimals: Annotated[WholeText, Field(le=18)]


class Head(BaseModel):
    """What must be read before the rest, because every amount is read in it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    reporting: Reporting

    @property
    def asset(self) -> Asset:
        """The reporting currency as an asset."""
        return Asset(self.reporting.currency, self.reporting.decimals)


class PayIn(Section):
    """A token on a network that may leave the treasury."""

    asset: Symbol
    chain: WholeText


class Tier(Section):
    """What happens to a payment whose amount is at most `up_to` and above the tier before."""

    up_to: BoundText
    then: ConsequenceText


class PaymentLimitTerms(Section):
    """A cap on one payment; `for` and `asset` narrow it to an initiator's kind or a token."""

    at_most: AmountText
    initiator: Annotated[Literal["human", "agent", "service"] | None, Field(alias="for")] = None
    asset: Symbol | None = None
    when: ScopeConditionText | None = None


class RollingTerms(Section):
    """A cap on all payments of the last 24 hours together, this one included."""

    at_most: AmountText


class WindowTerms(Section):
    """A cap on all payments of one scope within a period, this one included."""

    at_most: AmountText
    by: ScopeText
    over: PeriodText
    when: ScopeConditionText | None = None


class BatchTerms(Section):
    """How many payments one order may join."""

    at_most: WholeText


class Limits(Section):
    """Caps. No approval lifts them."""

    per_payment: tuple[PaymentLimitTerms, ...] = ()
    rolling_24h: RollingTerms | None = None
    windows: Annotated[tuple[WindowTerms, ...], Field(min_length=1, max_length=30)] | None = None
    batch: BatchTerms | None = None


class BudgetTerms(Section):
    """A cap on what the payees of one category are paid together within a period."""

    category: Word
    at_most: AmountText
    over: PeriodText


class YoungTerms(Section):
    """What a payee or an address that was entered lately leads to."""

    payee_under: SpanText | None = None
    address_under: SpanText | None = None
    then: SuspicionText


class FirstPaymentTerms(Section):
    """What the first payment to an address leads to."""

    then: SuspicionText


class OffPatternTerms(Section):
    """What an amount far above the payee's usual ones leads to."""

    spreads: Annotated[WholeText, Field(ge=1, le=100)]
    payments: Annotated[WholeText, Field(ge=3, le=50)]
    then: SuspicionText


class EvidenceTerms(Section):
    """What certain findings of intake lead to."""

    findings: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{2,59}$")], ...],
        Field(min_length=1, max_length=50),
    ]
    then: SuspicionText


class InitiatorTerms(Section):
    """Who may propose payments at all; roles, where given, bind people only."""

    kinds: Annotated[tuple[Literal["human", "agent", "service"], ...], Field(min_length=1)]
    roles: (
        Annotated[
            tuple[Literal["administrator", "cfo", "approver", "clerk", "auditor", "service"], ...],
            Field(min_length=1),
        ]
        | None
    ) = None


class HoursTerms(Section):
    """When payments go out, on the clocks of one IANA zone."""

    zone: Annotated[str, Field(pattern=r"^[A-Za-z0-9_+/-]{1,64}$")]
    days: Annotated[
        tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...], Field(min_length=1)
    ]
    opens: Annotated[MinuteText, Field(alias="from")]
    closes: Annotated[MinuteText, Field(alias="to")]
    holidays: Annotated[tuple[DateText, ...], Field(max_length=500)] | None = None
    outside: HoldText


class SanctionsTerms(Section):
    """How old the sanctions list may be. Who stands on it is never paid."""

    max_age: SpanText


class NetworkTerms(Section):
    """How old the network's newest block, and how dear a unit of gas may be when payments leave.

    `max_age` is how old what is known of the network may be.
    """

    head_age: SpanText | None = None
    gas_at_most: GasText | None = None
    max_age: SpanText


class RampStep(Section):
    """Below an age, at most so much a day."""

    under: SpanText
    at_most: AmountText


class RampTerms(Section):
    """Small caps a day at first, which grow with the age of what is new."""

    new_address: Annotated[tuple[RampStep, ...], Field(min_length=1, max_length=20)] | None = None
    new_policy: Annotated[tuple[RampStep, ...], Field(min_length=1, max_length=20)] | None = None


class RuleTerms(Section):
    """A rule of the finance team's own: when it holds, the payment is denied, waits or is asked for."""

    name: Word
    when: ConditionText
    then: HoldText


class Payees(Section):
    """How long a new or changed address rests before it may be paid."""

    cooling_off: SpanText
    young: YoungTerms | None = None
    first_payment: FirstPaymentTerms | None = None
    off_pattern: OffPatternTerms | None = None


class Duplicates(Section):
    """What a near duplicate leads to; an exact one is always denied."""

    near: SuspicionText


class RunwayTerms(Section):
    """How many days of burn the cash must last after the payment."""

    deny_below: DaysText
    ask_below: DaysText
    ask: AskText
    max_age: SpanText


class MaxAge(Section):
    """How old figures may be; older ones are not used, and the payment waits for fresh ones."""

    ledger: SpanText
    price: SpanText


class Approvals(Section):
    expire_after: SpanText


class DriftTerms(Section):
    """What may change between people's word and the payment before they are asked again."""

    price: PercentText | None = None
    balance: PercentText | None = None
    policy: Literal["unchanged"] | None = None
    payee: Literal["unchanged"] | None = None


class Gas(Section):
    """Gas money: who gives it, below what a wallet gets some and waits, how much, how much in 24 hours.

    Amounts are gwei, billionths of the network's coin, because that coin is no currency of limits.
    """

    wallet: Annotated[str, Field(pattern=r"^0x[0-9a-f]{40}$")]
    below_gwei: Annotated[WholeText, Field(ge=1)]
    top_up_gwei: Annotated[WholeText, Field(ge=1)]
    rolling_24h_gwei: Annotated[WholeText, Field(ge=1)]

    @property
    def below_wei(self) -> int:
        """The low-water mark."""
        return self.below_gwei * _GWEI

    @property
    def top_up_wei(self) -> int:
        """What one top-up moves."""
        return self.top_up_gwei * _GWEI

    @property
    def rolling_24h_wei(self) -> int:
        """What all top-ups of 24 hours may move together."""
        return self.rolling_24h_gwei * _GWEI


class Batches(Section):
    """How many approved payments of one token may leave in one transaction; without it, one."""

    at_most: Annotated[WholeText, Field(ge=2, le=MOST_ORDERS)]
