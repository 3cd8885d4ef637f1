"""What a block proves of an allowance: the token's event and what it answers have to agree."""

from datetime import UTC, datetime

import pytest
from uuid_utils.compat import uuid7

from saga.evidence import Verdict, examine_allowance
from saga.transfer import Transfer, TransferState
from treasurer.chain.port import Log, Receipt
from treasurer.chain.tokens import APPROVAL_TOPIC
from treasurer.kernel.allowance_order import AllowanceOrder
from treasurer.kernel.ids import AllowanceId, OrganizationId, TransferId, WalletId
from treasurer.kernel.transaction import FeeTerms

NOW = datetime(2026, 11, 27, tzinfo=UTC)
TOKEN, SPENDER, OWNER, STRANGER = ("0x" + digit * 40 for digit in "abcd")
ORDER = AllowanceOrder(
    allowance_id=AllowanceId(uuid7()),
    organization_id=OrganizationId(uuid7()),
    chain_id=31337,
    wallet=OWNER,
    token=TOKEN,
    token_decimals=6,
    spender=SPENDER,
    amount_minor=700,
    not_after=NOW,
)
TRANSFER = Transfer(
    id=TransferId(uuid7()),
    organization_id=ORDER.organization_id,
    wallet_id=WalletId(uuid7()),
    chain_id=31337,
    sender=OWNER,
    token=TOKEN,
    disperse=None,
    state=TransferState.INCLUDED,
    nonce=1,
    fees=FeeTerms(60_000, 2, 1),
    call_digest=None,
    block_number=9,
    block_hash=bytes(32),
    tries=0,
    sent_at=NOW,
    created_at=NOW,
    items=(),
    allowance=ORDER,
)


def approval(amount: int, *, token: str = TOKEN, owner: str = OWNER, spender: str = SPENDER) -> Log:
    words = (bytes.fromhex(each[2:]).rjust(32, b"\0") for each in (owner, spender))
    return Log(token, (APPROVAL_TOPIC, *words), amount.to_bytes(32), 0)


def receipt(*logs: Log, succeeded: bool = True) -> Receipt:
    return Receipt(bytes(32), 9, bytes(32), succeeded, 46_000, 1, logs)


@pytest.mark.parametrize(
    ("found", "allowed", "used", "verdict"),
    [
        (receipt(approval(700)), 700, 0, Verdict.PAID),
        # A batch in a later slot of the same block has used some of it.
        (receipt(approval(700)), 200, 500, Verdict.PAID),
        (receipt(succeeded=False), 0, 0, Verdict.REVERTED),
        (receipt(), 700, 0, Verdict.CONTRADICTION),
        (receipt(approval(701)), 700, 0, Verdict.CONTRADICTION),
        (receipt(approval(700), approval(700)), 700, 0, Verdict.CONTRADICTION),
        (receipt(approval(700, token=STRANGER)), 700, 0, Verdict.CONTRADICTION),
        (receipt(approval(700, owner=STRANGER)), 700, 0, Verdict.CONTRADICTION),
        (receipt(approval(700, spender=STRANGER)), 700, 0, Verdict.CONTRADICTION),
        (receipt(approval(700)), 701, 0, Verdict.CONTRADICTION),
        (receipt(approval(700)), 2**256 - 1, 0, Verdict.CONTRADICTION),
        (receipt(approval(700)), 200, 499, Verdict.CONTRADICTION),
    ],
)
def test_event_and_answer_have_to_agree(
    found: Receipt, allowed: int, used: int, verdict: Verdict
) -> None:
    evidence = examine_allowance(TRANSFER, ORDER, found, allowed=allowed, used=used)
    assert evidence.verdict is verdict
