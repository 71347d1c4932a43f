"""The catalogue of synthetic songs, and the repertoire that synthetic users play."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Final, TypeAlias

from .text import EXOTIC_NAMES, PADS, Wordsmith, code, damaged, pick, quoted, shuffled

# Places with their latitude and longitude in 1/100,000 degree.
_PLACES: Final = (
    ("Nashville, TN", 3616778, -8677836), ("California - LA", 3405349, -11824532),
    ("London, England", 5150632, -12714), ("Denmark", 5627609, 951695),
    ("Malmö, Sweden", 5560587, 1300073), ("São Paulo, Brazil", -2354894, -4663882),
    ("Reykjavík, Iceland", 6414548, -2194248), ("Zagreb Croatia", 4580726, 1596760),
    ("東京", 3567048, 13974092), ("Hamtramck, MI", 4239282, -8304970),
    ("Quito, Ecuador", 0, -7852495), ("Wellington, New Zealand", -4128054, 17476717),
)  # fmt: skip
_TITLES_OF_OTHERS: Final = 0.12
_SHARES: Final = (0.45, 0.15, 0.40)  # of plays: catalogue, a known artist only, neither

_Work: TypeAlias = tuple[str, str, int]  # title, credited artist, duration in 1/100,000 s


@dataclass(frozen=True, slots=True)
class Song:
    """One song; duration, latitude and longitude in 1/100,000 of a second or degree."""

    song_id: str
    artist_id: str
    artist_name: str
    title: str
    duration: int
    year: int
    location: str
    point: tuple[int, int] | None

    def as_json(self) -> str:
        """The content of the file of the song, with the keys in the order of the real files."""
        latitude, longitude = self.point or (None, None)
        return json.dumps(
            {
                "num_songs": 1,
                "artist_id": self.artist_id,
                "artist_latitude": None if latitude is None else latitude / 100_000,
                "artist_longitude": None if longitude is None else longitude / 100_000,
                "artist_location": self.location,
                "artist_name": self.artist_name,
                "song_id": self.song_id,
                "title": self.title,
                "duration": self.duration / 100_000,
                "year": self.year,
            }
        )


@dataclass(frozen=True, slots=True)
class _Artist:
    artist_id: str
    name: str
    location: str
    point: tuple[int, int] | None


def _some_duration(rng: Random) -> int:
    return 2_000_000 + int((rng.random() + rng.random()) * 22_000_000)


def _new_artist(rng: Random, smith: Wordsmith, artists: list[_Artist]) -> _Artist:
    if artists and rng.random() < 0.02:
        name = pick(rng, artists).name  # two artists of one name
    else:
        name = smith.artist()
    place, latitude, longitude = pick(rng, _PLACES)
    return _Artist(
        code("AR", int(rng.random() * 26**5), len(artists)),
        name,
        place if rng.random() < 0.65 else "",
        (latitude, longitude + len(artists) % 1000) if rng.random() < 0.45 else None,
    )


def build_catalogue(rng: Random, smith: Wordsmith, count: int) -> list[Song]:
    """``count`` songs with distinct ids, by about 0.6 times as many artists.

    The songs of an artist have the same location and point or none, so no artist has two contents.
    """
    songs: list[Song] = []
    artists: list[_Artist] = []
    owners: list[_Artist] = []
    for number in range(count):
        if songs and rng.random() < 0.05:  # same title and artist, other duration
            twin = int(rng.random() * number)
            artist, credit, title = owners[twin], songs[twin].artist_name, songs[twin].title
        else:
            if not artists or rng.random() < 0.64:
                artists.append(_new_artist(rng, smith, artists))
                artist = artists[-1]
            else:
                artist = artists[int(rng.random() * rng.random() * len(artists))]
            credit, title = artist.name, smith.title()
            if rng.random() < 0.08:
                credit = f"{artist.name} feat. {pick(rng, artists).name}"
        owners.append(artist)
        songs.append(
            Song(
                code("SO", int(rng.random() * 26**5), number),
                artist.artist_id,
                credit,
                title,
                _some_duration(rng),
                0 if rng.random() < 0.32 else 1960 + int(rng.random() * 51),
                artist.location if rng.random() < 0.85 else "",
                artist.point if rng.random() < 0.85 else None,
            )
        )
    return songs


class SongFiles:
    """Writes song files into folders named after their track ids."""

    def __init__(self, directory: Path, rng: Random, count: int) -> None:
        self._directory = directory
        self._rng = rng
        self._folders = min(26**3, 1 + count // 20)
        self._made: set[str] = set()

    def write(self, number: int, content: bytes) -> None:
        """Writes the file of a track; each number must be written once."""
        folder = int(self._rng.random() * self._folders)
        letters = "".join(chr(65 + folder // 26**power % 26) for power in (2, 1, 0))
        track = code(f"TR{letters}", int(self._rng.random() * 26**2), number)
        path = f"{self._directory}/{letters[0]}/{letters[1]}/{letters[2]}"
        if path not in self._made:
            Path(path).mkdir(parents=True, exist_ok=True)
            self._made.add(path)
        with open(f"{path}/{track}.json", "wb") as out:  # noqa: PTH123 (half the time of Path)
            out.write(content)


@dataclass(slots=True)
class Repertoire:
    """The works that can be played, by number."""

    fragments: list[tuple[str, str, str, int]] = field(default_factory=list)
    """artist, length and song as JSON, and the length in ms"""
    weights: list[float] = field(default_factory=list)
    """cumulative likelihoods"""
    exotic: list[bool] = field(default_factory=list)
    """whether artist or song is not ASCII"""
    hits: list[int] = field(default_factory=list)
    """number of plays of each, counted by the caller"""
    matches: list[tuple[str | None, str | None]] = field(default_factory=list)
    """(song_id, artist_id) that a play resolves to"""
    damaged_texts: set[str] = field(default_factory=set)
    """distinct texts returned with damage, as written"""
    trimmed_texts: set[str] = field(default_factory=set)
    """distinct texts returned with stray blanks, as written"""
    _works: list[_Work] = field(default_factory=list)
    _damaged: dict[int, tuple[str, str]] = field(default_factory=dict)

    def damaged(self, number: int) -> tuple[str, str]:
        """Artist and song of a work as JSON, with duplicate encoding."""
        known = self._damaged.get(number)
        if known is None:
            song, artist, _ = self._works[number]
            known = self._damaged[number] = self._damage(artist), self._damage(song)
        return known

    def padded(self, number: int, pad: int, damage: bool) -> tuple[str, str]:
        """Artist and song of a work as JSON, with stray blanks around one or both.

        :param pad: chooses the blanks.
        :param damage: whether the text, with its blanks, gets duplicate encoding.
        """
        song, artist, _ = self._works[number]
        before, after = PADS[pad % len(PADS)]
        texts = [artist, f"{before}{song}{after}"]
        if pad % 4 == 0:
            texts[0] = f"{before}{artist}{after}"
        for text in texts[pad % 4 != 0 :]:
            self.trimmed_texts.add(damaged(text) if damage else text)
        if damage:
            return self._damage(texts[0]), self._damage(texts[1])
        return quoted(texts[0]), quoted(texts[1])

    def _damage(self, text: str) -> str:
        raw = damaged(text)
        if raw != text:
            self.damaged_texts.add(raw)
        return quoted(raw)


def build_repertoire(rng: Random, smith: Wordsmith, songs: list[Song]) -> Repertoire:
    """Works of the catalogue, other works by its artists, and works unknown to it.

    Each is resolved by the catalogue and not by its kind: a work made to match nothing may match
    by accident.
    """
    kinds: list[list[_Work]] = [
        [(song.title, song.artist_name, song.duration) for song in songs],
        [],
        [],
    ]
    for song in songs[::12]:  # a duration that no song has
        kinds[0].append((song.title, song.artist_name, song.duration + 50_001))
    for _ in range(20 + len(songs) // 2 if songs else 0):
        title = pick(rng, songs).title.upper() if rng.random() < 0.1 else smith.title()
        kinds[1].append((title, pick(rng, songs).artist_name, _some_duration(rng)))
    for index in range(100 + len(songs)):
        title = smith.title()
        if songs and rng.random() < _TITLES_OF_OTHERS:
            title = pick(rng, songs).title
        artist = pick(rng, EXOTIC_NAMES) + " Tribute" if index % 50 == 7 else smith.artist()
        if songs and index % 60 == 11:
            artist = pick(rng, songs).artist_name.upper()
        kinds[2].append((title, artist, _some_duration(rng)))

    out = Repertoire()
    resolve = _Resolver(songs)
    weights: list[float] = []
    for works, share in zip(kinds, _SHARES, strict=True):
        raw = [1.0 / (rank + 4) for rank in range(len(works))]
        total = list(accumulate(raw))[-1] if raw else 1.0
        weights += [weight * share / total for weight in raw]
        out._works += shuffled(rng, works)
    out.weights = list(accumulate(weights))
    for work in out._works:
        title, artist, duration = work
        out.fragments.append(
            (quoted(artist), repr(duration / 100_000), quoted(title), duration // 100)
        )
        out.exotic.append(not (title + artist).isascii())
        out.matches.append(resolve(work))
    out.hits = [0] * len(out._works)
    return out


class _Resolver:
    """Resolves plays as a load does, from the clean texts of the catalogue."""

    def __init__(self, songs: Iterable[Song]) -> None:
        self._songs: dict[tuple[str, str], list[Song]] = {}
        self._artists: dict[str, str] = {}
        for song in songs:
            self._songs.setdefault((song.title, song.artist_name), []).append(song)
            known = self._artists.setdefault(song.artist_name, song.artist_id)
            self._artists[song.artist_name] = min(known, song.artist_id)

    def __call__(self, work: _Work) -> tuple[str | None, str | None]:
        title, artist, duration = work
        songs = self._songs.get((title, artist))
        if songs is None:
            return None, self._artists.get(artist)
        best = min(songs, key=lambda song: (song.duration != duration, -song.year, song.song_id))
        return best.song_id, best.artist_id
