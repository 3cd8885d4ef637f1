"""Owns what one reserve takes: which payments pass, from which wallet, and which share a transaction.

Must never write or ask the chain: it goes through the candidates under the caller's locks.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from policy.decision import Outcome
from saga.context import SagaContext
from saga.transfer import MAX_IN_FLIGHT, Transfer, TransferItem, TransferState
from treasurer.kernel.ids import HoldId, PaymentId, TransferId, WalletId
from treasurer.kernel.money import format_minor
from treasurer.kernel.transaction import FeeTerms
from treasurer.ledger.model import Balance, Hold, wallet_account
from treasurer.payments.deciding import Decided, Situation, decide
from treasurer.payments.drifting import NONE, Again, drifted
from treasurer.payments.facts import Candidate
from treasurer.payments.wallets import Wallet

Allowances = Mapping[tuple[WalletId, str], int]
"""What the disperse contract may still move, by wallet and token's address, in base units."""


@dataclass
class Plan:
    """What one reserve will write, built up payment by payment."""

    transfers: list[Transfer] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    executing: list[tuple[Candidate, Decided]] = field(default_factory=list)
    asking: list[tuple[Candidate, Decided]] = field(default_factory=list)
    again: list[Again] = field(default_factory=list)
    denied: list[tuple[Candidate, Decided]] = field(default_factory=list)
    expired: list[Candidate] = field(default_factory=list)
    later: dict[PaymentId, str] = field(default_factory=dict)


@dataclass
class _Group:
    """Payments that one transaction of one wallet will carry, and the gas money held for it."""

    transfer_id: TransferId
    wallet: Wallet
    members: list[Candidate] = field(default_factory=list)
    gas_wei: int = 0

    def alike(self, candidate: Candidate) -> bool:
        """Whether a batch may hold it as well: one chain, one token, and its order permits the wallet."""
        first, order = self.members[0].order, candidate.order
        same = (first.chain_id, first.token, first.token_decimals) == (
            order.chain_id,
            order.token,
            order.token_decimals,
        )
        return same and self.wallet.address in order.permitted_wallets

    def would_move(self, candidate: Candidate) -> int:
        """What of the allowance is used if it joins: a payment alone uses none."""
        joining = [*self.members, candidate] if len(self.members) == 1 else [candidate]
        return sum(member.amount_minor for member in joining)


