"""Owns the schema of a policy file. Must never decide: what it validates, the rules compile.

The one place of this package where pydantic stands; every scalar arrives as text, because YAML's
own reading turns amounts into binary fractions and country codes into booleans.
"""

from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
)

from policy.grammar import (
    ANY_AMOUNT,
    DENY,
    WITHOUT_ASKING,
    Amount,
    Ask,
    Span,
    parse_amount,
    parse_answer,
    parse_ask,
    parse_span,
)
from treasurer.kernel.batch import MOST_ORDERS
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.money import Asset


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise ValueError("a single value belongs here")


def _amount(value: object, info: ValidationInfo) -> Amount:
    reporting = info.context
    assert isinstance(reporting, Asset), "the reporting currency is read first"
    try:
        return parse_amount(_text(value), reporting)
    except InvalidInput as error:
        raise ValueError(error.message) from error


def _bound(value: object, info: ValidationInfo) -> Amount | str:
    return ANY_AMOUNT if value == ANY_AMOUNT else _amount(value, info)


def _whole(value: object) -> int:
    text = _text(value)
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ValueError("a whole number belongs here")
    return int(text)


def _days(value: object) -> int:
    span = parse_span(_text(value))
    if span.seconds % 86_400:
        raise ValueError("runway is told in whole days: 30 days")
    return span.seconds // 86_400


def _answer_text(answer: Ask | str) -> str:
    return answer if isinstance(answer, str) else f"ask {answer}"


_as_text = PlainSerializer(str, return_type=str)
_as_answer = PlainSerializer(_answer_text, return_type=str)
AmountText = Annotated[Amount, BeforeValidator(_amount), _as_text]
BoundText = Annotated[Amount | str, BeforeValidator(_bound), _as_text]
SpanText = Annotated[Span, BeforeValidator(lambda value: parse_span(_text(value))), _as_text]
DaysText = Annotated[
    int, BeforeValidator(_days), PlainSerializer(lambda days: f"{days} days", return_type=str)
]
AskText = Annotated[Ask, BeforeValidator(lambda value: parse_ask(_text(value))), _as_text]
SuspicionText = Annotated[
    Ask | str, BeforeValidator(lambda value: parse_answer(_text(value), DENY)), _as_answer
]
ConsequenceText = Annotated[
    Ask | str, BeforeValidator(lambda value: parse_answer(_text(value), WITHOUT_ASKING)), _as_answer
]
WholeText = Annotated[int, BeforeValidator(_whole), _as_text]
Symbol = Annotated[str, Field(pattern=r"^[A-Z][A-Za-z0-9.]{1,11}$")]


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, arbitrary_types_allowed=True
    )


class Reporting(_Section):
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


class PayIn(_Section):
    """A token on a network that may leave the treasury."""

    asset: Symbol
    chain: WholeText


class Tier(_Section):
    """What happens to a payment whose amount is at most `up_to` and above the tier before."""

    up_to: BoundText
    then: ConsequenceText


class PaymentLimitTerms(_Section):
    """A cap on one payment; `for` and `asset` narrow it to an initiator's kind or a token."""

    at_most: AmountText
    initiator: Annotated[Literal["human", "agent", "service"] | None, Field(alias="for")] = None
    asset: Symbol | None = None


class RollingTerms(_Section):
    """A cap on all payments of the last 24 hours together, this one included."""

    at_most: AmountText


class Limits(_Section):
    per_payment: tuple[PaymentLimitTerms, ...] = ()
    rolling_24h: RollingTerms | None = None


class Payees(_Section):
    """How long a new or changed address rests before it may be paid."""

    cooling_off: SpanText


class Duplicates(_Section):
    """What a near duplicate leads to; an exact one is always denied."""

    near: SuspicionText


class RunwayTerms(_Section):
    """How many days of burn the cash must last after the payment."""

    deny_below: DaysText
    ask_below: DaysText
    ask: AskText
    max_age: SpanText


class MaxAge(_Section):
    """How old figures may be; older ones are not used, and the payment waits for fresh ones."""

    ledger: SpanText
    price: SpanText


class Approvals(_Section):
    expire_after: SpanText


class Batches(_Section):
    """How many approved payments of one token may leave in one transaction; without it, one."""

    at_most: Annotated[WholeText, Field(ge=2, le=MOST_ORDERS)]


class PolicyDocument(_Section):
    """A whole policy file. Validated with the reporting currency's `Asset` as context."""

    policy: Literal["1"]
    name: Annotated[str, Field(min_length=1, max_length=120)]
    reporting: Reporting
    pay_in: Annotated[tuple[PayIn, ...], Field(min_length=1)]
    tiers: Annotated[tuple[Tier, ...], Field(min_length=1)]
    limits: Limits = Limits()
    payees: Payees
    duplicates: Duplicates
    runway: RunwayTerms | None = None
    max_age: MaxAge
    approvals: Approvals | None = None
    batches: Batches | None = None

    @property
    def approvals_expire_s(self) -> int | None:
        """How long an approval waits where a phrase does not say it itself."""
        return None if self.approvals is None else self.approvals.expire_after.seconds
