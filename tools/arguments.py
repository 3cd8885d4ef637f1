"""Owns what every tool argument must satisfy. Must never let an argument name a tenant or an address.

Extra arguments are refused rather than dropped: a model that sends `override` must see that it failed.
"""

import re
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict

from treasurer.kernel.ids import InvoiceId

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def _plain_id(value: str) -> str:
    if not _UUID.fullmatch(value):
        raise ValueError("an id is a UUID in lower case, and nothing around it")
    return value


PlainId = Annotated[str, AfterValidator(_plain_id)]
"""The one spelling of an id: no braces, no upper case, no control characters around it."""


class ToolArguments(BaseModel):
    """Base of all arguments: strict types, frozen, nothing extra."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class InvoiceArguments(ToolArguments):
    """Names one invoice of the caller's own organization."""

    invoice_id: PlainId

    @property
    def id(self) -> InvoiceId:
        return InvoiceId(UUID(self.invoice_id))
