"""Withdrawals, delegations and second proofs over REST."""

from typing import Any

from tests.support.api import ApiWorld
from tests.support.identity import PASSWORD
from tests.support.invoices import printed
from treasurer.kernel.organization import Role

APPROVALS = "/api/v1/approvals"


async def _waiting(world: ApiWorld) -> dict[str, Any]:
    await world.set_up()
    await world.paid_for(printed("HF-2", "4150.00 USDC"))
    (request,) = (await world.get(APPROVALS)).json()["items"]
    return dict(request)


def _vote(request: dict[str, Any], **more: str) -> dict[str, str]:
    return {"choice": "approve", "order_digest": request["order_digest"], **more}


async def test_a_vote_is_withdrawn_before_the_payment_is_reserved(world: ApiWorld) -> None:
    request = await _waiting(world)
    path = f"{APPROVALS}/{request['id']}/votes"
    assert (await world.post(path, "approver", _vote(request))).json()["state"] == "approved"
    successor = await world.post(f"{path}/withdrawal", "approver", None)
    assert (successor.status_code, successor.json()["state"]) == (200, "open")
    assert successor.json()["id"] != request["id"]
    assert successor.json()["expires_at"] == request["expires_at"]
    (vote,) = successor.json()["votes"]
    assert vote["withdrawn_at"] == "2026-11-22T10:00:00.000000Z"
    payment = (await world.get(f"/api/v1/payments/{request['payment_id']}")).json()
    assert payment["state"] == "awaiting_approval"
    none = await world.post(f"{APPROVALS}/{successor.json()['id']}/votes/withdrawal", "cfo", None)
    assert (none.status_code, none.json()["code"]) == (409, "NO_VOTE")


async def test_a_delegate_votes_and_the_request_says_for_whom(world: ApiWorld) -> None:
    request = await _waiting(world)
    people = world.organization
    lent = await world.post(
        "/api/v1/delegations",
        "cfo",
        {"delegate_id": str(people.approver.user_id), "ends_at": "2026-11-29T10:00:00Z"},
    )
    assert lent.status_code == 201
    detail = (await world.get(f"{APPROVALS}/{request['id']}", "approver")).json()
    assert detail["may_vote_for"] == [str(people.cfo.user_id)]
    voted = await world.post(
        f"{APPROVALS}/{request['id']}/votes",
        "approver",
        _vote(request, for_user_id=str(people.cfo.user_id)),
    )
    (vote,) = voted.json()["votes"]
    assert (vote["for_user_id"], vote["roles"]) == (str(people.cfo.user_id), ["cfo"])
    for person in ("cfo", "approver"):
        (seen,) = (await world.get("/api/v1/delegations", person)).json()
        assert seen == lent.json()
    path = f"/api/v1/delegations/{lent.json()['id']}/revocation"
    assert (await world.post(path, "approver", None)).status_code == 404
    assert (await world.post(path, "cfo", None)).status_code == 200
    assert (await world.get("/api/v1/delegations", "cfo")).json() == []


async def _with_password(world: ApiWorld) -> dict[str, str]:
    email = f"vera.{world.organization.id.hex}@norwick.test"
    await world.services.identity.create_user(
        world.organization.administrator,
        email=email,
        name="Vera Lind",
        roles=frozenset({Role.CFO}),
        password=PASSWORD,
    )
    session = await world.services.identity.session_for(email)
    return {"Authorization": f"Bearer {session.access_token}"}


