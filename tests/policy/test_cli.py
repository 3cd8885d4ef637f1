"""`treasurer policy`: what a newcomer sees, and how a wrong file is refused."""

import json

import pytest
from click.testing import CliRunner, Result

from policy.decision import Outcome, decision_from_json
from policy.engine import evaluate
from tests.support.policy import NORWICK_YAML, SAMPLES, facts, norwick, payment
from treasurer.cli.policy import policy

NORWICK = str(SAMPLES / "norwick.yaml")
EXAMPLE = str(SAMPLES / "request-example.json")


def run(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(policy, arguments, input=given)


def test_check_says_what_the_policy_means():
    result = run("check", NORWICK)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "Norwick Instruments, supplier payments"
    assert "  All payments of 24 hours together are at most 25,000.00 USD." in lines
    assert "It may ask up to 2 people besides whoever proposed the payment." in lines
    assert lines[-1] == f"version {norwick().digest.hex()}"


def test_check_tells_an_organization_of_one_person_that_it_fits():
    result = run("check", str(SAMPLES / "single-person.yaml"))
    assert result.exit_code == 0
    assert "Nobody is ever asked, so an organization of one person can use it." in result.stdout


def test_check_refuses_with_the_place_of_each_fault():
    broken = NORWICK_YAML.replace("up_to: 1000.00 USD", "up_to: 1,000.00 USD")
    line = broken[: broken.index("1,000.00")].count("\n") + 1
    result = run("check", "-", given=broken)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"-: line {line}, column 5: tiers.0.up_to: write an amount with its currency and without"
        " grouping: 1000.00 USD\n"
    )


def test_check_refuses_what_is_no_text(tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_bytes(b"\xff\xfe")
    result = run("check", str(file))
    assert result.exit_code == 1
    assert "UTF-8" in result.stderr


def test_decide_prints_the_stored_decision():
    result = run("decide", EXAMPLE, "--policy", NORWICK, "--json")
    assert result.exit_code == 0
    decision = decision_from_json(result.stdout)
    assert decision.outcome is Outcome.REQUIRE_APPROVAL
    assert decision.to_json().decode() + "\n" == result.stdout


def test_decide_reads_what_the_services_store():
    given = json.dumps({"request": payment().document(), "facts": facts().document()})
    result = run("decide", "-", "--policy", NORWICK, "--json", given=given)
    assert result.stdout_bytes == evaluate(payment(), facts(), norwick()).to_json() + b"\n"


def test_decide_explains_in_words():
    result = run("decide", EXAMPLE, "--policy", NORWICK)
    assert result.exit_code == 0
    assert result.stdout.startswith("needs approval\n")
    assert "1,000.00 USDC (1,000.00 USD) or less would pass without approval." in result.stdout


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("{}", "request: an object belongs here"),
        ('{"request": {}}', "facts: an object belongs here"),
        ('{"request": {}, "facts": {}}', "request.organization_id: a string belongs here"),
        ("nonsense", "no JSON"),
    ],
)
def test_decide_refuses_a_wrong_request(given, says):
    result = run("decide", "-", "--policy", NORWICK, given=given)
    assert result.exit_code == 1
    assert says in result.stderr
    assert "Traceback" not in result.output
