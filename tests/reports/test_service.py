"""What the reports say: exact figures, one organization's only."""

from datetime import date

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from tests.support.browser import TRANSACTION_HASH, Dashboard
from tests.support.clock import START
from tests.support.organization import create_organization
from treasurer.audit.model import GENESIS_HASH
from treasurer.kernel.errors import NotPermitted
from treasurer.kernel.money import Asset
from treasurer.reports.briefing import MOST_WAITING, DayOutflow
from treasurer.reports.story import Leg

USDC = Asset("USDC", 6)


async def test_the_briefing_counts_what_waits_and_left(dashboard: Dashboard) -> None:
    reports, cfo = dashboard.pages.reports, dashboard.organization.cfo
    payment = await dashboard.payment_of(await dashboard.sample("halden-hf-1001.xml"))
    await dashboard.settle(payment)
    invoice = await dashboard.sample("qorvane-ql-1002.pdf")
    briefing = await reports.briefing(cfo)
    (waiting,) = briefing.waiting
    assert waiting.id == await dashboard.request_of(invoice)
    assert (waiting.payee_code, waiting.invoice_number) == ("V-002", "QL-1002")
    assert (waiting.amount_minor, waiting.asset) == (4_150_000_000, USDC)
    assert len(briefing.outflows) == 30
    assert briefing.outflows[0] == DayOutflow(date(2026, 10, 24), 0, 0)
    assert briefing.outflows[-1] == DayOutflow(date(2026, 11, 22), 84_000, 1)
    assert [each.id for each in briefing.latest][1] == payment.id
    (wallet,) = briefing.wallets
    assert (wallet.label, wallet.state, wallet.chain_id) == ("treasury", "active", 31337)
    letterhead = await reports.letterhead(cfo)
    assert (letterhead.organization_name, letterhead.user_name) == (
        "Norwick Instruments Ltd",
        "Cfo",
    )
    assert (letterhead.freeze, letterhead.live, letterhead.waiting) == (None, True, 1)
    dashboard.clock.advance(hours=72)
    assert await reports.waiting(cfo) == ()
    assert (await reports.letterhead(cfo)).waiting == 0


async def test_banks_are_told_as_of_their_own_instant(dashboard: Dashboard) -> None:
    async with dashboard.services.database.unit(dashboard.organization.id) as connection:
        await connection.execute(
            text("INSERT INTO bank_balances VALUES (:org, 'Nordbank', 'USD', 2, 123456, :at)"),
            {"org": dashboard.organization.id, "at": START},
        )
    (bank,) = (await dashboard.pages.reports.briefing(dashboard.organization.cfo)).banks
    assert (bank.name, bank.asset, bank.amount_minor) == ("Nordbank", Asset("USD", 2), 123_456)
    assert bank.as_of == START


async def test_a_story_holds_events_transfers_and_entries(dashboard: Dashboard) -> None:
    payment = await dashboard.payment_of(await dashboard.sample("halden-hf-1001.xml"))
    await dashboard.settle(payment)
    story = await dashboard.pages.reports.story(dashboard.organization.cfo, payment.id)
    assert [event.kind for event in story.events] == [
        "payment.proposed",
        "payment.approved",
        "payment.settled",
    ]
    assert story.events[0].actor is not None
    assert story.events[0].actor.name == "Agent"
    assert story.events[2].payload == {"transaction_hash": TRANSACTION_HASH.hex()}
    (transfer,) = story.transfers
    assert (transfer.state, transfer.nonce, transfer.block_number) == ("settled", 0, 42)
    assert [(attempt.number, attempt.kind) for attempt in transfer.attempts] == [(1, "payment")]
    (entry,) = story.entries
    assert entry.kind == "payment.settled"
    assert entry.legs[0] == Leg("expense:suppliers:USDC", USDC, 840_000_000)
    assert sum(leg.amount_minor for leg in entry.legs) == 0


async def test_votes_belong_to_the_payments_story(dashboard: Dashboard) -> None:
    payment = await dashboard.payment_of(await dashboard.sample("qorvane-ql-1002.pdf"))
    story = await dashboard.pages.reports.story(dashboard.organization.cfo, payment.id)
    assert [event.kind for event in story.events] == ["payment.proposed", "approval.requested"]


