"""The notebooks run as they are, on made and real data, on both engines, and store no output."""

from __future__ import annotations

import ast
import json
import os
import re
import sys
from collections import Counter
from pathlib import Path
from textwrap import dedent
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from support.realdata import DATA
from support.warehouses import OnRedshift, Source

import sparkify_dwh
from sparkify_dwh.sample.generate import generate

FOLDER = Path(__file__).parents[1] / "notebooks"
SOAK = os.environ.get("SPARKIFY_SOAK") == "1"
NAMES = ("1_initial_profiling", "2_song_files", "3_log_files", "4_analytics")
#: What they may import in addition to the names of ``sparkify_dwh.__all__``.
ALLOWED = {"altair", "pandas"} | sys.stdlib_module_names


def read(name: str) -> Any:
    return nbformat.read(FOLDER / f"{name}.ipynb", nbformat.NO_CONVERT)


def executed(which: Any, folder: Path, **environment: str) -> list[str]:
    """What each code cell of a notebook shows, as HTML or text; a cell that fails raises."""
    notebook = read(which) if isinstance(which, str) else which
    keep = ("PATH", "SSL_CERT_FILE")
    kept = {key: value for key, value in os.environ.items() if key in keep}
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute(env={**kept, "HOME": str(folder), "LC_ALL": "C.UTF-8", **environment})
    shown = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            data = [output.get("data", {}) for output in cell.outputs]
            shown.append("".join(d.get("text/html") or d.get("text/plain", "") for d in data))
            errors = [o for o in cell.outputs if o.get("name") == "stderr"]
            assert not errors, errors
    return shown


def rows(html: str) -> list[tuple[str, ...]]:
    """The rows of the tables in a cell's output, cells without markup."""
    return [
        tuple(re.sub(r"<[^>]+>", "", each).strip() for each in cells)
        for row in re.findall(r"<tr>(.*?)</tr>", html, re.S)
        if (cells := re.findall(r"<td[^>]*>(.*?)</td>", row, re.S))
    ]


def charts(shown: list[str]) -> list[Any]:
    """The Vega-Lite specifications that were shown."""
    found = [each for each in shown if "vegaEmbed" in each]
    return [json.JSONDecoder().raw_decode(each[each.index("})({") + 3 :])[0] for each in found]


# As they are in the repository -------------------------------------------------------------------


def test_these_are_all_notebooks() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_no_output_is_stored(name: str) -> None:
    notebook = read(name)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.metadata
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert dict(notebook.metadata.language_info) == {"name": "python"}


@pytest.mark.parametrize("name", NAMES)
def test_only_the_public_library_is_used(name: str) -> None:
    cells = [cell.source for cell in read(name).cells if cell.cell_type == "code"]
    for node in (each for text in cells for each in ast.walk(ast.parse(text))):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= ALLOWED
        elif isinstance(node, ast.ImportFrom):
            names = {alias.name for alias in node.names}
            if node.module == "sparkify_dwh":
                assert names <= set(sparkify_dwh.__all__)
            elif node.module == "sparkify_dwh.sample.generate":
                assert names == {"generate"}
            else:
                assert str(node.module).split(".")[0] in ALLOWED
        elif isinstance(node, ast.Attribute):
            assert not node.attr.startswith("_"), node.attr


@pytest.mark.parametrize("name", NAMES)
def test_each_section_says_what_follows_and_links_lead_somewhere(name: str) -> None:
    text = "\n\n".join(c.source for c in read(name).cells if c.cell_type == "markdown")
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        assert (FOLDER / target).exists(), target
    for function in re.findall(r"`(is_\w+|EpochMs|Lookup|_artists)`", text):
        assert any(
            function in path.read_text() for path in FOLDER.parent.glob("sparkify_dwh/**/*.py")
        )
    sections = re.split(r"^## ", text, flags=re.M)[1:]
    last = {"1_initial_profiling": "What the profile", "4_analytics": "How far to trust"}
    for section in sections:
        if not section.startswith(last.get(name, "-")):
            assert re.search(r"\*\*What (follows|it rests on)\.\*\*", section), section[:60]


