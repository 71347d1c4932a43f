"""The generated files against a naive reading of them that shares no code with the generator."""

import json
import math
import os
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from sparkify_dwh.sample.generate import Expected, generate

EVENT_KEYS = [
    "artist", "auth", "firstName", "gender", "itemInSession", "lastName", "length", "level",
    "location", "method", "page", "registration", "sessionId", "song", "status", "ts",
    "userAgent", "userId",
]  # fmt: skip
SONG_KEYS = [
    "num_songs", "artist_id", "artist_latitude", "artist_longitude", "artist_location",
    "artist_name", "song_id", "title", "duration", "year",
]  # fmt: skip
TARGETS = ("users", "time", "songplays")
Record = dict[str, Any]


def tree(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def read_events(root: Path) -> list[Record]:
    return [
        json.loads(line)
        for path in sorted((root / "log_data").rglob("*.json"))
        for line in path.read_bytes().splitlines()
    ]


def read_songs(root: Path) -> list[Record]:
    return [json.loads(path.read_bytes()) for path in sorted((root / "song_data").rglob("*.json"))]


def repair(text: str) -> str:
    for _ in range(3):
        if text.isascii():
            break
        try:
            text = text.encode("latin-1").decode("utf-8")
        except UnicodeError:
            break
    return text


def clean(text: str) -> str:
    return repair(text).strip()


def resolve(play: Record, songs: list[Record]) -> tuple[str | None, str | None]:
    title, artist = clean(play["song"]), clean(play["artist"])
    credited = [song for song in songs if clean(song["artist_name"]) == artist]
    same = [song for song in credited if clean(song["title"]) == title]
    if same:
        same.sort(key=lambda song: song["song_id"])
        same.sort(key=lambda song: song["year"], reverse=True)
        same.sort(key=lambda song: song["duration"] == play["length"], reverse=True)
        return same[0]["song_id"], same[0]["artist_id"]
    return None, min((song["artist_id"] for song in credited), default=None)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Expected]:
    root = tmp_path_factory.mktemp("made")
    return root, generate(root, events=6000, songs=150, days=9, seed=3)


def test_expected_json_is_the_returned_object(made: tuple[Path, Expected]) -> None:
    root, expected = made
    text = (root / "expected.json").read_text(encoding="utf-8")
    assert json.loads(text) == asdict(expected)
    assert text == json.dumps(asdict(expected), indent=2, sort_keys=True) + "\n"
    assert (expected.events, expected.songs, expected.days, expected.seed) == (6000, 150, 9, 3)
    assert (expected.dirty, expected.start) == (0.0, "2018-11-01")


def test_files_look_like_the_real_ones(made: tuple[Path, Expected]) -> None:
    root, _ = made
    logs = sorted((root / "log_data").rglob("*.json"))
    assert [path.relative_to(root).as_posix() for path in logs] == [
        f"log_data/2018/11/2018-11-{day:02}-events.json" for day in range(1, 10)
    ]
    for path in logs:
        raw = path.read_bytes()
        assert raw.isascii() and not raw.endswith(b"\n")
        stamps = [json.loads(line)["ts"] for line in raw.splitlines()]
        assert stamps == sorted(stamps)
        days = {datetime.fromtimestamp(ts / 1000, UTC).date().isoformat() for ts in stamps}
        assert days == {path.name[:10]}
    for event in read_events(root):
        assert list(event) == EVENT_KEYS
        assert type(event["ts"]) is type(event["sessionId"]) is type(event["status"]) is int
        assert type(event["userId"]) is str
        if event["auth"] == "Logged In":
            assert int(event["userId"]) > 0
            assert type(event["registration"]) is float
            assert event["registration"] < event["ts"]
            assert event["gender"] in ("F", "M")
        else:
            assert event["userId"] == ""
            assert {event[key] for key in ("firstName", "location", "userAgent")} == {None}
        played = event["page"] == "NextSong"
        assert all((event[key] is not None) == played for key in ("artist", "song", "length"))
    for path in (root / "song_data").rglob("*.json"):
        raw = path.read_bytes()
        assert raw.isascii() and raw.endswith(b"}")
        assert list(json.loads(raw)) == SONG_KEYS
        assert path.name.startswith("TR") and len(path.stem) == 18
        assert path.relative_to(root / "song_data").parts[:3] == tuple(path.name[2:5])


