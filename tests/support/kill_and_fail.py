"""Loads that are killed, interrupted or made to fail, and what is left of them.

A *moment* is one call of the driver: a statement or a commit. Moments are numbered from 1.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import duckdb
from sqlalchemy.pool import PoolProxiedConnection

from sparkify_dwh import Settings, SparkifyError, Warehouse
from sparkify_dwh.dialects.duckdb.dialect import DuckDBDialect
from sparkify_dwh.dialects.duckdb.incoming_table import is_incoming
from sparkify_dwh.sample.generate import generate

SOAK = os.environ.get("SPARKIFY_SOAK") == "1"
#: Decides where a sample of fault points begins and how each is struck; differs each day.
SEED = int(os.environ.get("SPARKIFY_SOAK_SEED", date.today().toordinal()))
#: A usual run tries one fault point in this many.
EVERY = 7
#: Seconds after which a child counts as stuck.
STUCK = 240
CONTEXT = multiprocessing.get_context("forkserver")
#: What each child would otherwise import anew; the last one also makes an S3 client.
PRELOADED = [
    *("support.kill_and_fail", "alembic.command", "sparkify_dwh.jobs.load.run"),
    "support.standin_ready",
]
CONTEXT.set_forkserver_preload(PRELOADED)
#: Columns that differ between two runs of the same load.
VOLATILE = {"run_id", "at", "seconds"}
#: Tables in which failed runs leave rows too.
OF_ALL_RUNS = {"rejected_row", "quality_result"}
ENDLESS = (
    "SELECT count(*) FROM range(100000) a, range(100000000) b WHERE (a.range * b.range) % 7 = 3"
)


def points(total: int, name: str) -> list[int]:
    """Fault points from 1 to ``total``: all of them in a soak, else one in :data:`EVERY`.

    :param name: what is struck; with the seed it decides the sample's offset.
    """
    if SOAK:
        return list(range(1, total + 1))
    return list(range(1 + random.Random(f"{SEED} {name}").randrange(EVERY), total + 1, EVERY))


# Moments -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def at_moments(
    before: Callable[[int, Any], None] | None = None,
    after: Callable[[int, Any], None] | None = None,
    dialect: Any = DuckDBDialect,
) -> Iterator[list[str]]:
    """Calls back with each moment's number and the driver's target; lists the moments."""
    seen: list[str] = []

    def wrapped(name: str) -> Any:
        original = getattr(dialect, name)

        def call(self: Any, target: Any, *rest: Any, **named: Any) -> Any:
            seen.append(" ".join(str(rest[0]).split()) if rest else "COMMIT")
            number = len(seen)
            if before is not None:
                before(number, target)
            try:
                return original(self, target, *rest, **named)
            finally:
                # Also where it failed: a new database is asked for tables that it lacks.
                if after is not None:
                    after(number, target)

        return call

    names = ("do_execute", "do_execute_no_params", "do_commit")
    originals = {name: vars(dialect).get(name) for name in names}
    for name in names:
        setattr(dialect, name, wrapped(name))
    try:
        yield seen
    finally:
        for name, original in originals.items():
            if original is None:
                delattr(dialect, name)
            else:
                setattr(dialect, name, original)


def fail_at(moment: int, *, ever_since: bool = False) -> Any:
    """The driver raises an error at a moment, or at each from then on."""

    def before(number: int, target: Any) -> None:
        if number == moment or (ever_since and number > moment):
            if isinstance(target, PoolProxiedConnection):
                target.rollback()  # as DuckDB does where it cannot commit
            raise duckdb.IOException(f"IO Error: injected at {moment}")

    return at_moments(before)


def killed_at(moment: int, when: str, dialect: Any = DuckDBDialect) -> Any:
    """This process is killed ``before`` or ``after`` a moment."""

    def die(number: int, target: Any) -> None:
        if number == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    hooks = {"before": (die, None), "after": (None, die)}[when]
    return at_moments(*hooks, dialect=dialect)


# Children ----------------------------------------------------------------------------------------


@dataclass
class Report:
    """How a load in another process ended."""

    event: str | None = None
    error: str | None = None
    exit_code: int | None = None
    what: str = ""
    hint: str = ""
    messages: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    moments: list[str] = field(default_factory=list)


def observed(values: dict[str, Any], **options: Any) -> Report:
    """Loads, and reports an error too."""
    report = Report()
    try:
        warehouse = Warehouse(Settings(**values))
        warehouse._tell = report.messages.append
        run = warehouse.load(**options)
        report.event, report.warnings = run.event, run.warnings
    except BaseException as error:
        report.error = type(error).__name__
        report.what = getattr(error, "what", str(error))
        report.hint = getattr(error, "hint", "")
        report.exit_code = error.exit_code if isinstance(error, SparkifyError) else None
    return report


def _kill(moment: int, when: str, values: dict[str, Any], path: str) -> None:
    with killed_at(moment, when) as moments:
        report = observed(values)
    report.moments = moments
    Path(path).write_text(json.dumps(vars(report)))


def _kill_on_redshift(
    environment: dict[str, str], moment: int, when: str, values: dict[str, Any]
) -> None:
    from sparkify_dwh.dialects.redshift.dialect import RedshiftDialect

    os.environ.update(environment)
    with killed_at(moment, when, RedshiftDialect):
        observed(values)


class Terminated(BaseException):
    """An exception that a handler of SIGTERM may raise."""


def _wait_for_signal(moment: int, marker: str, values: dict[str, Any], path: str) -> None:
    def terminate(number: int, frame: Any) -> None:
        raise Terminated("by a test")

    signal.signal(signal.SIGTERM, terminate)

    def stay(number: int, target: Any) -> None:
        if number == moment:
            Path(marker).touch()
            signal.pause() if isinstance(target, PoolProxiedConnection) else target.execute(ENDLESS)

    with at_moments(stay) as moments:
        report = observed(values)
    report.moments = moments
    Path(path).write_text(json.dumps(vars(report)))


def _call(setup: Callable[[], None] | None, values: dict[str, Any], path: str) -> None:
    if setup is not None:
        setup()
    Path(path).write_text(json.dumps(vars(observed(values))))


def start(body: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Starts a function of this module in another process."""
    process = CONTEXT.Process(target=body, args=arguments)
    process.start()
    return process


