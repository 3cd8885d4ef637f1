"""Owns how a condition is read from a policy file. Must never guess at an unknown field or word."""

import re
from collections.abc import Sequence

from policy.condition import All, Any, Condition, Leaf, Not
from policy.fields import FIELDS, Field, Kind
from policy.grammar import parse_amount, parse_span
from treasurer.kernel.money import Asset

_MOST_PARTS = 50
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,79}", re.ASCII)


def parse_condition(value: object, reporting: Asset) -> Condition:
    """Read `{all: […]}`, `{any: […]}`, `{not: …}` or tests such as `{asset: [USDC, MNEE]}`.

    Several tests in one mapping must all hold. Raises ValueError with what to write instead.
    """
    if not isinstance(value, dict) or not value:
        raise ValueError("write a condition as {all: [...]}, {any: [...]}, {not: {...}} or a test")
    parts = tuple(_part(str(key), value[key], reporting) for key in sorted(value))
    return parts[0] if len(parts) == 1 else All(parts)


def _part(key: str, value: object, reporting: Asset) -> Condition:
    if key == "not":
        return Not(parse_condition(value, reporting))
    if key in ("all", "any"):
        if not isinstance(value, list) or not 0 < len(value) <= _MOST_PARTS:
            raise ValueError(f"{key} takes a list of 1 to {_MOST_PARTS} conditions")
        parts = tuple(parse_condition(item, reporting) for item in value)
        return All(parts) if key == "all" else Any(parts)
    if key not in FIELDS:
        raise ValueError(f"{key} is no field; fields are: {', '.join(FIELDS)}")
    return _leaf(FIELDS[key], value, reporting)


def _leaf(field: Field, value: object, reporting: Asset) -> Leaf:
    if field.kind in (Kind.WORD, Kind.WORDS):
        return Leaf(field, _words(field, value if isinstance(value, list) else [value]))
    if not isinstance(value, str):
        raise ValueError(f"{field.name} takes one phrase")
    upper, text = _comparison(field, value)
    if field.kind is Kind.AMOUNT:
        return Leaf(
            field, bound=parse_amount(text, reporting).minor, upper=upper, reporting=reporting
        )
    if field.kind is Kind.SPAN:
        return Leaf(field, bound=parse_span(text).seconds, upper=upper)
    if not re.fullmatch(r"[1-9][0-9]?", text, re.ASCII) or int(text) > 50:
        raise ValueError(f"{field.name} counts up to 50: under 1, at least 3")
    return Leaf(field, bound=int(text), upper=upper)


def _comparison(field: Field, phrase: str) -> tuple[bool, str]:
    upper, lower = ("above ", "at most ") if field.kind is Kind.AMOUNT else ("at least ", "under ")
    for word in (upper, lower):
        if phrase.startswith(word):
            return word is upper, phrase.removeprefix(word)
    raise ValueError(f"{field.name} takes: {upper}… or: {lower}…")


def _words(field: Field, words: Sequence[object]) -> tuple[str, ...]:
    if not words:
        raise ValueError(f"{field.name} takes at least one word")
    for word in words:
        if not isinstance(word, str) or not _WORD.fullmatch(word):
            raise ValueError(f"{field.name} takes words such as {field.name}: [one, another]")
        if field.allowed and word not in field.allowed:
            raise ValueError(
                f"{word} is no {field.name}; one of {', '.join(sorted(field.allowed))}"
            )
    return tuple(sorted({str(word) for word in words}))
