"""How tests are laid out: fixtures come from plugins, helpers from the modules of support/."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

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


def test_no_module_imports_a_fixture() -> None:
    """Fixtures come from plugins, so that no module lists imported names to please a linter."""
    for name, path in MODULES.items():
        tree = ast.parse(path.read_text())
        assert "__all__" not in {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}, name
        assert not {"conftest", "support.fixtures"} & set(imported(tree)), name
