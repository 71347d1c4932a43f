"""Runs a COPY in the client's own Postgres session, and writes what the load views show.

The views read files and not tables, because Redshift's system views are not transactional: a loader
sees the errors of a COPY before it commits, and they survive a rollback.
"""

from __future__ import annotations

import datetime as dt
import gzip
import itertools
import json
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .backend import Backend
from .copy_command import CopyCommand, Location
from .errors import RedshiftError, compute_error
from .json_rows import Path as JsonPath
from .json_rows import Row, read_jsonpaths, rows
from .plan import literal
from .store import Object, Store
from .values import Column, LoadError

_COLUMNS = """
SELECT c.oid, c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       a.attidentity <> '', has_table_privilege(c.oid, 'INSERT'), u.usesysid, txid_current()
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_user u ON u.usename = current_user
WHERE c.oid = {}::regclass ORDER BY a.attnum
"""
# bytes of rows that are sent to Postgres at a time
_CHUNK = 1 << 18
_query_ids = itertools.count(1001)


@dataclass(slots=True)
class LoadLog:
    """What the load views of one database show, `lag` seconds late, as it may be on Redshift."""

    folder: Path
    lag: float = 0.0

    def clear(self) -> None:
        """Remove all records, since each query of a view reads all of them."""
        for path in self.folder.glob("*.json"):
            path.unlink()

    def write(self, query: int, kinds: dict[str, list[dict[str, Any]]]) -> None:
        """Write the records of one COPY atomically to where the views read them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.parent.chmod(0o755)
        self.folder.chmod(0o755)
        path = self.folder.parent / f"{self.folder.name}.{query}.new"
        path.write_text(json.dumps({"visible_at": time.time() + self.lag, **kinds}))
        path.chmod(0o644)
        path.rename(self.folder / f"{query}.json")


@dataclass(slots=True)
class Target:
    """The table that a COPY loads, from the catalog."""

    oid: int
    name: str
    columns: list[Column]
    user_id: int
    transaction: int


@dataclass(slots=True)
class Load:
    """One run of COPY."""

    backend: Backend
    command: CopyCommand
    store: Store
    log: LoadLog
    user: str
    database: str
    query: int = field(default_factory=lambda: next(_query_ids))
    loaded: int = 0
    rejected: int = 0
    _errors: list[dict[str, Any]] = field(default_factory=list)
    _files: list[dict[str, Any]] = field(default_factory=list)
    _started: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))

    def run(self) -> list[str]:
        """Load, and return the messages for the client; raise an error if the load fails."""
        target = self._target()
        done = False
        try:
            chunks = list(self._chunks(target))
            if self.rejected >= self.command.error_limit:
                raise RedshiftError(
                    f"Load into table '{target.name}' failed.  "
                    "Check 'stl_load_errors' system table for details."
                )
            if not self.command.noload:
                names = ", ".join('"' + c.name.replace('"', '""') + '"' for c in target.columns)
                self.backend.copy_in(f"COPY {self.command.table} ({names}) FROM STDIN", chunks)
            else:
                self.loaded = 0
            done = True
        finally:
            self._write_log(target, done)
        # a rollback reverts these, as on Redshift: PG_LAST_COPY_ID
        self.backend.run(
            f"SELECT set_config('rs.copy_id', '{self.query}', false), "
            f"set_config('rs.copy_count', '{self.loaded}', false)"
        )
        return self._messages(target)

    def _messages(self, target: Target) -> list[str]:
        head = f"Load into table '{target.name}' completed, "
        messages = [f"{head}{self.loaded} record(s) loaded successfully."]
        if self.rejected:
            messages.append(
                f"{head}{self.rejected} record(s) could not be loaded.  "
                "Check 'stl_load_errors' system table for details."
            )
        return messages

    def _target(self) -> Target:
        found = self.backend.run(_COLUMNS.format(literal(self.command.table)))
        if not found:
            raise RedshiftError(f"cannot copy to {self.command.table}", "42809")
        name = str(found[0][1])
        if found[0][6] != "t":
            raise RedshiftError(f"permission denied for relation {name}", "42501")
        known = {
            str(row[2]): (Column(str(row[2]), str(row[3]), row[4] == "t"), row[5] == "t")
            for row in found
        }
        if self.command.columns is None:
            columns = [each for each, identity in known.values() if not identity]
        else:
            for column in self.command.columns:
                if column not in known:
                    message = f'column "{column}" of relation "{name}" does not exist'
                    raise RedshiftError(message, "42703")
                if known[column][1]:
                    raise RedshiftError(
                        f"cannot set an identity column to a value: {column}", "42601"
                    )
            columns = [known[column][0] for column in self.command.columns]
        return Target(
            int(str(found[0][0])), name, columns, int(str(found[0][7])), int(str(found[0][8]))
        )

    def _paths(self, columns: int) -> list[JsonPath] | None:
        if not self.command.json.startswith("s3://"):
            return None
        data = self.store.get(Location.parse(self.command.json), self.query).data
        return read_jsonpaths(data, columns)

    def _chunks(self, target: Target) -> Iterator[bytes]:
        paths = self._paths(len(target.columns))
        chunk = bytearray()
        for item in self.store.objects(self.command, self.query, self.user):
            count = 0
            for row in self._rows(item, target, paths):
                count += 1
                if row.error is not None:
                    self._note_error(target, item, row, row.error)
                    if self.rejected >= self.command.error_limit:
                        break
                    continue
                self.loaded += 1
                chunk += "\t".join("\\N" if v is None else v for v in row.values).encode()
                chunk += b"\n"
                if len(chunk) > _CHUNK:
                    yield bytes(chunk)
                    chunk.clear()
            self._note_file(target, item, count)
            if self.rejected >= self.command.error_limit:
                return
        yield bytes(chunk)

    def _rows(self, item: Object, target: Target, paths: list[JsonPath] | None) -> Iterator[Row]:
        data = item.data
        if self.command.gzip:
            try:
                data = gzip.decompress(data)
            except (OSError, EOFError, zlib.error) as error:
                raise compute_error(
                    "failed to inflate with zlib error code: -3",
                    9001,
                    str(item.location),
                    self.query,
                ) from error
        is_paths_file = str(item.location) == self.command.json
        for row in rows(data, self.command, target.columns, paths):
            if is_paths_file:
                # the jsonpaths file is under the prefix of the data: copy-parameters-data-format
                wrong = LoadError(
                    1216, "Invalid JSONPath format: the jsonpaths file is not data", ""
                )
                yield Row([], wrong, None, row.record)
            else:
                yield row

    def _note_error(self, target: Target, item: Object, row: Row, error: LoadError) -> None:
        self.rejected += 1
        column = row.column
        raw = "".join(c if c.isascii() and c != "\0" else "." for c in row.record.raw)
        value = "".join(c if c.isprintable() else "." for c in error.value)
        self._errors.append(
            {
                **self._common(target),
                "tbl": target.oid,
                "starttime": _stamp(self._started),
                "filename": str(item.location)[:256],
                "line_number": row.record.line,
                "colname": column.name if column else "",
                "type": column.kind if column else "",
                "col_length": column.length if column else "",
                "raw_line": raw[:1024],
                "raw_field_value": value[:1024],
                "err_code": error.code,
                "err_reason": error.reason[:100],
                "start_offset": row.record.start,
            }
        )

    def _note_file(self, target: Target, item: Object, count: int) -> None:
        self._files.append(
            {
                **self._common(target),
                "filename": str(item.location)[:256],
                "bytes": len(item.data),
                "lines_scanned": count,
                "curtime": _stamp(dt.datetime.now(dt.UTC)),
                "starttime": _stamp(self._started),
                "etag": item.etag,
                "modified": _stamp(item.modified.astimezone(dt.UTC)),
            }
        )

    def _common(self, target: Target) -> dict[str, Any]:
        return {
            "userid": target.user_id,
            "query": self.query,
            "session": self.backend.pid,
            "transaction": target.transaction,
        }

    def _write_log(self, target: Target, done: bool) -> None:
        ended = dt.datetime.now(dt.UTC)
        total = sum(item["bytes"] for item in self._files)
        history = {
            **self._common(target),
            "status": "completed" if done else "aborted",
            "table_name": target.name,
            "starttime": _stamp(self._started),
            "endtime": _stamp(ended),
            "duration": int((ended - self._started).total_seconds() * 1_000_000),
            "data_source": str(self.command.source),
            "loaded_rows": self.loaded if done else 0,
            "files": len(self._files),
            "bytes": total,
            "errors": self.rejected,
        }
        self.log.write(
            self.query, {"errors": self._errors, "files": self._files, "history": [history]}
        )


def _stamp(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")
