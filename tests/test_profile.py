"""`Warehouse.profile`: known answers, hand-made files, wrong input."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.realdata import DATA
from typer.testing import CliRunner

from sparkify_dwh import Settings, SettingsError, SourceError, SourceProfile, Warehouse
from sparkify_dwh.cli import app
from sparkify_dwh.dialects.duckdb.profile.record_reader import RecordReader
from sparkify_dwh.inspection.profile.suggest import width_for

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


# Peculiarities ----------------------------------------------------------------------------


def test_types_nulls_and_missing_are_told_apart(profiled: Profiled) -> None:
    found = profiled(
        [{"a": value} for value in ("x", 1, 1.0, True, {"b": 1}, [1], None, "")],
        [{"b": 2}, {}],
    )
    a = found["a"]
    one = ("integer", "number", "boolean", "object", "array")
    assert a.types == {"string": 2} | dict.fromkeys(one, 1)
    assert (found.records, a.given, a.empty, a.nulls, a.missing) == (10, 6, 1, 1, 2)
    assert a.distinct == 7 and a.absent == 4
    assert found["b"].missing == 9


def test_keys_are_names_whatever_they_hold(profiled: Profiled) -> None:
    names = ["a", "A", "", "b.c", "d/e", "f~g", "$", "q\"uo'te", "*", "x[0]", "ü", " "]
    found = profiled([dict(zip(names, range(12), strict=True))], [{"a": 50, "A": "y"}])
    assert [field.name for field in found.fields] == names
    assert (found["a"].min, found["a"].max, found["A"].min) == (0, 50, "y")
    assert all(found[name].missing == 1 for name in names[2:])


def test_one_field_alone(profiled: Profiled) -> None:
    """The engine takes a single column of JSON for the whole record."""
    assert profiled([{"only": 7}])["only"].types == {"integer": 1}


def test_numbers_as_text(profiled: Profiled) -> None:
    found = profiled([{"n": n} for n in ("39", "39.0", "-4e2", "0x1F", 7, "1_0")])
    n = found["n"]
    assert (n.numbers_as_text, n.number_min, n.number_max) == (3, -400, 39)
    assert (n.min, n.max) == ("-4e2", "39.0")
    all_numbers = profiled([{"n": ""}, {"n": "5"}, {"n": 6}])
    assert type_of(all_numbers, "n") == "SMALLINT"
    assert "n: '' is NULL" in advice(all_numbers, "rule")
    assert "n is a number" in advice(all_numbers, "rule")


def test_large_and_odd_numbers(profiled: Profiled) -> None:
    big = 123456789012345678901234567890
    found = profiled(b'{"n":%d}\n{"n":%d}\n{"m":1e999}\n{"m":NaN}\n' % (big, -(2**63)))
    assert (found["n"].min, found["n"].max) == (-(2**63), big)
    assert type_of(found, "n") == "DECIMAL(38, 0)"
    assert found["m"].types == {"number": 1, "not a number": 1}
    json.dumps(found.to_dict(), allow_nan=False)


def test_lengths_count_characters_and_bytes(profiled: Profiled) -> None:
    found = profiled([{"t": "\u00e5\U0001f600"}, {"t": "abc"}, {"t": 12.5}, {"t": {"k": "\u00e5"}}])
    assert (found["t"].longest_chars, found["t"].longest_bytes) == (9, 10)
    assert found["t"].longest == '{"k":"\u00e5"}'


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("M\u00c3\u00a5ns", "double encoding"),
        ("M\u00c3\u0083\u00c2\u00a5ns", "double encoding"),
        ("M\ufffdns", "lost characters"),
        ("a\x00b", "control characters"),
        ("a\tb", "control characters"),
        ("a\x7f", "control characters"),
        ("a\x9b31m", "control characters"),
        (" a", "stray blanks"),
        ("a\u00a0", "stray blanks"),
        ("   ", "stray blanks"),
    ],
)
def test_damaged_text(profiled: Profiled, text: str, kind: str) -> None:
    found = profiled([{"t": text}, {"t": text}, {"t": "M\u00e5ns"}, {"t": "\u00c3"}, {"t": "x y"}])
    assert damage_of(found, "t") == {kind: (2, 1)}
    (damage,) = found["t"].damage
    assert damage.examples[0][0] == text
    assert damage.examples[0][1] == ("M\u00e5ns" if kind == "double encoding" else "")


def test_keys_have_proof(profiled: Profiled) -> None:
    rows = [{"s": n // 10, "i": n % 10, "x": n % 7, "e": n or ""} for n in range(100)]
    found = profiled(rows)
    assert keys_of(found)["e",] == (1, 0)
    assert keys_of(found)["s", "i"] == (0, 0)
    assert advice(found, "key") == ["PRIMARY KEY (s, i)"]
    doubled = profiled([*rows, {**rows[5], "x": 6}, rows[7]])
    assert keys_of(doubled)["s", "i"] == (0, 2)
    assert doubled.duplicates == 1
    assert keys_of(doubled)["s", "i", "x"] == (0, 1)
    assert advice(doubled, "key") == ["none; (s, i, x) is nearest"]


def test_a_key_of_three_fields(profiled: Profiled) -> None:
    rows = [{"a": n // 100, "b": n // 10 % 10, "c": n % 10} for n in range(1000)]
    assert keys_of(profiled(rows)) == {("a", "b", "c"): (0, 0)}


def test_duplicates_and_bare_records(profiled: Profiled) -> None:
    found = profiled([{"a": 1}, {"a": 1}, {"a": None}, {"a": None}, {}, {}, {}], b"[]\nnull\n")
    assert (found.records, found.duplicates) == (7, 4)
    assert found.broken == {"not_an_object": 2}


def test_fields_that_come_together_and_what_decides(profiled: Profiled) -> None:
    rows: list[Any] = []
    for n in range(30):
        kind = ("play", "stop", "home")[n % 3]
        record: dict[str, Any] = {"kind": kind, "n": n}
        if kind != "home":
            record |= {"song": f"s{n}", "artist": "x"}
        record |= {"lat": 1.5, "lon": 2.5} if n % 4 else {"lat": None, "lon": ""}
        rows.append(record)
    found = {group.fields: (group.rows, group.where) for group in profiled(rows).together}
    assert found == {
        ("song", "artist"): (20, {"kind": ("play", "stop")}),
        ("lat", "lon"): (22, {}),
    }


def test_many_optional_fields(profiled: Profiled) -> None:
    """More than the bits of a number."""
    rows = [{f"f{m}": 1 for m in range(65) if n % 5 == m % 5} for n in range(20)]
    found = profiled(rows).together
    assert sorted(len(group.fields) for group in found) == [13] * 5
    assert all(group.rows == 4 for group in found)


def test_more_fields_than_anyone_reads(profiled: Profiled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparkify_dwh.inspection.profile.profile.MOST_FIELDS", 9)
    found = profiled([*({f"user-{n}": n} for n in range(30)), {"user-7": 1}])
    assert len(found.fields) == 9 and found.more_fields == 21
    assert found["user-7"].given == 2


def test_types_that_are_suggested(profiled: Profiled) -> None:
    found = profiled(
        [
            {
                "small": n, "large": n * 10**9, "huge": n * 10**16, "id": n, "share": n / 8,
                "ms": 1_541_105_830_796 + n, "at": f"2018-11-01T20:57:{n % 60:02}Z", "on": n > 3,
                "text": "x" * n, "wide": "y" * 60_000, "more": "z" * 70_000, "in": {"n": n},
                "mixed": n if n % 2 else "no",
            }
            for n in range(1, 101)
        ]
    )  # fmt: skip
    assert {f.name: type_of(found, f.name).removesuffix(" NOT NULL") for f in found.fields} == {
        "small": "SMALLINT",
        "large": "BIGINT",
        "huge": "BIGINT",
        "id": "BIGINT",
        "share": "DOUBLE PRECISION",
        "ms": "TIMESTAMP",
        "at": "TIMESTAMP",
        "on": "BOOLEAN",
        "text": "VARCHAR(256)",
        "wide": "VARCHAR(65535)",
        "more": "SUPER",
        "in": "SUPER",
        "mixed": "VARCHAR(8)",
    }
    assert advice(found, "sort key") == ["SORTKEY (ms)"]


@pytest.mark.parametrize(
    ("longest", "width"), [(1, 8), (5, 8), (6, 16), (101, 256), (43_690, 65_535), (65_536, None)]
)
def test_widths_have_headroom(longest: int, width: int | None) -> None:
    assert width_for(longest) == width


# Broken input -----------------------------------------------------------------------------

SOUND = b'{"a":1,"b":"x"}\n'


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (b'{"a":1', "malformed_json"),
        (b'{"a":1,}', "malformed_json"),
        (b"{'a':1}", "malformed_json"),
        (b'{"a":"\xff"}', "invalid_utf8"),
        (b'{"a":"\\ud800"}', "lone_surrogate"),
        (b"[1]", "not_an_object"),
        (b'"text"', "not_an_object"),
        (b"12", "not_an_object"),
        (b"null", "not_an_object"),
    ],
)
@pytest.mark.parametrize("size", ["small", "large"])
def test_broken_lines_are_counted_and_located(
    profiled: Profiled, line: bytes, rule: str, size: str
) -> None:
    """Small objects are spooled, large ones read where they lie."""
    times = 3 if size == "small" else 20_000
    found = profiled(SOUND * times + line + b"\n" + SOUND * times)
    assert found.records == 2 * times and found.broken == {rule: 1}
    (broken,) = found.broken_at
    assert (Path(broken.key).name, broken.line, broken.rule) == ("0.json", times + 1, rule)
    assert found["a"].types == {"integer": 2 * times}
    assert found["b"].missing == found["b"].nulls == 0


def test_large_objects_are_read_where_they_lie(
    profiled: Profiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not cut into records by Python; one line alone may be large, and is judged like any."""
    cut: list[str] = []
    monkeypatch.setattr(RecordReader, "_cut", lambda self, piece: cut.append(piece.path))
    valid = [{"n": n, "text": "x" * 400} for n in range(2000)]
    broken = b'{"n": 1, "text": "%s",}\n' % (b"x" * 400_000)
    found = profiled(valid, [{"n": 1, "text": "x" * 400_000}], broken)
    assert cut == []
    assert (found.records, found.broken) == (2001, {"malformed_json": 1})


