"""Opens a DuckDB database in memory for profiling files, whatever the warehouse's engine is."""

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

#: Bytes of memory for one thread. Measured: 150 MiB suffice for one, but not always for two.
_THREAD_MEMORY = 128 * 1024 * 1024


@contextmanager
def open_scanner(
    settings: Settings, name: str, observer: Observer
) -> Iterator[tuple[RecordReader, Scan]]:
    """A reader and a scan for one source; their files are removed at the end.

    :raises DatabaseError: when memory or the disk for temporary files does not suffice.
    """
    engine = DuckDBEngine(
        settings.model_copy(update={"database_url": f"duckdb:///{MEMORY}", "auth": "password"})
    )
    try:
        with engine.session() as session:
            # Only one thread scans rows in the transaction that inserted them.
            connection = session.execution_options(isolation_level="AUTOCOMMIT")
            _set_spill_folder(connection, engine.scratch)
            _limit_threads(connection)
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


def _limit_threads(connection: sa.Connection) -> None:
    """Fits the threads to the memory: each has buffers for the longest record."""
    limit = sa.func.parse_formatted_bytes(sa.func.current_setting("memory_limit"))
    threads = sa.cast(sa.func.current_setting("threads"), sa.BigInteger)
    fit = sa.func.greatest(
        1, sa.func.least(threads, sa.cast(limit, sa.BigInteger) / _THREAD_MEMORY)
    )
    count = connection.execute(sa.select(sa.cast(sa.func.floor(fit), sa.BigInteger))).scalar_one()
    connection.exec_driver_sql(f"SET threads = {int(count)}")


def _set_spill_folder(connection: sa.Connection, folder: Path) -> None:
    """Spills to the scratch folder, not to the working directory."""
    place = str(folder / "spill").replace("'", "''")
    connection.exec_driver_sql(f"SET temp_directory = '{place}'")