def ended(process: BaseProcess) -> int:
    """The exit code of a child; negative: the signal that killed it."""
    process.join(STUCK)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise AssertionError("the child does not end")
    return process.exitcode


def report_of(path: Path) -> Report:
    return Report(**json.loads(path.read_text()))


# Scenes ------------------------------------------------------------------------------------------


class Scene:
    """Two deliveries of data: the first is loaded in ``before``, both are in ``after``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        generate(root / "all", events=600, songs=60, days=4, seed=7, dirty=0.01)
        for source in ("log_data", "song_data"):
            files = sorted((root / "all" / source).rglob("*.json"))
            for number, file in enumerate(files):
                part = "first" if number % 2 == 0 else "second"
                target = root / source / part / file.name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
        self.before, self.after = root / "before.duckdb", root / "after.duckdb"
        first = {s: str(root / s / "first") for s in ("log_data", "song_data")}
        Warehouse(Settings(**{**self.values(self.before), **first})).load()
        shutil.copyfile(self.before, self.after)
        with at_moments() as moments:
            Warehouse(Settings(**self.values(self.after))).load()
        self.moments = list(moments)
        self.digests = {"before": digest(self.before), "after": digest(self.after)}
        self.star = star(self.after)

    def values(self, database: Path, **more: Any) -> dict[str, Any]:
        """Settings of a load that brings the second delivery."""
        return {
            "database_url": f"duckdb:///{database}",
            "log_data": str(self.root / "log_data"),
            "song_data": str(self.root / "song_data"),
            "max_reject_ratio": 1.0,
            "lock_timeout": 60.0,
            **more,
        }

    def database(self, folder: Path) -> Path:
        """A copy of the database before the second delivery."""
        path = folder / "warehouse.duckdb"
        for name in (path, Path(f"{path}.wal")):
            name.unlink(missing_ok=True)
        shutil.copyfile(self.before, path)
        return path

    def state(self, database: Path, *, killed: bool = False) -> str:
        """``before`` or ``after``; fails when it is neither.

        :param killed: the load could drop nothing, so tables of incoming rows are left.
        """
        found = digest(database)
        if killed:
            found = {name: text for name, text in found.items() if not is_incoming(name)}
        for name, expected in self.digests.items():
            if found == expected:
                return name
        wrong = [
            [table for table in found if found[table] != expected.get(table)]
            for expected in self.digests.values()
        ]
        raise AssertionError(f"differs from before in {wrong[0]}, from after in {wrong[1]}")


def digest(database: Path) -> dict[str, str]:
    """Of every table but the run log, without audit rows of runs that did not load."""
    found = {}
    with duckdb.connect(str(database), read_only=True) as connection:
        tables = connection.execute(
            "SELECT table_schema, table_name, list(column_name ORDER BY ordinal_position)"
            " FROM information_schema.columns WHERE table_schema IN"
            " ('sparkify', 'staging', 'audit') GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        for schema, table, columns in tables:
            if table == "load_run":
                continue
            names = [c for c in columns if not (schema == "audit" and c in VOLATILE)]
            kept = ""
            if table in OF_ALL_RUNS:
                kept = " WHERE run_id IN (SELECT run_id FROM audit.load_run WHERE event = 'loaded')"
            rows = connection.execute(
                f"SELECT {', '.join(names)} FROM {schema}.{table}{kept} ORDER BY ALL"
            ).fetchall()
            found[f"{schema}.{table}"] = (
                f"{len(rows)}:{hashlib.sha256(repr(rows).encode()).hexdigest()}"
            )
    return found


def star(database: Path) -> dict[str, str]:
    """Of the star alone."""
    return {k: v for k, v in digest(database).items() if k.startswith("sparkify.")}


def outcomes(values: dict[str, Any]) -> list[tuple[Any, ...]]:
    """(event, reason) of all runs, newest first."""
    table = Warehouse(Settings(**values)).runs()
    return [(row["event"], row["reason"]) for row in table.records()]


def scratch_folders() -> set[str]:
    import tempfile

    return {p.name for p in Path(tempfile.gettempdir()).glob("sparkify-scratch-*")}


def _kill_in(folder: str, moment: int, values: dict[str, Any], path: str) -> None:
    import tempfile

    tempfile.tempdir = folder
    _kill(moment, "after", values, path)


def _hold_scratch(folder: str, marker: str) -> None:
    import tempfile

    from sparkify_dwh.storage.scratch import Scratch

    tempfile.tempdir = folder
    scratch = Scratch()
    Path(marker).write_text(str(scratch.path))
    signal.pause()


def _hold(moment: int, marker: str, release: str, values: dict[str, Any], path: str) -> None:
    import time

    def stay(number: int, target: Any) -> None:
        if number == moment:
            Path(marker).touch()
            while not Path(release).exists():
                time.sleep(0.01)

    with at_moments(stay):
        report = observed(values)
    Path(path).write_text(json.dumps(vars(report)))


def _touch_on_message(marker: str, values: dict[str, Any], path: str) -> None:
    warehouse = Warehouse(Settings(**values))
    warehouse._tell = lambda _: Path(marker).touch()
    run = warehouse.load()
    report = Report(event=run.event, warnings=run.warnings)
    Path(path).write_text(json.dumps(vars(report)))
