"""Loading into Redshift: manifests, COPY, and the errors it leaves in the system views."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from .. import records
from ..config import Settings
from ..declare import Source
from ..discover import Object
from ..errors import BooksError, SettingsError, SourceError
from ..executor import Executor
from ..quality import PARSER_RULES, first_rule, reject_bits
from ..quarantine import Quarantine
from ..s3 import SCHEME, Bucketeer, location
from ..sql import HasBit
from .base import Reading
from .redshift_copy import MAX_ERROR, RULES, Copy, Maintain
from .redshift_engine import RedshiftConnection

#: Rows of one INSERT where no work_prefix allows a COPY; the driver takes 32,767 parameters.
BATCH = 1000
#: The load views may lag behind a COPY by so many seconds.
LAG = 30.0

_QUERY = sa.func.pg_last_copy_id()
DETAIL = sa.table(
    "sys_load_detail", *(sa.column(n) for n in ("query_id", "file_name", "lines_scanned"))
)
ERRORS = sa.table(
    "sys_load_error_detail",
    *(sa.column(n) for n in ("query_id", "file_name", "line_number", "column_name")),
    *(sa.column(n) for n in ("error_code", "error_message")),
)


class RedshiftEngine(RedshiftConnection):
    """One COPY a table and compression, from a manifest under ``work_prefix``."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.s3 = Bucketeer(settings)
        self._counts: dict[str, dict[str, int]] = {}
        self._serial = 0

    def raw_table(self, source: Source) -> sa.Table:
        return source.staging

    def place(self, raw: sa.Table) -> sa.ColumnElement[Any]:
        column: sa.ColumnElement[Any] = raw.c._row
        return column

    # Reading ------------------------------------------------------------------------------

    def read(
        self, ex: Executor, source: Source, objects: Sequence[Object], quarantine: Quarantine
    ) -> Reading:
        step: dict[str, Any] = {"step": "read", "target": source.name}
        reading = Reading()
        jsonpaths = self._jsonpaths(ex, source, quarantine.run_id)
        packed = [o for o in objects if o.key.endswith(".gz")]
        plain = [o for o in objects if not o.key.endswith(".gz")]
        refused = 0
        for gzip, some in ((False, plain), (True, packed)):
            kind = "gzip" if gzip else "plain"
            with ex.when(f"there are {kind} objects", some) as wanted:
                if not wanted:
                    continue
                origin, manifest = self._origin(ex, source, some, kind, quarantine.run_id)
                ex.change(
                    Copy(
                        source.staging,
                        [c.name for c in source.columns],
                        origin,
                        role=self.settings.iam_role,
                        json=jsonpaths,
                        manifest=manifest,
                        gzip=gzip,
                        region=self.settings.aws_region,
                        max_error=self._max_error(),
                    ),
                    **step,
                )
                refused += self._reconcile(ex, source, some, reading, quarantine)
        with ex.when("COPY refused records", refused) as wanted:
            if wanted and refused:
                ex.timed("read", source.name)
        return reading

    def _max_error(self) -> int:
        limit = self.settings.max_rejects
        return MAX_ERROR if limit is None else min(MAX_ERROR, limit + 1)

    def _origin(
        self, ex: Executor, source: Source, objects: Sequence[Object], kind: str, run_id: str
    ) -> tuple[str, bool]:
        """Where COPY reads from, and whether that is a manifest."""
        if self.settings.work_prefix:
            address = f"{self.settings.work_prefix}{run_id}/{source.name}.{kind}.manifest"
            if not ex.planning:
                entries = [{"url": each.key, "mandatory": True} for each in objects]
                self.s3.write(address, json.dumps({"entries": entries}).encode())
            return address, True
        place = self.settings.location(source.name, source.setting) or f"{SCHEME}bucket/prefix/"
        if not ex.planning:
            held = self.s3.list_prefix(place).objects
            if {o.key for o in held} != {o.key for o in objects}:
                raise SettingsError(
                    f"not everything under {place} is new, so COPY needs a manifest",
                    "set work_prefix to an s3:// prefix that may be written",
                )
        return place, False

    def _jsonpaths(self, ex: Executor, source: Source, run_id: str) -> str:
        """The given jsonpaths file, one written for this run, or the names of the columns."""
        given = getattr(self.settings, source.setting.replace("_data", "_jsonpaths"), None)
        if given and given.startswith(SCHEME):
            if not ex.planning:
                check_jsonpaths(self.s3.read(given), given, source)
            return str(given)
        if not self.settings.work_prefix:
            return "auto ignorecase"
        address = f"{self.settings.work_prefix}{run_id}/{source.name}.jsonpaths"
        if not ex.planning:
            if given:
                data = Path(given).read_bytes()
                check_jsonpaths(data, given, source)
            else:
                paths = [f"$['{key}']" for key in source.keys]
                data = json.dumps({"jsonpaths": paths}).encode()
            self.s3.write(address, data)
        return address

    def _reconcile(
        self,
        ex: Executor,
        source: Source,
        objects: Sequence[Object],
        reading: Reading,
        quarantine: Quarantine,
    ) -> int:
        """Holds what Redshift says it read against the manifest; returns the records it refused.

        :raises BooksError: when an object or a row is missing and no error entry tells why.
        """
        step: dict[str, Any] = {"step": "read", "target": source.name}
        deadline = time.monotonic() + LAG
        while True:
            detail = ex.rows(
                sa.select(sa.func.trim(DETAIL.c.file_name), sa.func.sum(DETAIL.c.lines_scanned))
                .where(DETAIL.c.query_id == _QUERY)
                .group_by(sa.func.trim(DETAIL.c.file_name)),
                **step,
            )
            errors = ex.rows(
                sa.select(
                    sa.func.trim(ERRORS.c.file_name),
                    ERRORS.c.line_number,
                    ERRORS.c.error_code,
                    sa.func.trim(ERRORS.c.column_name),
                    sa.func.trim(ERRORS.c.error_message),
                )
                .where(ERRORS.c.query_id == _QUERY)
                .order_by(ERRORS.c.file_name, ERRORS.c.line_number),
                **step,
            )
            copied = ex.numbers(sa.select(sa.func.pg_last_copy_count().label("n")), **step)["n"]
            if ex.planning:
                return 0
            scanned = {name: int(lines) for name, lines in detail}
            missing = {each.key for each in objects if each.size} - scanned.keys()
            if not missing and sum(scanned.values()) == copied + len(errors):
                break
            if time.monotonic() >= deadline:
                raise BooksError(
                    f"COPY of {source.name}: {sum(scanned.values()):,} records scanned, "
                    f"{copied:,} loaded, {len(errors):,} refused, {len(missing):,} objects missing",
                    "the load was rolled back; look at SYS_LOAD_ERROR_DETAIL and load again",
                )
            time.sleep(0.2)
        for each in objects:
            reading.read[each.key] = scanned.get(each.key, 0)
        self._refuse(source, errors, quarantine)
        return len(errors)

    def _refuse(self, source: Source, errors: Sequence[Any], quarantine: Quarantine) -> None:
        """Fetches the raw record of each load error from its object, by its last line."""
        by_key: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for key, line, code, _, _ in errors:
            by_key[key].append((int(line), int(code)))
        for key, found in by_key.items():
            data = self.s3.read(key)
            if data.startswith(records.GZIP_MAGIC):
                import gzip

                data = gzip.decompress(data)
            lines = data.split(b"\n")
            for last, code in found:
                first, rule, raw = record_ending_at(lines, last, source, RULES.get(code))
                quarantine.add_unread(source.name, rule, key, first, raw)

    def stage(self, ex: Executor, source: Source) -> None:
        """COPY has staged the rows, and refused ones are deleted already."""

    def staged_counts(self, ex: Executor, source: Source) -> dict[str, int]:
        count = sa.select(sa.func.count().label("n")).select_from(source.staging)
        return {"": ex.numbers(count, step="read", target=source.name)["n"]}

    def quarantine_rows(
        self, ex: Executor, source: Source, violations: sa.Table, quarantine: Quarantine
    ) -> None:
        # COPY does not say which object a row came from: the fields stand for the record.
        keys = {column: key for key, column in source.keys.items()}
        found = ex.rows(
            sa.select(violations)
            .where(HasBit(violations.c.mask, reject_bits(source)))
            .order_by(violations.c.place),
            step="quarantine",
            target=source.name,
        )
        for row in found:
            rule = first_rule(source, row.mask)
            values = {key: row._mapping[column] for column, key in keys.items()}
            raw = json.dumps(values, ensure_ascii=False).encode()
            quarantine.add(source.name, rule.name, rule.reason, None, None, raw)

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
        columns = [c.name for c in table.columns]
        if self.settings.work_prefix and not bounded:
            self._serial += 1
            address = f"{self.settings.work_prefix}fill/{table.name}-{self._serial}.json"
            if not ex.planning:
                address = address.replace("fill/", f"{time.time_ns()}/")
                self.s3.write(address, rows if isinstance(rows, Path) else lines_of(rows))
            copy = Copy(
                table,
                columns,
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
        batches = iter(lambda: list(islice(waiting, BATCH)), [])
        for batch in ex.each("batch", batches):
            values = batch if batch is not None else [dict.fromkeys(columns)]
            filled = [{name: value_of(table.c[name], row) for name in columns} for row in values]
            inserted += ex.change(sa.insert(table).values(filled), step=step, target=target)
        return inserted

    def housekeep(self, connection: sa.Connection) -> list[str]:
        """ANALYZE and, for tables that lost rows, VACUUM DELETE ONLY; failures are warnings."""
        return []


def lines_of(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Rows as JSON, one object a line."""
    return "".join(json.dumps(row, default=str) + "\n" for row in rows).encode()


def read_lines(path: Path) -> Iterator[Mapping[str, Any]]:
    """Rows of a file of JSON, one object a line."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def value_of(column: sa.Column[Any], row: Mapping[str, Any]) -> Any:
    """A row's value as the driver takes it."""
    value = row.get(column.name)
    if isinstance(column.type, sa.DateTime) and isinstance(value, str):
        from datetime import datetime

        return datetime.fromisoformat(value)
    return value


def check_jsonpaths(data: bytes, where: str, source: Source) -> None:
    """Refuses a jsonpaths file that COPY would misread in silence.

    :raises SourceError: when its only key is not ``jsonpaths`` or it has not one path a column.
    """
    try:
        held = json.loads(data)
        paths = held["jsonpaths"] if list(held) == ["jsonpaths"] else None
    except (ValueError, TypeError):
        paths = None
    if not isinstance(paths, list) or len(paths) != len(source.columns):
        raise SourceError(
            f"{where} is no jsonpaths file for {source.name}",
            f'it must be {{"jsonpaths": [...]}} with {len(source.columns)} paths, in the order of '
            "the columns of staging",
        )


def record_ending_at(
    lines: Sequence[bytes], last: int, source: Source, rule: str | None
) -> tuple[int, str, bytes]:
    """First line, rule and bytes of the record that ends in a line (from 1) of an object."""
    text = lines[last - 1] if 0 < last <= len(lines) else b""
    parts = [p for p in records.split(text, source.keys, last) if p.rule]
    if parts:
        return parts[0].line, parts[0].rule or "malformed_json", parts[0].raw
    known = rule if rule in PARSER_RULES else "malformed_json"
    return last, known, text.strip(b" \t\r\n")


__all__ = ["Maintain", "RedshiftEngine", "location"]
