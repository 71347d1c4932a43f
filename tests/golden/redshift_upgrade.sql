BEGIN;

CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL, 
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

-- Running upgrade  -> 0001

CREATE SCHEMA staging;

CREATE SCHEMA sparkify;

CREATE SCHEMA audit;

CREATE TABLE audit.load_book (
    run_id VARCHAR(64) NOT NULL, 
    target VARCHAR(128) NOT NULL, 
    account VARCHAR(64) NOT NULL, 
    rows BIGINT NOT NULL, 
    CONSTRAINT pk_load_book PRIMARY KEY (run_id, target, account)
) DISTSTYLE EVEN SORTKEY (run_id);

COMMENT ON TABLE audit.load_book IS 'Books of loads: what became of every row';

COMMENT ON COLUMN audit.load_book.run_id IS 'Run';

COMMENT ON COLUMN audit.load_book.target IS 'Source or table';

COMMENT ON COLUMN audit.load_book.account IS 'Account, such as read, staged, merged';

COMMENT ON COLUMN audit.load_book.rows IS 'Rows';

CREATE TABLE audit.load_file (
    run_id VARCHAR(64) NOT NULL, 
    source VARCHAR(64) NOT NULL, 
    key VARCHAR(4096) NOT NULL, 
    version VARCHAR(128) NOT NULL, 
    size BIGINT NOT NULL, 
    rows_read BIGINT NOT NULL, 
    rows_staged BIGINT NOT NULL, 
    rows_refused BIGINT NOT NULL, 
    CONSTRAINT pk_load_file PRIMARY KEY (run_id, source, key)
) DISTSTYLE EVEN SORTKEY (source, key);

COMMENT ON TABLE audit.load_file IS 'Ledger of loaded object versions';

COMMENT ON COLUMN audit.load_file.run_id IS 'Run that loaded it';

COMMENT ON COLUMN audit.load_file.source IS 'Source, such as events';

COMMENT ON COLUMN audit.load_file.key IS 'Absolute path, or s3:// address';

COMMENT ON COLUMN audit.load_file.version IS 'mtime in ns, or etag';

COMMENT ON COLUMN audit.load_file.size IS 'Bytes';

COMMENT ON COLUMN audit.load_file.rows_read IS 'Records counted in the object';

COMMENT ON COLUMN audit.load_file.rows_staged IS 'Records staged';

COMMENT ON COLUMN audit.load_file.rows_refused IS 'Records refused by the parser or by a rule';

CREATE TABLE audit.load_lock (
    id INTEGER NOT NULL, 
    CONSTRAINT pk_load_lock PRIMARY KEY (id)
) DISTSTYLE EVEN;

COMMENT ON TABLE audit.load_lock IS 'Locked by the loader at work';

COMMENT ON COLUMN audit.load_lock.id IS 'Always 1';

CREATE TABLE audit.load_run (
    run_id VARCHAR(64) NOT NULL, 
    event VARCHAR(16) NOT NULL, 
    at TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
    host VARCHAR(255) NOT NULL, 
    pid BIGINT NOT NULL, 
    db_user VARCHAR(128) NOT NULL, 
    engine VARCHAR(32) NOT NULL, 
    version VARCHAR(32) NOT NULL, 
    reason VARCHAR(4096), 
    CONSTRAINT pk_load_run PRIMARY KEY (run_id, event)
) DISTSTYLE EVEN SORTKEY (at);

COMMENT ON TABLE audit.load_run IS 'Starts and ends of loads, append-only';

COMMENT ON COLUMN audit.load_run.run_id IS 'Run; sorts by time';

COMMENT ON COLUMN audit.load_run.event IS 'started, loaded, nothing new, rolled back or refused';

COMMENT ON COLUMN audit.load_run.at IS 'When, UTC';

COMMENT ON COLUMN audit.load_run.host IS 'Machine of the loader';

COMMENT ON COLUMN audit.load_run.pid IS 'Process of the loader';

COMMENT ON COLUMN audit.load_run.db_user IS 'User at the database';

COMMENT ON COLUMN audit.load_run.engine IS 'duckdb or redshift';

COMMENT ON COLUMN audit.load_run.version IS 'Version of this library';

COMMENT ON COLUMN audit.load_run.reason IS 'Why the run ended as it did';

