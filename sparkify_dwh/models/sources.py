"""The two sources: the types of their fields, and the rules that judge each row."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from .base import AGENT_WIDTH, GENDER_WIDTH, ID_WIDTH, LEVEL_WIDTH, NAME_WIDTH, table_of
from .declare import Field, Rows, Rule, Source
from .expressions import FIRST_MS, LAST_MS
from .staging import StagedEvent, StagedSong
from .targets import is_logged_in, is_play


def _known_user(rows: Rows) -> sa.ColumnElement[bool]:
    return sa.func.coalesce(sa.or_(is_play(rows), is_logged_in(rows)), sa.false())


def _play(rows: Rows) -> sa.ColumnElement[bool]:
    return sa.func.coalesce(is_play(rows), sa.false())


def _where(condition: Any, then: Any) -> sa.ColumnElement[bool]:
    """``then`` where the condition holds; true elsewhere."""
    return sa.case((condition, then), else_=sa.true())


def _fits(*names: str) -> Any:
    return lambda r: sa.and_(*(r.c[f"fits_{name}"] for name in names))


EVENT_FIELDS = (
    Field("ts", "ts", "integer"),
    Field("page", "page"),
    Field("auth", "auth"),
    Field("session_id", "sessionid", "integer"),
    Field("item_in_session", "iteminsession", "integer"),
    Field("user_id", "userid", "integer"),
    Field("first_name", "firstname", width=NAME_WIDTH),
    Field("last_name", "lastname", width=NAME_WIDTH),
    Field("gender", "gender", width=GENDER_WIDTH),
    Field("level", "level", width=LEVEL_WIDTH),
    Field("registered_at", "registration", "time"),
    Field("song", "song", width=NAME_WIDTH, repaired=True),
    Field("artist", "artist", width=NAME_WIDTH, repaired=True),
    Field("length", "length", "number"),
    Field("location", "location", width=NAME_WIDTH),
    Field("user_agent", "useragent", width=AGENT_WIDTH),
)

EVENT_RULES = (
    Rule(
        "ts_valid",
        lambda r: sa.and_(r.c.ts >= FIRST_MS, r.c.ts < LAST_MS),
        "ts must be whole milliseconds from 2000-01-01 until 2101-01-01",
    ),
    Rule("page_present", lambda r: r.c.page.is_not(None), "page must not be missing or blank"),
    Rule(
        "session_id_valid",
        lambda r: r.c.session_id >= 0,
        "sessionId must be a whole number, not negative",
    ),
    Rule(
        "item_in_session_valid",
        lambda r: r.c.item_in_session >= 0,
        "itemInSession must be a whole number, not negative",
    ),
    Rule(
        "user_id_valid",
        lambda r: _where(_known_user(r), r.c.user_id.is_not(None)),
        "userId must be a whole number on a play or when logged in",
    ),
    Rule(
        "play_logged_in",
        lambda r: _where(_play(r), is_logged_in(r)),
        "a play needs auth 'Logged In'",
    ),
    Rule(
        "play_song_present",
        lambda r: _where(_play(r), r.c.song.is_not(None)),
        "a play needs a song",
    ),
    Rule(
        "play_artist_present",
        lambda r: _where(_play(r), r.c.artist.is_not(None)),
        "a play needs an artist",
    ),
    Rule(
        "length_valid",
        lambda r: _where(sa.or_(_play(r), r.c.given_length), r.c.length > 0),
        "length must be a positive number on a play and where given",
    ),
    Rule(
        "level_valid",
        lambda r: _where(_known_user(r), r.c.level.in_(("free", "paid"))),
        "level must be free or paid on a play or when logged in",
    ),
    Rule(
        "gender_valid",
        lambda r: sa.or_(r.c.gender.is_(None), r.c.gender.in_(("F", "M"))),
        "gender must be F or M where given",
    ),
    Rule(
        "too_long",
        _fits(*(field.name for field in EVENT_FIELDS if field.width)),
        f"names, titles and locations have at most {NAME_WIDTH} bytes, user agents {AGENT_WIDTH}",
    ),
    Rule(
        "registration_valid",
        lambda r: _where(r.c.given_registered_at, r.c.registered_at.is_not(None)),
        "registration should be a time in 2000..2100; it becomes NULL",
        "warn",
    ),
)

EVENTS = Source(
    name="events",
    setting="log_data",
    staging=table_of(StagedEvent),
    fields=EVENT_FIELDS,
    rules=EVENT_RULES,
    person="user_id",
)

SONG_FIELDS = (
    Field("song_id", "song_id", width=ID_WIDTH),
    Field("artist_id", "artist_id", width=ID_WIDTH),
    Field("title", "title", width=NAME_WIDTH, repaired=True),
    Field("artist_name", "artist_name", width=NAME_WIDTH, repaired=True),
    Field("duration", "duration", "number"),
    Field("year", "year", "integer"),
    Field("artist_latitude", "artist_latitude", "number"),
    Field("artist_longitude", "artist_longitude", "number"),
    Field("artist_location", "artist_location", width=NAME_WIDTH),
)


def _present(name: str) -> Rule:
    return Rule(
        f"{name}_present", lambda r: r.c[name].is_not(None), f"{name} must not be missing or blank"
    )


SONG_RULES = (
    _present("song_id"),
    _present("artist_id"),
    _present("title"),
    _present("artist_name"),
    Rule("duration_valid", lambda r: r.c.duration > 0, "duration must be a positive number"),
    Rule(
        "year_valid",
        lambda r: _where(r.c.given_year, sa.or_(r.c.year == 0, r.c.year.between(1900, 2100))),
        "year must be 0 or in 1900..2100 where given",
    ),
    Rule(
        "latitude_valid",
        lambda r: _where(r.c.given_artist_latitude, r.c.artist_latitude.between(-90, 90)),
        "artist_latitude must be in -90..90 where given",
    ),
    Rule(
        "longitude_valid",
        lambda r: _where(r.c.given_artist_longitude, r.c.artist_longitude.between(-180, 180)),
        "artist_longitude must be in -180..180 where given",
    ),
    Rule(
        "too_long",
        _fits(*(field.name for field in SONG_FIELDS if field.width)),
        f"ids have at most {ID_WIDTH} bytes, names, titles and locations {NAME_WIDTH}",
    ),
)

SONGS = Source(
    name="songs",
    setting="song_data",
    staging=table_of(StagedSong),
    fields=SONG_FIELDS,
    rules=SONG_RULES,
)

SOURCES = (SONGS, EVENTS)
