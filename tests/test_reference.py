"""The oracle itself: known answers of rules.md, input forms, refusals, merges, resolution."""

import gzip
import json
import random
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.realdata import DATA
from support.records import EVENT, HOME, LOGGED_OUT, TS, event, lines
from support.records import song as sound_song
from support.reference import COLUMNS, Books, Reference, TargetBooks
from support.reference_parse import MALFORMED, MAX_RECORD, integer, number, repaired, split_records


def song(**changes: Any) -> dict[str, Any]:
    """Songs here have short keys, so that one is less than the next."""
    short = {"song_id": "SO1", "artist_id": "AR1", "artist_location": "Dublin"}
    return sound_song(**{**short, "artist_latitude": 1.5, "artist_longitude": -2.5, **changes})


def load_events(*records: Any, into: Reference | None = None) -> tuple[Reference, Books]:
    star = into or Reference()
    return star, star.load(events=[("e.json", lines(*records))])


def load_songs(*records: Any, into: Reference | None = None) -> tuple[Reference, Books]:
    star = into or Reference()
    return star, star.load(songs=[("s.json", lines(*records))])


def forms(data: bytes) -> tuple[int, list[tuple[str, int]]]:
    """(staged, [(rule, line)]) of one events object."""
    books = Reference().load(events=[("e.json", data)])
    return books.sources["events"].staged, [(r.rule, r.line) for r in books.refusals]


def whole(star: Reference) -> dict[str, list[tuple[Any, ...]]]:
    return {name: star.star_rows(name) for name in COLUMNS}


# Known answers -----------------------------------------------------------------------------------


def real(folder: str) -> list[tuple[str, bytes]]:
    return [(path.name, path.read_bytes()) for path in sorted((DATA / folder).rglob("*.json"))]


@pytest.mark.realdata
@pytest.mark.skipif(not DATA.is_dir(), reason=f"the real logs are not at {DATA}")
class TestRealData:
    def test_known_answers(self) -> None:
        star = Reference()
        books = star.load(real("log_data"), real("song_data"))
        assert (books.sources["events"].read, books.sources["events"].staged) == (8056, 8056)
        assert books.refusals == []
        assert not books.violations["events"] and not books.violations["songs"]
        sizes = {"users": 97, "time": 8023, "songplays": 6820, "songs": 71, "artists": 69}
        assert {name: len(rows) for name, rows in whole(star).items()} == sizes
        levels = [row["level"] for row in star.users.values()]
        assert (levels.count("free"), levels.count("paid")) == (75, 22)
        assert sum(play["artist_id"] is not None for play in star.songplays.values()) == 21
        (hit,) = [play for play in star.songplays.values() if play["song_id"]]
        assert (hit["session_id"], hit["item_in_session"]) == (818, 5)
        assert (hit["song_title"], hit["artist_name"]) == ("Setanta matins", "Elena")
        assert hit["start_time"] == datetime(2018, 11, 21, 21, 56, 47, 796000)
        assert books.targets == {
            "songs": TargetBooks(staged=71, merged=71),
            "artists": TargetBooks(staged=71, duplicate=2, merged=69),
            "users": TargetBooks(staged=8056, out_of_scope=286, duplicate=7673, merged=97),
            "time": TargetBooks(staged=8056, duplicate=33, merged=8023),
            "songplays": TargetBooks(staged=8056, out_of_scope=1236, merged=6820),
        }

    def test_any_order_of_loads_gives_the_same_star(self) -> None:
        events, songs = real("log_data"), real("song_data")
        at_once, songs_last, by_day, backwards = (Reference() for _ in range(4))
        at_once.load(events, songs)
        songs_last.load(events)
        assert songs_last.load(songs=songs).plays_resolved == 21
        by_day.load(songs=songs)
        for day in events:
            by_day.load([day])
        for day in reversed(events):
            backwards.load([day])
        stale = sum(backwards.load([day]).targets["users"].stale for day in reversed(events))
        assert stale > 0
        for one in reversed(songs):
            backwards.load(songs=[one])
        for star in (songs_last, by_day, backwards):
            assert whole(star) == whole(at_once)

    def test_again_changes_nothing(self) -> None:
        star = Reference()
        star.load(real("log_data"), real("song_data"))
        before = whole(star)
        books = star.load(real("log_data"), real("song_data"))
        assert whole(star) == before
        assert (books.plays_resolved, books.artists_recomputed) == (0, 0)
        for target in books.targets.values():
            assert target.replaced == target.merged