CREATE TABLE audit.load_step (
    run_id VARCHAR(64) NOT NULL, 
    position INTEGER NOT NULL, 
    step VARCHAR(64) NOT NULL, 
    target VARCHAR(128), 
    rows BIGINT, 
    seconds DOUBLE PRECISION NOT NULL, 
    CONSTRAINT pk_load_step PRIMARY KEY (run_id, position)
) DISTSTYLE EVEN SORTKEY (run_id);

COMMENT ON TABLE audit.load_step IS 'Steps of loads with rows and seconds';

COMMENT ON COLUMN audit.load_step.run_id IS 'Run';

COMMENT ON COLUMN audit.load_step.position IS 'Order within the run';

COMMENT ON COLUMN audit.load_step.step IS 'Step, such as stage or merge';

COMMENT ON COLUMN audit.load_step.target IS 'Source or table';

COMMENT ON COLUMN audit.load_step.rows IS 'Rows it touched';

COMMENT ON COLUMN audit.load_step.seconds IS 'Seconds it took';

CREATE TABLE audit.quality_result (
    run_id VARCHAR(64) NOT NULL, 
    rule VARCHAR(64) NOT NULL, 
    target VARCHAR(128) NOT NULL, 
    severity VARCHAR(16) NOT NULL, 
    value DOUBLE PRECISION NOT NULL, 
    limit_value DOUBLE PRECISION, 
    passed BOOLEAN NOT NULL, 
    CONSTRAINT pk_quality_result PRIMARY KEY (run_id, rule, target)
) DISTSTYLE EVEN SORTKEY (run_id);

COMMENT ON TABLE audit.quality_result IS 'Measured values of all rules of loads';

COMMENT ON COLUMN audit.quality_result.run_id IS 'Run';

COMMENT ON COLUMN audit.quality_result.rule IS 'Rule';

COMMENT ON COLUMN audit.quality_result.target IS 'Source or table it guards';

COMMENT ON COLUMN audit.quality_result.severity IS 'reject, warn or fail';

COMMENT ON COLUMN audit.quality_result.value IS 'Rows that broke it, or a ratio';

COMMENT ON COLUMN audit.quality_result.limit_value IS 'Most that passes; NULL when the rule only refuses rows';

COMMENT ON COLUMN audit.quality_result.passed IS 'Whether the run may go on';

CREATE TABLE audit.rejected_row (
    run_id VARCHAR(64) NOT NULL, 
    position BIGINT NOT NULL, 
    source VARCHAR(64) NOT NULL, 
    rule VARCHAR(64) NOT NULL, 
    reason VARCHAR(1024) NOT NULL, 
    key VARCHAR(4096), 
    line BIGINT, 
    "raw" VARCHAR(65535), 
    raw_bytes BIGINT NOT NULL, 
    at TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
    CONSTRAINT pk_rejected_row PRIMARY KEY (run_id, position)
) DISTSTYLE EVEN SORTKEY (run_id);

COMMENT ON TABLE audit.rejected_row IS 'Refused records with rule, reason, place and text';

COMMENT ON COLUMN audit.rejected_row.run_id IS 'Run';

COMMENT ON COLUMN audit.rejected_row.position IS 'Order within the run';

COMMENT ON COLUMN audit.rejected_row.source IS 'Source, such as events';

COMMENT ON COLUMN audit.rejected_row.rule IS 'First rule it broke';

COMMENT ON COLUMN audit.rejected_row.reason IS 'What the rule demands';

COMMENT ON COLUMN audit.rejected_row.key IS 'Object it stands in';

COMMENT ON COLUMN audit.rejected_row.line IS 'Line it starts in; 0: the object as a whole';

COMMENT ON COLUMN audit.rejected_row."raw" IS 'The record, cut at 65,535 bytes; no text as \\xNN';

COMMENT ON COLUMN audit.rejected_row.raw_bytes IS 'True size of the record';

COMMENT ON COLUMN audit.rejected_row.at IS 'When, UTC';

CREATE TABLE sparkify.artists (
    artist_id VARCHAR(64) NOT NULL, 
    name VARCHAR(1024) NOT NULL, 
    location VARCHAR(1024), 
    latitude DOUBLE PRECISION, 
    longitude DOUBLE PRECISION, 
    CONSTRAINT pk_artists PRIMARY KEY (artist_id)
) DISTSTYLE ALL SORTKEY (artist_id);

