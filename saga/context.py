"""Owns what the steps work with. Must never hold the signer: only the sign step is given that."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from saga.failpoints import Failpoint
from saga.leases import Leased
from saga.transfer import NextAttempt, TransferState
from treasurer.approvals.service import ApprovalService
from treasurer.chain.fees import FeeCaps, budget_wei
from treasurer.chain.pinning import TokenCheck
from treasurer.chain.port import Chain
from treasurer.db.engine import Database
from treasurer.kernel.clock import Clock
from treasurer.kernel.ids import NewId, TransferId
from treasurer.payments.outcomes import PaymentOutcomes
from treasurer.payments.rail import Rail
from treasurer.policies.service import PolicyService
from treasurer.prices.feed import PriceFeed


class TokenGuard(Protocol):
    """Says whether a token is still what was pinned; asked before each signature."""

    async def check(self, token: str) -> TokenCheck:
        """Raises Transient while nobody answers."""


Resign = Callable[[Leased, TransferState, Sequence[NextAttempt]], Awaitable[Sequence[TransferId]]]
"""Has later attempts of slots signed and persisted; what it returns may be sent."""


GAS_OF_ANOTHER = 60_000
"""Units for each further payment of a batch. A proxied stablecoin to a new holder takes 45,000 or so."""


@dataclass(frozen=True, slots=True)
class FeePolicy:
    """What a transfer may cost: units of gas for one payment, and wei a unit for it and its cancel."""

    gas_limit: int
    caps: FeeCaps

    def gas_limit_of(self, payments: int) -> int:
        """The limit of a transfer of so many payments; never above what they would have singly."""
        return self.gas_limit + (payments - 1) * min(GAS_OF_ANOTHER, self.gas_limit)

    def budget_wei(self, payments: int) -> int:
        """What is held for the gas of one transfer: enough for whichever of its attempts is mined."""
        return budget_wei(self.gas_limit_of(payments), self.caps)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long steps wait before they look again, and how long a lease lasts.

    After `rebroadcast` without a receipt the same bytes go out again; after `bump` an attempt that
    was not mined is replaced by one at higher fees.
    """

    lease_s: int = 20
    poll: timedelta = timedelta(milliseconds=400)
    retry: timedelta = timedelta(seconds=5)
    rebroadcast: timedelta = timedelta(seconds=15)
    bump: timedelta = timedelta(seconds=45)


@dataclass(frozen=True, slots=True)
class SagaContext:
    """Dependencies of every step."""

    database: Database
    chain: Chain
    tokens: TokenGuard
    rail: Rail
    fees: FeePolicy
    pace: Pace
    clock: Clock
    new_id: NewId
    prices: PriceFeed
    policies: PolicyService
    approvals: ApprovalService
    outcomes: PaymentOutcomes
    failpoint: Failpoint