@pytest.mark.parametrize("times", [2, 30_000])
@pytest.mark.parametrize(
    ("more", "records"),
    [
        (b'{"a":1,\n "b":"x"}\n', 1),
        (b'{"a":1,"b":"x"}{"a":1,"b":"x"}\n', 2),
        (b'{"a":1,"b":"x"} {"a":1,"b":"x"}\r\n\r\n', 2),
        (b'\n\n  {"a":1,"b":"x"}', 1),
        (b'{\n"a"\n:\n1,\r\n"b":"x"\n}\n', 1),
    ],
)
def test_records_need_not_be_lines(
    profiled: Profiled, more: bytes, records: int, times: int
) -> None:
    found = profiled(SOUND * times + more + SOUND)
    assert (found.records, found.broken) == (times + 1 + records, {})
    assert [(f.name, f.given) for f in found.fields] == [("a", found.records), ("b", found.records)]


def test_objects_in_every_wrapping(profiled: Profiled) -> None:
    found = profiled(
        b"\xef\xbb\xbf" + SOUND,
        b"",
        b" \n\n",
        gzip.compress(SOUND * 2) + gzip.compress(SOUND),
        gzip.compress(SOUND * 60_000),
        SOUND.decode().encode("utf-16"),
        gzip.compress(SOUND * 99)[:-9],
        b'{"a":2,"a":3}\n',
    )
    assert found.records == 1 + 3 + 60_000 + 1 and found.objects == 8
    assert found.broken == {"undecodable_object": 2}
    assert [(Path(b.key).name, b.line) for b in found.broken_at] == [("5.json", 0), ("6.json", 0)]
    assert found.repeated_keys == 1 and found["a"].max == 2


