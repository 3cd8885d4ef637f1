"""RPC_URL: one provider or several."""

import pytest
from pydantic import SecretStr

from treasurer.kernel.errors import InvalidInput
from treasurer.settings import Settings


def settings(text: str | None) -> Settings:
    return Settings(rpc_url=None if text is None else SecretStr(text))


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        (None, ()),
        ("http://a.example", ("http://a.example",)),
        ("https://a.example/k, http://b:8545", ("https://a.example/k", "http://b:8545")),
    ],
)
def test_addresses_are_separated_by_commas(text: str | None, urls: tuple[str, ...]) -> None:
    assert settings(text).rpc_urls == urls


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("https://a.example/secret,", "RPC_URL_SYNTAX"),
        ("https://a.example/secret b.example", "RPC_URL_SYNTAX"),
        ("ws://a.example/secret", "RPC_URL_SYNTAX"),
        ("https://a.example/secret,https://a.example/secret", "RPC_URL_TWICE"),
    ],
)
def test_a_mistake_is_named_without_the_key(text: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        assert settings(text).rpc_urls
    assert refused.value.code == code
    assert "secret" not in refused.value.message
