"""The second proof: password or code again, bound to one session, throttled, and never a code twice."""

from dataclasses import replace
from datetime import timedelta

import pyotp
import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from tests.support.clock import ManualClock
from tests.support.identity import PASSWORD, dead_valkey, step_up, totp_codes
from tests.support.organization import TestOrganization, create_organization
from treasurer.db.engine import Database
from treasurer.identity.errors import NotAuthenticated, TooManyAttempts
from treasurer.identity.service import IdentityService
from treasurer.identity.step_up import StepUp, require_step_up
from treasurer.identity.totp import MOST_FAILURES, TotpCodes
from treasurer.kernel.errors import Conflict, InvariantViolated, NotPermitted
from treasurer.kernel.organization import Principal, Role

ADDRESS = "192.0.2.9"
WITHIN = timedelta(minutes=10)


@pytest.fixture
def proofs(database: Database, valkey: Redis, clock: ManualClock) -> StepUp:
    return step_up(database, valkey, clock)


@pytest.fixture
def codes(database: Database, clock: ManualClock) -> TotpCodes:
    return totp_codes(database, clock)


async def _signed_in(identity: IdentityService, organization: TestOrganization) -> Principal:
    """A CFO with a password, in a session of a program."""
    email = f"vera.{organization.id.hex}@norwick.test"
    await identity.create_user(
        organization.administrator,
        email=email,
        name="Vera Lind",
        roles=frozenset({Role.CFO}),
        password=PASSWORD,
    )
    return await _again(identity, organization)


async def _again(identity: IdentityService, organization: TestOrganization) -> Principal:
    session = await identity.session_for(f"vera.{organization.id.hex}@norwick.test")
    principal = await identity.principal_from_token(session.access_token)
    assert principal.session_id == session.id
    return principal


async def _proven(database: Database, principal: Principal, clock: ManualClock) -> bool:
    async with database.unit(principal.organization_id) as connection:
        try:
            await require_step_up(connection, principal, within=WITHIN, now=clock())
        except NotPermitted as error:
            assert error.code == "STEP_UP_REQUIRED"
            return False
    return True


async def test_a_password_proves_one_session_for_a_time(
    database: Database,
    identity: IdentityService,
    organization: TestOrganization,
    proofs: StepUp,
    clock: ManualClock,
) -> None:
    vera = await _signed_in(identity, organization)
    other = await _again(identity, organization)
    assert not await _proven(database, vera, clock)
    await proofs.prove(vera, address=ADDRESS, password=PASSWORD)
    assert await _proven(database, vera, clock)
    assert not await _proven(database, other, clock)
    assert not await _proven(database, replace(vera, session_id=None), clock)
    clock.advance(seconds=600)
    assert await _proven(database, vera, clock)
    clock.advance(seconds=1)
    assert not await _proven(database, vera, clock)


async def test_wrong_passwords_are_throttled_as_signing_in_is(
    database: Database,
    identity: IdentityService,
    organization: TestOrganization,
    proofs: StepUp,
    clock: ManualClock,
) -> None:
    vera = await _signed_in(identity, organization)
    for _ in range(5):
        with pytest.raises(NotAuthenticated):
            await proofs.prove(vera, address=ADDRESS, password="wrong")
    with pytest.raises(TooManyAttempts):
        await proofs.prove(vera, address=ADDRESS, password=PASSWORD)
    assert not await _proven(database, vera, clock)


async def _enrolled(
    codes: TotpCodes, proofs: StepUp, vera: Principal, now: ManualClock
) -> pyotp.TOTP:
    await proofs.prove(vera, address=ADDRESS, password=PASSWORD)
    new = await codes.begin(vera, email="vera@norwick.test")
    totp = pyotp.parse_uri(new.uri)
    assert isinstance(totp, pyotp.TOTP)
    assert not await codes.enrolled(vera)
    await codes.confirm(vera, totp.at(now()))
    assert await codes.enrolled(vera)
    return totp


async def test_a_code_proves_once(
    database: Database,
    identity: IdentityService,
    organization: TestOrganization,
    proofs: StepUp,
    codes: TotpCodes,
    clock: ManualClock,
) -> None:
    vera = await _signed_in(identity, organization)
    totp = await _enrolled(codes, proofs, vera, clock)
    fresh = await _again(identity, organization)
    with pytest.raises(NotAuthenticated):
        await proofs.prove(fresh, address=ADDRESS, code=totp.at(clock()))
    clock.advance(seconds=30)
    code = totp.at(clock())
    await proofs.prove(fresh, address=ADDRESS, code=code)
    assert await _proven(database, fresh, clock)
    with pytest.raises(NotAuthenticated):
        await proofs.prove(fresh, address=ADDRESS, code=code)


