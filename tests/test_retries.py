"""What a job starts again for, how often, and what it says then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from sparkify_dwh.core.errors import DatabaseError, LockError, SourceError
from sparkify_dwh.jobs import retries
from sparkify_dwh.jobs.retries import RETRIES, LedgerMoved, Retries
from sparkify_dwh.storage.objects import ObjectsChanged


class Lost(Exception):
    """The connection broke."""


class Conflict(sa.exc.OperationalError):
    """Another transaction wrote the same rows."""

    def __init__(self) -> None:
        super().__init__("DELETE", {}, Exception("1023"))


class FakeSettings:
    lock_timeout = 60.0


class FakeEngine:
    """An engine that knows an error by its class."""

    settings = FakeSettings()
    scratch = Path()

    def __init__(self, embedded: bool) -> None:
        self.embedded = embedded

    def is_lost(self, error: BaseException) -> bool:
        return isinstance(error, Lost)

    def is_conflict(self, error: BaseException) -> bool:
        return isinstance(error, Conflict)

    def explain(self, error: BaseException) -> Exception:
        return DatabaseError("the database is in trouble", "wait")


def of(embedded: bool) -> tuple[Retries, list[str]]:
    said: list[str] = []
    engine: Any = FakeEngine(embedded)
    return Retries(engine, said.append), said


@pytest.mark.parametrize(
    ("error", "reason", "ending", "message"),
    [
        (Lost(), "connection lost", DatabaseError, "the database is in trouble; starting again"),
        (Conflict(), "conflict", DatabaseError, "the database is in trouble; starting again"),
        (ObjectsChanged({"b", "a"}), "objects changed", SourceError, "b changed while it was read"),
    ],
)
def test_a_reason_is_good_for_so_many_starts(
    error: Exception, reason: str, ending: type[Exception], message: str
) -> None:
    most = RETRIES[reason].most
    assert most is not None
    job, said = of(embedded=False)
    for _ in range(most):
        assert job.ending(error) is None
    assert isinstance(job.ending(error), ending)
    assert len(said) == most and said[0].startswith(message)
    if "{n}" in RETRIES[reason].message:
        assert [line[line.index("(") :] for line in said] == [
            f"({n} of {most})" for n in range(1, most + 1)
        ]


def test_each_reason_is_counted_alone() -> None:
    job, _ = of(embedded=False)
    for _ in range(RETRIES["conflict"].most or 0):
        assert job.ending(Conflict()) is None
        assert job.ending(LedgerMoved()) is None
    assert job.ending(Lost()) is None
    assert job.ending(Conflict()) is not None


def test_other_loads_that_commit_never_end_a_job() -> None:
    job, said = of(embedded=False)
    for _ in range(100):
        assert job.ending(LedgerMoved()) is None
    assert set(said) == {RETRIES["ledger moved"].message}


def test_a_conflict_in_this_process_lasts_as_long_as_the_lock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [100.0]
    monkeypatch.setattr(retries.time, "monotonic", lambda: clock[0])
    job, said = of(embedded=True)
    for now in (100.0, 110.0, 159.9):
        clock[0] = now
        assert job.ending(Conflict()) is None
    clock[0] = 160.0
    assert isinstance(job.ending(Conflict()), LockError)
    assert said == []


def test_what_is_not_listed_ends_a_job_at_once() -> None:
    job, said = of(embedded=True)
    error = ValueError("no")
    assert job.ending(error) is error
    assert said == []


def test_pauses_grow_and_stay_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(retries.time, "sleep", slept.append)
    for reason, retry in RETRIES.items():
        pauses = [retry.pause(n) for n in (1, 50)]
        assert 0 <= pauses[0] <= pauses[1] <= 7.5, reason
    job, _ = of(embedded=False)
    job.ending(LedgerMoved())
    job.wait()
    assert slept == [0.0]
