"""Some things may be done in one place only. These tests read the code and find any second one."""

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.sources import (
    attribute_calls,
    imports_of,
    installed_files,
    reads_environment,
    strings,
    tree,
)

Detector = Callable[[ast.AST], list[int]]

SEND_STEP = "saga/steps/broadcast.py"
CHAIN = "treasurer/chain/"
# The development chain is a node: it takes transactions, and seeds its own test token.
DEVELOPMENT_NODE = "treasurer/embedded/devchain/"
AGENTS = "agents/"

_LEDGER_WRITE = re.compile(
    r"\b(INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+"
    r"(postings|journal_entries|holds|ledger_accounts)\b",
    re.IGNORECASE,
)
_ATTEMPT_WRITE = re.compile(r"\b(INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+(attempts)\b", re.IGNORECASE)
_AUDIT_WRITE = re.compile(
    r"\b(INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+(audit_events|audit_seals|audit_heads)\b",
    re.IGNORECASE,
)


def _calls(*names: str) -> Detector:
    return lambda node: attribute_calls(node, frozenset(names))


def _imports(*modules: str) -> Detector:
    return lambda node: imports_of(node, frozenset(modules))


def _sql(pattern: re.Pattern[str]) -> Detector:
    return lambda node: [line for text, line in strings(node) if pattern.search(text)]


def _literal(text: str) -> Detector:
    return lambda node: [line for found, line in strings(node) if found == text]


CHOKE_POINTS: dict[str, tuple[Detector, tuple[str, ...], str]] = {
    "bytes are sent to a chain": (
        _calls("broadcast", "broadcast_many"),
        (SEND_STEP, CHAIN),
        "await context.chain.broadcast_many(raws)",
    ),
    "the node's own sending method is named": (
        _literal("eth_sendRawTransaction"),
        (CHAIN, DEVELOPMENT_NODE),
        "rpc.call('eth_sendRawTransaction', [raw])",
    ),
    "ledger rows are written": (
        _sql(_LEDGER_WRITE),
        ("treasurer/ledger/store.py",),
        "text('''\n  INSERT INTO\n  postings (line) VALUES (1)''')",
    ),
    "signed bytes are stored": (
        _sql(_ATTEMPT_WRITE),
        ("saga/attempts.py",),
        "text('UPDATE attempts SET raw = :raw')",
    ),
    "the audit log is written": (
        _sql(_AUDIT_WRITE),
        ("treasurer/audit/store.py",),
        "text(f'DELETE FROM audit_events WHERE id = {x}')",
    ),
    "the environment is read": (
        reads_environment,
        ("settings.py",),
        "import os\nhome = os.environ['HOME']",
    ),
    "python-jose is imported": (
        _imports("jose"),
        ("treasurer/identity/tokens.py",),
        "def f():\n    from jose import jwt",
    ),
    "a model library is imported": (
        _imports("langchain", "langchain_core", "langchain_openai", "langgraph", "langsmith"),
        (AGENTS,),
        "import langgraph.graph",
    ),
}
_HOMES = {
    # Migrations create the tables; they write no row.
    "migrations/",
}


def _allowed(path: Path, places: tuple[str, ...]) -> bool:
    text = path.as_posix()
    return any(
        text.startswith(place)
        if place.endswith("/")
        else text == place or (place == "settings.py" and path.name == place)
        for place in places
    )


@pytest.mark.parametrize("what", CHOKE_POINTS)
def test_is_done_in_one_place_only(what: str) -> None:
    detector, places, _ = CHOKE_POINTS[what]
    found = [
        f"{path}:{line}"
        for path in installed_files()
        if not _allowed(path, (*places, *_HOMES))
        for line in detector(tree(path))
    ]
    assert found == [], f"{what}: only in {', '.join(places)}"


@pytest.mark.parametrize("what", CHOKE_POINTS)
def test_is_done_there(what: str) -> None:
    """A rule about a place where nothing happens any more protects nothing."""
    detector, places, _ = CHOKE_POINTS[what]
    assert any(detector(tree(path)) for path in installed_files() if _allowed(path, places))


@pytest.mark.parametrize("what", CHOKE_POINTS)
def test_would_be_seen_elsewhere(what: str) -> None:
    detector, _, example = CHOKE_POINTS[what]
    assert detector(ast.parse(example)) != []
