"""Synthetic Sparkify data of any size, with known answers.

The logs and songs resemble the real ones, including their quirks: double-encoded names, stray
blanks, logged-out events without names, artists credited with guests, missing years and places,
plays that share a timestamp. The content of a warehouse after one load of everything is counted
while the files are written; no file is read back.
"""

import json
import os
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import date
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from random import Random
from typing import Final

from .broken_records import broken_events, broken_songs, keep_apart, leaves_record_open
from .events import Simulation, epoch_ms
from .songs import Song, SongFiles, build_catalogue, build_repertoire
from .text import Wordsmith

__all__ = ["Expected", "generate"]

_START: Final = date(2018, 11, 1)
_FIRST_DAY: Final = date(2000, 1, 1).toordinal()
_LAST_DAY: Final = date(2100, 12, 31).toordinal()


@dataclass(frozen=True, slots=True)
class Expected:
    """The result of loading all generated files into an empty warehouse.

    ``events``, ``songs``, ``days``, ``seed``, ``dirty`` and ``start`` (ISO date) are the arguments.
    Everything else is a number of rows or records, unless noted.
    """

    events: int
    songs: int
    days: int
    seed: int
    dirty: float
    start: str
    events_rows: int
    """records in log_data, including broken ones"""
    songs_rows: int
    """records in song_data, including broken ones; one a file"""
    refused: dict[str, dict[str, int]]
    """source ('events', 'songs') -> first violated rule -> records; rules at 0 are absent"""
    refused_total: dict[str, int]
    """source -> records"""
    star: dict[str, int]
    """table -> rows"""
    users_by_level: dict[str, int]
    """'free', 'paid' -> users"""
    plays_with_song: int
    plays_with_artist: int
    """plays with an artist_id, including those with a song_id"""
    songs_played: int
    """distinct song_id in songplays"""
    artists_played: int
    """distinct artist_id in songplays"""
    out_of_scope: dict[str, int]
    """target fed by events ('users', 'time', 'songplays') -> accepted events out of its scope"""
    duplicate: dict[str, int]
    """target -> accepted events whose key another event already has"""
    merged: dict[str, int]
    """target -> keys; out_of_scope + duplicate + merged are the accepted events"""
    damaged_names: int
    """distinct texts of song and artist in the logs that text repair changes"""
    trimmed_names: int
    """distinct texts of song and artist in the logs that have stray blanks once repaired"""

    def to_json(self) -> str:
        """The content of expected.json."""
        return json.dumps(asdict(self), sort_keys=True, indent=2) + "\n"


def generate(
    directory: str | os.PathLike[str],
    *,
    events: int = 10_000,
    songs: int = 100,
    days: int = 30,
    seed: int = 0,
    dirty: float = 0.0,
    start: date = _START,
) -> Expected:
    """Writes ``log_data/``, ``song_data/`` and ``expected.json``; returns the expected results.

    No key has two contents, so the files may be loaded in any order and any split. The bytes
    depend on the arguments alone. Folders are created as needed; an existing expected.json is
    replaced.

    :param events: number of valid log records, ordered by ts, in
        ``log_data/YYYY/MM/YYYY-MM-DD-events.json``, a file for each day.
    :param songs: number of valid song records, in ``song_data/A/B/C/TR….json``, one a file.
    :param days: number of days (UTC) from ``start``.
    :param dirty: share of broken records (0 to 1) added to both; the valid ones do not change.
    :raises ValueError: for a negative number, days < 1, dirty outside 0..1, days outside
        2000..2100, or a log_data or song_data that exists and is not an empty folder.
    :raises OSError: when the files cannot be written.
    """
    start = date(start.year, start.month, start.day)  # without the time of a datetime
    _check(events, songs, days, seed, dirty, start)
    root = Path(directory)
    for name in ("log_data", "song_data"):
        _require_empty(root / name)

    smith = Wordsmith(_stream(seed, 0))
    catalogue = build_catalogue(_stream(seed, 1), smith, songs)
    repertoire = build_repertoire(_stream(seed, 2), smith, catalogue)
    simulation = Simulation(_stream(seed, 3), repertoire, events, days, start)

    bad_songs = list(islice(broken_songs(_stream(seed, 4), songs), _share(songs, dirty)))
    bad_events = list(
        islice(broken_events(_stream(seed, 5), epoch_ms(start)), _share(events, dirty))
    )
    _write_songs(root / "song_data", _stream(seed, 6), catalogue, bad_songs)
    _write_logs(root / "log_data", _stream(seed, 7), simulation, bad_events)

    refused = {
        source: dict(sorted(Counter(rule for rule, _ in bad).items()))
        for source, bad in (("events", bad_events), ("songs", bad_songs))
    }
    plays = list(zip(repertoire.hits, repertoire.matches, strict=True))
    users = simulation.users_by_level()
    merged = {
        "users": sum(users.values()),
        "time": simulation.distinct_ts,
        "songplays": sum(repertoire.hits),
    }
    out_of_scope = {
        "users": simulation.logged_out,
        "time": 0,
        "songplays": events - merged["songplays"],
    }
    expected = Expected(
        events=events,
        songs=songs,
        days=days,
        seed=seed,
        dirty=float(dirty),
        start=start.isoformat(),
        events_rows=events + len(bad_events),
        songs_rows=songs + len(bad_songs),
        refused=refused,
        refused_total={source: sum(rules.values()) for source, rules in refused.items()},
        star={
            "songs": len(catalogue),
            "artists": len({song.artist_id for song in catalogue}),
            **merged,
        },
        users_by_level=users,
        plays_with_song=sum(hits for hits, (song, _) in plays if song),
        plays_with_artist=sum(hits for hits, (_, artist) in plays if artist),
        songs_played=len({song for hits, (song, _) in plays if hits and song}),
        artists_played=len({artist for hits, (_, artist) in plays if hits and artist}),
        out_of_scope=out_of_scope,
        duplicate={key: events - out_of_scope[key] - rows for key, rows in merged.items()},
        merged=merged,
        damaged_names=len(repertoire.damaged_texts),
        trimmed_names=len(repertoire.trimmed_texts),
    )
    (root / "expected.json").write_text(expected.to_json(), encoding="ascii", newline="\n")
    return expected


