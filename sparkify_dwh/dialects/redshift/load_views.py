"""What Redshift reports about a COPY: objects and records read, records refused.

The load views are not transactional: they show a COPY before it is committed and after it is rolled
back, a few seconds late. Source, besides the pages of each view:
https://docs.aws.amazon.com/redshift/latest/dg/PG_LAST_COPY_ID.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from ...core.errors import BooksError
from ...core.quantity import quantity
from ...models.declare import Source
from ...steps.executor import Executor
from ...storage.objects import Object
from .statements import MAX_ERROR

#: Seconds by which the views may lag behind a COPY.
LAG = 30.0
_PAUSE = 0.2
#: The views cut the names of objects to this length.
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
        """Whether every record read was loaded or has an error entry."""
        return sum(self.scanned.values()) == self.copied + len(self.errors)


def name_in_views(key: str) -> str:
    """An object's name as the views cut it."""
    return key.encode()[:NAME_BYTES].decode("utf-8", "ignore").rstrip()


class LoadViews:
    """The load views of one session: SYS_*, or STL_* on clusters that lack those.

    The catalog is asked first which exist: a query that fails would end the transaction.
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
        """What the last COPY of this session read, compared with what it should have read.

        :raises BooksError: when, after ``LAG`` seconds, an object is missing, or a record was
            neither loaded nor refused.
        """
        step: dict[str, Any] = {"step": "read", "target": source.name}
        expected = {name_in_views(each.key) for each in objects if each.size}
        last = self._query == sa.func.pg_last_copy_id()
        wait = _waiter()
        while True:
            files = ex.rows(self._files, **step)
            errors = ex.rows(self._errors.where(last).order_by(*self._order), **step)
            copied = ex.numbers(sa.select(sa.func.pg_last_copy_count().label("n")), **step)["n"]
            if ex.planning:
                return Outcome()
            outcome = Outcome(
                {name: int(lines or 0) for name, lines in files},
                [_error(row) for row in errors],
                copied,
            )
            missing = expected - outcome.scanned.keys()
            if not missing and outcome.balanced:
                return outcome
            if not wait():
                raise BooksError(
                    f"COPY of {source.name}: Redshift reports "
                    f"{quantity(sum(outcome.scanned.values()), 'record')} read, {copied:,} loaded "
                    f"and {len(errors):,} refused; objects of the manifest that it does not "
                    f"report: {len(missing):,}",
                    "the load was rolled back; see SYS_LOAD_DETAIL and SYS_LOAD_ERROR_DETAIL",
                )

    def errors_of_failed(self, connection: sa.Connection) -> list[LoadError]:
        """The errors of the last failed COPY of this session, read in another session.

        ``pg_last_copy_id`` no longer returns it once its transaction is rolled back.
        """
        query = (
            self._errors.where(self._session == self.session)
            .order_by(self._query.desc(), *self._order)
            .limit(MAX_ERROR)
        )
        wait = _waiter()
        while True:
            rows = connection.execute(query).all()
            connection.rollback()
            if rows or not wait():
                return [_error(row) for row in rows if row[5] == rows[0][5]]


def _error(row: Any) -> LoadError:
    name, line, code, column, reason, *_ = row
    return LoadError(name, int(line), int(code), column or "", reason or "")


def _waiter() -> Callable[[], bool]:
    """A function that pauses and returns True, until ``LAG`` has passed."""
    deadline = time.monotonic() + LAG

    def wait() -> bool:
        if time.monotonic() >= deadline:
            return False
        time.sleep(_PAUSE)
        return True

    return wait
