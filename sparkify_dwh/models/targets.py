"""How each table of the star is fed: its columns, which row wins, what is checked."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from .base import table_of
from .declare import Derivation, Derived, Lookup, Resolution, Rows, Rule, Target
from .expressions import EpochMs, descending
from .star import DAYS, Artist, Song, Songplay, Time, User


def _given(rows: Rows) -> sa.ColumnElement[Any]:
    """The number of filled columns of a song, of its six."""
    columns = (rows.c.song_id, rows.c.title, rows.c.artist_id, rows.c.artist_name)
    optional = (sa.case((rows.c.year == 0, None), else_=rows.c.year), rows.c.duration)
    total: sa.ColumnElement[Any] = sa.literal_column("0")
    for column in (*columns, *optional):
        total = total + sa.case((column.is_(None), 0), else_=1)
    return total


SONGS = Target(
    table=table_of(Song),
    source="songs",
    columns={
        "song_id": lambda r: r.c.song_id,
        "title": lambda r: r.c.title,
        "artist_id": lambda r: r.c.artist_id,
        "artist_name": lambda r: r.c.artist_name,
        "year": lambda r: sa.cast(sa.func.nullif(r.c.year, 0), sa.SmallInteger),
        "duration": lambda r: r.c.duration,
    },
    rank=(_given,),
    checks=(
        Rule(
            "duration_positive",
            lambda t: t.c.duration > 0,
            "a song has a positive duration",
            "fail",
        ),
        Rule(
            "year_in_range",
            lambda t: sa.or_(t.c.year.is_(None), t.c.year.between(1900, 2100)),
            "a year is in 1900..2100",
            "fail",
        ),
    ),
)


def _names(rows: Any) -> sa.Select[Any]:
    """The names each artist is credited with, ranked by ``place``: the shortest first."""
    name = rows.c.artist_name
    place = sa.func.row_number().over(
        partition_by=rows.c.artist_id, order_by=(sa.func.length(name), name)
    )
    return sa.select(rows.c.artist_id, name.label("name"), place.label("place"))


def _artists(given: Derived) -> sa.Select[Any]:
    """Names from all songs; location and coordinates from this load, else as stored."""
    song, artist, rows = table_of(Song), given.target, given.rows
    credited = (
        _names(song)
        .where(song.c.artist_id.in_(sa.select(given.keys.c.artist_id)))
        .subquery("credited")
    )
    located = (
        sa.select(rows.c.artist_id, sa.func.max(rows.c.artist_location).label("location"))
        .group_by(rows.c.artist_id)
        .subquery("located")
    )
    pointed = (
        sa.select(
            rows.c.artist_id,
            rows.c.artist_latitude.label("latitude"),
            rows.c.artist_longitude.label("longitude"),
            sa.func.row_number()
            .over(
                partition_by=rows.c.artist_id,
                order_by=descending([rows.c.artist_latitude, rows.c.artist_longitude]),
            )
            .label("place"),
        )
        .where(rows.c.artist_latitude.is_not(None), rows.c.artist_longitude.is_not(None))
        .subquery("pointed")
    )
    # The artist's own staged rows name it where its only song lost to another row of that song.
    staged = _names(rows).subquery("staged")
    new = pointed.c.latitude.is_not(None)
    key = given.keys.c.artist_id
    return (
        sa.select(
            key.label("artist_id"),
            # An artist that lost its last song keeps its name.
            sa.func.coalesce(credited.c.name, artist.c.name, staged.c.name).label("name"),
            sa.func.coalesce(located.c.location, artist.c.location).label("location"),
            sa.case((new, pointed.c.latitude), else_=artist.c.latitude).label("latitude"),
            sa.case((new, pointed.c.longitude), else_=artist.c.longitude).label("longitude"),
        )
        .select_from(given.keys)
        .outerjoin(credited, sa.and_(credited.c.artist_id == key, credited.c.place == 1))
        .outerjoin(staged, sa.and_(staged.c.artist_id == key, staged.c.place == 1))
        .outerjoin(located, located.c.artist_id == key)
        .outerjoin(pointed, sa.and_(pointed.c.artist_id == key, pointed.c.place == 1))
        .outerjoin(artist, artist.c.artist_id == key)
    )


ARTISTS = Target(
    table=table_of(Artist),
    source="songs",
    columns={"artist_id": lambda r: r.c.artist_id},
    derivation=Derivation(follows=table_of(Song), key="artist_id", rows=_artists),
    checks=(
        Rule(
            "latitude_in_range",
            lambda t: sa.or_(t.c.latitude.is_(None), t.c.latitude.between(-90, 90)),
            "a latitude is in -90..90",
            "fail",
        ),
        Rule(
            "longitude_in_range",
            lambda t: sa.or_(t.c.longitude.is_(None), t.c.longitude.between(-180, 180)),
            "a longitude is in -180..180",
            "fail",
        ),
    ),
)


def is_play(rows: Rows) -> sa.ColumnElement[bool]:
    """Whether a row of a log is a play."""
    return rows.c.page == "NextSong"


def is_logged_in(rows: Rows) -> sa.ColumnElement[bool]:
    """Whether the user of a row was logged in."""
    return rows.c.auth == "Logged In"


USERS = Target(
    table=table_of(User),
    source="events",
    scope=is_logged_in,
    columns={
        "user_id": lambda r: r.c.user_id,
        "first_name": lambda r: r.c.first_name,
        "last_name": lambda r: r.c.last_name,
        "gender": lambda r: r.c.gender,
        "level": lambda r: r.c.level,
        "registered_at": lambda r: r.c.registered_at,
        "last_seen_at": lambda r: EpochMs(r.c.ts),
    },
    rank=("last_seen_at",),
    newest_wins=True,
    person="user_id",
    checks=(
        Rule("level_known", lambda t: t.c.level.in_(("free", "paid")), "free or paid", "fail"),
    ),
)


def _start(rows: Rows) -> sa.ColumnElement[Any]:
    return EpochMs(rows.c.ts)


def _part(name: str) -> Any:
    return lambda r: sa.cast(sa.extract(name, _start(r)), sa.SmallInteger)


def _weekday(rows: Rows) -> sa.ColumnElement[Any]:
    # Sunday is 0 in both engines' dow; Redshift has no isodow.
    dow = sa.extract("dow", _start(rows))
    return sa.cast(sa.case((dow == 0, 7), else_=dow), sa.SmallInteger)


TIME = Target(
    table=table_of(Time),
    source="events",
    columns={
        "start_time": _start,
        "hour": _part("hour"),
        "day": _part("day"),
        "week": _part("week"),
        "month": _part("month"),
        "year": _part("year"),
        "weekday": _weekday,
        # Not to_char, which pads and follows the locale.
        "day_name": lambda r: sa.case(
            *((_weekday(r) == number, name) for number, name in enumerate(DAYS, 1))
        ),
        "is_weekend": lambda r: _weekday(r) >= 6,
    },
)

SONGPLAYS = Target(
    table=table_of(Songplay),
    source="events",
    scope=is_play,
    columns={
        "session_id": lambda r: r.c.session_id,
        "item_in_session": lambda r: r.c.item_in_session,
        "start_time": _start,
        "user_id": lambda r: r.c.user_id,
        "level": lambda r: r.c.level,
        "song_title": lambda r: r.c.song,
        "artist_name": lambda r: r.c.artist,
        "duration": lambda r: r.c.length,
        "location": lambda r: r.c.location,
        "user_agent": lambda r: r.c.user_agent,
    },
    rank=("start_time",),
    resolution=Resolution(
        reference=table_of(Song),
        link=("artist_name", "artist_name"),
        lookups=(
            Lookup(
                "exact",
                on={"song_title": "title", "artist_name": "artist_name", "duration": "duration"},
                fills={"song_id": "song_id", "artist_id": "artist_id"},
                prefer=(("year", "greatest"), ("song_id", "least")),
            ),
            Lookup(
                "titled",
                on={"song_title": "title", "artist_name": "artist_name"},
                fills={"song_id": "song_id", "artist_id": "artist_id"},
                prefer=(("year", "greatest"), ("song_id", "least")),
            ),
            Lookup(
                "credited",
                on={"artist_name": "artist_name"},
                fills={"artist_id": "artist_id"},
                prefer=(("artist_id", "least"),),
            ),
        ),
    ),
    checks=(
        Rule(
            "duration_positive",
            lambda t: t.c.duration > 0,
            "a play has a positive duration",
            "fail",
        ),
        Rule("level_known", lambda t: t.c.level.in_(("free", "paid")), "free or paid", "fail"),
    ),
)

#: In the order in which a load feeds them: referenced tables first.
TARGETS = (SONGS, ARTISTS, USERS, TIME, SONGPLAYS)
