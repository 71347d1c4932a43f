"""The rows of the bench that look beyond one load on one machine's disk."""

from __future__ import annotations

import contextlib
import logging
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import bench_s3

if TYPE_CHECKING:
    from bench import Bench, Measured, Row

HERE = Path(__file__).parent
TESTS = HERE.parent / "tests"
#: What DuckDB may use in the row of many events, and what the process may take beside.
LIMIT_MIB, BESIDE_MIB = 2048, 512
MANIFEST_MIB = 256
MANIFEST_OBJECTS = 100_000
#: Milliseconds by which the far S3 answers later.
LATE = 10
#: DuckDB's own reader over a list of files, as anybody would write it.
OWN_READER = """
import sys, duckdb
from pathlib import Path
files = [str(path) for path in sorted(Path(sys.argv[1]).rglob("*.json"))]
connection = duckdb.connect(sys.argv[2])
connection.execute("CREATE TABLE songs AS SELECT * FROM read_json(?)", [files])
"""


def rows(bench: Bench, make: type[Row]) -> dict[str, Callable[[], list[Row]]]:
    """Measures each of these rows."""
    return {
        "history": lambda: [history(bench, make)],
        "scale": lambda: scale(bench, make),
        "objects": lambda: [objects(bench, make)],
        "s3": lambda: [s3(bench, make, "s3", 0)],
        "s3-far": lambda: [s3(bench, make, "s3-far", LATE)],
        "s3-compacted": lambda: [s3_compacted(bench, make)],
        "help": lambda: [start(bench, make)],
        "statements": lambda: [statements(make)],
        "manifest": lambda: manifest(bench, make),
    }


# More data --------------------------------------------------------------------------------


def large(bench: Bench) -> Path:
    """``times`` the events, a day as large as in the other rows."""
    times = bench.times
    return bench.data("large", bench.events * times, bench.songs, days=30 * times)


def linked(bench: Bench, data: Path, name: str, files: list[Path]) -> Path:
    """A source of some log files of ``data`` and all its songs; costs no disk."""
    place = bench.folder / name
    for path in [*files, *(data / "song_data").rglob("*.json")]:
        target = place / path.relative_to(data)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.hardlink_to(path)
    return place


def history(bench: Bench, make: type[Row]) -> Row:
    """The same day onto ``times`` the history, and onto the history."""
    data = large(bench)
    logs = sorted((data / "log_data").rglob("*.json"))
    sources = {}
    for name, files in (("long", logs[:-1]), ("short", logs[-30:-1])):
        sources[name] = linked(bench, data, name, files)
        bench.fresh(f"{name}.duckdb")
        bench.timed(bench.load(sources[name], f"{name}.duckdb"))
        linked(bench, data, name, logs[-1:])

    def delta(name: str) -> list[str]:
        bench.fresh("delta.duckdb")
        bench.copy(f"{name}.duckdb", "delta.duckdb")
        return bench.load(sources[name], "delta.duckdb")

    found = bench.pairs(lambda: delta("long"), lambda: delta("short"))
    what = f"one day onto {bench.times} times the history"
    return make("history", what, 1.5, *found)


def scale(bench: Bench, make: type[Row]) -> list[Row]:
    """Time per event and peak memory of ``times`` the events, in 2 GiB."""
    data, usual = large(bench), bench.data("full", bench.events, bench.songs)
    limit = ("--memory-limit", f"{LIMIT_MIB}MiB")

    def load(source: Path) -> list[str]:
        bench.fresh("scale.duckdb")
        return bench.load(source, "scale.duckdb", *limit)

    rounds = min(bench.rounds, 3)
    found: list[tuple[Measured, Measured]] = [
        (bench.timed(load(data)), bench.timed(load(usual))) for _ in range(rounds)
    ]
    bench.fresh("scale.duckdb")
    ratio = statistics.median(a.wall / (bench.times * b.wall) for a, b in found)
    walls = tuple(statistics.median(pair[i].wall for pair in found) for i in (0, 1))
    peaks = tuple(statistics.median(pair[i].peak for pair in found) for i in (0, 1))
    most = LIMIT_MIB + BESIDE_MIB
    what = f"{bench.times} times the events"
    return [
        make("scale", f"{what}, time per event", 1.15, ratio, walls, peaks),  # type: ignore[arg-type]
        make("scale-memory", f"{what}, peak to {most} MiB", 1.0, peaks[0] / most, walls, peaks),  # type: ignore[arg-type]
    ]


def objects(bench: Bench, make: type[Row]) -> Row:
    """One-object files alone, to DuckDB's own read_json over the list."""
    songs = bench.data("full", bench.events, bench.songs) / "song_data"

    def ours() -> list[str]:
        bench.empty("songs.duckdb")
        return bench.songs_alone(str(songs), "songs.duckdb", "load", "--quiet")

    def theirs() -> list[str]:
        bench.fresh("own.duckdb")
        return [sys.executable, "-c", OWN_READER, str(songs), str(bench.folder / "own.duckdb")]

    return make("objects", "one-object files, to read_json", 0.1, *bench.pairs(ours, theirs))


