"""The oracle: the whole warehouse as rules.md says it must behave, in plain Python.

`Reference().load(events=[(name, bytes), ...], songs=[...])` is one load of new objects and returns
its `Books`; the tables are dicts by natural key. Nothing here is shared with the loader. Reading
and judging are in `reference_parse.py`.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from support.reference_parse import (
    WARNINGS,
    Record,
    Row,
    Values,
    judge_event,
    judge_song,
    parse_object,
)

Objects = Iterable[tuple[str, bytes]]

COLUMNS: dict[str, tuple[str, ...]] = {
    "songs": ("song_id", "title", "artist_id", "artist_name", "year", "duration"),
    "artists": ("artist_id", "name", "location", "latitude", "longitude"),
    "users": (
        *("user_id", "first_name", "last_name", "gender", "level", "registered_at"),
        "last_seen_at",
    ),
    "time": (
        *("start_time", "hour", "day", "week", "month", "year", "weekday", "day_name"),
        "is_weekend",
    ),
    "songplays": (
        *("session_id", "item_in_session", "start_time", "user_id", "level", "song_id"),
        *("artist_id", "song_title", "artist_name", "duration", "location", "user_agent"),
    ),
}
RESOLVED = ("song_id", "artist_id")
FED_BY = {
    "songs": "songs",
    "artists": "songs",
    "users": "events",
    "time": "events",
    "songplays": "events",
}
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Refusal(NamedTuple):
    source: str
    rule: str
    object: str
    line: int
    raw: bytes


@dataclass
class SourceBooks:
    read: int = 0
    staged: int = 0
    refused_by_parser: int = 0


@dataclass
class TargetBooks:
    staged: int = 0
    refused: int = 0
    out_of_scope: int = 0
    duplicate: int = 0
    stale: int = 0
    merged: int = 0
    replaced: int = 0


@dataclass
class Books:
    """`violations` counts every row rule separately over the staged rows, warnings too.
    `plays_resolved`: stored plays, not in this load, whose resolution changed.
    `artists_recomputed`: artists not staged in this load whose row changed."""

    sources: dict[str, SourceBooks] = field(
        default_factory=lambda: {source: SourceBooks() for source in ("events", "songs")}
    )
    targets: dict[str, TargetBooks] = field(
        default_factory=lambda: {target: TargetBooks() for target in COLUMNS}
    )
    refusals: list[Refusal] = field(default_factory=list)
    violations: dict[str, Counter[str]] = field(
        default_factory=lambda: {"events": Counter(), "songs": Counter()}
    )
    plays_resolved: int = 0
    artists_recomputed: int = 0

    def check(self) -> None:
        for source, s in self.sources.items():
            assert s.read == s.staged + s.refused_by_parser, (source, s)
            by_rule = self.targets["time" if source == "events" else "songs"].refused
            refusals = sum(1 for refusal in self.refusals if refusal.source == source)
            assert refusals == s.refused_by_parser + by_rule, (source, s)
        for target, t in self.targets.items():
            assert t.staged == self.sources[FED_BY[target]].staged, (target, t)
            accounted = t.refused + t.out_of_scope + t.duplicate + t.stale + t.merged
            assert t.staged == accounted, (target, t)


def rank(row: Row, columns: Iterable[str]) -> tuple[Any, ...]:
    """Sorts by the columns in this order, NULL lowest, texts by code point."""
    return tuple((row[column] is not None, row[column]) for column in columns)


def cut(row: Row, target: str) -> Row:
    """The columns of a target's table; the resolved ones come later."""
    return {column: row.get(column) for column in COLUMNS[target]}


def user_rank(row: Row) -> tuple[Any, ...]:
    return rank(row, ("last_seen_at", *COLUMNS["users"]))


def play_rank(row: Row) -> tuple[Any, ...]:
    staged = [column for column in COLUMNS["songplays"] if column not in RESOLVED]
    return rank(row, ("start_time", *staged))


