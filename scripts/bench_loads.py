"""The rows of the bench that load or profile one data set from the local disk."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from bench_runs import Bench, Row, timed


def full(bench: Bench) -> Row:
    what = "full load, to hand-written SQL"
    return _to_hand_written(bench, "full", what, 1.2, bench.clean(), bench.clean())


def dirty(bench: Bench) -> Row:
    data = bench.data("dirty", bench.events, bench.songs, dirty=0.01)
    return _to_hand_written(bench, "dirty", "the same, 1 % dirty rows", 1.35, data, bench.clean())


def small(bench: Bench) -> Row:
    data = bench.clean(share=10)
    return _to_hand_written(bench, "small", "a tenth, start-up included", 1.7, data, data)


def memory(bench: Bench) -> Row:
    row = full(bench)
    ratio = row.peaks[0] / row.peaks[1]
    return Row("memory", "peak memory of the full load", 1.3, ratio, row.seconds, row.peaks)


def delta(bench: Bench) -> Row:
    """One day onto 29 loaded days, to the full load."""
    data = bench.clean()
    copy = bench.folder / "days"
    if not copy.exists():
        shutil.copytree(data, copy)
    last = sorted((copy / "log_data").rglob("*.json"))[-1]
    content = last.read_bytes()

    def ours() -> list[str]:
        last.unlink()
        timed(bench.fresh_load(copy, "delta.duckdb"))
        last.write_bytes(content)
        return bench.load(copy, "delta.duckdb")

    what = "one day onto 29, to the full load"
    return Row("delta", what, 0.1, *bench.pairs(ours, _full_load(bench, data)))


def nothing(bench: Bench) -> Row:
    data = bench.clean()

    def ours() -> list[str]:
        timed(bench.fresh_load(data, "known.duckdb"))
        return bench.load(data, "known.duckdb")

    what = "nothing new, to the full load"
    return Row("nothing", what, 0.08, *bench.pairs(ours, _full_load(bench, data)))


def profile(bench: Bench) -> Row:
    data = bench.clean()
    places = (str(data / "log_data"), str(data / "song_data"))
    command = [sys.executable, "-m", "sparkify_dwh", "profile", "--quiet", "--json", *places]
    pairs = bench.pairs(lambda: command, _full_load(bench, data))
    return Row("profile", "profile, to the full load", 1.0, *pairs)


def _to_hand_written(
    bench: Bench, name: str, what: str, limit: float, data: Path, clean: Path
) -> Row:
    """A full load of the data, to hand-written SQL over clean data of the same size."""
    pairs = bench.pairs(
        lambda: bench.fresh_load(data, "ours.duckdb"),
        lambda: bench.baseline(clean, "theirs.duckdb"),
    )
    return Row(name, what, limit, *pairs)


def _full_load(bench: Bench, data: Path) -> Callable[[], list[str]]:
    return lambda: bench.fresh_load(data, "ours.duckdb")
