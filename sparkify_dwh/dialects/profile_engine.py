"""The embedded engine that profiles files, in memory, whatever the engine of the warehouse is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..config import Settings
from ..executor import Executor
from ..observe import SILENT, Observer
from .duckdb import DuckDBEngine
from .duckdb_connection import MEMORY
from .profile_read import RawReader
from .profile_scan import Scan


@contextmanager
def scanning(settings: Settings, name: str, observer: Observer) -> Iterator[tuple[RawReader, Scan]]:
    """A reader and a scan for one source; what they leave on disk goes with them.

    :raises DatabaseError: when memory or the disk for temporary files does not suffice.
    """
    engine = DuckDBEngine(
        settings.model_copy(update={"database_url": f"duckdb:///{MEMORY}", "auth": "password"})
    )
    try:
        with engine.session() as session:
            # Rows are scanned by one thread only in the transaction that inserted them.
            connection = session.execution_options(isolation_level="AUTOCOMMIT")
            _spill(connection, engine.scratch)
            ex = Executor(connection)
            if observer is not SILENT:
                ex.observer, ex.fraction = observer, engine.watch(connection)
            reader = RawReader(ex, name, engine.scratch, engine.s3)
            try:
                yield reader, Scan(ex, reader)
            finally:
                reader.close()
    finally:
        engine.close()


def _spill(connection: object, folder: Path) -> None:
    """What does not fit into memory goes to the scratch folder, not to the working directory."""
    place = str(folder / "spill").replace("'", "''")
    connection.exec_driver_sql(f"SET temp_directory = '{place}'")  # type: ignore[attr-defined]
