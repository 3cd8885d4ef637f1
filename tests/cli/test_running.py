"""An installation that `init` set up and `up` runs: doctor, token, live, audit, and money that waits
for `treasurer live`."""

import json
import stat
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.support.cli import Ended, Place, Up, running_up
from tests.support.embedded import wait_for
from treasurer.kernel.clock import parse_iso

ADA, CARL, CLEO = "ada@acme.example", "carl@acme.example", "cleo@acme.example"


@pytest.fixture(scope="module")
def place(up: Up) -> Place:
    return up.place


def url(place: Place) -> str:
    return f"http://127.0.0.1:{place.variables['TREASURER_PORT']}"


def client(place: Place, email: str) -> httpx.Client:
    """A script of `email`, by the token that the command prints."""
    ended = place.run("token", "--user", email)
    assert (ended.status, ended.err) == (0, "")
    return httpx.Client(
        base_url=url(place), headers={"Authorization": f"Bearer {ended.out.strip()}"}, timeout=10
    )


def test_up_says_where_it_is(up: Up) -> None:
    lines = up.output.splitlines()
    assert lines[:3] == [
        "starting database, cache and chain …",
        "starting signer, worker and API …",
        "",
    ]
    assert lines[3].startswith("ready after ")
    assert lines[3].endswith(f" s: {url(up.place)}")
    assert lines[4:] == [
        "one user runs everything here, which is no isolation: `treasurer doctor`",
        f"Ctrl-C stops everything; the data stay in {up.place.home}",
    ]


def test_a_running_installation_says_where_its_parts_are_and_no_password(place: Place) -> None:
    path = place.home / "running.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content = json.loads(path.read_text())
    assert content.keys() == {
        *("database_url", "redis_url", "rpc_url"),
        *("treasurer_host", "treasurer_port", "public_url", "pid"),
    }
    assert content["database_url"].startswith("postgresql://treasurer_app@/treasurer?host=")


def test_no_process_of_ours_knows_the_superusers_password(place: Place) -> None:
    password = (place.home / "postgres" / "superuser.password").read_bytes()
    ours = dict(_environments(place.home))
    assert {"worker", "serve"} <= ours.keys()
    assert [name for name, variables in ours.items() if password in variables] == []
    # The signer gets nothing that opens the database, and nobody whom we start its passphrase.
    assert b"SIGNER_PASSPHRASE_FILE" not in ours["worker"] + ours["serve"]
    assert b"DATABASE_URL" not in ours.get("signer", b"")


def _environments(home: Path) -> Iterator[tuple[str, bytes]]:
    """Name and variables of every process that was started for `home`, as far as we may look."""
    for process in Path("/proc").iterdir():
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            variables = (process / "environ").read_bytes()
        except (OSError, ValueError):
            continue
        modules = {b"treasurer.cli": slice(3, 4), b"signer": slice(2, 3)}
        place = words[2:3] and modules.get(words[2])
        if place and str(home).encode() in variables + b" ".join(words):
            yield words[place][0].decode(), variables


def test_doctor_finds_nothing_wrong_and_says_what_is_used(place: Place) -> None:
    ended = place.invoke("doctor", "--json")
    report = json.loads(ended.out)
    assert [entry for entry in report["findings"] if entry["state"] == "bad"] == []
    assert (ended.status, report["ok"]) == (0, True)
    states = [(entry["subject"], entry["state"]) for entry in report["findings"]]
    assert states == [
        *[("python", "good"), ("disk", "good"), ("folder", "good")],
        *[("database", "good"), ("cache", "good"), ("mail", "note")],
        *[("mailbox", "note"), ("model", "note")],
        *[("chain", "good"), ("clock", "good"), ("signer", "good"), ("isolation", "note")],
        *[("api", "good"), ("organization", "note"), ("policy", "good"), ("people", "note")],
        *[("wallet", "good"), ("prices", "note"), ("worker", "good")],
    ]
    said = {entry["subject"]: entry["message"] for entry in report["findings"]}
    assert said["isolation"] == (
        "one user runs everything here, which is no isolation: the signer signs for the development"
        " chain only"
    )
    assert said["model"] == (
        "offline: documents are read by rules; set OPENAI_API_KEY or OPENAI_BASE_URL for a model"
    )
    assert said["mail"] == f"no SMTP_URL: mails become files in {place.home}/mails"
    assert said["organization"] == (
        "Acme Ltd is in dry run: everything but signing; `treasurer live` turns it live"
    )
    assert said["prices"] == "USDC is declared at par with USD, not observed"
    assert said["wallet"] == ("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266 holds 1,000,000.00 USDC")
    assert said["database"] == "embedded PostgreSQL, PostgreSQL 18.4 answers"
    assert said["worker"] == "1 at work"


