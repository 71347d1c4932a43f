"""The warehouse

Revision ID: 0001
Revises: nothing
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import CreateSchema, DropSchema

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


SCHEMAS = ("staging", "sparkify", "audit")


def upgrade() -> None:
    for schema in SCHEMAS:
        op.execute(CreateSchema(schema))
    op.create_table(
        "load_book",
        sa.Column(
            "run_id", sa.String(length=64), autoincrement=False, nullable=False, comment="Run"
        ),
        sa.Column(
            "target",
            sa.String(length=128),
            autoincrement=False,
            nullable=False,
            comment="Source or table",
        ),
        sa.Column(
            "account",
            sa.String(length=64),
            autoincrement=False,
            nullable=False,
            comment="Account, such as read, staged, merged",
        ),
        sa.Column("rows", sa.BigInteger(), nullable=False, comment="Rows"),
        sa.PrimaryKeyConstraint("run_id", "target", "account", name=op.f("pk_load_book")),
        schema="audit",
        comment="Books of loads: what became of every row",
        redshift_diststyle="EVEN",
        redshift_sortkey=("run_id",),
    )
    op.create_table(
        "load_file",
        sa.Column(
            "run_id",
            sa.String(length=64),
            autoincrement=False,
            nullable=False,
            comment="Run that loaded it",
        ),
        sa.Column(
            "source",
            sa.String(length=64),
            autoincrement=False,
            nullable=False,
            comment="Source, such as events",
        ),
        sa.Column(
            "key",
            sa.String(length=4096),
            autoincrement=False,
            nullable=False,
            comment="Absolute path, or s3:// address",
        ),
        sa.Column("version", sa.String(length=128), nullable=False, comment="mtime in ns, or etag"),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="Bytes"),
        sa.Column(
            "rows_read", sa.BigInteger(), nullable=False, comment="Records counted in the object"
        ),
        sa.Column("rows_staged", sa.BigInteger(), nullable=False, comment="Records staged"),
        sa.Column(
            "rows_refused",
            sa.BigInteger(),
            nullable=False,
            comment="Records refused by the parser or by a rule",
        ),
        sa.PrimaryKeyConstraint("run_id", "source", "key", name=op.f("pk_load_file")),
        schema="audit",
        comment="Ledger of loaded object versions",
        redshift_diststyle="EVEN",
        redshift_sortkey=("source", "key"),
    )
    op.create_table(
        "load_lock",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False, comment="Always 1"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_load_lock")),
        schema="audit",
        comment="Locked by the loader at work",
        redshift_diststyle="EVEN",
    )
    op.create_table(
        "load_run",
        sa.Column(
            "run_id",
            sa.String(length=64),
            autoincrement=False,
            nullable=False,
            comment="Run; sorts by time",
        ),
        sa.Column(
            "event",
            sa.String(length=16),
            autoincrement=False,
            nullable=False,
            comment="started, loaded, nothing new, rolled back or refused",
        ),
        sa.Column("at", sa.DateTime(), nullable=False, comment="When, UTC"),
        sa.Column("host", sa.String(length=255), nullable=False, comment="Machine of the loader"),
        sa.Column("pid", sa.BigInteger(), nullable=False, comment="Process of the loader"),
        sa.Column("db_user", sa.String(length=128), nullable=False, comment="User at the database"),
        sa.Column("engine", sa.String(length=32), nullable=False, comment="duckdb or redshift"),
        sa.Column(
            "version", sa.String(length=32), nullable=False, comment="Version of this library"
        ),
        sa.Column(
            "reason", sa.String(length=4096), nullable=True, comment="Why the run ended as it did"
        ),
        sa.PrimaryKeyConstraint("run_id", "event", name=op.f("pk_load_run")),
        schema="audit",
        comment="Starts and ends of loads, append-only",
        redshift_diststyle="EVEN",
        redshift_sortkey=("at",),
    )
    op.create_table(
        "load_step",
        sa.Column(
            "run_id", sa.String(length=64), autoincrement=False, nullable=False, comment="Run"
        ),
        sa.Column(
            "position",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="Order within the run",
        ),
        sa.Column(
            "step", sa.String(length=64), nullable=False, comment="Step, such as stage or merge"
        ),
        sa.Column("target", sa.String(length=128), nullable=True, comment="Source or table"),
        sa.Column("rows", sa.BigInteger(), nullable=True, comment="Rows it touched"),
        sa.Column("seconds", sa.Double(), nullable=False, comment="Seconds it took"),
        sa.PrimaryKeyConstraint("run_id", "position", name=op.f("pk_load_step")),
        schema="audit",
        comment="Steps of loads with rows and seconds",
        redshift_diststyle="EVEN",
        redshift_sortkey=("run_id",),
    )
    op.create_table(
        "quality_result",
        sa.Column(
            "run_id", sa.String(length=64), autoincrement=False, nullable=False, comment="Run"
        ),
        sa.Column(
            "rule", sa.String(length=64), autoincrement=False, nullable=False, comment="Rule"
        ),
        sa.Column(
            "target",
            sa.String(length=128),
            autoincrement=False,
            nullable=False,
            comment="Source or table it guards",
        ),
        sa.Column("severity", sa.String(length=16), nullable=False, comment="reject, warn or fail"),
        sa.Column("value", sa.Double(), nullable=False, comment="Rows that broke it, or a ratio"),
        sa.Column(
            "limit_value",
            sa.Double(),
            nullable=True,
            comment="Most that passes; NULL when the rule only refuses rows",
        ),
        sa.Column("passed", sa.Boolean(), nullable=False, comment="Whether the run may go on"),
        sa.PrimaryKeyConstraint("run_id", "rule", "target", name=op.f("pk_quality_result")),
        schema="audit",
        comment="Measured values of all rules of loads",
        redshift_diststyle="EVEN",
        redshift_sortkey=("run_id",),
    )
    op.create_table(
        "rejected_row",
        sa.Column(
            "run_id", sa.String(length=64), autoincrement=False, nullable=False, comment="Run"
        ),
        sa.Column(
            "position",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="Order within the run",
        ),
        sa.Column("source", sa.String(length=64), nullable=False, comment="Source, such as events"),
        sa.Column("rule", sa.String(length=64), nullable=False, comment="First rule it broke"),
        sa.Column(
            "reason", sa.String(length=1024), nullable=False, comment="What the rule demands"
        ),
        sa.Column("key", sa.String(length=4096), nullable=True, comment="Object it stands in"),
        sa.Column(
            "line",
            sa.BigInteger(),
            nullable=True,
            comment="Line it starts in; 0: the object as a whole",
        ),
        sa.Column(
            "raw",
            sa.String(length=65535),
            nullable=True,
            comment="The record, cut at 65,535 bytes; no text as \\xNN",
        ),
        sa.Column("raw_bytes", sa.BigInteger(), nullable=False, comment="True size of the record"),
        sa.Column("at", sa.DateTime(), nullable=False, comment="When, UTC"),
        sa.PrimaryKeyConstraint("run_id", "position", name=op.f("pk_rejected_row")),
        schema="audit",
        comment="Refused records with rule, reason, place and text",
        redshift_diststyle="EVEN",
        redshift_sortkey=("run_id",),
    )
    op.create_table(
        "artists",
        sa.Column(
            "artist_id", sa.String(length=64), autoincrement=False, nullable=False, comment="Artist"
        ),
        sa.Column(
            "name",
            sa.String(length=1024),
            nullable=False,
            comment="Shortest name that any of the artist's songs credits",
        ),
        sa.Column("location", sa.String(length=1024), nullable=True, comment="Place"),
        sa.Column("latitude", sa.Double(), nullable=True, comment="Degrees north"),
        sa.Column("longitude", sa.Double(), nullable=True, comment="Degrees east"),
        sa.PrimaryKeyConstraint("artist_id", name=op.f("pk_artists")),
        schema="sparkify",
        comment="Artists of the catalogue's songs",
        redshift_diststyle="ALL",
        redshift_sortkey="artist_id",
    )
    op.create_table(
        "time",
        sa.Column(
            "start_time",
            sa.DateTime(),
            autoincrement=False,
            nullable=False,
            comment="Moment, UTC, milliseconds kept",
        ),
        sa.Column("hour", sa.SmallInteger(), nullable=False, comment="0 to 23"),
        sa.Column("day", sa.SmallInteger(), nullable=False, comment="Day of the month"),
        sa.Column("week", sa.SmallInteger(), nullable=False, comment="ISO week"),
        sa.Column("month", sa.SmallInteger(), nullable=False, comment="1 to 12"),
        sa.Column("year", sa.SmallInteger(), nullable=False, comment="Year"),
        sa.Column(
            "weekday",
            sa.SmallInteger(),
            nullable=False,
            comment="ISO weekday: Monday 1 to Sunday 7",
        ),
        sa.Column(
            "day_name", sa.String(length=16), nullable=False, comment="English name of the weekday"
        ),
        sa.Column("is_weekend", sa.Boolean(), nullable=False, comment="Saturday or Sunday"),
        sa.PrimaryKeyConstraint("start_time", name=op.f("pk_time")),
        schema="sparkify",
        comment="Moments of events with their calendar, UTC",
        redshift_distkey="start_time",
        redshift_diststyle="KEY",
        redshift_sortkey="start_time",
    )
    op.create_table(
        "users",
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="User"),
        sa.Column("first_name", sa.String(length=1024), nullable=True, comment="First name"),
        sa.Column("last_name", sa.String(length=1024), nullable=True, comment="Last name"),
        sa.Column("gender", sa.String(length=1), nullable=True, comment="F or M"),
        sa.Column("level", sa.String(length=8), nullable=False, comment="free or paid"),
        sa.Column(
            "registered_at", sa.DateTime(), nullable=True, comment="When the user signed up, UTC"
        ),
        sa.Column(
            "last_seen_at",
            sa.DateTime(),
            nullable=False,
            comment="When the user was last seen, UTC",
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_users")),
        schema="sparkify",
        comment="Users, as of the newest event seen of each",
        redshift_diststyle="ALL",
        redshift_sortkey="user_id",
    )
    op.create_table(
        "events",
        sa.Column(
            "artist", sa.String(length=4096), nullable=True, comment="Artist of the song played"
        ),
        sa.Column("auth", sa.String(length=256), nullable=True, comment="Logged In or Logged Out"),
        sa.Column(
            "firstname", sa.String(length=4096), nullable=True, comment="First name of the user"
        ),
        sa.Column("gender", sa.String(length=64), nullable=True, comment="F or M"),
        sa.Column(
            "iteminsession", sa.String(length=64), nullable=True, comment="Number in the session"
        ),
        sa.Column(
            "lastname", sa.String(length=4096), nullable=True, comment="Last name of the user"
        ),
        sa.Column(
            "length", sa.String(length=64), nullable=True, comment="Seconds of the song played"
        ),
        sa.Column("level", sa.String(length=64), nullable=True, comment="free or paid"),
        sa.Column("location", sa.String(length=4096), nullable=True, comment="Place of the user"),
        sa.Column("method", sa.String(length=64), nullable=True, comment="HTTP method"),
        sa.Column(
            "page",
            sa.String(length=256),
            nullable=True,
            comment="Page that was opened; NextSong is a play",
        ),
        sa.Column(
            "registration",
            sa.String(length=64),
            nullable=True,
            comment="When the user signed up, ms",
        ),
        sa.Column("sessionid", sa.String(length=64), nullable=True, comment="Session"),
        sa.Column(
            "song", sa.String(length=4096), nullable=True, comment="Title of the song played"
        ),
        sa.Column("status", sa.String(length=64), nullable=True, comment="HTTP status"),
        sa.Column(
            "ts", sa.String(length=64), nullable=True, comment="When it happened, ms since 1970 UTC"
        ),
        sa.Column("useragent", sa.String(length=16384), nullable=True, comment="Browser"),
        sa.Column(
            "userid", sa.String(length=256), nullable=True, comment="User; '' when logged out"
        ),
        sa.Column(
            "_row",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="Row of the load",
            redshift_identity=(0, 1),
        ),
        sa.Column(
            "_object",
            sa.String(length=65535),
            nullable=True,
            comment="File the row came from; NULL on Redshift",
        ),
        sa.Column(
            "_line",
            sa.BigInteger(),
            nullable=True,
            comment="Line of the file the row starts in; NULL on Redshift",
        ),
        sa.PrimaryKeyConstraint("_row", name=op.f("pk_events")),
        schema="staging",
        comment="Event logs of the newest load that read files, every field as text",
        redshift_diststyle="EVEN",
    )
    op.create_table(
        "songs",
        sa.Column("num_songs", sa.String(length=64), nullable=True, comment="Songs in the file"),
        sa.Column("artist_id", sa.String(length=256), nullable=True, comment="Artist"),
        sa.Column("artist_latitude", sa.String(length=64), nullable=True, comment="Degrees north"),
        sa.Column("artist_longitude", sa.String(length=64), nullable=True, comment="Degrees east"),
        sa.Column(
            "artist_location", sa.String(length=4096), nullable=True, comment="Artist's place"
        ),
        sa.Column(
            "artist_name", sa.String(length=4096), nullable=True, comment="Artist as credited"
        ),
        sa.Column("song_id", sa.String(length=256), nullable=True, comment="Song"),
        sa.Column("title", sa.String(length=4096), nullable=True, comment="Title of the song"),
        sa.Column("duration", sa.String(length=64), nullable=True, comment="Seconds"),
        sa.Column(
            "year", sa.String(length=64), nullable=True, comment="Year of release; 0 when unknown"
        ),
        sa.Column(
            "_row",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="Row of the load",
            redshift_identity=(0, 1),
        ),
        sa.Column(
            "_object",
            sa.String(length=65535),
            nullable=True,
            comment="File the row came from; NULL on Redshift",
        ),
        sa.Column(
            "_line",
            sa.BigInteger(),
            nullable=True,
            comment="Line of the file the row starts in; NULL on Redshift",
        ),
        sa.PrimaryKeyConstraint("_row", name=op.f("pk_songs")),
        schema="staging",
        comment="Song files of the newest load that read files, every field as text",
        redshift_diststyle="EVEN",
    )
    op.create_table(
        "songs",
        sa.Column(
            "song_id", sa.String(length=64), autoincrement=False, nullable=False, comment="Song"
        ),
        sa.Column("title", sa.String(length=1024), nullable=False, comment="Title"),
        sa.Column("artist_id", sa.String(length=64), nullable=False, comment="Artist"),
        sa.Column(
            "artist_name", sa.String(length=1024), nullable=False, comment="Artist as credited"
        ),
        sa.Column(
            "year", sa.SmallInteger(), nullable=True, comment="Year of release; NULL when unknown"
        ),
        sa.Column("duration", sa.Double(), nullable=False, comment="Seconds"),
        sa.ForeignKeyConstraint(
            ["artist_id"], ["sparkify.artists.artist_id"], name=op.f("fk_songs_artist_id_artists")
        ),
        sa.PrimaryKeyConstraint("song_id", name=op.f("pk_songs")),
        schema="sparkify",
        comment="Songs of the catalogue",
        redshift_diststyle="ALL",
        redshift_sortkey="song_id",
    )
    op.create_table(
        "songplays",
        sa.Column(
            "session_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="Session"
        ),
        sa.Column(
            "item_in_session",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="Number of the event in its session",
        ),
        sa.Column("start_time", sa.DateTime(), nullable=False, comment="When it was played, UTC"),
        sa.Column("user_id", sa.BigInteger(), nullable=False, comment="Who played it"),
        sa.Column(
            "level",
            sa.String(length=8),
            nullable=False,
            comment="free or paid, at the time of the play",
        ),
        sa.Column("song_id", sa.String(length=64), nullable=True, comment="Song, where known"),
        sa.Column("artist_id", sa.String(length=64), nullable=True, comment="Artist, where known"),
        sa.Column("song_title", sa.String(length=1024), nullable=False, comment="Title as played"),
        sa.Column(
            "artist_name", sa.String(length=1024), nullable=False, comment="Artist as played"
        ),
        sa.Column("duration", sa.Double(), nullable=False, comment="Seconds, as played"),
        sa.Column("location", sa.String(length=1024), nullable=True, comment="Place of the user"),
        sa.Column("user_agent", sa.String(length=4096), nullable=True, comment="Browser"),
        sa.ForeignKeyConstraint(
            ["artist_id"],
            ["sparkify.artists.artist_id"],
            name=op.f("fk_songplays_artist_id_artists"),
        ),
        sa.ForeignKeyConstraint(
            ["song_id"], ["sparkify.songs.song_id"], name=op.f("fk_songplays_song_id_songs")
        ),
        sa.ForeignKeyConstraint(
            ["start_time"], ["sparkify.time.start_time"], name=op.f("fk_songplays_start_time_time")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["sparkify.users.user_id"], name=op.f("fk_songplays_user_id_users")
        ),
        sa.PrimaryKeyConstraint("session_id", "item_in_session", name=op.f("pk_songplays")),
        schema="sparkify",
        comment="Plays of songs; one that matches no song stays, with NULL song_id",
        redshift_distkey="session_id",
        redshift_diststyle="KEY",
        redshift_sortkey="start_time",
    )
    # The row that a loader locks on engines that cannot lock the table.
    lock = sa.table("load_lock", sa.column("id", sa.Integer), schema="audit")
    op.execute(sa.insert(lock).values(id=sa.literal_column("1")))


def downgrade() -> None:
    op.drop_table("songplays", schema="sparkify")
    op.drop_table("songs", schema="sparkify")
    op.drop_table("songs", schema="staging")
    op.drop_table("events", schema="staging")
    op.drop_table("users", schema="sparkify")
    op.drop_table("time", schema="sparkify")
    op.drop_table("artists", schema="sparkify")
    op.drop_table("rejected_row", schema="audit")
    op.drop_table("quality_result", schema="audit")
    op.drop_table("load_step", schema="audit")
    op.drop_table("load_run", schema="audit")
    op.drop_table("load_lock", schema="audit")
    op.drop_table("load_file", schema="audit")
    op.drop_table("load_book", schema="audit")
    for schema in reversed(SCHEMAS):
        op.execute(DropSchema(schema, cascade=True))
