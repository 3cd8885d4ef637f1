"""Sums by scope: what counts in which, for how long, and that they bind along one reserve."""

from datetime import UTC, datetime, timedelta

from policy.facts import facts_from_json
from policy.scopes import Period, Scope, Window
from saga.steps.reserve import reserve
from tests.saga.test_straight_path import pump_until
from tests.support.treasury import NORWICK, Treasury
from treasurer.payees.sanctions import SanctionsService
from treasurer.payments import windows
from treasurer.payments.model import PaymentState

SETTLED_AT = datetime(2026, 11, 30, 9, 30, 45, tzinfo=UTC)
# 09:30:45 lies in the minute 09:30, which counts whole until all of it is before the window.
REACHES = {
    Period.DAY: timedelta(hours=24),
    Period.WEEK: timedelta(days=7),
    Period.THIRTY_DAYS: timedelta(days=30),
    Period.MONTH: timedelta(hours=14, minutes=29),
}


async def use(treasury: Treasury, old: str, new: str) -> None:
    """Make a changed set the active one past its life cycle, which is not what is tested here."""
    yaml_text = NORWICK.read_text()
    assert yaml_text.count(old) == 1
    stored = await treasury.policies.draft(treasury.organization.cfo, yaml_text.replace(old, new))
    await treasury.execute("UPDATE policy_sets SET state = 'superseded' WHERE state = 'active'")
    await treasury.execute(
        "UPDATE policy_sets SET state = 'active', activated_by = created_by,"
        " activated_at = created_at WHERE id = :id",
        id=stored.id,
    )


async def read(treasury: Treasury, now: datetime, *wanted: tuple[Window, str]) -> list[int]:
    async with treasury.database.unit(treasury.organization.id) as connection:
        found = await windows.sums(connection, treasury.organization.id, wanted, now)
    return [found[key] for key in wanted]


async def test_a_payment_counts_in_each_of_its_scopes(treasury: Treasury) -> None:
    await treasury.execute("UPDATE payees SET category = 'cloud' WHERE code = 'V-001'")
    payment = await treasury.propose("HF-1", 640_000_000)
    async with treasury.database.unit(treasury.organization.id) as connection:
        await windows.take_off(connection, treasury.organization.id, [payment.id])
    assert set(await treasury.rows("SELECT scope, key, amount_minor FROM scoped_in_flight")) == {
        ("organization", "", 64_000),
        ("payee", str(payment.payee_id), 64_000),
        ("initiator", str(payment.initiator_id), 64_000),
        ("asset", "USDC", 64_000),
        ("network", "31337", 64_000),
        ("category", "cloud", 64_000),
    }
    # Its category is that of its proposal: what went up by one comes down by the same.
    await treasury.execute("UPDATE payees SET category = 'rent' WHERE code = 'V-001'")
    async with treasury.database.unit(treasury.organization.id) as connection:
        await windows.come_back(connection, treasury.organization.id, [payment.id])
    assert await treasury.rows("SELECT DISTINCT amount_minor FROM scoped_in_flight") == [(0,)]


async def test_a_settled_payment_counts_until_its_minute_is_out(treasury: Treasury) -> None:
    payment = await treasury.propose("HF-1", 640_000_000)
    organization_id = treasury.organization.id
    keys = {period: (Window(Scope.PAYEE, period), str(payment.payee_id)) for period in Period}
    async with treasury.database.unit(organization_id) as connection:
        await windows.take_off(connection, organization_id, [payment.id])
    much_later = SETTLED_AT + timedelta(days=400)
    assert await read(treasury, much_later, *keys.values()) == [64_000] * len(keys)
    async with treasury.database.unit(organization_id) as connection:
        await windows.land(connection, organization_id, [payment.id], SETTLED_AT)
    for period, key in keys.items():
        last = SETTLED_AT + REACHES[period] + timedelta(seconds=14)
        assert await read(treasury, last, key) == [64_000], period
        assert await read(treasury, last + timedelta(seconds=1), key) == [0], period


