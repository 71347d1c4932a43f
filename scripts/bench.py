"""Measures loads as ratios of whole processes to hand-written SQL of the same run.

Each row runs two commands in turn, A B A B …, and gives the median of the ratios pair by pair, so
that a machine whose speed drifts does not tip the scale. Seconds are shown beside and prove
nothing. Free disk is checked first.

usage: scripts/bench [--events N] [--songs N] [--times N] [--rounds N] [--rows NAME …] [--json]

The rows ``history`` and ``scale`` take ``times`` the events: 15 million by default.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import bench_scale

from sparkify_dwh.sample.generate import generate

HERE = Path(__file__).parent
#: Bytes of logs, spool and database for one event, with room to spare.
BYTES_PER_EVENT = 2500


@dataclass(frozen=True)
class Measured:
    """One process: wall seconds, CPU seconds, peak memory in MiB."""

    wall: float
    cpu: float
    peak: float


@dataclass(frozen=True)
class Row:
    """A ratio with its limit."""

    name: str
    what: str
    limit: float
    ratio: float
    seconds: tuple[float, float]
    peaks: tuple[float, float]

    @property
    def passed(self) -> bool:
        return self.ratio <= self.limit


def timed(command: list[str]) -> Measured:
    """Runs a command; its own resources, by the operating system's account."""
    start = perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    error = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = perf_counter() - start
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}: {error.decode()}")
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


