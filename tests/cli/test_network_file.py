"""network.yaml: what `treasurer init` pins of the tokens that it found."""

from treasurer.chain.networks import load_profile, shipped_profile
from treasurer.chain.proxies import Implementation, Observed
from treasurer.cli.network_file import pinned, pinned_as_observed

TOKEN, LOGIC = "0x" + "ab" * 20, "0x" + "1c" * 20
MINATO = pinned(shipped_profile("soneium-minato"), {"MNEE": TOKEN})


def test_the_code_that_was_seen_is_pinned() -> None:
    seen = Observed(b"\1" * 32, Implementation(LOGIC, b"\2" * 32), has_beacon=False)
    (token,) = load_profile(pinned_as_observed(MINATO, {"MNEE": seen})).tokens
    assert (token.address, token.code_hash) == (TOKEN, b"\1" * 32)
    assert token.implementation == Implementation(LOGIC, b"\2" * 32)


def test_what_the_profile_pins_stays() -> None:
    once = pinned_as_observed(MINATO, {"MNEE": Observed(b"\1" * 32, None, has_beacon=False)})
    other = Observed(b"\3" * 32, None, has_beacon=False)
    assert load_profile(pinned_as_observed(once, {"MNEE": other})) == load_profile(once)


def test_nothing_is_pinned_where_nothing_stands() -> None:
    assert load_profile(pinned_as_observed(MINATO, {"MNEE": None})) == load_profile(MINATO)