COMMENT ON TABLE sparkify.artists IS 'Artists of the catalogue''s songs';

COMMENT ON COLUMN sparkify.artists.artist_id IS 'Artist';

COMMENT ON COLUMN sparkify.artists.name IS 'Shortest name that any of the artist''s songs credits';

COMMENT ON COLUMN sparkify.artists.location IS 'Place';

COMMENT ON COLUMN sparkify.artists.latitude IS 'Degrees north';

COMMENT ON COLUMN sparkify.artists.longitude IS 'Degrees east';

CREATE TABLE sparkify.time (
    start_time TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
    hour SMALLINT NOT NULL, 
    day SMALLINT NOT NULL, 
    week SMALLINT NOT NULL, 
    month SMALLINT NOT NULL, 
    year SMALLINT NOT NULL, 
    weekday SMALLINT NOT NULL, 
    day_name VARCHAR(16) NOT NULL, 
    is_weekend BOOLEAN NOT NULL, 
    CONSTRAINT pk_time PRIMARY KEY (start_time)
) DISTSTYLE KEY DISTKEY (start_time) SORTKEY (start_time);

COMMENT ON TABLE sparkify.time IS 'Moments of events with their calendar, UTC';

COMMENT ON COLUMN sparkify.time.start_time IS 'Moment, UTC, milliseconds kept';

COMMENT ON COLUMN sparkify.time.hour IS '0 to 23';

COMMENT ON COLUMN sparkify.time.day IS 'Day of the month';

COMMENT ON COLUMN sparkify.time.week IS 'ISO week';

COMMENT ON COLUMN sparkify.time.month IS '1 to 12';

COMMENT ON COLUMN sparkify.time.year IS 'Year';

COMMENT ON COLUMN sparkify.time.weekday IS 'ISO weekday: Monday 1 to Sunday 7';

COMMENT ON COLUMN sparkify.time.day_name IS 'English name of the weekday';

COMMENT ON COLUMN sparkify.time.is_weekend IS 'Saturday or Sunday';

CREATE TABLE sparkify.users (
    user_id BIGINT NOT NULL, 
    first_name VARCHAR(1024), 
    last_name VARCHAR(1024), 
    gender VARCHAR(1), 
    level VARCHAR(8) NOT NULL, 
    registered_at TIMESTAMP WITHOUT TIME ZONE, 
    last_seen_at TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
    CONSTRAINT pk_users PRIMARY KEY (user_id)
) DISTSTYLE ALL SORTKEY (user_id);

COMMENT ON TABLE sparkify.users IS 'Users, as of the newest event seen of each';

COMMENT ON COLUMN sparkify.users.user_id IS 'User';

COMMENT ON COLUMN sparkify.users.first_name IS 'First name';

COMMENT ON COLUMN sparkify.users.last_name IS 'Last name';

COMMENT ON COLUMN sparkify.users.gender IS 'F or M';

COMMENT ON COLUMN sparkify.users.level IS 'free or paid';

COMMENT ON COLUMN sparkify.users.registered_at IS 'When the user signed up, UTC';

COMMENT ON COLUMN sparkify.users.last_seen_at IS 'When the user was last seen, UTC';

CREATE TABLE staging.events (
    artist VARCHAR(4096), 
    auth VARCHAR(256), 
    firstname VARCHAR(4096), 
    gender VARCHAR(64), 
    iteminsession VARCHAR(64), 
    lastname VARCHAR(4096), 
    length VARCHAR(64), 
    level VARCHAR(64), 
    location VARCHAR(4096), 
    method VARCHAR(64), 
    page VARCHAR(256), 
    registration VARCHAR(64), 
    sessionid VARCHAR(64), 
    song VARCHAR(4096), 
    status VARCHAR(64), 
    ts VARCHAR(64), 
    useragent VARCHAR(16384), 
    userid VARCHAR(256), 
    _row BIGINT IDENTITY(0,1) NOT NULL, 
    _object VARCHAR(65535), 
    _line BIGINT, 
    CONSTRAINT pk_events PRIMARY KEY (_row)
) DISTSTYLE EVEN;

COMMENT ON TABLE staging.events IS 'Event logs of the newest load that read files, every field as text';

