"""8 loaders at once over overlapping files, round after round, and readers meanwhile."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support import kill_and_fail
from support.folders import Folders, MakeFolders
from support.kill_and_fail import SOAK
from support.records import HOME, event, line, lines, song
from support.reference import COLUMNS, Reference
from support.rig import SOURCES, Rig
from support.soak_figures import STANDIN, figure
from support.warehouses import OnRedshift, Source

from sparkify_dwh import Run, Settings, Warehouse
from sparkify_dwh.jobs.retries import Retries

LOADERS = 8
#: Seconds that each waits for the others, however slow the machine is.
PATIENCE = 2.0 * kill_and_fail.STUCK
ROUNDS = 50 if SOAK else 3
#: Plays, moments and users of each object of events: what a reader may see at once.
PLAYS = 3
#: Places that overlap: each loader of a round has one of them.
PLACES = ["", "", "a/", "a/x/", "b/", "b/", "a/", "b/y/"]
LOOK = (
    "SELECT (SELECT count(*) FROM sparkify.songplays), (SELECT count(*) FROM sparkify.time),"
    " (SELECT count(*) FROM sparkify.users), (SELECT count(*) FROM sparkify.songs),"
    " (SELECT count(song_id) FROM sparkify.songplays),"
    " (SELECT count(*) FROM audit.load_file WHERE source = 'events'),"
    " (SELECT count(*) FROM audit.load_file WHERE source = 'songs')"
)


@pytest.fixture(params=["duckdb", "SNAPSHOT", "SERIALIZABLE"])
def rig(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """An empty warehouse: DuckDB in threads of one process, or either isolation level."""
    monkeypatch.setattr(Retries, "wait", lambda it: time.sleep(0.02 * it.counts.total()))
    if request.param == "duckdb":
        folders: Folders = request.getfixturevalue("warehouse")(lock_timeout=PATIENCE)
        return folders
    names = {"SNAPSHOT": "migrated", "SERIALIZABLE": "migrated_serializable"}
    warehouse: OnRedshift = request.getfixturevalue(names[request.param])
    warehouse.empty()
    server = request.getfixturevalue("s3_server")
    return warehouse.use(Source(server), lock_timeout=PATIENCE)


class Deliveries:
    """Objects that arrive before each round, and the oracle of all of them."""

    def __init__(self, rig: Rig) -> None:
        self.rig, self.star, self.number = rig, Reference(), 0

    def arrive(self, draw: random.Random) -> None:
        """Some objects in each folder: each with users, moments and plays of its own."""
        new: dict[str, list[tuple[str, bytes]]] = {"events": [], "songs": []}
        for folder in ("", "a/", "a/x/", "b/", "b/y/"):
            for _ in range(draw.randint(0, 2)):
                self.number += 1
                n = self.number
                plays = [
                    event(
                        userId=str(1000 * n + k),
                        sessionId=n,
                        itemInSession=k,
                        ts=1541106106796 + 1000 * n + k,
                        song=f"Song {n}",
                    )
                    for k in range(PLAYS)
                ]
                # One key that all objects share, so that loaders meet in its row; never a play.
                shared = event(userId="1", sessionId=n, itemInSession=99, ts=1541106106796, **HOME)
                data, late = lines(*plays, shared), line(song(song_id=f"SO{n}", title=f"Song {n}"))
                for kind, body in (("events", data), ("songs", late)):
                    new[kind].append((str(self.rig.put(kind, f"{folder}{n}.json", body)), body))
        self.star.load(**new)


def whole(row: tuple[Any, ...]) -> bool:
    """Whether a reader sees all of some objects and nothing else, and each play resolved."""
    plays, times, users, songs, resolved, event_files, song_files = row
    extra = int(event_files > 0)  # the shared user and the shared moment
    return (
        plays == PLAYS * event_files
        and times == users == plays + extra
        and songs == song_files
        and resolved <= plays
        and (resolved == PLAYS * min(songs, event_files) or song_files != event_files)
    )


class Reader:
    """Looks again and again until it is stopped."""

    def __init__(self, rig: Rig) -> None:
        settings = rig.warehouse.settings.model_copy(update={"lock_timeout": PATIENCE})
        self.warehouse = Warehouse(settings)
        self.done, self.seen = threading.Event(), list[tuple[Any, ...]]()
        self.thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self.done.wait(0.005):
            self.seen.append(self.warehouse.query(LOOK).rows[0])

    def __enter__(self) -> Reader:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join(kill_and_fail.STUCK)
        assert not self.thread.is_alive()


def test_loaders_of_overlapping_places(rig: Rig, request: pytest.FixtureRequest) -> None:
    draw, deliveries = random.Random(kill_and_fail.SEED), Deliveries(rig)
    settings = rig.warehouse.settings
    events: Counter[str] = Counter()
    seen: set[tuple[Any, ...]] = set()
    looks = 0
    for number in range(ROUNDS):
        deliveries.arrive(draw)
        chosen = draw.sample(PLACES, LOADERS)
        barrier = threading.Barrier(LOADERS)

        def work(place: str, barrier: threading.Barrier = barrier) -> Run:
            loader = Warehouse(Settings(**{**settings.model_dump(), **places(rig, place)}))
            barrier.wait(kill_and_fail.STUCK)
            return loader.load()

        with Reader(rig) as reader, ThreadPoolExecutor(LOADERS) as pool:
            runs = list(pool.map(work, chosen, timeout=2 * kill_and_fail.STUCK))
        what = f"seed {kill_and_fail.SEED}, round {number}"
        assert all(whole(row) for row in reader.seen), (what, set(reader.seen))
        looks, seen = looks + len(reader.seen), seen | {*reader.seen}
        events.update(run.event for run in runs)
        assert set(events) <= {"loaded", "nothing new"}, what
        assert all(book.balanced for run in runs for book in (*run.sources, *run.targets)), what
        nothing_lost(deliveries, what)
    isolation = request.node.callspec.params["rig"]
    each_ended(rig, LOADERS * ROUNDS)
    assert events["loaded"] >= ROUNDS and looks > ROUNDS
    figure(
        "loaders at once",
        engine="duckdb" if isolation == "duckdb" else f"{STANDIN}, {isolation}",
        loaders=LOADERS,
        rounds=ROUNDS,
        seed=kill_and_fail.SEED,
        loads=events["loaded"],
        nothing_new=events["nothing new"],
        looks=looks,
        states_seen=len(seen),
    )


def places(rig: Rig, place: str) -> dict[str, str]:
    """The settings of a loader that has one of the places."""
    settings = rig.warehouse.settings
    given = {name: f"{getattr(settings, name).rstrip('/')}/{place}" for name in SOURCES.values()}
    if isinstance(rig, Folders):
        for path in given.values():
            Path(path).mkdir(parents=True, exist_ok=True)
    return given


def nothing_lost(deliveries: Deliveries, what: str) -> None:
    """The star is the oracle's, and no object version is in the ledger twice."""
    found = deliveries.rig.star()
    for name in COLUMNS:
        assert found[name] == deliveries.star.star_rows(name), (what, name)
    twice = "SELECT source, key, version FROM audit.load_file GROUP BY 1, 2, 3"
    assert deliveries.rig.query(f"{twice} HAVING count(*) > 1") == [], what


