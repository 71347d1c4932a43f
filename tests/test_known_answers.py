"""The answers that rules.md knows: of the real logs, and of generated ones by expected.json."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from support.folders import Folders, MakeFolders
from support.realdata import DATA
from support.reference import Reference
from support.reference_checks import expected_star, same_books, same_refusals

from sparkify_dwh.sample.generate import Expected, generate

# The real logs -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def oracle() -> Reference:
    star = Reference()
    star.load(_objects("log_data"), _objects("song_data"))
    return star


def _files(folder: str) -> list[Path]:
    return sorted(path for path in (DATA / folder).rglob("*.json"))


def _objects(folder: str) -> list[tuple[str, bytes]]:
    return [(str(path), path.read_bytes()) for path in _files(folder)]


def _give(folders: Folders, source: str, paths: Iterable[Path], prefix: str = "") -> None:
    for path in paths:
        folders.put(source, prefix + path.name, path.read_bytes())


@pytest.mark.realdata
def test_the_known_answers_of_one_load(warehouse: MakeFolders, oracle: Reference) -> None:
    folders = warehouse(log_data=str(DATA / "log_data"), song_data=str(DATA / "song_data"))
    run = folders.load()
    star = folders.star()
    sizes = {"users": 97, "time": 8023, "songplays": 6820, "songs": 71, "artists": 69}
    assert {table: len(rows) for table, rows in star.items()} == sizes
    assert folders.query("SELECT level, count(*) FROM sparkify.users GROUP BY ALL ORDER BY 1") == [
        ("free", 75),
        ("paid", 22),
    ]
    assert [(b.source, b.read, b.staged, b.refused) for b in run.sources] == [
        ("songs", 71, 71, 0),
        ("events", 8056, 8056, 0),
    ]
    assert all(m.value == 0 for m in run.measures if m.severity in ("reject", "warn"))
    books = {a.target: a for a in run.targets}
    keys = ("staged", "refused", "out_of_scope", "duplicate", "stale", "merged", "replaced")
    assert {name: [getattr(a, key) for key in keys] for name, a in books.items()} == {
        "songs": [71, 0, 0, 0, 0, 71, 0],
        "artists": [71, 0, 0, 2, 0, 69, 0],
        "users": [8056, 0, 286, 7673, 0, 97, 0],
        "time": [8056, 0, 0, 33, 0, 8023, 0],
        "songplays": [8056, 0, 1236, 0, 0, 6820, 0],
    }
    assert folders.query("SELECT count(*) FROM sparkify.songplays WHERE artist_id IS NOT NULL") == [
        (21,)
    ]
    assert folders.query(
        "SELECT p.session_id, p.item_in_session, p.song_title, p.artist_name, p.start_time,"
        " s.title, a.name FROM sparkify.songplays p JOIN sparkify.songs s USING (song_id)"
        " JOIN sparkify.artists a ON a.artist_id = p.artist_id"
    ) == [
        (
            *(818, 5, "Setanta matins", "Elena", datetime(2018, 11, 21, 21, 56, 47, 796000)),
            *("Setanta matins", "Elena"),
        )
    ]
    assert star == expected_star(oracle)
    assert folders.warehouse.check().passed
    page = folders.warehouse.report().html
    for said in (
        *("song known: 1<", "artist known: 20<", "neither known: 6,799<"),
        *("97 merged · 7,673 duplicate · 286 out of scope", "The books balance"),
    ):
        assert said in page


@pytest.mark.realdata
@pytest.mark.parametrize("order", ["one by one", "reversed", "shuffled"])
def test_days_in_any_order_give_the_same_star(
    order: str, warehouse: MakeFolders, oracle: Reference
) -> None:
    folders, days, rnd = warehouse(), _files("log_data"), random.Random(20181101)
    if order == "reversed":
        days.reverse()
    elif order == "shuffled":
        rnd.shuffle(days)
    _give(folders, "songs", _files("song_data"))
    stale = 0
    while days:
        size = rnd.randint(1, 5) if order == "shuffled" else 1
        part, days = days[:size], days[size:]
        _give(folders, "events", part)
        run = folders.load()
        stale += sum(account.stale for account in run.targets)
    assert (stale > 0) == (order != "one by one")
    assert folders.star() == expected_star(oracle)


@pytest.mark.realdata
def test_each_day_twice_gives_the_same_star(warehouse: MakeFolders, oracle: Reference) -> None:
    folders = warehouse()
    _give(folders, "events", _files("log_data"))
    _give(folders, "events", _files("log_data"), "again-")
    _give(folders, "songs", _files("song_data"))
    _give(folders, "songs", _files("song_data"), "again-")
    run = folders.load()
    assert [b.staged for b in run.sources] == [142, 16112]
    assert folders.star() == expected_star(oracle)


@pytest.mark.realdata
def test_songs_that_come_last_resolve_21_plays(warehouse: MakeFolders, oracle: Reference) -> None:
    folders = warehouse()
    _give(folders, "events", _files("log_data"))
    folders.load()
    assert folders.star()["songplays"] != expected_star(oracle)["songplays"]
    _give(folders, "songs", _files("song_data"))
    run = folders.load()
    assert {a.target: a.resolved_again for a in run.targets}["songplays"] == 21
    assert folders.star() == expected_star(oracle)


@pytest.mark.realdata
def test_loading_all_again_changes_nothing(warehouse: MakeFolders, oracle: Reference) -> None:
    folders = warehouse(log_data=str(DATA / "log_data"), song_data=str(DATA / "song_data"))
    folders.load()
    assert folders.load().event == "nothing new"
    run = folders.load(all=True)
    for account in run.targets:
        assert (account.merged, account.recomputed, account.resolved_again) == (
            *(account.replaced, 0),
            0,
        )
    assert folders.star() == expected_star(oracle)


# Generated data ----------------------------------------------------------------------------------


def _split(paths: Sequence[Path], by_day: bool) -> list[list[Path]]:
    return [[path] for path in paths] if by_day else [list(paths)]


@pytest.mark.parametrize("by_day", [False, True], ids=["at once", "day by day"])
@pytest.mark.parametrize("dirty", [0.0, 0.02], ids=["clean", "dirty"])
def test_generated_data_meets_expected_json(
    dirty: float, by_day: bool, tmp_path: Path, warehouse: MakeFolders
) -> None:
    expected = generate(
        tmp_path / "made",
        events=6000,
        songs=300,
        days=5,
        seed=11,
        dirty=dirty,
        start=date(2018, 12, 29),
    )
    folders, oracle = warehouse(max_reject_ratio=1.0), Reference()
    days = sorted((tmp_path / "made" / "log_data").rglob("*.json"))
    songs = sorted((tmp_path / "made" / "song_data").rglob("*.json"))
    totals: dict[str, Any] = {"read": {}, "refused": {}, "accounts": {}}
    for number, part in enumerate(_split(days, by_day)):
        _give(folders, "events", part)
        if number == 0:
            _give(folders, "songs", songs)
        run = folders.load()
        new = [(str(folders.folders["events"] / p.name), p.read_bytes()) for p in part]
        late = [(str(folders.folders["songs"] / p.name), p.read_bytes()) for p in songs]
        books = oracle.load(new, late if number == 0 else [])
        same_books(run, books)
        same_refusals(folders, run, books)
        _add_up(totals, run)
    assert folders.star() == expected_star(oracle)
    _meets(folders, expected, totals)
    if not by_day:
        for name in ("duplicate", "out_of_scope", "merged"):
            found = {key: totals["accounts"][key, name] for key in getattr(expected, name)}
            assert found == getattr(expected, name)


def _add_up(totals: dict[str, Any], run: Any) -> None:
    for book in run.sources:
        totals["read"][book.source] = totals["read"].get(book.source, 0) + book.read
    for rule, count in run.refused.items():
        totals["refused"][rule] = totals["refused"].get(rule, 0) + count
    for account in run.targets:
        for name, value in asdict(account).items():
            if isinstance(value, int):
                key = account.target, name
                totals["accounts"][key] = totals["accounts"].get(key, 0) + value


def _meets(folders: Folders, expected: Expected, totals: dict[str, Any]) -> None:
    star = folders.star()
    assert {table: len(rows) for table, rows in star.items()} == expected.star
    assert totals["read"] == {"events": expected.events_rows, "songs": expected.songs_rows}
    by_source = folders.query(
        "SELECT source, rule, count(*) FROM audit.rejected_row GROUP BY ALL ORDER BY ALL"
    )
    assert by_source == [
        (source, rule, count)
        for source, rules in sorted(expected.refused.items())
        for rule, count in sorted(rules.items())
    ]
    assert sum(totals["refused"].values()) == sum(expected.refused_total.values())
    (found,) = folders.query(
        "SELECT count(song_id), count(artist_id), count(DISTINCT song_id),"
        " count(DISTINCT artist_id) FROM sparkify.songplays"
    )
    assert found == (
        *(expected.plays_with_song, expected.plays_with_artist, expected.songs_played),
        expected.artists_played,
    )
    levels = dict(folders.query("SELECT level, count(*) FROM sparkify.users GROUP BY ALL"))
    assert levels == {k: n for k, n in expected.users_by_level.items() if n}
    out_of_scope = {key: totals["accounts"][key, "out_of_scope"] for key in expected.out_of_scope}
    assert out_of_scope == expected.out_of_scope
