"""The house rules that a linter does not know."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "sparkify_dwh"
ENGINES = re.compile(r"duckdb|redshift|postgres", re.IGNORECASE)
SONGS = re.compile(r"song|artist|play|user_id|listen", re.IGNORECASE)
#: The core: every module but what declares the warehouse, makes data, shows or deploys.
CORE = [
    "audit", "closing", "config", "declare", "discover", "executor", "inert", "lineage", "loading",
    "merge", "pipeline", "quality", "quarantine", "reading", "records", "resolve", "schema", "sql",
    "state", "transform", "warehouse", "report/__init__", "report/charts", "report/erd",
    "report/facts", "report/flow", "report/gathering", "report/lines", "report/markup",
    "report/page", "report/writing",
]  # fmt: skip


def code_strings(path: Path) -> list[tuple[int, str]]:
    """String constants and names of a module, without docstrings and type comments."""
    tree = ast.parse(path.read_text())
    documented = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in documented:
                found.append((node.lineno, node.value))
        elif isinstance(node, ast.Name):
            found.append((node.lineno, node.id))
        elif isinstance(node, ast.Attribute):
            found.append((node.lineno, node.attr))
    return found


MODULES = sorted(p for p in PACKAGE.rglob("*.py") if "dialects" not in p.parts)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_engine_is_told_by_its_name(path: Path) -> None:
    """Comparisons with an engine's name belong to that engine's file."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare | ast.MatchValue):
            for part in ast.walk(node):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    assert not ENGINES.fullmatch(part.value), f"{path.name}:{part.lineno}"
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] + [getattr(node, "module", "") or ""]
            engine_files = [n for n in names if n.startswith(("duckdb", "redshift_connector"))]
            assert not engine_files, f"{path.name}:{node.lineno}"


@pytest.mark.parametrize("name", CORE)
def test_the_core_knows_no_song(name: str) -> None:
    allowed = {"log_data", "song_data", "log_jsonpaths"}  # the settings' fixed names
    for line, text in code_strings(PACKAGE / f"{name}.py"):
        if text in allowed or (name == "config" and not text.isidentifier()):
            continue  # descriptions of the settings
        words = text.replace("display", "").replace("replay", "")
        assert not SONGS.search(words), f"{name}.py:{line}: {text!r}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_modules_stay_readable(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 420


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_the_library_does_not_print(path: Path) -> None:
    if "cli" in path.parts:
        return
    calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
    assert not any(isinstance(c.func, ast.Name) and c.func.id == "print" for c in calls)