class Desk:
    """Goes through the due payments in order, keeping the running balances and sums."""

    def __init__(
        self,
        context: SagaContext,
        fees: FeeTerms,
        own: Sequence[Wallet],
        balances: dict[str, Balance],
        allowances: Allowances,
    ) -> None:
        self._context = context
        self._fees = fees
        self._wallets = list(own)
        self._live = {wallet.id: wallet.live_transfers for wallet in own}
        self._balances = balances
        self._allowances = dict(allowances)
        self._groups: list[_Group] = []
        self._low_water_wei = 0

    async def plan(
        self, connection: AsyncConnection, candidates: Sequence[Candidate], situation: Situation
    ) -> Plan:
        """Decide each candidate with all before it in flight, and put together what may go together."""
        plan, most = Plan(), situation.policy_set.most_in_batch
        if situation.policy_set.gas is not None:
            # Below its mark a wallet waits for its top-up.
            self._low_water_wei = situation.policy_set.gas.below_wei
        for candidate in candidates:
            if situation.now > candidate.payment.not_after:
                plan.expired.append(candidate)
                continue
            group = self._group_for(candidate, most)
            wallet = group.wallet if group else self._wallet_for(candidate)
            if wallet is None:
                plan.later[candidate.payment.id] = self._why_no_wallet(candidate)
                continue
            code = wallet_account(wallet.id, candidate.payment.asset).code
            decided = decide(candidate, situation, self._available(code))
            passes = await self._passes(connection, candidate, decided, situation)
            drift = await drifted(connection, candidate, decided, situation) if passes else NONE
            if drift.unknown:
                what = " and ".join(drift.unknown)
                plan.later[candidate.payment.id] = f"{what} must be known to tell what drifted"
            elif drift.reasons:
                digest = candidate.payment.order_digest
                plan.again.append(Again(candidate, decided, drift.reasons, digest))
            elif passes:
                plan.executing.append((candidate, decided))
                self._take(candidate, wallet, group)
                situation = situation.after(
                    candidate, token_balances(self._context, self._balances.values())
                )
            elif decided.ends:
                plan.denied.append((candidate, decided))
            elif decided.decision.outcome is Outcome.DENY:
                plan.later[candidate.payment.id] = decided.decision.explanation
            else:
                plan.asking.append((candidate, decided))
        for group in self._groups:
            plan.transfers.append(self._transfer(group))
            plan.holds += self._holds(group)
        return plan

    async def _passes(
        self,
        connection: AsyncConnection,
        candidate: Candidate,
        decided: Decided,
        situation: Situation,
    ) -> bool:
        requirement = decided.decision.requirement
        if decided.decision.outcome is Outcome.ALLOW:
            return True
        if decided.decision.outcome is Outcome.DENY or requirement is None:
            return False
        # Votes that stand for these very bytes count, if they meet what the policy asks now.
        request = await self._context.approvals.approved_request(
            connection,
            candidate.payment.organization_id,
            candidate.payment.id,
            candidate.payment.order_digest,
        )
        return request is not None and request.quorum(requirement, situation.now).met

    def _group_for(self, candidate: Candidate, most: int) -> _Group | None:
        """The first group that has room for it, within what its wallet holds and allows."""
        if candidate.alone:
            return None
        for group in self._groups:
            wallet_id, payments = group.wallet.id, len(group.members)
            if payments >= most or group.members[0].alone or not group.alike(candidate):
                continue
            token = wallet_account(wallet_id, candidate.payment.asset).code
            native = wallet_account(wallet_id, self._context.rail.native).code
            more_wei = self._context.fees.budget_wei(payments + 1) - group.gas_wei
            if (
                group.would_move(candidate)
                <= self._allowances.get((wallet_id, candidate.order.token), 0)
                and candidate.amount_minor <= self._available(token)
                and more_wei <= self._available(native)
            ):
                return group
        return None

    def _wallet_for(self, candidate: Candidate) -> Wallet | None:
        """The permitted wallet with a free slot, gas, and the most of the token."""
        native = self._context.rail.native
        fit = [
            wallet
            for wallet in self._free(candidate)
            if self._available(wallet_account(wallet.id, native).code) >= self._least_gas_wei
        ]
        asset = candidate.payment.asset
        return max(
            fit, key=lambda w: self._available(wallet_account(w.id, asset).code), default=None
        )

    def _free(self, candidate: Candidate) -> list[Wallet]:
        """The order's wallets that may send one more."""
        return [w for w in self._permitted(candidate) if self._live[w.id] < MAX_IN_FLIGHT]

    def _permitted(self, candidate: Candidate) -> list[Wallet]:
        """One key may be a wallet of several networks; an order names one of them."""
        order = candidate.order
        return [
            wallet
            for wallet in self._wallets
            if wallet.chain_id == order.chain_id and wallet.address in order.permitted_wallets
        ]

    @property
    def _least_gas_wei(self) -> int:
        return max(self._context.fees.budget_wei(1), self._low_water_wei)

    def _why_no_wallet(self, candidate: Candidate) -> str:
        native = self._context.rail.native
        if self._free(candidate):
            needed = format_minor(self._least_gas_wei, native)
            return f"its wallets have less than the {needed} held for gas; fill one of them up"
        if self._permitted(candidate):
            return f"each of its wallets has {MAX_IN_FLIGHT} transfers in flight"
        return "none of its wallets is active"

    def _available(self, code: str) -> int:
        balance = self._balances.get(code)
        return balance.available_minor if balance else 0

    def _take(self, candidate: Candidate, wallet: Wallet, group: _Group | None) -> None:
        """Put it into `group`, or into a slot of its own."""
        if group is None:
            group = _Group(TransferId(self._context.new_id()), wallet)
            self._groups.append(group)
            self._live[wallet.id] += 1
        else:
            self._allowances[wallet.id, candidate.order.token] -= group.would_move(candidate)
        group.members.append(candidate)
        gas_wei = self._context.fees.budget_wei(len(group.members))
        self._hold(wallet_account(wallet.id, candidate.payment.asset).code, candidate.amount_minor)
        self._hold(
            wallet_account(wallet.id, self._context.rail.native).code, gas_wei - group.gas_wei
        )
        group.gas_wei = gas_wei

    def _hold(self, code: str, amount: int) -> None:
        balance = self._balances[code]
        self._balances[code] = replace(balance, held_minor=balance.held_minor + amount)

    def _transfer(self, group: _Group) -> Transfer:
        first = group.members[0]
        return Transfer(
            id=group.transfer_id,
            organization_id=first.payment.organization_id,
            wallet_id=group.wallet.id,
            chain_id=first.order.chain_id,
            sender=group.wallet.address,
            token=first.order.token,
            disperse=self._context.rail.disperse if len(group.members) > 1 else None,
            state=TransferState.RESERVED,
            nonce=None,
            fees=replace(self._fees, gas_limit=self._context.fees.gas_limit_of(len(group.members))),
            call_digest=None,
            block_number=None,
            block_hash=None,
            tries=0,
            sent_at=None,
            created_at=self._context.clock(),
            items=tuple(
                TransferItem(
                    payment_id=member.payment.id,
                    recipient=member.order.items[0].recipient,
                    amount_minor=member.amount_minor,
                    reporting_amount_minor=member.payment.reporting_amount_minor,
                    order_digest=member.payment.order_digest,
                )
                for member in group.members
            ),
        )

    def _holds(self, group: _Group) -> list[Hold]:
        """One for each payment's amount, and one for the gas of the transaction."""
        native = wallet_account(group.wallet.id, self._context.rail.native)
        wanted: list[tuple[str, int, PaymentId | None]] = [
            (
                wallet_account(group.wallet.id, member.payment.asset).code,
                member.amount_minor,
                member.payment.id,
            )
            for member in group.members
        ]
        wanted.append((native.code, group.gas_wei, None))
        return [
            Hold(
                HoldId(self._context.new_id()),
                self._balances[code].account_id,
                group.transfer_id,
                payment_id,
                amount,
            )
            for code, amount, payment_id in wanted
        ]


def token_balances(context: SagaContext, balances: Iterable[Balance]) -> list[Balance]:
    """What can be paid with: all but gas money."""
    native = context.rail.native.symbol
    return [balance for balance in balances if balance.asset.symbol != native]
