"""Allowances over REST: one person proposes, another confirms; nobody alone."""

from tests.support.api import ApiWorld
from treasurer.payments import wallets

ALLOWANCES = "/api/v1/allowances"


async def test_one_proposes_and_another_confirms(world: ApiWorld) -> None:
    await world.set_up()
    async with world.services.database.unit(world.organization.id) as connection:
        (own,) = await wallets.active(connection, world.organization.id, 31337)
    body = {"wallet": own.address, "asset": "USDC", "amount_minor": "5000000000"}
    refused = await world.post(ALLOWANCES, "clerk", body)
    assert (refused.status_code, refused.json()["code"]) == (403, "PERMISSION_MISSING")
    made = await world.post(ALLOWANCES, "cfo", body)
    assert made.status_code == 201
    view = made.json()
    assert (view["state"], view["amount_minor"]) == ("proposed", "5000000000")
    assert (view["wallet"], view["spender"]) == (own.address, "0x" + "d1" * 20)
    path = f"{ALLOWANCES}/{made.json()['id']}"
    alone = await world.post(f"{path}/confirmation", "cfo", {})
    assert (alone.status_code, alone.json()["code"]) == (403, "SECOND_PERSON_REQUIRED")
    assert (await world.post(f"{path}/confirmation", "administrator", {})).status_code == 202
    late = await world.post(f"{path}/rejection", "cfo", {})
    assert (late.status_code, late.json()["code"]) == (409, "ALLOWANCE_NOT_OPEN")
    (one,) = (await world.get(ALLOWANCES, "clerk")).json()
    assert (one["state"], one["amount_minor"]) == ("confirmed", "5000000000")
    assert one["confirmed_by"] == str(world.organization.administrator.user_id)
    stranger = await world.post(ALLOWANCES, "cfo", body | {"wallet": "0x" + "ab" * 20})
    assert (stranger.status_code, stranger.json()["code"]) == (404, "WALLET_UNKNOWN")