# Input forms -------------------------------------------------------------------------------------

GOOD = lines(EVENT)
PRETTY = json.dumps(EVENT, indent=2).encode()


@pytest.mark.parametrize(
    ("data", "staged", "refused"),
    [
        (b"", 0, []),
        (b" \r\n\t\n", 0, []),
        (b"\xef\xbb\xbf" + GOOD + b"\r\n\r\n" + GOOD, 2, []),
        (GOOD + b" " + GOOD + b"\n" + GOOD + GOOD, 4, []),
        (PRETTY + b"\n" + PRETTY + b"\r\n" + GOOD + b" " + PRETTY, 4, []),
        (b"  " + GOOD + b"\n" + PRETTY.replace(b"\n", b"\r\n"), 2, []),
        (gzip.compress(GOOD + b"\n", mtime=0) + gzip.compress(GOOD, mtime=0), 2, []),
        (gzip.compress(b"", mtime=0), 0, []),
        (b"%s\n{bad\n%s" % (GOOD, GOOD), 2, [("malformed_json", 2)]),
        (GOOD[:40] + b"\n" + GOOD, 1, [("malformed_json", 1)]),
        (GOOD + b"\n" + GOOD[:40], 1, [("malformed_json", 2)]),
        (GOOD + b" oops " + GOOD + b"\n" + GOOD, 2, [("malformed_json", 1)]),
        (PRETTY[:60] + b"\n" + PRETTY, 1, [("malformed_json", 1)]),
        (b"\n" + PRETTY.replace(b",", b",,") + b"\n\n" + GOOD, 1, [("malformed_json", 2)]),
        (b"nope\n  nope 2\n" + GOOD, 1, [("malformed_json", 1), ("malformed_json", 2)]),
        (GOOD.replace(b"Elena", b"El\xffna") + b"\n" + GOOD, 1, [("invalid_utf8", 1)]),
        (GOOD.replace(b"Elena", b"El\x01na"), 0, [("malformed_json", 1)]),
        (GOOD.replace(b"Elena", rb"El\u0000na"), 0, [("nul_character", 1)]),
        (GOOD.replace(b"Elena", rb"El\ud800na"), 0, [("lone_surrogate", 1)]),
        (GOOD.replace(b"Elena", rb"El\ud83d\ude00na"), 1, []),
        (b'[{"a": 1}]\n42\n"x"\nnull\n1 2', 0, [("not_an_object", n) for n in (1, 2, 3, 4, 5, 5)]),
        (b"12abc\n01", 0, [("malformed_json", 1), ("malformed_json", 2)]),
        (b"{}", 0, [("ts_valid", 1)]),
        (lines(event(song=["x"])), 0, [("nested_value", 1)]),
        (lines(event(extra={"a": ["\0", "\ud800"]})), 1, []),
        (GOOD.decode().encode("utf-16"), 0, [("undecodable_object", 0)]),
        (GOOD.decode().encode("utf-16-le"), 0, [("undecodable_object", 0)]),
        (GOOD.decode().encode("utf-16-be"), 0, [("undecodable_object", 0)]),
        (gzip.compress(GOOD, mtime=0)[:-9], 0, [("undecodable_object", 0)]),
        (b"\x1f\x8b" + GOOD, 0, [("undecodable_object", 0)]),
        (gzip.compress(GOOD.decode().encode("utf-16"), mtime=0), 0, [("undecodable_object", 0)]),
        (b'{"a":' + b"[" * 100_000 + b"\n" + GOOD, 1, [("malformed_json", 1)]),
    ],
)
def test_input_forms(data: bytes, staged: int, refused: list[tuple[str, int]]) -> None:
    got_staged, got_refused = forms(data)
    by_row_rule = sum(rule == "ts_valid" for rule, _ in refused)
    assert (got_staged - by_row_rule, got_refused) == (staged, refused)


