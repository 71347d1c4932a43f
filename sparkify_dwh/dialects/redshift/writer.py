"""Writing rows from the client to Redshift, and maintaining tables after a load."""

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
from ...storage.s3 import S3
from .connection import RedshiftConnection
from .driver_errors import is_lost
from .statements import Copy, Maintain
from .work_files import WorkFiles

#: Limits of one INSERT, used without work_prefix: the driver accepts 32,767 parameters, and a
#: statement may have 16 MB.
#: Source: https://docs.aws.amazon.com/redshift/latest/dg/c_redshift-sql.html
BATCH_PARAMETERS = 10_000
BATCH_BYTES = 4_000_000
#: Tables from which a load deleted fewer rows are left to Redshift's automatic vacuum. VACUUM
#: itself skips tables of which 95 % is live.
#: Source: https://docs.aws.amazon.com/redshift/latest/dg/r_VACUUM_command.html
VACUUM_ROWS = 100_000


class RedshiftWriter(RedshiftConnection):
    """Fills tables by COPY from ``work_prefix``, or by INSERT, and maintains them."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.s3 = S3(settings)
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
        """Writes rows by COPY from ``work_prefix``; if unset, or if ``bounded``, by INSERT."""
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
        """Writes the named columns of rows; the other columns get their defaults."""
        if self.work.usable and not bounded:
            name = ".".join(filter(None, (table.schema, table.name, target, "json")))
            address = self.work.address(name)
            if not ex.planning:
                self.work.write(name, rows if isinstance(rows, Path) else to_lines(rows))
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
        records = iter(read_lines(rows) if isinstance(rows, Path) else rows)
        inserted = 0
        for batch in ex.each("batch", batches(records, BATCH_PARAMETERS // len(names))):
            values = batch if batch is not None else [dict.fromkeys(names)]
            filled = [{name: value_of(table.c[name], row) for name in names} for row in values]
            inserted += ex.change(sa.insert(table).values(filled), step=step, target=target)
        return inserted

    # After the commit ----------------------------------------------------------------------

    def housekeep(self, ex: Executor, deleted: Mapping[sa.Table, int]) -> list[str]:
        """ANALYZE of each table, VACUUM DELETE ONLY of those that lost ``VACUUM_ROWS`` rows."""
        if not ex.planning:
            # VACUUM fails inside a transaction. SQLAlchemy's isolation level would be reset by a
            # statement that Redshift does not document.
            ex.connection.connection.driver_connection.autocommit = True  # type: ignore[union-attr]
        failed: dict[tuple[str, str], list[str]] = {}
        for table in deleted:
            self._maintain(ex, table, "ANALYZE", failed)
        for table, rows in deleted.items():
            with ex.when(
                f"the load deleted {VACUUM_ROWS:,} rows", rows >= VACUUM_ROWS
            ) as should_run:
                if should_run:
                    self._maintain(ex, table, "VACUUM DELETE ONLY", failed)
        return [
            f"{verb} of {', '.join(tables)} failed; the load stays committed: {why}"
            for (verb, why), tables in failed.items()
        ]

    def remains(self, tables: Sequence[sa.Table]) -> str:
        # Without TO 100 PERCENT VACUUM skips tables of which 95 % is live.
        # Source: https://docs.aws.amazon.com/redshift/latest/dg/r_VACUUM_command.html
        if not tables:
            return ""
        names = (f"VACUUM DELETE ONLY {table} TO 100 PERCENT;" for table in tables)
        return "the rows' bytes stay on disk until you run: " + " ".join(names)

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
            explained = self.explain(error)
            why = str(getattr(explained, "what", explained))
            failed.setdefault((verb, why), []).append(str(table))


def batches(rows: Iterator[Mapping[str, Any]], most: int) -> Iterator[list[Mapping[str, Any]]]:
    """Lists of rows, each small enough for one INSERT."""
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


def to_lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Rows as JSON, one object per line."""
    out = io.BytesIO()
    for row in rows:
        out.write(json.dumps(row, default=str).encode() + b"\n")
    return out.getvalue()


def read_lines(path: Path) -> Iterator[Mapping[str, Any]]:
    """The rows of a JSON file with one object per line."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def value_of(column: sa.Column[Any], row: Mapping[str, Any]) -> Any:
    """A row's value as the driver expects it."""
    value = row.get(column.name)
    if isinstance(column.type, sa.DateTime) and isinstance(value, str):
        return datetime.fromisoformat(value)
    return value
