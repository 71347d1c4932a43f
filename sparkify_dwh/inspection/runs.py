"""The run log: how each run ended, when, how long it took, how much it read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ..core.errors import UsageError
from ..core.table import Table, html_table
from ..dialects.base import Engine
from ..models.audit import LOADED, NOTHING_NEW, REFUSED, STARTED
from ..steps import ledger
from ..steps.ledger import BOOK, FILE, RESULT, RUN, STEP

#: Exit codes of runs that an earlier version of the library recorded without them.
_EXIT_CODES = {LOADED: 0, NOTHING_NEW: 0, REFUSED: 4}
COLUMNS = (
    "run_id",
    "event",
    "started",
    "ended",
    "seconds",
    "age_seconds",
    "files",
    "rows_read",
    "rows_staged",
    "rows_refused",
    "host",
    "pid",
    "engine",
    "version",
    "error",
    "exit_code",
    "reason",
)


def run_log(engine: Engine, connection: sa.Connection, limit: int | None = None) -> Table:
    """The newest runs; one without an end is ``running`` or ``died``.

    ``seconds`` is how long a run took, ``age_seconds`` how long ago it ended (or, without an end,
    started). Rows are those of its books; after they were pruned, those of the ledger.
    """
    ended, books, files = RUN.alias("ended"), _books(), _files()
    statement = (
        sa.select(
            RUN.c.run_id,
            ended.c.event,
            RUN.c.at.label("started"),
            ended.c.at.label("ended"),
            files.c.files,
            sa.func.coalesce(books.c.read, files.c.read).label("rows_read"),
            sa.func.coalesce(books.c.staged, files.c.staged).label("rows_staged"),
            sa.func.coalesce(books.c.refused, files.c.refused).label("rows_refused"),
            RUN.c.host,
            RUN.c.pid,
            RUN.c.engine,
            RUN.c.version,
            ended.c.error,
            ended.c.exit_code,
            ended.c.reason,
        )
        .select_from(
            RUN.outerjoin(ended, sa.and_(ended.c.run_id == RUN.c.run_id, ended.c.event != STARTED))
            .outerjoin(books, books.c.run_id == RUN.c.run_id)
            .outerjoin(files, files.c.run_id == RUN.c.run_id)
        )
        .where(RUN.c.event == STARTED)
        .order_by(RUN.c.at.desc(), RUN.c.run_id.desc())
        .limit(limit)
    )
    found = connection.execute(statement).all()
    working = {
        run.run_id
        for run in ledger.open_runs(connection)
        if ledger.is_at_work(run, embedded=engine.embedded)
    }
    now = ledger.utc_now()
    rows = []
    for row in found:
        values: dict[str, Any] = dict(row._mapping)
        values["event"] = row.event or ("running" if row.run_id in working else "died")
        values["seconds"] = (row.ended - row.started).total_seconds() if row.ended else None
        values["age_seconds"] = (now - (row.ended or row.started)).total_seconds()
        if row.exit_code is None:
            values["exit_code"] = _EXIT_CODES.get(row.event)
        for name in ("files", "rows_read", "rows_staged", "rows_refused"):
            values[name] = int(values[name] or 0)
        rows.append(tuple(values[name] for name in COLUMNS))
    return Table(COLUMNS, rows)


def _books() -> sa.Subquery:
    def total(*accounts: str) -> Any:
        return sa.func.sum(sa.case((BOOK.c.account.in_(accounts), BOOK.c.rows), else_=0))

    return (
        sa.select(
            BOOK.c.run_id,
            total("read").label("read"),
            total("staged").label("staged"),
            total("refused_by_parser", "refused_by_rule").label("refused"),
        )
        .where(BOOK.c.target.like("source:%"))
        .group_by(BOOK.c.run_id)
        .subquery("books")
    )


def _files() -> sa.Subquery:
    return (
        sa.select(
            FILE.c.run_id,
            sa.func.count().label("files"),
            sa.func.sum(FILE.c.rows_read).label("read"),
            sa.func.sum(FILE.c.rows_staged).label("staged"),
            sa.func.sum(FILE.c.rows_refused).label("refused"),
        )
        .group_by(FILE.c.run_id)
        .subquery("files")
    )


def _table(connection: sa.Connection, statement: sa.Select[Any]) -> Table:
    result = connection.execute(statement)
    return Table(tuple(result.keys()), [tuple(row) for row in result])


def runs(engine: Engine) -> Table:
    """See ``Warehouse.runs``: newest first; a run without an end is running or died."""
    with engine.session(read_only=True) as connection:
        return run_log(engine, connection)


@dataclass(frozen=True)
class RunDetail:
    """Everything on record about the run ``run_id``, each part a table.

    :param events: when it started and how it ended.
    :param files: the objects it loaded, with their rows.
    :param steps: rows and seconds of each step.
    :param books: what became of the rows, by source and table.
    :param rules: the measured value of every rule.
    """

    run_id: str
    events: Table
    files: Table
    steps: Table
    books: Table
    rules: Table

    def to_dict(self) -> dict[str, list[dict[str, Any]]]:
        """The tables by name, as plain values, for ``--json``."""
        return {name: getattr(self, name).records() for name in PARTS}

    def _repr_html_(self) -> str:
        parts = ((name, getattr(self, name)) for name in PARTS)
        return "".join(html_table(part.columns, part.rows, name) for name, part in parts)


#: Each part of a run with its table and order.
PARTS = {
    "events": (RUN, (RUN.c.at,)),
    "files": (FILE, (FILE.c.source, FILE.c.key)),
    "steps": (STEP, (STEP.c.position,)),
    "books": (BOOK, (BOOK.c.target, BOOK.c.account)),
    "rules": (RESULT, (RESULT.c.target, RESULT.c.rule)),
}


def run_detail(engine: Engine, run_id: str) -> RunDetail:
    """See ``Warehouse.run``.

    :raises UsageError: when no run has this id.
    """
    with engine.session(read_only=True) as connection:
        found = {
            name: _table(
                connection,
                sa.select(*(c for c in table.c if c.name != "run_id"))
                .where(table.c.run_id == run_id)
                .order_by(*order),
            )
            for name, (table, order) in PARTS.items()
        }
    if not found["events"].rows:
        raise UsageError(f"there is no run {run_id}", "sparkify runs lists them")
    return RunDetail(run_id, **found)