def test_doctor_names_given_parts_that_do_not_answer(place: Place) -> None:
    ended = place.invoke(
        "doctor",
        REDIS_URL="redis://127.0.0.1:9/0",
        SMTP_URL="smtp://127.0.0.1:9",
        OPENAI_BASE_URL="http://127.0.0.1:9/v1",
        RPC_URL="http://127.0.0.1:9/secret-key",
    )
    assert ended.status == 1
    lines = {line[6:19].strip(): line for line in ended.out.splitlines()}
    for subject, words in {
        "cache": "WRONG cache        given by REDIS_URL, does not answer: ",
        "mail": "WRONG mail         given by SMTP_URL, does not answer: ",
        "model": "WRONG model        gpt-5-mini at 127.0.0.1:9, does not answer: ",
        "chain": "WRONG chain        given by RPC_URL: eth_chainId: no connection to the node",
    }.items():
        assert lines[subject].startswith(words), lines[subject]
    assert ended.out.endswith("\n4 wrong\n") or ended.out.endswith("\n5 wrong\n")
    assert "secret-key" not in ended.out + ended.err


def test_a_token_is_its_owners(place: Place) -> None:
    with client(place, CLEO) as cleo:
        profile = cleo.get("/api/v1/auth/profile").raise_for_status().json()
    assert profile["user"]["email"] == CLEO
    assert "invoices:submit" in profile["permissions"]


def test_a_link_signs_in_once(place: Place) -> None:
    ended = place.invoke("token", "--user", CARL, "--link")
    link = ended.out.strip()
    assert link.startswith(f"{url(place)}/login/link/")
    assert httpx.get(link).status_code == 200


def test_nobody_elses_token(place: Place) -> None:
    ended = place.invoke("token", "--user", "mallory@acme.example")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == "Error: no active user has the e-mail address mallory@acme.example\n"


def test_only_an_administrator_turns_live(place: Place) -> None:
    ended = place.invoke("live", "--user", CARL, given="y\n")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == (
        "Error: this needs the permission admin:all; ask an administrator for a role with it\n"
    )


def test_the_administrator_is_asked_and_may_say_no(place: Place) -> None:
    ended = place.invoke("live", given=f"{ADA}\nn\n")
    assert ended.status == 1
    assert ended.out == (
        f"Administrator's e-mail address: {ADA}\n"
        "Acme Ltd pays on development (chain 31337) and holds 1,000,000.00 USDC.\n"
        "Once live, what the policy lets pass is signed and sent; it cannot be called back.\n"
        "Payments that waited in dry run go out at once.\n"
        "Ada Admin, turn Acme Ltd live? [y/N]: n\n"
    )
    assert _mode(place) == "dry_run"


def test_a_payment_waits_in_dry_run_until_a_person_turns_it_live(place: Place) -> None:
    with client(place, ADA) as ada, client(place, CLEO) as cleo:
        _verify_all(ada, cleo)
        sent = cleo.post(
            "/api/v1/invoices", content=INVOICE, headers={"Content-Type": "text/plain"}
        )
        assert sent.status_code == 202
        wait_for(lambda: _payment(cleo)["state"] == "executing", "the payment to be reserved")

        ended = place.invoke("live", "--user", ADA, given="y\n")
        assert (ended.status, ended.err) == (0, "")
        assert ended.out.endswith(
            "turn Acme Ltd live? [y/N]: y\nAcme Ltd is live now, by Ada Admin\n"
        )
        wait_for(lambda: _payment(cleo)["state"] == "settled", "the payment to settle", 40)
        events = (
            ada.get("/api/v1/audit/events", params={"most": 100}).raise_for_status().json()["items"]
        )
    # Newest first, so that the first of each kind is what stays.
    when = {event["kind"]: parse_iso(event["occurred_at"]) for event in events}
    # Nothing was signed before the person said so.
    assert when["transfer.reserved"] < when["organization.live"] < when["transfer.signed"]


INVOICE = """INVOICE HF-2001
From: Halden Freight AS
Bill to: Acme Ltd
Invoice date: 2026-11-20
Total due: 640.00 USDC
Due: 2026-12-10
"""


def test_a_mail_tells_of_it(place: Place) -> None:
    def told() -> list[EmailMessage]:
        mails = [
            message_from_bytes(path.read_bytes(), policy=policy.SMTP)
            for path in (place.home / "mails").glob("*.eml")
        ]
        return [mail for mail in mails if mail["To"] == CLEO]

    wait_for(lambda: bool(told()), "a mail")
    assert told()[0]["From"] == "Autonomous Treasurer <treasurer@localhost>"