def test_no_record_at_all(profiled: Profiled) -> None:
    assert profiled(b"oops\n").fields == () and profiled(b"").records == 0
    bare = profiled(b"{}\n{}\n{}\noops\n")
    assert (bare.records, bare.duplicates, bare.suggestions) == (3, 2, ())


def test_only_the_first_broken_records_are_shown(profiled: Profiled) -> None:
    found = profiled(b"oops\n" * 50, SOUND)
    assert found.broken == {"malformed_json": 50}
    assert [broken.line for broken in found.broken_at] == list(range(1, 21))


# Sources ----------------------------------------------------------------------------------


def test_sources_by_name_by_setting_and_by_place(tmp_path: Path) -> None:
    logs, songs = tmp_path / "l", tmp_path / "s"
    for folder, record in ((logs, b'{"l":1}'), (songs, b'{"s":1}')):
        folder.mkdir()
        (folder / "x.json").write_bytes(record)
    warehouse = Warehouse(Settings(log_data=str(logs), song_data=str(songs)))
    names = [[f.name for f in each.fields] for each in warehouse.profile()]
    assert names == [["s"], ["l"]]
    found = warehouse.profile("events", "song_data", str(logs), str(songs / "x.json"))
    assert [each[0].name for each in map(tuple, (p.fields for p in found))] == ["l", "s", "l", "s"]
    assert found["events"].place == str(logs) and len(found) == 4
    with pytest.raises(KeyError):
        found["nothing"]


