"""Measures loads as ratios of whole processes to hand-written SQL in the same run.

Each row runs two commands in turn, A B A B …, and reports the median of the ratios pair by pair,
so a machine whose speed drifts does not skew it. Seconds are shown for orientation only. The free
disk is checked first.

The rows ``history`` and ``scale`` load ``--times`` the events: 15 million by default.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import bench_loads
import bench_scale
from bench_runs import BYTES_PER_EVENT, Bench, Row

ROWS: dict[str, Callable[[Bench], Row | list[Row]]] = {
    "full": bench_loads.full,
    "dirty": bench_loads.dirty,
    "small": bench_loads.small,
    "memory": bench_loads.memory,
    "delta": bench_loads.delta,
    "nothing": bench_loads.nothing,
    "profile": bench_loads.profile,
    "history": bench_scale.history,
    "scale": bench_scale.scale,
    "objects": bench_scale.objects,
    "s3": bench_scale.s3,
    "s3-far": bench_scale.s3_far,
    "s3-compacted": bench_scale.s3_compacted,
    "help": bench_scale.start,
    "statements": bench_scale.statements,
    "manifest": bench_scale.manifest,
}
#: The rows that load ``--times`` the events.
LARGE = {"history", "scale"}


def measure(bench: Bench, names: list[str]) -> list[Row]:
    """The rows of these names, in this order."""
    measured = [ROWS[name](bench) for name in names]
    return [row for rows in measured for row in (rows if isinstance(rows, list) else [rows])]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--events", type=int, default=1_500_000)
    parser.add_argument("--songs", type=int, default=15_000)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", nargs="*", default=[], metavar="NAME", help=", ".join(ROWS))
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    names = args.rows or list(ROWS)
    if unknown := set(names) - set(ROWS):
        parser.error(f"no row {min(unknown)}; there are: {', '.join(ROWS)}")
    with tempfile.TemporaryDirectory(prefix="sparkify-bench-") as folder:
        copies = 4 + (args.times if LARGE & set(names) else 0)
        needed = args.events * BYTES_PER_EVENT * copies
        if shutil.disk_usage(folder).free < needed:
            raise SystemExit(f"{folder} needs {needed / 1e9:.0f} GB free; set TMPDIR")
        bench = Bench(Path(folder), args.events, args.songs, args.rounds, args.times)
        rows = measure(bench, names)
    out = sys.stdout.write
    if args.json:
        out(json.dumps([{**asdict(row), "passed": row.passed} for row in rows]) + "\n")
        return
    out(f"{args.events:,} events, {args.songs:,} songs, median of {args.rounds}; ")
    out(f"{os.cpu_count()} cores, Python {platform.python_version()}\n")
    for row in rows:
        mark = "ok" if row.passed else "OVER"
        out(f"{row.name:13} {row.what:41} {row.ratio:6.2f}  at most {row.limit:5.2f}  {mark:4}")
        out(f"  {row.seconds[0]:.2f} s, {row.seconds[1]:.2f} s;")
        out(f" {row.peaks[0]:.0f} MiB, {row.peaks[1]:.0f} MiB\n")


if __name__ == "__main__":
    main()