def _verify_all(ada: httpx.Client, cleo: httpx.Client) -> None:
    """As next step 3 says: who entered an address cannot verify it, another person can."""
    for payee in ada.get("/api/v1/payees").raise_for_status().json()["items"]:
        (address,) = payee["addresses"]
        path = f"/api/v1/payees/{payee['id']}/addresses/{address['id']}/verification"
        assert cleo.post(path).json()["code"] == "ADDRESS_OWN_CHANGE"
        assert ada.post(path).raise_for_status().json()["state"] == "verified"


def _payment(cleo: httpx.Client, amount: str = "640.000000") -> dict[str, Any]:
    items = cleo.get("/api/v1/payments").raise_for_status().json()["items"]
    found = [item for item in items if item["amount"]["amount"] == amount]
    return found[0] if found else {"state": None}


def _mode(place: Place) -> str:
    with client(place, ADA) as ada:
        return str(ada.get("/api/dashboard").raise_for_status().json()["mode"])


def test_stored_decisions_are_replayed_by_command(place: Place) -> None:
    """The demonstration's policy with a lower tier would have shown the 640.00 to somebody."""
    with client(place, CLEO) as cleo, client(place, ADA) as ada:
        payment_id = _payment(cleo)["id"]
        document = ada.get("/api/v1/policy").raise_for_status().json()["document"]
        lower = place.folder / "lower.yaml"
        document["tiers"][0]["up_to"] = "500.00 USD"
        lower.write_text(json.dumps(document))
        draft = ada.post("/api/v1/policy", json={"yaml": lower.read_text()})
        draft_id = draft.raise_for_status().json()["id"]
    verified = place.invoke("policy", "verify", payment_id)
    assert (verified.status, verified.err) == (0, "")
    assert all(line.endswith("the same bytes") for line in verified.out.splitlines())
    found = place.invoke("policy", "backtest", str(lower), "--since", "2026-01-01")
    assert (found.status, found.err) == (0, "")
    lines = found.out.splitlines()
    assert "1 paid before, held now 640.00 USD" in [" ".join(line.split()) for line in lines]
    assert lines[-1].endswith(f", kept for draft {draft_id}")
    report = place.invoke("policy", "backtest", str(lower), "--since", "2026-01-01", "--json")
    assert json.loads(report.out)["changes"][0]["payment_id"] == payment_id
    changed = place.invoke("policy", "diff", "1", "2")
    assert "Now: Up to 500.00 USD: paid without asking." in changed.out
    names = place.folder / "names.txt"
    names.write_text("Acme Trading\n")
    loaded = place.invoke("policy", "sanctions", str(names))
    assert loaded.out == "1 entries are on the sanctions list now\n"


def test_a_held_invoice_is_reviewed_by_command(place: Place) -> None:
    with client(place, CLEO) as cleo:
        unnumbered = INVOICE.replace("INVOICE HF-2001", "INVOICE").replace("640.00", "12.00")
        sent = cleo.post(
            "/api/v1/invoices", content=unnumbered, headers={"Content-Type": "text/plain"}
        )
        invoice = f"/api/v1/invoices/{sent.raise_for_status().json()['id']}"

        def state() -> str:
            return str(cleo.get(invoice).raise_for_status().json()["state"])

        wait_for(lambda: state() == "needs_review", "the invoice to be held")
        invoice_id = invoice.rpartition("/")[2]
        review = ("invoices", "review", invoice_id, "--user", CLEO, "--reason", "it is on page 2")
        wrong = place.invoke(*review, "--state", "invoice_number")
        assert wrong.status == 2
        assert "'invoice_number' is not FIELD=VALUE" in wrong.err
        held = place.invoke(*review, "--state", "due_date=2026-12-24")
        assert (held.status, held.out) == (1, "")
        reviewed = place.invoke(*review, "--state", "invoice_number=HF-2002")
        assert (reviewed.status, reviewed.err) == (0, "")
        assert reviewed.out == "reviewed; the worker reads it again and proposes its payment\n"
        wait_for(lambda: state() == "proposed", "the invoice to be read again")
        payment = _payment(cleo, "12.000000")
    # It lies in the tier without asking, and still another person looks.
    assert payment["state"] == "awaiting_approval"


