"""The interface of an engine: what the jobs and inspections need of a database."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ..core.errors import SourceError
from ..core.observer import Fraction, unknown_fraction
from ..core.quantity import quantity
from ..core.settings import Settings
from ..models.declare import Source
from ..steps.executor import Executor
from ..steps.quarantine import Quarantine
from ..storage.compacted_file import CompactedFile, unchanged_objects
from ..storage.objects import Object
from ..storage.scratch import Scratch

log = logging.getLogger("sparkify_dwh")


@dataclass
class Reading:
    """What was read of a source, counted without looking at the staged rows.

    :param read: records in each object, by key.
    :param changed: keys of objects that changed or vanished since they were listed.
    """

    read: dict[str, int] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)


class Engine(ABC):
    """A database engine: how to connect to it, and everything it does its own way."""

    #: Backend name, as in the URL.
    name: str
    #: Whether rows are read and judged in temporary tables before the transaction begins.
    reads_first: bool
    #: Whether a load creates and migrates a missing database.
    embedded: bool
    #: Whether checking each foreign key on its own reads only what is near the load's rows.
    checks_apart: bool
    #: Dialect that plans are compiled for; it names the binds.
    plan_dialect: sa.Dialect

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        #: Called with a line of text when a person has to wait.
        self.tell: Callable[[str], None] = log.info
        self._scratch = Scratch()

    @property
    def scratch(self) -> Path:
        """A folder for files between the objects and the database; ``close`` removes it.

        :raises DatabaseError: when it cannot be created.
        """
        return self._scratch.path

    def aside(self) -> Engine:
        """An engine like this one, with an empty database that ``close`` removes.

        Embedded engines only: a dry run migrates this database and leaves none behind.
        """
        raise NotImplementedError

    @abstractmethod
    def exists(self) -> bool:
        """Whether there is a database to connect to; contacts nothing remote."""

    @abstractmethod
    def create(self, read_only: bool = False) -> sa.Engine:
        """The only ``create_engine`` of the library; its connections are closed after use."""

    @abstractmethod
    def connect(
        self, read_only: bool = False, wait: Callable[[str], None] | None = None
    ) -> sa.Connection:
        """A connection; waits up to ``lock_timeout`` for a database that another process holds.

        :raises LockError: when the other process keeps it; names that process.
        :raises DatabaseError: when the database cannot be opened.
        """

    @abstractmethod
    def explain(self, error: BaseException) -> Exception:
        """A driver's error as one of ours, with what to do about it."""

    def database_message(self, error: BaseException) -> str:
        """The database's own message for an error, one line."""
        lines = self._words(error)
        return lines[0] if lines else type(error).__name__

    @staticmethod
    def _words(error: BaseException) -> list[str]:
        return str(getattr(error, "orig", error)).strip().splitlines()

    @abstractmethod
    def advice(self, error: BaseException) -> str:
        """The database's suggestion for a statement that failed; empty where it has none."""

    @abstractmethod
    def is_conflict(self, error: BaseException) -> bool:
        """Whether another transaction conflicted, so that this one may be tried again."""

    def is_lost(self, error: BaseException) -> bool:
        """Whether the connection broke, so that a new one may succeed."""
        return False

    @abstractmethod
    def lock(self, ex: Executor) -> None:
        """Makes this transaction the only one that loads; must be its first statement."""

    @abstractmethod
    def raw_table(self, source: Source) -> sa.Table:
        """The table whose rows are judged and typed."""

    @abstractmethod
    def place(self, raw: sa.Table) -> sa.ColumnElement[Any]:
        """The expression by which the engine finds a row of ``raw`` again."""

    @abstractmethod
    def read(
        self,
        ex: Executor,
        source: Source,
        objects: Sequence[Object],
        quarantine: Quarantine,
        compacted: Sequence[CompactedFile] = (),
    ) -> Reading:
        """Reads the objects' rows into ``raw_table``; refused records go to the quarantine.

        :param compacted: compacted objects to read instead of the objects they serve.
        """

    def readable(self, compacted: Sequence[CompactedFile]) -> list[CompactedFile]:
        """The compacted objects that this engine can read and that have not changed."""
        try:
            unchanged = unchanged_objects(self.settings, [file.object for file in compacted])
        except SourceError as error:
            log.warning("compacted objects are not used: %s", error.what)
            return []
        if len(unchanged) < len(compacted):
            log.warning(
                "%s gone or changed; the source objects are read instead",
                quantity(
                    len(compacted) - len(unchanged), "compacted object is", "compacted objects are"
                ),
            )
        return [file for file in compacted if file.object in unchanged]

    def slices(self, connection: sa.Connection) -> int:
        """How many objects the engine can read in parallel."""
        return 1

    @abstractmethod
    def stage(self, ex: Executor, source: Source) -> None:
        """Makes staging hold the accepted rows; ``raw_table`` may be gone afterwards."""

    @abstractmethod
    def staged_counts(self, ex: Executor, source: Source) -> dict[str, int]:
        """Rows read into ``raw_table``, by object key, before any rule refused one."""

    @abstractmethod
    def quarantine_rows(
        self, ex: Executor, source: Source, violations: sa.Table, quarantine: Quarantine
    ) -> None:
        """Sends the rows that broke a rule to the quarantine, with object, line and raw text."""

    @abstractmethod
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
        """Inserts rows that the client made, or a file of them with one JSON object a line.

        :param bounded: whether their number depends on the declarations, not on the data.
        """

    def watch(self, connection: sa.Connection) -> Fraction:
        """A function that returns how much of a statement is done, from any thread."""
        return unknown_fraction

    def housekeep(self, ex: Executor, deleted: Mapping[sa.Table, int]) -> list[str]:
        """Does what the engine needs after a load.

        :param deleted: rows that the load deleted from each table it wrote.
        :returns: warnings.
        """
        return []

    def remains(self, tables: Sequence[sa.Table]) -> str:
        """What remains of deleted rows out of sight of queries, and how to remove it.

        :param tables: those that rows were deleted from.
        """
        return ""

    def sweep(self, connection: sa.Connection) -> None:
        """Drops what a load that did not commit left in the database, if anything.

        The connection must have no open transaction.
        """
        return

    def close(self) -> None:
        """Removes what the engine left outside the database; never fails."""
        self._scratch.close()

    @contextmanager
    def session(self, read_only: bool = False) -> Iterator[sa.Connection]:
        """A connection, closed at the end; driver errors are raised as ours."""
        try:
            with self.connect(read_only) as connection:
                yield connection
        except sa.exc.DBAPIError as error:
            raise self.explain(error) from error


#: Bytes of one spool file; several files let the engine read in parallel.
PIECE_BYTES = 32 * 1024 * 1024


@dataclass
class Piece:
    """A file that the engine reads: one object, or many spooled into one.

    :param key: the object's key; None for a spool file.
    :param starts: first row of each spooled object.
    """

    path: str
    key: str | None = None
    starts: array[int] = field(default_factory=lambda: array("q"))
    keys: list[str] = field(default_factory=list)
    rows: int = 0

    def owner(self, number: int) -> str:
        """Key of the object that row ``number`` of this piece comes from."""
        return self.key or self.keys[bisect_right(self.starts, number) - 1]


#: Called with a connection; raises where the schema is not this library's.
SchemaCheck = Callable[[sa.Connection], None]