def test_a_line_with_a_brace_in_column_0_starts_a_record_even_inside_a_broken_one() -> None:
    rules = [("malformed_json", 1), ("ts_valid", 2), ("malformed_json", 3)]
    assert forms(b'{"a":\n{"b": 1}\n}\n' + GOOD) == (2, rules)
    swallowed = b'{"a": "cut\n[1]\n {"b": 1}\n' + GOOD
    assert forms(swallowed) == (1, [("malformed_json", 1)])


def test_a_record_may_have_4_mib_and_no_more() -> None:
    assert MAX_RECORD == 4_194_304
    filler = MAX_RECORD - len(lines(event(x="")))
    assert forms(lines(event(x="a" * filler)) + b"\n" + GOOD) == (2, [])
    assert forms(lines(event(x="a" * (filler + 1))) + b"\n" + GOOD) == (
        1,
        [("record_too_large", 1)],
    )


def test_refusal_keeps_source_object_line_and_raw_bytes() -> None:
    data = GOOD + b'\r\n  {"ts": 1,\xff \r\n' + GOOD
    books = Reference().load(songs=[("a.json", lines(song())), ("b.json", data)])
    assert [tuple(refusal) for refusal in books.refusals][1] == (
        *("songs", "malformed_json", "b.json", 2),
        b'{"ts": 1,\xff',
    )


def test_the_first_value_of_a_key_given_twice_counts_and_case_matters() -> None:
    data = GOOD.replace(b'"ts"', b'"level": ["x"], "TS"')
    assert forms(data) == (1, [("ts_valid", 1)])
    star = Reference()
    star.load(events=[("e", b'{"level": "paid", ' + GOOD[1:])])
    assert star.users[8]["level"] == "paid"


@given(
    st.lists(st.sampled_from([GOOD, PRETTY, b"{", b"}", b"[1", b"\n", b"\r\n", b" ", b'"', b"7"]))
)
def test_no_byte_that_is_not_blank_is_lost(pieces: list[bytes]) -> None:
    text = b"".join(pieces).decode()
    spans = list(split_records(text))
    ends = [0, *(at for start, end, _ in spans for at in (start, end)), len(text)]
    assert ends == sorted(ends)
    assert not "".join(text[ends[n] : ends[n + 1]] for n in range(0, len(ends), 2)).strip()
    for start, end, value in spans:
        assert value is MALFORMED or json.loads(text[start:end]) is not None


# Numbers and texts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("39", 39), ("39.0", 39), ("-0", 0), ("1.5431e12", 1543100000000), ("3.9E+1", 39)),
        *(("9" * 18, 10**18 - 1), ("9" * 18 + ".00", 10**18 - 1), ("1e17", 10**17)),
        *(("9" * 19, None), ("1e18", None), ("1e99", None), ("12.7", None), ("1_000", None)),
        *(("0x1F", None), (" 39", None), ("39\n", None), ("+1", None), ("1.", None), ("", None)),
        *(("٣٩", None), ("true", None), ("NaN", None), ("1e999", None), ("Infinity", None)),
    ],
)
def test_integers(text: str, value: int | None) -> None:
    assert integer(text) == value


def test_numbers() -> None:
    assert (number("12.50"), number("1e-2"), number("-0.0")) == (12.5, 0.01, 0.0)
    assert [number(text) for text in ("1" * 16, ".5", "1e100", "NaN", " 1", None)] == [None] * 6


