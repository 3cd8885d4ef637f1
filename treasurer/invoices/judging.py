"""Owns the look at the master and at earlier invoices on which an assessment rests.

Must never be skipped by a caller that stores a reading: what an agent saw may have changed since.
"""

from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.documents.reading import Reading
from treasurer.invoices import review_store, store
from treasurer.invoices.assessment import Assessment, assess, kind_of
from treasurer.invoices.claim import claim_of
from treasurer.invoices.content import lines_digest, text_digest
from treasurer.invoices.duplicates import Comparable, find_duplicates
from treasurer.invoices.matching import Match, match
from treasurer.invoices.model import Invoice, InvoiceKind, InvoiceState
from treasurer.invoices.ordering import match_purchase
from treasurer.invoices.own_currency import own_currency
from treasurer.invoices.review import answers_of
from treasurer.invoices.terms import in_own_currency, terms_of
from treasurer.kernel.ids import OrganizationId
from treasurer.payees import store as payees


async def judge(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    invoice: Invoice,
    reading: Reading,
    *,
    lock: bool,
) -> Assessment:
    """Match payee and order, look for duplicates, assess. With `lock` the payee's row is held until the
    commit: whoever reads another invoice of that payee waits, and then sees this one.

    What people answered in reviews counts, whoever reads: what they stated stands in place of what was
    read, and what they answered for holds no longer.
    """
    answers = None
    if invoice.state is not InvoiceState.RECEIVED:
        answers = answers_of(await review_store.of_invoice(connection, organization_id, invoice.id))
    if answers is not None:
        reading = answers.reading(reading)
    own = None
    if in_own_currency(reading.fields):
        own = await own_currency(connection, organization_id)
    terms, term_findings = terms_of(reading.fields, own)
    matched = await match_payee(connection, organization_id, reading)
    payee_id = matched.payee.id if matched.payee else None
    if payee_id and lock:
        await payees.get_payee(connection, organization_id, payee_id, lock=True)
    comparable = Comparable(
        id=invoice.id,
        state=invoice.state,
        document_sha256=invoice.document_sha256,
        invoice_number=terms.invoice_number,
        currency=terms.currency,
        payable_amount_minor=terms.payable_amount_minor,
        issue_date=terms.issue_date,
        lines_digest=lines_digest(reading.fields),
        text_digest=text_digest(
            reading.printed, terms.invoice_number, dated=terms.issue_date is not None
        ),
        kind=kind_of(reading),
    )
    others = await store.others(connection, organization_id, comparable, payee_id)
    duplicates = find_duplicates(comparable, others)
    order = None
    if comparable.kind is InvoiceKind.INVOICE and not reading.parts:
        order = await match_purchase(
            connection, organization_id, invoice.id, reading, terms, payee_id, lock=lock
        )
    return assess(reading, terms, term_findings, matched, comparable, duplicates, order, answers)


async def match_payee(
    connection: AsyncConnection, organization_id: OrganizationId, reading: Reading
) -> Match:
    """Whom in the master the document means, by all the marks that it prints."""
    claim = claim_of(reading.fields)
    candidates = await payees.candidates(
        connection,
        organization_id,
        names=claim.names,
        vat_id=claim.vat_id,
        ibans=claim.ibans,
        addresses=claim.addresses,
        code=claim.payee_code,
        domain=claim.domain,
    )
    return match(claim, candidates)
