"""The run log and the ledger: what a load writes about itself and reads back."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from ..core.version import __version__
from ..models.audit import (
    STARTED,
    ErasureCount,
    ErasureRecord,
    LoadBook,
    LoadFile,
    LoadRun,
    LoadStep,
    QualityResult,
    RejectedRow,
)
from ..models.base import table_of
from ..models.declare import Source
from .executor import Executor, Step

RUN, FILE, STEP = table_of(LoadRun), table_of(LoadFile), table_of(LoadStep)
ERASURE, ERASURE_COUNT = table_of(ErasureRecord), table_of(ErasureCount)
BOOK, RESULT, REJECTED = table_of(LoadBook), table_of(QualityResult), table_of(RejectedRow)
MAX_REASON = 4096


def utc_now() -> datetime:
    """Now, in UTC without a zone, as the database stores it."""
    return datetime.now(UTC).replace(tzinfo=None)


def utc(at: datetime) -> datetime:
    """A moment in UTC without a zone; a naive one is taken as UTC."""
    return at if at.tzinfo is None else at.astimezone(UTC).replace(tzinfo=None)


def new_run_id(at: datetime) -> str:
    """An id that sorts by time and is unique across loaders."""
    return f"{at:%Y%m%dT%H%M%S}{at.microsecond // 1000:03d}-{secrets.token_hex(3)}"


@dataclass(frozen=True)
class RunIdentity:
    """Which run it is and who runs it, as written to every row of the run log.

    :param started_at: UTC, without a zone.
    """

    run_id: str
    engine: str
    started_at: datetime
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    db_user: str = field(default_factory=lambda: _os_user())

    @classmethod
    def new(cls, engine: str) -> RunIdentity:
        """The identity of a run that starts now, in this process."""
        at = utc_now()
        return cls(new_run_id(at), engine, at)

    def event(
        self,
        event: str,
        reason: str | None = None,
        *,
        error: str | None = None,
        exit_code: int | None = None,
    ) -> sa.Insert:
        """The statement that appends an event of this run to the run log."""
        return sa.insert(RUN).values(
            run_id=self.run_id,
            event=event,
            at=utc_now(),
            host=self.host,
            pid=self.pid,
            db_user=self.db_user,
            engine=self.engine,
            version=__version__,
            reason=cut(reason) if reason else None,
            error=error,
            exit_code=exit_code,
        )


def _os_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def cut(text: str, octets: int = MAX_REASON) -> str:
    """A text cut to at most this many bytes, between characters."""
    return text.encode("utf-8", "backslashreplace")[:octets].decode("utf-8", "ignore")


def loaded_objects(ex: Executor, source: Source) -> dict[str, tuple[str, int]]:
    """Version and size, by key, of every loaded object of a source.

    The version is that of the run that started last: an object restored to an earlier version
    counts as changed, or the star would keep the version in between.
    """
    columns = (FILE.c.key, FILE.c.version, FILE.c.size)
    found = ex.rows(
        sa.select(*columns).where(FILE.c.source == source.name).order_by(FILE.c.run_id),
        step="discover",
        target=source.name,
    )
    return {key: (version, size) for key, version, size in found}


@dataclass(frozen=True)
class LedgerState:
    """Counts of loaded files and erasures: if they change, another run came in between."""

    files: int
    erasures: int


def ledger_state(ex: Executor) -> LedgerState:
    """What has been loaded and erased so far."""
    files, erasures = (
        sa.select(sa.func.count()).select_from(table).scalar_subquery() for table in (FILE, ERASURE)
    )
    counts = sa.select(files.label("files"), erasures.label("erasures"))
    return LedgerState(**ex.numbers(counts, step="discover"))


@dataclass(frozen=True)
class OpenRun:
    """A run that started and has no recorded end."""

    run_id: str
    at: datetime
    host: str
    pid: int

    @property
    def alive(self) -> bool:
        """Whether its loader may still be at work; True for other hosts, which cannot be asked."""
        if self.host != socket.gethostname():
            return True
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


#: Runs at work in this process, so that another thread's run is not taken for a dead loader.
ACTIVE: set[str] = set()


def is_at_work(run: OpenRun, *, embedded: bool) -> bool:
    """Whether a run without an end is still going on.

    :param embedded: whether the caller has an embedded database open: its file admits one process
        at a time, so the loader of another process is gone.
    """
    return run.run_id in ACTIVE or (run.alive and not embedded)


def open_runs(connection: sa.Connection) -> list[OpenRun]:
    """Runs without an end, newest first."""
    ended = sa.select(RUN.c.run_id).where(RUN.c.event != STARTED)
    found = connection.execute(
        sa.select(RUN.c.run_id, RUN.c.at, RUN.c.host, RUN.c.pid)
        .where(RUN.c.event == STARTED, RUN.c.run_id.not_in(ended))
        .order_by(RUN.c.at.desc())
    )
    return [OpenRun(*row) for row in found]


def newest_ended(connection: sa.Connection) -> datetime | None:
    """When the newest ended run started; that run has already reported those that died before."""
    ended = sa.select(RUN.c.run_id).where(RUN.c.event != STARTED)
    newest = sa.select(sa.func.max(RUN.c.at)).where(RUN.c.event == STARTED, RUN.c.run_id.in_(ended))
    found: datetime | None = connection.execute(newest).scalar()
    return found


def file_rows(
    run_id: str,
    source: Source,
    objects: Iterable[Any],
    counts: Mapping[str, Mapping[str, int]],
) -> Iterator[dict[str, Any]]:
    """Rows of the ledger for the objects of a source."""
    for each in objects:
        yield {
            "run_id": run_id,
            "source": source.name,
            "key": each.key,
            "version": each.version,
            "size": each.size,
            "rows_read": counts["read"].get(each.key, 0),
            "rows_staged": counts["staged"].get(each.key, 0),
            "rows_refused": counts["refused"].get(each.key, 0),
        }


def step_rows(run_id: str, steps: Iterable[Step]) -> Iterator[dict[str, Any]]:
    """Rows of ``load_step``."""
    for position, step in enumerate(steps, 1):
        yield {
            "run_id": run_id,
            "position": position,
            "step": step.step,
            "target": step.target,
            "rows": step.rows,
            "seconds": round(step.seconds, 6),
        }
