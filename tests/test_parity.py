"""The same objects on S3 lead to the same star, refusals and books on both engines."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from support.fuzzing import examples
from support.realdata import DATA
from support.records import event_line, song_line
from support.reference import Reference
from support.reference_checks import expected_star, same_books
from support.warehouses import OnDuckDB, OnRedshift, Source

from sparkify_dwh import Run
from sparkify_dwh.sample.generate import generate

NO_LIMIT = {"max_reject_ratio": 1.0}


class Both:
    """Both engines on one bucket, and the oracle."""

    def __init__(self, redshift: OnRedshift, duckdb: OnDuckDB, source: Source) -> None:
        self.redshift, self.duckdb, self.source = redshift, duckdb, source
        self.oracle = Reference()
        self._new: dict[str, list[tuple[str, bytes]]] = {"events": [], "songs": []}
        self.known: dict[str, dict[str, bytes]] = {"events": {}, "songs": {}}

    def put(self, kind: str, name: str, data: bytes | str) -> None:
        data = data.encode() if isinstance(data, str) else data
        address = self.source.put(kind, name, data)
        self._new[kind].append((address, data))
        self.known[kind][address] = data

    def load(self, **options: Any) -> tuple[Run, Run]:
        """Loads on both; the star and the books are equal, and those of the oracle."""
        ours, theirs = self.redshift.load(**options), self.duckdb.load(**options)
        if options.get("all"):
            self._new = {kind: sorted(held.items()) for kind, held in self.known.items()}
        books = self.oracle.load(**self._new)
        self._new = {"events": [], "songs": []}
        assert self.redshift.star() == self.duckdb.star() == expected_star(self.oracle)
        assert ours.event == theirs.event
        assert [asdict(b) for b in ours.sources] == [asdict(b) for b in theirs.sources]
        assert [asdict(a) for a in ours.targets] == [asdict(a) for a in theirs.targets]
        assert ours.measures == theirs.measures
        if ours.event == "loaded":
            same_books(ours, books)
        same_refusals(self.redshift.refused(ours), self.duckdb.refused(theirs))
        return ours, theirs


def same_refusals(ours: Counter[Any], theirs: Counter[Any]) -> None:
    """The same records by the same rules; with the same place where Redshift reports it."""
    assert by_rule(ours) == by_rule(theirs)
    placed = Counter({row: n for row, n in ours.items() if row[2] is not None})
    assert placed - theirs == Counter()


def by_rule(refused: Counter[Any]) -> Counter[Any]:
    found: Counter[Any] = Counter()
    for (name, rule, *_), count in refused.items():
        found[name, rule] += count
    return found


@pytest.fixture
def both(on_redshift: OnRedshift, on_duckdb: OnDuckDB, source: Source) -> Both:
    on_redshift.use(**NO_LIMIT)
    on_duckdb.warehouse.settings = on_duckdb.warehouse.settings.model_copy(update=NO_LIMIT)
    return Both(on_redshift, on_duckdb, source)


@pytest.mark.realdata
def test_the_real_logs_newest_half_first_and_songs_last(both: Both) -> None:
    days = sorted((DATA / "log_data").rglob("*.json"))
    for day in days[15:]:
        both.put("events", day.name, day.read_bytes())
    both.load()
    for day in days[:15]:
        both.put("events", day.name, day.read_bytes())
    for path in sorted((DATA / "song_data").rglob("*.json")):
        both.put("songs", path.name, path.read_bytes())
    ours, _ = both.load()
    stale = {a.target: a.stale for a in ours.targets}["users"]
    assert stale > 0
    star = both.redshift.star()
    sizes = {"users": 97, "time": 8023, "songplays": 6820, "songs": 71, "artists": 69}
    assert {table: len(rows) for table, rows in star.items()} == sizes
    assert Counter(row[4] for row in star["users"]) == {"free": 75, "paid": 22}
    assert sum(row[6] is not None for row in star["songplays"]) == 21
    (play,) = (row for row in star["songplays"] if row[5] is not None)
    assert play[:3] == (818, 5, datetime(2018, 11, 21, 21, 56, 47, 796000))
    assert both.redshift.warehouse.check().passed


@pytest.mark.parametrize("seed", range(3, 3 + examples(1, 8)))
def test_generated_dirty_data_day_by_day(both: Both, seed: int, tmp_path: Path) -> None:
    expected = generate(
        tmp_path / "made",
        events=900,
        songs=150,
        days=2,
        seed=seed,
        dirty=0.25,
        start=date(2018, 12, 30),
    )
    songs = sorted((tmp_path / "made" / "song_data").rglob("*.json"))
    for path in songs[:100]:
        both.put("songs", path.name, path.read_bytes())
    refused: Counter[Any] = Counter()
    for day in sorted((tmp_path / "made" / "log_data").rglob("*.json")):
        both.put("events", day.name, day.read_bytes())
        ours, _ = both.load()
        refused += by_rule(both.redshift.refused(ours))
        for path in songs[100:]:
            both.put("songs", path.name, path.read_bytes())
        songs = songs[:100]
    assert refused == Counter(
        {(s, rule): n for s, rules in expected.refused.items() for rule, n in rules.items()}
    )
    star = both.redshift.star()
    assert {table: len(rows) for table, rows in star.items()} == expected.star


def test_late_songs_corrections_stale_users_and_replays(both: Both) -> None:
    both.put(
        "events",
        "new.json",
        event_line()
        + event_line(itemInSession=1, ts=1541106206797, level="paid", song="Other")
        # One key, two contents, inside one load.
        + event_line(itemInSession=1, ts=1541106206797, level="paid", song="Another"),
    )
    both.load()
    both.put("songs", "late.json", song_line())
    ours, _ = both.load()
    assert {a.target: a.resolved_again for a in ours.targets}["songplays"] == 2
    both.put("events", "old.json", event_line(itemInSession=7, ts=1541000000001, level="free"))
    ours, _ = both.load()
    assert {a.target: a.stale for a in ours.targets}["users"] == 1
    # A correction: the same keys with other contents, in new objects and in a changed one.
    both.put(
        "events",
        "new.json",
        event_line(location="Reno, NV") + event_line(length=1.5, sessionId=140),
    )
    both.put("songs", "fixed.json", song_line(title="Setanta", year=1999, artist_latitude=None))
    ours, _ = both.load()
    books = {a.target: a for a in ours.targets}
    assert books["songs"].replaced == 1 and books["songplays"].resolved_again == 1
    assert [book.changed for book in ours.sources] == [0, 1]
    assert both.load()[0].event == "nothing new"
    ours, _ = both.load(all=True)
    assert [a.merged for a in ours.targets] == [a.replaced for a in ours.targets]


def test_forms_of_input(both: Both) -> None:
    """Spellings, nesting, blanks, several records a line, gzip, and what is refused of them."""
    import gzip

    pretty = json.dumps(json.loads(event_line(itemInSession=20)), indent=2)
    both.put("events", "a.json", "\ufeff" + event_line(userId=8, ts="1541106106796", length="1e2"))
    both.put(
        "events", "b.json", f"\r\n{pretty}\r\n\r\n" + event_line(itemInSession=21, ts=1.5431e12)
    )
    both.put(
        "events", "c.json", event_line(itemInSession=22).strip() + event_line(itemInSession=23)
    )
    both.put("events", "d.json", "")
    both.put("events", "e.json", " \n\n ")
    both.put("events", "f.json", event_line(itemInSession=24, more={"a": [1, {"b": 2}]}))
    both.put("events", "g.json.gz", gzip.compress(event_line(itemInSession=25).encode() * 2))
    both.put("events", "h.json", '{"a": 1}\n{}\n[1]\nnull\n17\n"text"\n')
    both.put(
        "events", "i.json", event_line(song=["a", "b"]) + event_line(song='["a","b"]', sessionId=7)
    )
    both.put(
        "events",
        "j.json",
        event_line(page={"x": 1.50}) + event_line(song="[not json]", sessionId=9),
    )
    both.put("events", "k.json", event_line(status=float("nan"), sessionId=11))
    both.put("events", "l.json", event_line(artist="\u0000") + event_line(artist="\ud800"))
    both.put("events", "m.json", b'{"artist": "\xff"}\n' + b'{"page": "NextSong"\n')
    both.put("events", "n.json", '{"ts": "' + "9" * 70 + '"}\n')
    both.put("events", "o.json", event_line(song="\u00a0 x\u3000", artist="BjÃ¶rk", sessionId=12))
    both.put("events", "p.json", event_line(firstName="").encode("utf-16"))
    ours, theirs = both.redshift.load(), both.duckdb.load()
    assert both.redshift.star() == both.duckdb.star()
    assert both.redshift.rules(ours) - both.duckdb.rules(theirs) == {("events", "too_long"): 1}
    assert both.duckdb.rules(theirs) - both.redshift.rules(ours) == {("events", "ts_valid"): 1}
    assert [asdict(a) for a in ours.targets][2:] == [
        {**asdict(a), "staged": a.staged - 1, "refused": a.refused - 1} for a in theirs.targets
    ][2:]
    names = {row[2].rsplit("/", 1)[1] for row in both.redshift.refused(ours) if row[2]}
    assert names == {f"{letter}.json" for letter in "hijlmnp"}


def test_lines_behind_a_malformed_object(both: Both) -> None:
    """To the reader they may belong to it, up to the next that begins one; COPY refuses each."""
    both.put("events", "a.json", '{"page": "Home\n17\n' + event_line())
    ours, theirs = both.redshift.load(), both.duckdb.load()
    assert both.redshift.star() == both.duckdb.star()
    assert both.duckdb.rules(theirs) == {("events", "malformed_json"): 1}
    assert both.redshift.rules(ours) == {
        ("events", "malformed_json"): 1,
        ("events", "ts_valid"): 1,
    }