@pytest.mark.parametrize("rounds", [0, 1, 2, 3])
def test_repair(rounds: int) -> None:
    text = "\u00a0Måns Zelmerlöw "
    for _ in range(rounds):
        text = text.encode().decode("latin-1")
    assert repaired(text) == "Måns Zelmerlöw"


def test_repair_leaves_sound_names_and_the_fourth_round() -> None:
    assert [repaired(name) for name in ("Björk", "Ã", "宇多田", " \u3000", None)] == [
        *("Björk", "Ã", "宇多田", None, None)
    ]
    once = "å".encode().decode("latin-1")
    four = once.encode().decode("latin-1").encode().decode("latin-1").encode().decode("latin-1")
    assert repaired(four) == once


# Row rules ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        *(({"ts": ts}, "ts_valid") for ts in (TS // 1000, TS * 1000, -TS, True, None, TS + 0.5)),
        *(({"ts": ts}, "ts_valid") for ts in (946684799999, 4133980800000, float("nan"), "")),
        *(({"ts": ts}, None) for ts in (946684800000, 4133980799999, str(TS), "1.5431e12")),
        *(({"page": page}, "page_present") for page in (None, "", " \u00a0")),
        *(({"sessionId": n}, "session_id_valid") for n in (None, -1, 1.5, "x", "", 10**18)),
        *(({"itemInSession": n}, "item_in_session_valid") for n in (None, -1, " 1", False)),
        *(({"userId": user}, "user_id_valid") for user in (None, "", " 39", "x", 39.5)),
        ({**LOGGED_OUT, "userId": "x"}, None),
        ({"auth": "Logged Out"}, "play_logged_in"),
        ({"auth": None, "userId": ""}, "user_id_valid"),
        ({"song": " "}, "play_song_present"),
        ({"artist": None, "length": 0}, "play_artist_present"),
        *(({"length": n}, "length_valid") for n in (None, "", 0, -1, "x", float("inf"))),
        *(({**HOME, "length": n}, "length_valid") for n in (0, -1, "x")),
        ({**HOME, "length": ""}, None),
        *(({"level": level}, "level_valid") for level in (None, "gold", "Free")),
        ({**HOME, "level": "gold"}, "level_valid"),
        ({**LOGGED_OUT, "level": "gold"}, None),
        ({**LOGGED_OUT, "level": "goldgoldg"}, "too_long"),
        *(({"gender": gender}, "gender_valid") for gender in ("X", "f", "FM")),
        *(({"gender": gender}, None) for gender in ("", None, " F ")),
        *(({key: "é" * 513}, "too_long") for key in ("song", "artist", "firstName", "location")),
        *(({key: f" {'é' * 512} "}, None) for key in ("song", "artist", "firstName", "lastName")),
        ({"location": "é" * 512, "userAgent": "a" * 4096}, None),
        ({"lastName": "a" * 1025}, "too_long"),
        ({"userAgent": "a" * 4097}, "too_long"),
        *(({"registration": reg}, None) for reg in (None, "", "x", 1, True)),
        ({"auth": " Logged In\t", "page": "NextSong ", "level": " paid"}, None),
    ],
)
def test_event_rules(changes: dict[str, Any], rule: str | None) -> None:
    _, books = load_events(event(**changes), event(sessionId=1))
    assert [refusal.rule for refusal in books.refusals] == ([rule] if rule else [])
    assert books.sources["events"].staged == 2
    assert books.targets["time"].refused == (rule is not None)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        *(({key: None}, f"{key}_present") for key in ("song_id", "artist_id", "title")),
        ({"artist_name": "\u2003"}, "artist_name_present"),
        *(({"duration": n}, "duration_valid") for n in (None, "", 0, -1, "x", float("nan"))),
        *(({"year": year}, "year_valid") for year in (1899, 2101, 1999.5, "x", -0.1, True)),
        *(({"year": year}, None) for year in (0, 1900, 2100, "1999", 1999.0, None, "")),
        *(({"artist_latitude": n}, "latitude_valid") for n in (90.01, -91, "x", " 1")),
        *(({"artist_longitude": n}, "longitude_valid") for n in (180.5, -181, "north")),
        *(({"artist_latitude": n, "artist_longitude": "180"}, None) for n in (-90, "90", "")),
        *(({key: "x" * 65}, "too_long") for key in ("song_id", "artist_id")),
        ({"title": "é" * 513}, "too_long"),
        *(({key: "a" * 1025}, "too_long") for key in ("artist_name", "artist_location")),
        *(({key: " " * 9 + "x" * 64}, None) for key in ("song_id", "artist_id")),
        *(({key: "é" * 512}, None) for key in ("title", "artist_name", "artist_location")),
    ],
)
def test_song_rules(changes: dict[str, Any], rule: str | None) -> None:
    _, books = load_songs(song(**changes))
    assert [refusal.rule for refusal in books.refusals] == ([rule] if rule else [])


