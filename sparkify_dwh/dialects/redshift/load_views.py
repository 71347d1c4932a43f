"""What Redshift says of its COPYs: objects and records read, records refused.

The views know no transaction: they show a COPY before it is committed and after it was rolled
back, some seconds late. Sources, besides the pages of each view:
https://docs.aws.amazon.com/redshift/latest/dg/PG_LAST_COPY_ID.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from ...core.errors import BooksError
from ...models.declare import Source
from ...steps.executor import Executor
from ...storage.objects import Object
from .statements import MAX_ERROR

#: The views may lag behind a COPY by so many seconds.
LAG = 30.0
_PAUSE = 0.2
#: The views cut the names of objects.
NAME_BYTES = 256
_CLASSES = sa.table("pg_class", sa.column("relname", sa.String), schema="pg_catalog")


def _view(name: str, *columns: str) -> sa.TableClause:
    return sa.table(name, *(sa.column(column) for column in columns))


@dataclass(frozen=True)
class LoadError:
    """A record that COPY refused.

    :param line: its last line, from 1.
    """

    name: str
    line: int
    code: int
    column: str
    reason: str


@dataclass
class Outcome:
    """What one COPY did.

    :param scanned: records read, by name of the object.
    :param copied: records loaded.
    """

    scanned: dict[str, int] = field(default_factory=dict)
    errors: Sequence[LoadError] = ()
    copied: int = 0

    @property
    def balanced(self) -> bool:
        """Every record read was loaded or has an error entry."""
        return sum(self.scanned.values()) == self.copied + len(self.errors)


def shown(key: str) -> str:
    """An object's name as the views cut it."""
    return key.encode()[:NAME_BYTES].decode("utf-8", "ignore").rstrip()


class LoadViews:
    """The load views of one session: SYS_*, or STL_* on clusters that do not have those.

    Which of them exist is asked before: a query that fails would end the transaction.
    """

    def __init__(self, ex: Executor) -> None:
        found = ex.numbers(
            sa.select(sa.func.pg_backend_pid().label("pid"), sa.func.count().label("views")).where(
                _CLASSES.c.relname == "sys_load_error_detail"
            ),
            step="read",
        )
        self.session = found["pid"]
        if ex.planning or found["views"]:
            errors = _view(
                *("sys_load_error_detail", "query_id", "session_id", "file_name", "line_number"),
                *("error_code", "column_name", "error_message"),
            )
            files = _view("sys_load_detail", "query_id", "file_name", "lines_scanned")
        else:
            errors = _view(
                *("stl_load_errors", "query", "session", "filename", "line_number"),
                *("err_code", "colname", "err_reason"),
            )
            files = _view("stl_load_commits", "query", "filename", "lines_scanned")
        query, self._session, name, line, code, column, reason = errors.c
        self._query = query
        self._errors = sa.select(
            sa.func.trim(name), line, code, sa.func.trim(column), sa.func.trim(reason), query
        )
        self._order = (name, line)
        query, name, lines = files.c
        self._files = (
            sa.select(sa.func.trim(name), sa.func.sum(lines))
            .where(query == sa.func.pg_last_copy_id())
            .group_by(sa.func.trim(name))
        )

    def outcome(self, ex: Executor, source: Source, objects: Sequence[Object]) -> Outcome:
        """What the last COPY of this session read, held against what it was to read.

        :raises BooksError: when, after ``LAG`` seconds, an object is missing, or a record that
            was neither loaded nor refused.
        """
        step: dict[str, Any] = {"step": "read", "target": source.name}
        expected = {shown(each.key) for each in objects if each.size}
        last = self._query == sa.func.pg_last_copy_id()
        wait = _waiting()
        while True:
            files = ex.rows(self._files, **step)
            errors = ex.rows(self._errors.where(last).order_by(*self._order), **step)
            copied = ex.numbers(sa.select(sa.func.pg_last_copy_count().label("n")), **step)["n"]
            if ex.planning:
                return Outcome()
            found = Outcome(
                {name: int(lines or 0) for name, lines in files},
                [_error(row) for row in errors],
                copied,
            )
            missing = expected - found.scanned.keys()
            if not missing and found.balanced:
                return found
            if not wait():
                raise BooksError(
                    f"COPY of {source.name}: Redshift says it read "
                    f"{sum(found.scanned.values()):,} records, loaded {copied:,} and refused "
                    f"{len(errors):,}, and names {len(missing):,} objects of the manifest nowhere",
                    "the load was rolled back; look at SYS_LOAD_DETAIL and SYS_LOAD_ERROR_DETAIL",
                )

    def failed(self, connection: sa.Connection) -> list[LoadError]:
        """The errors of the COPY that failed last in this session, asked by another one.

        ``pg_last_copy_id`` does not tell it, once its transaction is rolled back.
        """
        asked = (
            self._errors.where(self._session == self.session)
            .order_by(self._query.desc(), *self._order)
            .limit(MAX_ERROR)
        )
        wait = _waiting()
        while True:
            rows = connection.execute(asked).all()
            connection.rollback()
            if rows or not wait():
                return [_error(row) for row in rows if row[5] == rows[0][5]]


def _error(row: Any) -> LoadError:
    name, line, code, column, reason, *_ = row
    return LoadError(name, int(line), int(code), column or "", reason or "")


def _waiting() -> Callable[[], bool]:
    """A pause at each call, until it says that ``LAG`` is over."""
    deadline = time.monotonic() + LAG

    def wait() -> bool:
        if time.monotonic() >= deadline:
            return False
        time.sleep(_PAUSE)
        return True

    return wait