# S3 ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def served(folder: Path, late: int) -> Iterator[str]:
    """The endpoint of a server that holds the files of a folder."""
    os.environ.update(bench_s3.ENVIRONMENT)
    command = [sys.executable, str(HERE / "bench_s3.py"), "serve", str(folder), str(late)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.kill()


def _remote(bench: Bench, endpoint: str, database: str, *command: str) -> list[str]:
    place = f"s3://{bench_s3.BUCKET}/song_data/"
    where = ("--aws-endpoint-url", endpoint, "--aws-region", "us-east-1")
    return bench.songs_alone(place, database, *(command or ("load", "--quiet")), *where)


def s3(bench: Bench, make: type[Row], name: str, late: int) -> Row:
    """Small objects into DuckDB, to reading them one by one with boto3."""
    data = bench.data("full", bench.events, bench.songs)
    with served(_songs_only(bench, data), late) as endpoint:

        def ours() -> list[str]:
            bench.empty("s3.duckdb")
            return _remote(bench, endpoint, "s3.duckdb")

        def theirs() -> list[str]:
            return [sys.executable, str(HERE / "bench_s3.py"), "read", endpoint]

        found = bench.pairs(ours, theirs)
    what = "S3 objects, to boto3 one by one"
    return make(name, what if not late else f"{what}, {late} ms away", 0.3, *found)


def s3_compacted(bench: Bench, make: type[Row]) -> Row:
    """The same objects once they are compacted, to reading them one by one."""
    data = bench.data("full", bench.events, bench.songs)
    with served(_songs_only(bench, data), 0) as endpoint:
        bench.fresh("compacted.duckdb", "s3.duckdb")
        into = f"s3://{bench_s3.BUCKET}/compacted/"
        compact = ("compact", "songs", "--quiet", "--into", into)
        bench.timed(_remote(bench, endpoint, "compacted.duckdb", *compact))

        def ours() -> list[str]:
            bench.fresh("s3.duckdb")
            bench.copy("compacted.duckdb", "s3.duckdb")
            return _remote(bench, endpoint, "s3.duckdb")

        def theirs() -> list[str]:
            return [sys.executable, str(HERE / "bench_s3.py"), "read", endpoint]

        found = bench.pairs(ours, theirs)
    return make("s3-compacted", "the same, compacted before", 0.3, *found)


def _songs_only(bench: Bench, data: Path) -> Path:
    return linked(bench, data, "songs-only", [])


# Start and Redshift -----------------------------------------------------------------------


def start(bench: Bench, make: type[Row]) -> Row:
    """`sparkify --help`, to `python -c pass`."""
    found = bench.pairs(
        lambda: [sys.executable, "-m", "sparkify_dwh", "--help"],
        lambda: [sys.executable, "-c", "pass"],
    )
    return make("help", "sparkify --help, to python -c pass", 10.0, *found)


def statements(make: type[Row]) -> Row:
    """Statements that a load of many objects sends to the stand-in, to those of one of few."""
    # In a process of its own: what this one takes would count as the peak of those it starts.
    told = subprocess.run(
        [sys.executable, __file__], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.split()
    many, few = map(int, told[-2:])
    what = f"Redshift: {many} statements, of 300 objects to 3"
    return make("statements", what, 1.0, many / few, (0.0, 0.0), (0.0, 0.0))


def count_statements() -> None:
    """Prints the statements of a load of 300 objects, and of one of 3."""
    sys.path.insert(0, str(TESTS))
    os.environ.update(bench_s3.ENVIRONMENT)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    import boto3
    from moto.server import ThreadedMotoServer
    from standin.buckets import S3Server
    from standin.server import Standin
    from support.warehouses import OnRedshift, Source, song

    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **bench_s3.KEYS)
    with Standin(client) as standin:
        os.environ["SSL_CERT_FILE"] = str(standin.ca_file)
        server = S3Server(endpoint, client)
        made = OnRedshift(standin.database("SNAPSHOT"), Source(server))
        for number in (300, 3):
            made.empty()
            made.use(Source(server))
            for n in range(number):
                made.source.put("songs", f"{n}.json", song(song_id=f"SO{n}") * (n % 3 + 1))
            made.load()
            sys.stdout.write(f"{len(made.database.statements)}\n")
        made.close()
    moto.stop()


def manifest(bench: Bench, make: type[Row]) -> list[Row]:
    """Client work for a manifest: memory, and time to that of a quarter."""

    def client(count: int) -> list[str]:
        return [sys.executable, str(TESTS / "support" / "manifest_work.py"), str(count)]

    objects = min(MANIFEST_OBJECTS, 100 * bench.songs)
    many, few, none = ([], [], [])  # type: tuple[list[Measured], list[Measured], list[Measured]]
    for _ in range(bench.rounds):
        many.append(bench.timed(client(objects)))
        few.append(bench.timed(client(objects // 4)))
        none.append(bench.timed(client(1)))
    cpu = [statistics.median(m.cpu for m in some) for some in (many, few, none)]
    walls = tuple(statistics.median(m.wall for m in some) for some in (many, few))
    peaks = tuple(statistics.median(m.peak for m in some) for some in (many, few))
    # Less what starting takes.
    linear = (cpu[0] - cpu[2]) / max(4 * (cpu[1] - cpu[2]), 0.01)
    what = f"manifest of {objects:,} objects"
    return [
        make(
            "manifest", f"{what}, to {MANIFEST_MIB} MiB", 1.0, peaks[0] / MANIFEST_MIB, walls, peaks
        ),  # type: ignore[arg-type]
        make("manifest-time", f"{what}, to four of a quarter", 1.25, linear, walls, peaks),  # type: ignore[arg-type]
    ]


if __name__ == "__main__":
    count_statements()
