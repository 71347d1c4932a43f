"""How tests are laid out: fixtures come from plugins, helpers from the modules of support/."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
MODULES = {
    path.relative_to(TESTS).as_posix(): path
    for path in sorted(TESTS.rglob("*.py"))
    if path.name != "__init__.py"
}


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("name", MODULES)
def test_a_test_module_imports_no_fixture(name: str) -> None:
    tree = ast.parse(MODULES[name].read_text())
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert "__all__" not in named, "fixtures come from support/fixtures.py, without an import"
    assert not {"conftest", "support.fixtures"} & set(imported(tree))
