"""Owns how the doors that take an invoice in do it alike. Must never believe what the sender says of it."""

from typing import Annotated

from fastapi import Header, Query, Request

from api.services import Services
from api.upload import claim_of, upload_of
from treasurer.invoices.model import Invoice
from treasurer.kernel.organization import Principal

IdempotencyKey = Annotated[
    str | None, Header(description="the same key and document again answer with the same invoice")
]
Filename = Annotated[str | None, Query(max_length=255, description="for a bare body")]


async def received(
    request: Request,
    caller: Principal,
    services: Services,
    *,
    route: str,
    filename: str | None,
    key: str | None,
) -> Invoice:
    """The request's document as a received invoice. `route` is the door to which the key belongs."""
    upload = await upload_of(request, filename)
    return await services.invoices.receive(
        caller,
        content=upload.content,
        filename=upload.filename,
        media_type=upload.media_type,
        channel="api",
        idempotency=claim_of(caller, route, key, upload),
    )


def location(invoice: Invoice) -> dict[str, str]:
    """The header that says where to follow an invoice."""
    return {"Location": f"/api/v1/invoices/{invoice.id}"}
