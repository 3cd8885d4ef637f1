"""Owns asking again about what drifted since people agreed. Must never let an old vote pay a new order.

An order that lapsed, or whose payee is paid elsewhere by now, is replaced by one of the same payment:
other bytes, another digest. What only the circumstances changed keeps its order and loses its votes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from policy.decision import Outcome
from policy.drift import Drift, Seen, Tolerance, drift
from policy.facts import facts_from_json
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.ids import PayeeAddressId
from treasurer.kernel.money import Asset
from treasurer.payees import store as payees
from treasurer.payments import candidate_store
from treasurer.payments.deciding import Decided, Situation, decide
from treasurer.payments.facts import Candidate
from treasurer.payments.model import PaymentState
from treasurer.payments.quoting import Offer, Owed, offer
from treasurer.payments.rail import Rail
from treasurer.payments.wallets import Wallet

NONE = Drift((), ())

# The votes that count may stem from earlier requests that this one continues: what the first of
# them was asked on is what people saw.
_SEEN = text("""
    SELECT d.facts, d.policy_digest
    FROM approval_requests r
    JOIN approval_requests f ON f.organization_id = r.organization_id AND f.id = r.votes_from
    CROSS JOIN LATERAL (
        SELECT x.facts, x.policy_digest FROM decisions x
        WHERE x.organization_id = r.organization_id AND x.payment_id = r.payment_id
          AND x.decided_at <= f.created_at ORDER BY x.id DESC LIMIT 1) d
    WHERE r.organization_id = :organization_id AND r.payment_id = :payment_id
      AND r.order_digest = :order_digest AND r.state = 'approved'
    ORDER BY r.id DESC LIMIT 1
""")
# What a transfer once carried is what was signed, and stays the order of its payment.
_REPLACE = text("""
    UPDATE payments p SET payee_address_id = :payee_address_id, amount_minor = :amount_minor,
        reporting_amount_minor = :reporting_amount_minor, order_bytes = :order_bytes,
        order_digest = :order_digest, not_after = :not_after
    WHERE p.organization_id = :organization_id AND p.id = :id AND p.state = 'approved'
      AND p.order_digest = :replaced AND NOT EXISTS (
          SELECT FROM transfer_items i
          WHERE i.organization_id = p.organization_id AND i.payment_id = p.id)
""")


@dataclass(frozen=True, slots=True)
class Again:
    """A payment that people are asked about once more, and why. `replaced` is its former digest."""

    candidate: Candidate
    decided: Decided
    reasons: tuple[str, ...]
    replaced: bytes

    @property
    def explanation(self) -> str:
        """Why it is asked again, then what the policy says."""
        return " ".join(["Asked again.", *self.reasons, self.decided.decision.explanation])


async def drifted(
    connection: AsyncConnection, candidate: Candidate, decided: Decided, situation: Situation
) -> Drift:
    """What moved beyond the set's tolerance since people agreed to `candidate`."""
    tolerance = situation.policy_set.tolerance
    if tolerance is None or decided.decision.outcome is not Outcome.REQUIRE_APPROVAL:
        return NONE
    seen = await _seen(connection, candidate)
    if seen is None:
        return NONE
    now = Seen(facts_from_json(decided.facts), situation.policy_set.digest)
    return drift(tolerance, seen, now)


async def renew(
    connection: AsyncConnection,
    candidates: Sequence[Candidate],
    situation: Situation,
    *,
    rail: Rail,
    wallets: Sequence[Wallet],
) -> list[Again]:
    """Give those whose approved order can never be paid another one, if people will be asked about it.

    Whatever else the policy says of the new order, the old one stays, and ends as such orders do.
    """
    tolerance = situation.policy_set.tolerance
    if tolerance is None:
        return []
    renewed: list[Again] = []
    for candidate in candidates:
        reason = _reason(candidate, tolerance, situation.now)
        if reason is None or await _seen(connection, candidate) is None:
            continue
        async with connection.begin_nested() as savepoint:
            again = await _renewed(
                connection, candidate, reason, situation, rail=rail, wallets=wallets
            )
            if again is None:
                await savepoint.rollback()
            else:
                renewed.append(again)
    return renewed


def _reason(candidate: Candidate, tolerance: Tolerance, now: datetime) -> str | None:
    """Why its order can never be paid; None if it can, or nobody wants to be asked about that."""
    if candidate.payment.state is not PaymentState.APPROVED:
        return None
    moved = (
        candidate.address_state != "verified" or candidate.address != candidate.payment.recipient
    )
    if moved:
        return "The payee is paid at another address now." if tolerance.payee else None
    if now > candidate.payment.not_after and tolerance.price is not None:
        return "The quote lapsed, so the amount was quoted anew."
    return None


async def _renewed(
    connection: AsyncConnection,
    candidate: Candidate,
    reason: str,
    situation: Situation,
    *,
    rail: Rail,
    wallets: Sequence[Wallet],
) -> Again | None:
    payment, quote = candidate.payment, candidate.order.quote
    address = await payees.verified_address(
        connection, payment.organization_id, payment.payee_id, rail.chain_id
    )
    if address is None:
        return None
    owed = Owed(Asset(quote.invoice_currency, quote.invoice_decimals), quote.invoice_amount_minor)
    try:
        offered = offer(
            payment.organization_id,
            payment.id,
            owed,
            address.address,
            rail=rail,
            wallets=wallets,
            prices=situation.prices,
            reporting=situation.treasury.reporting,
            now=situation.now,
        )
    except InvalidInput:
        return None
    if not await _replace(connection, candidate, offered, address.id):
        return None
    (fresh,) = await candidate_store.candidates(connection, payment.organization_id, [payment.id])
    decided = decide(fresh, situation, situation.available_minor(payment.asset.symbol))
    if decided.decision.outcome is not Outcome.REQUIRE_APPROVAL:
        return None
    return Again(fresh, decided, (reason,), payment.order_digest)


async def _replace(
    connection: AsyncConnection, candidate: Candidate, offered: Offer, address_id: PayeeAddressId
) -> bool:
    order = offered.order
    result = await connection.execute(
        _REPLACE,
        {
            "organization_id": candidate.payment.organization_id,
            "id": candidate.payment.id,
            "replaced": candidate.payment.order_digest,
            "payee_address_id": address_id,
            "amount_minor": order.items[0].amount_minor,
            "reporting_amount_minor": offered.reporting_amount_minor,
            "order_bytes": order.canonical_bytes(),
            "order_digest": order.digest,
            "not_after": order.not_after,
        },
    )
    return result.rowcount == 1


async def _seen(connection: AsyncConnection, candidate: Candidate) -> Seen | None:
    """Under what people agreed to the payment's order; None if nobody was asked about it."""
    payment = candidate.payment
    parameters: Mapping[str, object] = {
        "organization_id": payment.organization_id,
        "payment_id": payment.id,
        "order_digest": payment.order_digest,
    }
    row = (await connection.execute(_SEEN, parameters)).one_or_none()
    return None if row is None else Seen(facts_from_json(row.facts), bytes(row.policy_digest))
