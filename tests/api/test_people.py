"""Approvals and payees over REST: who may answer, what is shown, and two people for an address."""

from tests.support.api import ApiWorld
from tests.support.invoices import printed
from tests.support.payees import FOREIGN_ADDRESS

APPROVALS = "/api/v1/approvals"
PAYEES = "/api/v1/payees"


async def _waiting(world: ApiWorld, total: str = "4150.00 USDC") -> dict[str, str]:
    await world.set_up()
    await world.paid_for(printed("HF-2", total))
    (request,) = (await world.get(APPROVALS)).json()["items"]
    return dict(request)


async def test_an_open_request_says_what_is_asked_of_whom(world: ApiWorld) -> None:
    request = await _waiting(world)
    group = [{"roles": ["approver", "cfo"], "count": 1}]
    assert (request["state"], request["requirement"], request["missing"]) == ("open", group, group)
    assert request["requester_id"] == str(world.organization.clerk.user_id)
    assert request["expires_at"] == "2026-11-25T10:00:00.000000Z"
    assert request["votes"] == []
    detail = (await world.get(f"{APPROVALS}/{request['id']}", "approver")).json()
    assert detail["may_vote"] is True
    assert detail["payment"]["state"] == "awaiting_approval"
    assert detail["payment"]["order_digest"] == request["order_digest"]
    for person in ("clerk", "administrator", "auditor", "service"):
        seen = (await world.get(f"{APPROVALS}/{request['id']}", person)).json()
        assert seen["may_vote"] is False, person


async def test_a_vote_approves_and_is_the_same_twice(world: ApiWorld) -> None:
    request = await _waiting(world)
    vote = {"choice": "approve", "order_digest": request["order_digest"]}
    path = f"{APPROVALS}/{request['id']}/votes"
    first = await world.post(path, "approver", vote)
    assert (first.status_code, first.json()["state"]) == (200, "approved")
    assert first.json()["missing"] == []
    assert first.json()["votes"] == [
        {
            "user_id": str(world.organization.approver.user_id),
            "roles": ["approver"],
            "choice": "approve",
            "reason": "",
            "voted_at": "2026-11-22T10:00:00.000000Z",
            "for_user_id": None,
            "withdrawn_at": None,
        }
    ]
    again = await world.post(path, "approver", vote)
    assert (again.status_code, again.json()) == (200, first.json())
    late = await world.post(path, "cfo", vote)
    assert (late.status_code, late.json()["code"]) == (409, "APPROVAL_CLOSED")
    payment = (await world.get(f"/api/v1/payments/{request['payment_id']}")).json()
    assert payment["state"] == "approved"
    assert (await world.get(APPROVALS)).json()["items"] == []


async def test_a_rejection_needs_a_reason_and_ends_the_payment(world: ApiWorld) -> None:
    request = await _waiting(world)
    path = f"{APPROVALS}/{request['id']}/votes"
    vote = {"choice": "reject", "order_digest": request["order_digest"]}
    silent = await world.post(path, "cfo", vote)
    assert (silent.status_code, silent.json()["code"]) == (422, "REASON_MISSING")
    refused = await world.post(path, "cfo", {**vote, "reason": "not our order"})
    assert (refused.status_code, refused.json()["state"]) == (200, "refused")
    payment = (await world.get(f"/api/v1/payments/{request['payment_id']}")).json()
    assert (payment["state"], payment["explanation"]) == (
        "denied",
        "Refused by an approver: not our order",
    )


async def test_a_vote_for_other_bytes_or_by_the_wrong_person_is_refused(world: ApiWorld) -> None:
    request = await _waiting(world)
    path = f"{APPROVALS}/{request['id']}/votes"
    vote = {"choice": "approve", "order_digest": request["order_digest"]}
    other = await world.post(path, "cfo", {**vote, "order_digest": "00" * 32})
    assert (other.status_code, other.json()["code"]) == (409, "APPROVAL_DIGEST_MISMATCH")
    for person in ("clerk", "administrator", "service"):
        refused = await world.post(path, person, vote)
        assert (refused.status_code, refused.json()["code"]) == (403, "PERMISSION_MISSING")
    for digest in ("", "zz" * 32, request["order_digest"].upper(), "00" * 31):
        malformed = await world.post(path, "cfo", {**vote, "order_digest": digest})
        assert (malformed.status_code, malformed.json()["code"]) == (422, "REQUEST_INVALID")
    assert (await world.get(f"{APPROVALS}/{request['id']}")).json()["votes"] == []