async def test_two_in_one_reserve_see_each_other(treasury: Treasury) -> None:
    """A payee's week is 1,000.00: of 600.00 and 500.00, reserved in one set, one passes."""
    await use(
        treasury,
        "  rolling_24h:\n",
        "  windows: [{by: payee, over: 7 days, at_most: 1000.00 USD}]\n  rolling_24h:\n",
    )
    pair = [
        await treasury.propose("HF-1", 600_000_000),
        await treasury.propose("HF-2", 500_000_000),
    ]
    other = await treasury.propose("QL-1", 900_000_000, "V-002")
    ids = [payment.id for payment in (*pair, other)]
    assert len(await reserve(treasury.context(), treasury.organization.id, ids)) == 2
    states = [(await treasury.payment(payment)).state for payment in (*pair, other)]
    assert states == [PaymentState.EXECUTING, PaymentState.DENIED, PaymentState.EXECUTING]
    decisions = await treasury.payments.decisions(treasury.organization.cfo, pair[1].id)
    found = facts_from_json(decisions[0].facts).windows
    assert found is not None
    assert [(str(one.window), one.sum_minor) for one in found] == [("payee.7_days", 60_000)]


async def test_sums_follow_a_payment_to_its_end(treasury: Treasury) -> None:
    paid = await treasury.propose("HF-1", 600_000_000)
    await pump_until(treasury, treasury.pump(), [paid], PaymentState.SETTLED)
    voided = await treasury.propose("HF-2", 300_000_000)
    await reserve(treasury.context(), treasury.organization.id, [voided.id])
    assert await treasury.rows(
        "SELECT amount_minor FROM scoped_in_flight WHERE scope = 'payee'"
    ) == [(30_000,)]
    await treasury.execute("UPDATE organizations SET frozen = true")
    await treasury.pump().pass_once()
    assert await treasury.rows("SELECT DISTINCT amount_minor FROM scoped_in_flight") == [(0,)]
    assert await treasury.rows(
        "SELECT bucket, amount_minor FROM scoped_spending WHERE scope = 'payee' ORDER BY bucket"
    ) == [("day", 60_000), ("minute", 60_000)]


async def test_a_decision_stores_what_is_known_around_the_payment(treasury: Treasury) -> None:
    first = await treasury.propose("HF-1", 600_000_000)
    (before,) = await treasury.payments.decisions(treasury.organization.cfo, first.id)
    known = facts_from_json(before.facts)
    assert known.payee is not None and known.history is not None
    assert (known.payee.category, known.initiator_roles, known.batch) == ("", ("clerk",), 1)
    assert (known.evidence, known.sanctions, known.local_time) == ((), None, None)
    assert (known.history.payments, known.history.to_address) == (0, 0)
    assert known.payee.since is not None and known.payee.address_since is not None
    await pump_until(treasury, treasury.pump(), [first], PaymentState.SETTLED)
    second = await treasury.propose("HF-2", 100_000_000)
    history = facts_from_json(
        (await treasury.payments.decisions(treasury.organization.cfo, second.id))[0].facts
    ).history
    assert history is not None
    assert (history.payments, history.to_address, history.median_minor) == (1, 1, 60_000)


async def test_a_first_payment_is_shown_and_the_next_is_not(treasury: Treasury) -> None:
    await use(
        treasury,
        "  cooling_off: 24 h\n",
        "  cooling_off: 24 h\n  first_payment: {then: ask 1 of cfo}\n",
    )
    first = await treasury.propose("HF-1", 600_000_000)
    assert first.state is PaymentState.AWAITING_APPROVAL
    assert "No payment to this address has settled yet." in first.explanation


async def test_outside_of_business_hours_a_payment_waits_until_they_begin(
    treasury: Treasury,
) -> None:
    hours = (
        'hours: {{zone: Europe/Berlin, days: [{}], from: "00:00", to: "24:00", outside: wait}}\n'
    )
    today = treasury.clock().strftime("%a").lower()
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    far = days[(days.index(today) + 3) % 7]
    await use(treasury, "duplicates:\n", hours.format(far) + "duplicates:\n")
    payment = await treasury.propose("HF-1", 600_000_000)
    assert payment.state is PaymentState.PROPOSED
    assert "outside of business hours" in payment.explanation


async def test_a_payee_on_the_sanctions_list_is_denied(treasury: Treasury) -> None:
    await use(treasury, "duplicates:\n", "sanctions: {max_age: 30 days}\nduplicates:\n")
    unlisted = await treasury.propose("HF-1", 600_000_000)
    assert unlisted.state is PaymentState.PROPOSED
    sanctions = SanctionsService(
        database=treasury.database, clock=treasury.clock, new_id=treasury.context().new_id
    )
    address = treasury.payees["V-001"].addresses[0].address
    await sanctions.load(treasury.organization.cfo, f"Nobody\n{address.upper()}\n".encode())
    listed = await treasury.propose("HF-2", 600_000_000)
    assert listed.state is PaymentState.DENIED
    assert "The sanctions list names 0X" in listed.explanation
    other = await treasury.propose("QL-1", 600_000_000, "V-002")
    assert other.state is PaymentState.APPROVED
