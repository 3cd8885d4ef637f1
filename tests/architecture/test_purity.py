"""Money and decisions are computed without fractions, clocks or I/O."""

import ast
from pathlib import Path

import pytest

from tests.support.sources import (
    binary_fractions,
    clock_readings,
    imports_of,
    installed_files,
    python_files,
    reads_environment,
    tree,
    walk,
)

EXACT = ("treasurer/kernel", "policy", "treasurer/ledger")
IMPURE = frozenset(
    {
        "asyncio", "httpx", "os", "psycopg", "random", "redis", "secrets", "socket", "sqlalchemy",
        "subprocess", "time",
    }
)  # fmt: skip


@pytest.mark.parametrize("folder", EXACT)
def test_no_binary_fraction(folder: str) -> None:
    found = [
        f"{path}:{line}" for path in python_files(folder) for line in binary_fractions(tree(path))
    ]
    assert found == []


@pytest.mark.parametrize("folder", EXACT)
def test_no_clock_is_read(folder: str) -> None:
    found = [
        f"{path}:{line}" for path in python_files(folder) for line in clock_readings(tree(path))
    ]
    assert found == []


def _models() -> list[Path]:
    return [path for path in installed_files() if path.name == "model.py"]


def test_models_are_synchronous_and_pure() -> None:
    assert len(_models()) >= 8
    found = [
        f"{path}:{line}"
        for path in _models()
        for line in (
            *imports_of(tree(path), IMPURE),
            *clock_readings(tree(path)),
            *reads_environment(tree(path)),
            *(each.lineno for each in walk(tree(path)) if isinstance(each, ast.AsyncFunctionDef)),
        )
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    ["x = 0.1", "x = float('1')", "def f(x: float): ...", "isinstance(x, float)"],
)
def test_a_fraction_would_be_seen(source: str) -> None:
    assert binary_fractions(ast.parse(source)) != []


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import datetime\ndatetime.now(UTC)",
        "import datetime\ndatetime.datetime.utcnow()",
        "date.today()",
        "clock = datetime.now",
        "import time",
        "from time import monotonic",
    ],
)
def test_a_clock_would_be_seen(source: str) -> None:
    assert clock_readings(ast.parse(source)) != []


def test_an_injected_clock_is_none() -> None:
    assert clock_readings(ast.parse("now = self._clock()\nrequest.now\ncontext.clock()")) == []