def test_counts(made: tuple[Path, Expected]) -> None:
    root, expected = made
    events, songs = read_events(root), read_songs(root)
    known = [event for event in events if event["auth"] == "Logged In"]
    plays = [event for event in events if event["page"] == "NextSong"]
    assert expected.events_rows == len(events) == 6000
    assert expected.songs_rows == len(songs) == 150
    assert expected.refused == {"events": {}, "songs": {}}
    assert expected.refused_total == {"events": 0, "songs": 0}
    assert expected.star == {
        "songs": len({song["song_id"] for song in songs}),
        "artists": len({song["artist_id"] for song in songs}),
        "users": len({event["userId"] for event in known}),
        "time": len({event["ts"] for event in events}),
        "songplays": len({(play["sessionId"], play["itemInSession"]) for play in plays}),
    }
    newest = {event["userId"]: event for event in sorted(known, key=lambda event: event["ts"])}
    assert expected.users_by_level == Counter(event["level"] for event in newest.values())
    assert expected.merged == {target: expected.star[target] for target in TARGETS}
    assert expected.out_of_scope == {
        "users": len(events) - len(known),
        "time": 0,
        "songplays": len(events) - len(plays),
    }
    for target in TARGETS:
        parts = (expected.out_of_scope, expected.duplicate, expected.merged)
        assert sum(part[target] for part in parts) == len(events)


def test_plays_resolve_as_expected(made: tuple[Path, Expected]) -> None:
    root, expected = made
    songs = read_songs(root)
    plays = [event for event in read_events(root) if event["page"] == "NextSong"]
    found = [resolve(play, songs) for play in plays]
    assert expected.plays_with_song == sum(song is not None for song, _ in found)
    assert expected.plays_with_artist == sum(artist is not None for _, artist in found)
    assert expected.songs_played == len({song for song, _ in found} - {None})
    assert expected.artists_played == len({artist for _, artist in found} - {None})
    assert 0 < expected.plays_with_song < expected.plays_with_artist < len(plays)

    texts = {play[key] for play in plays for key in ("song", "artist")}
    assert expected.damaged_names == sum(repair(text) != text for text in texts) > 10
    assert expected.trimmed_names == sum(clean(text) != repair(text) for text in texts) > 5
    plain = [
        (song["title"], song["artist_name"])
        for song in songs
        if not (song["title"] + song["artist_name"]).isascii()
    ]
    assert any(
        play["song"] != clean(play["song"])
        and (clean(play["song"]), clean(play["artist"])) in plain
        for play in plays
    )


def test_no_key_has_two_contents(made: tuple[Path, Expected]) -> None:
    root, _ = made
    events, songs = read_events(root), read_songs(root)
    assert len({(event["sessionId"], event["itemInSession"]) for event in events}) == len(events)
    assert len({song["song_id"] for song in songs}) == len(songs)
    known = [event for event in events if event["auth"] == "Logged In"]
    assert len({(event["userId"], event["ts"]) for event in known}) == len(known)
    users: dict[str, set[tuple[str, ...]]] = {}
    for event in known:
        content = tuple(str(event[key]) for key in ("firstName", "lastName", "registration"))
        users.setdefault(event["userId"], set()).add(content)
    assert all(len(contents) == 1 for contents in users.values())
    for keys in (("artist_location",), ("artist_latitude", "artist_longitude")):
        contents = {(song["artist_id"], *(song[key] for key in keys)) for song in songs}
        present = [content for content in contents if content[1] not in ("", None)]
        assert len({content[0] for content in present}) == len(present)


def test_the_content_exercises_the_rules(made: tuple[Path, Expected]) -> None:
    root, _ = made
    events, songs = read_events(root), read_songs(root)
    pages = Counter(event["page"] for event in events)
    assert 0.75 < pages["NextSong"] / len(events) < 0.9
    assert pages["Submit Upgrade"] and pages["Submit Downgrade"] and pages["Logout"]
    levels: dict[str, set[str]] = {}
    for event in events:
        levels.setdefault(event["userId"], set()).add(event["level"])
    assert any(len(seen) == 2 for user, seen in levels.items() if user)
    stamps = Counter(event["ts"] for event in events if event["page"] == "NextSong")
    assert 0 < sum(count - 1 for count in stamps.values()) < 50
    assert any(
        guest["artist_name"].startswith(f"{alone['artist_name']} feat. ")
        for guest in songs
        for alone in songs
        if guest["artist_id"] == alone["artist_id"]
    )
    durations: dict[tuple[str, str], set[float]] = {}
    for song in songs:
        names = song["title"], song["artist_name"]
        durations.setdefault(names, set()).add(song["duration"])
        assert all(text == clean(text) for text in names)  # the repair changes no valid name
    assert any(len(seen) > 1 for seen in durations.values())
    for key, nothing in (("year", 0), ("artist_location", ""), ("artist_latitude", None)):
        assert 0 < sum(song[key] == nothing for song in songs) < len(songs)