def each_ended(rig: Rig, loads: int) -> None:
    """Each load has one start and one end on record."""
    ends = rig.query("SELECT run_id FROM audit.load_run GROUP BY run_id HAVING count(*) <> 2")
    assert ends == []
    assert rig.query("SELECT count(DISTINCT run_id) FROM audit.load_run") == [(loads,)]
    assert rig.warehouse.check().passed


def test_processes_of_overlapping_places(warehouse: MakeFolders, tmp_path: Path) -> None:
    """On DuckDB they take turns with the file."""
    rig = warehouse(lock_timeout=PATIENCE)
    draw, deliveries = random.Random(kill_and_fail.SEED), Deliveries(rig)
    events: Counter[str | None] = Counter()
    rounds, many = (ROUNDS, LOADERS) if SOAK else (1, LOADERS // 2)
    for number in range(rounds):
        deliveries.arrive(draw)
        # The first of them is everywhere: fewer loaders of the others need not reach all objects.
        chosen = [PLACES[0], *draw.sample(PLACES[1:], many - 1)]
        draw.shuffle(chosen)
        own = rig.warehouse.settings.model_dump(exclude_unset=True)
        reports = [tmp_path / f"{n}.json" for n in range(many)]
        loaders = [
            kill_and_fail.start(kill_and_fail._call, None, {**own, **places(rig, place)}, str(path))
            for place, path in zip(chosen, reports, strict=True)
        ]
        assert [kill_and_fail.ended(each) for each in loaders] == [0] * many
        what = f"seed {kill_and_fail.SEED}, round {number}"
        for report in map(kill_and_fail.report_of, reports):
            assert report.event in ("loaded", "nothing new"), (what, report)
            events[report.event] += 1
        nothing_lost(deliveries, what)
    each_ended(rig, many * rounds)
    assert events["loaded"] >= rounds
    figure(
        "loader processes at once",
        engine="duckdb",
        loaders=many,
        rounds=rounds,
        seed=kill_and_fail.SEED,
        loads=events["loaded"],
        nothing_new=events["nothing new"],
    )


def test_a_half_loaded_star_would_be_noticed() -> None:
    """What `whole` takes for whole, and what not."""
    assert whole((0, 0, 0, 0, 0, 0, 0)) and whole((3, 4, 4, 1, 3, 1, 1))
    assert whole((3, 4, 4, 0, 0, 1, 0)) and whole((0, 0, 0, 2, 0, 0, 2))
    for half in ((3, 4, 4, 1, 0, 1, 1), (3, 3, 4, 1, 3, 1, 1), (6, 4, 4, 1, 3, 1, 1)):
        assert not whole(half)
    assert not whole((3, 4, 4, 1, 3, 0, 1)) and not whole((3, 4, 4, 2, 3, 1, 1))