def _check(events: int, songs: int, days: int, seed: int, dirty: float, start: date) -> None:
    for name, value in (("events", events), ("songs", songs), ("seed", seed)):
        if value < 0:
            raise ValueError(f"{name} must not be negative, but is {value}")
    if days < 1:
        raise ValueError(f"days must be at least 1, but is {days}")
    if not 0 <= dirty <= 1:
        raise ValueError(f"dirty is a share from 0 to 1, but is {dirty}")
    if start.toordinal() < _FIRST_DAY or start.toordinal() + days - 1 > _LAST_DAY:
        raise ValueError(f"days must be within the years 2000 to 2100, but are {days} from {start}")


def _require_empty(directory: Path) -> None:
    if directory.exists() and not (directory.is_dir() and not any(directory.iterdir())):
        raise ValueError(f"{directory} exists and is not an empty folder; choose another directory")


def _stream(seed: int, number: int) -> Random:
    """A random generator for each purpose, so that none affects another."""
    return Random(seed * 8 + number)


def _share(count: int, dirty: float) -> int:
    return int(count * dirty + 0.5)


def _write_songs(
    directory: Path, rng: Random, catalogue: list[Song], bad: list[tuple[str, str]]
) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    files = SongFiles(directory, rng, len(catalogue))
    for number, song in enumerate(catalogue):
        files.write(number, song.as_json().encode("ascii"))
    for number, (_, text) in enumerate(bad, len(catalogue)):
        files.write(number, text.encode("latin-1"))


def _write_logs(
    directory: Path, rng: Random, simulation: Simulation, bad: list[tuple[str, str]]
) -> None:
    hours = simulation.days * 24
    hour = 0
    open_lines = {line for rule, line in bad if leaves_record_open(rule, line)}
    for day, chunks in groupby(simulation.hours(), key=itemgetter(0)):
        folder = directory / f"{day.year}" / f"{day.month:02}"
        folder.mkdir(parents=True, exist_ok=True)
        separator = ""
        waiting: list[str] = []
        with (folder / f"{day.isoformat()}-events.json").open("wb") as out:
            for _, valid in chunks:
                first, last = (len(bad) * turn // hours for turn in (hour, hour + 1))
                mixed = _mixed(rng, valid, [line for _, line in bad[first:last]])
                lines, left = keep_apart(waiting + mixed, open_lines)
                # The first lines of the next hour may have to precede the open ones.
                ready, waiting = lines[: len(lines) - left], lines[len(lines) - left :]
                hour += 1
                if ready:
                    out.write((separator + "\n".join(ready)).encode("latin-1"))
                    separator = "\n"
            if waiting:
                out.write((separator + "\n".join(waiting)).encode("latin-1"))


def _mixed(rng: Random, valid: list[str], bad: list[str]) -> list[str]:
    """All lines of both lists, each in its order, the bad ones at random places."""
    out: list[str] = []
    done = 0
    places = sorted(int(rng.random() * (len(valid) + 1)) for _ in bad)
    for place, line in zip(places, bad, strict=True):
        out += valid[done:place]
        out.append(line)
        done = place
    return out + valid[done:]
