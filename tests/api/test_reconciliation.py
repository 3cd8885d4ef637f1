"""The last reconciliation as programs read it."""

from datetime import timedelta

from uuid_utils.compat import uuid7

from tests.support.api import ApiWorld
from tests.support.clock import START
from treasurer.audit.reconciliation import store
from treasurer.audit.reconciliation.model import Check, InFlight, Report, Result, Violation

WHERE = "/api/v1/audit/reconciliation"


async def test_the_last_reconciliation_is_served(world: ApiWorld) -> None:
    missing = await world.get(WHERE, person="auditor")
    assert (missing.status_code, missing.json()["code"]) == (404, "RECONCILIATION_NONE")
    check = Check("I8.held", "What an account holds back is the sum of its placed holds.")
    violation = Violation(
        "I8.held", "HELD_IS_NOT_ITS_HOLDS", {"code": "wallet:1:USDC"}, {"held": 7}
    )
    wallet, transfer, id_ = str(uuid7()), str(uuid7()), uuid7()
    report = Report(
        START,
        START + timedelta(seconds=1),
        42,
        (Result(check, 1, (violation,)),),
        (InFlight(wallet, transfer, "USDC", -5, "mined, not yet booked"),),
        {"I11": "a property of the rules"},
    )
    async with world.services.database.unit(world.organization.id) as connection:
        await store.finish(connection, world.organization.id, id_, report)
    assert (await world.get(WHERE, person="auditor")).json() == {
        "id": str(id_),
        "started_at": "2026-11-22T10:00:00.000000Z",
        "finished_at": "2026-11-22T10:00:01.000000Z",
        "block_number": 42,
        "clean": False,
        "violations": 1,
        "checks": [
            {
                "id": "I8.held",
                "says": check.says,
                "holds": False,
                "failed": None,
                "count": 1,
                "violations": [
                    {
                        "code": "HELD_IS_NOT_ITS_HOLDS",
                        "about": {"code": "wallet:1:USDC"},
                        "numbers": {"held": "7"},
                    }
                ],
            }
        ],
        "in_flight": [
            {
                "wallet_id": wallet,
                "transfer_id": transfer,
                "asset": "USDC",
                "amount_minor": "-5",
                "why": "mined, not yet booked",
            }
        ],
        "unchecked": {"I11": "a property of the rules"},
    }


async def test_a_clerk_does_not_read_it(world: ApiWorld) -> None:
    assert (await world.get(WHERE, person="clerk")).status_code == 403
