"""The whole star against the oracle after every load: splits, orders, repeats, corrections."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.folders import Folders
from support.fuzzing import fuzzed
from support.records import EVENTS, SONGS, lines
from support.reference import COLUMNS, Reference
from support.reference_checks import expected_star, same_books, same_refusals
from support.rig import NO_LIMIT, Rig
from support.soak_figures import STANDIN
from support.warehouses import OnRedshift, Source

from sparkify_dwh.sample.generate import generate

File = tuple[str, str, bytes]
Fresh = Callable[[], AbstractContextManager[Rig]]
RELOAD = "load everything again"


def _one_load() -> st.SearchStrategy[Any]:
    def files(source: str, records: st.SearchStrategy[Any], most: int) -> Any:
        some = st.lists(records, min_size=1, max_size=most).map(lambda found: lines(*found))
        name = st.sampled_from([f"{source}{n}.json" for n in range(4)])
        return st.tuples(st.just(source), name, some)

    file = st.one_of(files("events", EVENTS, 8), files("songs", SONGS, 4))
    return st.lists(file, min_size=1, max_size=4, unique_by=lambda f: f[1]) | st.just(RELOAD)


@pytest.fixture(params=["duckdb", "redshift"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Fresh:
    """Makes an empty warehouse of either engine, as often as asked for."""
    if request.param == "duckdb":
        template = request.getfixturevalue("template")

        @contextmanager
        def folders() -> Iterator[Rig]:
            with tempfile.TemporaryDirectory(dir=tmp_path) as root:
                yield Folders(Path(root), template, **NO_LIMIT)

        return folders
    warehouse: OnRedshift = request.getfixturevalue("migrated")
    server = request.getfixturevalue("s3_server")

    @contextmanager
    def bucket() -> Iterator[Rig]:
        warehouse.empty()
        yield warehouse.use(Source(server), **NO_LIMIT)

    return bucket


def some(fresh: Fresh, what: str, usual: int, soak: int) -> Any:
    """Examples: on Redshift, where a load costs ten times as much, a tenth of them."""
    if fresh.__name__ == "folders":
        return fuzzed(what, usual, soak, engine="duckdb")
    return fuzzed(what, 2, soak // 10, engine=STANDIN)


def test_the_star_is_the_oracles_after_every_load(fresh: Fresh) -> None:
    """Keys with two contents, late and changed songs, stale users, ties, NULLs, damaged names."""

    @some(fresh, "the star after every load", 15, 500)
    @given(st.lists(_one_load(), min_size=1, max_size=5))
    def check(loads: list[Any]) -> None:
        with fresh() as rig:
            star = Reference()
            now: dict[tuple[str, str], tuple[str, bytes]] = {}
            for files in loads:
                if files == RELOAD:
                    _load(rig, star, now, all=True)
                    continue
                new = {
                    (kind, name): (str(rig.put(kind, name, data)), data)
                    for kind, name, data in files
                    # An object that is written anew as it was has the same etag.
                    if isinstance(rig, Folders) or now.get((kind, name), ("", None))[1] != data
                }
                now |= new
                _load(rig, star, new)

    check()


def _load(
    rig: Rig,
    star: Reference,
    files: dict[tuple[str, str], tuple[str, bytes]],
    **options: Any,
) -> None:
    given_: dict[str, list[tuple[str, bytes]]] = {"events": [], "songs": []}
    for (kind, _), placed in files.items():
        given_[kind].append(placed)
    run = rig.load(**options)
    if run.event == "nothing new":
        assert not files
        return
    books = star.load(**given_)
    found = rig.star()
    for table, rows in expected_star(star).items():
        assert found[table] == rows, table
    same_books(run, books)
    if isinstance(rig, Folders):
        same_refusals(rig, run, books)
    else:  # "Refused records": COPY does not say which object a row came from
        assert rig.rules(run) == Counter((r.source, r.rule) for r in books.refusals)


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
    made: tuple[list[File], Reference], fresh: Fresh
) -> None:
    files, star = made

    @some(fresh, "any split, order and repetition", 8, 300)
    @given(st.data(), st.permutations(files), st.integers(1, 6))
    def check(data: st.DataObject, order: list[File], loads: int) -> None:
        repeats = data.draw(st.lists(st.sampled_from(files), max_size=10))
        todo = [*order, *((s, f"again{n}-{name}", d) for n, (s, name, d) in enumerate(repeats))]
        cuts = sorted(data.draw(st.lists(st.integers(0, len(todo)), max_size=loads - 1)))
        with fresh() as rig:
            for start, end in zip([0, *cuts], [*cuts, len(todo)], strict=True):
                for source, name, body in todo[start:end]:
                    rig.put(source, name, body)
                rig.load()
            found = rig.star()
        for table, rows in expected_star(star).items():
            assert found[table] == rows, table

    check()


def test_the_star_of_the_oracle_and_of_the_models_have_the_same_columns() -> None:
    from sparkify_dwh import SPARKIFY

    assert {t.name: tuple(c.name for c in t.table.columns) for t in SPARKIFY.targets} == COLUMNS
