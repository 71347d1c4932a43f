"""The whole star against the oracle after every load: splits, orders, repeats, corrections."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from conftest import NO_LIMIT, Folders, examples, same_books, same_refusals, whole
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import COLUMNS, Reference
from strategies import EVENTS, SONGS, lines

from sparkify_dwh.generate import generate

File = tuple[str, str, bytes]
RELOAD = "load everything again"


def _one_load() -> st.SearchStrategy[Any]:
    def files(source: str, records: st.SearchStrategy[Any], most: int) -> Any:
        some = st.lists(records, min_size=1, max_size=most).map(lambda found: lines(*found))
        name = st.sampled_from([f"{source}{n}.json" for n in range(4)])
        return st.tuples(st.just(source), name, some)

    file = st.one_of(files("events", EVENTS, 8), files("songs", SONGS, 4))
    return st.lists(file, min_size=1, max_size=4, unique_by=lambda f: f[1]) | st.just(RELOAD)


def test_the_star_is_the_oracles_after_every_load(template: Path, tmp_path: Path) -> None:
    """Keys with two contents, late and changed songs, stale users, ties, NULLs, damaged names."""

    @settings(max_examples=examples(15, 500))
    @given(st.lists(_one_load(), min_size=1, max_size=5))
    def check(loads: list[Any]) -> None:
        with tempfile.TemporaryDirectory(dir=tmp_path) as root:
            folders, star = Folders(Path(root), template, **NO_LIMIT), Reference()
            now: dict[tuple[str, str], bytes] = {}
            for files in loads:
                if files == RELOAD:
                    _load(folders, star, now, all=True)
                    continue
                new = {(source, name): data for source, name, data in files}
                now |= new
                _load(folders, star, new)

    check()


def _load(
    folders: Folders, star: Reference, files: dict[tuple[str, str], bytes], **options: Any
) -> None:
    given_: dict[str, list[tuple[str, bytes]]] = {"events": [], "songs": []}
    for (source, name), data in files.items():
        given_[source].append((str(folders.folders[source] / name), data))
        if not options:
            folders.put(source, name, data)
    run = folders.load(**options)
    if run.event == "nothing new":
        assert not files
        return
    books = star.load(**given_)
    found = folders.star()
    for table, rows in whole(star).items():
        assert found[table] == rows, table
    same_books(run, books)
    same_refusals(folders, run, books)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[File], Reference]:
    root = tmp_path_factory.mktemp("generated")
    generate(root, events=900, songs=60, days=6, seed=5, dirty=0.02)
    files = [
        (source, path.name, path.read_bytes())
        for source, folder in (("events", "log_data"), ("songs", "song_data"))
        for path in sorted((root / folder).rglob("*.json"))
    ]
    star = Reference()
    star.load(*([(n, d) for s, n, d in files if s == source] for source in ("events", "songs")))
    return files, star


def test_generated_files_in_any_split_order_and_repetition_give_one_star(
    made: tuple[list[File], Reference], template: Path, tmp_path: Path
) -> None:
    files, star = made

    @settings(max_examples=examples(8, 300))
    @given(st.data(), st.permutations(files), st.integers(1, 6))
    def check(data: st.DataObject, order: list[File], loads: int) -> None:
        repeats = data.draw(st.lists(st.sampled_from(files), max_size=10))
        todo = [*order, *((s, f"again{n}-{name}", d) for n, (s, name, d) in enumerate(repeats))]
        cuts = sorted(data.draw(st.lists(st.integers(0, len(todo)), max_size=loads - 1)))
        with tempfile.TemporaryDirectory(dir=tmp_path) as root:
            folders = Folders(Path(root), template, **NO_LIMIT)
            for start, end in zip([0, *cuts], [*cuts, len(todo)], strict=True):
                for source, name, body in todo[start:end]:
                    folders.put(source, name, body)
                folders.load()
            found = folders.star()
        for table, rows in whole(star).items():
            assert found[table] == rows, table

    check()


def test_the_star_of_the_oracle_and_of_the_models_have_the_same_columns() -> None:
    from sparkify_dwh import SPARKIFY

    assert {t.name: tuple(c.name for c in t.table.columns) for t in SPARKIFY.targets} == COLUMNS
