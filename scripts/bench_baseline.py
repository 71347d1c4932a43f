"""Hand-written DuckDB SQL that only stages and merges: the baseline for loads.

No rules, no quarantine, no ledger, no books, no text repair. Written to be fast: song files are
concatenated before parsing, values are cast once, users come from arg_max. Each statement commits
on its own, so DuckDB can scan staged rows with all threads (one transaction is slower).

usage: python scripts/bench_baseline.py DATABASE LOG_DATA SONG_DATA
"""

import os
import sys
import tempfile
from pathlib import Path

import duckdb

SCHEMA = """
create schema if not exists staging;
create schema if not exists sparkify;
create table if not exists staging.events (artist varchar, auth varchar, firstname varchar,
  gender varchar, iteminsession varchar, lastname varchar, length varchar, level varchar,
  location varchar, method varchar, page varchar, registration varchar, sessionid varchar,
  song varchar, status varchar, ts varchar, useragent varchar, userid varchar,
  _object varchar, _line bigint);
create table if not exists staging.songs (num_songs varchar, artist_id varchar,
  artist_latitude varchar, artist_longitude varchar, artist_location varchar, artist_name varchar,
  song_id varchar, title varchar, duration varchar, year varchar, _object varchar, _line bigint);
create table if not exists sparkify.songs (song_id varchar not null, title varchar not null,
  artist_id varchar not null, artist_name varchar not null, year smallint,
  duration double not null);
create table if not exists sparkify.artists (artist_id varchar not null, name varchar not null,
  location varchar, latitude double, longitude double);
create table if not exists sparkify.users (user_id bigint not null, first_name varchar,
  last_name varchar, gender varchar, level varchar not null, registered_at timestamp,
  last_seen_at timestamp not null);
create table if not exists sparkify.time (start_time timestamp not null, hour smallint not null,
  day smallint not null, week smallint not null, month smallint not null, year smallint not null,
  weekday smallint not null, day_name varchar not null, is_weekend boolean not null);
create table if not exists sparkify.songplays (session_id bigint not null,
  item_in_session bigint not null, start_time timestamp not null, user_id bigint not null,
  level varchar not null, song_id varchar, artist_id varchar, song_title varchar not null,
  artist_name varchar not null, duration double not null, location varchar, user_agent varchar);
delete from staging.events;
delete from staging.songs;
"""
EVENTS = [
    "artist",
    "auth",
    "firstName",
    "gender",
    "itemInSession",
    "lastName",
    "length",
    "level",
    "location",
    "method",
    "page",
    "registration",
    "sessionId",
    "song",
    "status",
    "ts",
    "userAgent",
    "userId",
]
SONGS = [
    "num_songs",
    "artist_id",
    "artist_latitude",
    "artist_longitude",
    "artist_location",
    "artist_name",
    "song_id",
    "title",
    "duration",
    "year",
]


def read(keys: list[str]) -> str:
    columns = ", ".join(f"'{key}': 'VARCHAR'" for key in keys)
    names = ", ".join(f'"{key}"' for key in keys)
    return (
        f"select {names}, filename, null from read_json(?, columns={{{columns}}},"
        " format='newline_delimited', filename=true)"
    )


MERGE = """
delete from sparkify.songs using staging.songs s where songs.song_id = s.song_id;
insert into sparkify.songs
  select song_id, trim(title), artist_id, trim(artist_name), nullif(cast(year as smallint), 0),
    cast(duration as double)
  from staging.songs qualify row_number() over (partition by song_id order by title) = 1;
delete from sparkify.artists using staging.songs s where artists.artist_id = s.artist_id;
insert into sparkify.artists
  select artist_id, arg_min(trim(artist_name), length(artist_name)),
    max(nullif(artist_location, '')), max(cast(artist_latitude as double)),
    max(cast(artist_longitude as double))
  from staging.songs group by artist_id;
create temp table new_users as
  select cast(userid as bigint) as user_id, max(cast(ts as bigint)) as seen,
    arg_max(struct_pack(f := firstname, l := lastname, g := gender, v := level, r := registration),
      cast(ts as bigint)) as it
  from staging.events where auth = 'Logged In' group by all;
delete from sparkify.users using new_users n where users.user_id = n.user_id;
insert into sparkify.users
  select user_id, it.f, it.l, it.g, it.v,
    make_timestamp(cast(cast(it.r as double) as bigint) * 1000), make_timestamp(seen * 1000)
  from new_users;
create temp table new_time as
  select distinct make_timestamp(cast(ts as bigint) * 1000) as t from staging.events;
delete from sparkify.time using new_time n where time.start_time = n.t;
insert into sparkify.time
  select t, hour(t), day(t), week(t), month(t), year(t), isodow(t), dayname(t), isodow(t) >= 6
  from new_time;
delete from sparkify.songplays using staging.events e
  where e.page = 'NextSong' and songplays.session_id = cast(e.sessionid as bigint)
    and songplays.item_in_session = cast(e.iteminsession as bigint);
insert into sparkify.songplays
  select cast(e.sessionid as bigint), cast(e.iteminsession as bigint),
    make_timestamp(cast(e.ts as bigint) * 1000), cast(e.userid as bigint), e.level, s.song_id,
    s.artist_id, trim(e.song), trim(e.artist), cast(e.length as double), e.location, e.useragent
  from staging.events e left join sparkify.songs s
    on s.title = e.song and s.artist_name = e.artist and s.duration = cast(e.length as double)
  where e.page = 'NextSong';
"""


def files(folder: str) -> list[str]:
    return sorted(
        os.path.join(at, name)  # noqa: PTH118
        for at, _, names in os.walk(folder)
        for name in names
        if name.endswith(".json")
    )


def main(database: str, log_data: str, song_data: str) -> None:
    con = duckdb.connect(database)
    con.execute("set enable_progress_bar = false")
    if limit := os.environ.get("SPARKIFY_MEMORY_LIMIT"):
        con.execute("set memory_limit = ?", [limit])
    for statement in SCHEMA.split(";"):
        if statement.strip():
            con.execute(statement)
    with tempfile.NamedTemporaryFile(suffix=".json", delete=False) as joined:
        for path in files(song_data):
            joined.write(Path(path).read_bytes() + b"\n")
    con.execute("insert into staging.songs " + read(SONGS), [[joined.name]])
    Path(joined.name).unlink()
    con.execute("insert into staging.events " + read(EVENTS), [files(log_data)])
    for statement in MERGE.split(";"):
        if statement.strip():
            con.execute(statement)
    con.close()


if __name__ == "__main__":
    main(*sys.argv[1:4])
