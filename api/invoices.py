"""Owns the invoices' routes. Must never serve a stranger's document as if it were our own page."""

from collections.abc import Callable, Coroutine
from datetime import date
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response

from api.auth import Provided, SignedIn, access_of, requires, services_of
from api.upload import REQUEST_BODY, claim_of, upload_of
from api.views import Amount, Before, Instant, Most, Page, amount_of, page_of
from treasurer.invoices.model import Invoice, InvoiceKind, InvoiceState
from treasurer.kernel.ids import InvoiceId
from treasurer.kernel.organization import Permission, Principal
from treasurer.purchases.model import MatchState

router = APIRouter(prefix="/api/v1/invoices", tags=["invoices"])
Submitter = Annotated[Principal, Depends(requires(Permission.INVOICES_SUBMIT))]
Reader = Annotated[Principal, Depends(requires(Permission.TREASURY_READ))]
IdempotencyKey = Annotated[
    str | None, Header(description="the same key and document again answer with the same invoice")
]
Filename = Annotated[str | None, Query(max_length=255, description="for a bare body")]

_ROUTE = "POST /api/v1/invoices"
# A stranger's bytes get no script, no style and no way out, whatever they claim to be.
_DOCUMENT_POLICY = "default-src 'none'; frame-ancestors 'self'; sandbox"


class FindingView(BaseModel):
    code: str
    message: str
    field: str | None
    severity: str
    other_invoice_id: UUID | None


class PayeeReference(BaseModel):
    id: UUID
    code: str | None
    name: str | None


class InvoiceView(BaseModel):
    """Amounts are null until the document is read."""

    id: UUID
    kind: InvoiceKind
    state: InvoiceState
    channel: str
    document_sha256: str
    media_type: str
    filename: str | None
    submitted_by: UUID
    received_at: Instant
    findings: list[FindingView]
    payee: PayeeReference | None
    invoice_number: str | None
    issue_date: date | None
    due_date: date | None
    payable_amount: Amount | None
    open_amount: Amount | None
    purchase_state: MatchState | None


class ReadInvoiceView(InvoiceView):
    """With what was read, field by field, and where each stands in the document."""

    reading: dict[str, Any] | None


def invoice_view(invoice: Invoice) -> InvoiceView:
    return InvoiceView(**_fields(invoice))


async def submit(
    request: Request,
    caller: Submitter,
    services: Provided,
    filename: Filename = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Take an invoice in. It is read and checked after this answer; follow Location."""
    upload = await upload_of(request, filename)
    invoice = await services.invoices.receive(
        caller,
        content=upload.content,
        filename=upload.filename,
        media_type=upload.media_type,
        channel="api",
        idempotency=claim_of(caller, _ROUTE, idempotency_key, upload),
    )
    return Response(
        invoice_view(invoice).model_dump_json(),
        status_code=202,
        headers={"Location": f"/api/v1/invoices/{invoice.id}"},
        media_type="application/json",
    )


class _SubmitRoute(APIRoute):
    """The busiest route. The framework's resolution of dependencies costs as much as all of our own
    work for a request, so one without a query, whose parameters would have to be checked, is served
    without it. The signature of `submit` is what both ways fulfil.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        with_query = super().get_route_handler()
        access = access_of(self)
        assert isinstance(access, SignedIn)

        async def handle(request: Request) -> Response:
            if request.scope["query_string"]:
                return await with_query(request)
            return await submit(
                request,
                await access(request),
                await services_of(request),
                idempotency_key=request.headers.get("idempotency-key"),
            )

        return handle


router.add_api_route(
    "",
    submit,
    methods=["POST"],
    status_code=202,
    response_model=InvoiceView,
    openapi_extra=REQUEST_BODY,
    responses={202: {"headers": {"Location": {"schema": {"type": "string"}}}}},
    route_class_override=_SubmitRoute,
)


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
    return ReadInvoiceView(**_fields(found), reading=dict(reading) if reading else None)


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


def _fields(invoice: Invoice) -> dict[str, Any]:
    def amount(minor: int | None) -> Amount | None:
        return (
            None
            if minor is None or invoice.currency is None
            else amount_of(minor, invoice.currency)
        )

    return {
        "id": invoice.id,
        "kind": invoice.kind,
        "state": invoice.state,
        "channel": invoice.channel,
        "document_sha256": invoice.document_sha256.hex(),
        "media_type": invoice.media_type,
        "filename": invoice.filename,
        "submitted_by": invoice.submitted_by,
        "received_at": invoice.received_at,
        "findings": [finding.to_json() for finding in invoice.findings],
        "payee": None
        if invoice.payee_id is None
        else {"id": invoice.payee_id, "code": invoice.payee_code, "name": invoice.payee_name},
        "invoice_number": invoice.invoice_number,
        "issue_date": invoice.issue_date,
        "due_date": invoice.due_date,
        "payable_amount": amount(invoice.payable_amount_minor),
        "open_amount": amount(invoice.open_amount_minor),
        "purchase_state": invoice.purchase_state,
    }
