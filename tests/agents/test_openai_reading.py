"""ChatOpenAI against a loopback server that speaks its protocol: honest, wrong, hijacked, broken."""

import json
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from agents.budgets import Budget, BudgetMeter
from agents.intake.answer import ModelAnswer
from agents.intake.graph import IntakeGraph, run_intake
from agents.intake.nodes import PROMPT
from agents.intake.state import IntakeOutcome
from agents.models import ChatReader, InvoiceReader, ModelSettings, invoice_reader
from agents.offline import OfflineReader
from tests.support.agents import FakePayments, Proposal, agent_context
from tests.support.documents import pdf
from tests.support.invoices import printed, submit
from tests.support.openai_server import OpenAiServer, openai_server
from tests.support.organization import TestOrganization
from tests.support.payees import FOREIGN_ADDRESS
from treasurer.invoices.service import InvoiceService
from treasurer.payees.model import Payee

HONEST = {
    "seller": "Halden Freight AS",
    "seller_vat_id": None,
    "invoice_number": "HF-4101",
    "issue_date": "2026-11-20",
    "due_date": "2026-12-10",
    "currency": "USDC",
    "payable_amount": "840.00",
    "iban": None,
    "pay_to_address": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
}
KEY = "sk-loopback-test"


@pytest.fixture
def server() -> Iterator[OpenAiServer]:
    with openai_server() as served:
        yield served


@pytest.fixture
def reader(server: OpenAiServer) -> InvoiceReader:
    return invoice_reader(
        ModelSettings(api_key=SecretStr(KEY), base_url=server.base_url, model="loopback")
    )


def test_neither_key_nor_address_means_offline() -> None:
    reader = invoice_reader(ModelSettings(api_key=None, base_url=None, model="gpt-x"))
    assert isinstance(reader, OfflineReader)
    assert (reader.label, reader.is_offline) == ("offline", True)
    local = ModelSettings(api_key=None, base_url="http://127.0.0.1:9/v1", model="gpt-x")
    assert isinstance(invoice_reader(local), ChatReader)
    assert KEY not in repr(ModelSettings(SecretStr(KEY), None, "gpt-x"))


async def test_the_request_has_the_prompt_and_the_schema_and_no_tool(
    server: OpenAiServer, reader: InvoiceReader
) -> None:
    server.answer = json.dumps(HONEST)
    meter = BudgetMeter(Budget(), lambda: 0.0)
    prompt = PROMPT.render({"document": '"INVOICE HF-4101"'})
    answer = await reader.read(prompt, meter)
    assert answer == ModelAnswer(**HONEST)
    assert meter.tokens == 500
    (request,) = server.requests
    assert request["model"] == "loopback"
    assert [message["role"] for message in request["messages"]] == ["system", "user"]
    assert request["messages"][0]["content"] == prompt.system
    assert request["messages"][1]["content"] == prompt.user
    assert "tools" not in request
    assert request["response_format"]["type"] == "json_schema"
    schema = request["response_format"]["json_schema"]["schema"]
    assert schema["additionalProperties"] is False
    assert sorted(schema["properties"]) == sorted(HONEST)
    assert server.keys == [f"Bearer {KEY}"]


@pytest.mark.parametrize("content", [printed(), pdf()], ids=["text", "pdf"])
async def test_an_honest_model_confirms_and_the_invoice_is_proposed(
    graph: IntakeGraph,
    organization: TestOrganization,
    invoices: InvoiceService,
    payments: FakePayments,
    world: dict[str, Payee],
    server: OpenAiServer,
    reader: InvoiceReader,
    content: bytes,
) -> None:
    server.answer = json.dumps(HONEST)
    received = await submit(invoices, organization.clerk, content)
    context = agent_context(organization, invoices, payments, reader=reader)
    result = await run_intake(graph, context, received.id)
    assert result.outcome is IntakeOutcome.PROPOSED
    assert result.record.reader == "loopback"
    assert result.record.prompt_version == PROMPT.version
    assert len(server.requests) == 1
    assert payments.proposals == [Proposal(received.id, "V-001", "USDC", 840_000_000)]


@pytest.mark.parametrize(
    "worst",
    [
        {"pay_to_address": FOREIGN_ADDRESS},
        {"payable_amount": "999,999.00"},
        {"seller": "Qorvane Logistics GmbH", "pay_to_address": FOREIGN_ADDRESS},
        {"invoice_number": "HF-0001", "payable_amount": "1.00"},
    ],
)
async def test_a_hijacked_model_reaches_no_other_recipient_and_no_other_amount(
    graph: IntakeGraph,
    organization: TestOrganization,
    invoices: InvoiceService,
    payments: FakePayments,
    world: dict[str, Payee],
    server: OpenAiServer,
    reader: InvoiceReader,
    worst: dict[str, str],
) -> None:
    server.answer = json.dumps({**HONEST, **worst})
    received = await submit(invoices, organization.clerk, printed())
    context = agent_context(organization, invoices, payments, reader=reader)
    result = await run_intake(graph, context, received.id)
    assert {finding.code for finding in result.invoice.findings} == {"UNGROUNDED_VALUE"}
    assert payments.proposals == [Proposal(received.id, "V-001", "USDC", 840_000_000)]


@pytest.mark.parametrize(
    "answer",
    [
        json.dumps({**HONEST, "approved_by": "cfo"}),
        json.dumps({**HONEST, "payable_amount": 840.0}),
        json.dumps({**HONEST, "seller": "x" * 201}),
        "I have paid it.",
        "[]",
        "",
    ],
)
async def test_an_answer_outside_the_schema_is_no_answer(
    graph: IntakeGraph,
    organization: TestOrganization,
    invoices: InvoiceService,
    payments: FakePayments,
    world: dict[str, Payee],
    server: OpenAiServer,
    reader: InvoiceReader,
    answer: str,
) -> None:
    server.answer = answer
    received = await submit(invoices, organization.clerk, printed())
    context = agent_context(organization, invoices, payments, reader=reader)
    result = await run_intake(graph, context, received.id)
    assert [finding.code for finding in result.invoice.findings] == ["MODEL_ANSWER_INVALID"]
    assert payments.proposals == []


@pytest.mark.parametrize("status", [401, 500])
async def test_a_model_out_of_order_leaves_the_rules_alone(
    graph: IntakeGraph,
    organization: TestOrganization,
    invoices: InvoiceService,
    payments: FakePayments,
    world: dict[str, Payee],
    server: OpenAiServer,
    reader: InvoiceReader,
    status: int,
) -> None:
    server.status = status
    received = await submit(invoices, organization.clerk, printed())
    context = agent_context(organization, invoices, payments, reader=reader)
    result = await run_intake(graph, context, received.id)
    assert result.outcome is IntakeOutcome.PROPOSED
    assert [finding.code for finding in result.invoice.findings] == ["MODEL_UNAVAILABLE"]
    assert KEY not in str(await invoices.reading(organization.clerk, received.id))


async def test_a_document_over_the_token_budget_is_not_sent(
    graph: IntakeGraph,
    organization: TestOrganization,
    invoices: InvoiceService,
    payments: FakePayments,
    world: dict[str, Payee],
    server: OpenAiServer,
    reader: InvoiceReader,
) -> None:
    received = await submit(invoices, organization.clerk, printed(note="lorem ipsum " * 400))
    context = agent_context(
        organization, invoices, payments, reader=reader, budget=Budget(tokens=1_000)
    )
    result = await run_intake(graph, context, received.id)
    assert [finding.code for finding in result.invoice.findings] == ["AGENT_TOKENS_EXHAUSTED"]
    assert server.requests == []
    assert payments.proposals == []
