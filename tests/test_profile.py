"""`Warehouse.profile`: known answers, hand-made files, wrong input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import DATA

from sparkify_dwh import (
    Settings,
    SourceProfile,
    Warehouse,
)

Profiled = Callable[..., SourceProfile]


@pytest.fixture
def profiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profiled:
    """Profiles files made of bytes or of records."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data"
    folder.mkdir()

    def of(*files: bytes | list[Any], top: int = 5, **values: Any) -> SourceProfile:
        for number, content in enumerate(files):
            if not isinstance(content, bytes):
                content = b"".join(json.dumps(each).encode() + b"\n" for each in content)
            (folder / f"{number}.json").write_bytes(content)
        return Warehouse(Settings(**values)).profile("data", top=top)[0]

    return of


def keys_of(found: SourceProfile) -> dict[tuple[str, ...], tuple[int, int]]:
    return {key.fields: (key.absent, key.repeated) for key in found.keys}


def damage_of(found: SourceProfile, field: str) -> dict[str, tuple[int, int]]:
    return {each.kind: (each.rows, each.distinct) for each in found[field].damage}


def advice(found: SourceProfile, kind: str) -> list[str]:
    return [each.value for each in found.suggestions if each.kind == kind]


def type_of(found: SourceProfile, field: str) -> str:
    (value,) = [
        each.value for each in found.suggestions if each.kind == "type" and each.fields == (field,)
    ]
    return value


# Known answers ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def logs() -> SourceProfile:
    return Warehouse(Settings(log_data=str(DATA / "log_data"))).profile("log_data")["log_data"]


@pytest.mark.realdata
def test_records_and_fields(logs: SourceProfile) -> None:
    assert (logs.records, logs.objects, logs.broken) == (8056, 30, {})
    assert len(logs.fields) == 18 and not any(f.missing for f in logs.fields)
    page = {each.value: each.rows for each in logs["page"].top}
    assert page == {"NextSong": 6820, "Home": 806, "Login": 92, "Logout": 90, "Downgrade": 60}
    assert logs["page"].distinct == 13
    assert (logs["artist"].given, logs["artist"].nulls) == (6820, 1236)
    assert [logs[n].nulls for n in ("song", "length", "firstName")] == [1236, 1236, 286]


@pytest.mark.realdata
def test_types_and_ranges(logs: SourceProfile) -> None:
    assert logs["userId"].types == {"string": 8056} and logs["userId"].empty == 286
    assert logs["userId"].numbers_as_text == 7770
    assert logs["registration"].types == {"number": 7770}
    assert logs["ts"].types == {"integer": 8056} and logs["ts"].distinct == 8023
    assert (logs["ts"].min, logs["ts"].max) == (1541105830796, 1543607664796)
    status = {each.value: each.rows for each in logs["status"].top}
    assert status == {200: 7846, 307: 201, 404: 9}


@pytest.mark.realdata
def test_lengths_in_characters_and_bytes(logs: SourceProfile) -> None:
    longest = {
        name: (logs[name].longest_chars, logs[name].longest_bytes)
        for name in ("artist", "song", "location", "userAgent", "firstName", "lastName")
    }
    assert longest == {
        "artist": (89, 101),
        "song": (151, 159),
        "location": (46, 46),
        "userAgent": (139, 139),
        "firstName": (10, 10),
        "lastName": (9, 9),
    }


@pytest.mark.realdata
def test_damage(logs: SourceProfile) -> None:
    artist, song = damage_of(logs, "artist"), damage_of(logs, "song")
    assert artist["double encoding"][1] + song["double encoding"][1] == 195
    assert song["stray blanks"] == (7, 7)
    assert ("Alceu Valen\u00c3\u0083\u00c2\u00a7a", "Alceu Valen\u00e7a") in [
        example for each in logs["artist"].damage for example in each.examples
    ]


@pytest.mark.realdata
def test_keys_groups_and_suggestions(logs: SourceProfile) -> None:
    assert keys_of(logs)["sessionId", "itemInSession"] == (0, 0)
    groups = {group.fields: (group.rows, group.where) for group in logs.together}
    assert groups["artist", "length", "song"] == (6820, {"page": ("NextSong",)})
    logged_in = ("firstName", "gender", "lastName", "location", "registration", "userAgent")
    assert groups[*logged_in, "userId"] == (7770, {"auth": ("Logged In",)})
    assert advice(logs, "key") == ["PRIMARY KEY (sessionId, itemInSession)"]
    assert advice(logs, "sort key") == ["SORTKEY (ts)"]
    assert "DISTKEY (sessionId) once large" in advice(logs, "distribution")
    assert type_of(logs, "artist") == "VARCHAR(256)"
    assert type_of(logs, "ts") == "TIMESTAMP NOT NULL"
    assert type_of(logs, "userId") == "BIGINT"
    assert type_of(logs, "length") == "DOUBLE PRECISION"
    rules = advice(logs, "rule")
    assert "artist, length, song are given exactly where page is NextSong" in rules
    assert "repair song before it is compared or joined" in rules
    assert "level is free or paid" in rules


@pytest.mark.realdata
def test_songs() -> None:
    songs = Warehouse(Settings(song_data=str(DATA / "song_data"))).profile("songs")[0]
    assert (songs.records, songs.objects) == (71, 71)
    assert keys_of(songs)["song_id",] == (0, 0)
    assert keys_of(songs)["artist_id",] == (0, 2)
    assert (songs["artist_location"].empty, songs["artist_latitude"].nulls) == (28, 40)
    assert {each.value: each.rows for each in songs["year"].top}[0] == 43
    assert "year: 0 means unknown, so NULL" in advice(songs, "rule")
    assert not any(field.damage for field in songs.fields)
