"""What a short command does not import, and what it uses instead."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.folders import MakeFolders
from support.records import line, song

from sparkify_dwh import SPARKIFY
from sparkify_dwh.dialects.redshift.dialect import RedshiftDialect
from sparkify_dwh.dialects.redshift.table_options import RedshiftTableOptions
from sparkify_dwh.jobs import migrate

#: Imported by a migration, by Redshift, or by S3 alone; each takes longer than a short load.
HEAVY = ("alembic", "sqlalchemy_redshift", "redshift_connector", "boto3", "botocore")


def imported(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split()) & {*HEAVY, "sqlalchemy", "duckdb", "pydantic"}


def test_a_load_that_finds_nothing_new_imports_nothing_heavy(warehouse: MakeFolders) -> None:
    folders = warehouse()
    folders.put("songs", "a.json", line(song()))
    folders.load()
    settings = folders.warehouse.settings
    places = f"log_data={settings.log_data!r}, song_data={settings.song_data!r}"
    code = f"""
from sparkify_dwh import Settings, Warehouse
run = Warehouse(Settings(database_url={settings.database_url!r}, {places})).load()
assert run.event == "nothing new"
"""
    assert imported(code) == {"sqlalchemy", "duckdb", "pydantic"}
    assert imported("import sparkify_dwh.cli") == set()


def test_a_new_database_is_migrated_all_the_same(tmp_path: Path) -> None:
    """Alembic is imported after the engine then, and must know it."""
    (tmp_path / "songs").mkdir()
    (tmp_path / "songs" / "a.json").write_bytes(line(song()))
    code = f"""
from sparkify_dwh import Settings, Warehouse
url, songs = "duckdb:///{tmp_path}/new.duckdb", "{tmp_path}/songs"
assert Warehouse(Settings(database_url=url, song_data=songs)).load().event == "loaded"
"""
    assert "alembic" in imported(code)


def test_a_command_does_without_pandas(warehouse: MakeFolders, tmp_path: Path) -> None:
    """DuckDB would import it for the first value that is bound; modules of users still may."""
    pytest.importorskip("pandas")
    folders = warehouse()
    folders.put("songs", "a.json", line(song()))
    settings = folders.warehouse.settings
    (tmp_path / "mine.py").write_text("import pandas\ndef extend(given): return given\n")

    def run(*more: str) -> bool:
        words = ["load", "--quiet", "--database-url", settings.database_url]
        words += ["--song-data", settings.song_data, *more]
        code = f"""
import sys
from sparkify_dwh.cli import main
sys.path.insert(0, {str(tmp_path)!r})
try:
    main({words!r})
except SystemExit as end:
    assert end.code == 0, end.code
print("pandas.core" in sys.modules, "pandas" in sys.modules)
"""
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        loaded, named = done.stdout.split()
        assert loaded == named, "it is hidden no longer than the command"
        return loaded == "True"

    assert not run()
    assert run("--extension", "mine")


def test_the_names_of_redshift_are_those_of_its_dialect() -> None:
    assert RedshiftTableOptions.construct_arguments == RedshiftDialect.construct_arguments
    for url in ("redshift://h:5439/d", "redshift+redshift_connector://h:5439/d"):
        assert sa.make_url(url).get_dialect() is RedshiftDialect


def test_current_is_told_without_alembic_as_with_it(warehouse: MakeFolders, tmp_path: Path) -> None:
    made = warehouse().warehouse
    found = made.schema_status()
    assert found.state == "current" and set(found.library) == migrate._heads(SPARKIFY)

    def current() -> bool:
        with made.engine.connect() as connection:
            return migrate.is_current(connection, made.declarations)

    assert current()
    made.migrate("0001")
    assert not current()
    made.migrate("base")
    assert not current()
    # A revision of an extension that the database does not have yet.
    made.migrate()
    more = tmp_path / "versions"
    more.mkdir()
    text = '"""Plays"""\n\nrevision: str = "plays"\ndown_revision = ("{}",)\n'
    (more / "plays.py").write_text(text.format(found.library[0]))
    made.declarations = SPARKIFY.extended(version_locations=[str(more)])
    assert migrate._heads(made.declarations) == {"plays"} and not current()
    (more / "plays.py").write_text("revision = name()\n")
    assert migrate._heads(made.declarations) == set() and not current()


@pytest.mark.parametrize("url", ["redshift://h/d", "redshift+redshift_connector://h/d"])
def test_offline_sql_has_the_mended_dialect(url: str) -> None:
    dialect = sa.make_url(url).get_dialect()()
    statement = sa.insert(SPARKIFY.targets[0].table).values(song_id="x")
    assert "RETURNING" not in str(statement.compile(dialect=dialect))
