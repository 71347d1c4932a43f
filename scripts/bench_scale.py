"""The rows of the bench that go beyond one data set on the local disk: scale, S3, Redshift."""

from __future__ import annotations

import contextlib
import logging
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import bench_s3
from bench_runs import HERE, Bench, Measured, Row, medians, timed, walls_and_peaks

TESTS = HERE.parent / "tests"
#: What DuckDB may use in the row ``scale``, and what the process may use on top.
LIMIT_MIB, PROCESS_MIB = 2048, 512
MANIFEST_MIB = 256
MANIFEST_OBJECTS = 100_000
#: Milliseconds that each answer of the far S3 is delayed.
DELAY_MS = 10
#: DuckDB's own reader over a list of files, as anyone would write it.
OWN_READER = """
import sys, duckdb
from pathlib import Path
files = [str(path) for path in sorted(Path(sys.argv[1]).rglob("*.json"))]
connection = duckdb.connect(sys.argv[2])
connection.execute("CREATE TABLE songs AS SELECT * FROM read_json(?)", [files])
"""


# More data --------------------------------------------------------------------------------


def large(bench: Bench) -> Path:
    """``times`` the events, in days as large as those of the other rows."""
    times = bench.times
    return bench.data("large", bench.events * times, bench.songs, days=30 * times)


def linked(bench: Bench, data: Path, name: str, files: list[Path]) -> Path:
    """Hard links to some log files of ``data`` and all its songs."""
    place = bench.folder / name
    for path in [*files, *(data / "song_data").rglob("*.json")]:
        target = place / path.relative_to(data)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.hardlink_to(path)
    return place


def history(bench: Bench) -> Row:
    """The same day onto ``times`` the history, and onto the history."""
    data = large(bench)
    logs = sorted((data / "log_data").rglob("*.json"))
    sources = {}
    for name, files in (("long", logs[:-1]), ("short", logs[-30:-1])):
        sources[name] = linked(bench, data, name, files)
        timed(bench.fresh_load(sources[name], f"{name}.duckdb"))
        linked(bench, data, name, logs[-1:])

    def delta(name: str) -> list[str]:
        bench.remove("delta.duckdb")
        bench.copy(f"{name}.duckdb", "delta.duckdb")
        return bench.load(sources[name], "delta.duckdb")

    what = f"one day onto {bench.times} times the history"
    pairs = bench.pairs(lambda: delta("long"), lambda: delta("short"))
    return Row("history", what, 1.5, *pairs)


def scale(bench: Bench) -> list[Row]:
    """Time per event and peak memory of ``times`` the events, in 2 GiB."""
    data, usual = large(bench), bench.clean()
    limit = ("--memory-limit", f"{LIMIT_MIB}MiB")

    def load(source: Path) -> list[str]:
        return bench.fresh_load(source, "scale.duckdb", *limit)

    runs = [(timed(load(data)), timed(load(usual))) for _ in range(min(bench.rounds, 3))]
    bench.remove("scale.duckdb")
    ratio = statistics.median(a.wall / (bench.times * b.wall) for a, b in runs)
    walls, peaks = walls_and_peaks(runs)
    allowed = LIMIT_MIB + PROCESS_MIB
    what = f"{bench.times} times the events"
    memory = f"{what}, peak to {allowed} MiB"
    return [
        Row("scale", f"{what}, time per event", 1.15, ratio, walls, peaks),
        Row("scale-memory", memory, 1.0, peaks[0] / allowed, walls, peaks),
    ]


def objects(bench: Bench) -> Row:
    """One-object files alone, to DuckDB's own read_json over the list."""
    songs = bench.clean() / "song_data"

    def ours() -> list[str]:
        bench.empty("songs.duckdb")
        return bench.songs_alone(str(songs), "songs.duckdb", "load", "--quiet")

    def theirs() -> list[str]:
        bench.remove("own.duckdb")
        return [sys.executable, "-c", OWN_READER, str(songs), str(bench.folder / "own.duckdb")]

    return Row("objects", "one-object files, to read_json", 0.1, *bench.pairs(ours, theirs))