def test_the_bytes_depend_on_the_arguments_alone(tmp_path: Path) -> None:
    script = (
        "import sys; from sparkify_dwh.sample.generate import generate;"
        "generate(sys.argv[1], events=700, songs=40, days=3, seed=int(sys.argv[2]), dirty=0.1)"
    )
    package = Path(sys.modules["sparkify_dwh.sample.generate"].__file__ or "").parents[2]
    trees = []
    for run, (seed, hash_seed, zone) in enumerate((("5", "1", "UTC"), ("5", "2", "Asia/Tokyo"))):
        env = {
            **os.environ,
            "PYTHONPATH": str(package),
            "PYTHONHASHSEED": hash_seed,
            "TZ": zone,
            "LC_ALL": "C",
        }
        root = tmp_path / str(run)
        subprocess.run([sys.executable, "-c", script, str(root), seed], env=env, check=True)
        trees.append(tree(root))
    assert trees[0] == trees[1]
    generate(tmp_path / "other", events=700, songs=40, days=3, seed=6, dirty=0.1)
    other = tree(tmp_path / "other")
    logs = [name for name in other if name.startswith("log_data")]
    assert logs == [name for name in trees[0] if name.startswith("log_data")]
    assert all(other[name] != trees[0][name] for name in logs)


PARSER_RULES = {
    "malformed_json", "invalid_utf8", "not_an_object", "nul_character", "lone_surrogate",
    "nested_value",
}  # fmt: skip
EVENT_RULES = {
    "ts_valid", "page_present", "session_id_valid", "item_in_session_valid", "user_id_valid",
    "play_logged_in", "play_song_present", "play_artist_present", "length_valid", "level_valid",
    "gender_valid", "too_long",
}  # fmt: skip
SONG_RULES = {
    "song_id_present", "artist_id_present", "title_present", "artist_name_present",
    "duration_valid", "year_valid", "latitude_valid", "longitude_valid", "too_long",
}  # fmt: skip


def whole(value: object) -> bool:
    if isinstance(value, str):
        return value.isdecimal() and len(value) <= 18
    return type(value) is int and 0 <= value < 10**18


def number(value: object, low: float, high: float) -> bool:
    return type(value) in (int, float) and low <= float(str(value)) <= high


def length(value: object) -> bool:
    return number(value, 5e-324, sys.float_info.max)


def present(value: object) -> bool:
    return isinstance(value, str) and clean(value) != ""


def broken_rules(raw: bytes) -> list[str]:
    """Every rule that a record violates, the first one first."""
    try:
        record = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError:
        return ["invalid_utf8"]
    except ValueError:
        return ["malformed_json"]
    if not isinstance(record, dict):
        return ["not_an_object"]
    texts = [value for value in record.values() if isinstance(value, str)]
    if any("\0" in text for text in texts):
        return ["nul_character"]
    if any("\ud800" <= char <= "\udfff" for text in texts for char in text):
        return ["lone_surrogate"]
    if any(isinstance(value, dict | list) for value in record.values()):
        return ["nested_value"]
    get = record.get
    wide = any(
        len(clean(text).encode()) > (4096 if key == "userAgent" else 1024)
        for key, text in record.items()
        if isinstance(text, str)
    )
    if "num_songs" in record or b"song_id" in raw:
        checks = {
            "song_id_present": present(get("song_id")),
            "artist_id_present": present(get("artist_id")),
            "title_present": present(get("title")),
            "artist_name_present": present(get("artist_name")),
            "duration_valid": length(get("duration")),
            "year_valid": get("year") in (0, None) or number(get("year"), 1900, 2100),
            "latitude_valid": get("artist_latitude") is None
            or number(get("artist_latitude"), -90, 90),
            "longitude_valid": get("artist_longitude") is None
            or number(get("artist_longitude"), -180, 180),
        }
    else:
        play, known = get("page") == "NextSong", get("auth") == "Logged In"
        first, last = (datetime(year, 1, 1, tzinfo=UTC).timestamp() for year in (2000, 2101))
        ts = get("ts")
        checks = {
            "ts_valid": type(ts) is int and first * 1000 <= ts < last * 1000,
            "page_present": present(get("page")),
            "session_id_valid": whole(get("sessionId")),
            "item_in_session_valid": whole(get("itemInSession")),
            "user_id_valid": whole(get("userId")) or not (play or known),
            "play_logged_in": known or not play,
            "play_song_present": present(get("song")) or not play,
            "play_artist_present": present(get("artist")) or not play,
            "length_valid": length(get("length")) or (get("length") is None and not play),
            "level_valid": get("level") in ("free", "paid") or not (play or known),
            "gender_valid": get("gender") in ("F", "M", None),
        }
    return [rule for rule, passed in {**checks, "too_long": not wide}.items() if not passed]


