"""Owns looking at the demonstration's result from outside: chain, ledger, audit log, decisions.

Must never ask the engine whether it did well.
"""

from collections import defaultdict

from sqlalchemy import text

from policy.decision import decision_from_json
from policy.engine import evaluate
from policy.facts import facts_from_json
from policy.policy_set import parse_policy_set
from policy.request import request_from_json
from treasurer.bootstrap import Core, open_chain, open_core, open_reconciliation
from treasurer.chain.port import Chain
from treasurer.chain.tokens import decode_transfers
from treasurer.cli.demo import Report
from treasurer.cli.demonstration import CFO
from treasurer.cli.own_organization import DEMONSTRATION
from treasurer.kernel.ids import OrganizationId
from treasurer.kernel.organization import Principal
from treasurer.payments.model import Payment, PaymentState
from treasurer.settings import Settings

_SUMS = text("SELECT asset, sum(amount_minor) FROM postings GROUP BY asset")
_WALLET = text("SELECT posted_minor, held_minor FROM ledger_accounts WHERE code LIKE :code")
_DECISIONS = text("SELECT request, facts, decision FROM decisions")
_POLICY = text("SELECT document FROM policy_sets WHERE state = 'active'")


async def check_world(settings: Settings, report: Report) -> None:
    """Hold what the chain says against what the books say."""
    core = open_core(settings, pool_size=2)
    try:
        cfo = (await core.identity.user_of(CFO)).principal
        async with open_chain(core) as chain:
            await _check_chain(core, chain, cfo, report)
            found = await open_reconciliation(core, chain).run(cfo.organization_id)
            report.checks["invariants_hold"] = found.clean
        await _check_books(core, cfo.organization_id, report)
        await _check_decisions(core, cfo.organization_id, report)
        await core.audit.seal(cfo.organization_id)
        verification = await core.audit.verify(cfo.organization_id)
        report.checks["audit_chain_verifies"] = (
            verification.fault is None and verification.events > 0
        )
        report.figures["audit_events"] = verification.events
        report.figures["organization"] = DEMONSTRATION
    finally:
        await core.close()


async def _check_chain(core: Core, chain: Chain, cfo: Principal, report: Report) -> None:
    payments = await core.payments.page(cfo, most=100)
    settled = [payment for payment in payments if payment.state is PaymentState.SETTLED]
    (token,) = core.rail.tokens
    due: dict[str, int] = defaultdict(int)
    for payment in payments:
        due[payment.recipient] += payment.amount_minor if payment in settled else 0
    # A fresh chain: before the demonstration nobody but the treasury held the token.
    balances = await chain.token_balances(token.address, list(due))
    report.checks["payees_received_exactly"] = dict(zip(due, balances, strict=True)) == due
    report.checks["one_transfer_a_payment"] = all(
        [await _paid_once(chain, payment, token.address) for payment in settled]
    )
    report.figures["payments"] = {
        state.value: sum(payment.state is state for payment in payments) for state in PaymentState
    }
    report.figures["paid_usdc_minor"] = str(sum(payment.amount_minor for payment in settled))
    (wallet,) = {
        sender for payment in settled for sender in [await _sender(chain, payment, token.address)]
    }
    (on_chain,) = await chain.token_balances(token.address, [wallet])
    async with core.database.unit(cfo.organization_id) as connection:
        posted, held = (await connection.execute(_WALLET, {"code": "wallet:%:USDC"})).one()
    report.checks["ledger_equals_chain"] = (int(posted), int(held)) == (on_chain, 0)


async def _paid_once(chain: Chain, payment: Payment, token: str) -> bool:
    assert payment.transaction_hash is not None
    receipt = await chain.receipt(payment.transaction_hash)
    if receipt is None or not receipt.succeeded:
        return False
    logs = decode_transfers(receipt, token)
    return [(log.recipient, log.amount_minor) for log in logs] == [
        (payment.recipient, payment.amount_minor)
    ]


async def _sender(chain: Chain, payment: Payment, token: str) -> str:
    assert payment.transaction_hash is not None
    receipt = await chain.receipt(payment.transaction_hash)
    assert receipt is not None
    return decode_transfers(receipt, token)[0].sender


async def _check_books(core: Core, organization_id: OrganizationId, report: Report) -> None:
    async with core.database.unit(organization_id) as connection:
        sums = {row[0]: int(row[1]) for row in await connection.execute(_SUMS)}
    report.checks["ledger_sums_to_zero"] = bool(sums) and not any(sums.values())


async def _check_decisions(core: Core, organization_id: OrganizationId, report: Report) -> None:
    """Every stored decision, made again from its stored facts, gives the same bytes."""
    async with core.database.unit(organization_id) as connection:
        policy_set = parse_policy_set(bytes((await connection.execute(_POLICY)).scalar_one()))
        rows = [tuple(map(bytes, row)) for row in await connection.execute(_DECISIONS)]
    report.checks["decisions_replay"] = bool(rows) and all(
        evaluate(request_from_json(request), facts_from_json(facts), policy_set).to_json()
        == decision_from_json(stored).to_json()
        == stored
        for request, facts, stored in rows
    )
    report.figures["decisions"] = len(rows)