async def test_above_the_threshold_an_approval_wants_a_second_proof(world: ApiWorld) -> None:
    request = await _waiting(world)
    vera = await _with_password(world)
    client, votes = world.client, f"{APPROVALS}/{request['id']}/votes"

    async def threshold(minor: str | None) -> int:
        answer = await client.put(
            f"{APPROVALS}/settings", headers=vera, json={"step_up_above_minor": minor}
        )
        return answer.status_code

    assert await threshold("415000") == 200
    at_the_threshold = (await client.get(f"{APPROVALS}/{request['id']}", headers=vera)).json()
    assert at_the_threshold["step_up_within_s"] is None
    assert await threshold("414999") == 200
    above = (await client.get(f"{APPROVALS}/{request['id']}", headers=vera)).json()
    assert above["step_up_within_s"] == 600
    # Whoever holds only the session can neither approve nor loosen.
    refused = await client.post(votes, headers=vera, json=_vote(request))
    assert (refused.status_code, refused.json()["code"]) == (403, "STEP_UP_REQUIRED")
    assert [await threshold(minor) for minor in ("415000", None)] == [403, 403]
    wrong = await client.post("/api/v1/auth/step-up", headers=vera, json={"password": "no"})
    assert (wrong.status_code, wrong.json()["code"]) == (401, "CREDENTIALS_REFUSED")
    right = await client.post("/api/v1/auth/step-up", headers=vera, json={"password": PASSWORD})
    assert right.status_code == 204
    world.clock.advance(seconds=601)
    late = await client.post(votes, headers=vera, json=_vote(request))
    assert late.json()["code"] in ("STEP_UP_REQUIRED", "TOKEN_EXPIRED")
    await client.post("/api/v1/auth/step-up", headers=vera, json={"password": PASSWORD})
    done = await client.post(votes, headers=vera, json=_vote(request))
    assert (done.status_code, done.json()["state"]) == (200, "approved")


async def test_the_threshold_of_the_second_proof_is_written_in_ascii_digits(
    world: ApiWorld,
) -> None:
    headers = await world.bearer("cfo")
    answer = await world.client.put(
        f"{APPROVALS}/settings", headers=headers, json={"step_up_above_minor": "٤٥٠"}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "REQUEST_INVALID")
    assert (await world.get(f"{APPROVALS}/settings")).json()["step_up_above_minor"] is None


async def test_a_rejection_wants_no_second_proof(world: ApiWorld) -> None:
    request = await _waiting(world)
    settings = {"step_up_above_minor": "0"}
    headers = await world.bearer("administrator")
    assert (
        await world.client.put(f"{APPROVALS}/settings", headers=headers, json=settings)
    ).status_code == 200
    body = {**_vote(request), "choice": "reject", "reason": "Never ordered."}
    answer = await world.post(f"{APPROVALS}/{request['id']}/votes", "approver", body)
    assert (answer.status_code, answer.json()["state"]) == (200, "refused")


async def test_other_details_of_a_payee_need_two_people_and_a_call(world: ApiWorld) -> None:
    payee = (await world.set_up())["V-001"]
    path = f"/api/v1/payees/{payee.id}/changes"
    proposed = await world.post(path, "clerk", {"email": "pay@halden.example"})
    assert (proposed.status_code, proposed.json()["state"]) == (201, "proposed")
    call = {
        "spoke_to": "Ane Halden",
        "called_at": "2026-11-22T10:00:00Z",
        "note": "Number from the contract of 2024.",
        "number": "+47 21 00 10 00",
    }
    confirm = f"{path}/{proposed.json()['id']}/confirmation"
    own = await world.post(confirm, "clerk", {"call_back": call})
    assert (own.status_code, own.json()["code"]) == (403, "CHANGE_OWN")
    uncalled = await world.post(confirm, "administrator", {"call_back": {**call, "number": ""}})
    assert (uncalled.status_code, uncalled.json()["code"]) == (422, "CALL_BACK_NUMBER")
    done = await world.post(confirm, "administrator", {"call_back": call})
    assert (done.status_code, done.json()["state"]) == (200, "confirmed")
    seen = (await world.get(f"/api/v1/payees/{payee.id}")).json()
    assert seen["email"] == "pay@halden.example"
    assert seen["cooling_off_until"] == done.json()["cooling_off_until"]
    # What was changed cools off: nothing is paid to it yet.
    paid = await world.paid_for(printed("HF-3", "4150.00 USDC"))
    assert (paid["state"], "cool" in paid["explanation"]) == ("denied", True)
