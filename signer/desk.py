"""Owns the decision to sign. Must never answer with bytes that the journal does not hold durably.

The order of the checks is the rule: recorded content first (the same request always gets the same
bytes, also frozen, expired or with lower caps), then whatever may refuse something new. A cancel
passes where only money should stop: it moves none, and it is what ends a payment for good.
"""

from collections.abc import Sequence

from signer.caps import (
    Broken,
    allowance_refusal,
    bump_refusal,
    cancel_fee_refusal,
    fee_refusal,
    payment_refusal,
    top_up_refusal,
)
from signer.drafts import Draft, Payments, drafted
from signer.envelope import sealed, unsigned_hash
from signer.freeze import FreezeSwitch
from signer.key_ring import KeyRing
from signer.limits import DEVELOPMENT_CHAIN_ID, Limits
from signer.limits_file import LimitsFile
from signer.nonce_watch import NonceCheck, NonceWatch
from signer.protocol import Answer, Refusal, Signed
from signer.records import AttemptKind, AttemptRecord, SignedRecords, SlotKey, WalletKey
from treasurer.kernel.allowance_order import AllowanceOrder
from treasurer.kernel.clock import Clock, epoch_s
from treasurer.kernel.errors import InvalidInput, Transient
from treasurer.kernel.signing import SignRequest
from treasurer.kernel.top_up_order import TopUpOrder
from treasurer.kernel.transaction import FeeTerms

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

    def answer(self, batches: Sequence[tuple[int, Sequence[SignRequest]]]) -> list[list[Answer]]:
        """Answer each (caller's user id, requests) in order; all durable when this returns.

        Raises OSError if the journal cannot be written: then the process must end unanswered.
        """
        answers = [[self._one(uid, request) for request in requests] for uid, requests in batches]
        self._records.commit()
        return answers

    def signed_for(self, slot: SlotKey) -> list[AttemptRecord]:
        """Every attempt of `slot` that was signed, oldest first."""
        return self._records.all_attempts(slot)

    def _one(self, caller_uid: int, request: SignRequest) -> Answer:
        try:
            draft = drafted(request)
        except InvalidInput as error:
            return Refusal(error.code, error.message)
        recorded = self._records.attempt(draft.slot, draft.attempt)
        if recorded is not None:
            return _recorded_answer(recorded, draft)
        try:
            limits = self._limits.current()
        except InvalidInput as error:
            return Refusal("LIMITS_UNREADABLE", error.message)
        refusal = (
            self._cancelled_refusal(draft)
            or self._place_refusal(caller_uid, limits, draft)
            or self._stop_refusal(draft)
            or self._slot_refusal(draft)
            or self._limit_refusal(limits, draft)
        )
        return refusal or self._sign(draft)

    def _cancelled_refusal(self, draft: Draft) -> Refusal | None:
        if draft.kind is AttemptKind.CANCEL or not self._records.cancelled(draft.slot):
            return None
        return Refusal(
            "SLOT_CANCELLED", "a cancel of this slot was signed; nothing else is signed for it"
        )

    def _place_refusal(self, caller_uid: int, limits: Limits, draft: Draft) -> Refusal | None:
        """Whether this signer signs for this caller, chain and wallet at all."""
        chain_id, wallet, _ = draft.slot
        if chain_id not in limits.chain_ids:
            return Refusal("CHAIN_NOT_PERMITTED", f"chain {chain_id} is not in limits.yaml")
        if chain_id != DEVELOPMENT_CHAIN_ID and not limits.isolates(
            caller_uid=caller_uid, own_uid=self._own_uid
        ):
            return Refusal(
                "ISOLATION_MISSING",
                "signer and caller run as one user, so keys are not isolated: only the development"
                " chain is signed; run the signer as a user of its own",
            )
        if wallet not in limits.wallets or wallet not in self._keys.addresses:
            return Refusal("WALLET_UNKNOWN", f"{wallet} is no wallet of this signer")
        return None

    def _stop_refusal(self, draft: Draft) -> Refusal | None:
        """What stops money: a freeze, and a journal that may have forgotten something."""
        chain_id, wallet, _ = draft.slot
        if draft.kind is AttemptKind.CANCEL:
            # Of a slot that the journal holds, a cancel is safe whatever else was forgotten.
            known = self._records.attempts(draft.slot) > 0
            return None if known else self._journal_refusal((chain_id, wallet))
        frozen = self._freeze.state()
        if frozen is not None:
            return Refusal("FROZEN", f"frozen since {frozen.since}: {frozen.reason}")
        return self._journal_refusal((chain_id, wallet))

    def _journal_refusal(self, wallet: WalletKey) -> Refusal | None:
        if self._records.next_nonce(wallet) is None:
            return Refusal(
                "JOURNAL_MISSING",
                "the journal does not know this wallet; look up its nonce and run"
                " `python -m signer adopt` on the signer's host",
            )
        match self._watch.result(wallet):
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

    def _slot_refusal(self, draft: Draft) -> Refusal | None:
        """Whether slot and attempt number may take this content."""
        chain_id, address, nonce = draft.slot
        count = self._records.attempts(draft.slot)
        if draft.attempt != count + 1:
            return Refusal("ATTEMPT_GAP", f"the next attempt of this slot is number {count + 1}")
        previous = self._records.attempt(draft.slot, count)
        if previous is not None:
            return _later_refusal(previous, draft) or self._moved_refusal(draft)
        wallet = chain_id, address
        if nonce < (self._records.first_nonce(wallet) or 0):
            return Refusal("NONCE_BEFORE_ENROLMENT", "this slot was used before the enrolment")
        if nonce >= (self._records.next_nonce(wallet) or 0) + MAX_AHEAD:
            return Refusal("NONCE_TOO_FAR", f"at most {MAX_AHEAD} slots are signed ahead")
        return self._elsewhere_refusal(draft)

    def _elsewhere_refusal(self, draft: Draft) -> Refusal | None:
        """An order has one slot. Another one is given to who knows the earlier ones and how they ended.

        The signer cannot see that a transaction is final; a database that forgot a slot names none.
        """
        ended = {(draft.slot[0], e.wallet, e.nonce): e.transaction_hash for e in draft.ended}
        for slot in self._slots_of(draft):
            own = {record.transaction_hash for record in self._records.all_attempts(slot)}
            used_by = ended.get(slot)
            if slot not in ended or (used_by is not None and used_by.hex() not in own):
                return Refusal(
                    "ORDER_IN_ANOTHER_SLOT",
                    f"a payment of this request was signed in slot {slot[2]} of {slot[1]}; name the"
                    " transaction that used that slot up",
                )
        return None

    def _moved_refusal(self, draft: Draft) -> Refusal | None:
        """A slot that was said to have ended gets no later attempt of its order."""
        if draft.kind is AttemptKind.CANCEL or self._slots_of(draft)[-1:] in ((), (draft.slot,)):
            return None
        return Refusal("ORDER_IN_ANOTHER_SLOT", "this order was signed in a later slot since")

    def _slots_of(self, draft: Draft) -> tuple[SlotKey, ...]:
        return self._records.slots_of(draft.order_digests, draft.payment_ids)

    def _limit_refusal(self, limits: Limits, draft: Draft) -> Refusal | None:
        fees, chain_id = draft.transaction.fees, draft.transaction.chain_id
        now = self._clock()
        # A later attempt of a slot spends what its first attempt was already counted for.
        window = (
            self._records.signed_in_window(chain_id, draft.asset, epoch_s(now))
            if draft.asset is not None and draft.attempt == 1
            else 0
        )
        broken: Broken | None
        match draft.terms:
            case None:
                replaces = self._highest_order_fees(draft.slot)
                broken = cancel_fee_refusal(limits, fees, replaces=replaces)
                return Refusal(*broken) if broken else None
            case Payments(orders, disperse):
                not_after = min(order.not_after for order in orders)
                broken = payment_refusal(
                    limits, orders, disperse=disperse, signed_in_window_minor=window
                ) or fee_refusal(limits, fees, payments=len(orders))
            case AllowanceOrder() as order:
                not_after = order.not_after
                broken = allowance_refusal(limits, order) or fee_refusal(limits, fees)
            case TopUpOrder() as order:
                not_after = order.not_after
                broken = top_up_refusal(limits, order, signed_in_window_wei=window) or fee_refusal(
                    limits, fees
                )
        if now > not_after:
            return Refusal("ORDER_EXPIRED", "the order's not_after has passed; it needs a new one")
        return Refusal(*broken) if broken else None

    def _highest_order_fees(self, slot: SlotKey) -> FeeTerms | None:
        """Fees only rise within a slot, so the last attempt that is no cancel has the highest."""
        orders = [
            record
            for record in self._records.all_attempts(slot)
            if record.kind is not AttemptKind.CANCEL
        ]
        return orders[-1].fees if orders else None

    def _sign(self, draft: Draft) -> Answer:
        transaction = draft.transaction
        covered = unsigned_hash(transaction)
        try:
            signature = self._keys.sign(transaction.sender, covered)
        except Transient as error:
            return Refusal(error.code, error.message)
        envelope = sealed(transaction, signature)
        record = AttemptRecord(
            kind=draft.kind,
            chain_id=transaction.chain_id,
            wallet=transaction.sender,
            nonce=transaction.nonce,
            attempt=draft.attempt,
            signed_at_s=epoch_s(self._clock()),
            order_digests=draft.order_digests,
            call_digest=transaction.call_digest.hex(),
            unsigned_hash=covered.hex(),
            asset=draft.asset,
            amount=str(draft.amount),
            gas_limit=transaction.fees.gas_limit,
            max_fee_per_gas_wei=transaction.fees.max_fee_per_gas_wei,
            max_priority_fee_per_gas_wei=transaction.fees.max_priority_fee_per_gas_wei,
            transaction_hash=envelope.transaction_hash.hex(),
            raw=envelope.raw.hex(),
            payment_ids=draft.payment_ids,
        )
        self._records.add(record)
        return _signed(record)


def _recorded_answer(recorded: AttemptRecord, draft: Draft) -> Answer:
    if (recorded.unsigned_hash, recorded.order_digests) == (
        unsigned_hash(draft.transaction).hex(),
        draft.order_digests,
    ):
        return _signed(recorded)
    return Refusal(
        "JOURNAL_CONFLICT",
        "this attempt of the slot was signed with other content; that content alone is valid",
    )


def _later_refusal(previous: AttemptRecord, draft: Draft) -> Refusal | None:
    transaction = draft.transaction
    if draft.kind is not AttemptKind.CANCEL and (previous.order_digests, previous.call_digest) != (
        draft.order_digests,
        transaction.call_digest.hex(),
    ):
        return Refusal("SLOT_CALL_CHANGED", "a later attempt of a slot carries the same order")
    broken = bump_refusal(previous.fees, transaction.fees)
    return Refusal(*broken) if broken else None


def _signed(record: AttemptRecord) -> Signed:
    return Signed(record.raw, record.transaction_hash, record.call_digest)
