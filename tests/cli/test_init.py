"""`treasurer init`: what it says, what it makes, how it goes on, and what it never shows."""

import json
import stat
from pathlib import Path

import pytest
import yaml

from signer.keys import decrypt_key
from signer.limits_file import parse_limits
from tests.support.cli import (
    PASSPHRASE_TEXT,
    PEOPLE,
    WALLET,
    Ended,
    Place,
    init_arguments,
    policy_yaml,
)
from treasurer.embedded.devchain.accounts import CHAIN_ID, development_account
from treasurer.embedded.devchain.seed import test_usd_address as token_address

SAID = """\

Acme Ltd, reporting in USD
  a month costs 40,000.00 USD
  Ada Admin <ada@acme.example>: administrator
  Carl Chief <carl@acme.example>: cfo
  Ann Approver <ann@acme.example>: approver
  Cleo Clerk <cleo@acme.example>: clerk
  pays on development, chain 31337:
    USDC at 0x700b6A60ce7EaaEA56F065753d8dcB9653dbAD35, held at par with USD
    the signer signs at most 10,000.00 USDC a transaction, 25,000.00 USDC in 24 hours
  2 payees
starting what is needed …
  the node serves development and its tokens are as pinned
  the key of 0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266 is encrypted in HOME/signer/keys
  Acme Ltd has 4 people
  the policy is active
  the wallet 0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266 is enrolled in the books
  2 payees created, 0 not

Acme Ltd is set up, in dry run: everything but signing. Next:
1. Back up HOME/signer and, apart from it, the passphrase. Without both, what \
0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266 holds is lost.
2. Set SIGNER_PASSPHRASE_FILE to a file of mode 600, or be asked, and start: treasurer up
3. Verify the payees' addresses: Cleo Clerk entered them, so Ada Admin compares each with its \
owner's word and verifies it on the dashboard's page Payees. Nothing is paid to an address before \
that and before the policy's cooling-off.
4. Look for what is wrong: treasurer doctor
5. Sign in: treasurer token --user carl@acme.example --link
6. Submit an invoice and see what would be paid; then an administrator turns it live: treasurer live
"""


def test_it_says_what_it_does_and_what_comes_next(founded: tuple[Place, Ended]) -> None:
    place, ended = founded
    assert ended.out.replace(str(place.home), "HOME") == SAID
    assert ended.err == ""


def test_key_and_passphrase_are_shown_nowhere_and_stored_encrypted_only(
    founded: tuple[Place, Ended],
) -> None:
    place, ended = founded
    secret = WALLET.key
    assert secret.hex() not in ended.out + ended.err
    assert PASSPHRASE_TEXT not in ended.out + ended.err
    holding = [
        path
        for path in place.home.rglob("*")
        if path.is_file()
        and any(
            word in path.read_bytes()
            for word in (secret, secret.hex().encode(), PASSPHRASE_TEXT.encode())
        )
    ]
    assert holding == []
    keystore = place.home / "signer" / "keys" / f"{WALLET.address.lower()}.json"
    assert stat.S_IMODE(keystore.stat().st_mode) == 0o600
    assert json.loads(keystore.read_text())["crypto"]["kdfparams"]["n"] == 262_144
    assert decrypt_key(keystore.read_bytes(), PASSPHRASE_TEXT.encode()) == secret


def test_the_signer_has_limits_of_its_own(founded: tuple[Place, Ended]) -> None:
    limits = parse_limits((founded[0].home / "signer" / "limits.yaml").read_text())
    assert limits.chain_ids == (CHAIN_ID,)
    assert limits.wallets == (WALLET.address.lower(),)
    assert [
        (t.symbol, t.address, t.decimals, t.per_transaction_minor, t.rolling_24h_minor)
        for t in limits.tokens
    ] == [("USDC", token_address(), 6, 10_000 * 10**6, 25_000 * 10**6)]
    assert [(entry.address, entry.label) for entry in limits.destinations] == [
        (development_account(1).address.lower(), "Halden Freight AS"),
        (development_account(2).address.lower(), "Qorvane Logistics GmbH"),
    ]
    assert limits.max_gas_limit == 120_000
    assert limits.max_fee_per_gas_wei == 100 * 10**9
    assert limits.cancel_max_fee_per_gas_wei == 150 * 10**9


def test_the_network_is_pinned(founded: tuple[Place, Ended]) -> None:
    profile = yaml.safe_load((founded[0].home / "network.yaml").read_text())
    assert profile["chain_id"] == CHAIN_ID
    assert [(entry["symbol"], entry["address"]) for entry in profile["tokens"]] == [
        ("USDC", token_address())
    ]


def test_what_is_set_up_is_not_set_up_again(founded: tuple[Place, Ended]) -> None:
    place = founded[0]
    again = place.invoke(*init_arguments(place))
    assert (again.status, again.out) == (1, "")
    assert again.err == (
        f"Error: {place.home} is set up for Acme Ltd (administrator ada@acme.example). More people"
        " and payees come by the API; for another organization set TREASURER_HOME to another"
        " folder\n"
    )