def test_nothing_to_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("x")
    with pytest.raises(SettingsError, match="no source is named"):
        Warehouse(Settings()).profile()
    with pytest.raises(SettingsError, match="events has no place"):
        Warehouse(Settings()).profile("events")
    with pytest.raises(SourceError, match="contains no JSON files; skipped 1 other name"):
        Warehouse(Settings()).profile("empty")
    with pytest.raises(SourceError, match="does not exist"):
        Warehouse(Settings()).profile("empty", "missing")


def test_a_folder_named_like_a_source_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log_data").mkdir()
    (tmp_path / "log_data" / "x.json").write_bytes(SOUND)
    assert Warehouse(Settings()).profile("log_data")[0].records == 1


def test_no_database_is_made_and_none_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.json").write_bytes(SOUND)
    for url in ("duckdb:///sparkify.duckdb", "redshift+redshift_connector://u@nowhere:5439/db"):
        assert Warehouse(Settings(database_url=url)).profile("x.json")[0].records == 1
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_memory_limit_is_kept(profiled: Profiled) -> None:
    rows = [{"a": f"{n}-{'x' * 900}", "b": n} for n in range(80_000)]
    found = profiled(rows, memory_limit="150MiB")
    assert found.records == found["a"].distinct == 80_000


# The command ------------------------------------------------------------------------------


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.json").write_bytes(b'{"a":"\\u001b[31m","b":" x"}\nbroken\n')
    run = CliRunner()
    done = run.invoke(app, ["profile", "x.json"])
    assert done.exit_code == 0
    assert done.stdout.startswith("x.json: 1 record in 1 file, 35 bytes; 1 broken\n")
    assert "\x1b" not in done.stdout and "\\x1b[31m" in done.stdout
    assert "\nx.json:2  malformed_json  broken" in done.stdout
    output = json.loads(run.invoke(app, ["profile", "x.json", "--json"]).stdout)
    (source,) = output["sources"]
    assert source["broken"] == {"malformed_json": 1} and source["fields"][0]["name"] == "a"
    missing = run.invoke(app, ["profile", "nowhere"])
    assert missing.exit_code == 3 and not missing.stdout
    assert run.invoke(app, ["profile"]).exit_code == 2


def test_html_is_escaped(profiled: Profiled) -> None:
    evil = "<script>alert(1)</script>"
    found = profiled([{evil: evil + " ", "b": evil}], evil.encode())
    page = found._repr_html_() + Warehouse(Settings()).profile("data")._repr_html_()
    assert "<script" not in page and "&lt;script&gt;" in page
