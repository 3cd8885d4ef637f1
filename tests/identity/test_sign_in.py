"""Sign-in by password and by link, sessions, refresh and their ends."""

import asyncio
from datetime import timedelta

import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from tests.support.clock import START, ManualClock
from tests.support.identity import PASSWORD, dead_valkey, forgeries, identity_service
from tests.support.organization import TestOrganization, create_organization
from treasurer.audit import store as audit
from treasurer.db.engine import Database
from treasurer.identity.counters import WindowCounters
from treasurer.identity.errors import NotAuthenticated, TooManyAttempts
from treasurer.identity.model import User
from treasurer.identity.service import IdentityService
from treasurer.identity.throttle import FAILURES_IN_ALL, SignInThrottle
from treasurer.identity.tokens import TokenUse
from treasurer.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted
from treasurer.kernel.organization import PrincipalKind, Role


async def _person(
    identity: IdentityService, organization: TestOrganization, email: str = "Vera@Norwick.test"
) -> User:
    return await identity.create_user(
        organization.administrator,
        email=f"{organization.id.hex}.{email}",
        name="Vera Lind",
        roles=frozenset({Role.CFO, Role.APPROVER}),
        password=PASSWORD,
    )


async def test_a_created_user_signs_in_with_their_roles(
    identity: IdentityService, organization: TestOrganization
) -> None:
    user = await _person(identity, organization)
    session = await identity.sign_in(user.email.upper(), PASSWORD, address="192.0.2.1")

    assert session.principal == user.principal
    assert session.principal.roles == {Role.CFO, Role.APPROVER}
    assert session.access_expires_at == START + timedelta(minutes=15)
    assert session.expires_at == START + timedelta(days=14)
    assert await identity.principal_from_token(session.access_token) == user.principal
    assert await identity.profile(session.principal) == user


@pytest.mark.parametrize("password", ["", "wrong", PASSWORD + " ", PASSWORD.upper()])
async def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(
    identity: IdentityService, organization: TestOrganization, password: str
) -> None:
    user = await _person(identity, organization)
    refusals = []
    for email in (user.email, f"nobody-{organization.id}@norwick.test", "not an address"):
        with pytest.raises(NotAuthenticated) as refused:
            await identity.sign_in(email, password, address="192.0.2.2")
        refusals.append((refused.value.code, refused.value.message, dict(refused.value.data)))
    assert refusals[0][0] == "CREDENTIALS_REFUSED"
    assert refusals[0] == refusals[1] == refusals[2]


async def test_a_user_without_password_and_a_disabled_one_are_refused(
    identity: IdentityService, database: Database, organization: TestOrganization
) -> None:
    with pytest.raises(NotAuthenticated):
        await identity.sign_in(organization.email("cfo"), PASSWORD, address="192.0.2.3")

    user = await _person(identity, organization)
    session = await identity.sign_in(user.email, PASSWORD, address="192.0.2.3")
    link = await identity.login_link(user.email)
    async with database.unit(organization.id) as connection:
        await connection.execute(
            text("UPDATE users SET state = 'disabled' WHERE id = :id"), {"id": user.id}
        )
    with pytest.raises(NotAuthenticated):
        await identity.sign_in(user.email, PASSWORD, address="192.0.2.3")
    with pytest.raises(NotAuthenticated, match="LINK_INVALID"):
        await identity.redeem_link(link)
    with pytest.raises(NotAuthenticated, match="SESSION_ENDED"):
        await identity.principal_from_token(session.access_token)
    with pytest.raises(NotFound):
        await identity.login_link(user.email)


async def test_failures_from_one_place_close_it_and_no_other(
    identity: IdentityService, organization: TestOrganization, clock: ManualClock
) -> None:
    user = await _person(identity, organization)
    for _ in range(5):
        with pytest.raises(NotAuthenticated):
            await identity.sign_in(user.email, "wrong", address="192.0.2.4")
    clock.advance(seconds=100)
    with pytest.raises(TooManyAttempts) as closed:
        await identity.sign_in(user.email, PASSWORD, address="192.0.2.4")
    assert closed.value.data == {"retry_after_s": 800}  # windows begin on whole quarters of an hour

    assert await identity.sign_in(user.email, PASSWORD, address="192.0.2.5")
    clock.advance(seconds=800)
    assert await identity.sign_in(user.email, PASSWORD, address="192.0.2.4")


