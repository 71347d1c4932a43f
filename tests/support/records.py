"""Events, songs and bytes of files, sound and not, for the property tests."""

from __future__ import annotations

import gzip
import json
from typing import Any

from hypothesis import strategies as st

TS = 1541106106796
EVENT: dict[str, Any] = {
    "artist": "Elena",
    "auth": "Logged In",
    "firstName": "Ava",
    "gender": "F",
    "itemInSession": 0,
    "lastName": "Bell",
    "length": 269.58322,
    "level": "free",
    "location": "Eugene, OR",
    "method": "PUT",
    "page": "NextSong",
    "registration": 1540466114796.0,
    "sessionId": 139,
    "song": "Setanta matins",
    "status": 200,
    "ts": TS,
    "userAgent": '"Mozilla/5.0"',
    "userId": "8",
}
SONG: dict[str, Any] = {
    "num_songs": 1,
    "artist_id": "AR5KOSW1187FB35FF4",
    "artist_latitude": 49.80388,
    "artist_longitude": 15.47491,
    "artist_location": "Dubai UAE",
    "artist_name": "Elena",
    "song_id": "SOZCTXZ12AB0182364",
    "title": "Setanta matins",
    "duration": 269.58322,
    "year": 0,
}
HOME = {"page": "Home", "song": None, "artist": None, "length": None}
LOGGED_OUT = {
    **HOME,
    "auth": "Logged Out",
    "userId": "",
    "registration": None,
    "firstName": None,
    "lastName": None,
    "gender": None,
}
RECORDS = {"events": EVENT, "songs": SONG}


def event(**changes: Any) -> dict[str, Any]:
    return {**EVENT, **changes}


def song(**changes: Any) -> dict[str, Any]:
    return {**SONG, **changes}


def event_line(**changes: Any) -> str:
    """A line of a log: a sound play, but for the changes."""
    return json.dumps(event(**changes)) + "\n"


def song_line(**changes: Any) -> str:
    """A song file: a sound one, but for the changes."""
    return json.dumps(song(**changes)) + "\n"


def line(record: Any) -> bytes:
    return json.dumps(record).encode()


def lines(*records: Any) -> bytes:
    return b"\n".join(line(record) for record in records)


# Records that mean something: the same keys again and again, with other contents -----------------

NAMES = ["Elena", "Måns", "MÃ¥ns", "MÃ\x83Â¥ns", " Elena", "Elena\u00a0", "Elena feat. X", "Zoë"]
TITLES = ["Setanta matins", "Då", "DÃ¥", "Då ", "Other", "[re:jazz]", "{x}"]
DURATIONS = [269.58322, 100, 100.0, 12.5]


