"""Broken records: each kind with the rule that refuses it first.

A kind is a rule and either fields that replace those of a valid record (JSON fragments; None
drops the key) or a function of the text of the valid record. Texts are written as latin-1, so
characters up to U+00FF represent bytes.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from random import Random
from typing import Final, TypeAlias

from .text import code, shuffled

_Fields: TypeAlias = dict[str, str | None]
Kind: TypeAlias = tuple[str, _Fields | Callable[[str], str]]

_HOME: Final[_Fields] = {
    "artist": "null", "song": "null", "length": "null", "page": '"Home"', "method": '"GET"',
}  # fmt: skip
_PAST_64_BITS: Final = "99999999999999999999"
_WIDE: Final = '"' + "x" * 1025 + '"'
_WIDE_IN_BYTES: Final = '"' + "\\u00e9" * 513 + '"'


def _constant(text: str) -> Callable[[str], str]:
    return lambda _: text


_ANY: Final[tuple[Kind, ...]] = (
    ("malformed_json", lambda text: text[: text.index("Broken") + 4]),
    ("malformed_json", lambda text: text[:-1]),
    ("malformed_json", lambda text: text.replace(",", ",,", 1)),
    ("malformed_json", lambda text: text.replace('"', "'")),
    ("invalid_utf8", lambda text: text.replace("Broken", "Brok\xff\xfeen")),
    ("invalid_utf8", lambda text: text.replace("Broken", "Brok\xc3en")),
    ("not_an_object", _constant("[1,2,3]")),
    ("not_an_object", _constant("42")),
    ("not_an_object", _constant("null")),
    ("not_an_object", _constant('"a text"')),
    ("nul_character", lambda text: text.replace("Broken", "Brok\\u0000en")),
    ("lone_surrogate", lambda text: text.replace("Broken", "Brok\\ud800en")),
)

EVENT_KINDS: Final[tuple[Kind, ...]] = (
    *_ANY,
    ("nested_value", {"length": '{"seconds":200}'}),
    ("nested_value", {"page": '["NextSong"]'}),
    ("ts_valid", _constant("{}")),
    ("ts_valid", {"ts": None}),
    ("ts_valid", {"ts": "null"}),
    ("ts_valid", {"ts": "1541105830"}),
    ("ts_valid", {"ts": "1541105830796000"}),
    ("ts_valid", {"ts": "-1"}),
    ("ts_valid", {"ts": "true"}),
    ("ts_valid", {"ts": "1541105830796.5"}),
    ("ts_valid", {"ts": "NaN"}),
    ("page_present", {"page": None}),
    ("page_present", {"page": "null"}),
    ("session_id_valid", {"sessionId": None}),
    ("session_id_valid", {"sessionId": "12.7"}),
    ("session_id_valid", {"sessionId": _PAST_64_BITS}),
    ("item_in_session_valid", {"itemInSession": "null"}),
    ("item_in_session_valid", {"itemInSession": "-1"}),
    ("user_id_valid", {**_HOME, "userId": '"abc"'}),
    ("user_id_valid", {"userId": '""'}),
    ("play_logged_in", {"auth": '"Logged Out"'}),
    ("play_song_present", {"song": '""'}),
    ("play_song_present", {"song": '" \\u00a0"'}),
    ("play_artist_present", {"artist": "null"}),
    ("length_valid", {"length": "NaN"}),
    ("length_valid", {"length": "Infinity"}),
    ("length_valid", {"length": "1e999"}),
    ("length_valid", {"length": "0"}),
    ("length_valid", {"length": "-12.5"}),
    ("length_valid", {"length": None}),
    ("length_valid", {**_HOME, "length": "0.0"}),
    ("level_valid", {"level": '"gold"'}),
    ("level_valid", {**_HOME, "level": "null"}),
    ("gender_valid", {"gender": '"X"'}),
    ("too_long", {"song": _WIDE}),
    ("too_long", {"artist": _WIDE_IN_BYTES}),
    ("too_long", {"userAgent": '"' + "x" * 4097 + '"'}),
)

SONG_KINDS: Final[tuple[Kind, ...]] = (
    *_ANY,
    ("nested_value", {"title": '["Broken"]'}),
    ("song_id_present", _constant("{}")),
    ("song_id_present", {"song_id": None}),
    ("artist_id_present", {"artist_id": "null"}),
    ("title_present", {"title": '" \\u00a0\\t"'}),
    ("artist_name_present", {"artist_name": '""'}),
    ("duration_valid", {"duration": "0"}),
    ("duration_valid", {"duration": "NaN"}),
    ("duration_valid", {"duration": None}),
    ("year_valid", {"year": "1800"}),
    ("year_valid", {"year": "2101"}),
    ("latitude_valid", {"artist_latitude": "91"}),
    ("longitude_valid", {"artist_longitude": "-180.5"}),
    ("too_long", {"title": _WIDE}),
    ("too_long", {"artist_location": _WIDE_IN_BYTES}),
)


def _event(number: int, ts: int) -> _Fields:
    return {
        "artist": '"Broken Records"',
        "auth": '"Logged In"',
        "firstName": '"Ava"',
        "gender": '"F"',
        "itemInSession": str(number % 50),
        "lastName": '"Bell"',
        "length": "182.85669",
        "level": '"free"',
        "location": '"Eugene, OR"',
        "method": '"PUT"',
        "page": '"NextSong"',
        "registration": f"{ts}.0",
        "sessionId": str(900_000_000 + number),
        "song": f'"Scratch {number}"',
        "status": "200",
        "ts": str(ts),
        "userAgent": '"Mozilla/5.0"',
        "userId": '"900000001"',
    }


def _song(number: int) -> _Fields:
    return {
        "num_songs": "1",
        "artist_id": f'"{code("AR", 1, number)}"',
        "artist_latitude": "1.5",
        "artist_longitude": "-1.5",
        "artist_location": '""',
        "artist_name": '"Broken Records"',
        "song_id": f'"{code("SO", 1, number)}"',
        "title": f'"Scratch {number}"',
        "duration": "182.85669",
        "year": "0",
    }


def _broken(kind: Kind, fields: _Fields, comma: str, colon: str) -> str:
    change = kind[1]
    if isinstance(change, dict):
        fields = {**fields, **change}
    text = comma.join(f'"{key}"{colon}{value}' for key, value in fields.items() if value)
    text = "{" + text + "}"
    return text if isinstance(change, dict) else change(text)


def _shuffled_rounds(rng: Random, kinds: Sequence[Kind]) -> Iterator[Kind]:
    """All kinds in random order, repeated, so that a few records cover as many kinds."""
    order = shuffled(rng, kinds)
    while True:
        yield from order


def broken_events(rng: Random, ts: int) -> Iterator[tuple[str, str]]:
    """Endless (rule, line): log records that ``rule`` refuses first; ``ts`` is a valid time."""
    for number, kind in enumerate(_shuffled_rounds(rng, EVENT_KINDS)):
        yield kind[0], _broken(kind, _event(number, ts), ",", ":")


def broken_songs(rng: Random, first: int) -> Iterator[tuple[str, str]]:
    """Endless (rule, text of a file); ids are made from the numbers ``first`` and up."""
    for number, kind in enumerate(_shuffled_rounds(rng, SONG_KINDS), first):
        yield kind[0], _broken(kind, _song(number), ", ", ": ")


def leaves_record_open(rule: str, line: str) -> bool:
    """Whether a reader looks for the end of a broken record in the following lines."""
    return rule == "malformed_json" and line.startswith("{")


def keep_apart(lines: Iterable[str], open_lines: Collection[str]) -> tuple[list[str], int]:
    """Orders lines so that each is read as one record; also returns how many at the end are open.

    A line that does not begin with ``{`` would continue an open record before it, so it is moved
    before all open ones in a row.
    """
    out: list[str] = []
    last = 0
    for line in lines:
        if not line.startswith("{"):
            out.insert(len(out) - last, line)
            continue
        out.append(line)
        last = last + 1 if line in open_lines else 0
    return out, last
