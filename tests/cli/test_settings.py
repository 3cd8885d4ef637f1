"""A setting that cannot serve is named with what to write, never told by a trace or by a wrong reason."""

import pytest

from tests.support.cli import Place


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("LOG_LEVEL", "verbose", "LOG_LEVEL: write it as INFO"),
        (
            "PUBLIC_URL",
            "treasurer.example.com",
            "PUBLIC_URL: write it as https://treasurer.example.com",
        ),
        (
            "DATABASE_URL",
            "hunter2@db",
            "DATABASE_URL: write it as postgresql://owner:password@db.example.com/treasurer",
        ),
        ("REDIS_URL", "cache:6379", "REDIS_URL: write it as redis://cache.example.com:6379/0"),
        (
            "TREASURER_HOST",
            "192.0.2.1",
            "nobody can listen on 192.0.2.1:8000 here (Cannot assign requested address); set"
            " TREASURER_HOST to an address of this machine, and TREASURER_PORT to a port that you may"
            " use",
        ),
    ],
)
def test_it_is_named_with_what_to_write(place: Place, name: str, value: str, words: str) -> None:
    place.variables["TREASURER_PORT"] = "8000"
    place.variables[name] = value
    ended = place.run("up", "--demo")
    assert (ended.status, ended.out, ended.err) == (1, "", f"Error: {words}\n")