# S3 ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def served(folder: Path, delay_ms: int) -> Iterator[str]:
    """The endpoint of an S3 server with the files of a folder."""
    os.environ.update(bench_s3.ENVIRONMENT)
    command = [sys.executable, str(HERE / "bench_s3.py"), "serve", str(folder), str(delay_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.kill()


def s3(bench: Bench) -> Row:
    return _small_objects(bench, "s3", "S3 objects, to boto3 one by one", 0)


def s3_far(bench: Bench) -> Row:
    what = f"S3 objects, to boto3 one by one, {DELAY_MS} ms away"
    return _small_objects(bench, "s3-far", what, DELAY_MS)


def _small_objects(bench: Bench, name: str, what: str, delay_ms: int) -> Row:
    """Small objects into DuckDB, to reading them one by one with boto3."""
    with served(_songs_only(bench), delay_ms) as endpoint:

        def ours() -> list[str]:
            bench.empty("s3.duckdb")
            return _remote(bench, endpoint, "s3.duckdb")

        return Row(name, what, 0.3, *bench.pairs(ours, lambda: _one_by_one(endpoint)))


def s3_compacted(bench: Bench) -> Row:
    """The same objects once they are compacted, to reading them one by one."""
    with served(_songs_only(bench), 0) as endpoint:
        bench.remove("compacted.duckdb", "s3.duckdb")
        into = f"s3://{bench_s3.BUCKET}/compacted/"
        compact = ("compact", "songs", "--quiet", "--into", into)
        timed(_remote(bench, endpoint, "compacted.duckdb", *compact))

        def ours() -> list[str]:
            bench.remove("s3.duckdb")
            bench.copy("compacted.duckdb", "s3.duckdb")
            return _remote(bench, endpoint, "s3.duckdb")

        pairs = bench.pairs(ours, lambda: _one_by_one(endpoint))
    return Row("s3-compacted", "the same, compacted before", 0.3, *pairs)


def _remote(bench: Bench, endpoint: str, database: str, *command: str) -> list[str]:
    place = f"s3://{bench_s3.BUCKET}/song_data/"
    where = ("--aws-endpoint-url", endpoint, "--aws-region", "us-east-1")
    return bench.songs_alone(place, database, *(command or ("load", "--quiet")), *where)


def _one_by_one(endpoint: str) -> list[str]:
    return [sys.executable, str(HERE / "bench_s3.py"), "read", endpoint]


def _songs_only(bench: Bench) -> Path:
    return linked(bench, bench.clean(), "songs-only", [])


# Start and Redshift -----------------------------------------------------------------------


def start(bench: Bench) -> Row:
    pairs = bench.pairs(
        lambda: [sys.executable, "-m", "sparkify_dwh", "--help"],
        lambda: [sys.executable, "-c", "pass"],
    )
    return Row("help", "sparkify --help, to python -c pass", 10.0, *pairs)


def statements(_: Bench) -> Row:
    """Statements that a load of 300 objects sends to the stand-in, to those of a load of 3."""
    # In its own process: a child starts with its parent's peak memory.
    printed = subprocess.run(
        [sys.executable, __file__], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.split()
    many, few = map(int, printed[-2:])
    what = f"Redshift: {many} statements, of 300 objects to 3"
    return Row("statements", what, 1.0, many / few, (0.0, 0.0), (0.0, 0.0))


def count_statements() -> None:
    """Prints how many statements a load of 300 objects sends, then a load of 3."""
    sys.path.insert(0, str(TESTS))
    os.environ.update(bench_s3.ENVIRONMENT)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    import boto3
    from moto.server import ThreadedMotoServer
    from standin.buckets import S3Server
    from standin.server import Standin
    from support.records import song_line
    from support.warehouses import OnRedshift, Source

    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **bench_s3.KEYS)
    with Standin(client) as standin:
        os.environ["SSL_CERT_FILE"] = str(standin.ca_file)
        server = S3Server(endpoint, client)
        warehouse = OnRedshift(standin.database("SNAPSHOT"), Source(server))
        for number in (300, 3):
            warehouse.empty()
            warehouse.use(Source(server))
            for n in range(number):
                warehouse.source.put(
                    "songs", f"{n}.json", song_line(song_id=f"SO{n}") * (n % 3 + 1)
                )
            warehouse.load()
            sys.stdout.write(f"{len(warehouse.database.statements)}\n")
        warehouse.close()
    moto.stop()


def manifest(bench: Bench) -> list[Row]:
    """Client work for a manifest: memory, and time to that of a quarter."""

    def client(count: int) -> Measured:
        return timed([sys.executable, str(TESTS / "support" / "manifest_work.py"), str(count)])

    count = min(MANIFEST_OBJECTS, 100 * bench.songs)
    runs = [(client(count), client(count // 4)) for _ in range(bench.rounds)]
    start = statistics.median(client(1).cpu for _ in range(bench.rounds))
    many, few = medians(runs, lambda m: m.cpu)
    walls, peaks = walls_and_peaks(runs)
    linear = (many - start) / max(4 * (few - start), 0.01)
    what = f"manifest of {count:,} objects"
    memory = f"{what}, to {MANIFEST_MIB} MiB"
    return [
        Row("manifest", memory, 1.0, peaks[0] / MANIFEST_MIB, walls, peaks),
        Row("manifest-time", f"{what}, to four of a quarter", 1.25, linear, walls, peaks),
    ]


if __name__ == "__main__":
    count_statements()