COMMENT ON COLUMN staging.events.artist IS 'Artist of the song played';

COMMENT ON COLUMN staging.events.auth IS 'Logged In or Logged Out';

COMMENT ON COLUMN staging.events.firstname IS 'First name of the user';

COMMENT ON COLUMN staging.events.gender IS 'F or M';

COMMENT ON COLUMN staging.events.iteminsession IS 'Number in the session';

COMMENT ON COLUMN staging.events.lastname IS 'Last name of the user';

COMMENT ON COLUMN staging.events.length IS 'Seconds of the song played';

COMMENT ON COLUMN staging.events.level IS 'free or paid';

COMMENT ON COLUMN staging.events.location IS 'Place of the user';

COMMENT ON COLUMN staging.events.method IS 'HTTP method';

COMMENT ON COLUMN staging.events.page IS 'Page that was opened; NextSong is a play';

COMMENT ON COLUMN staging.events.registration IS 'When the user signed up, ms';

COMMENT ON COLUMN staging.events.sessionid IS 'Session';

COMMENT ON COLUMN staging.events.song IS 'Title of the song played';

COMMENT ON COLUMN staging.events.status IS 'HTTP status';

COMMENT ON COLUMN staging.events.ts IS 'When it happened, ms since 1970 UTC';

COMMENT ON COLUMN staging.events.useragent IS 'Browser';