async def test_a_dual_control_request_tells_who_is_missing(world: ApiWorld) -> None:
    request = await _waiting(world, "12000.00 USDC")
    path = f"{APPROVALS}/{request['id']}/votes"
    vote = {"choice": "approve", "order_digest": request["order_digest"]}
    first = (await world.post(path, "approver", vote)).json()
    assert (first["state"], first["missing"]) == ("open", [{"roles": ["cfo"], "count": 1}])
    seen = (await world.get(f"{APPROVALS}/{request['id']}", "approver")).json()
    assert seen["may_vote"] is False  # has voted
    second = (await world.post(path, "cfo", vote)).json()
    assert (second["state"], second["missing"]) == ("approved", [])


async def test_an_address_takes_two_people_and_the_policys_rest(world: ApiWorld) -> None:
    await world.set_up()
    created = await world.post(
        PAYEES, "clerk", {"code": "V-009", "name": "Tarnvik Signage AB", "email": "a@tarnvik.test"}
    )
    assert created.status_code == 201
    payee = created.json()
    assert (payee["state"], payee["addresses"]) == ("active", [])
    path = f"{PAYEES}/{payee['id']}/addresses"
    entry = await world.post(path, "clerk", {"chain_id": 31337, "address": FOREIGN_ADDRESS})
    assert (entry.status_code, entry.json()["state"]) == (201, "pending")
    verification = f"{path}/{entry.json()['id']}/verification"
    own = await world.post(verification, "clerk", None)
    assert (own.status_code, own.json()["code"]) == (403, "ADDRESS_OWN_CHANGE")
    verified = await world.post(verification, "administrator", None)
    assert (verified.status_code, verified.json()["state"]) == (200, "verified")
    assert verified.json()["cooling_off_until"] == "2026-11-23T10:00:00.000000Z"
    shown = (await world.get(f"{PAYEES}/{payee['id']}")).json()
    assert shown["addresses"] == [verified.json()]
    revoked = await world.post(f"{path}/{entry.json()['id']}/revocation", "clerk", None)
    assert (revoked.status_code, revoked.json()["state"]) == (200, "revoked")


async def test_an_address_is_found_below_its_own_payee_only(world: ApiWorld) -> None:
    payees = await world.set_up()
    own, other = payees["V-001"], payees["V-002"]
    for action in ("verification", "revocation"):
        path = f"{PAYEES}/{other.id}/addresses/{own.addresses[0].id}/{action}"
        answer = await world.post(path, "administrator", None)
        assert (answer.status_code, answer.json()["code"]) == (404, "ADDRESS_NOT_FOUND")
    assert (await world.services.payees.get(world.organization.clerk, own.id)) == own


async def test_bad_particulars_are_named(world: ApiWorld) -> None:
    await world.set_up()
    for body, status, code in (
        ({"code": "v 9", "name": "X"}, 422, "PAYEE_CODE"),
        ({"code": "V-9", "name": ""}, 422, "PAYEE_NAME"),
        ({"code": "V-9", "name": "X", "iban": "NO00"}, 422, "PAYEE_IBAN"),
        ({"code": "V-9", "name": "X", "wallet": "0x"}, 422, "REQUEST_INVALID"),
        ({"code": "V-001", "name": "Halden Freight"}, 409, "PAYEE_EXISTS"),
    ):
        answer = await world.post(PAYEES, "clerk", body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), body
    page = (await world.get(PAYEES, most=2)).json()
    assert [payee["code"] for payee in page["items"]] == ["V-003", "V-002"]
    last = (await world.get(PAYEES, most=2, before=page["next"])).json()
    assert ([payee["code"] for payee in last["items"]], last["next"]) == (["V-001"], None)
