"""The shape of the repository: where things stand, how long they are, what they say of themselves."""

import ast
import re
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.sources import (
    ROOT,
    installed_files,
    patches_of,
    python_files,
    root_packages,
    tree,
    walk,
)

MOST_LINES_A_FILE = 400
MOST_LINES_A_FUNCTION = 70
VAGUE = frozenset({"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"})

LONG_FILES = {
    "saga/store.py": "all SQL that moves a transfer: each statement names the fence, read side by side",
    "migrations/versions/0001_main_job.py": "one schema, read as one page; a migration is not split",
    "tests/agents/test_intake.py": "the cases of one graph, each short",
    "tests/invoices/test_service.py": "the cases of one service, each short",
    "tests/cli/test_running.py": "the cases of one installation, which takes long to start, each short",
    "tests/policy/oracle.py": "one evaluator, read beside the page that it was written from",
    "tests/signer/test_process.py": "the cases of one process, each short",
}
LONG_FUNCTIONS = {
    "saga/steps/reserve.py:_write": "one commit, written down in the order of its writes",
    "treasurer/bootstrap.py:open_core": "the composition root: one service after the other",
    "tests/support/treasury.py:open_treasury": "a composition: one service after the other",
}
_LOCK_LINE = re.compile(
    r"[A-Za-z0-9._-]+(\[[a-z0-9, _-]+\])?==\S+( ; .+?)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?"
)


def _python() -> list[Path]:
    return [*installed_files(), *python_files("tests"), *python_files("bench")]


def _lines(path: Path) -> int:
    return len((ROOT / path).read_text(encoding="utf-8").splitlines())


def _long_functions() -> set[str]:
    return {
        f"{path}:{node.name}"
        for path in _python()
        for node in walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > MOST_LINES_A_FUNCTION
    }


def test_long_files_have_a_reason() -> None:
    found = {str(path) for path in _python() if _lines(path) > MOST_LINES_A_FILE}
    assert found - set(LONG_FILES) == set()


def test_long_functions_have_a_reason() -> None:
    assert _long_functions() - set(LONG_FUNCTIONS) == set()


def test_every_module_says_what_it_owns() -> None:
    """A file without a statement owns nothing and needs no words."""
    silent = [
        str(path)
        for path in installed_files()
        if tree(path).body and ast.get_docstring(tree(path)) is None
    ]
    assert silent == []


def test_no_module_has_a_vague_name() -> None:
    vague = [str(path) for path in _python() if VAGUE & {*path.parent.parts, path.stem}]
    assert vague == []


@pytest.mark.parametrize("name", root_packages())
def test_root_package_is_ours(name: str) -> None:
    """Another distribution may ship a package of the same name and be found first."""
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).is_relative_to(ROOT)


def test_tests_are_no_packages() -> None:
    """With --import-mode=importlib a package would let two tests of one name shadow each other."""
    assert sorted(str(path) for path in python_files("tests") if path.name == "__init__.py") == []


def test_tests_patch_nothing_of_ours() -> None:
    """What has to be replaced in a test is passed in; a patch would hide that it cannot be."""
    packages = frozenset(root_packages())
    found = [
        f"{path}:{line}"
        for path in python_files("tests")
        for line in patches_of(tree(path), packages)
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "from unittest.mock import patch",
        "def test_x(mocker): ...",
        "monkeypatch.setattr('saga.engine.Pump', None)",
        "from saga import engine\nmonkeypatch.setattr(engine, 'Pump', None)",
        "from saga.engine import Pump\nmonkeypatch.setattr(Pump, 'run', None)",
        "import saga.engine\nmonkeypatch.setattr(saga.engine, 'Pump', None)",
    ],
)
def test_a_patch_would_be_seen(source: str) -> None:
    assert patches_of(ast.parse(source), frozenset({"saga"})) != []


def test_the_environment_of_a_test_may_be_set() -> None:
    assert patches_of(ast.parse("monkeypatch.setenv('A', 'b')"), frozenset({"saga"})) == []


LOCKS = {
    "requirements-base.lock": (),
    "requirements.lock": ("dev",),
    "requirements-bench.lock": ("bench",),
}


@pytest.mark.parametrize("name", LOCKS)
def test_locks_hold_every_dependency(name: str) -> None:
    """What is missing here is missing on every fresh machine; `make lock` renews them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = list(project["dependencies"])
    for extra in LOCKS[name]:
        wanted += project["optional-dependencies"][extra]
    locked = {
        line.partition("==")[0].partition("[")[0].lower()
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
        if "==" in line
    }
    names = {re.split(r"[\[<>=!~ ;]", requirement)[0].lower() for requirement in wanted}
    assert names - locked == set()


@pytest.mark.parametrize("name", [*LOCKS, "requirements-uv.lock"])
def test_locks_carry_hashes_and_no_addresses(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not _LOCK_LINE.fullmatch(line)] == []
    assert sum("--hash" in line for line in lines) > (100 if name in LOCKS else 5)
