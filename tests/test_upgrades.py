"""From every released schema version, with rows in every table, to the newest, and back.

A version's rows are those of a load by this library, without what came later.
Each test runs on both engines.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from standin.fixtures import s3_server, standin
from support.soak_figures import figure
from support.warehouses import (
    Loaded,
    OnDuckDB,
    OnRedshift,
    Source,
    aws_keys,
    event,
    migrated,
    on_duckdb,
    on_redshift,
    song,
    source,
)
from typer.testing import CliRunner, Result

from sparkify_dwh import SchemaVersionError, Settings, Warehouse
from sparkify_dwh.cli import app
from sparkify_dwh.models.base import Base

__all__ = ["aws_keys", "migrated", "on_duckdb", "on_redshift", "s3_server", "source", "standin"]
_SCRIPT = ScriptDirectory(str(Path(__file__).parents[1] / "migrations"))
RELEASED = [r.revision for r in _SCRIPT.walk_revisions()][:0:-1]
(HEAD,) = _SCRIPT.get_heads()
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(params=["duckdb", "redshift"])
def anywhere(request: pytest.FixtureRequest) -> Loaded:
    found: Loaded = request.getfixturevalue(f"on_{request.param}")
    return found


def tables(warehouse: Warehouse) -> list[sa.Table]:
    """The tables as they are in the database, but for the lock and the version."""
    inspector = sa.inspect(warehouse.engine)
    found = []
    for schema in ("staging", "sparkify", "audit"):
        for name in inspector.get_table_names(schema=schema):
            if name != "load_lock":
                columns = inspector.get_columns(name, schema=schema)
                parts = [sa.Column(c["name"], c["type"]) for c in columns]
                found.append(sa.Table(name, sa.MetaData(), *parts, schema=schema))
    return found


def rows_of(warehouse: Warehouse) -> Rows:
    """All rows; the numbers that Redshift itself gives to staged rows left out."""
    with warehouse.engine.connect() as connection:
        return {
            str(table): sorted(
                (
                    {name: value for name, value in row._mapping.items() if name != "_row"}
                    for row in connection.execute(sa.select(table))
                ),
                key=repr,
            )
            for table in tables(warehouse)
        }


def fill(warehouse: Warehouse, rows: Rows) -> Rows:
    """Inserts the rows into the tables and columns that there are; returns what was inserted."""
    inserted: Rows = {}
    with warehouse.engine.begin() as connection:
        for table in tables(warehouse):
            names = [c.name for c in table.columns]
            kept = [{n: row[n] for n in names if n in row} for row in rows[str(table)]]
            inserted[str(table)] = kept
            numbered = table.schema == "staging" and warehouse.engine.name == "duckdb"
            for number, row in enumerate(kept):
                values = {**row, "_row": number} if numbered else row
                connection.execute(sa.insert(table).values(values))
    return inserted


def filled(anywhere: Loaded, source: Source) -> Rows:
    """What loads and an erasure leave in every table."""
    lines = event() + event(itemInSession=1, userId="10") + event(itemInSession=2, level="gold")
    source.put("events", "a.json", lines + "{broken\n")
    anywhere.load()
    anywhere.load()
    anywhere.warehouse.erase(10)
    source.put("songs", "s.json", song())
    source.put("events", "c.json", event(itemInSession=4))
    anywhere.load()
    return rows_of(anywhere.warehouse)


def back_to(anywhere: Loaded, revision: str) -> None:
    """An empty database of that version."""
    if isinstance(anywhere, OnRedshift) and anywhere._reader is not None:
        anywhere._reader.close()
        anywhere._reader = None
    anywhere.warehouse.migrate("base")
    anywhere.warehouse.migrate(revision)


def sparkify(warehouse: Warehouse, *arguments: str) -> Result:
    url = warehouse.settings.database_url
    return CliRunner().invoke(app, [*arguments, "--database-url", url])


def test_every_row_is_kept(anywhere: Loaded, source: Source) -> None:
    rows = filled(anywhere, source)
    empty = [name for name, found in rows.items() if not found and "compacted" not in name]
    assert empty == []
    assert RELEASED[0] == "0001" and HEAD not in RELEASED
    for revision in RELEASED:
        back_to(anywhere, revision)
        inserted = fill(anywhere.warehouse, rows)
        assert anywhere.warehouse.schema_status().state == "older"
        assert anywhere.warehouse.migrate().state == "current"
        after = rows_of(anywhere.warehouse)
        for name, kept in inserted.items():
            found = [{n: row[n] for n in kept[0]} if kept else row for row in after[name]]
            assert sorted(found, key=repr) == sorted(kept, key=repr), (revision, name)
        # What a version did not know is empty, and the ledger is as good as before.
        new = set(after) - set(inserted)
        assert all(after[name] == [] for name in new), revision
        assert anywhere.load().event == "nothing new"
        assert anywhere.warehouse.check().passed and anywhere.warehouse.check_sources().passed
        assert {str(t) for t in Base.metadata.tables.values()} == {*after, "audit.load_lock"}
        runs = anywhere.warehouse.runs().records()
        assert {run["exit_code"] for run in runs if run["event"] == "loaded"} == {0}
        figure(
            "rows kept by an upgrade",
            engine=anywhere.warehouse.engine.name,
            **{"from": revision, "to": HEAD},
            tables=len(inserted),
            rows=sum(map(len, inserted.values())),
        )


READS = (("runs",), ("runs", "some-id"))


def test_an_older_schema_says_to_migrate(anywhere: Loaded) -> None:
    """Whatever needs what came later, or would write."""
    back_to(anywhere, RELEASED[0])
    try:
        warehouse = anywhere.warehouse
        for arguments in (*READS, ("erase", "--user", "10"), ("audit", "prune"), ("load",)):
            options = ("--log-data", str(Path(__file__).parent)) if arguments == ("load",) else ()
            done = sparkify(warehouse, *arguments, *options)
            assert done.exit_code == 5, (arguments, done.output)
            assert f"schema version {RELEASED[0]}, this library needs {HEAD}" in done.stderr
            assert "run: sparkify migrate" in done.stderr
    finally:
        anywhere.warehouse.migrate()


def test_a_newer_schema_says_to_upgrade_the_library(anywhere: Loaded) -> None:
    def version(text: str) -> None:
        with anywhere.warehouse.engine.begin() as connection:
            connection.execute(sa.text(f"UPDATE alembic_version SET version_num = '{text}'"))

    version("9999")
    try:
        for arguments in (
            *(("load",), ("erase", "--user", "10"), ("audit", "prune"), ("migrate",)),
            ("migrate", "--to", "0001"),
        ):
            options = ("--log-data", str(Path(__file__).parent)) if arguments == ("load",) else ()
            done = sparkify(anywhere.warehouse, *arguments, *options)
            assert done.exit_code == 5, (arguments, done.output)
            assert f"schema version 9999, newer than this library's {HEAD}" in done.stderr
            assert "pip install -U sparkify-dwh" in done.stderr
        with pytest.raises(SchemaVersionError):
            anywhere.warehouse.migrate()
    finally:
        version(HEAD)


def test_a_downgrade_says_what_it_loses(anywhere: Loaded, source: Source) -> None:
    source.put("events", "a.json", event())
    anywhere.load()
    anywhere.warehouse.erase(999)
    before = rows_of(anywhere.warehouse)
    close(anywhere)
    lost = {(x.table, x.column): x.rows for x in anywhere.warehouse.migration_losses("0001")}
    assert lost[("audit.erasure", None)] == 1 and lost[("audit.load_run", "exit_code")] == 1
    assert ("audit.load_lock", None) not in lost
    done = sparkify(anywhere.warehouse, "migrate", "--to", "0001")
    assert done.exit_code == 2
    assert "going back to 0001 loses " in done.stderr and "say --yes" in done.stderr
    for name in ("audit.erasure (1 row)", "audit.load_run.exit_code (1 row)"):
        assert name in done.stderr
    assert rows_of(anywhere.warehouse) == before
    everything = {x.table for x in anywhere.warehouse.migration_losses("base")}
    assert everything == {name for name, rows in before.items() if rows}

    done = sparkify(anywhere.warehouse, "migrate", "--to", "0001", "--yes")
    assert done.exit_code == 0 and "audit.erasure (1 row)" in done.stderr
    kept = rows_of(anywhere.warehouse)
    assert kept["sparkify.songplays"] == before["sparkify.songplays"]
    assert "audit.erasure" not in kept
    # Nothing to lose: nothing to ask.
    done = sparkify(anywhere.warehouse, "migrate", "--to", HEAD)
    assert done.exit_code == 0
    assert anywhere.warehouse.migration_losses(HEAD) == []


def close(anywhere: Loaded) -> None:
    if isinstance(anywhere, OnRedshift) and anywhere._reader is not None:
        anywhere._reader.close()
        anywhere._reader = None


def test_json_of_a_migration(tmp_path: Path) -> None:
    warehouse = Warehouse(Settings(database_url=f"duckdb:///{tmp_path}/w.duckdb"))
    warehouse.migrate()
    done = sparkify(warehouse, "migrate", "--to", "-1", "--json")
    assert done.exit_code == 0 and json.loads(done.stdout)["state"] == "older"
    assert isinstance(OnDuckDB, type)
