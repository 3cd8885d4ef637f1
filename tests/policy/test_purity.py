"""The policy is a pure function: its syntax tree shows no clock, no I/O and no binary fraction."""

import ast
from pathlib import Path

import pytest

import policy

ROOT = Path(policy.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))
PURE = {
    "abc",
    "bisect",
    "collections",
    "collections.abc",
    "dataclasses",
    "datetime",
    "enum",
    "itertools",
    "json",
    "re",
    "typing",
}
# Where a policy file's text enters: yaml reads it, pydantic checks it.
EDGES = {
    "document.py": {"pydantic"},
    "scalars.py": {"pydantic"},
    "terms.py": {"pydantic"},
    "policy_set.py": {"pydantic"},
    "yaml_text.py": {"yaml"},
}
CLOCKS = {"now", "today", "utcnow", "fromtimestamp", "time"}


def test_there_is_something_to_look_at():
    assert len(MODULES) > 30


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_impure(path):
    allowed = PURE | EDGES.get(path.name, set())
    for node in ast.walk(ast.parse(path.read_text())):
        for name in _imported(node):
            assert (
                name in allowed
                or name.split(".")[0] == "policy"
                or name.startswith("treasurer.kernel.")
            ), f"imports {name}"
        if isinstance(node, ast.Name):
            assert node.id not in {"float", "open", "print", "input", "eval", "exec", "__import__"}
            assert node.id not in {"round", "hash", "id"}, "differs between machines or runs"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert not (node.value.id in {"datetime", "date"} and node.attr in CLOCKS)
        if isinstance(node, ast.Constant):
            assert not isinstance(node.value, float | complex)
        if isinstance(node, ast.BinOp | ast.AugAssign):
            assert not isinstance(node.op, ast.Div), "/ gives a binary fraction; use //"
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.Global)


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0 and node.module is not None
        return [node.module]
    return []


def test_every_rule_file_stands_in_the_registry():
    from policy.rules.registry import RULES

    files = {path.stem for path in (ROOT / "rules").glob("*.py")} - {"__init__", "registry"}
    assert {make.__module__.rsplit(".", 1)[1] for make in RULES} == files
    assert len(RULES) == len(files)
