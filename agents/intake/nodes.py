"""The nodes of the intake graph: each takes one step through a door or a pure rule.

The model is asked in one node, without tools, and only for values; what follows is code.
"""

import asyncio
import json

from langgraph.runtime import Runtime

from agents.intake.grounding import ground, reconcile, with_findings
from agents.intake.state import IntakeRun, IntakeState
from prompts.loader import load_prompt
from tools.documents import ReadDocument, read_document
from tools.invoices import (
    ProposeReading,
    ProposeReview,
    ReadAssessment,
    ReadInvoice,
    propose_reading,
    propose_review,
    read_assessment,
    read_invoice,
)
from tools.payees import ReadPayeeMatch, read_payee_match
from tools.payments import ProposePayment, propose_payment
from treasurer.documents.reading import Finding, Outcome, Severity
from treasurer.invoices.assessment import proposal_digest
from treasurer.invoices.model import InvoiceState
from treasurer.kernel.errors import Conflict, InvalidInput, Permanent, Transient
from treasurer.kernel.ids import InvoiceId

PROMPT = load_prompt("intake/read_invoice")

Context = Runtime[IntakeRun]


async def classify(state: IntakeState, runtime: Context) -> IntakeState:
    """Look whether the invoice still waits to be read; a repeated job finds that it does not."""
    run = runtime.context
    run.meter.step()
    invoice = await read_invoice(run.given.tools, ReadInvoice(invoice_id=str(state["invoice_id"])))
    run.recorder.step("classify", state=invoice.state.value)
    return {"invoice": invoice}


async def read(state: IntakeState, runtime: Context) -> IntakeState:
    """Read by rules, and let the model read the same printed lines where there are any."""
    run = runtime.context
    run.meter.step()
    invoice_id = str(state["invoice_id"])
    reading = await read_document(run.given.tools, ReadDocument(invoice_id=invoice_id))
    run.recorder.step("read", outcome=reading.outcome.value, format=reading.format)
    unread = not reading.printed or reading.outcome is Outcome.REJECTED
    if run.given.reader.is_offline or unread:
        return {"reading": reading}
    values, findings = await _ask(run, "\n".join(line.text for line in reading.printed))
    run.recorder.step("model", values=values)
    return {"reading": with_findings(reading, findings), "values": values}


async def ground_values(state: IntakeState, runtime: Context) -> IntakeState:
    """Drop every value of the model's that the document does not print."""
    run = runtime.context
    run.meter.step()
    grounded, findings = ground(state.get("values", {}), state["reading"].printed)
    run.recorder.step(
        "ground",
        kept=[value.field for value in grounded],
        dropped=[str(finding.field) for finding in findings],
    )
    return {"grounded": grounded, "reading": with_findings(state["reading"], findings)}


async def check(state: IntakeState, runtime: Context) -> IntakeState:
    """Hold the two readings against each other; where they differ a person is asked."""
    run = runtime.context
    run.meter.step()
    reading = reconcile(state["reading"], state["grounded"])
    run.recorder.step(
        "check",
        outcome=reading.outcome.value,
        findings=[finding.code for finding in reading.findings],
    )
    return {"reading": reading}


async def match_payee(state: IntakeState, runtime: Context) -> IntakeState:
    """Find whom in the payee master the document means."""
    run = runtime.context
    run.meter.step()
    match = await read_payee_match(run.given.tools, ReadPayeeMatch(), state["reading"])
    run.recorder.step(
        "match_payee",
        payee=match.payee.code if match.payee else None,
        findings=[finding.code for finding in match.findings],
    )
    return {"match": match}


async def detect_duplicate(state: IntakeState, runtime: Context) -> IntakeState:
    """Look at earlier invoices of that payee, and at what all of it leads to."""
    run = runtime.context
    run.meter.step()
    assessment = await read_assessment(
        run.given.tools, ReadAssessment(invoice_id=str(state["invoice_id"])), state["reading"]
    )
    run.recorder.proposal_digest = proposal_digest(
        state["invoice_id"], state["reading"], assessment
    )
    run.recorder.step("detect_duplicate", state=assessment.state.value)
    return {"assessment": assessment}


async def propose(state: IntakeState, runtime: Context) -> IntakeState:
    """Record the reading, and propose the payment if the service agrees that it is ready."""
    run = runtime.context
    recorded = await _record(state, run, "record")
    invoice = recorded["invoice"]
    if invoice.state is not InvoiceState.READING:
        return recorded
    invoice_id = str(invoice.id)
    try:
        payment = await propose_payment(run.given.tools, ProposePayment(invoice_id=invoice_id))
    except (InvalidInput, Conflict) as refused:
        invoice = await propose_review(
            run.given.tools,
            ProposeReview(invoice_id=invoice_id, code=refused.code, message=refused.message),
        )
        run.recorder.step("propose", refused=refused.code)
        return {"invoice": invoice}
    invoice = await read_invoice(run.given.tools, ReadInvoice(invoice_id=invoice_id))
    run.recorder.step("propose", payment=payment.state)
    return {"invoice": invoice, "payment_id": payment.id}


async def review(state: IntakeState, runtime: Context) -> IntakeState:
    """Record the reading for a person to look at."""
    return await _record(state, runtime.context, "review")


async def reject(state: IntakeState, runtime: Context) -> IntakeState:
    """Record why the document cannot be used."""
    return await _record(state, runtime.context, "reject")


async def record_exhausted(
    run: IntakeRun, invoice_id: InvoiceId, code: str, message: str
) -> IntakeState:
    """End a run that used up its budget: what the rules read goes to a person."""
    tools = run.given.tools
    reading = await read_document(tools, ReadDocument(invoice_id=str(invoice_id)))
    finding = Finding(code, message, None, Severity.REVIEW)
    invoice = await propose_reading(
        tools,
        ProposeReading(invoice_id=str(invoice_id), read_by=_read_by(run)),
        with_findings(reading, [finding]),
    )
    run.recorder.step("exhausted", code=code)
    return {"invoice": invoice}


async def _record(state: IntakeState, run: IntakeRun, step: str) -> IntakeState:
    run.meter.step()
    invoice = await propose_reading(
        run.given.tools,
        ProposeReading(invoice_id=str(state["invoice_id"]), read_by=_read_by(run)),
        state["reading"],
    )
    run.recorder.step(step, state=invoice.state.value)
    return {"invoice": invoice}


async def _ask(run: IntakeRun, text: str) -> tuple[dict[str, str], list[Finding]]:
    """The model's values. Without a model the rules stand alone; a wrong answer asks for a person."""
    prompt = PROMPT.render({"document": json.dumps(text, ensure_ascii=False)})
    try:
        async with asyncio.timeout(max(run.meter.remaining_s, 0)):
            answer = await run.given.reader.read(prompt, run.meter)
    except TimeoutError:
        return {}, [_note("MODEL_UNAVAILABLE", "the model took too long; read by rules alone")]
    except Transient as error:
        return {}, [_note(error.code, f"{error.message}; read by rules alone")]
    except Permanent as error:
        return {}, [Finding(error.code, error.message, None, Severity.REVIEW)]
    return answer.values(), []


def _read_by(run: IntakeRun) -> str:
    version = run.recorder.prompt_version
    return run.recorder.reader if version is None else f"{run.recorder.reader} {version[:16]}"


def _note(code: str, message: str) -> Finding:
    return Finding(code, message, None, Severity.NOTE)