def _of(base: dict[str, Any], **choices: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({}, optional=choices).map(lambda changes: {**base, **changes})


def _some(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


EVENTS = _of(
    EVENT,
    artist=_some(*NAMES),
    song=_some(*TITLES),
    length=_some(*DURATIONS),
    level=_some("free", "paid"),
    firstName=_some(None, "", "Ava", "Ann", " Ann ", "Zoë"),
    lastName=_some(None, "Bell", "\u3000"),
    gender=_some(None, "", "M", "F"),
    location=_some(None, "", "A", "B"),
    registration=_some(None, "", 1540466114796.0, 1540466114796.9, 1, "x"),
    userAgent=_some(None, "Mozilla"),
    ts=st.integers(0, 5).map(lambda n: TS + n)
    | _some(1543582800000, 1546196400000, str(TS), 1.5431e12, 4133980799999, 946684800000),
    sessionId=_some(139, 140, "139", 139.0),
    itemInSession=st.integers(0, 3),
    userId=_some("8", 8, 8.0, "9", "10"),
) | _of(
    {**EVENT, **HOME},
    ts=st.integers(0, 5).map(lambda n: TS + n),
    level=_some("free", "paid"),
    userId=_some("8", "9"),
    auth=_some("Logged In", "Logged Out", None),
)

SONGS = _of(
    SONG,
    song_id=_some("SO1", "SO2", "SO3", " SO3", "SO4"),
    artist_id=_some("AR1", "AR2", "AR3"),
    artist_name=_some(*NAMES),
    title=_some(*TITLES),
    duration=_some(*DURATIONS),
    year=_some(0, None, "", 1999, "1999", 1990.0, 2010),
    artist_location=_some(None, "", " ", "Dublin", "Ayr"),
    artist_latitude=_some(None, "", 1.5, "1.5", -90, 0, -0.0),
    artist_longitude=_some(None, "", -2.5, 180, 0),
    num_songs=_some(1, None),
)
SOUND = {"events": EVENTS, "songs": SONGS}


# Bytes of records that are none, or are odd ------------------------------------------------------


def _text(base: dict[str, Any], key: str, json_text: str) -> bytes:
    """A sound record with the text of one value replaced."""
    marked = json.dumps({**base, key: "@@"})
    return marked.replace('"@@"', json_text, 1).encode()


def _odd(base: dict[str, Any], text: str, number: str) -> list[bytes]:
    """Odd records made of a sound one; ``text`` and ``number`` name a key of each kind."""
    sound = line(base)
    plain = line({key: value for key, value in base.items() if key != number})
    values = [
        *("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "true", "null", "{}", "[1, 2]"),
        *("99999999999999999999", "12345678901234567890.5", "1e15", "123456789012345678.0"),
        *("-1", "0", "-0", "0.5", "12.7", '"12.7"', '"1_000"', '"0x1F"', '" 39"', '""', "1E2"),
        *("9" * 5000, "0." + "3" * 5000, "1e17", "1e18", "1e-7", "inf", "nan", "-inf", "01", "1."),
        *("1541105830", "1541105830796000", "1541105830796.5", '"1541105830796"', "1.5431e12"),
    ]
    texts = [
        *('"[re:jazz]"', '"{x}"', '"a,}b, ]"', r'"\u0000"', r'"\ud800"', r'"\ud83d\ude00"'),
        *('"\\u00a0"', '["x"]', '{"a": 1}', "17", "1.50", "1E2", "nan", "false"),
        '"' + "é" * 513 + '"',
        *('"' + "x" * 1025 + '"', '"a\\nb"', r'"\u0041"', '"\x7f"', '"\x01"', '"x', "'x'"),
    ]
    return [
        *(_text(base, number, value) for value in values),
        *(_text(base, text, value) for value in texts),
        plain,
        plain[:-1] + b', "%s": 1}' % number.upper().encode(),
        sound[:-1] + b', "%s": ["twice"]}' % text.encode(),
        b'{"%s": null, ' % text.encode() + sound[1:],
        sound[:-1] + b', "x": {"y": [{"z": "\\u0000"}, ["\\ud800"], 1]}}',
        sound[:-1] + rb', "x": "\udc00"}',
        sound[:-1] + b', "x": "\xff"}',
        sound[:-1] + b', "x": [1,]}',
        sound[:-1] + b', "x": {"y": 2, } }',
        sound[:-1] + b",}",
        sound[:-1] + b",,}",
        sound[:-1] + b", }",
        sound[:-1] + b"/* x */}",
        sound + b" // x",
        sound + b"\x0c",
        b"\x0b" + sound,
        sound[:-1],
        sound[: len(sound) // 2],
        sound + b"}",
        sound + b",",
        sound + sound,
        sound + b" " + sound,
        sound + b"\r" + sound,
        sound.replace(b'"', b"'"),
        sound.replace(b": ", b":\n"),
        sound.replace(b", ", b",\n  "),
        json.dumps(base, indent=2).encode(),
        json.dumps(base, indent=2).replace("\n", "\r\n").encode(),
        json.dumps(base, indent=2).encode()[:-1],
        b"  " + sound + b"\t",
        b"\xef\xbb\xbf" + sound,
        sound.replace(b"Elena", b"El\xc3na"),
        sound.replace(b"Elena", b"El\xed\xa0\x80na"),
        sound.replace(b"Elena", "Él\u2028na\U0001f600".encode()),
        b'{"x": "\\ud800"}',
        b'{"\\u0074s": 1}',
        b'{"a":' + b"[" * 2000,
    ]


ODD = {"events": _odd(EVENT, "artist", "ts"), "songs": _odd(SONG, "artist_name", "duration")}
JUNK = [
    *(b"{}", b"{ }", b"[]", b"[1, 2]", b"42", b"-1.5e3", b'"text"', b"null", b"true", b"nope"),
    *(b"{", b"}", b'{"a":', b'"x"}', b"]", b"[", b",", b"\\", b"'", b'"', b"12abc", b"\x00"),
    *(b"\xff\xfe", b"\xc3", b"\x1f\x8b", b"\xef\xbb\xbf", b"//", b"# x", b"NaN", b"nul", b" "),
    *(
        b'{"x": 1} {"x": 2}',
        b"{}{}",
        b"{}{",
        b"1 2 3",
        b'"a" "b"',
        b"[1][2]",
        b"{,}",
        b"{{}}",
        b"\x0c",
        b"\x85",
    ),
]
ENDS = [
    b"\n",
    b"\n",
    b"\n",
    b"\n",
    b"\r\n",
    b"\n\n",
    b"\r\n\r\n",
    b"\n \n",
    b" ",
    b"",
    b"\n\t",
    b"\n ",
]


def bodies(source: str, odd: int = 3) -> st.SearchStrategy[bytes]:
    """Bytes of an object: sound records in the main, some odd ones, any ends of lines."""
    sound = SOUND[source].map(line)
    strange = st.sampled_from(ODD[source]) | st.sampled_from(JUNK)
    piece = st.one_of(*[sound] * (6 - odd), *[strange] * odd)
    return st.lists(st.tuples(piece, st.sampled_from(ENDS)), max_size=7).map(
        lambda parts: b"".join(text + end for text, end in parts)
    )


def _packed(body: bytes) -> st.SearchStrategy[bytes]:
    whole = gzip.compress(body, mtime=0)
    half = len(body) // 2
    members = gzip.compress(body[:half], mtime=0) + gzip.compress(body[half:], mtime=0)
    return st.sampled_from(
        [body] * 8
        + [whole, members, whole + b"\0\0\0", whole + b"x", whole[:-5], b"\x1f\x8b" + body]
        + [b"\xef\xbb\xbf" + body, body.decode("latin-1").encode("utf-16")]
    )


def objects(source: str, odd: int = 3) -> st.SearchStrategy[bytes]:
    """Bytes of an object as on disk: some gzip, some with a BOM, a few beyond reading."""
    return bodies(source, odd).flatmap(_packed)


NAMES_OF_FILES = ["a.json", "b.json", "b.json.gz", "2018/11/c.json", "d e+f%20.json", "[x]*?.json"]
