"""limits.yaml: strict reading, and reading again while the signer runs."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from signer.limits_file import LimitsFile, limits_yaml, parse_limits
from tests.support.signer import LIMITS, TOKEN
from treasurer.kernel.errors import InvalidInput


def test_the_text_round_trips() -> None:
    assert parse_limits(limits_yaml(LIMITS)) == LIMITS


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rolling_24h_minor: 25000000000", "rolling_24h_minor: 2.5e10", "must be an integer"),
        ("rolling_24h_minor: 25000000000", "rolling_24h_minor: true", "must be an integer"),
        ("rolling_24h_minor: 25000000000", "rolling_24h_minor: -1", "must lie in"),
        ("rolling_24h_minor: 25000000000", "rolling_24_minor: 25", "is missing"),
        ("max_gas_limit: 200000", "max_gas_limit: 200000\nmax_gas: 1", "max_gas: is not known"),
        (f"address: '{TOKEN}'", f"address: {TOKEN}", "in quotes"),
        (f"address: '{TOKEN}'", f"address: '{TOKEN.upper()}'", "lower-case"),
        ("version: 1", "version: 2", "must lie in 1..1"),
        ("isolation: user", "isolation: none", "one of user, external"),
        ("decimals: 6", "decimals: 19", "must lie in 0..18"),
    ],
)
def test_a_mistake_is_named_and_never_read_as_no_limit(old: str, new: str, message: str) -> None:
    text = limits_yaml(LIMITS)
    assert old in text
    with pytest.raises(InvalidInput) as refused:
        parse_limits(text.replace(old, new))
    assert message in refused.value.message


@pytest.mark.parametrize("text", ["", "[]", "a: [", "just words"])
def test_what_is_no_limits_file_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_limits(text)


def test_a_change_is_seen_and_a_broken_file_means_no_limits_at_all(tmp_path: Path) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text(limits_yaml(LIMITS))
    file = LimitsFile(path)
    assert file.current().max_gas_limit == 200_000
    path.write_text(limits_yaml(LIMITS).replace("200000", "150000"))
    # The same size and, on a coarse clock, the same time: the name's owner made a new file.
    os.utime(path, ns=(1, 1))
    assert file.current().max_gas_limit == 150_000
    path.write_text("version: 1\n")
    for _ in range(2):
        with pytest.raises(InvalidInput):
            file.current()
    path.unlink()
    with pytest.raises(InvalidInput, match="LIMITS_MISSING"):
        file.current()


def test_a_file_from_before_batches_permits_none_of_the_new_kinds() -> None:
    later = ("cancel_max_fee_per_gas_wei", "allowance_minor", "spenders", "top_ups")
    old = replace(
        LIMITS, spenders=(), top_ups=(), tokens=(replace(LIMITS.tokens[0], allowance_minor=0),)
    )
    text = "\n".join(
        line for line in limits_yaml(old).splitlines() if not line.strip().startswith(later)
    )
    assert parse_limits(text) == old


def test_a_cancel_can_always_outbid_a_payment() -> None:
    assert LIMITS.cancel_cap_wei == 112_500_000_000
    assert replace(LIMITS, max_fee_per_gas_wei=9).cancel_cap_wei == 11
    text = limits_yaml(replace(LIMITS, cancel_max_fee_per_gas_wei=112_500_000_000))
    assert parse_limits(text).cancel_cap_wei == 112_500_000_000
    with pytest.raises(InvalidInput, match="cancel_max_fee_per_gas_wei: must lie"):
        parse_limits(text.replace("112500000000", "112499999999"))