def test_the_demonstration_keeps_out_of_a_real_installation(founded: tuple[Place, Ended]) -> None:
    place = founded[0]
    ended = place.invoke("up", "--demo")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == (
        f"Error: {place.home} belongs to Acme Ltd: start without --demo, or set TREASURER_HOME to"
        " another folder\n"
    )


def test_an_interrupted_run_goes_on(place: Place) -> None:
    """The policy asks for a CFO whom the first run does not have; all before that stays."""
    few = tuple(entry.replace(":cfo", ":approver") for entry in PEOPLE)
    first = place.invoke(*init_arguments(place, person=few, payees=None))
    assert first.status == 1
    assert "Acme Ltd has 4 people\n" in first.out
    assert first.err == (
        "Error: the policy asks people whom the organization does not have: 1 of cfo more; add them"
        " first, or write tiers that ask fewer\n"
    )
    assert not (place.home / "organization.json").exists()

    more = (*few, "dora@acme.example:Dora Director:cfo")
    second = place.invoke(*init_arguments(place, person=more, payees=None, import_key=None))
    assert second.status == 0, second
    assert second.out.startswith(
        f"the signer's folder holds the key of {WALLET.address.lower()}; going on with it\n"
    )
    assert "Acme Ltd has 5 people\n  the policy is active\n" in second.out
    assert json.loads((place.home / "organization.json").read_text())["name"] == "Acme Ltd"


def test_another_network_needs_its_node_first(place: Place) -> None:
    ended = place.invoke(*init_arguments(place, network=("soneium-minato",)), *_mnee())
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == (
        "Error: set RPC_URL to a node of soneium-minato first, in .env for instance: the wallet's"
        " balances are read from the chain\n"
    )
    assert not place.home.exists()


def test_the_variable_may_stand_in_a_dotenv_file(place: Place) -> None:
    """And a node that does not answer stops it before anything is written."""
    place.write(".env", "RPC_URL=http://127.0.0.1:9\nOPENAI_API_KEY=\n")
    policy = place.write("minato.yaml", policy_yaml(**{"chain: 31337": "chain: 1946"}))
    ended = place.invoke(
        *init_arguments(
            place,
            network=("soneium-minato",),
            policy=(str(policy),),
            cap=("MNEE:10000:25000",),
            payees=None,
        ),
        *_mnee(),
    )
    assert ended.status == 1
    assert ended.err.startswith("Error: eth_chainId: no connection to the node")
    assert not (place.home / "network.yaml").exists()
    assert not (place.home / "signer").exists()


def _mnee() -> tuple[str, str]:
    return "--token-address", f"MNEE={development_account(7).address}"


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        ("organization", "--organization is missing: Name of the organization"),
        ("network", "--network is missing: Network (soneium-minato, development, or a profile's"),
        ("person", "one person has to be the administrator"),
        ("policy", "--policy is missing: Policy file"),
        ("import-key", "give --import-key FILE or --new-key"),
        ("passphrase-file", "--passphrase-file is missing: it guards the keystore"),
        ("cap", "--cap USDC:PER_TRANSACTION:PER_24H is missing"),
    ],
)
def test_what_is_missing_is_named(place: Place, left_out: str, said: str) -> None:
    ended = place.invoke(*init_arguments(place, **{left_out.replace("-", "_"): None}))
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith(f"Error: {said}")
    assert not place.home.exists()


def test_a_conversation_asks_again_and_ends_without_a_trace(place: Place) -> None:
    key: Path = place.write("key.hex", WALLET.key.hex())
    answers = [
        *("atlantis", "development"),
        "Acme Ltd",
        *("dollars", "USD"),
        "unknown",
        *("ada@", "ada@acme.example", "Ada Admin"),
        *("carl@acme.example", "Carl Chief", "-"),
        *("ann@acme.example", "Ann Approver", "-"),
        *("ada@acme.example", "-"),
        *("y", ""),  # copy the sample and keep it as it is
        "-",  # no payees
        str(key),
        *("short", "short", PASSPHRASE_TEXT, PASSPHRASE_TEXT),
        *("10000", "5000", "10000", "25000"),
        "",  # the wallet's name
        "n",
    ]
    ended = place.invoke("init", given="".join(f"{answer}\n" for answer in answers))
    assert (ended.status, ended.err) == (1, "Aborted!\n")
    for fault in (
        "'atlantis' is neither a file nor one of development, soneium-minato",
        "'dollars' is no ISO 4217 currency, such as USD",
        "write one e-mail address, such as cfo@example.com",
        "choose a passphrase of at least 12 characters",
        "the cap a transaction is at most the cap of 24 hours",
    ):
        assert fault in ended.out
    assert "  Ada Admin <ada@acme.example>: administrator and clerk\n" in ended.out
    assert "  a month costs an unknown amount\n" in ended.out
    assert ended.out.endswith("  no payees yet\nSet this up? [Y/n]: n\n")
    assert WALLET.key.hex() not in ended.out
    assert PASSPHRASE_TEXT not in ended.out
    assert (place.folder / "policy.yaml").exists()
    assert not place.home.exists()
