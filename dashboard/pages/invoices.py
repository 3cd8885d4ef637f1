"""Owns the invoices' pages: the list, submitting one, the document beside what was read of it."""

from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from dashboard.document_view import document_view, fields_of, line_items
from dashboard.forms import CheckedForm
from dashboard.paper import MOST_PAGES, Papers
from dashboard.render import Rendered
from dashboard.session import Provided, Reader, Submitter
from treasurer.invoices.model import UNREAD, InvoiceState
from treasurer.kernel.errors import InvalidInput, NotFound
from treasurer.kernel.ids import InvoiceId
from treasurer.kernel.organization import Permission

router = APIRouter(prefix="/invoices")
_LOOK = ["GET", "HEAD"]
_MOST = 50


@router.api_route("", methods=_LOOK)
async def invoices(
    request: Request,
    visitor: Reader,
    services: Provided,
    render: Rendered,
    before: UUID | None = None,
    state: InvoiceState | None = None,
) -> Response:
    """Newest first."""
    found = await services.invoices.page(
        visitor.principal, InvoiceId(before) if before else None, _MOST, state
    )
    return await render.page(
        request,
        visitor,
        "invoices/list.html.j2",
        invoices=found,
        state=state,
        states=list(InvoiceState),
        next=found[-1].id if len(found) == _MOST else None,
        may_submit=visitor.may(Permission.INVOICES_SUBMIT),
    )


@router.post("")
async def submit(
    visitor: Submitter,
    services: Provided,
    form: CheckedForm,
) -> Response:
    """Store the chosen file as a received invoice and show it."""
    file = form.file("document")
    invoice = await services.invoices.receive(
        visitor.principal,
        content=await file.read(),
        filename=file.filename,
        media_type=file.content_type,
        channel="upload",
    )
    return RedirectResponse(f"/invoices/{invoice.id}", status_code=303)


@router.api_route("/{invoice_id}", methods=_LOOK)
async def invoice(
    invoice_id: UUID, request: Request, visitor: Reader, services: Provided, render: Rendered
) -> Response:
    """One invoice: the document at the left, what was read of it at the right."""
    id_, principal = InvoiceId(invoice_id), visitor.principal
    found = await services.invoices.get(principal, id_)
    reading = await services.invoices.reading(principal, id_)
    view = await document_view(
        await services.invoices.document(principal, id_), reading, _papers(request)
    )
    return await render.page(
        request,
        visitor,
        "invoices/detail.html.j2",
        invoice=found,
        reading=reading,
        view=view,
        fields=fields_of(reading, view) if reading else [],
        items=line_items(reading) if reading else [],
        payments=await services.payments.of_invoice(principal, id_),
        people=await services.reports.people(principal, [found.submitted_by]),
        unfinished=found.state in UNREAD,
    )


@router.api_route("/{invoice_id}/pages/{number}.png", methods=_LOOK)
async def page_image(
    invoice_id: UUID, number: int, request: Request, visitor: Reader, services: Provided
) -> Response:
    """One page of a PDF as a picture."""
    if not 1 <= number <= MOST_PAGES:
        raise NotFound("PAGE_UNKNOWN", f"pages 1 to {MOST_PAGES} of a document are drawn")
    document = await services.invoices.document(visitor.principal, InvoiceId(invoice_id))
    if b"%PDF-" not in document.content[:1024]:
        raise InvalidInput("PAGE_UNDRAWABLE", "only a PDF is drawn; this document is none")
    image = await _papers(request).draw(document.content, number)
    return Response(image, media_type="image/png")


@router.api_route("/{invoice_id}/original", methods=_LOOK)
async def original(invoice_id: UUID, visitor: Reader, services: Provided) -> Response:
    """The bytes as received, to be kept as a file: a stranger's document is never opened here."""
    document = await services.invoices.document(visitor.principal, InvoiceId(invoice_id))
    return Response(
        document.content,
        media_type="application/octet-stream",
        headers={
            "Content-Disposition": f'attachment; filename="invoice-{document.sha256.hex()[:12]}"',
            "Content-Security-Policy": "sandbox",
        },
    )


def _papers(request: Request) -> Papers:
    papers: Papers = request.app.state.papers
    return papers
