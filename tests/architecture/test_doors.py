"""What an agent can call is named for what it does: it reads, or it proposes."""

import ast

from tests.support.sources import attribute_calls, python_files, tree

READING = frozenset({"get", "document", "match", "assess", "read_document"})
"""The methods behind the doors that change nothing (tools/context.py)."""


def _doors() -> dict[str, ast.AsyncFunctionDef | ast.FunctionDef]:
    """The public functions of tools/ that are given a run's context."""
    return {
        f"{path}:{node.name}": node
        for path in python_files("tools")
        for node in tree(path).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
        and any(argument.arg == "context" for argument in node.args.args)
    }


def _methods(port: ast.ClassDef) -> set[str]:
    return {
        node.name
        for node in port.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not any(
            isinstance(mark, ast.Name) and mark.id == "property" for mark in node.decorator_list
        )
    }


def _writing() -> frozenset[str]:
    """Every method of the ports in tools/context.py that is not known to read only."""
    context = next(path for path in python_files("tools") if path.name == "context.py")
    ports = [
        node
        for node in tree(context).body
        if isinstance(node, ast.ClassDef)
        and any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)
    ]
    return frozenset().union(*(_methods(port) for port in ports)) - READING


def test_each_door_reads_or_proposes() -> None:
    doors = _doors()
    assert len(doors) >= 6
    assert [
        door for door in doors if not door.partition(":")[2].startswith(("read_", "propose_"))
    ] == []


def test_what_writes_is_called_a_proposal() -> None:
    writing = _writing()
    assert {"propose", "record_reading"} <= writing
    writers = {name for name, node in _doors().items() if attribute_calls(node, writing)}
    assert writers
    assert [door for door in writers if not door.partition(":")[2].startswith("propose_")] == []
