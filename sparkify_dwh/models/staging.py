"""The ``staging`` schema: the rows of the files unchanged, every field as text.

With text, COPY cannot fail on a type, and the same rules judge the rows on both engines.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from .base import (
    AGENT_WIDTH,
    GENDER_WIDTH,
    ID_WIDTH,
    LEVEL_WIDTH,
    MAX_WIDTH,
    NAME_WIDTH,
    Base,
    staged,
)

SCHEMA = "staging"
NUMBER = 16  # staged with 64 bytes; the longest number the rules accept has 40


class StagedRow:
    """The columns of every staging table that say where a row came from."""

    # Redshift numbers the rows, so that a refused one can be identified and deleted.
    row_: Mapped[int] = mapped_column(
        "_row",
        sa.BigInteger,
        primary_key=True,
        autoincrement=False,
        server_default=sa.FetchedValue(),
        sort_order=900,
        comment="Row of the load",
        redshift_identity=(0, 1),
    )
    object_: Mapped[str | None] = mapped_column(
        "_object",
        sa.String(MAX_WIDTH),
        sort_order=901,
        comment="Object the row came from; on Redshift of compacted objects only",
    )
    line_: Mapped[int | None] = mapped_column(
        "_line",
        sa.BigInteger,
        sort_order=902,
        comment="Line of the object the row starts in; on Redshift of compacted ones only",
    )


class StagedEvent(StagedRow, Base):
    """A record of an event log, as in the file."""

    __tablename__ = "events"
    # EVEN: rows are scanned whole, once; no sort key, since sorting would only delay the COPY.
    __table_args__ = (
        {
            "schema": SCHEMA,
            "comment": "Event logs of the newest load that read files, every field as text",
            "redshift_diststyle": "EVEN",
        },
    )

    artist: Mapped[str | None] = staged("artist", NAME_WIDTH, "Artist of the song played")
    auth: Mapped[str | None] = staged("auth", ID_WIDTH, "Logged In or Logged Out")
    firstname: Mapped[str | None] = staged("firstName", NAME_WIDTH, "First name of the user")
    gender: Mapped[str | None] = staged("gender", GENDER_WIDTH, "F or M")
    iteminsession: Mapped[str | None] = staged("itemInSession", NUMBER, "Number in the session")
    lastname: Mapped[str | None] = staged("lastName", NAME_WIDTH, "Last name of the user")
    length: Mapped[str | None] = staged("length", NUMBER, "Seconds of the song played")
    level: Mapped[str | None] = staged("level", LEVEL_WIDTH, "free or paid")
    location: Mapped[str | None] = staged("location", NAME_WIDTH, "Place of the user")
    method: Mapped[str | None] = staged("method", LEVEL_WIDTH, "HTTP method")
    page: Mapped[str | None] = staged("page", ID_WIDTH, "Page that was opened; NextSong is a play")
    registration: Mapped[str | None] = staged("registration", NUMBER, "When the user signed up, ms")
    sessionid: Mapped[str | None] = staged("sessionId", NUMBER, "Session")
    song: Mapped[str | None] = staged("song", NAME_WIDTH, "Title of the song played")
    status: Mapped[str | None] = staged("status", NUMBER, "HTTP status")
    ts: Mapped[str | None] = staged("ts", NUMBER, "When it happened, ms since 1970 UTC")
    useragent: Mapped[str | None] = staged("userAgent", AGENT_WIDTH, "Browser")
    userid: Mapped[str | None] = staged("userId", ID_WIDTH, "User; '' when logged out")


class StagedSong(StagedRow, Base):
    """A record of a song file, as in the file."""

    __tablename__ = "songs"
    # EVEN: see StagedEvent.
    __table_args__ = (
        {
            "schema": SCHEMA,
            "comment": "Song files of the newest load that read files, every field as text",
            "redshift_diststyle": "EVEN",
        },
    )

    num_songs: Mapped[str | None] = staged("num_songs", NUMBER, "Songs in the file")
    artist_id: Mapped[str | None] = staged("artist_id", ID_WIDTH, "Artist")
    artist_latitude: Mapped[str | None] = staged("artist_latitude", NUMBER, "Degrees north")
    artist_longitude: Mapped[str | None] = staged("artist_longitude", NUMBER, "Degrees east")
    artist_location: Mapped[str | None] = staged("artist_location", NAME_WIDTH, "Artist's place")
    artist_name: Mapped[str | None] = staged("artist_name", NAME_WIDTH, "Artist as credited")
    song_id: Mapped[str | None] = staged("song_id", ID_WIDTH, "Song")
    title: Mapped[str | None] = staged("title", NAME_WIDTH, "Title of the song")
    duration: Mapped[str | None] = staged("duration", NUMBER, "Seconds")
    year: Mapped[str | None] = staged("year", NUMBER, "Year of release; 0 when unknown")
