"""The exported names: typed, documented, and imported only on first use."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

import sparkify_dwh

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "library.md"


def test_all_is_what_type_checkers_see() -> None:
    stub = ast.parse((ROOT / "sparkify_dwh" / "__init__.pyi").read_text())
    imports = [node for node in ast.walk(stub) if isinstance(node, ast.ImportFrom)]
    # Without "as" a type checker takes a stub's import for private.
    assert all(alias.asname == alias.name for node in imports for alias in node.names)
    assert {alias.name for node in imports for alias in node.names} == set(sparkify_dwh.__all__)
    for name in sparkify_dwh.__all__:
        assert getattr(sparkify_dwh, name) is not None
    with pytest.raises(AttributeError):
        _ = sparkify_dwh.nothing_of_this_name


def test_the_documented_names_are_the_exported_ones() -> None:
    documented = set(re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE))
    assert documented == set(sparkify_dwh.__all__)


USER_FILE = """\
from pathlib import Path

from sparkify_dwh import Settings

right = Settings(config=Path("own.toml"), log_data="logs", reject_floor=3, lock_timeout=5)
Settings(log_dta="logs")
Settings(reject_floor="many")
Settings(auth="guess")
Settings(sources={"ads": 1})
Settings("logs")
right.log_dta
"""


def test_a_type_checker_knows_the_settings(tmp_path: Path) -> None:
    """Without pydantic's plugin, which a user need not have configured."""
    (tmp_path / "user.py").write_text(USER_FILE)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary"]
    # A package under MYPYPATH is checked as well, with the stubs that the user has.
    command += ["--follow-imports=silent", f"--cache-dir={tmp_path}", "user.py"]
    environment = {**os.environ, "MYPYPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    found = {
        int(line): (code, text)
        for line, text, code in re.findall(
            r"^user.py:(\d+): error: (.*)  \[(.*)\]$", done.stdout, re.M
        )
    }
    first = USER_FILE.splitlines().index('Settings(log_dta="logs")') + 1
    codes = ["call-arg", "arg-type", "arg-type", "dict-item", "call-arg", "attr-defined"]
    assert [found[line][0] for line in sorted(found)] == codes, done.stdout + done.stderr
    assert sorted(found) == list(range(first, first + len(codes)))
    assert "log_data" in found[first][1], "the nearest name is suggested"


def modules() -> Iterator[ModuleType]:
    """Every module of the library."""
    for found in pkgutil.walk_packages(sparkify_dwh.__path__, "sparkify_dwh."):
        if "migrations" not in found.name and not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def documented(cls: type, name: str) -> bool:
    """Whether a member or a member it overrides has a docstring."""
    if inspect.getdoc(getattr(cls, name)):
        return True
    # Hooks of a library that has no docstrings of its own.
    return any(name in vars(base) for base in cls.__mro__[1:] if "sparkify" not in base.__module__)


def test_everything_public_has_a_docstring() -> None:
    missing = []
    for module in modules():
        name = module.__name__
        missing += [name] * (not module.__doc__)
        for part, thing in vars(module).items():
            if part.startswith("_") or getattr(thing, "__module__", None) != name:
                continue
            if not (inspect.isclass(thing) or inspect.isfunction(thing)):
                continue
            missing += [f"{name}.{part}"] * (not thing.__doc__)
            for member, value in vars(thing).items() if inspect.isclass(thing) else ():
                callables = (FunctionType, property, classmethod, staticmethod)
                public = isinstance(value, callables) and not member.startswith("_")
                if public and getattr(value, "__name__", "") != "<lambda>":
                    missing += [f"{name}.{part}.{member}"] * (not documented(thing, member))
    assert not missing


@pytest.mark.parametrize("name", sparkify_dwh.__all__)
def test_public_results_document_each_field(name: str) -> None:
    thing = getattr(sparkify_dwh, name)
    if inspect.isclass(thing) and dataclasses.is_dataclass(thing):
        documentation = thing.__doc__ or ""
        # A dataclass without a docstring gets its signature for one, which names every field.
        assert not documentation.startswith(f"{name}("), name
        for field in dataclasses.fields(thing):
            words = field.name.replace("_", "[_ ]")
            assert re.search(rf"\b{words}\b", documentation), f"{name}.{field.name}"


def test_the_warehouse_documents_what_it_raises() -> None:
    for name, value in vars(sparkify_dwh.Warehouse).items():
        if name.startswith("_") or not isinstance(value, FunctionType | property):
            continue
        documentation = (value.fget if isinstance(value, property) else value).__doc__ or ""
        named = re.findall(r":raises (\w+):", documentation)
        assert named or "raises nothing" in documentation, name
        for error in named:
            assert issubclass(getattr(sparkify_dwh, error), sparkify_dwh.SparkifyError), error


def test_every_setting_is_described() -> None:
    for name, field in sparkify_dwh.Settings.model_fields.items():
        assert field.description and len(field.description) > 15, name


def test_importing_the_package_loads_no_engine() -> None:
    code = "import sys, sparkify_dwh; print([m for m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    for heavy in ("'duckdb'", "'sqlalchemy'", "'boto3'", "'redshift_connector'", "'pydantic'"):
        assert heavy not in done.stdout


def test_results_display_themselves_in_a_notebook(tmp_path: Path) -> None:
    """Five lines in a notebook: settings, warehouse, load, plan, query."""
    from sparkify_dwh import Settings, Warehouse, generate

    generate(tmp_path / "data", events=200, songs=10, days=1, dirty=0.05)
    wh = Warehouse(
        Settings(
            database_url=f"duckdb:///{tmp_path}/w.duckdb",
            log_data=str(tmp_path / "data/log_data"),
            song_data=str(tmp_path / "data/song_data"),
            max_reject_ratio=1,
        )
    )
    plan = wh.plan()
    assert "<pre>" in plan._repr_html_() and plan.pending
    run = wh.load()
    assert "<table>" in run._repr_html_()
    rejects = wh.rejects()
    assert len(rejects) == sum(run.refused.values()) > 0
    assert "<table>" in rejects._repr_html_()
    assert "<table>" in wh.runs()._repr_html_()
    assert "<table>" in wh.check()._repr_html_()
    assert wh.query("select count(*) n from sparkify.users").records()[0]["n"] > 0


def test_notebook_tables_show_hostile_text_inert() -> None:
    from sparkify_dwh import Table

    html = Table(("<b>",), [("<script>alert(1)</script>",)])._repr_html_()
    assert "<script>" not in html and "<b>" not in html
