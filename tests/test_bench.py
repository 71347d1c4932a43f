"""The bench runs and prints ratios; whether they are good is not for a test to decide."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_bench_measures_every_row() -> None:
    done = subprocess.run(
        [
            *(sys.executable, str(ROOT / "scripts" / "bench.py"), "--json"),
            *("--events", "15000", "--songs", "150", "--rounds", "1", "--times", "2"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert set(rows) == {
        *("full", "dirty", "small", "memory", "delta", "nothing", "profile", "history"),
        "scale",
        *("scale-memory", "objects", "s3", "s3-far", "s3-compacted", "help", "statements"),
        *("manifest", "manifest-time"),
    }
    assert rows["statements"]["ratio"] == 1.0
    assert rows["manifest"]["passed"] and rows["scale-memory"]["passed"]
    assert all(row["ratio"] > 0 for row in rows.values())


def test_the_baseline_makes_the_same_star(tmp_path: Path) -> None:
    """What is measured against does the same work: it counts the same rows on clean data."""
    import duckdb

    from sparkify_dwh.sample.generate import generate

    expected = generate(tmp_path, events=3000, songs=50, days=3)
    subprocess.run(
        [
            *(sys.executable, str(ROOT / "scripts" / "bench_baseline.py")),
            *(str(tmp_path / "b.duckdb"), str(tmp_path / "log_data"), str(tmp_path / "song_data")),
        ],
        check=True,
    )
    with duckdb.connect(str(tmp_path / "b.duckdb")) as connection:
        for table, rows in expected.star.items():
            (found,) = connection.execute(f"select count(*) from sparkify.{table}").fetchone() or ()
            assert found == rows, table
