"""Windows under concurrency (I16): in whichever order workers reserve, no sum passes its limit, nothing is
refused that would have fitted, and the sums are those of what is in flight.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from saga import leases, store
from saga.leases import Leased
from saga.steps.reserve import reserve
from saga.steps.slot import slot
from saga.transfer import TransferState
from tests.saga.test_scoped_windows import use
from tests.support.treasury import Treasury
from treasurer.kernel.ids import PaymentId
from treasurer.payments.model import PaymentState

PAYEE_CENTS, ORGANIZATION_CENTS = 100_000, 150_000
WINDOWS = (
    "  windows: [{by: payee, over: 7 days, at_most: 1000.00 USD}]\n"
    "  rolling_24h:\n    at_most: 1500.00 USD\n"
)
WORKERS = 3


@dataclass(frozen=True)
class Wanted:
    """A payment to `payee`, reserved by the worker of that number."""

    payee: str
    cents: int
    worker: int


wanted = st.lists(
    st.builds(
        Wanted,
        payee=st.sampled_from(["V-001", "V-002"]),
        # Rarely small: a refusal is what is looked for.
        cents=st.integers(1, 90_000) | st.integers(30_000, 90_000),
        worker=st.integers(0, WORKERS - 1),
    ),
    min_size=2,
    max_size=7,
)


async def reserve_beside(
    treasury: Treasury, proposed: Sequence[tuple[PaymentId, Wanted]]
) -> list[int]:
    """Each worker reserves its payments as one set, all workers at once."""
    sets = [[id_ for id_, one in proposed if one.worker == number] for number in range(WORKERS)]
    made = await asyncio.gather(
        *(reserve(treasury.context(), treasury.organization.id, ids) for ids in sets if ids)
    )
    return [len(transfers) for transfers in made]


async def propose(treasury: Treasury, work: Sequence[Wanted]) -> list[tuple[PaymentId, Wanted]]:
    payments = [
        await treasury.propose(f"W-{uuid7()}", one.cents * 10_000, one.payee) for one in work
    ]
    unlike = [p.explanation for p in payments if p.state is not PaymentState.APPROVED]
    assert unlike == []
    return [(payment.id, one) for payment, one in zip(payments, work, strict=True)]


async def in_flight(treasury: Treasury) -> tuple[int, dict[str, int]]:
    """The organization's sum and each payee's, in cents, as the books of windows have them."""
    ((whole,),) = await treasury.rows("SELECT in_flight_minor FROM budgets")
    rows = await treasury.rows(
        "SELECT p.code, s.amount_minor FROM scoped_in_flight s JOIN payees p ON p.id::text = s.key"
        " WHERE s.scope = 'payee' AND s.amount_minor > 0"
    )
    return int(str(whole)), {str(code): int(str(cents)) for code, cents in rows}


async def states(treasury: Treasury) -> dict[PaymentId, str]:
    rows = await treasury.rows("SELECT id, state FROM payments")
    return {PaymentId(row[0]): str(row[1]) for row in rows}  # type: ignore[arg-type]


def sums(executing: Sequence[Wanted]) -> tuple[int, dict[str, int]]:
    by_payee = {
        payee: sum(one.cents for one in executing if one.payee == payee)
        for payee in {one.payee for one in executing}
    }
    return sum(by_payee.values()), by_payee


async def void(treasury: Treasury, ids: Collection[PaymentId]) -> None:
    """What the pump does with reserved transfers whose payee is suspended, for these payments alone."""
    context, organization_id = treasury.context(), treasury.organization.id
    async with treasury.database.claims() as connection:
        claimed = await leases.claim(connection, now=treasury.clock(), lease_s=30, most=100)
    leased = Leased(organization_id, claimed[organization_id][TransferState.RESERVED])
    async with treasury.database.sets(organization_id) as connection:
        transfers = await store.load(connection, leased, TransferState.RESERVED)
    stopped = [t for t in transfers if ids & {item.payment_id for item in t.items}]
    assert await slot(context, leased.only([t.id for t in stopped]), stopped) == []
    await treasury.execute("UPDATE transfers SET lease_until = NULL WHERE state = 'reserved'")


async def stop_everything(treasury: Treasury) -> None:
    """Void what is reserved, as a freeze does, and give it up."""
    await treasury.execute("UPDATE organizations SET frozen = true")
    pump = treasury.pump()
    async with asyncio.timeout(30):
        while await treasury.rows("SELECT FROM transfers WHERE state <> 'void'"):
            await pump.pass_once()
    assert await in_flight(treasury) == (0, {})
    await treasury.execute("UPDATE payments SET state = 'expired' WHERE state = 'approved'")
    await treasury.execute("UPDATE organizations SET frozen = false")
    await treasury.execute("UPDATE payees SET state = 'active'")


# Not shrunk: what a race did depends on more than its input, and an example takes a second.
@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(first=wanted, second=wanted)
async def test_every_serialisation_keeps_the_windows(
    treasury: Treasury, first: list[Wanted], second: list[Wanted]
) -> None:
    """First, workers reserve beside each other. Then a payee's are voided while more is reserved."""
    if not await treasury.rows("SELECT FROM policy_sets WHERE state = 'superseded'"):
        await use(treasury, "  rolling_24h:\n    at_most: 25000.00 USD\n", WINDOWS)

    await stop_everything(treasury)  # what the last example left

    proposed = await propose(treasury, first)
    more = await propose(treasury, second)
    made = await reserve_beside(treasury, proposed)
    after = await states(treasury)
    executing = [one for id_, one in proposed if after[id_] == "executing"]
    refused = [one for id_, one in proposed if after[id_] == "denied"]
    assert len(executing) + len(refused) == len(first)
    assert sum(made) == len(executing)
    whole, by_payee = sums(executing)
    assert whole <= ORGANIZATION_CENTS
    assert max(by_payee.values(), default=0) <= PAYEE_CENTS
    assert await in_flight(treasury) == (whole, by_payee)
    for one in refused:
        assert (
            whole + one.cents > ORGANIZATION_CENTS
            or by_payee.get(one.payee, 0) + one.cents > PAYEE_CENTS
        )

    await treasury.execute("UPDATE payees SET state = 'suspended' WHERE code = 'V-001'")
    stopped = {id_ for id_, one in proposed if one.payee == "V-001"}
    await asyncio.gather(void(treasury, stopped), reserve_beside(treasury, more))
    after = await states(treasury)
    left = [one for id_, one in proposed + more if after[id_] == "executing"]
    assert {one.payee for one in left} <= {"V-002"}
    whole, by_payee = sums(left)
    assert await in_flight(treasury) == (whole, by_payee)
    assert whole <= PAYEE_CENTS