def test_a_bad_registration_is_a_warning_and_every_rule_is_counted_by_itself() -> None:
    bad = event(registration="x", ts=-1, userId="", level=None)
    rest = [event(ts=1, registration=ms) for ms in ("", None, 946684800000, 4133980799999.9)]
    star, books = load_events(event(registration=5), bad)
    counts = {"registration_valid": 2, "ts_valid": 1, "user_id_valid": 1, "level_valid": 1}
    assert books.violations["events"] == counts
    assert star.users[8]["registered_at"] is None
    assert load_events(*rest)[1].violations["events"] == {"ts_valid": 4}
    rest = [event(ts=1, registration=ms) for ms in (946684799999.9, 4133980800000)]
    assert load_events(*rest)[1].violations["events"]["registration_valid"] == 2
    load_events(event(registration="1540919166796.9"), into=star)
    assert star.users[8]["registered_at"] == datetime(2018, 10, 30, 17, 6, 6, 796000)


# Merges ------------------------------------------------------------------------------------------


def test_users_keep_the_row_seen_last_whatever_comes_later() -> None:
    star, _ = load_events(event(level="paid", ts=TS + 1, sessionId=1))
    _, books = load_events(event(), event(**HOME, itemInSession=1), into=star)
    assert books.targets["users"] == TargetBooks(staged=2, duplicate=1, stale=1)
    assert star.users[8]["level"] == "paid"
    _, books = load_events(event(level="paid", ts=TS + 1, sessionId=1), into=star)
    assert books.targets["users"] == TargetBooks(staged=1, merged=1, replaced=1)


def test_users_tie_is_decided_by_the_other_columns_null_lowest() -> None:
    rows = [event(firstName=name, sessionId=n) for n, name in enumerate([None, "Zoe", "Ann"])]
    for order in (rows, rows[::-1]):
        star = Reference()
        stale = [load_events(row, into=star)[1].targets["users"].stale for row in order]
        assert (star.users[8]["first_name"], sum(stale)) == ("Zoe", 1)


def test_plays_greatest_in_a_load_and_the_newer_load_across() -> None:
    star, books = load_events(event(ts=TS + 5, level="paid"), event(), event(**LOGGED_OUT))
    expected = TargetBooks(staged=3, out_of_scope=1, duplicate=1, merged=1)
    assert books.targets["songplays"] == expected
    assert star.songplays[139, 0]["level"] == "paid"
    _, books = load_events(event(location=None), event(location="A"), into=star)
    assert books.targets["songplays"].replaced == 1
    at = datetime(2018, 11, 1, 21, 1, 46, 796000)
    names = ("Setanta matins", "Elena")
    row = (139, 0, at, 8, "free", None, None, *names, 269.58322, "A", '"Mozilla/5.0"')
    assert star.star_rows("songplays") == [row]


