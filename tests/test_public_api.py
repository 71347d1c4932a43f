"""The exported names are the documented ones, and each says what it is."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sparkify_dwh

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "library.md"


def test_all_is_what_is_exported() -> None:
    assert set(sparkify_dwh._EXPORTS) == set(sparkify_dwh.__all__)
    for name in sparkify_dwh.__all__:
        assert getattr(sparkify_dwh, name) is not None
    with pytest.raises(AttributeError):
        _ = sparkify_dwh.nothing_of_this_name


def test_the_documented_names_are_the_exported_ones() -> None:
    documented = set(re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE))
    assert documented == set(sparkify_dwh.__all__)


@pytest.mark.parametrize("name", sparkify_dwh.__all__)
def test_public_things_have_docstrings(name: str) -> None:
    thing = getattr(sparkify_dwh, name)
    if not inspect.isclass(thing):
        return
    assert thing.__doc__ and len(thing.__doc__) > 20, name
    for attribute, value in vars(thing).items():
        public = inspect.isfunction(value) or isinstance(value, property)
        if public and not attribute.startswith("_"):
            assert value.__doc__, f"{name}.{attribute}"


def test_importing_the_package_loads_no_engine() -> None:
    code = "import sys, sparkify_dwh; print([m for m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    for heavy in ("'duckdb'", "'sqlalchemy'", "'boto3'", "'redshift_connector'", "'pydantic'"):
        assert heavy not in done.stdout


def test_results_show_themselves_in_a_notebook(tmp_path: Path) -> None:
    """Five lines in a notebook: settings, warehouse, load, plan, query."""
    from sparkify_dwh import Settings, Warehouse
    from sparkify_dwh.generate import generate

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

    shown = Table(("<b>",), [("<script>alert(1)</script>",)])._repr_html_()
    assert "<script>" not in shown and "<b>" not in shown
