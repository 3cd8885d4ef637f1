"""Owns the invoices' routes. Must never serve a stranger's document as if it were our own page."""

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.routing import APIRoute
from pydantic import Field
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from api.auth import Provided, SignedIn, access_of, requires, services_of
from api.invoice_views import (
    InvoiceView,
    ReadInvoiceView,
    invoice_json,
    invoice_view,
    read_invoice_view,
)
from api.submission import Filename, IdempotencyKey, location, received
from api.upload import REQUEST_BODY
from api.views import Before, Body, Most, Page, page_of
from treasurer.invoices.model import InvoiceState
from treasurer.kernel.ids import InvoiceId
from treasurer.kernel.organization import Permission, Principal

router = APIRouter(prefix="/api/v1/invoices", tags=["invoices"])
Submitter = Annotated[Principal, Depends(requires(Permission.INVOICES_SUBMIT))]
Reader = Annotated[Principal, Depends(requires(Permission.TREASURY_READ))]

_ROUTE = "POST /api/v1/invoices"
# A stranger's bytes get no script, no style and no way out, whatever they claim to be.
_DOCUMENT_POLICY = "default-src 'none'; frame-ancestors 'self'; sandbox"


class NewReview(Body):
    """`accepted` are codes of findings that the reviewer answers for; `stated` are fields by name, as
    decimal strings, ISO dates and codes, confirmed or corrected.
    """

    reason: str
    accepted: tuple[str, ...] = ()
    stated: dict[str, str] = Field(default_factory=dict)


async def submit(
    request: Request,
    caller: Submitter,
    services: Provided,
    filename: Filename = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Take an invoice in. It is read and checked after this answer; follow Location."""
    invoice = await received(
        request, caller, services, route=_ROUTE, filename=filename, key=idempotency_key
    )
    return Response(
        invoice_json(invoice),
        status_code=202,
        headers=location(invoice),
        media_type="application/json",
    )


router.add_api_route(
    "",
    submit,
    methods=["POST"],
    status_code=202,
    response_model=InvoiceView,
    openapi_extra=REQUEST_BODY,
    responses={202: {"headers": {"Location": {"schema": {"type": "string"}}}}},
)


class SubmitDoor(Route):
    """The busiest route, tried before all others. The framework's way to `submit` (included routers,
    dependencies, exit stacks) costs as much as all of our own work for a request, so one without a
    query, whose parameters would have to be checked, is served without it. Middleware and error
    handlers stand before both ways, and both ask the same object for access.
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        """`routes` are those of this router; raises TypeError when `submit` lets anybody in."""
        (self._route,) = (
            each for each in routes if isinstance(each, APIRoute) and each.endpoint is submit
        )
        access = access_of(self._route)
        if not isinstance(access, SignedIn):
            raise TypeError("submitting asks for nobody's sign-in; declare its permission")
        self._access = access
        super().__init__(self._route.path, submit, methods=["POST"], include_in_schema=False)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if (
            scope["type"] == "http"
            and scope["path"] == self.path
            and scope["method"] == "POST"
            and not scope["query_string"]
        ):
            return Match.FULL, {"endpoint": submit, "route": self._route}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        answer = await submit(
            request,
            await self._access(request),
            await services_of(request),
            idempotency_key=request.headers.get("idempotency-key"),
        )
        await answer(scope, receive, send)


@router.get("")
async def invoices(
    caller: Reader,
    services: Provided,
    before: Before = None,
    most: Most = 50,
    state: InvoiceState | None = None,
) -> Page[InvoiceView]:
    """The organization's invoices, newest first."""
    found = await services.invoices.page(
        caller, before=InvoiceId(before) if before else None, most=most, state=state
    )
    return page_of([invoice_view(invoice) for invoice in found], most, found and found[-1].id)


@router.get("/{invoice_id}")
async def invoice(invoice_id: UUID, caller: Reader, services: Provided) -> ReadInvoiceView:
    """One invoice with its reading."""
    found = await services.invoices.get(caller, InvoiceId(invoice_id))
    reading = await services.invoices.reading(caller, InvoiceId(invoice_id))
    reviews = await services.invoice_reviews.of_invoice(caller, InvoiceId(invoice_id))
    return read_invoice_view(found, dict(reading) if reading else None, reviews)


@router.post("/{invoice_id}/reviews", responses={409: {"description": "Something still holds it"}})
async def review(
    invoice_id: UUID, answer: NewReview, caller: Submitter, services: Provided
) -> InvoiceView:
    """Answer all that holds an invoice in review, as a person; it is then read and proposed again.

    The reviewer is the maker of its payment. A difference from an order takes two other people.
    """
    found = await services.invoice_reviews.review(
        caller,
        InvoiceId(invoice_id),
        reason=answer.reason,
        accepted=answer.accepted,
        stated=answer.stated,
    )
    return invoice_view(found)


@router.get("/{invoice_id}/document", response_class=Response)
async def document(invoice_id: UUID, caller: Reader, services: Provided) -> Response:
    """The bytes as they were received, to be saved."""
    found = await services.invoices.document(caller, InvoiceId(invoice_id))
    name = quote(found.filename or f"{invoice_id}", safe="")
    return Response(
        found.content,
        media_type=found.media_type,
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
            "Content-Security-Policy": _DOCUMENT_POLICY,
        },
    )