def test_time_row() -> None:
    star, books = load_events(event(ts=TS + 86_400_000 * 2), event(**LOGGED_OUT), EVENT)
    assert books.targets["time"] == TargetBooks(staged=3, duplicate=1, merged=2)
    at = datetime(2018, 11, 3, 21, 1, 46, 796000)
    assert star.star_rows("time")[1] == (at, 21, 3, 44, 11, 2018, 6, "Saturday", True)
    load_events(event(ts=1543582800000), event(ts=1546196400000), into=star)
    friday, sunday = star.star_rows("time")[2:]
    assert friday == (datetime(2018, 11, 30, 13), 13, 30, 48, 11, 2018, 5, "Friday", False)
    assert sunday == (datetime(2018, 12, 30, 19), 19, 30, 52, 12, 2018, 7, "Sunday", True)


def test_songs_fullest_in_a_load_then_greatest_then_the_newer_load() -> None:
    star, books = load_songs(song(year=1999), song(year=0, title="Zz"), song(year=1998))
    assert books.targets["songs"] == TargetBooks(staged=3, duplicate=2, merged=1)
    assert star.songs["SO1"]["year"] == 1999
    _, books = load_songs(song(), into=star)
    assert (star.songs["SO1"]["year"], books.targets["songs"].replaced) == (None, 1)


def test_artists_name_is_the_shortest_that_stands_in_songs() -> None:
    star, _ = load_songs(song(artist_name="Elena feat. X"), song(song_id="SO2"))
    assert star.artists["AR1"]["name"] == "Elena"
    load_songs(song(song_id="SO3", artist_name="Alena"), into=star)
    assert star.artists["AR1"]["name"] == "Alena"
    _, books = load_songs(song(song_id="SO3", artist_id="AR2", artist_name="El"), into=star)
    assert (star.artists["AR1"]["name"], books.artists_recomputed) == ("Elena", 1)
    _, books = load_songs(song(song_id="SO3", artist_id="AR3"), into=star)
    assert books.artists_recomputed == 0
    _, books = load_songs(song(song_id="SO4", artist_name="E"), into=star)
    assert (star.artists["AR1"]["name"], books.artists_recomputed) == ("E", 0)
    assert star.artists["AR2"]["name"] == "El"


def test_artists_place_is_never_erased_and_comes_as_a_pair() -> None:
    star, books = load_songs(
        song(artist_location="Bray"), song(song_id="SO2", artist_latitude=1.5, artist_longitude=3)
    )
    assert books.targets["artists"] == TargetBooks(staged=2, duplicate=1, merged=1)
    load_songs(song(artist_location=" ", artist_latitude=80, artist_longitude=""), into=star)
    assert star.star_rows("artists") == [("AR1", "Elena", "Dublin", 1.5, 3.0)]
    load_songs(song(artist_location="Ayr", artist_latitude="0", artist_longitude=0), into=star)
    assert star.star_rows("artists") == [("AR1", "Elena", "Ayr", 0.0, 0.0)]


def test_an_artist_whose_only_song_loses_in_the_load_has_a_row_under_its_own_credit() -> None:
    star, books = load_songs(song(artist_id="AR0", artist_name="Anna", year=0), song(year=1999))
    assert star.songs["SO1"]["artist_id"] == "AR1"
    assert star.artists["AR0"]["name"] == "Anna"
    assert books.targets["artists"].merged == 2


# Resolution --------------------------------------------------------------------------------------


def resolved(star: Reference) -> tuple[Any, Any]:
    return star.songplays[139, 0]["song_id"], star.songplays[139, 0]["artist_id"]


