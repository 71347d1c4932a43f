"""The oracle's reader: an object's bytes -> records -> typed rows and the rules they break.

Plain Python from the standard library. It shares no code with the loader and imports nothing from
it, so that agreement between the two means something. `reference.py` holds the star.

How a file is cut into records (`split_records`), in one rule: a record starts at the next
character that is no blank and lasts as long as the JSON value that starts there. It may not go on
past its *limit*: for a record that starts with `{` the next line that has `{` in column 0 (or the
end of the file), for everything else the end of its line. Where no complete value stands before
the limit, or one of over 4 MiB, all text up to the limit is ONE refused record, and reading goes on
behind it.
"""

import gzip
import json
import math
import re
import zlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

MAX_RECORD = 4 * 1024 * 1024
#: Gzip may unpack to the first of these, or to the second times its size.
MAX_UNPACKED, MAX_RATIO = 64 * 1024 * 1024, 200
BLANKS = " \t\r\n"
BLANK_RUN = re.compile(f"[{BLANKS}]*")
SURROGATE = re.compile("[\ud800-\udfff]")
MALFORMED = object()

FIELDS: dict[str, tuple[str, ...]] = {
    "events": (
        *("artist", "auth", "firstName", "gender", "itemInSession", "lastName", "length", "level"),
        *("location", "method", "page", "registration", "sessionId", "song", "status", "ts"),
        *("userAgent", "userId"),
    ),
    "songs": (
        *("num_songs", "artist_id", "artist_latitude", "artist_longitude", "artist_location"),
        *("artist_name", "song_id", "title", "duration", "year"),
    ),
}

Row = dict[str, Any]
Values = dict[str, str | None]


class Record(NamedTuple):
    """One record of an object: `rule` is why the parser refuses it, or None where it is staged."""

    object: str
    line: int
    raw: bytes
    rule: str | None
    values: Values


def parse_object(source: str, name: str, data: bytes) -> list[Record]:
    """All records of one object, in order, as on disk (gzip is recognized by its magic bytes)."""
    body = data
    if data.startswith(b"\x1f\x8b"):
        try:
            body = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            return [Record(name, 0, data, "undecodable_object", {})]
        if len(body) > max(MAX_UNPACKED, MAX_RATIO * len(data)):
            return [Record(name, 0, data, "undecodable_object", {})]
    if not json.detect_encoding(body).startswith("utf-8"):
        return [Record(name, 0, data, "undecodable_object", {})]
    # Bytes that are not UTF-8 become lone surrogates here and come back unchanged in `raw`.
    text = body.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    return records_of(source, name, text)


def records_of(source: str, name: str, text: str, line: int = 1) -> list[Record]:
    """The records of a text that starts in a line of an object."""
    records, seen = [], 0
    for start, end, value in split_records(text):
        line += text.count("\n", seen, start)
        seen = start
        part = text[start:end]
        raw = part.encode("utf-8", "surrogateescape")
        rule = refused_by_parser(source, part, raw, value)
        values = as_text(source, value) if rule is None else {}
        records.append(Record(name, line, raw, rule, values))
    return records


def split_records(text: str) -> Iterator[tuple[int, int, Any]]:
    """(start, end, value) of each record; the rule is the module's docstring."""
    at = after_blanks(text, 0)
    while at < len(text):
        limit = text.find("\n{" if text[at] == "{" else "\n", at)
        limit = len(text) if limit < 0 else limit
        try:
            value, end = DECODER.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError):
            value, end = MALFORMED, limit
        if end > limit or (text[at] not in '{["' and text[end : end + 1].strip(BLANKS)):
            value, end = MALFORMED, limit  # goes on too far, or `12abc`: a scalar needs a blank
        if len(text[at:end].encode("utf-8", "surrogateescape")) > MAX_RECORD:
            value, end = MALFORMED, limit
        if value is MALFORMED:
            yield at, at + len(text[at:end].rstrip(BLANKS)), MALFORMED
        else:
            yield at, end, value
        at = after_blanks(text, end)


def after_blanks(text: str, at: int) -> int:
    found = BLANK_RUN.match(text, at)
    return found.end() if found else at


def first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object as a dict in which the first value of a key given twice counts."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        found.setdefault(key, value)
    return found


DECODER = json.JSONDecoder(
    object_pairs_hook=first_wins, parse_float=str, parse_int=str, parse_constant=str
)


def refused_by_parser(source: str, part: str, raw: bytes, value: Any) -> str | None:
    """The one reason why a record is not staged. Size goes first: nobody need parse 1 GB."""
    if len(raw) > MAX_RECORD:
        return "record_too_large"
    if value is MALFORMED:
        return "malformed_json"
    if SURROGATE.search(part):
        return "invalid_utf8"
    if not isinstance(value, dict):
        return "not_an_object"
    known = [value.get(field) for field in FIELDS[source]]
    texts = [each for each in known if isinstance(each, str)]
    if any("\0" in text for text in texts):
        return "nul_character"
    if any(SURROGATE.search(text) for text in texts):
        return "lone_surrogate"
    if any(isinstance(each, dict | list) for each in known):
        return "nested_value"
    return None


def as_text(source: str, value: dict[str, Any]) -> Values:
    """The known fields as staging holds them: text or NULL, numbers in their own spelling."""
    words = {True: "true", False: "false"}
    return {
        field: words[each] if isinstance(each := value.get(field), bool) else each
        for field in FIELDS[source]
    }


# Texts and numbers -------------------------------------------------------------------------------

