"""Incidents over REST: opened by what happened, answered by people, one open for each subject."""

from uuid import UUID, uuid4

from tests.support.api import ApiWorld
from treasurer.incidents.model import IncidentKind

INCIDENTS = "/api/v1/incidents"


async def opened(world: ApiWorld, subject: UUID, message: str = "SLOT it differs") -> None:
    organization_id = world.organization.id
    kind = IncidentKind.SIGNER_REFUSED
    await world.services.incidents.report(organization_id, kind, subject, message)


async def test_it_is_acknowledged_and_closed_with_notes(world: ApiWorld) -> None:
    subject = uuid4()
    await opened(world, subject)
    # The same again changes nothing while it is open.
    await opened(world, subject, "another message")
    (one,) = (await world.get(INCIDENTS, "approver")).json()["items"]
    assert (one["kind"], one["subject_id"]) == ("signer.refused", str(subject))
    assert (one["message"], one["acknowledged_at"], one["note"]) == ("SLOT it differs", None, "")
    path = f"{INCIDENTS}/{one['id']}"
    seen = await world.post(f"{path}/acknowledgement", "administrator", {"note": "I look"})
    assert (seen.status_code, seen.json()["note"]) == (200, "I look")
    twice = await world.post(f"{path}/acknowledgement", "cfo", {"note": "me too"})
    assert (twice.status_code, twice.json()["code"]) == (409, "INCIDENT_ACKNOWLEDGED")
    closed = await world.post(f"{path}/closure", "cfo", {"note": "a stale database"})
    assert closed.json()["closed_by"] == str(world.organization.cfo.user_id)
    assert closed.json()["acknowledged_by"] == str(world.organization.administrator.user_id)
    again = await world.post(f"{path}/closure", "cfo", {"note": "once more"})
    assert (again.status_code, again.json()["code"]) == (409, "INCIDENT_CLOSED")
    assert (await world.get(INCIDENTS)).json()["items"] == []
    (over,) = (await world.get(INCIDENTS, state="closed")).json()["items"]
    assert over["note"] == "a stale database"
    events = (await world.get("/api/v1/audit/events", "cfo", most=100)).json()["items"]
    kinds = [each["kind"] for each in events if each["aggregate_id"] == one["id"]]
    assert sorted(kinds) == ["incident.acknowledged", "incident.closed", "incident.opened"]
    # What happens once more is another incident.
    await opened(world, subject)
    assert len((await world.get(INCIDENTS)).json()["items"]) == 1


async def test_who_may_not_answer(world: ApiWorld) -> None:
    await opened(world, uuid4())
    (one,) = (await world.get(INCIDENTS)).json()["items"]
    path = f"{INCIDENTS}/{one['id']}/closure"
    refused = await world.post(path, "approver", {"note": "nothing"})
    assert (refused.status_code, refused.json()["code"]) == (403, "PERMISSION_MISSING")
    assert (await world.post(path, "cfo", {"note": ""})).status_code == 422
    blank = await world.post(path, "cfo", {"note": " "})
    assert (blank.status_code, blank.json()["code"]) == (422, "INCIDENT_NOTE")
    unknown = await world.post(f"{INCIDENTS}/{uuid4()}/closure", "cfo", {"note": "x"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "INCIDENT_UNKNOWN")
