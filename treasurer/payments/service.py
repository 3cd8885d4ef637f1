"""Owns the one choke point: every outflow, from whatever door, is proposed and decided here.

Must never take a recipient from a document, a message or a caller: addresses come from the payee
master alone. Proposing is advisory; reserve, in the saga, is binding.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from policy.decision import Outcome
from treasurer.approvals.service import ApprovalService
from treasurer.audit import store as audit
from treasurer.audit.model import AuditEvent
from treasurer.db.engine import Database
from treasurer.kernel.clock import Clock
from treasurer.kernel.errors import Conflict, InvalidInput, NotFound
from treasurer.kernel.ids import (
    DecisionId,
    InvoiceId,
    NewId,
    OrganizationId,
    PayeeId,
    PaymentId,
)
from treasurer.kernel.organization import Permission, Principal
from treasurer.ledger import store as ledger
from treasurer.payees import store as payees
from treasurer.payees.model import PayeeAddress
from treasurer.payments import (
    candidate_store,
    decision_store,
    networks,
    proposable,
    spending,
    store,
    wallets,
    windows,
)
from treasurer.payments.asking import ask
from treasurer.payments.deciding import Decided, Situation, decide, store_decisions
from treasurer.payments.facts import Candidate, window_keys
from treasurer.payments.model import Payment, PaymentState, StoredDecision
from treasurer.payments.outcomes import PaymentOutcomes
from treasurer.payments.quoting import Owed, offer
from treasurer.payments.rail import Rail
from treasurer.policies.service import PolicyService
from treasurer.prices.feed import Price, PriceFeed

_MOST_A_PAGE = 100
_RETRY = timedelta(seconds=5)


class PaymentService:
    """Proposals and reads of payments, for all doors."""

    def __init__(
        self,
        *,
        database: Database,
        rail: Rail,
        prices: PriceFeed,
        policies: PolicyService,
        approvals: ApprovalService,
        outcomes: PaymentOutcomes,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._database = database
        self._rail = rail
        self._prices = prices
        self._policies = policies
        self._approvals = approvals
        self._outcomes = outcomes
        self._clock = clock
        self._new_id = new_id

    async def propose(self, principal: Principal, invoice_id: InvoiceId) -> Payment:
        """Propose to pay what is open of a read invoice, and decide; the payment as it then stands.

        Asked again for the same invoice it answers with the same payment. Raises NotFound, Conflict
        (INVOICE_NOT_PROPOSABLE, DUPLICATE_INVOICE), InvalidInput (PAYEE_ADDRESS_MISSING,
        CURRENCY_NOT_PAYABLE, QUOTE_UNAVAILABLE, WALLET_MISSING).
        """
        principal.require(Permission.INVOICES_SUBMIT)
        organization_id = principal.organization_id
        prices = await self._read_prices(organization_id)
        async with self._database.unit(organization_id) as connection:
            now = self._clock()
            invoice = await proposable.lock(connection, organization_id, invoice_id)
            if invoice is None:
                raise NotFound("INVOICE_UNKNOWN", "there is no invoice of that id")
            if invoice.state in ("proposed", "paid"):
                return (await store.of_invoice(connection, organization_id, invoice_id))[0]
            new = await self._new_payment(connection, organization_id, invoice, prices, now)
            await store.insert(connection, organization_id, new, now)
            await proposable.mark_proposed(connection, organization_id, invoice_id)
            await self._record_proposal(connection, principal, new, now)
            (candidate,) = await candidate_store.candidates(connection, organization_id, [new.id])
            await self._decide(connection, candidate, prices, now)
            payment = await store.get(connection, organization_id, new.id)
        assert payment is not None
        return payment

    async def get(self, principal: Principal, payment_id: PaymentId) -> Payment:
        """One payment. Raises NotFound."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            payment = await store.get(connection, principal.organization_id, payment_id)
        if payment is None:
            raise NotFound("PAYMENT_UNKNOWN", "there is no payment of that id")
        return payment

    async def page(
        self,
        principal: Principal,
        *,
        before: PaymentId | None = None,
        most: int = 50,
        state: PaymentState | None = None,
    ) -> list[Payment]:
        """Newest first, at most 100 a page."""
        principal.require(Permission.TREASURY_READ)
        most = max(1, min(most, _MOST_A_PAGE))
        async with self._database.unit(principal.organization_id) as connection:
            return await store.page(
                connection, principal.organization_id, before=before, most=most, state=state
            )

    async def of_invoice(self, principal: Principal, invoice_id: InvoiceId) -> list[Payment]:
        """The payments of one invoice, newest first."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            return await store.of_invoice(connection, principal.organization_id, invoice_id)

    async def decisions(self, principal: Principal, payment_id: PaymentId) -> list[StoredDecision]:
        """A payment's newest decisions with all that they were made from, newest first."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            return await decision_store.of_payment(
                connection, principal.organization_id, payment_id
            )

    async def _read_prices(self, organization_id: OrganizationId) -> Mapping[str, Price]:
        async with self._database.unit(organization_id) as connection:
            currency = await spending.reporting_currency(connection, organization_id)
        found = {
            token.asset.symbol: await self._prices.price(token.asset.symbol, currency)
            for token in self._rail.tokens
        }
        return {symbol: price for symbol, price in found.items() if price is not None}

    async def _new_payment(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        invoice: proposable.Proposable,
        prices: Mapping[str, Price],
        now: datetime,
    ) -> store.NewPayment:
        if invoice.state != "reading" or invoice.payee_id is None or invoice.currency is None:
            raise Conflict(
                "INVOICE_NOT_PROPOSABLE",
                f"the invoice is {invoice.state}; only one that was read and matched is paid",
                state=invoice.state,
            )
        address = await self._address(connection, organization_id, invoice.payee_id)
        payment_id = PaymentId(self._new_id())
        offered = offer(
            organization_id,
            payment_id,
            Owed(invoice.currency, invoice.unallocated_minor),
            address.address,
            rail=self._rail,
            wallets=await wallets.active(connection, organization_id, self._rail.chain_id),
            prices=prices,
            reporting=(await spending.treasury(connection, organization_id, now)).reporting,
            now=now,
        )
        order = offered.order
        return store.NewPayment(
            id=payment_id,
            invoice_id=invoice.id,
            payee_id=invoice.payee_id,
            payee_address_id=address.id,
            initiator_id=invoice.initiator_id,
            initiator_kind=invoice.initiator_kind,
            asset=offered.asset,
            amount_minor=order.items[0].amount_minor,
            reporting_amount_minor=offered.reporting_amount_minor,
            order_bytes=order.canonical_bytes(),
            order_digest=order.digest,
            not_after=order.not_after,
            allocated_minor=invoice.unallocated_minor,
        )

    async def _address(
        self, connection: AsyncConnection, organization_id: OrganizationId, payee_id: PayeeId
    ) -> PayeeAddress:
        address = await payees.verified_address(
            connection, organization_id, payee_id, self._rail.chain_id
        )
        if address is None:
            raise InvalidInput(
                "PAYEE_ADDRESS_MISSING",
                f"the payee has no verified address on {self._rail.network}; add and verify one",
            )
        return address

    async def _decide(
        self,
        connection: AsyncConnection,
        candidate: Candidate,
        prices: Mapping[str, Price],
        now: datetime,
    ) -> None:
        organization_id = candidate.payment.organization_id
        balances = [
            balance
            for balance in await ledger.all_balances(connection, organization_id)
            if balance.code.startswith("wallet:") and balance.asset != self._rail.native
        ]
        policy_set, policy_since = await self._policies.standing(connection, organization_id)
        treasury = await spending.treasury(connection, organization_id, now)
        keys = window_keys(candidate, policy_set, treasury.reporting, now)
        situation = Situation(
            policy_set=policy_set,
            policy_since=policy_since,
            treasury=treasury,
            balances=balances,
            prices=prices,
            now=now,
            sums=await windows.sums(connection, organization_id, keys, now),
            network=await networks.newest(connection, self._rail.chain_id)
            if policy_set.reads_network
            else None,
        )
        available = situation.available_minor(candidate.payment.asset.symbol)
        decided = decide(candidate, situation, available)
        ids = await store_decisions(
            connection,
            organization_id,
            [decided],
            situation,
            stage="proposal",
            new_id=self._new_id,
        )
        await self._follow(connection, candidate, decided, now, ids)

    async def _follow(
        self,
        connection: AsyncConnection,
        candidate: Candidate,
        decided: Decided,
        now: datetime,
        ids: Mapping[PaymentId, DecisionId],
    ) -> None:
        payment, decision = candidate.payment, decided.decision
        decision_id = ids[payment.id]
        if decision.outcome is Outcome.REQUIRE_APPROVAL:
            await ask(
                connection,
                self._approvals,
                candidate,
                decision,
                before=PaymentState.PROPOSED,
                decision_id=decision_id,
                now=now,
            )
        elif decided.ends:
            await self._outcomes.end(
                connection,
                payment.organization_id,
                payment.id,
                PaymentState.PROPOSED,
                PaymentState.DENIED,
                now,
                explanation=decision.explanation,
                decision_id=decision_id,
            )
        elif decision.outcome is Outcome.DENY:
            # Denied only for now, by a fact that can be had: reserve decides again.
            await store.put_off(
                connection,
                payment.organization_id,
                {payment.id: decision.explanation},
                next_at=now + _RETRY,
            )
        else:
            await self._outcomes.pass_on(
                connection,
                payment.organization_id,
                payment.id,
                now,
                explanation=decision.explanation,
                decision_id=decision_id,
            )

    async def _record_proposal(
        self,
        connection: AsyncConnection,
        principal: Principal,
        new: store.NewPayment,
        now: datetime,
    ) -> None:
        event = AuditEvent(
            "payment",
            new.id,
            "payment.proposed",
            {
                "invoice_id": str(new.invoice_id),
                "payee_id": str(new.payee_id),
                "amount_minor": str(new.amount_minor),
                "asset": new.asset.symbol,
                "order_digest": new.order_digest.hex(),
                "initiator_id": str(new.initiator_id),
            },
            principal.user_id,
        )
        await audit.append(
            connection, principal.organization_id, [event], now=now, new_id=self._new_id
        )
