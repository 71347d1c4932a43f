"""What a job does over when it fails: the reason, how often, after which pause, what is said."""

from __future__ import annotations

import errno
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from ..core.errors import LockError, SourceError, SparkifyError, reason
from ..dialects.base import Engine
from ..storage.objects import ObjectsChanged
from ..storage.scratch import write_error

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


class LedgerMoved(Exception):
    """Another load or an erasure was committed between reading the ledger and locking."""


def _at_once(_: int) -> float:
    return 0.0


def _growing(attempt: int) -> float:
    return min(1.0, 0.05 * attempt)


def _spread(attempt: int) -> float:
    """Doubles each time, spread so that several loaders do not meet again."""
    return min(5.0, 0.1 * 2.0**attempt) * random.uniform(0.5, 1.5)


@dataclass(frozen=True)
class Retry:
    """One reason to start again.

    :param most: how many times; None: a conflict in this process until ``lock_timeout`` has passed,
        anything else without limit, since each time another session has made progress.
    :param pause: seconds before the n-th start.
    :param message: what is said; ``what`` went wrong, ``n`` and ``most`` are filled in.
    """

    most: int | None
    pause: Callable[[int], float]
    message: str


_AGAIN = "{what}; starting again ({n} of {most})"
#: Every reason for which a job starts again.
RETRIES = {
    "connection lost": Retry(5, _spread, _AGAIN),
    "conflict": Retry(5, _growing, _AGAIN),
    "conflict in this process": Retry(None, _growing, ""),
    "objects changed": Retry(3, _at_once, "{what}"),
    "ledger moved": Retry(
        None, _at_once, "another load or an erasure was committed meanwhile; starting again"
    ),
}


class Retries:
    """How often one job has started again, and why.

    :param tell: called with a line of text whenever it does.
    """

    def __init__(self, engine: Engine, tell: Callable[[str], None]) -> None:
        self.engine, self.tell = engine, tell
        self.counts: Counter[str] = Counter()
        self._conflict_since: float | None = None
        self._pause = 0.0

    def ending(self, error: BaseException) -> BaseException | None:
        """The error that ends the job; None: it starts again after ``wait``."""
        name = self._reason(error)
        if name is None:
            return explained(self.engine, error)
        self.counts[name] += 1
        retry, n = RETRIES[name], self.counts[name]
        if ending := self._over(name, retry, n, error):
            return ending
        if retry.message:
            is_ours = isinstance(error, ObjectsChanged)
            what = str(error) if is_ours else reason(explained(self.engine, error))
            self.tell(retry.message.format(what=what, n=n, most=retry.most))
        self._pause = retry.pause(n)
        return None

    def wait(self) -> None:
        """Sleeps before the next start."""
        time.sleep(self._pause)

    def _reason(self, error: BaseException) -> str | None:
        if isinstance(error, ObjectsChanged):
            return "objects changed"
        if isinstance(error, LedgerMoved):
            return "ledger moved"
        if self.engine.is_lost(error):
            return "connection lost"
        if self.engine.is_conflict(error.__cause__ or error):
            return "conflict in this process" if self.engine.embedded else "conflict"
        return None

    def _over(self, name: str, retry: Retry, n: int, error: BaseException) -> BaseException | None:
        """The error that ends the job once its reason is used up."""
        if name == "conflict in this process":
            self._conflict_since = self._conflict_since or time.monotonic()
            waited = time.monotonic() - self._conflict_since
            if waited < self.engine.settings.lock_timeout:
                return None
            return LockError(
                "another connection of this process keeps changing what this job writes; "
                f"waited {waited:.0f} s",
                "close it, or allow more: --lock-timeout",
            )
        if retry.most is None or n <= retry.most:
            return None
        if isinstance(error, ObjectsChanged):
            return SourceError(
                f"objects keep changing while they are read, such as {min(error.keys)}",
                "load when their writer is done",
            )
        return explained(self.engine, error)


def explained(engine: Engine, error: BaseException) -> BaseException:
    """An error as one of ours, where it is the database's or that of a full disk."""
    if isinstance(error, SparkifyError):
        return error
    if isinstance(error, sa.exc.DBAPIError) or engine.is_lost(error):
        return engine.explain(error)
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return write_error(error, engine.scratch)
    return error
