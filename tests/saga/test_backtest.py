"""Stored decisions are replayed: byte for byte under their own policy, and under another as a backtest."""

import json
from datetime import timedelta

import pytest

from policy.backtest import Fate
from policy.policy_set import load_policy_set
from saga.steps.reserve import reserve
from tests.saga.test_straight_path import pump_until
from tests.support.treasury import NORWICK, Treasury
from treasurer.kernel.errors import NotFound, NotPermitted
from treasurer.kernel.ids import PaymentId
from treasurer.payments.backtests import Backtest, BacktestService
from treasurer.payments.model import PaymentState
from treasurer.payments.verification import DecisionVerification
from treasurer.policies.life import PolicyLife
from treasurer.policies.model import PolicySetState

STRICTER = NORWICK.read_text().replace("up_to: 1000.00 USD", "up_to: 500.00 USD")


def life_of(treasury: Treasury) -> PolicyLife:
    return PolicyLife(
        database=treasury.database,
        policies=treasury.policies,
        clock=treasury.clock,
        new_id=treasury.context().new_id,
    )


async def backtest(treasury: Treasury, yaml_text: str) -> Backtest:
    service = BacktestService(
        database=treasury.database, life=life_of(treasury), clock=treasury.clock
    )
    since = treasury.clock() - timedelta(days=1)
    return await service.run(treasury.organization.cfo, load_policy_set(yaml_text), since)


async def test_a_backtest_tells_who_would_be_paid_held_or_denied(treasury: Treasury) -> None:
    small = await treasury.propose("HF-1", 400_000_000)
    middle = await treasury.propose("HF-2", 600_000_000)
    large = await treasury.propose("QL-1", 4_150_000_000, "V-002")
    await pump_until(treasury, treasury.pump(), [small, middle], PaymentState.SETTLED)
    draft = await treasury.policies.draft(treasury.organization.cfo, STRICTER)
    found = await backtest(treasury, STRICTER)
    # Proposals of all three, and the reserves of the two that were free.
    assert found.report.decisions == 5
    assert found.report.totals() == {
        (Fate.HELD, Fate.HELD): (1, 415_000),
        (Fate.PAID, Fate.HELD): (1, 60_000),
        (Fate.PAID, Fate.PAID): (1, 40_000),
    }
    (change,) = found.report.changes
    assert (change.payment_id, change.rules) == (str(middle.id), "tiers")
    assert large.state is PaymentState.AWAITING_APPROVAL
    # Kept for the draft, which is simulated now.
    assert found.kept_for == draft.id
    kept = await treasury.policies.get(treasury.organization.cfo, draft.id)
    assert kept.state is PolicySetState.SIMULATED
    ((report, digest),) = await treasury.rows("SELECT report, digest FROM policy_backtests")
    assert json.loads(bytes(report)) == found.report.document()
    assert bytes(digest) == found.digest


async def test_a_backtest_of_what_is_no_draft_is_kept_nowhere(treasury: Treasury) -> None:
    found = await backtest(treasury, STRICTER)
    assert (found.kept_for, found.report.decisions) == (None, 0)
    assert await treasury.rows("SELECT count(*) FROM policy_backtests") == [(0,)]
    service = BacktestService(
        database=treasury.database, life=life_of(treasury), clock=treasury.clock
    )
    with pytest.raises(NotPermitted):
        await service.run(treasury.organization.clerk, load_policy_set(STRICTER), treasury.clock())


async def test_stored_decisions_replay_byte_for_byte(treasury: Treasury) -> None:
    payment = await treasury.propose("HF-1", 400_000_000)
    await reserve(treasury.context(), treasury.organization.id, [payment.id])
    verification = DecisionVerification(database=treasury.database)
    auditor = treasury.organization.auditor
    found = await verification.verify(auditor, payment.id)
    assert [(one.stage, one.outcome, one.fault) for one in found] == [
        ("reserve", "ALLOW", ""),
        ("proposal", "ALLOW", ""),
    ]
    with pytest.raises(NotFound):
        await verification.verify(auditor, PaymentId(treasury.context().new_id()))
