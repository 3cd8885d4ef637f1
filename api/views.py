"""Owns how values look in JSON. Must never send a number for money: programs read it as a fraction."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, ConfigDict, PlainSerializer, field_validator

from treasurer.kernel.clock import iso
from treasurer.kernel.money import Asset, from_minor

Instant = Annotated[datetime, PlainSerializer(iso, return_type=str)]
"""RFC 3339 in UTC with microseconds and Z."""

Item = TypeVar("Item")
MOST_A_PAGE = 100


class Body(BaseModel):
    """A request body: a field that we do not know is a mistake, not something to ignore."""

    model_config = ConfigDict(extra="forbid", str_max_length=10_000)

    @field_validator("*")
    @classmethod
    def _storable(cls, value: object) -> object:
        """Texts are kept, and PostgreSQL keeps no text with a zero byte."""
        if any("\0" in text for text in _texts(value)):
            raise ValueError("a text holds no zero byte")
        return value


class Amount(BaseModel):
    """An exact amount: `amount` in whole units, `amount_minor` in base units, both as text."""

    amount: str
    currency: str
    amount_minor: str


class Page(BaseModel, Generic[Item]):
    """Newest first. `next` is the `before` of the following page; null on the last one."""

    items: list[Item]
    next: str | None


Before = Annotated[UUID | None, Query(description="`next` of the page before")]
Most = Annotated[int, Query(ge=1, le=MOST_A_PAGE, description="items a page")]


def _texts(value: object) -> Iterator[str]:
    """The texts of a field, also those within lists and mappings; bodies within check their own."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _texts(key)
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def amount_of(amount_minor: int, asset: Asset) -> Amount:
    """`amount_minor` base units of `asset`."""
    return Amount(
        amount=f"{from_minor(amount_minor, asset):f}",
        currency=asset.symbol,
        amount_minor=str(amount_minor),
    )


def page_of(items: list[Item], most: int, last_id: object) -> Page[Item]:
    """A page with its cursor; a page that is not full is the last."""
    return Page(items=items, next=str(last_id) if len(items) == most else None)