def test_incidents_are_answered_by_command(place: Place) -> None:
    assert place.invoke("incidents").out == "nothing is open\n"
    with _superuser(place) as connection:
        connection.execute(
            "INSERT INTO incidents (organization_id, id, kind, subject_id, message, opened_at)"
            " SELECT id, gen_random_uuid(), 'providers.contradict', id, 'a and b differ',"
            " '2026-11-27T09:00:00Z' FROM organizations"
        )
    first, second = place.invoke("incidents").out.splitlines()
    incident_id, *words = first.split()
    assert words[:2] == ["2026-11-27T09:00:00.000000Z", "providers.contradict"]
    assert second == "  a and b differ"
    answer = (incident_id, "--user", ADA, "--note")
    empty = place.invoke("incidents", "close", *answer, " ")
    assert (empty.status, empty.err) == (1, "Error: say what you found, in 1 to 2000 characters\n")
    assert place.invoke("incidents", "acknowledge", *answer, "I ask b").out == "acknowledged\n"
    assert place.invoke("incidents", "close", *answer, "b lagged").out == "closed\n"
    assert place.invoke("incidents").out == "nothing is open\n"
    assert place.invoke("incidents", "--closed").out.splitlines()[-1] == "  b lagged"


def test_off_acts_at_once_and_saying_it_twice_changes_nothing(place: Place) -> None:
    assert (
        place.invoke("live", "--off", "--user", ADA).out
        == "Acme Ltd is in dry run now, by Ada Admin\n"
    )
    assert _mode(place) == "dry_run"
    assert place.invoke("live", "--off", "--user", ADA).out == "Acme Ltd is in dry run already\n"


def test_a_second_up_keeps_out(place: Place) -> None:
    ended = place.invoke("up")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == (
        f"Error: something listens on {url(place).removeprefix('http://')}; stop it or set"
        " TREASURER_PORT\n"
    )


def test_a_kept_head_must_be_part_of_the_chain(place: Place) -> None:
    wait_for(lambda: place.invoke("audit", "head").status == 0, "the first signed head")
    head = place.invoke("audit", "head").out
    kept = place.write("head.json", head)
    ended = place.invoke("audit", "verify", "--kept", str(kept))
    assert (ended.status, ended.err) == (0, "")
    content = json.loads(head)
    other = place.write("other.json", json.dumps({**content, "hash": "00" * 32}))
    ended = place.invoke("audit", "verify", "--kept", str(other))
    assert ended.status == 1
    assert ended.out.startswith(
        f"Acme Ltd: FAULT at event {content['sequence']}: the signature is not for this history"
    )
    unreadable = place.write("none.json", "{}")
    assert place.invoke("audit", "verify", "--kept", str(unreadable)) == Ended(
        1, "", f"Error: {unreadable} is no head as `treasurer audit head` prints it\n"
    )


def test_the_audit_chain_verifies_and_a_changed_event_is_found(place: Place) -> None:
    """Run late: it changes a sealed event, as only a database's superuser can."""
    ended = place.invoke("audit", "verify", "--json")
    before = json.loads(ended.out)
    assert (ended.status, before["fault"], before["organization"]) == (0, None, "Acme Ltd")
    assert before["events"] > 10
    in_words = place.invoke("audit", "verify", "--user", CLEO)
    assert in_words.status == 0
    first, second = in_words.out.splitlines()
    assert first.startswith("Acme Ltd: ")
    assert " events, the chain holds, signed up to event " in first
    assert len(second.removeprefix("head ")) == 64

    _forge(place)
    ended = place.invoke("audit", "verify")
    assert (ended.status, ended.out) == (
        1,
        "Acme Ltd: FAULT at event 1: the content was changed after it was recorded\n"
        f"0 events were read until there, the last hash is {'0' * 64}\n",
    )


def _superuser(place: Place) -> psycopg.Connection:
    password = (place.home / "postgres" / "superuser.password").read_text()
    running = json.loads((place.home / "running.json").read_text())
    address = running["database_url"].replace("treasurer_app", "postgres")
    return psycopg.connect(address, password=password)


def _forge(place: Place) -> None:
    """Give the organization another name in its first event."""
    with _superuser(place) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            'UPDATE audit_events SET payload = \'{"name": "Evil Ltd"}\''
            " WHERE kind = 'organization.created'"
        )


def test_allowances_need_a_pinned_contract(place: Place) -> None:
    listed = place.run("allowances", "list")
    assert (listed.status, listed.out) == (0, "nothing was ever allowed\n")
    refused = place.run("allowances", "propose", "0x" + "1" * 40, "5000.00", "USDC", "--user", ADA)
    assert refused.status == 1
    assert "network.yaml pins no disperse contract" in refused.err


def test_a_stop_is_orderly_and_the_data_stay(up: Up) -> None:
    """Last: it stops what the others use, and starts it once more."""
    assert up.stop() == 0
    assert not (up.place.home / "running.json").exists()
    ended = up.place.invoke("token", "--user", CLEO)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == (
        f"Error: nothing runs on {up.place.home}: start `treasurer up` in another terminal, or set"
        " DATABASE_URL and REDIS_URL\n"
    )
    with running_up(up.place), client(up.place, CLEO) as cleo:
        assert _payment(cleo)["state"] == "settled"
