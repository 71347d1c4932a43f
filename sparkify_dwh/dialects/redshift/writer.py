"""Writing to Redshift: rows made by the client, and what tables need after a load."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ...core.settings import Settings
from ...steps.executor import Executor
from ...storage.s3 import Bucketeer
from ..redshift_errors import is_lost
from .connection import RedshiftConnection
from .statements import Copy, Maintain
from .work_files import WorkFiles

#: One INSERT where no work_prefix allows a COPY: the driver takes 32,767 parameters, and a
#: statement may have 16 MB.
#: Source: https://docs.aws.amazon.com/redshift/latest/dg/c_redshift-sql.html
BATCH_PARAMETERS = 10_000
BATCH_BYTES = 4_000_000
#: Tables from which a load deleted fewer rows are left to Redshift's own vacuum. Of the others
#: VACUUM itself skips those of which 95 % is live.
#: Source: https://docs.aws.amazon.com/redshift/latest/dg/r_VACUUM_command.html
VACUUM_ROWS = 100_000


class RedshiftWriter(RedshiftConnection):
    """Fills tables by COPY under ``work_prefix``, or by INSERT, and looks after them."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.s3 = Bucketeer(settings)
        self.work = WorkFiles(settings, self.s3)

    def close(self) -> None:
        self.work.remove()
        super().close()

    def is_lost(self, error: BaseException) -> bool:
        return is_lost(error)

    # Writing ------------------------------------------------------------------------------

    def fill(
        self,
        ex: Executor,
        table: sa.Table,
        rows: Iterable[Mapping[str, Any]] | Path,
        *,
        step: str,
        target: str | None = None,
        bounded: bool = False,
    ) -> int:
        """Inserts rows by COPY under ``work_prefix``; few ones, and without it, by INSERT."""
        names = [c.name for c in table.columns]
        return self.insert(ex, table, names, rows, step, target, bounded)

    def insert(
        self,
        ex: Executor,
        table: sa.Table,
        names: Sequence[str],
        rows: Iterable[Mapping[str, Any]] | Path,
        step: str,
        target: str | None,
        bounded: bool = False,
    ) -> int:
        """Inserts the named columns of rows; the others get what the table gives by itself."""
        if self.work.usable and not bounded:
            name = ".".join(filter(None, (table.schema, table.name, target, "json")))
            address = self.work.address(name)
            if not ex.planning:
                self.work.write(name, rows if isinstance(rows, Path) else lines_of(rows))
            copy = Copy(
                table,
                list(names),
                address,
                role=self.settings.iam_role,
                json="auto",
                manifest=False,
                region=self.settings.aws_region,
            )
            ex.change(copy, step=step, target=target)
            return 0
        waiting = iter(read_lines(rows) if isinstance(rows, Path) else rows)
        inserted = 0
        for batch in ex.each("batch", batches(waiting, BATCH_PARAMETERS // len(names))):
            values = batch if batch is not None else [dict.fromkeys(names)]
            filled = [{name: value_of(table.c[name], row) for name in names} for row in values]
            inserted += ex.change(sa.insert(table).values(filled), step=step, target=target)
        return inserted

    # After the commit ----------------------------------------------------------------------

    def housekeep(self, ex: Executor, deleted: Mapping[sa.Table, int]) -> list[str]:
        """ANALYZE of each table, VACUUM DELETE ONLY of those that lost ``VACUUM_ROWS`` rows."""
        if not ex.planning:
            # VACUUM runs outside of transactions. By SQLAlchemy's isolation level the connection
            # would be set back afterwards by a statement that Redshift does not document.
            ex.connection.connection.driver_connection.autocommit = True  # type: ignore[union-attr]
        failed: dict[tuple[str, str], list[str]] = {}
        for table in deleted:
            self._maintain(ex, table, "ANALYZE", failed)
        for table, gone in deleted.items():
            with ex.when(f"the load deleted {VACUUM_ROWS:,} rows", gone >= VACUUM_ROWS) as wanted:
                if wanted:
                    self._maintain(ex, table, "VACUUM DELETE ONLY", failed)
        return [
            f"{verb} of {', '.join(tables)} failed; what was committed stays: {why}"
            for (verb, why), tables in failed.items()
        ]

    def remains(self, tables: Sequence[sa.Table]) -> str:
        # Without TO 100 PERCENT it skips tables of which 95 % is live.
        # Source: https://docs.aws.amazon.com/redshift/latest/dg/r_VACUUM_command.html
        if not tables:
            return ""
        names = (f"VACUUM DELETE ONLY {table} TO 100 PERCENT;" for table in tables)
        return "the rows' bytes stay on disk until: " + " ".join(names)

    def _maintain(
        self, ex: Executor, table: sa.Table, verb: str, failed: dict[tuple[str, str], list[str]]
    ) -> None:
        if not ex.planning and ex.connection.invalidated:
            return
        step = verb.split()[0].lower()
        try:
            ex.change(Maintain(table, verb), step=step, target=table.name)
        except Exception as error:
            if self.is_lost(error):
                ex.connection.invalidate()
            told = self.explain(error)
            failed.setdefault((verb, str(getattr(told, "what", told))), []).append(str(table))


def batches(rows: Iterator[Mapping[str, Any]], most: int) -> Iterator[list[Mapping[str, Any]]]:
    """Rows in lists that fit one INSERT each."""
    batch: list[Mapping[str, Any]] = []
    size = 0
    for row in rows:
        length = sum(len(str(value)) for value in row.values())
        if batch and (len(batch) >= most or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += length
    if batch:
        yield batch


def lines_of(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Rows as JSON, one object a line."""
    out = io.BytesIO()
    for row in rows:
        out.write(json.dumps(row, default=str).encode() + b"\n")
    return out.getvalue()


def read_lines(path: Path) -> Iterator[Mapping[str, Any]]:
    """Rows of a file of JSON, one object a line."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def value_of(column: sa.Column[Any], row: Mapping[str, Any]) -> Any:
    """A row's value as the driver takes it."""
    value = row.get(column.name)
    if isinstance(column.type, sa.DateTime) and isinstance(value, str):
        return datetime.fromisoformat(value)
    return value