COMMENT ON COLUMN staging.events.userid IS 'User; '''' when logged out';

COMMENT ON COLUMN staging.events._row IS 'Row of the load';

COMMENT ON COLUMN staging.events._object IS 'File the row came from; NULL on Redshift';

COMMENT ON COLUMN staging.events._line IS 'Line of the file the row starts in; NULL on Redshift';

CREATE TABLE staging.songs (
    num_songs VARCHAR(64), 
    artist_id VARCHAR(256), 
    artist_latitude VARCHAR(64), 
    artist_longitude VARCHAR(64), 
    artist_location VARCHAR(4096), 
    artist_name VARCHAR(4096), 
    song_id VARCHAR(256), 
    title VARCHAR(4096), 
    duration VARCHAR(64), 
    year VARCHAR(64), 
    _row BIGINT IDENTITY(0,1) NOT NULL, 
    _object VARCHAR(65535), 
    _line BIGINT, 
    CONSTRAINT pk_songs PRIMARY KEY (_row)
) DISTSTYLE EVEN;

COMMENT ON TABLE staging.songs IS 'Song files of the newest load that read files, every field as text';

COMMENT ON COLUMN staging.songs.num_songs IS 'Songs in the file';

COMMENT ON COLUMN staging.songs.artist_id IS 'Artist';

COMMENT ON COLUMN staging.songs.artist_latitude IS 'Degrees north';

COMMENT ON COLUMN staging.songs.artist_longitude IS 'Degrees east';

COMMENT ON COLUMN staging.songs.artist_location IS 'Artist''s place';

COMMENT ON COLUMN staging.songs.artist_name IS 'Artist as credited';

COMMENT ON COLUMN staging.songs.song_id IS 'Song';

COMMENT ON COLUMN staging.songs.title IS 'Title of the song';

COMMENT ON COLUMN staging.songs.duration IS 'Seconds';

COMMENT ON COLUMN staging.songs.year IS 'Year of release; 0 when unknown';

COMMENT ON COLUMN staging.songs._row IS 'Row of the load';

COMMENT ON COLUMN staging.songs._object IS 'File the row came from; NULL on Redshift';

COMMENT ON COLUMN staging.songs._line IS 'Line of the file the row starts in; NULL on Redshift';

CREATE TABLE sparkify.songs (
    song_id VARCHAR(64) NOT NULL, 
    title VARCHAR(1024) NOT NULL, 
    artist_id VARCHAR(64) NOT NULL, 
    artist_name VARCHAR(1024) NOT NULL, 
    year SMALLINT, 
    duration DOUBLE PRECISION NOT NULL, 
    CONSTRAINT pk_songs PRIMARY KEY (song_id), 
    CONSTRAINT fk_songs_artist_id_artists FOREIGN KEY(artist_id) REFERENCES sparkify.artists (artist_id)
) DISTSTYLE ALL SORTKEY (song_id);

COMMENT ON TABLE sparkify.songs IS 'Songs of the catalogue';

COMMENT ON COLUMN sparkify.songs.song_id IS 'Song';

COMMENT ON COLUMN sparkify.songs.title IS 'Title';

COMMENT ON COLUMN sparkify.songs.artist_id IS 'Artist';

COMMENT ON COLUMN sparkify.songs.artist_name IS 'Artist as credited';

COMMENT ON COLUMN sparkify.songs.year IS 'Year of release; NULL when unknown';

COMMENT ON COLUMN sparkify.songs.duration IS 'Seconds';

CREATE TABLE sparkify.songplays (
    session_id BIGINT NOT NULL, 
    item_in_session BIGINT NOT NULL, 
    start_time TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
    user_id BIGINT NOT NULL, 
    level VARCHAR(8) NOT NULL, 
    song_id VARCHAR(64), 
    artist_id VARCHAR(64), 
    song_title VARCHAR(1024) NOT NULL, 
    artist_name VARCHAR(1024) NOT NULL, 
    duration DOUBLE PRECISION NOT NULL, 
    location VARCHAR(1024), 
    user_agent VARCHAR(4096), 
    CONSTRAINT pk_songplays PRIMARY KEY (session_id, item_in_session), 
    CONSTRAINT fk_songplays_artist_id_artists FOREIGN KEY(artist_id) REFERENCES sparkify.artists (artist_id), 
    CONSTRAINT fk_songplays_song_id_songs FOREIGN KEY(song_id) REFERENCES sparkify.songs (song_id), 
    CONSTRAINT fk_songplays_start_time_time FOREIGN KEY(start_time) REFERENCES sparkify.time (start_time), 
    CONSTRAINT fk_songplays_user_id_users FOREIGN KEY(user_id) REFERENCES sparkify.users (user_id)
) DISTSTYLE KEY DISTKEY (session_id) SORTKEY (start_time);

COMMENT ON TABLE sparkify.songplays IS 'Plays of songs; one that matches no song stays, with NULL song_id';

COMMENT ON COLUMN sparkify.songplays.session_id IS 'Session';

COMMENT ON COLUMN sparkify.songplays.item_in_session IS 'Number of the event in its session';

COMMENT ON COLUMN sparkify.songplays.start_time IS 'When it was played, UTC';

COMMENT ON COLUMN sparkify.songplays.user_id IS 'Who played it';

COMMENT ON COLUMN sparkify.songplays.level IS 'free or paid, at the time of the play';

COMMENT ON COLUMN sparkify.songplays.song_id IS 'Song, where known';

COMMENT ON COLUMN sparkify.songplays.artist_id IS 'Artist, where known';

COMMENT ON COLUMN sparkify.songplays.song_title IS 'Title as played';

COMMENT ON COLUMN sparkify.songplays.artist_name IS 'Artist as played';

COMMENT ON COLUMN sparkify.songplays.duration IS 'Seconds, as played';

COMMENT ON COLUMN sparkify.songplays.location IS 'Place of the user';

COMMENT ON COLUMN sparkify.songplays.user_agent IS 'Browser';

INSERT INTO audit.load_lock (id) VALUES (1);

INSERT INTO alembic_version (version_num) VALUES ('0001');

-- Running upgrade 0001 -> 0002

CREATE TABLE audit.erasure (
    erasure_id VARCHAR(64) NOT NULL, 
    at TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
    digest VARCHAR(64) NOT NULL, 
    salt VARCHAR(64) NOT NULL, 
    host VARCHAR(255) NOT NULL, 
    pid BIGINT NOT NULL, 
    db_user VARCHAR(128) NOT NULL, 
    engine VARCHAR(32) NOT NULL, 
    version VARCHAR(32) NOT NULL, 
    CONSTRAINT pk_erasure PRIMARY KEY (erasure_id)
) DISTSTYLE EVEN SORTKEY (at);

COMMENT ON TABLE audit.erasure IS 'Persons that were erased, without who they were; append-only';

COMMENT ON COLUMN audit.erasure.erasure_id IS 'Erasure; sorts by time';

COMMENT ON COLUMN audit.erasure.at IS 'When, UTC';

COMMENT ON COLUMN audit.erasure.digest IS 'SHA-256 of the salt, a colon and the person''s id; hexadecimal';

COMMENT ON COLUMN audit.erasure.salt IS 'Random, the same for all erasures of a warehouse';

COMMENT ON COLUMN audit.erasure.host IS 'Machine it was done from';

COMMENT ON COLUMN audit.erasure.pid IS 'Process that did it';

COMMENT ON COLUMN audit.erasure.db_user IS 'User at the database';

COMMENT ON COLUMN audit.erasure.engine IS 'duckdb or redshift';

COMMENT ON COLUMN audit.erasure.version IS 'Version of this library';

CREATE TABLE audit.erasure_count (
    erasure_id VARCHAR(64) NOT NULL, 
    target VARCHAR(128) NOT NULL, 
    rows BIGINT NOT NULL, 
    CONSTRAINT pk_erasure_count PRIMARY KEY (erasure_id, target)
) DISTSTYLE EVEN SORTKEY (erasure_id);

COMMENT ON TABLE audit.erasure_count IS 'Rows that erasures removed or blanked, by table';

COMMENT ON COLUMN audit.erasure_count.erasure_id IS 'Erasure';

COMMENT ON COLUMN audit.erasure_count.target IS 'Table';

COMMENT ON COLUMN audit.erasure_count.rows IS 'Rows removed or blanked';

ALTER TABLE audit.load_run ADD COLUMN error VARCHAR(64);

COMMENT ON COLUMN audit.load_run.error IS 'Class of the error that ended it';

ALTER TABLE audit.load_run ADD COLUMN exit_code SMALLINT;

COMMENT ON COLUMN audit.load_run.exit_code IS 'Exit code of its command';

UPDATE alembic_version SET version_num='0002' WHERE alembic_version.version_num = '0001';

-- Running upgrade 0002 -> 0003

CREATE TABLE audit.compacted_object (
    into_key VARCHAR(4096) NOT NULL, 
    position BIGINT NOT NULL, 
    into_version VARCHAR(128) NOT NULL, 
    into_size BIGINT NOT NULL, 
    source VARCHAR(64) NOT NULL, 
    key VARCHAR(4096) NOT NULL, 
    version VARCHAR(128) NOT NULL, 
    size BIGINT NOT NULL, 
    rows_read BIGINT NOT NULL, 
    rows_kept BIGINT NOT NULL, 
    at TIMESTAMP WITHOUT TIME ZONE NOT NULL, 
    CONSTRAINT pk_compacted_object PRIMARY KEY (into_key, position)
) DISTSTYLE EVEN SORTKEY (source, into_key);

COMMENT ON TABLE audit.compacted_object IS 'Objects and the compacted objects they went into';

COMMENT ON COLUMN audit.compacted_object.into_key IS 'Address of the compacted object';

COMMENT ON COLUMN audit.compacted_object.position IS 'Order within it, from 1';

COMMENT ON COLUMN audit.compacted_object.into_version IS 'Its mtime in ns, or etag';

COMMENT ON COLUMN audit.compacted_object.into_size IS 'Its bytes';

COMMENT ON COLUMN audit.compacted_object.source IS 'Source, such as songs';

COMMENT ON COLUMN audit.compacted_object.key IS 'Object that was compacted: absolute path, or s3:// address';

COMMENT ON COLUMN audit.compacted_object.version IS 'mtime in ns, or etag';

COMMENT ON COLUMN audit.compacted_object.size IS 'Bytes';

COMMENT ON COLUMN audit.compacted_object.rows_read IS 'Records counted in the object';

COMMENT ON COLUMN audit.compacted_object.rows_kept IS 'Records that became lines; the reader refuses the others';

COMMENT ON COLUMN audit.compacted_object.at IS 'When, UTC';

COMMENT ON COLUMN staging.events._object IS 'Object the row came from; on Redshift of compacted objects only';

COMMENT ON COLUMN staging.events._line IS 'Line of the object the row starts in; on Redshift of compacted ones only';

COMMENT ON COLUMN staging.songs._object IS 'Object the row came from; on Redshift of compacted objects only';

COMMENT ON COLUMN staging.songs._line IS 'Line of the object the row starts in; on Redshift of compacted ones only';

UPDATE alembic_version SET version_num='0003' WHERE alembic_version.version_num = '0002';

COMMIT;

