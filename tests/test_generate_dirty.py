"""`expected.json` of dirty data is met for every seed: by the oracle, and by a load."""

from __future__ import annotations

import itertools
import random
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from support.kill_and_fail import SOAK
from support.reference import COLUMNS, Reference
from support.rig import NO_LIMIT, MakeRig, Rig
from support.soak_figures import figure

from sparkify_dwh.sample.broken_records import keep_apart
from sparkify_dwh.sample.generate import Expected, generate

SEEDS = 3000 if SOAK else 60


def made(root: Path, seed: int) -> tuple[Expected, dict[str, list[tuple[str, bytes]]]]:
    """Few valid records among many broken ones, so that broken ones are neighbours."""
    draw = random.Random(seed)
    expected = generate(
        root,
        events=draw.randrange(0, 60),
        songs=draw.randrange(0, 8),
        days=draw.randrange(1, 4),
        seed=seed,
        dirty=draw.choice([0.2, 0.7, 1.0]),
    )
    files = {
        source: [(str(path), path.read_bytes()) for path in sorted((root / name).rglob("*.json"))]
        for source, name in (("events", "log_data"), ("songs", "song_data"))
    }
    return expected, files


def test_the_oracle_finds_what_was_expected_for_every_seed(tmp_path: Path) -> None:
    for seed in range(SEEDS):
        root = tmp_path / str(seed)
        expected, files = made(root, seed)
        star = Reference()
        books = star.load(**files)
        read = {name: source.read for name, source in books.sources.items()}
        assert read == {"events": expected.events_rows, "songs": expected.songs_rows}, seed
        refused: dict[str, Counter[str]] = {"events": Counter(), "songs": Counter()}
        for each in books.refusals:
            refused[each.source][each.rule] += 1
        assert refused == expected.refused, seed
        assert {name: len(star.star_rows(name)) for name in COLUMNS} == expected.star, seed
        shutil.rmtree(root)
    figure("expected.json by the oracle", seeds=SEEDS)


def test_a_load_finds_what_was_expected(warehouse_on: MakeRig) -> None:
    seeds = range(100 if SOAK else 2)
    for seed in seeds:
        warehouse = warehouse_on(**NO_LIMIT)
        with tempfile.TemporaryDirectory() as root:
            expected, files = made(Path(root), seed)
            meets(warehouse, expected, files, root)
    figure("expected.json by a load", seeds=len(seeds), engine=warehouse.warehouse.engine.name)


def meets(warehouse: Rig, expected: Expected, files: dict[str, Any], root: str) -> None:
    for source, some in files.items():
        for name, data in some:
            warehouse.put(source, name.removeprefix(root + "/").replace("/", "-"), data)
    run = warehouse.load()
    found: dict[str, dict[str, int]] = {"events": {}, "songs": {}}
    rows = warehouse.query(
        "SELECT source, rule, count(*) FROM audit.rejected_row WHERE run_id = ? GROUP BY 1, 2",
        run.run_id,
    )
    for source, rule, count in rows:
        found[source][rule] = count
    assert found == expected.refused
    assert {name: len(rows) for name, rows in warehouse.star().items()} == expected.star
    read = {book.source: book.read for book in run.sources}
    assert read == {"events": expected.events_rows, "songs": expected.songs_rows}


@given(st.lists(st.sampled_from(["{sound}", "{open", "{ajar", "[1]", "42"])))
@settings(max_examples=200)
def test_lines_are_kept_apart(lines: list[str]) -> None:
    opened = {"{open", "{ajar"}
    found, last = keep_apart(lines, opened)
    assert Counter(found) == Counter(lines)
    for before, after in itertools.pairwise(found):
        assert before not in opened or after.startswith("{")
    assert len(found) - last == max(
        (n + 1 for n, x in enumerate(found) if x not in opened), default=0
    )
    assert [x for x in found if x[0] == "{"] == [x for x in lines if x[0] == "{"]