# Executed ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_on_data_of_its_own(name: str, tmp_path: Path) -> None:
    shown = executed(name, tmp_path)
    drawn = charts(shown)
    assert len(drawn) >= 3
    for chart in drawn:
        assert all(chart["datasets"].values()), "a chart without data"
    if name == "3_log_files":
        match = {row[0]: tuple(map(number, row[1:])) for row in rows(shown[-2]) if row}
        assert match["damaged names"][1] == match["stray blanks"][1] == 0
        assert match["damaged names"][2] > 100 and match["sound names"][1] > 100


def number(text: str) -> int:
    return int(text.replace(",", ""))


@pytest.mark.realdata
@pytest.mark.parametrize("name", NAMES)
def test_it_runs_on_the_real_data(name: str, tmp_path: Path) -> None:
    shown = executed(name, tmp_path, DATA=str(DATA))
    known = {
        "1_initial_profiling": ["71 records in 71 objects", "7770"],
        "2_song_files": ["19,221 bytes", "43 of 71 songs have 0", ">1993<"],
        "3_log_files": ["8,056", ">796<", ">105<", ">97<", ">326<", ">8,023<", "941 sessions"],
        "4_analytics": ["6,820", "Coldplay", ">328<"],
    }[name]
    text = "\n".join(shown)
    for each in known:
        assert each in text


@pytest.mark.skipif(not SOAK, reason="2 minutes: SPARKIFY_SOAK=1")
@pytest.mark.parametrize("name", NAMES)
def test_it_runs_on_more_rows_than_a_chart_holds(name: str, tmp_path: Path) -> None:
    generate(tmp_path / "data", events=200_000, songs=6_000, days=60)
    for chart in charts(executed(name, tmp_path, DATA=str(tmp_path / "data"))):
        assert all(len(data) <= 5_000 for data in chart["datasets"].values())


def test_an_observer_hears_of_a_load_in_a_notebook(tmp_path: Path) -> None:
    """Without ipywidgets, in a notebook DuckDB lets nobody set how it shows progress."""
    generate(tmp_path / "data", events=50, songs=3, days=1)
    code = """
        from sparkify_dwh import Observer, Settings, Warehouse

        class Steps(Observer):
            def enter(self, step, target, fraction):
                assert fraction() is None or fraction() <= 1
                seen.add(step)

        seen = set()
        settings = Settings(log_data="data/log_data", song_data="data/song_data")
        Warehouse(settings, observer=Steps()).load().event, sorted(seen)[:2], "merge" in seen
    """
    cell = nbformat.v4.new_code_cell(dedent(code))
    (shown,) = executed(nbformat.v4.new_notebook(cells=[cell]), tmp_path)
    assert shown.startswith("('loaded', [") and shown.endswith("True)")


def test_both_engines_give_the_same_answers(
    tmp_path: Path, on_redshift: OnRedshift, source: Source
) -> None:
    made = tmp_path / "data"
    generate(made, events=1500, songs=60, days=20, seed=1)
    for kind, folder in (("events", "log_data"), ("songs", "song_data")):
        for path in (made / folder).rglob("*.json"):
            source.put(kind, path.relative_to(made / folder).as_posix(), path.read_bytes())
    on_redshift.load()
    url = on_redshift.database.url()
    redshift = executed("4_analytics", tmp_path, SPARKIFY_DATABASE_URL=url)
    asked = [sql for sql in on_redshift.database.sql() if "from sparkify.songplays" in sql.lower()]
    assert len(asked) > 8
    duckdb = executed("4_analytics", tmp_path, DATA=str(made))
    assert len(redshift) == len(duckdb)
    for ours, theirs in zip(redshift[:-1], duckdb[:-1], strict=True):
        assert Counter(rows(ours)) == Counter(rows(theirs))
    for ours, theirs in zip(charts(redshift), charts(duckdb), strict=True):
        assert points(ours) == points(theirs)


def points(chart: Any) -> Counter[str]:
    """The rows that a chart draws."""
    return Counter(
        json.dumps(row, sort_keys=True) for data in chart["datasets"].values() for row in data
    )