class Bench:
    """Data and databases of one run in a folder of its own."""

    def __init__(self, folder: Path, events: int, songs: int, rounds: int, times: int) -> None:
        self.folder, self.events, self.songs, self.rounds = folder, events, songs, rounds
        self.times = times
        self.timed = timed

    def data(self, name: str, events: int, songs: int, days: int = 30, dirty: float = 0.0) -> Path:
        """Generated data, made once."""
        place = self.folder / name
        if not place.exists():
            place.mkdir()
            generate(place, events=events, songs=songs, days=days, seed=1, dirty=dirty)
        return place

    def load(self, data: Path, database: str, *more: str) -> list[str]:
        return [
            *(sys.executable, "-m", "sparkify_dwh", "load", "--quiet"),
            *("--database-url", f"duckdb:///{self.folder / database}"),
            *("--log-data", str(data / "log_data"), "--song-data", str(data / "song_data")),
            *("--max-reject-ratio", "1", *more),
        ]

    def songs_alone(self, place: str, database: str, *command: str) -> list[str]:
        """A command on song files only."""
        url = f"duckdb:///{self.folder / database}"
        sparkify = (sys.executable, "-m", "sparkify_dwh")
        return [*sparkify, *command, "--database-url", url, "--song-data", place]

    def baseline(self, data: Path, database: str) -> list[str]:
        return [
            *(sys.executable, str(HERE / "bench_baseline.py"), str(self.folder / database)),
            *(str(data / "log_data"), str(data / "song_data")),
        ]

    def fresh(self, *databases: str) -> None:
        """Removes databases, so that the next command starts without one."""
        for name in databases:
            for path in self.folder.glob(name + "*"):
                path.unlink()

    def empty(self, name: str) -> None:
        """A migrated database without rows, where what is measured against migrates none."""
        template = self.folder / "empty.duckdb"
        if not template.exists():
            url = f"duckdb:///{template}"
            timed([sys.executable, "-m", "sparkify_dwh", "migrate", "--database-url", url])
        self.fresh(name)
        shutil.copyfile(template, self.folder / name)

    def copy(self, name: str, to: str) -> None:
        """A database once more, on the disk: else a load's first fsync writes all of the copy."""
        shutil.copyfile(self.folder / name, self.folder / to)
        with (self.folder / to).open("rb+") as copied:
            os.fsync(copied.fileno())

    def pairs(
        self,
        ours: Callable[[], list[str]],
        theirs: Callable[[], list[str]],
        value: Callable[[Measured], float] = lambda m: m.wall,
    ) -> tuple[float, tuple[float, float], tuple[float, float]]:
        """Median ratio, median seconds and median peaks of commands run in turn."""
        runs = [(timed(ours()), timed(theirs())) for _ in range(self.rounds)]
        ratio = statistics.median(value(a) / value(b) for a, b in runs)
        walls = tuple(statistics.median(pair[i].wall for pair in runs) for i in (0, 1))
        peaks = tuple(statistics.median(pair[i].peak for pair in runs) for i in (0, 1))
        return ratio, walls, peaks  # type: ignore[return-value]

    # The rows -----------------------------------------------------------------------------

    def full(
        self, name: str, what: str, limit: float, events: int, songs: int, dirty: float
    ) -> Row:
        data = self.data(name, events, songs, dirty=dirty)
        clean = self.data(f"clean-{events}", events, songs) if dirty else data

        def ours() -> list[str]:
            self.fresh("ours.duckdb")
            return self.load(data, "ours.duckdb")

        def theirs() -> list[str]:
            self.fresh("theirs.duckdb")
            return self.baseline(clean, "theirs.duckdb")

        return Row(name, what, limit, *self.pairs(ours, theirs))

    def rows(self, wanted: list[str]) -> list[Row]:
        """Measures the named rows, all by default."""
        e, s = self.events, self.songs
        made: dict[str, Callable[[], list[Row]]] = {
            "full": lambda: [self.full("full", "full load, to hand-written SQL", 1.2, e, s, 0.0)],
            "dirty": lambda: [self.full("dirty", "the same, 1 % dirty rows", 1.35, e, s, 0.01)],
            "small": lambda: [
                self.full("small", "a tenth, start-up included", 1.7, e // 10, s // 10, 0.0)
            ],
            "memory": lambda: [self.memory()],
            "delta": lambda: [self.delta()],
            "nothing": lambda: [self.nothing()],
            "profile": lambda: [self.profile()],
            **bench_scale.rows(self, Row),
        }
        unknown = set(wanted) - set(made)
        if unknown:
            raise SystemExit(f"no row {min(unknown)}; there are: {', '.join(made)}")
        return [row for name in wanted or made for row in made[name]()]

    def memory(self) -> Row:
        row = self.full("full", "peak memory of the full load", 1.3, self.events, self.songs, 0.0)
        ratio = row.peaks[0] / row.peaks[1]
        return Row("memory", row.what, row.limit, ratio, row.seconds, row.peaks)

    def delta(self) -> Row:
        """One day onto 29 loaded days, to the full load."""
        data = self.data("full", self.events, self.songs)
        history = self.folder / "history"
        if not history.exists():
            shutil.copytree(data, history)
        last = sorted((history / "log_data").rglob("*.json"))[-1]
        held = last.read_bytes()

        def ours() -> list[str]:
            self.fresh("delta.duckdb")
            last.unlink()
            timed(self.load(history, "delta.duckdb"))
            last.write_bytes(held)
            return self.load(history, "delta.duckdb")

        def theirs() -> list[str]:
            self.fresh("ours.duckdb")
            return self.load(data, "ours.duckdb")

        return Row("delta", "one day onto 29, to the full load", 0.1, *self.pairs(ours, theirs))

    def nothing(self) -> Row:
        """Nothing new, to the full load."""
        data = self.data("full", self.events, self.songs)

        def ours() -> list[str]:
            self.fresh("known.duckdb")
            timed(self.load(data, "known.duckdb"))
            return self.load(data, "known.duckdb")

        def theirs() -> list[str]:
            self.fresh("ours.duckdb")
            return self.load(data, "ours.duckdb")

        return Row("nothing", "nothing new, to the full load", 0.08, *self.pairs(ours, theirs))

    def profile(self) -> Row:
        """A profile of logs and songs, to the full load of them."""
        data = self.data("full", self.events, self.songs)
        places = (str(data / "log_data"), str(data / "song_data"))

        def ours() -> list[str]:
            return [sys.executable, "-m", "sparkify_dwh", "profile", "--quiet", "--json", *places]

        def theirs() -> list[str]:
            self.fresh("ours.duckdb")
            return self.load(data, "ours.duckdb")

        return Row("profile", "profile, to the full load", 1.0, *self.pairs(ours, theirs))


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--events", type=int, default=1_500_000)
    parser.add_argument("--songs", type=int, default=15_000)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", nargs="*", default=[])
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sparkify-bench-") as folder:
        more = not given.rows or {"history", "scale"} & set(given.rows)
        needed = given.events * BYTES_PER_EVENT * (4 + (given.times if more else 0))
        if shutil.disk_usage(folder).free < needed:
            raise SystemExit(f"{folder} needs {needed / 1e9:.0f} GB free; set TMPDIR")
        bench = Bench(Path(folder), given.events, given.songs, given.rounds, given.times)
        rows = bench.rows(given.rows)
    out = sys.stdout.write
    if given.json:
        out(json.dumps([{**asdict(row), "passed": row.passed} for row in rows]) + "\n")
        return
    out(f"{given.events:,} events, {given.songs:,} songs, median of {given.rounds}; ")
    out(f"{os.cpu_count()} cores, Python {platform.python_version()}\n")
    for row in rows:
        mark = "ok" if row.passed else "OVER"
        out(f"{row.name:13} {row.what:41} {row.ratio:6.2f}  at most {row.limit:5.2f}  {mark:4}")
        out(f"  {row.seconds[0]:.2f} s, {row.seconds[1]:.2f} s;")
        out(f" {row.peaks[0]:.0f} MiB, {row.peaks[1]:.0f} MiB\n")


if __name__ == "__main__":
    main()
