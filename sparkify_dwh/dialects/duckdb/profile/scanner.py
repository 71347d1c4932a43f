"""The embedded engine that profiles files, in memory, whatever the engine of the warehouse is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from ....core.observer import SILENT, Observer
from ....core.settings import Settings
from ....steps.executor import Executor
from ..connection import MEMORY
from ..engine import DuckDBEngine
from .record_reader import RecordReader
from .scan import Scan

#: Bytes of memory for one thread. Measured: two do not always get along with 150 MiB, one does.
_A_THREAD = 128 * 1024 * 1024


@contextmanager
def open_scanner(
    settings: Settings, name: str, observer: Observer
) -> Iterator[tuple[RecordReader, Scan]]:
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
            _fit(connection)
            ex = Executor(connection)
            if observer is not SILENT:
                ex.observer, ex.fraction = observer, engine.watch(connection)
            reader = RecordReader(ex, name, engine.scratch, engine.s3)
            try:
                yield reader, Scan(ex, reader)
            finally:
                reader.close()
    finally:
        engine.close()


def _fit(connection: sa.Connection) -> None:
    """Takes no more threads than the memory allows: each holds buffers for the longest record."""
    limit = sa.func.parse_formatted_bytes(sa.func.current_setting("memory_limit"))
    threads = sa.cast(sa.func.current_setting("threads"), sa.BigInteger)
    fit = sa.func.greatest(1, sa.func.least(threads, sa.cast(limit, sa.BigInteger) / _A_THREAD))
    found = connection.execute(sa.select(sa.cast(sa.func.floor(fit), sa.BigInteger))).scalar_one()
    connection.exec_driver_sql(f"SET threads = {int(found)}")


def _spill(connection: object, folder: Path) -> None:
    """What does not fit into memory goes to the scratch folder, not to the working directory."""
    place = str(folder / "spill").replace("'", "''")
    connection.exec_driver_sql(f"SET temp_directory = '{place}'")  # type: ignore[attr-defined]