def test_dirty_adds_broken_records_and_keeps_the_sound_ones(tmp_path: Path) -> None:
    pure = generate(tmp_path / "pure", events=1500, songs=120, days=4, seed=8)
    dirty = generate(tmp_path / "dirty", events=1500, songs=120, days=4, seed=8, dirty=0.25)
    assert (dirty.events_rows, dirty.songs_rows) == (1875, 150)
    assert dirty.refused_total == {"events": 375, "songs": 30}
    assert set(dirty.refused["events"]) == PARSER_RULES | EVENT_RULES
    assert set(dirty.refused["songs"]) == PARSER_RULES | SONG_RULES
    same = set(asdict(pure)) - {"dirty", "events_rows", "songs_rows", "refused", "refused_total"}
    assert all(getattr(pure, name) == getattr(dirty, name) for name in same)

    before, after = tree(tmp_path / "pure"), tree(tmp_path / "dirty")
    refused: dict[str, Counter[str]] = {"events": Counter(), "songs": Counter()}
    for name, content in after.items():
        if name.startswith("log_data"):
            lines = content.split(b"\n")
            rules = [broken_rules(line) for line in lines]
            refused["events"].update(found[0] for found in rules if found)
            valid = [line for line, found in zip(lines, rules, strict=True) if not found]
            assert valid == before[name].split(b"\n")
            assert len(valid) < len(lines)
        elif name.startswith("song_data") and name not in before:
            found = broken_rules(content) if content != b"{}" else ["song_id_present"]
            refused["songs"][found[0]] += 1
        elif name.startswith("song_data"):
            assert content == before[name]
            assert broken_rules(content) == []
    assert dirty.refused == refused
    assert set(before) <= set(after)


def test_a_few_broken_records_are_of_different_kinds(tmp_path: Path) -> None:
    expected = generate(tmp_path, events=200, songs=100, days=1, dirty=0.1)
    assert len(expected.refused["events"]) >= 8
    assert len(expected.refused["songs"]) >= 5


@pytest.mark.parametrize(
    ("events", "songs", "days", "start"),
    [
        (0, 0, 1, date(2000, 1, 1)),
        (1, 0, 2, date(2100, 12, 30)),
        (3, 1, 40, date(2019, 12, 31)),
        (500, 0, 2, date(2020, 2, 28)),
        (4000, 3, 1, datetime(2018, 11, 5, 17, 30)),
    ],
)
def test_small_and_odd_sizes(
    tmp_path: Path, events: int, songs: int, days: int, start: date
) -> None:
    for name in ("log_data", "song_data"):
        (tmp_path / name).mkdir()  # an empty folder is no obstacle
    expected = generate(tmp_path, events=events, songs=songs, days=days, start=start)
    read = read_events(tmp_path)
    assert len(read) == events == expected.events_rows
    assert len(list((tmp_path / "log_data").rglob("*.json"))) == days
    assert (tmp_path / "song_data").is_dir()
    assert len(read_songs(tmp_path)) == songs == expected.star["songs"]
    begin = datetime(start.year, start.month, start.day, tzinfo=UTC).timestamp() * 1000
    assert all(begin <= event["ts"] < begin + days * 86_400_000 for event in read)
    assert expected.start == f"{start:%Y-%m-%d}"
    if not songs:
        assert expected.plays_with_artist == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"events": -1}, "events must not be negative, but is -1"),
        ({"songs": -5}, "songs must not be negative"),
        ({"seed": -1}, "seed must not be negative"),
        ({"days": 0}, "days must be at least 1"),
        ({"dirty": -0.1}, "dirty is a share from 0 to 1"),
        ({"dirty": 1.01}, "dirty is a share from 0 to 1"),
        ({"dirty": math.nan}, "dirty is a share from 0 to 1"),
        ({"start": date(1999, 12, 31)}, "must be within the years 2000 to 2100"),
        ({"start": date(2100, 12, 31), "days": 2}, "must be within the years 2000 to 2100"),
    ],
)
def test_arguments_refused(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        generate(tmp_path, **arguments)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["log_data", "song_data"])
def test_existing_data_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "mine.json").write_text("{}")
    with pytest.raises(ValueError, match=f"{name} exists and is not an empty folder"):
        generate(tmp_path, events=1, songs=1)
    assert tree(tmp_path) == {f"{name}/mine.json": b"{}"}
