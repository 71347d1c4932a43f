"""A DuckDB file named like one of the schemas, as the default `sparkify.duckdb` is."""

from __future__ import annotations

import threading
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from sparkify_dwh import Settings, Warehouse


@pytest.mark.parametrize("name", ["sparkify", "Sparkify", "staging", "audit", "main", "my dwh"])
def test_any_file_name_can_be_used(name: str, tmp_path: Path) -> None:
    warehouse = Warehouse(Settings(database_url=f"duckdb:///{tmp_path}/{name}.duckdb"))
    assert warehouse.migrate().state == "current"
    assert warehouse.query("select count(*) from sparkify.songplays").rows == [(0,)]
    assert warehouse.query("select count(*) from audit.load_run").rows == [(0,)]
    assert warehouse.check().passed


def test_the_new_name_is_not_kept_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "sparkify.duckdb"
    Warehouse(Settings(database_url=f"duckdb:///{path}")).migrate()
    with duckdb.connect(str(path)) as connection:
        assert connection.execute("select current_database()").fetchone() == ("sparkify",)


def test_connections_of_one_process_share_the_renamed_database(tmp_path: Path) -> None:
    warehouse = Warehouse(Settings(database_url=f"duckdb:///{tmp_path}/sparkify.duckdb"))
    warehouse.migrate()
    engine, failed = warehouse.engine, []
    # All are open at once: DuckDB refuses to open a file that is about to be closed.
    barrier = threading.Barrier(8, timeout=60)

    def ask() -> None:
        barrier.wait()
        try:
            with engine.connect() as connection:
                connection.execute(sa.text("select count(*) from sparkify.songs")).all()
                barrier.wait()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
