"""Owns the invoices' pages: the list, submitting one, the document beside what was read of it."""

from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from dashboard.document_view import document_view, fields_of, line_items
from dashboard.forms import CheckedForm, PostedForm
from dashboard.invoice_questions import questions_of
from dashboard.paper import MOST_PAGES, Papers
from dashboard.render import Rendered, Renderer
from dashboard.services import PageServices
from dashboard.session import Provided, Reader, Submitter, Visitor
from treasurer.invoices.model import UNREAD, InvoiceState
from treasurer.invoices.review import statable
from treasurer.kernel.errors import Conflict, InvalidInput, NotFound, TreasurerError
from treasurer.kernel.ids import InvoiceId
from treasurer.kernel.organization import Permission

router = APIRouter(prefix="/invoices")
_LOOK = ["GET", "HEAD"]
_MOST = 50
_STATUS = {InvalidInput: 422, Conflict: 409}


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
    return await _show(request, visitor, services, render, InvoiceId(invoice_id))


@router.post("/{invoice_id}/reviews")
async def review(
    invoice_id: UUID,
    request: Request,
    visitor: Submitter,
    services: Provided,
    render: Rendered,
    form: CheckedForm,
) -> Response:
    """Answer what holds the invoice; what is still unanswered shows the page again, with the answers."""
    id_ = InvoiceId(invoice_id)
    stated = {name: form.text(f"stated_{name}") for name in statable()}
    try:
        await services.invoice_reviews.review(
            visitor.principal,
            id_,
            reason=form.text("reason"),
            accepted=form.texts("accepted"),
            stated={name: value for name, value in stated.items() if value.strip()},
        )
    except (InvalidInput, Conflict) as error:
        return await _show(request, visitor, services, render, id_, form=form, fault=error)
    return RedirectResponse(f"/invoices/{id_}", status_code=303)


async def _show(
    request: Request,
    visitor: Visitor,
    services: PageServices,
    render: Renderer,
    id_: InvoiceId,
    *,
    form: PostedForm | None = None,
    fault: TreasurerError | None = None,
) -> Response:
    principal = visitor.principal
    found = await services.invoices.get(principal, id_)
    reading = await services.invoices.reading(principal, id_)
    reviews = await services.invoice_reviews.of_invoice(principal, id_)
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
        reviews=reviews,
        people=await services.reports.people(
            principal, [found.submitted_by, *(each.reviewer_id for each in reviews)]
        ),
        questions=questions_of(found, reading, form)
        if visitor.may(Permission.INVOICES_SUBMIT)
        else None,
        fault=fault.message if fault else None,
        status=_STATUS.get(type(fault), 422) if fault else 200,
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
