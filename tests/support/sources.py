"""Reads the project's own source as syntax trees, for the tests that hold it to its rules."""

import ast
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@cache
def root_packages() -> tuple[str, ...]:
    """The folders that are installed, as pyproject.toml lists them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return tuple(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])


def installed_files() -> list[Path]:
    """Every Python file of the product, relative to the root; tests and benchmarks are not in it."""
    return sorted(path for name in root_packages() for path in python_files(name))


def python_files(folder: str) -> Iterator[Path]:
    """The Python files below `folder`, relative to the root."""
    return (path.relative_to(ROOT) for path in (ROOT / folder).rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a file named relative to the root."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), filename=str(path))


@cache
def walk(node: ast.AST) -> tuple[ast.AST, ...]:
    """The node and all below it, kept: many rules look at the same files."""
    return tuple(ast.walk(node))


def attribute_calls(node: ast.AST, names: frozenset[str]) -> list[int]:
    """Lines where a method of one of `names` is called on anything: `x.name(…)`."""
    return [
        found.lineno
        for found in walk(node)
        if isinstance(found, ast.Call)
        and isinstance(found.func, ast.Attribute)
        and found.func.attr in names
    ]


def imports(node: ast.AST) -> list[tuple[str, int]]:
    """Every imported module with its line, at whatever depth; `from a.b import c` gives `a.b.c`."""
    found: list[tuple[str, int]] = []
    for each in walk(node):
        if isinstance(each, ast.Import):
            found += [(alias.name, each.lineno) for alias in each.names]
        elif isinstance(each, ast.ImportFrom) and each.level == 0 and each.module:
            found += [(f"{each.module}.{alias.name}", each.lineno) for alias in each.names]
    return found


def imports_of(node: ast.AST, modules: frozenset[str]) -> list[int]:
    """Lines that import one of `modules` or something within it."""
    return [
        line
        for name, line in imports(node)
        if any(name == module or name.startswith(module + ".") for module in modules)
    ]


def strings(node: ast.AST) -> list[tuple[str, int]]:
    """Every string literal with its line, the pieces of f-strings included."""
    return [
        (each.value, each.lineno)
        for each in walk(node)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    ]


def reads_environment(node: ast.AST) -> list[int]:
    """Lines that touch the process's environment by `os`."""
    names = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
    attributes = [
        each.lineno
        for each in walk(node)
        if isinstance(each, ast.Attribute)
        and each.attr in names
        and isinstance(each.value, ast.Name)
        and each.value.id == "os"
    ]
    return attributes + imports_of(node, frozenset(f"os.{name}" for name in names))


def binary_fractions(node: ast.AST) -> list[int]:
    """Lines with a floating-point literal or the name `float`."""
    return [
        each.lineno
        for each in walk(node)
        if (isinstance(each, ast.Constant) and isinstance(each.value, float))
        or (isinstance(each, ast.Name) and each.id == "float")
    ]


def clock_readings(node: ast.AST) -> list[int]:
    """Lines that read a clock: `datetime.now` and its kin, or anything of `time`."""
    readings = [
        each.lineno
        for each in walk(node)
        if isinstance(each, ast.Attribute)
        and each.attr in {"now", "utcnow", "today"}
        and isinstance(each.value, ast.Name | ast.Attribute)
        and ast.unparse(each.value).rpartition(".")[2] in {"datetime", "date"}
    ]
    return readings + imports_of(node, frozenset({"time"}))


def patches_of(node: ast.AST, packages: frozenset[str]) -> list[int]:
    """Lines that replace something of `packages` from outside: mocks, or monkeypatch on them."""
    ours = {
        (alias.asname or alias.name).partition(".")[0]
        for each in walk(node)
        if isinstance(each, ast.Import | ast.ImportFrom)
        for alias in each.names
        if _module(each, alias).partition(".")[0] in packages
    }
    found = imports_of(node, frozenset({"unittest.mock", "mock", "pytest_mock"}))
    for each in walk(node):
        if isinstance(each, ast.arg) and each.arg == "mocker":
            found.append(each.lineno)
        if not (
            isinstance(each, ast.Call)
            and isinstance(each.func, ast.Attribute)
            and each.func.attr in {"setattr", "delattr", "setitem", "delitem"}
            and each.args
        ):
            continue
        target = each.args[0]
        named = target.value if isinstance(target, ast.Constant) else ast.unparse(target)
        first = str(named).partition(".")[0]
        if first in ours or (isinstance(target, ast.Constant) and first in packages):
            found.append(each.lineno)
    return found


def _module(statement: ast.Import | ast.ImportFrom, alias: ast.alias) -> str:
    return alias.name if isinstance(statement, ast.Import) else statement.module or ""
