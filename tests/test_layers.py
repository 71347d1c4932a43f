"""The house rules that a linter does not know."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sparkify_dwh"
ENGINES = re.compile(r"duckdb|redshift|postgres", re.IGNORECASE)
SONGS = re.compile(r"song|artist|play|user_id|listen", re.IGNORECASE)
#: The rooms that may know songs: generated data, commands with their examples, the cluster.
KNOW_SONGS = {"sample", "cli", "infra"}
MOST_LINES = 300


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text()) for name, path in PATHS.items()}


def imports(name: str) -> set[str]:
    """The modules of the library that a module imports, anywhere in it and for any reason."""
    package = name if PATHS[name].name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            origin = ".".join([*above, *filter(None, [node.module])]) if node.level else node.module
            inner = {f"{origin}.{alias.name}" for alias in node.names}
            found |= (inner & PATHS.keys()) or {str(origin)}
    return found & PATHS.keys()


def declares(name: str) -> bool:
    """Whether a module declares the tables and sources that ship."""
    return name.startswith("sparkify_dwh.models.") and any(
        isinstance(node, ast.ClassDef) and any(ast.unparse(b) == "Base" for b in node.bases)
        for node in TREES[name].body
    )


def core() -> Iterator[str]:
    """Every module that must work for other tables than those that ship."""
    shipped = {name for name in PATHS if declares(name)}
    # What reads a shipped table by its name declares something of it.
    shipped |= {
        name
        for name in PATHS
        if name.startswith("sparkify_dwh.models") and imports(name) & shipped and name
    }
    for name in PATHS:
        room = name.split(".")[1] if "." in name else ""
        if room not in KNOW_SONGS and name not in shipped:
            yield name


def code_strings(name: str) -> list[tuple[int, str]]:
    """String constants and names of a module, without docstrings and type comments."""
    tree = TREES[name]
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


def test_no_import_goes_in_a_circle() -> None:
    """Imports within functions and for types alone count too."""
    state: dict[str, bool] = {}

    def follow(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join([*way[way.index(name) :], name])
        if name not in state:
            for other in sorted(imports(name)):
                follow(other, (*way, name))
            state[name] = True

    for name in PATHS:
        follow(name, ())


def test_the_top_of_the_package_is_small_and_each_room_says_what_it_is() -> None:
    plain = {"__init__.py", "__init__.pyi", "__main__.py", "py.typed"}
    top = {path.name for path in PACKAGE.iterdir() if path.name not in {*plain, "__pycache__"}}
    assert len(top) <= 12, top
    for name, path in PATHS.items():
        if path.name == "__init__.py" and path.parent != PACKAGE:
            line = (ast.get_docstring(TREES[name]) or "").partition("\n")[0]
            assert ". Not here: " in line, f"{name}: {line}"


MODULES = [name for name in PATHS if ".dialects" not in name]


@pytest.mark.parametrize("name", MODULES)
def test_no_engine_is_told_by_its_name(name: str) -> None:
    """Comparisons with an engine's name belong to that engine's file."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Compare | ast.MatchValue):
            for part in ast.walk(node):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    assert not ENGINES.fullmatch(part.value), f"{name}:{part.lineno}"
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] + [getattr(node, "module", "") or ""]
            engine_files = [n for n in names if n.startswith(("duckdb", "redshift_connector"))]
            assert not engine_files, f"{name}:{node.lineno}"


@pytest.mark.parametrize("name", list(core()))
def test_the_core_knows_no_song(name: str) -> None:
    # The fixed names of settings, and SQLAlchemy's for events.
    allowed = {"log_data", "song_data", "log_jsonpaths", "listen"}
    for line, text in code_strings(name):
        if text in allowed or (name.endswith(".settings") and not text.isidentifier()):
            continue  # descriptions of the settings
        words = text.replace("display", "").replace("replay", "")
        assert not SONGS.search(words), f"{name}:{line}: {text!r}"


@pytest.mark.parametrize("name", list(PATHS))
def test_modules_stay_readable(name: str) -> None:
    """Docstrings do not count: the front door is mostly that."""
    documented = {
        line
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for line in range(node.lineno, node.end_lineno + 1)
    }
    assert len(PATHS[name].read_text().splitlines()) - len(documented) <= MOST_LINES


@pytest.mark.parametrize("name", [n for n in PATHS if ".cli" not in n])
def test_the_library_does_not_print(name: str) -> None:
    calls = [n for n in ast.walk(TREES[name]) if isinstance(n, ast.Call)]
    assert not any(isinstance(c.func, ast.Name) and c.func.id == "print" for c in calls)
