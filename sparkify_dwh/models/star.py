"""The ``sparkify`` schema: the star that analysts query."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from .base import AGENT_WIDTH, GENDER_WIDTH, ID_WIDTH, LEVEL_WIDTH, NAME_WIDTH, Base, key_column

SCHEMA = "sparkify"
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Song(Base):
    """A song of the catalogue."""

    __tablename__ = "songs"
    # ALL: small, and joined with plays on any node; sorted by what it is joined on.
    __table_args__ = (
        {
            "schema": SCHEMA,
            "comment": "Songs of the catalogue",
            "redshift_diststyle": "ALL",
            "redshift_sortkey": "song_id",
        },
    )

    song_id: Mapped[str] = key_column(sa.String(ID_WIDTH), "Song")
    title: Mapped[str] = mapped_column(sa.String(NAME_WIDTH), comment="Title")
    artist_id: Mapped[str] = mapped_column(
        sa.String(ID_WIDTH), sa.ForeignKey("sparkify.artists.artist_id"), comment="Artist"
    )
    artist_name: Mapped[str] = mapped_column(sa.String(NAME_WIDTH), comment="Artist as credited")
    year: Mapped[int | None] = mapped_column(
        sa.SmallInteger, comment="Year of release; NULL when unknown"
    )
    duration: Mapped[float] = mapped_column(sa.Double, comment="Seconds")


class Artist(Base):
    """An artist with at least one song in the catalogue."""

    __tablename__ = "artists"
    # ALL: small, and joined with plays on any node; sorted by what it is joined on.
    __table_args__ = (
        {
            "schema": SCHEMA,
            "comment": "Artists of the catalogue's songs",
            "redshift_diststyle": "ALL",
            "redshift_sortkey": "artist_id",
        },
    )

    artist_id: Mapped[str] = key_column(sa.String(ID_WIDTH), "Artist")
    name: Mapped[str] = mapped_column(
        sa.String(NAME_WIDTH), comment="Shortest name that any of the artist's songs credits"
    )
    location: Mapped[str | None] = mapped_column(sa.String(NAME_WIDTH), comment="Place")
    latitude: Mapped[float | None] = mapped_column(sa.Double, comment="Degrees north")
    longitude: Mapped[float | None] = mapped_column(sa.Double, comment="Degrees east")


class User(Base):
    """A user, as of their newest event."""

    __tablename__ = "users"
    # ALL: small, and joined with plays on any node; sorted by what it is joined on.
    __table_args__ = (
        {
            "schema": SCHEMA,
            "comment": "Users, as of the newest event seen of each",
            "redshift_diststyle": "ALL",
            "redshift_sortkey": "user_id",
        },
    )

    user_id: Mapped[int] = key_column(sa.BigInteger, "User")
    first_name: Mapped[str | None] = mapped_column(sa.String(NAME_WIDTH), comment="First name")
    last_name: Mapped[str | None] = mapped_column(sa.String(NAME_WIDTH), comment="Last name")
    gender: Mapped[str | None] = mapped_column(sa.String(GENDER_WIDTH), comment="F or M")
    level: Mapped[str] = mapped_column(sa.String(LEVEL_WIDTH), comment="free or paid")
    registered_at: Mapped[datetime | None] = mapped_column(
        sa.DateTime, comment="When the user signed up, UTC"
    )
    last_seen_at: Mapped[datetime] = mapped_column(
        sa.DateTime, comment="When the user was last seen, UTC"
    )


class Time(Base):
    """A moment at which something happened, with its calendar fields."""

    __tablename__ = "time"
    # KEY on the moment: about as many rows as plays, and joined with them on it; sorted likewise.
    __table_args__ = (
        {
            "schema": SCHEMA,
            "comment": "Moments of events with their calendar, UTC",
            "redshift_diststyle": "KEY",
            "redshift_distkey": "start_time",
            "redshift_sortkey": "start_time",
        },
    )

    start_time: Mapped[datetime] = key_column(sa.DateTime, "Moment, UTC, milliseconds kept")
    hour: Mapped[int] = mapped_column(sa.SmallInteger, comment="0 to 23")
    day: Mapped[int] = mapped_column(sa.SmallInteger, comment="Day of the month")
    week: Mapped[int] = mapped_column(sa.SmallInteger, comment="ISO week")
    month: Mapped[int] = mapped_column(sa.SmallInteger, comment="1 to 12")
    year: Mapped[int] = mapped_column(sa.SmallInteger, comment="Year")
    weekday: Mapped[int] = mapped_column(
        sa.SmallInteger, comment="ISO weekday: Monday 1 to Sunday 7"
    )
    day_name: Mapped[str] = mapped_column(sa.String(16), comment="English name of the weekday")
    is_weekend: Mapped[bool] = mapped_column(sa.Boolean, comment="Saturday or Sunday")


class Songplay(Base):
    """A play of a song."""

    __tablename__ = "songplays"
    # KEY on the session: the merge deletes by it; sorted by time, since analysts ask for periods.
    __table_args__ = (
        {
            "schema": SCHEMA,
            "comment": "Plays of songs; one that matches no song stays, with NULL song_id",
            "redshift_diststyle": "KEY",
            "redshift_distkey": "session_id",
            "redshift_sortkey": "start_time",
        },
    )

    session_id: Mapped[int] = key_column(sa.BigInteger, "Session")
    item_in_session: Mapped[int] = key_column(sa.BigInteger, "Number of the event in its session")
    start_time: Mapped[datetime] = mapped_column(
        sa.DateTime, sa.ForeignKey("sparkify.time.start_time"), comment="When it was played, UTC"
    )
    user_id: Mapped[int] = mapped_column(
        sa.BigInteger, sa.ForeignKey("sparkify.users.user_id"), comment="Who played it"
    )
    level: Mapped[str] = mapped_column(
        sa.String(LEVEL_WIDTH), comment="free or paid, at the time of the play"
    )
    song_id: Mapped[str | None] = mapped_column(
        sa.String(ID_WIDTH), sa.ForeignKey("sparkify.songs.song_id"), comment="Song, where known"
    )
    artist_id: Mapped[str | None] = mapped_column(
        sa.String(ID_WIDTH),
        sa.ForeignKey("sparkify.artists.artist_id"),
        comment="Artist, where known",
    )
    song_title: Mapped[str] = mapped_column(sa.String(NAME_WIDTH), comment="Title as played")
    artist_name: Mapped[str] = mapped_column(sa.String(NAME_WIDTH), comment="Artist as played")
    duration: Mapped[float] = mapped_column(sa.Double, comment="Seconds, as played")
    location: Mapped[str | None] = mapped_column(sa.String(NAME_WIDTH), comment="Place of the user")
    user_agent: Mapped[str | None] = mapped_column(sa.String(AGENT_WIDTH), comment="Browser")
