"""Several loaders at once on Redshift, and a reader at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from support.records import event_line, song_line
from support.warehouses import OnRedshift, Source

from sparkify_dwh import Run
from sparkify_dwh.core import errors


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """The results of ``count`` threads that start at the same moment."""
    barrier = threading.Barrier(count)

    def run(number: int) -> Any:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


@pytest.fixture(params=["SNAPSHOT", "SERIALIZABLE"])
def warehouse(request: pytest.FixtureRequest, source: Source) -> OnRedshift:
    """An empty warehouse with either isolation level."""
    names = {"SNAPSHOT": "migrated", "SERIALIZABLE": "migrated_serializable"}
    found: OnRedshift = request.getfixturevalue(names[request.param])
    found.empty()
    return found.use(source)


def balanced(warehouse: OnRedshift, plays: int) -> None:
    """Each play once, each object once in the ledger, each run with one end."""
    assert warehouse.query("SELECT count(*) FROM sparkify.songplays") == [(plays,)]
    for table, keys in {
        "sparkify.songplays": "session_id, item_in_session",
        "sparkify.time": "start_time",
        "sparkify.users": "user_id",
        "audit.load_file": "source, key, version",
    }.items():
        twice = f"SELECT {keys} FROM {table} GROUP BY {keys} HAVING count(*) > 1"
        assert warehouse.query(twice) == [], table
    ends = "SELECT run_id FROM audit.load_run GROUP BY run_id HAVING count(*) <> 2"
    assert warehouse.query(ends) == []


@pytest.mark.parametrize("count", [2])
def test_loaders_of_the_same_objects(warehouse: OnRedshift, source: Source, count: int) -> None:
    for n in range(5):
        source.put("events", f"{n}.json", event_line(itemInSession=n, ts=1541106106796 + n))
    source.put("songs", "s.json", song_line())
    runs: list[Run] = together(count, lambda _: warehouse.make().load())
    assert sorted(run.event for run in runs) == ["loaded", *["nothing new"] * (count - 1)]
    balanced(warehouse, 5)
    star = warehouse.star()
    assert [len(star[name]) for name in ("songs", "users", "time")] == [1, 1, 5]


def test_loaders_of_different_objects_with_the_same_keys(
    warehouse: OnRedshift, source: Source
) -> None:
    """The keys are new to each loader: no engine prevents duplicates on its own."""
    others = [Source(source.server) for _ in range(4)]
    for n, other in enumerate(others):
        other.put("events", "a.json", event_line(level=["free", "paid"][n % 2]))
        other.put("events", "b.json", event_line(itemInSession=1 + n, ts=1541106106796 + n))

    def work(n: int) -> Run:
        places = {k: v for k, v in others[n].settings().items() if k in ("log_data", "song_data")}
        return warehouse.make(**places).load()

    runs: list[Run] = together(4, work)
    assert [run.event for run in runs] == ["loaded"] * 4
    balanced(warehouse, 5)
    merged = sorted((a.merged, a.replaced) for r in runs for a in r.targets if a.target == "users")
    assert merged in ([(0, 0)] * k + [(1, 0)] + [(1, 1)] * (3 - k) for k in range(4))


def test_a_reader_sees_before_or_after_and_never_between(
    on_redshift: OnRedshift, source: Source
) -> None:
    """The reader does not wait either: LOCK is on a separate table."""
    source.put("events", "a.json", event_line())
    on_redshift.load()
    before = on_redshift.star()
    source.put("songs", "s.json", song_line())
    source.put("events", "b.json", event_line(itemInSession=1, ts=1541106106999, level="paid"))
    reader = on_redshift.make().engine
    counts = sa.text(
        "SELECT (SELECT count(*) FROM sparkify.songplays), (SELECT count(*) FROM sparkify.time),"
        " (SELECT count(*) FROM sparkify.songs), (SELECT count(song_id) FROM sparkify.songplays),"
        " (SELECT max(level) FROM sparkify.users), (SELECT count(*) FROM audit.load_file)"
    )
    seen: list[tuple[Any, ...]] = []

    def look(_: Any) -> None:
        with reader.connect() as connection:
            seen.append(tuple(connection.execute(counts).one()))

    for moment in ("^DELETE FROM staging.events", "^DELETE FROM sparkify.songplays", "^commit"):
        on_redshift.database.faults.call(moment, look, times=1)
    on_redshift.database.faults.call("^INSERT INTO sparkify", look, "after", times=-1)
    on_redshift.load()
    look(None)
    assert len(seen) > 6
    assert set(seen[:-1]) == {(1, 1, 0, 0, "free", 1)}
    assert seen[-1] == (2, 2, 1, 2, "paid", 3)
    assert len(before["songplays"]) == 1


def test_a_loader_that_waits_too_long_names_the_holder(
    on_redshift: OnRedshift, source: Source
) -> None:
    source.put("events", "a.json", event_line())
    inside, done = threading.Event(), threading.Event()

    def hold(_: Any) -> None:
        inside.set()
        done.wait(30)

    on_redshift.database.faults.call("^COPY staging.events", hold)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(on_redshift.make().load)
        assert inside.wait(30)
        with pytest.raises(
            errors.LockError, match=r"holds the warehouse; waited 0[.]5 s"
        ) as caught:
            on_redshift.make(lock_timeout=0.5).load()
        done.set()
        run = first.result()
    assert caught.value.exit_code == 5 and run.run_id in caught.value.what
    assert run.event == "loaded"
    endings = [name for _, name in on_redshift.events()]
    assert sorted(endings) == ["loaded", "rolled back", "started", "started"]
