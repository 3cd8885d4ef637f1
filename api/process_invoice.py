"""Owns the one-call door: submit an invoice and wait a little for what becomes of it.

Must never wait for people or for the chain: those answers are 202 and 200 with a payment to follow.
"""

import asyncio
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel
from starlette.responses import Response

from api.auth import Provided, requires
from api.invoice_views import InvoiceView, invoice_view
from api.payments import PaymentView, payment_view
from api.services import Services
from api.submission import Filename, IdempotencyKey, location, received
from api.upload import REQUEST_BODY
from treasurer.invoices.model import Invoice, InvoiceState
from treasurer.kernel.organization import Permission, Principal
from treasurer.payments.model import Payment, PaymentState

router = APIRouter(tags=["invoices"])
Submitter = Annotated[Principal, Depends(requires(Permission.INVOICES_SUBMIT))]

_ROUTE = "POST /api/process-invoice"
_POLL_S = (0.02, 0.05, 0.1, 0.25)  # the last one repeats

Status = Literal[
    "approved", "paying", "paid", "awaiting_approval", "needs_review", "processing", "denied",
    "unreadable", "unpacked", "credited",
]  # fmt: skip

_OF_PAYMENT: dict[PaymentState, tuple[Status, int]] = {
    PaymentState.APPROVED: ("approved", 200),
    PaymentState.EXECUTING: ("paying", 200),
    PaymentState.NEEDS_ATTENTION: ("paying", 200),
    PaymentState.SETTLED: ("paid", 200),
    PaymentState.AWAITING_APPROVAL: ("awaiting_approval", 202),
    PaymentState.PROPOSED: ("processing", 202),
    PaymentState.DENIED: ("denied", 403),
    PaymentState.EXPIRED: ("denied", 403),
}
_OF_INVOICE: dict[InvoiceState, tuple[Status, int]] = {
    InvoiceState.RECEIVED: ("processing", 202),
    InvoiceState.READING: ("processing", 202),
    InvoiceState.PROPOSED: ("processing", 202),
    InvoiceState.NEEDS_REVIEW: ("needs_review", 202),
    InvoiceState.DUPLICATE: ("denied", 403),
    InvoiceState.REJECTED: ("unreadable", 422),
    InvoiceState.UNPACKED: ("unpacked", 202),
    InvoiceState.PAID: ("paid", 200),
    InvoiceState.CREDITED: ("credited", 200),
}


class Processed(BaseModel):
    """What became of the invoice. `findings` say why: the policy's, or those of the reading."""

    status: Status
    invoice: InvoiceView
    payment: PaymentView | None
    findings: list[dict[str, Any]]


@router.post(
    "/api/process-invoice",
    response_model=Processed,
    openapi_extra=REQUEST_BODY,
    responses={
        202: {"model": Processed, "description": "Waiting for people, or still being read"},
        403: {"model": Processed, "description": "Denied, with the findings"},
        422: {"model": Processed, "description": "The document cannot be read"},
    },
)
async def process_invoice(
    request: Request,
    caller: Submitter,
    services: Provided,
    filename: Filename = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Take an invoice in and answer with its outcome, or with 202 when that takes longer."""
    taken = await received(
        request, caller, services, route=_ROUTE, filename=filename, key=idempotency_key
    )
    invoice, payment = await _settled_down(services, caller, taken)
    status, code = _OF_PAYMENT[payment.state] if payment else _OF_INVOICE[invoice.state]
    processed = Processed(
        status=status,
        invoice=invoice_view(invoice),
        payment=payment_view(payment) if payment else None,
        findings=await _findings(services, caller, invoice, payment),
    )
    return Response(
        orjson.dumps(processed.model_dump(mode="json")),
        status_code=code,
        headers=location(invoice),
        media_type="application/json",
    )


async def _settled_down(
    services: Services, caller: Principal, invoice: Invoice
) -> tuple[Invoice, Payment | None]:
    """Look until something else than "processing" is to be said, or the time is over."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + services.settings.process_wait_s
    looks = 0
    while True:
        payments = await services.payments.of_invoice(caller, invoice.id)
        payment = payments[0] if payments else None
        status, _ = _OF_PAYMENT[payment.state] if payment else _OF_INVOICE[invoice.state]
        pause = _POLL_S[min(looks, len(_POLL_S) - 1)]
        if status != "processing" or loop.time() + pause > deadline:
            return invoice, payment
        await asyncio.sleep(pause)
        looks += 1
        invoice = await services.invoices.get(caller, invoice.id)


async def _findings(
    services: Services, caller: Principal, invoice: Invoice, payment: Payment | None
) -> list[dict[str, Any]]:
    if payment is None:
        return [dict(finding.to_json()) for finding in invoice.findings]
    decisions = await services.payments.decisions(caller, payment.id)
    if not decisions:
        return []
    found: list[dict[str, Any]] = orjson.loads(decisions[0].decision)["findings"]
    return [finding for finding in found if finding["outcome"] != "ALLOW"]