INTEGER = re.compile(r"-?[0-9]{1,18}([.]0+)?")
NUMBER = re.compile(r"-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?")
EPOCH = datetime(1970, 1, 1)
MS_2000 = (datetime(2000, 1, 1) - EPOCH) // timedelta(milliseconds=1)
MS_2101 = (datetime(2101, 1, 1) - EPOCH) // timedelta(milliseconds=1)


def trimmed(text: str | None) -> str | None:
    return (text.strip() or None) if text is not None else None


def repaired(text: str | None) -> str | None:
    """A name as it was meant, its UTF-8 read as latin-1 undone up to three times; then trimmed."""
    for _ in range(3):
        if text is None or text.isascii():
            break
        try:
            text = text.encode("latin-1").decode("utf-8")
        except UnicodeError:
            break
    return trimmed(text)


def number(text: str | None) -> float | None:
    """The DOUBLE that a text spells; None for no number. Never trimmed."""
    return float(text) if text is not None and NUMBER.fullmatch(text) else None


def integer(text: str | None) -> int | None:
    """The integer of at most 18 digits that a text spells: 39, 39.0, 3.9e1; None for others."""
    if text is not None and INTEGER.fullmatch(text):
        return int(text.partition(".")[0])
    value = number(text)
    if value is None or not value.is_integer() or abs(value) >= 10**18:
        return None
    return int(value)


def registration_ms(text: str | None) -> int | None:
    """Milliseconds (a fraction of one is cut off) of a time in 2000..2100; None for others."""
    exact = integer(text)
    value = number(text)
    if exact is None and value is not None:
        exact = math.trunc(value)
    return exact if exact is not None and MS_2000 <= exact < MS_2101 else None


def as_time(ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=ms)


# Row rules: typed row and the names of all rules it breaks, in declared order --------------------

WARNINGS = {"registration_valid"}


def broken(*rules: tuple[str, bool]) -> list[str]:
    return [rule for rule, kept in rules if not kept]


def fits(row: Row, **widths: int) -> bool:
    return all(len((row[column] or "").encode()) <= width for column, width in widths.items())


def judge_event(v: Values) -> tuple[Row, list[str]]:
    row: Row = {
        "ts": integer(v["ts"]),
        "page": trimmed(v["page"]),
        "auth": trimmed(v["auth"]),
        "session_id": integer(v["sessionId"]),
        "item_in_session": integer(v["itemInSession"]),
        "user_id": integer(v["userId"]),
        "song_title": repaired(v["song"]),
        "artist_name": repaired(v["artist"]),
        "duration": number(v["length"]),
        "level": trimmed(v["level"]),
        "gender": trimmed(v["gender"]),
        "first_name": trimmed(v["firstName"]),
        "last_name": trimmed(v["lastName"]),
        "location": trimmed(v["location"]),
        "user_agent": trimmed(v["userAgent"]),
    }
    registered = registration_ms(v["registration"])
    row["registered_at"] = None if registered is None else as_time(registered)
    play, logged_in = row["page"] == "NextSong", row["auth"] == "Logged In"
    judged = broken(
        ("ts_valid", row["ts"] is not None and MS_2000 <= row["ts"] < MS_2101),
        ("page_present", row["page"] is not None),
        ("session_id_valid", row["session_id"] is not None and row["session_id"] >= 0),
        (
            "item_in_session_valid",
            row["item_in_session"] is not None and row["item_in_session"] >= 0,
        ),
        ("user_id_valid", row["user_id"] is not None or not (logged_in or play)),
        ("play_logged_in", logged_in or not play),
        ("play_song_present", row["song_title"] is not None or not play),
        ("play_artist_present", row["artist_name"] is not None or not play),
        ("length_valid", positive(row["duration"]) or (not v["length"] and not play)),
        ("level_valid", row["level"] in ("free", "paid") or not (logged_in or play)),
        ("gender_valid", row["gender"] in (None, "F", "M")),
        (
            "too_long",
            fits(row, level=8, gender=1, user_agent=4096)
            and fits(row, first_name=1024, last_name=1024, location=1024)
            and fits(row, song_title=1024, artist_name=1024),
        ),
        ("registration_valid", registered is not None or not v["registration"]),
    )
    if "ts_valid" not in judged:
        row["start_time"] = row["last_seen_at"] = as_time(row["ts"])
    return row, judged


def judge_song(v: Values) -> tuple[Row, list[str]]:
    row: Row = {
        "song_id": trimmed(v["song_id"]),
        "artist_id": trimmed(v["artist_id"]),
        "title": repaired(v["title"]),
        "artist_name": repaired(v["artist_name"]),
        "duration": number(v["duration"]),
        "location": trimmed(v["artist_location"]),
        "latitude": number(v["artist_latitude"]),
        "longitude": number(v["artist_longitude"]),
    }
    year = integer(v["year"])
    row["year"] = year or None
    judged = broken(
        ("song_id_present", row["song_id"] is not None),
        ("artist_id_present", row["artist_id"] is not None),
        ("title_present", row["title"] is not None),
        ("artist_name_present", row["artist_name"] is not None),
        ("duration_valid", positive(row["duration"])),
        ("year_valid", not v["year"] or year in (0, *range(1900, 2101))),
        ("latitude_valid", not v["artist_latitude"] or within(row["latitude"], 90)),
        ("longitude_valid", not v["artist_longitude"] or within(row["longitude"], 180)),
        (
            "too_long",
            fits(row, song_id=64, artist_id=64)
            and fits(row, title=1024, artist_name=1024, location=1024),
        ),
    )
    return row, judged


def positive(value: float | None) -> bool:
    return value is not None and value > 0


def within(value: float | None, limit: int) -> bool:
    return value is not None and -limit <= value <= limit
