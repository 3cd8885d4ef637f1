"""Owns what the steps work with. Must never hold the signer: only the sign step is given that."""

from dataclasses import dataclass
from datetime import timedelta

from saga.failpoints import Failpoint
from treasurer.approvals.service import ApprovalService
from treasurer.chain.port import Chain
from treasurer.db.engine import Database
from treasurer.kernel.clock import Clock
from treasurer.kernel.ids import NewId
from treasurer.payments.outcomes import PaymentOutcomes
from treasurer.payments.rail import Rail
from treasurer.policies.service import PolicyService
from treasurer.prices.feed import PriceFeed


@dataclass(frozen=True, slots=True)
class FeePolicy:
    """What a transfer may cost, wei a unit of gas. The cancel's cap lies above the payment's."""

    gas_limit: int
    payment_cap_wei: int
    cancel_cap_wei: int

    def __post_init__(self) -> None:
        if self.cancel_cap_wei <= self.payment_cap_wei:
            raise ValueError("a cancel must be able to outbid its payment")


@dataclass(frozen=True, slots=True)
class Pace:
    """How long steps wait before they look again, and how long a lease lasts."""

    lease_s: int = 20
    poll: timedelta = timedelta(milliseconds=400)
    retry: timedelta = timedelta(seconds=5)
    rebroadcast: timedelta = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class SagaContext:
    """Dependencies of every step."""

    database: Database
    chain: Chain
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