async def test_parallel_guesses_count_before_they_are_tried(
    identity: IdentityService, organization: TestOrganization
) -> None:
    user = await _person(identity, organization)
    outcomes = await asyncio.gather(
        *(identity.sign_in(user.email, "wrong", address="192.0.2.6") for _ in range(12)),
        return_exceptions=True,
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == (
        ["NotAuthenticated"] * 5 + ["TooManyAttempts"] * 7
    )


async def test_failures_from_everywhere_are_counted_together(
    identity: IdentityService, organization: TestOrganization, valkey: Redis
) -> None:
    user = await _person(identity, organization)
    with pytest.raises(NotAuthenticated):
        await identity.sign_in(user.email, "wrong", address="192.0.2.7")
    account = next(key for key in await valkey.keys() if key.decode().count(":") == 3)
    assert await valkey.get(account) == b"1"
    await valkey.set(account, 50)
    with pytest.raises(TooManyAttempts):
        await identity.sign_in(user.email, PASSWORD, address="192.0.2.8")


async def test_right_passwords_are_no_failures(valkey: Redis, clock: ManualClock) -> None:
    """A program that signs in for each of its calls is not refused for having signed in often."""
    throttle = SignInThrottle(WindowCounters(valkey, clock=clock))
    for _ in range(FAILURES_IN_ALL + 5):
        await throttle.attempt("bot@norwick.test", "203.0.113.7")
        await throttle.succeeded("bot@norwick.test", "203.0.113.7")
    for place in range(FAILURES_IN_ALL):
        await throttle.attempt("bot@norwick.test", f"198.51.100.{place}")
    with pytest.raises(TooManyAttempts):
        await throttle.attempt("bot@norwick.test", "203.0.113.8")


async def test_sign_in_works_without_valkey(
    database: Database, organization: TestOrganization, clock: ManualClock
) -> None:
    identity = identity_service(database, dead_valkey(), clock)
    user = await _person(identity, organization)
    for _ in range(6):
        with pytest.raises(NotAuthenticated):
            await identity.sign_in(user.email, "wrong", address="192.0.2.9")
    assert await identity.sign_in(user.email, PASSWORD, address="192.0.2.9")


async def test_a_login_link_opens_one_browser_session(
    identity: IdentityService, organization: TestOrganization, database: Database
) -> None:
    link = await identity.login_link(organization.email("cfo"))
    async with database.unit(organization.id) as connection:
        stored = (await connection.execute(text("SELECT token_hash FROM login_links"))).scalars()
        assert all(link.encode() not in value and len(value) == 32 for value in stored)

    session = await identity.redeem_link(link)
    assert session.principal == organization.cfo
    assert session.expires_at == START + timedelta(hours=12)
    assert await identity.principal_from_token(session.cookie, TokenUse.BROWSER) == organization.cfo
    with pytest.raises(NotAuthenticated):
        await identity.principal_from_token(session.cookie)
    with pytest.raises(NotAuthenticated, match="LINK_INVALID"):
        await identity.redeem_link(link)


async def test_two_parallel_uses_of_a_link_open_one_session(
    identity: IdentityService, organization: TestOrganization
) -> None:
    link = await identity.login_link(organization.email("cfo"))
    outcomes = await asyncio.gather(
        *(identity.redeem_link(link) for _ in range(8)), return_exceptions=True
    )
    assert sum(isinstance(outcome, NotAuthenticated) for outcome in outcomes) == 7


async def test_a_link_expires_and_belongs_to_its_organization(
    identity: IdentityService,
    organization: TestOrganization,
    database: Database,
    clock: ManualClock,
) -> None:
    other = await create_organization(database)
    link = await identity.login_link(organization.email("cfo"))
    moved = f"{other.id.hex}.{link.partition('.')[2]}"
    for forged in (moved, link + "A", link[:-1], "", ".", "x.y", f"{organization.id.hex}.", "é.é"):
        with pytest.raises(NotAuthenticated, match="LINK_INVALID"):
            await identity.redeem_link(forged)
    clock.advance(seconds=900)
    with pytest.raises(NotAuthenticated, match="LINK_INVALID"):
        await identity.redeem_link(link)


async def test_a_refresh_rotates_and_a_spent_token_ends_the_session(
    identity: IdentityService, organization: TestOrganization, clock: ManualClock
) -> None:
    first = await identity.session_for(organization.email("clerk"))
    clock.advance(seconds=600)
    second = await identity.refresh(first.refresh_token)
    assert second.id == first.id
    assert second.principal == organization.clerk
    assert second.expires_at == first.expires_at
    assert second.access_expires_at == START + timedelta(seconds=600 + 900)
    assert await identity.principal_from_token(second.access_token) == organization.clerk

    with pytest.raises(NotAuthenticated, match="REFRESH_TOKEN_SPENT"):
        await identity.refresh(first.refresh_token)
    for token in (first.access_token, second.access_token):
        with pytest.raises(NotAuthenticated, match="SESSION_ENDED"):
            await identity.principal_from_token(token)
    with pytest.raises(NotAuthenticated, match="SESSION_ENDED"):
        await identity.refresh(second.refresh_token)


async def test_sign_out_ends_the_session_at_once_here_and_within_seconds_elsewhere(
    identity: IdentityService,
    database: Database,
    valkey: Redis,
    organization: TestOrganization,
    clock: ManualClock,
) -> None:
    elsewhere = identity_service(database, valkey, clock)
    session = await identity.session_for(organization.email("clerk"))
    for replica in (identity, elsewhere):
        assert await replica.principal_from_token(session.access_token) == organization.clerk

    await identity.sign_out(session.access_token, TokenUse.ACCESS)
    with pytest.raises(NotAuthenticated, match="SESSION_ENDED"):
        await identity.principal_from_token(session.access_token)
    clock.advance(seconds=3)
    with pytest.raises(NotAuthenticated, match="SESSION_ENDED"):
        await elsewhere.principal_from_token(session.access_token)
    await identity.sign_out(session.access_token, TokenUse.ACCESS)  # a second time changes nothing


async def test_a_remembered_token_still_expires(
    identity: IdentityService, organization: TestOrganization, clock: ManualClock
) -> None:
    session = await identity.session_for(organization.email("clerk"))
    clock.advance(seconds=899)
    assert await identity.principal_from_token(session.access_token) == organization.clerk
    clock.advance(seconds=1)
    with pytest.raises(NotAuthenticated, match="TOKEN_INVALID"):
        await identity.principal_from_token(session.access_token)


async def test_every_forgery_of_a_live_session_is_refused(
    identity: IdentityService, organization: TestOrganization, clock: ManualClock
) -> None:
    session = await identity.session_for(organization.email("administrator"))
    for name, token in forgeries(session.access_token, clock).items():
        with pytest.raises(NotAuthenticated):
            assert await identity.principal_from_token(token) is None, name


async def test_only_an_administrator_adds_users(
    identity: IdentityService, organization: TestOrganization
) -> None:
    with pytest.raises(NotPermitted, match="PERMISSION_MISSING"):
        await identity.create_user(
            organization.cfo, email="x@norwick.test", name="X", roles=frozenset({Role.CLERK})
        )


async def test_an_address_is_used_once_over_all_organizations(
    identity: IdentityService, organization: TestOrganization, database: Database
) -> None:
    other = await create_organization(database)
    user = await _person(identity, organization)
    with pytest.raises(Conflict, match="EMAIL_TAKEN"):
        await identity.create_user(
            other.administrator,
            email=user.email.upper(),
            name="Somebody Else",
            roles=frozenset({Role.CLERK}),
        )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"email": "no address"}, "EMAIL_SYNTAX"),
        ({"email": "a@b@c"}, "EMAIL_SYNTAX"),
        ({"email": "a@b\r\nBcc: x@y"}, "EMAIL_SYNTAX"),
        ({"name": "  "}, "NAME_SYNTAX"),
        ({"name": "Vera\nLind"}, "NAME_SYNTAX"),
        ({"roles": frozenset()}, "ROLES_EMPTY"),
        ({"password": "short"}, "PASSWORD_LENGTH"),
        ({"password": "x" * 129}, "PASSWORD_LENGTH"),
    ],
)
async def test_bad_particulars_are_refused_with_their_code(
    identity: IdentityService,
    organization: TestOrganization,
    change: dict[str, object],
    code: str,
) -> None:
    particulars = {
        "email": f"new-{organization.id}@norwick.test",
        "name": "New Person",
        "roles": frozenset({Role.CLERK}),
        "kind": PrincipalKind.HUMAN,
        **change,
    }
    with pytest.raises(InvalidInput, match=code):
        await identity.create_user(organization.administrator, **particulars)  # type: ignore[arg-type]


async def test_creation_and_sessions_are_audited_without_secrets(
    identity: IdentityService, organization: TestOrganization, database: Database
) -> None:
    user = await _person(identity, organization)
    session = await identity.sign_in(user.email, PASSWORD, address="192.0.2.20")
    await identity.sign_out(session.access_token, TokenUse.ACCESS)
    async with database.unit(organization.id) as connection:
        events = await audit.event_page(
            connection, organization.id, before=None, aggregate_id=None, most=10
        )
    assert [(event["kind"], event["actor_id"], event["payload"]) for event in events] == [
        ("session.ended", user.id, {}),
        ("session.opened", user.id, {"by": "password"}),
        (
            "user.created",
            organization.administrator.user_id,
            {
                "email": user.email,
                "name": "Vera Lind",
                "kind": "human",
                "roles": ["approver", "cfo"],
            },
        ),
    ]