def song_rank(row: Row) -> tuple[Any, ...]:
    filled = sum(row[column] is not None for column in COLUMNS["songs"])
    return filled, *rank(row, COLUMNS["songs"])


def time_row(row: Row) -> Row:
    at = row["start_time"]
    return {
        "start_time": at,
        "hour": at.hour,
        "day": at.day,
        "week": at.isocalendar().week,
        "month": at.month,
        "year": at.year,
        "weekday": at.isoweekday(),
        "day_name": DAYS[at.weekday()],
        "is_weekend": at.isoweekday() >= 6,
    }


class Reference:
    """The star's tables, each a dict by natural key, over any number of loads.

    `parse` reads an object; another one stands for an engine that reads otherwise.
    """

    def __init__(self, parse: Callable[[str, str, bytes], list[Record]] = parse_object) -> None:
        self.parse = parse
        self.songs: dict[str, Row] = {}
        self.artists: dict[str, Row] = {}
        self.users: dict[int, Row] = {}
        self.time: dict[Any, Row] = {}
        self.songplays: dict[tuple[int, int], Row] = {}

    def load(self, events: Objects = (), songs: Objects = ()) -> Books:
        """One load of new objects, given as (name, bytes as on disk)."""
        books = Books()
        event_rows = self._read("events", events, judge_event, books)
        song_rows = self._read("songs", songs, judge_song, books)
        sizes = {target: len(getattr(self, target)) for target in COLUMNS}
        old_artist = {song_id: row["artist_id"] for song_id, row in self.songs.items()}
        stored_plays = dict(self.songplays)

        def by(name: str) -> Callable[[Row], Any]:
            return lambda row: row[name]

        self._merge("songs", song_rows, by("song_id"), song_rank, books)
        self._merge_artists(song_rows, old_artist, books)
        in_scope = [row for row in event_rows if row["auth"] == "Logged In"]
        books.targets["users"].out_of_scope = sum(r["auth"] != "Logged In" for r in event_rows)
        self._merge("users", in_scope, by("user_id"), user_rank, books, keep_newer=True)
        times = [time_row(row) for row in event_rows]
        self._merge("time", times, by("start_time"), lambda row: 0, books)
        plays = [row for row in event_rows if row["page"] == "NextSong"]
        books.targets["songplays"].out_of_scope = sum(r["page"] != "NextSong" for r in event_rows)
        key = ("session_id", "item_in_session")
        self._merge("songplays", plays, lambda r: (r[key[0]], r[key[1]]), play_rank, books)
        books.plays_resolved = self._resolve(stored_plays)

        books.check()
        for target, size in sizes.items():
            t = books.targets[target]
            assert len(getattr(self, target)) - size == t.merged - t.replaced, (target, t)
        return books

    def star_rows(self, name: str) -> list[tuple[Any, ...]]:
        """A table's rows in column order, sorted by its key; times are naive UTC."""
        table: dict[Any, Row] = getattr(self, name)
        return [tuple(table[key][column] for column in COLUMNS[name]) for key in sorted(table)]

    def _read(
        self,
        source: str,
        objects: Objects,
        judge: Callable[[Values], tuple[Row, list[str]]],
        books: Books,
    ) -> list[Row]:
        """The accepted rows of a source; refuses the others."""
        accepted, count = [], books.sources[source]
        targets = [books.targets[target] for target, fed_by in FED_BY.items() if fed_by == source]
        for name, data in objects:
            for record in self.parse(source, name, data):
                count.read += 1
                rule = record.rule
                if rule is not None:
                    count.refused_by_parser += 1
                else:
                    count.staged += 1
                    row, judged = judge(record.values)
                    books.violations[source].update(judged)
                    rule = next((each for each in judged if each not in WARNINGS), None)
                    for target in targets:
                        target.staged += 1
                        target.refused += rule is not None
                    if rule is None:
                        accepted.append(row)
                if rule is not None:
                    books.refusals.append(Refusal(source, rule, name, record.line, record.raw))
        return accepted

    def _merge(
        self,
        target: str,
        rows: list[Row],
        key_of: Callable[[Row], Any],
        ranked: Callable[[Row], Any],
        books: Books,
        keep_newer: bool = False,
    ) -> None:
        """One row a key: the greatest of the load, unless the table's own is greater still."""
        count, table = books.targets[target], getattr(self, target)
        best: dict[Any, Row] = {}
        for row in rows:
            key = key_of(row)
            if key in best:
                count.duplicate += 1
                best[key] = max(best[key], row, key=ranked)
            else:
                best[key] = row
        for key, row in best.items():
            if keep_newer and key in table and ranked(table[key]) > ranked(row):
                count.stale += 1
            else:
                count.merged += 1
                count.replaced += key in table
                table[key] = cut(row, target)

    def _merge_artists(self, rows: list[Row], old_artist: dict[str, str], books: Books) -> None:
        count = books.targets["artists"]
        staged: dict[str, list[Row]] = {}
        for row in rows:
            count.duplicate += row["artist_id"] in staged
            staged.setdefault(row["artist_id"], []).append(row)
        count.merged = len(staged)
        count.replaced = sum(artist_id in self.artists for artist_id in staged)
        for artist_id, its_rows in staged.items():
            row = self.artists.setdefault(artist_id, cut({"artist_id": artist_id}, "artists"))
            # Holds only for a new artist all of whose songs went to another in this very load.
            row["name"] = row["name"] or shortest(its_rows)
            locations = [r["location"] for r in its_rows if r["location"] is not None]
            places = [
                (r["latitude"], r["longitude"])
                for r in its_rows
                if r["latitude"] is not None and r["longitude"] is not None
            ]
            if locations:
                row["location"] = max(locations)
            if places:
                row["latitude"], row["longitude"] = max(places)
        left = {
            was for song_id, was in old_artist.items() if self.songs[song_id]["artist_id"] != was
        }
        credits: dict[str, list[Row]] = {}
        for song in self.songs.values():
            credits.setdefault(song["artist_id"], []).append(song)
        for artist_id in (staged.keys() | left) & credits.keys():
            name = shortest(credits[artist_id])
            books.artists_recomputed += (
                artist_id not in staged and name != self.artists[artist_id]["name"]
            )
            self.artists[artist_id]["name"] = name

    def _resolve(self, stored: dict[tuple[int, int], Row]) -> int:
        """Resolve every play against the songs as they are now; count the stored ones changed."""
        by_song: dict[tuple[str, str], list[Row]] = {}
        by_artist: dict[str, str] = {}
        for song in self.songs.values():
            by_song.setdefault((song["title"], song["artist_name"]), []).append(song)
            artist_id = by_artist.get(song["artist_name"], song["artist_id"])
            by_artist[song["artist_name"]] = min(artist_id, song["artist_id"])
        changed = 0
        for key, play in self.songplays.items():
            before = [play[column] for column in RESOLVED]
            found = by_song.get((play["song_title"], play["artist_name"]))
            if found:
                song = min(found, key=lambda song: preference(song, play["duration"]))
                play.update(song_id=song["song_id"], artist_id=song["artist_id"])
            else:
                play.update(song_id=None, artist_id=by_artist.get(play["artist_name"]))
            after = [play[column] for column in RESOLVED]
            changed += stored.get(key) is play and before != after
        return changed


def preference(song: Row, duration: float) -> tuple[Any, ...]:
    """Least is best: the equal duration, the newest year (NULL the oldest), the smallest id."""
    return song["duration"] != duration, -(song["year"] or 0), song["song_id"]


def shortest(songs: list[Row]) -> str:
    """The shortest name that the songs credit, ties by code points."""
    names: list[str] = [song["artist_name"] for song in songs]
    return min(names, key=lambda name: (len(name), name))
