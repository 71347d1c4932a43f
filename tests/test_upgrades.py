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
from support.records import event_line, song_line
from support.rig import Rig
from support.soak_figures import figure
from support.warehouses import OnDuckDB, OnRedshift, Source
from typer.testing import CliRunner, Result

from sparkify_dwh import SchemaVersionError, Settings, Warehouse
from sparkify_dwh.cli import app
from sparkify_dwh.models.base import Base

_SCRIPT = ScriptDirectory(str(Path(__file__).parents[1] / "migrations"))
RELEASED = [r.revision for r in _SCRIPT.walk_revisions()][:0:-1]
(HEAD,) = _SCRIPT.get_heads()
Rows = dict[str, list[dict[str, Any]]]


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
    """All rows, without the numbers that Redshift assigns to staged rows."""
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


def filled(on_each: Rig, source: Source) -> Rows:
    """What loads and an erasure leave in every table."""
    lines = (
        event_line()
        + event_line(itemInSession=1, userId="10")
        + event_line(itemInSession=2, level="gold")
    )
    source.put("events", "a.json", lines + "{broken\n")
    on_each.load()
    on_each.load()
    on_each.warehouse.erase(10)
    source.put("songs", "s.json", song_line())
    source.put("events", "c.json", event_line(itemInSession=4))
    on_each.load()
    return rows_of(on_each.warehouse)


def back_to(on_each: Rig, revision: str) -> None:
    """An empty database of that version."""
    if isinstance(on_each, OnRedshift) and on_each._reader is not None:
        on_each._reader.close()
        on_each._reader = None
    on_each.warehouse.migrate("base")
    on_each.warehouse.migrate(revision)


def sparkify(warehouse: Warehouse, *arguments: str) -> Result:
    url = warehouse.settings.database_url
    return CliRunner().invoke(app, [*arguments, "--database-url", url])


def test_every_row_is_kept(on_each: Rig, source: Source) -> None:
    rows = filled(on_each, source)
    empty = [name for name, found in rows.items() if not found and "compacted" not in name]
    assert empty == []
    assert RELEASED[0] == "0001" and HEAD not in RELEASED
    for revision in RELEASED:
        back_to(on_each, revision)
        inserted = fill(on_each.warehouse, rows)
        assert on_each.warehouse.schema_status().state == "older"
        assert on_each.warehouse.migrate().state == "current"
        after = rows_of(on_each.warehouse)
        for name, kept in inserted.items():
            found = [{n: row[n] for n in kept[0]} if kept else row for row in after[name]]
            assert sorted(found, key=repr) == sorted(kept, key=repr), (revision, name)
        # What a version did not know is empty, and the ledger is as good as before.
        new = set(after) - set(inserted)
        assert all(after[name] == [] for name in new), revision
        assert on_each.load().event == "nothing new"
        assert on_each.warehouse.check().passed and on_each.warehouse.check_sources().passed
        assert {str(t) for t in Base.metadata.tables.values()} == {*after, "audit.load_lock"}
        runs = on_each.warehouse.runs().records()
        assert {run["exit_code"] for run in runs if run["event"] == "loaded"} == {0}
        figure(
            "rows kept by an upgrade",
            engine=on_each.warehouse.engine.name,
            **{"from": revision, "to": HEAD},
            tables=len(inserted),
            rows=sum(map(len, inserted.values())),
        )


READS = (("runs",), ("runs", "some-id"))


def test_an_older_schema_says_to_migrate(on_each: Rig) -> None:
    """Whatever needs what came later, or would write."""
    back_to(on_each, RELEASED[0])
    try:
        warehouse = on_each.warehouse
        for arguments in (*READS, ("erase", "--user", "10"), ("audit", "prune"), ("load",)):
            options = ("--log-data", str(Path(__file__).parent)) if arguments == ("load",) else ()
            done = sparkify(warehouse, *arguments, *options)
            assert done.exit_code == 5, (arguments, done.output)
            assert f"schema version {RELEASED[0]}, this library needs {HEAD}" in done.stderr
            assert "run: sparkify migrate" in done.stderr
    finally:
        on_each.warehouse.migrate()


def test_a_newer_schema_says_to_upgrade_the_library(on_each: Rig) -> None:
    def version(text: str) -> None:
        with on_each.warehouse.engine.begin() as connection:
            connection.execute(sa.text(f"UPDATE alembic_version SET version_num = '{text}'"))

    version("9999")
    try:
        for arguments in (
            *(("load",), ("erase", "--user", "10"), ("audit", "prune"), ("migrate",)),
            ("migrate", "--to", "0001"),
        ):
            options = ("--log-data", str(Path(__file__).parent)) if arguments == ("load",) else ()
            done = sparkify(on_each.warehouse, *arguments, *options)
            assert done.exit_code == 5, (arguments, done.output)
            assert f"schema version 9999, newer than this library's {HEAD}" in done.stderr
            assert "pip install -U sparkify-dwh" in done.stderr
        with pytest.raises(SchemaVersionError):
            on_each.warehouse.migrate()
    finally:
        version(HEAD)


def test_a_downgrade_says_what_it_loses(on_each: Rig, source: Source) -> None:
    source.put("events", "a.json", event_line())
    on_each.load()
    on_each.warehouse.erase(999)
    before = rows_of(on_each.warehouse)
    close(on_each)
    lost = {(x.table, x.column): x.rows for x in on_each.warehouse.migration_losses("0001")}
    assert lost[("audit.erasure", None)] == 1 and lost[("audit.load_run", "exit_code")] == 1
    assert ("audit.load_lock", None) not in lost
    done = sparkify(on_each.warehouse, "migrate", "--to", "0001")
    assert done.exit_code == 2
    assert "downgrading to 0001 loses " in done.stderr and "use --yes" in done.stderr
    for name in ("audit.erasure (1 row)", "audit.load_run.exit_code (1 row)"):
        assert name in done.stderr
    assert rows_of(on_each.warehouse) == before
    everything = {x.table for x in on_each.warehouse.migration_losses("base")}
    assert everything == {name for name, rows in before.items() if rows}

    done = sparkify(on_each.warehouse, "migrate", "--to", "0001", "--yes")
    assert done.exit_code == 0 and "audit.erasure (1 row)" in done.stderr
    kept = rows_of(on_each.warehouse)
    assert kept["sparkify.songplays"] == before["sparkify.songplays"]
    assert "audit.erasure" not in kept
    # Nothing to lose: nothing to ask.
    done = sparkify(on_each.warehouse, "migrate", "--to", HEAD)
    assert done.exit_code == 0
    assert on_each.warehouse.migration_losses(HEAD) == []


def close(on_each: Rig) -> None:
    if isinstance(on_each, OnRedshift) and on_each._reader is not None:
        on_each._reader.close()
        on_each._reader = None


def test_json_of_a_migration(tmp_path: Path) -> None:
    warehouse = Warehouse(Settings(database_url=f"duckdb:///{tmp_path}/w.duckdb"))
    warehouse.migrate()
    done = sparkify(warehouse, "migrate", "--to", "-1", "--json")
    assert done.exit_code == 0 and json.loads(done.stdout)["state"] == "older"
    assert isinstance(OnDuckDB, type)