def test_resolution_prefers_duration_then_year_then_id() -> None:
    star, _ = load_events(EVENT)
    steps: list[tuple[dict[str, Any], tuple[str | None, str]]] = [
        ({"song_id": "SO9", "title": "Other", "artist_id": "AR9"}, (None, "AR9")),
        ({"song_id": "SO8", "title": "Other", "artist_id": "AR8"}, (None, "AR8")),
        ({"song_id": "SO7", "duration": 1}, ("SO7", "AR1")),
        ({"song_id": "SO6", "duration": 2}, ("SO6", "AR1")),
        ({"song_id": "SO61", "duration": 2, "year": 1990}, ("SO61", "AR1")),
        ({"song_id": "SO62", "duration": "269.583220"}, ("SO62", "AR1")),
        ({"song_id": "SO63", "year": 1991}, ("SO63", "AR1")),
        ({"song_id": "SO64", "year": 1991}, ("SO63", "AR1")),
        ({"song_id": "SO5", "title": "setanta matins", "year": 1999}, ("SO63", "AR1")),
        ({"song_id": "SO5", "artist_name": "Elena feat. X", "year": 1999}, ("SO63", "AR1")),
    ]
    for changes, expected in steps:
        before = resolved(star)
        _, books = load_songs(song(**changes), into=star)
        assert resolved(star) == expected
        assert books.plays_resolved == (before != expected)


def test_a_changed_song_lets_its_plays_go() -> None:
    star, _ = load_songs(song())
    load_events(EVENT, into=star)
    assert resolved(star) == ("SO1", "AR1")
    load_songs(song(artist_name="Else"), into=star)
    assert resolved(star) == (None, None)


def test_damaged_and_padded_names_match() -> None:
    def damaged(name: str) -> str:
        return name.encode().decode("latin-1").encode().decode("latin-1")

    star, _ = load_songs(song(artist_name="Måns", title=damaged(" Då\u00a0")))
    _, books = load_events(event(artist=damaged("Måns"), song=damaged("Då ")), into=star)
    assert (resolved(star), books.plays_resolved) == (("SO1", "AR1"), 0)
    load_songs(song(artist_name=damaged("Måns"), title="Då", duration=1), into=star)
    assert resolved(star) == ("SO1", "AR1")


def test_texts_of_the_star_are_trimmed_and_blank_ones_are_null() -> None:
    star, _ = load_events(event(firstName=" Zoë ", lastName="\u3000", userAgent="\tM\n"))
    assert star.users[8]["first_name"] == "Zoë" and star.users[8]["last_name"] is None
    assert star.songplays[139, 0]["user_agent"] == "M"
    star, _ = load_songs(song(song_id=" SO1 ", artist_id="\u00a0AR1", artist_location=" "))
    assert star.star_rows("artists") == [("AR1", "Elena", None, 1.5, -2.5)]


@given(st.randoms(use_true_random=False), st.data())
def test_files_without_two_contents_may_come_in_any_order(
    rnd: random.Random, data: st.DataObject
) -> None:
    def few(*values: Any) -> Any:
        return data.draw(st.sampled_from(values))

    events = [
        event(
            sessionId=n,
            ts=TS + few(0, 1, 2),
            userId=few(1, 2),
            level=few("free", "paid"),
            artist=few("A", "B"),
            song=few("X", "Y"),
            length=few(1, 2),
        )
        for n in range(4)
    ]
    songs = [
        song(
            song_id=f"S{n}",
            artist_name=few("A", "B", "A feat. B"),
            title=few("X", "Y"),
            duration=few(1, 2),
            artist_id=few("AR1", "AR2"),
            year=few(0, 1990),
        )
        for n in range(4)
    ]
    at_once, split = Reference(), Reference()
    at_once.load([("e", lines(*events))], [("s", lines(*songs))])
    todo: list[tuple[str, Any]] = [("e", one) for one in events] + [("s", one) for one in songs]
    rnd.shuffle(todo)
    for kind, one in todo + todo[:2]:
        if kind == "e":
            load_events(one, into=split)
        else:
            load_songs(one, into=split)
    assert whole(split) == whole(at_once)


def test_the_oracle_shares_no_code_with_the_loader() -> None:
    for name in ("reference.py", "reference_parse.py"):
        text = (Path(__file__).parent / "support" / name).read_text(encoding="utf-8")
        assert not re.search(r"^\s*(from|import) (sparkify_dwh|sqlalchemy|duckdb)", text, re.M)
