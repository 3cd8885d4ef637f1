"""Owns how the single values of a policy file are read and spelled. Must never let YAML's types in.

Every scalar arrives as text, because YAML's own reading turns amounts into binary fractions and
country codes into booleans.
"""

from datetime import date
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationInfo

from policy.condition import Condition, falls_with_amount
from policy.fields import Kind
from policy.grammar import (
    ANY_AMOUNT,
    DENY,
    WAIT,
    WITHOUT_ASKING,
    Amount,
    Ask,
    GasPrice,
    Percent,
    Span,
    parse_amount,
    parse_answer,
    parse_ask,
    parse_gas_price,
    parse_minute,
    parse_percent,
    parse_span,
)
from policy.phrases import parse_condition
from policy.scopes import Period, Scope
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
PercentText = Annotated[
    Percent, BeforeValidator(lambda value: parse_percent(_text(value))), _as_text
]
GasText = Annotated[
    GasPrice, BeforeValidator(lambda value: parse_gas_price(_text(value))), _as_text
]
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


def _condition(value: object, info: ValidationInfo) -> Condition:
    reporting = info.context
    assert isinstance(reporting, Asset), "the reporting currency is read first"
    try:
        return parse_condition(value, reporting)
    except InvalidInput as error:
        raise ValueError(error.message) from error


def _rising(value: object, info: ValidationInfo) -> Condition:
    condition = _condition(value, info)
    if falls_with_amount(condition):
        raise ValueError(
            "a greater amount would make this false, so asking for more would be easier;"
            " outside of not write amount: above ..., inside of not amount: at most ..."
        )
    return condition


def _without_amount(value: object, info: ValidationInfo) -> Condition:
    condition = _condition(value, info)
    if any(leaf.field.kind is Kind.AMOUNT for leaf, _ in condition.leaves()):
        raise ValueError("a limit speaks of the amount itself; leave it out of its when")
    return condition


def _date(value: object) -> str:
    text = _text(value)
    try:
        if len(text) != 10 or not text.isascii():
            raise ValueError
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError("write a date as 2026-12-25") from None


def _minute_text(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


_as_document = PlainSerializer(lambda condition: condition.document())
ConditionText = Annotated[Condition, BeforeValidator(_rising), _as_document]
ScopeConditionText = Annotated[Condition, BeforeValidator(_without_amount), _as_document]
DateText = Annotated[str, BeforeValidator(_date)]
MinuteText = Annotated[
    int,
    BeforeValidator(lambda value: parse_minute(_text(value))),
    PlainSerializer(_minute_text, return_type=str),
]
HoldText = Annotated[
    Ask | str, BeforeValidator(lambda value: parse_answer(_text(value), DENY, WAIT)), _as_answer
]
ScopeText = Annotated[Scope, PlainSerializer(str, return_type=str)]
PeriodText = Annotated[Period, PlainSerializer(str, return_type=str)]
Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