async def test_another_organization_reads_nothing(dashboard: Dashboard) -> None:
    payment = await dashboard.payment_of(await dashboard.sample("qorvane-ql-1002.pdf"))
    reports = dashboard.pages.reports
    other = await create_organization(dashboard.services.database)
    story = await reports.story(other.cfo, payment.id)
    assert (story.events, story.transfers, story.entries) == ((), (), ())
    briefing = await reports.briefing(other.cfo)
    assert (briefing.waiting, briefing.latest, briefing.wallets) == ((), (), ())
    assert await reports.people(other.cfo, [dashboard.organization.cfo.user_id]) == {}
    assert await reports.trail(other.cfo, aggregate_id=payment.id) == ()


async def test_the_trail_pages_backwards_and_needs_its_permission(dashboard: Dashboard) -> None:
    reports, organization = dashboard.pages.reports, dashboard.organization
    everything = await reports.trail(organization.auditor, most=200)
    first = await reports.trail(organization.auditor, most=4)
    rest = await reports.trail(organization.auditor, before=first[-1].cursor, most=200)
    assert [*first, *rest] == list(everything)
    assert [event.kind for event in everything][-1] == "policy.activated"
    with pytest.raises(NotPermitted):
        await reports.trail(organization.approver)


async def test_the_chain_tells_how_far_it_is_sealed(dashboard: Dashboard) -> None:
    reports, cfo = dashboard.pages.reports, dashboard.organization.cfo
    before = await reports.chain(cfo)
    assert (before.sequence, before.hash) == (0, None)
    sealed = await dashboard.services.audit.seal(dashboard.organization.id)
    assert before.unsealed == sealed > 0
    after = await reports.chain(cfo)
    assert (after.sequence, after.unsealed) == (sealed, 0)
    assert after.hash not in (None, GENESIS_HASH)


async def test_of_more_requests_than_are_shown_the_most_urgent_are(
    dashboard: Dashboard,
) -> None:
    reports, organization = dashboard.pages.reports, dashboard.organization
    first = await dashboard.request_of(await dashboard.sample("qorvane-ql-1002.pdf"))
    ids = [uuid7() for _ in range(MOST_WAITING)]
    async with dashboard.services.database.unit(organization.id) as connection:
        for copied in (_PAYMENT_COPIES, _REQUEST_COPIES):
            await connection.execute(
                text(copied), {"organization_id": organization.id, "first": first, "ids": ids}
            )
    shown = [one.id for one in await reports.waiting(organization.cfo)]
    assert shown == [first, *ids[:-1]]


_PAYMENT_COPIES = """
    INSERT INTO payments (organization_id, id, payee_id, payee_address_id, state, initiator_id,
        initiator_kind, asset, amount_minor, reporting_amount_minor, order_bytes, order_digest,
        not_after, explanation, created_at)
    SELECT p.organization_id, c.id, p.payee_id, p.payee_address_id, p.state, p.initiator_id,
        p.initiator_kind, p.asset, p.amount_minor, p.reporting_amount_minor, p.order_bytes,
        p.order_digest, p.not_after, p.explanation, p.created_at
    FROM payments p JOIN approval_requests r ON r.organization_id = p.organization_id
        AND r.payment_id = p.id CROSS JOIN unnest(CAST(:ids AS uuid[])) AS c (id)
    WHERE r.organization_id = :organization_id AND r.id = :first
"""
_REQUEST_COPIES = """
    INSERT INTO approval_requests (organization_id, id, payment_id, order_digest, requirement,
        requester_id, barred, votes_from, state, created_at, expires_at)
    SELECT r.organization_id, c.id, c.id, r.order_digest, r.requirement, r.requester_id, r.barred,
        c.id, 'open', r.created_at, r.expires_at + interval '1 hour'
    FROM approval_requests r CROSS JOIN unnest(CAST(:ids AS uuid[])) AS c (id)
    WHERE r.organization_id = :organization_id AND r.id = :first
"""
