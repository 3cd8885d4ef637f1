"""Owns the decision to sign. Must never answer with bytes that the journal does not hold durably.

The order of the checks is the rule: recorded content first (the same request always gets the same
bytes, also frozen, expired or with lower caps), then whatever may refuse something new.
"""

from collections.abc import Sequence

from signer.caps import bump_refusal, fee_refusal, order_refusal
from signer.envelope import sealed, unsigned_hash
from signer.freeze import FreezeSwitch
from signer.keys import KeyRing
from signer.limits import DEVELOPMENT_CHAIN_ID, LimitsFile
from signer.nonce_watch import NonceCheck, NonceWatch
from signer.protocol import Answer, PaymentRequest, Refusal, Signed
from signer.records import PaymentRecord, SignedRecords
from treasurer.kernel.clock import Clock, epoch_s
from treasurer.kernel.digest import digest
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.order import ExecutionOrder, parse_order
from treasurer.kernel.transaction import FeeTerms, UnsignedTransaction, payment_transaction

MAX_AHEAD = 16
"""How far a slot may lie ahead of the highest signed one: as many as may be in flight a wallet."""


class SigningDesk:
    """Keys, limits, journal and stop switch together. Answers batches, one fsync each."""

    def __init__(
        self,
        *,
        keys: KeyRing,
        limits: LimitsFile,
        records: SignedRecords,
        freeze: FreezeSwitch,
        watch: NonceWatch,
        clock: Clock,
        own_uid: int,
    ) -> None:
        self._keys = keys
        self._limits = limits
        self._records = records
        self._freeze = freeze
        self._watch = watch
        self._clock = clock
        self._own_uid = own_uid

    def answer(self, batches: Sequence[tuple[int, Sequence[PaymentRequest]]]) -> list[list[Answer]]:
        """Answer each (caller's user id, requests) in order; all durable when this returns.

        Raises OSError if the journal cannot be written: then the process must end unanswered.
        """
        answers = [[self._one(uid, request) for request in requests] for uid, requests in batches]
        self._records.commit()
        return answers

    def _one(self, caller_uid: int, request: PaymentRequest) -> Answer:
        try:
            order = parse_order(request.order)
        except InvalidInput as error:
            return Refusal(error.code, error.message)
        if request.sender not in order.permitted_wallets:
            return Refusal("WALLET_NOT_PERMITTED", "the order does not permit this wallet")
        transaction = payment_transaction(
            order, sender=request.sender, nonce=request.nonce, fees=request.fees
        )
        slot = order.chain_id, request.sender, request.nonce
        recorded = self._records.attempt(slot, request.attempt)
        if recorded is not None:
            return _recorded_answer(recorded, request, transaction)
        refusal = (
            self._place_refusal(caller_uid, order, request)
            or self._attempt_refusal(order, request, transaction)
            or self._limit_refusal(order, request.fees, first=request.attempt == 1)
        )
        return refusal or self._sign(order, request, transaction)

    def _place_refusal(
        self, caller_uid: int, order: ExecutionOrder, request: PaymentRequest
    ) -> Refusal | None:
        """Whether this signer signs at all: limits, chain, wallet, isolation, freeze, journal."""
        try:
            limits = self._limits.current()
        except InvalidInput as error:
            return Refusal("LIMITS_UNREADABLE", error.message)
        if order.chain_id not in limits.chain_ids:
            return Refusal("CHAIN_NOT_PERMITTED", f"chain {order.chain_id} is not in limits.yaml")
        if order.chain_id != DEVELOPMENT_CHAIN_ID and not limits.isolates(
            caller_uid=caller_uid, own_uid=self._own_uid
        ):
            return Refusal(
                "ISOLATION_MISSING",
                "signer and caller run as one user, so keys are not isolated: only the development"
                " chain is signed; run the signer as a user of its own",
            )
        if request.sender not in limits.wallets or request.sender not in self._keys.addresses:
            return Refusal("WALLET_UNKNOWN", f"{request.sender} is no wallet of this signer")
        frozen = self._freeze.state()
        if frozen is not None:
            return Refusal("FROZEN", f"frozen since {frozen.since}: {frozen.reason}")
        return self._journal_refusal(order.chain_id, request.sender)

    def _journal_refusal(self, chain_id: int, wallet: str) -> Refusal | None:
        if self._records.next_nonce((chain_id, wallet)) is None:
            return Refusal(
                "JOURNAL_MISSING",
                "the journal does not know this wallet; look up its nonce and run"
                " `python -m signer adopt` on the signer's host",
            )
        match self._watch.result((chain_id, wallet)):
            case NonceCheck.PENDING:
                return Refusal("CHAIN_UNCHECKED", "the wallet's nonce was not yet checked; retry")
            case NonceCheck.BEHIND:
                return Refusal(
                    "JOURNAL_BEHIND",
                    "the chain has transactions of this wallet that this journal never signed; find"
                    " out who sent them, then run `python -m signer adopt` on the signer's host",
                )
            case NonceCheck.CURRENT | NonceCheck.NOT_CONFIGURED:
                return None

    def _attempt_refusal(
        self, order: ExecutionOrder, request: PaymentRequest, transaction: UnsignedTransaction
    ) -> Refusal | None:
        """Whether slot and attempt number may take this content."""
        wallet = order.chain_id, request.sender
        slot = (*wallet, request.nonce)
        count = self._records.attempts(slot)
        if request.attempt != count + 1:
            return Refusal("ATTEMPT_GAP", f"the next attempt of this slot is number {count + 1}")
        previous = self._records.attempt(slot, count)
        if previous is not None:
            return _later_refusal(previous, request, transaction)
        if request.nonce < (self._records.first_nonce(wallet) or 0):
            return Refusal("NONCE_BEFORE_ENROLMENT", "this slot was used before the enrolment")
        if request.nonce >= (self._records.next_nonce(wallet) or 0) + MAX_AHEAD:
            return Refusal("NONCE_TOO_FAR", f"at most {MAX_AHEAD} slots are signed ahead")
        return None

    def _limit_refusal(
        self, order: ExecutionOrder, fees: FeeTerms, *, first: bool
    ) -> Refusal | None:
        now = self._clock()
        if now > order.not_after:
            return Refusal("ORDER_EXPIRED", "the order's not_after has passed; it needs a new one")
        limits = self._limits.current()
        window = self._records.signed_in_window(order.chain_id, order.token, epoch_s(now))
        # A later attempt of a slot spends what its first attempt was already counted for.
        broken = order_refusal(
            limits, order, signed_in_window_minor=window if first else 0
        ) or fee_refusal(limits, fees)
        return Refusal(*broken) if broken else None

    def _sign(
        self, order: ExecutionOrder, request: PaymentRequest, transaction: UnsignedTransaction
    ) -> Signed:
        covered = unsigned_hash(transaction)
        envelope = sealed(transaction, self._keys.sign(request.sender, covered))
        (item,) = order.items
        record = PaymentRecord(
            chain_id=order.chain_id,
            wallet=request.sender,
            nonce=request.nonce,
            attempt=request.attempt,
            signed_at_s=epoch_s(self._clock()),
            order_digest=digest(request.order).hex(),
            call_digest=transaction.call_digest.hex(),
            unsigned_hash=covered.hex(),
            token=order.token,
            recipient=item.recipient,
            amount_minor=str(item.amount_minor),
            gas_limit=transaction.fees.gas_limit,
            max_fee_per_gas_wei=transaction.fees.max_fee_per_gas_wei,
            max_priority_fee_per_gas_wei=transaction.fees.max_priority_fee_per_gas_wei,
            transaction_hash=envelope.transaction_hash.hex(),
            raw=envelope.raw.hex(),
        )
        self._records.add(record)
        return _signed(record)


def _recorded_answer(
    recorded: PaymentRecord, request: PaymentRequest, transaction: UnsignedTransaction
) -> Answer:
    same = (recorded.unsigned_hash, recorded.order_digest) == (
        unsigned_hash(transaction).hex(),
        digest(request.order).hex(),
    )
    if same:
        return _signed(recorded)
    return Refusal(
        "JOURNAL_CONFLICT",
        "this attempt of the slot was signed with other content; that content alone is valid",
    )


def _later_refusal(
    previous: PaymentRecord, request: PaymentRequest, transaction: UnsignedTransaction
) -> Refusal | None:
    if (previous.order_digest, previous.call_digest) != (
        digest(request.order).hex(),
        transaction.call_digest.hex(),
    ):
        return Refusal("SLOT_CALL_CHANGED", "a later attempt of a slot carries the same order")
    broken = bump_refusal(previous.fees, transaction.fees)
    return Refusal(*broken) if broken else None


def _signed(record: PaymentRecord) -> Signed:
    return Signed(record.raw, record.transaction_hash, record.call_digest)
