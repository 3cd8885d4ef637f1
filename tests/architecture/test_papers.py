"""The papers name files and tests that exist."""

import ast
import re
from pathlib import Path

import pytest

from tests.support.sources import ROOT, root_packages, tree

PAPERS = sorted(
    path.relative_to(ROOT) for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
)
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_TEST = re.compile(r"\b(tests/[a-z0-9_/]+\.py)::(test_\w+)")
_CODE = re.compile(r"`([^`\n]+)`")
_FOLDERS = (*root_packages(), "bench", "deploy", "docs", "tests", ".github")
# Of our own tree: no place holder, no glob, nothing that a command makes.
_PATH = re.compile(rf"(?:{'|'.join(map(re.escape, _FOLDERS))})/[A-Za-z0-9_./-]*")


def _text(paper: Path) -> str:
    return (ROOT / paper).read_text(encoding="utf-8")


@pytest.mark.parametrize("paper", PAPERS, ids=str)
def test_links_lead_somewhere(paper: Path) -> None:
    broken = [
        link
        for link in _LINK.findall(_text(paper))
        if "://" not in link and not (ROOT / paper.parent / link).exists()
    ]
    assert broken == []


@pytest.mark.parametrize("paper", PAPERS, ids=str)
def test_files_exist(paper: Path) -> None:
    named = [code for code in _CODE.findall(_text(paper)) if _PATH.fullmatch(code)]
    assert [name for name in named if not (ROOT / name).exists() and not _is_defined(name)] == []


def _is_defined(name: str) -> bool:
    """Whether `folder/module.name` names something that the module defines."""
    module, _, attribute = name.rpartition(".")
    path = Path(f"{module}.py")
    return (ROOT / path).exists() and any(
        node.name == attribute
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    )


@pytest.mark.parametrize("paper", PAPERS, ids=str)
def test_named_tests_exist(paper: Path) -> None:
    missing = [
        f"{file}::{name}"
        for file, name in _TEST.findall(_text(paper))
        if not (ROOT / file).exists()
        or name
        not in {
            node.name
            for node in tree(Path(file)).body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
    ]
    assert missing == []
