"""Commands where nothing runs, nothing is set up, or a setting is wrong: one sentence each."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from uuid_utils.compat import uuid7

from signer.limits import DEVELOPMENT_CHAIN_ID
from tests.support.cli import Place, init_arguments
from tests.support.clock import START
from treasurer.chain.networks import NetworkProfile, load_profile, shipped_profile
from treasurer.cli.checkup import State
from treasurer.cli.checkup_chain import clock_finding, providers_finding
from treasurer.cli.checkup_organization import people_findings
from treasurer.identity.model import User, UserState
from treasurer.kernel.ids import OrganizationId, UserId
from treasurer.kernel.organization import PrincipalKind, Role


def test_doctor_on_nothing_at_all(place: Place) -> None:
    ended = place.invoke("doctor", TREASURER_PORT="9")
    assert ended.status == 1
    assert ended.out.splitlines()[2:] == [
        f"WRONG folder       {place.home} does not exist: run `treasurer init`, or `treasurer up"
        " --demo`",
        "WRONG database     embedded, not running: start `treasurer up`",
        "WRONG cache        embedded, not running: start `treasurer up`",
        f"note  mail         no SMTP_URL: mails become files in {place.home}/mails",
        "note  mailbox      no IMAP_URL: invoices come by API and upload",
        "note  model        offline: documents are read by rules; set OPENAI_API_KEY or"
        " OPENAI_BASE_URL for a model",
        "WRONG network      none is set up: run `treasurer init`",
        "WRONG api          nothing listens at http://127.0.0.1:9: start `treasurer up`",
        "WRONG organization none is set up: run `treasurer init`",
        "",
        "6 wrong",
    ]
    assert not place.home.exists()


@pytest.mark.parametrize(
    "arguments", [("token", "--user", "a@b.example"), ("audit", "verify", "--user", "a@b.example")]
)
def test_an_address_that_a_killed_up_left_is_not_believed(
    place: Place, arguments: tuple[str, ...]
) -> None:
    place.home.mkdir()
    (place.home / "lock").touch()
    (place.home / "running.json").write_text(json.dumps({"redis_url": "unix:///nowhere"}))
    ended = place.invoke(*arguments)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == (
        f"Error: nothing runs on {place.home}: start `treasurer up` in another terminal, or set"
        " DATABASE_URL and REDIS_URL\n"
    )


def test_another_host_makes_no_secrets_of_its_own(place: Place) -> None:
    """A fresh key would sign tokens that no API accepts."""
    ended = place.invoke(
        "token",
        *("--user", "ada@acme.example"),
        DATABASE_URL="postgresql://nobody@127.0.0.1:9/none",
        REDIS_URL="redis://127.0.0.1:9",
    )
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == (
        f"Error: {place.home}/secrets/token-key.pem is missing: run this where the API runs, with"
        " the same TREASURER_HOME\n"
    )
    assert not place.home.exists()


def test_audit_asks_whose_chain(place: Place) -> None:
    ended = place.invoke("audit", "verify")
    assert (ended.status, ended.err) == (
        1,
        "Error: say whose organization you mean: --user with the e-mail address of one of its"
        " people\n",
    )


def test_up_without_a_set_up(place: Place) -> None:
    ended = place.invoke("up")
    assert (ended.status, ended.err) == (
        1,
        "Error: run `treasurer init` first, or add --demo to look around\n",
    )
    assert not place.home.exists()


def test_a_wrong_setting_is_named_without_its_value(place: Place) -> None:
    ended = place.invoke("doctor", TREASURER_PORT="hunter2")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == (
        "Error: TREASURER_PORT: Input should be a valid integer, unable to parse string as an"
        " integer\n"
    )


def test_up_needs_the_passphrase_and_says_how(place: Place) -> None:
    (place.home / "signer" / "keys").mkdir(parents=True)
    profile = shipped_profile("development").replace("address: null", f'address: "0x{"1" * 40}"')
    (place.home / "network.yaml").write_text(profile)
    ended = place.invoke("up")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == (
        "Error: set SIGNER_PASSPHRASE_FILE to the file with the passphrase of the signer's keys, or"
        " start on a terminal to be asked\n"
    )


def test_up_needs_a_node_for_another_network(place: Place) -> None:
    place.home.mkdir()
    profile = shipped_profile("soneium-minato").replace("address: null", f'address: "0x{"1" * 40}"')
    (place.home / "network.yaml").write_text(profile)
    ended = place.invoke("up")
    assert (ended.status, ended.err) == (
        1,
        "Error: set RPC_URL to a node of soneium-minato, in .env for instance\n",
    )


def test_init_keeps_out_of_a_folder_in_use(place: Place) -> None:
    from treasurer.embedded.directory import lock_folder

    place.home.mkdir()
    with lock_folder(place.home):
        ended = place.invoke(*init_arguments(place))
    assert (ended.status, ended.err) == (
        1,
        f"Error: stop what runs on {place.home} first: `treasurer up`\n",
    )


NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def minato() -> NetworkProfile:
    return load_profile(
        shipped_profile("soneium-minato"), token_addresses={"MNEE": "0x" + "1" * 40}
    )


@pytest.mark.parametrize(
    ("head_age_s", "state"), [(-16, "bad"), (-15, "good"), (0, "good"), (80, "good"), (81, "bad")]
)
def test_clocks_are_compared_with_the_newest_block(head_age_s: int, state: str) -> None:
    head_s = int((NOW - timedelta(seconds=head_age_s)).timestamp())
    assert clock_finding(minato(), head_s, NOW).state == state


def test_an_idle_development_chain_may_be_old() -> None:
    network = replace(minato(), chain_id=DEVELOPMENT_CHAIN_ID)
    assert clock_finding(network, int(NOW.timestamp()) - 86_400, NOW).state is State.GOOD


def person(*roles: Role) -> User:
    return User(
        organization_id=OrganizationId(uuid7()),
        id=UserId(uuid7()),
        email="x@acme.example",
        name="X",
        kind=PrincipalKind.HUMAN,
        state=UserState.ACTIVE,
        roles=frozenset(roles),
        created_at=START,
    )


@pytest.mark.parametrize(
    ("people", "most", "expected"),
    [
        (
            [(Role.ADMINISTRATOR, Role.CLERK)],
            0,
            [
                (
                    "note",
                    "one person: only payments that the policy lets pass without asking can be"
                    " made, and nobody can verify a payee's address",
                )
            ],
        ),
        (
            [(Role.ADMINISTRATOR,), (Role.CFO,)],
            2,
            [
                ("bad", "the policy may ask 2 people, 1 may vote"),
                ("bad", "one person may enter payees: nobody can verify what that one enters"),
            ],
        ),
        (
            [(Role.ADMINISTRATOR,), (Role.CFO,), (Role.CLERK,)],
            1,
            [
                (
                    "note",
                    "the policy may ask 1 people and just as many may vote: one of them who"
                    " proposes a payment, or is away, leaves it waiting",
                )
            ],
        ),
        (
            [(Role.ADMINISTRATOR,), (Role.CFO,), (Role.APPROVER,), (Role.CLERK,)],
            1,
            [("good", "4 people, 2 of them vote")],
        ),
    ],
)
def test_people_are_enough_or_not(
    people: list[tuple[Role, ...]], most: int, expected: list[tuple[str, str]]
) -> None:
    found = people_findings([person(*roles) for roles in people], most_people_asked=most)
    assert [(finding.state.value, finding.sentence) for finding in found] == expected


def test_a_folder_that_others_may_read_is_wrong(place: Place) -> None:
    from treasurer.cli.checkup import look_at_machine
    from treasurer.settings import Settings

    home: Path = place.home
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    *_, folder = look_at_machine(Settings(treasurer_home=home))
    assert (folder.state, folder.sentence) == (
        State.BAD,
        f"{home} is open to other users: run chmod 700 {home}",
    )


@pytest.mark.parametrize(
    ("urls", "state", "words"),
    [
        (["https://a.example/key"], State.NOTE, "nothing it says is cross-checked"),
        (["https://a.example/1", "https://a.example/2"], State.NOTE, "one host"),
        (["https://a.example", "https://b.example"], State.GOOD, "two that agree"),
    ],
)
def test_doctor_says_whether_providers_are_cross_checked(
    urls: list[str], state: State, words: str
) -> None:
    (finding,) = providers_finding(urls, minato())
    assert finding.state is state
    assert words in finding.sentence
    assert "key" not in finding.sentence