async def test_a_code_of_a_neighbouring_step_serves_and_of_another_not(
    identity: IdentityService,
    organization: TestOrganization,
    proofs: StepUp,
    codes: TotpCodes,
    clock: ManualClock,
) -> None:
    vera = await _signed_in(identity, organization)
    totp = await _enrolled(codes, proofs, vera, clock)
    clock.advance(seconds=300)
    for steps, right in ((-2, False), (2, False), (-1, True), (1, True), (0, False)):
        code = totp.at(clock() + timedelta(seconds=30 * steps))
        # The last one is right but older than the one before it, and so could be a copy.
        assert await codes.take(vera, code) is right, steps


async def test_ten_wrong_codes_lock_the_authenticator_though_valkey_is_down(
    database: Database,
    identity: IdentityService,
    organization: TestOrganization,
    proofs: StepUp,
    codes: TotpCodes,
    clock: ManualClock,
) -> None:
    vera = await _signed_in(identity, organization)
    totp = await _enrolled(codes, proofs, vera, clock)
    unthrottled = step_up(database, dead_valkey(), clock)
    clock.advance(seconds=60)
    right = totp.at(clock())
    wrong = f"{(int(right) + 1) % 1_000_000:06}"
    for _ in range(MOST_FAILURES):
        with pytest.raises(NotAuthenticated):
            await unthrottled.prove(vera, address=ADDRESS, code=wrong)
    with pytest.raises(Conflict) as locked:
        await unthrottled.prove(vera, address=ADDRESS, code=right)
    assert locked.value.code == "TOTP_LOCKED"
    # The password opens the way to a new one.
    await unthrottled.prove(vera, address=ADDRESS, password=PASSWORD)
    new = pyotp.TOTP((await codes.begin(vera, email="vera@norwick.test")).secret)
    await codes.confirm(vera, new.at(clock()))


async def test_an_authenticator_is_enrolled_by_who_proved_themselves(
    identity: IdentityService,
    organization: TestOrganization,
    proofs: StepUp,
    codes: TotpCodes,
    clock: ManualClock,
) -> None:
    vera = await _signed_in(identity, organization)
    with pytest.raises(NotAuthenticated) as refused:
        await codes.begin(vera, email="vera@norwick.test")
    assert refused.value.code == "ENROL_STEP_UP"
    await proofs.prove(vera, address=ADDRESS, password=PASSWORD)
    new = await codes.begin(vera, email="vera@norwick.test")
    assert new.secret not in repr(new)
    with pytest.raises(Conflict):
        await codes.confirm(vera, "12345x")
    assert not await codes.take(vera, pyotp.TOTP(new.secret).at(clock()))


async def test_who_has_no_password_enrols_in_a_fresh_session_only(
    identity: IdentityService, organization: TestOrganization, codes: TotpCodes, clock: ManualClock
) -> None:
    session = await identity.session_for(organization.email("cfo"))
    cfo = await identity.principal_from_token(session.access_token)
    assert (await codes.begin(cfo, email="cfo@norwick.test")).secret
    clock.advance(seconds=901)
    with pytest.raises(NotAuthenticated):
        await codes.begin(cfo, email="cfo@norwick.test")


async def test_a_sealed_secret_opens_in_its_own_row_only(
    database: Database,
    identity: IdentityService,
    organization: TestOrganization,
    proofs: StepUp,
    codes: TotpCodes,
    clock: ManualClock,
) -> None:
    """Who can write rows cannot give a victim an authenticator of their own."""
    vera = await _signed_in(identity, organization)
    totp = await _enrolled(codes, proofs, vera, clock)
    async with database.unit(organization.id) as connection:
        stored = (
            await connection.execute(text("SELECT sealed_secret FROM totp_enrolments"))
        ).scalar_one()
        assert totp.secret.encode() not in bytes(stored)
        await connection.execute(
            text(
                "INSERT INTO totp_enrolments (organization_id, user_id, sealed_secret, created_at,"
                " confirmed_at) SELECT organization_id, :cfo, sealed_secret, created_at,"
                " confirmed_at FROM totp_enrolments"
            ),
            {"cfo": organization.cfo.user_id},
        )
    clock.advance(seconds=60)
    with pytest.raises(InvariantViolated):
        await codes.take(organization.cfo, totp.at(clock()))
    stranger = await create_organization(database)
    assert not await codes.take(stranger.cfo, totp.at(clock()))
