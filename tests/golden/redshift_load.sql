BEGIN;

INSERT INTO audit.load_run (run_id, event, at, host, pid, db_user, engine, version, reason, error, exit_code) VALUES (:run_id, :event, :at, :host, :pid, :db_user, :engine, :version, :reason, :error, :exit_code);

COMMIT;

SELECT (SELECT count(*) AS count_1 
FROM audit.load_file) AS files, (SELECT count(*) AS count_2 
FROM audit.erasure) AS erasures;

SELECT audit.load_file.key, audit.load_file.version, audit.load_file.size 
FROM audit.load_file 
WHERE audit.load_file.source = :source_1 ORDER BY audit.load_file.run_id;

-- if objects are new
SELECT audit.compacted_object.into_key, audit.compacted_object.into_version, audit.compacted_object.into_size, audit.compacted_object.key, audit.compacted_object.version, audit.compacted_object.size, audit.compacted_object.rows_read, audit.compacted_object.rows_kept 
FROM audit.compacted_object 
WHERE audit.compacted_object.source = :source_1 ORDER BY audit.compacted_object.into_key, audit.compacted_object.position;

SELECT audit.load_file.key, audit.load_file.version, audit.load_file.size 
FROM audit.load_file 
WHERE audit.load_file.source = :source_1 ORDER BY audit.load_file.run_id;

-- if objects are new
SELECT audit.compacted_object.into_key, audit.compacted_object.into_version, audit.compacted_object.into_size, audit.compacted_object.key, audit.compacted_object.version, audit.compacted_object.size, audit.compacted_object.rows_read, audit.compacted_object.rows_kept 
FROM audit.compacted_object 
WHERE audit.compacted_object.source = :source_1 ORDER BY audit.compacted_object.into_key, audit.compacted_object.position;

BEGIN;

SET statement_timeout TO 60000;

LOCK TABLE audit.load_lock;

RESET statement_timeout;

SELECT (SELECT count(*) AS count_1 
FROM audit.load_file) AS files, (SELECT count(*) AS count_2 
FROM audit.erasure) AS erasures;

DELETE FROM staging.songs;

DELETE FROM staging.events;

-- if persons were erased
SELECT audit.erasure.salt, audit.erasure.digest 
FROM audit.erasure;

CREATE TEMPORARY TABLE text_repair (
	value VARCHAR(65535) NOT NULL, 
	repaired VARCHAR(65535) NOT NULL
);

SELECT pg_backend_pid() AS pid, count(*) AS views 
FROM pg_catalog.pg_class 
WHERE pg_catalog.pg_class.relname = :relname_1;

-- if there are plain objects
COPY staging.songs (num_songs, artist_id, artist_latitude, artist_longitude, artist_location, artist_name, song_id, title, duration, year) FROM 's3://work-bucket/work/manifests/run/songs.plain.manifest' IAM_ROLE default FORMAT AS JSON 's3://work-bucket/work/manifests/run/songs.jsonpaths' MANIFEST REGION 'us-east-1' TIMEFORMAT 'auto' COMPUPDATE OFF STATUPDATE OFF MAXERROR 100000;

-- if there are plain objects
SELECT trim(sys_load_detail.file_name) AS trim_1, sum(sys_load_detail.lines_scanned) AS sum_1 
FROM sys_load_detail 
WHERE sys_load_detail.query_id = pg_last_copy_id() GROUP BY trim(sys_load_detail.file_name);

-- if there are plain objects
SELECT trim(sys_load_error_detail.file_name) AS trim_1, sys_load_error_detail.line_number, sys_load_error_detail.error_code, trim(sys_load_error_detail.column_name) AS trim_2, trim(sys_load_error_detail.error_message) AS trim_3, sys_load_error_detail.query_id 
FROM sys_load_error_detail 
WHERE sys_load_error_detail.query_id = pg_last_copy_id() ORDER BY sys_load_error_detail.file_name, sys_load_error_detail.line_number;

-- if there are plain objects
SELECT pg_last_copy_count() AS n;

-- if there are gzip objects
COPY staging.songs (num_songs, artist_id, artist_latitude, artist_longitude, artist_location, artist_name, song_id, title, duration, year) FROM 's3://work-bucket/work/manifests/run/songs.gzip.manifest' IAM_ROLE default FORMAT AS JSON 's3://work-bucket/work/manifests/run/songs.jsonpaths' GZIP MANIFEST REGION 'us-east-1' TIMEFORMAT 'auto' COMPUPDATE OFF STATUPDATE OFF MAXERROR 100000;

-- if there are gzip objects
SELECT trim(sys_load_detail.file_name) AS trim_1, sum(sys_load_detail.lines_scanned) AS sum_1 
FROM sys_load_detail 
WHERE sys_load_detail.query_id = pg_last_copy_id() GROUP BY trim(sys_load_detail.file_name);

-- if there are gzip objects
SELECT trim(sys_load_error_detail.file_name) AS trim_1, sys_load_error_detail.line_number, sys_load_error_detail.error_code, trim(sys_load_error_detail.column_name) AS trim_2, trim(sys_load_error_detail.error_message) AS trim_3, sys_load_error_detail.query_id 
FROM sys_load_error_detail 
WHERE sys_load_error_detail.query_id = pg_last_copy_id() ORDER BY sys_load_error_detail.file_name, sys_load_error_detail.line_number;

-- if there are gzip objects
SELECT pg_last_copy_count() AS n;

-- if objects are compacted
COPY staging.songs (num_songs, artist_id, artist_latitude, artist_longitude, artist_location, artist_name, song_id, title, duration, year, _object, _line) FROM 's3://work-bucket/work/manifests/run/songs.compacted.manifest' IAM_ROLE default FORMAT AS JSON 's3://work-bucket/work/manifests/run/songs.compacted.jsonpaths' GZIP MANIFEST REGION 'us-east-1' TIMEFORMAT 'auto' COMPUPDATE OFF STATUPDATE OFF MAXERROR 100000;

-- if objects are compacted
SELECT trim(sys_load_detail.file_name) AS trim_1, sum(sys_load_detail.lines_scanned) AS sum_1 
FROM sys_load_detail 
WHERE sys_load_detail.query_id = pg_last_copy_id() GROUP BY trim(sys_load_detail.file_name);

-- if objects are compacted
SELECT trim(sys_load_error_detail.file_name) AS trim_1, sys_load_error_detail.line_number, sys_load_error_detail.error_code, trim(sys_load_error_detail.column_name) AS trim_2, trim(sys_load_error_detail.error_message) AS trim_3, sys_load_error_detail.query_id 
FROM sys_load_error_detail 
WHERE sys_load_error_detail.query_id = pg_last_copy_id() ORDER BY sys_load_error_detail.file_name, sys_load_error_detail.line_number;

-- if objects are compacted
SELECT pg_last_copy_count() AS n;

-- if objects are compacted and compacted objects hold others too
CREATE TEMPORARY TABLE left_out_songs (
	key VARCHAR(4096)
);

-- if objects are compacted and compacted objects hold others too
COPY left_out_songs (key) FROM 's3://work-bucket/work/manifests/run/left_out_songs.songs.json' IAM_ROLE default FORMAT AS JSON 'auto' REGION 'us-east-1' TIMEFORMAT 'auto' COMPUPDATE OFF STATUPDATE OFF;

-- if objects are compacted and compacted objects hold others too
DELETE FROM staging.songs WHERE staging.songs._object IN (SELECT left_out_songs.key 
FROM left_out_songs);

-- if COPY refused records that the reader takes
COPY staging.songs (num_songs, artist_id, artist_latitude, artist_longitude, artist_location, artist_name, song_id, title, duration, year) FROM 's3://work-bucket/work/manifests/run/staging.songs.songs.json' IAM_ROLE default FORMAT AS JSON 'auto' REGION 'us-east-1' TIMEFORMAT 'auto' COMPUPDATE OFF STATUPDATE OFF;

SELECT staging.songs._row, staging.songs.num_songs, staging.songs.artist_id, staging.songs.artist_latitude, staging.songs.artist_longitude, staging.songs.artist_location, staging.songs.artist_name, staging.songs.song_id, staging.songs.title, staging.songs.duration, staging.songs.year 
FROM staging.songs 
WHERE staging.songs._object IS NULL AND (coalesce(staging.songs.num_songs, staging.songs.artist_id, staging.songs.artist_latitude, staging.songs.artist_longitude, staging.songs.artist_location, staging.songs.artist_name, staging.songs.song_id, staging.songs.title, staging.songs.duration, staging.songs.year) IS NULL OR staging.songs.num_songs LIKE :object OR staging.songs.num_songs LIKE :array OR staging.songs.artist_id LIKE :object OR staging.songs.artist_id LIKE :array OR staging.songs.artist_latitude LIKE :object OR staging.songs.artist_latitude LIKE :array OR staging.songs.artist_longitude LIKE :object OR staging.songs.artist_longitude LIKE :array OR staging.songs.artist_location LIKE :object OR staging.songs.artist_location LIKE :array OR staging.songs.artist_name LIKE :object OR staging.songs.artist_name LIKE :array OR staging.songs.song_id LIKE :object OR staging.songs.song_id LIKE :array OR staging.songs.title LIKE :object OR staging.songs.title LIKE :array OR staging.songs.duration LIKE :object OR staging.songs.duration LIKE :array OR staging.songs.year LIKE :object OR staging.songs.year LIKE :array) ORDER BY staging.songs._row 
 LIMIT 100000;

-- if records are no objects of plain values
CREATE TEMPORARY TABLE taken_back_songs (
	place BIGINT
);

-- if records are no objects of plain values
COPY taken_back_songs (place) FROM 's3://work-bucket/work/manifests/run/taken_back_songs.songs.json' IAM_ROLE default FORMAT AS JSON 'auto' REGION 'us-east-1' TIMEFORMAT 'auto' COMPUPDATE OFF STATUPDATE OFF;

-- if records are no objects of plain values
DELETE FROM staging.songs WHERE staging.songs._row IN (SELECT taken_back_songs.place 
FROM taken_back_songs);

SELECT count(*) AS n 
FROM staging.songs;

SELECT DISTINCT found.value 
FROM (SELECT staging.songs.title AS value 
FROM staging.songs 
WHERE octet_length(staging.songs.title) != length(staging.songs.title) UNION ALL SELECT staging.songs.artist_name AS value 
FROM staging.songs 
WHERE octet_length(staging.songs.artist_name) != length(staging.songs.artist_name)) AS found;

-- if texts are damaged
COPY text_repair (value, repaired) FROM 's3://work-bucket/work/manifests/run/text_repair.songs.json' IAM_ROLE default FORMAT AS JSON 'auto' REGION 'us-east-1' TIMEFORMAT 'auto' COMPUPDATE OFF STATUPDATE OFF;

CREATE TEMPORARY TABLE violations_songs (
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
	_row BIGINT, 
	_object VARCHAR(65535), 
	_line BIGINT, 
	place BIGINT, 
	mask BIGINT NOT NULL
);

INSERT INTO violations_songs (num_songs, artist_id, artist_latitude, artist_longitude, artist_location, artist_name, song_id, title, duration, year, _row, _object, _line, place, mask) SELECT judged.num_songs, judged.artist_id, judged.artist_latitude, judged.artist_longitude, judged.artist_location, judged.artist_name, judged.song_id, judged.title, judged.duration, judged.year, judged._row, judged._object, judged._line, judged.place, judged.mask 
FROM (SELECT typed_songs.raw__num_songs AS num_songs, typed_songs.raw__artist_id AS artist_id, typed_songs.raw__artist_latitude AS artist_latitude, typed_songs.raw__artist_longitude AS artist_longitude, typed_songs.raw__artist_location AS artist_location, typed_songs.raw__artist_name AS artist_name, typed_songs.raw__song_id AS song_id, typed_songs.raw__title AS title, typed_songs.raw__duration AS duration, typed_songs.raw__year AS year, typed_songs.raw___row AS _row, typed_songs.raw___object AS _object, typed_songs.raw___line AS _line, typed_songs.place AS place, 0 + CASE WHEN (typed_songs.song_id IS NOT NULL) THEN 0 ELSE 1 END + CASE WHEN (typed_songs.artist_id IS NOT NULL) THEN 0 ELSE 2 END + CASE WHEN (typed_songs.title IS NOT NULL) THEN 0 ELSE 4 END + CASE WHEN (typed_songs.artist_name IS NOT NULL) THEN 0 ELSE 8 END + CASE WHEN (typed_songs.duration > :duration_1) THEN 0 ELSE 16 END + CASE WHEN CASE WHEN typed_songs.given_year THEN typed_songs.year = :year_1 OR typed_songs.year BETWEEN :year_2 AND :year_3 ELSE true END THEN 0 ELSE 32 END + CASE WHEN CASE WHEN typed_songs.given_artist_latitude THEN typed_songs.artist_latitude BETWEEN :artist_latitude_1 AND :artist_latitude_2 ELSE true END THEN 0 ELSE 64 END + CASE WHEN CASE WHEN typed_songs.given_artist_longitude THEN typed_songs.artist_longitude BETWEEN :artist_longitude_1 AND :artist_longitude_2 ELSE true END THEN 0 ELSE 128 END + CASE WHEN (typed_songs.fits_song_id AND typed_songs.fits_artist_id AND typed_songs.fits_title AND typed_songs.fits_artist_name AND typed_songs.fits_artist_location) THEN 0 ELSE 256 END AS mask 
FROM (SELECT nullif(btrim(staging.songs.song_id, :blanks), '') AS song_id, CASE WHEN (coalesce(octet_length(staging.songs.song_id), :coalesce_1) <= :coalesce_2) THEN true ELSE coalesce(octet_length(nullif(btrim(staging.songs.song_id, :blanks), '')), :coalesce_3) <= :coalesce_4 END AS fits_song_id, nullif(btrim(staging.songs.artist_id, :blanks), '') AS artist_id, CASE WHEN (coalesce(octet_length(staging.songs.artist_id), :coalesce_5) <= :coalesce_6) THEN true ELSE coalesce(octet_length(nullif(btrim(staging.songs.artist_id, :blanks), '')), :coalesce_7) <= :coalesce_8 END AS fits_artist_id, nullif(btrim(coalesce(repair_title.repaired, staging.songs.title), :blanks), '') AS title, CASE WHEN (coalesce(octet_length(staging.songs.title), :coalesce_9) <= :coalesce_10) THEN true ELSE coalesce(octet_length(nullif(btrim(coalesce(repair_title.repaired, staging.songs.title), :blanks), '')), :coalesce_11) <= :coalesce_12 END AS fits_title, nullif(btrim(coalesce(repair_artist_name.repaired, staging.songs.artist_name), :blanks), '') AS artist_name, CASE WHEN (coalesce(octet_length(staging.songs.artist_name), :coalesce_13) <= :coalesce_14) THEN true ELSE coalesce(octet_length(nullif(btrim(coalesce(repair_artist_name.repaired, staging.songs.artist_name), :blanks), '')), :coalesce_15) <= :coalesce_16 END AS fits_artist_name, CASE WHEN staging.songs.duration ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(staging.songs.duration AS DOUBLE PRECISION) END AS duration, CASE WHEN staging.songs.year ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.songs.year, :split_part_1, :split_part_2) AS BIGINT) WHEN staging.songs.year ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.songs.year AS DOUBLE PRECISION)) = CAST(staging.songs.year AS DOUBLE PRECISION) AND abs(CAST(staging.songs.year AS DOUBLE PRECISION)) < :abs_1) THEN CAST(CAST(staging.songs.year AS DOUBLE PRECISION) AS BIGINT) END END AS year, staging.songs.year IS NOT NULL AND staging.songs.year != :year_4 AS given_year, CASE WHEN staging.songs.artist_latitude ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(staging.songs.artist_latitude AS DOUBLE PRECISION) END AS artist_latitude, staging.songs.artist_latitude IS NOT NULL AND staging.songs.artist_latitude != :artist_latitude_3 AS given_artist_latitude, CASE WHEN staging.songs.artist_longitude ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(staging.songs.artist_longitude AS DOUBLE PRECISION) END AS artist_longitude, staging.songs.artist_longitude IS NOT NULL AND staging.songs.artist_longitude != :artist_longitude_3 AS given_artist_longitude, CASE WHEN (coalesce(octet_length(staging.songs.artist_location), :coalesce_17) <= :coalesce_18) THEN true ELSE coalesce(octet_length(nullif(btrim(staging.songs.artist_location, :blanks), '')), :coalesce_19) <= :coalesce_20 END AS fits_artist_location, staging.songs._row AS place, staging.songs.num_songs AS raw__num_songs, staging.songs.artist_id AS raw__artist_id, staging.songs.artist_latitude AS raw__artist_latitude, staging.songs.artist_longitude AS raw__artist_longitude, staging.songs.artist_location AS raw__artist_location, staging.songs.artist_name AS raw__artist_name, staging.songs.song_id AS raw__song_id, staging.songs.title AS raw__title, staging.songs.duration AS raw__duration, staging.songs.year AS raw__year, staging.songs._row AS raw___row, staging.songs._object AS raw___object, staging.songs._line AS raw___line 
FROM staging.songs LEFT OUTER JOIN text_repair AS repair_title ON repair_title.value = staging.songs.title LEFT OUTER JOIN text_repair AS repair_artist_name ON repair_artist_name.value = staging.songs.artist_name) AS typed_songs) AS judged 
WHERE judged.mask != :mask_1;

SELECT sum(CASE WHEN ((violations_songs.mask & CAST(:has_bit_1 AS BIGINT)) <> 0) THEN :param_1 ELSE :param_2 END) AS refused, sum(CASE WHEN ((violations_songs.mask & CAST(:has_bit_2 AS BIGINT)) <> 0) THEN :param_3 ELSE :param_4 END) AS song_id_present, sum(CASE WHEN ((violations_songs.mask & CAST(:has_bit_3 AS BIGINT)) <> 0) THEN :param_5 ELSE :param_6 END) AS artist_id_present, sum(CASE WHEN ((violations_songs.mask & CAST(:has_bit_4 AS BIGINT)) <> 0) THEN :param_7 ELSE :param_8 END) AS title_present, sum(CASE WHEN ((violations_songs.mask & CAST(:has_bit_5 AS BIGINT)) <> 0) THEN :param_9 ELSE :param_10 END) AS artist_name_present, sum(CASE WHEN ((violations_songs.mask & CAST(:has_bit_6 AS BIGINT)) <> 0) THEN :param_11 ELSE :param_12 END) AS duration_valid, sum(CASE WHEN ((violations_songs.mask & CAST(:has_bit_7 AS BIGINT)) <> 0) THEN :param_13 ELSE :param_14 END) AS year_valid, sum(CASE WHEN ((violations_songs.mask & CAST(:has_bit_8 AS BIGINT)) <> 0) THEN :param_15 ELSE :param_16 END) AS latitude_valid, sum(CASE WHEN ((violations_songs.mask & CAST(:has_bit_9 AS BIGINT)) <> 0) THEN :param_17 ELSE :param_18 END) AS longitude_valid, sum(CASE WHEN ((violations_songs.mask & CAST(:has_bit_10 AS BIGINT)) <> 0) THEN :param_19 ELSE :param_20 END) AS too_long 
FROM violations_songs;

-- if rules refused rows
SELECT violations_songs.num_songs, violations_songs.artist_id, violations_songs.artist_latitude, violations_songs.artist_longitude, violations_songs.artist_location, violations_songs.artist_name, violations_songs.song_id, violations_songs.title, violations_songs.duration, violations_songs.year, violations_songs._row, violations_songs._object, violations_songs._line, violations_songs.place, violations_songs.mask 
FROM violations_songs 
WHERE ((violations_songs.mask & CAST(:has_bit_1 AS BIGINT)) <> 0) ORDER BY violations_songs.place;

-- if rules refused rows
DELETE FROM staging.songs WHERE staging.songs._row IN (SELECT violations_songs.place 
FROM violations_songs 
WHERE ((violations_songs.mask & CAST(:has_bit_1 AS BIGINT)) <> 0));

-- if there are plain objects
COPY staging.events (artist, auth, firstname, gender, iteminsession, lastname, length, level, location, method, page, registration, sessionid, song, status, ts, useragent, userid) FROM 's3://work-bucket/work/manifests/run/events.plain.manifest' IAM_ROLE default FORMAT AS JSON 's3://work-bucket/work/manifests/run/events.jsonpaths' MANIFEST REGION 'us-east-1' TIMEFORMAT 'auto' COMPUPDATE OFF STATUPDATE OFF MAXERROR 100000;

-- if there are plain objects
SELECT trim(sys_load_detail.file_name) AS trim_1, sum(sys_load_detail.lines_scanned) AS sum_1 
FROM sys_load_detail 
WHERE sys_load_detail.query_id = pg_last_copy_id() GROUP BY trim(sys_load_detail.file_name);

-- if there are plain objects
SELECT trim(sys_load_error_detail.file_name) AS trim_1, sys_load_error_detail.line_number, sys_load_error_detail.error_code, trim(sys_load_error_detail.column_name) AS trim_2, trim(sys_load_error_detail.error_message) AS trim_3, sys_load_error_detail.query_id 
FROM sys_load_error_detail 
WHERE sys_load_error_detail.query_id = pg_last_copy_id() ORDER BY sys_load_error_detail.file_name, sys_load_error_detail.line_number;

-- if there are plain objects
SELECT pg_last_copy_count() AS n;

-- if there are gzip objects
COPY staging.events (artist, auth, firstname, gender, iteminsession, lastname, length, level, location, method, page, registration, sessionid, song, status, ts, useragent, userid) FROM 's3://work-bucket/work/manifests/run/events.gzip.manifest' IAM_ROLE default FORMAT AS JSON 's3://work-bucket/work/manifests/run/events.jsonpaths' GZIP MANIFEST REGION 'us-east-1' TIMEFORMAT 'auto' COMPUPDATE OFF STATUPDATE OFF MAXERROR 100000;

-- if there are gzip objects
SELECT trim(sys_load_detail.file_name) AS trim_1, sum(sys_load_detail.lines_scanned) AS sum_1 
FROM sys_load_detail 
WHERE sys_load_detail.query_id = pg_last_copy_id() GROUP BY trim(sys_load_detail.file_name);

-- if there are gzip objects
SELECT trim(sys_load_error_detail.file_name) AS trim_1, sys_load_error_detail.line_number, sys_load_error_detail.error_code, trim(sys_load_error_detail.column_name) AS trim_2, trim(sys_load_error_detail.error_message) AS trim_3, sys_load_error_detail.query_id 
FROM sys_load_error_detail 
WHERE sys_load_error_detail.query_id = pg_last_copy_id() ORDER BY sys_load_error_detail.file_name, sys_load_error_detail.line_number;

-- if there are gzip objects
SELECT pg_last_copy_count() AS n;

-- if objects are compacted
COPY staging.events (artist, auth, firstname, gender, iteminsession, lastname, length, level, location, method, page, registration, sessionid, song, status, ts, useragent, userid, _object, _line) FROM 's3://work-bucket/work/manifests/run/events.compacted.manifest' IAM_ROLE default FORMAT AS JSON 's3://work-bucket/work/manifests/run/events.compacted.jsonpaths' GZIP MANIFEST REGION 'us-east-1' TIMEFORMAT 'auto' COMPUPDATE OFF STATUPDATE OFF MAXERROR 100000;

-- if objects are compacted
SELECT trim(sys_load_detail.file_name) AS trim_1, sum(sys_load_detail.lines_scanned) AS sum_1 
FROM sys_load_detail 
WHERE sys_load_detail.query_id = pg_last_copy_id() GROUP BY trim(sys_load_detail.file_name);

-- if objects are compacted
SELECT trim(sys_load_error_detail.file_name) AS trim_1, sys_load_error_detail.line_number, sys_load_error_detail.error_code, trim(sys_load_error_detail.column_name) AS trim_2, trim(sys_load_error_detail.error_message) AS trim_3, sys_load_error_detail.query_id 
FROM sys_load_error_detail 
WHERE sys_load_error_detail.query_id = pg_last_copy_id() ORDER BY sys_load_error_detail.file_name, sys_load_error_detail.line_number;

-- if objects are compacted
SELECT pg_last_copy_count() AS n;

-- if objects are compacted and compacted objects hold others too
CREATE TEMPORARY TABLE left_out_events (
	key VARCHAR(4096)
);

-- if objects are compacted and compacted objects hold others too
COPY left_out_events (key) FROM 's3://work-bucket/work/manifests/run/left_out_events.events.json' IAM_ROLE default FORMAT AS JSON 'auto' REGION 'us-east-1' TIMEFORMAT 'auto' COMPUPDATE OFF STATUPDATE OFF;

-- if objects are compacted and compacted objects hold others too
DELETE FROM staging.events WHERE staging.events._object IN (SELECT left_out_events.key 
FROM left_out_events);

-- if COPY refused records that the reader takes
COPY staging.events (artist, auth, firstname, gender, iteminsession, lastname, length, level, location, method, page, registration, sessionid, song, status, ts, useragent, userid) FROM 's3://work-bucket/work/manifests/run/staging.events.events.json' IAM_ROLE default FORMAT AS JSON 'auto' REGION 'us-east-1' TIMEFORMAT 'auto' COMPUPDATE OFF STATUPDATE OFF;

SELECT staging.events._row, staging.events.artist, staging.events.auth, staging.events.firstname, staging.events.gender, staging.events.iteminsession, staging.events.lastname, staging.events.length, staging.events.level, staging.events.location, staging.events.method, staging.events.page, staging.events.registration, staging.events.sessionid, staging.events.song, staging.events.status, staging.events.ts, staging.events.useragent, staging.events.userid 
FROM staging.events 
WHERE staging.events._object IS NULL AND (coalesce(staging.events.artist, staging.events.auth, staging.events.firstname, staging.events.gender, staging.events.iteminsession, staging.events.lastname, staging.events.length, staging.events.level, staging.events.location, staging.events.method, staging.events.page, staging.events.registration, staging.events.sessionid, staging.events.song, staging.events.status, staging.events.ts, staging.events.useragent, staging.events.userid) IS NULL OR staging.events.artist LIKE :object OR staging.events.artist LIKE :array OR staging.events.auth LIKE :object OR staging.events.auth LIKE :array OR staging.events.firstname LIKE :object OR staging.events.firstname LIKE :array OR staging.events.gender LIKE :object OR staging.events.gender LIKE :array OR staging.events.iteminsession LIKE :object OR staging.events.iteminsession LIKE :array OR staging.events.lastname LIKE :object OR staging.events.lastname LIKE :array OR staging.events.length LIKE :object OR staging.events.length LIKE :array OR staging.events.level LIKE :object OR staging.events.level LIKE :array OR staging.events.location LIKE :object OR staging.events.location LIKE :array OR staging.events.method LIKE :object OR staging.events.method LIKE :array OR staging.events.page LIKE :object OR staging.events.page LIKE :array OR staging.events.registration LIKE :object OR staging.events.registration LIKE :array OR staging.events.sessionid LIKE :object OR staging.events.sessionid LIKE :array OR staging.events.song LIKE :object OR staging.events.song LIKE :array OR staging.events.status LIKE :object OR staging.events.status LIKE :array OR staging.events.ts LIKE :object OR staging.events.ts LIKE :array OR staging.events.useragent LIKE :object OR staging.events.useragent LIKE :array OR staging.events.userid LIKE :object OR staging.events.userid LIKE :array) ORDER BY staging.events._row 
 LIMIT 100000;

-- if records are no objects of plain values
CREATE TEMPORARY TABLE taken_back_events (
	place BIGINT
);

-- if records are no objects of plain values
COPY taken_back_events (place) FROM 's3://work-bucket/work/manifests/run/taken_back_events.events.json' IAM_ROLE default FORMAT AS JSON 'auto' REGION 'us-east-1' TIMEFORMAT 'auto' COMPUPDATE OFF STATUPDATE OFF;

-- if records are no objects of plain values
DELETE FROM staging.events WHERE staging.events._row IN (SELECT taken_back_events.place 
FROM taken_back_events);

SELECT count(*) AS n 
FROM staging.events;

-- if persons were erased
CREATE TEMPORARY TABLE erased_events (
	person BIGINT
);

-- if persons were erased
INSERT INTO erased_events (person) SELECT named.person 
FROM (SELECT DISTINCT CASE WHEN nullif(btrim(staging.events.userid, :blanks), '') ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(nullif(btrim(staging.events.userid, :blanks), ''), :split_part_1, :split_part_2) AS BIGINT) WHEN nullif(btrim(staging.events.userid, :blanks), '') ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(nullif(btrim(staging.events.userid, :blanks), '') AS DOUBLE PRECISION)) = CAST(nullif(btrim(staging.events.userid, :blanks), '') AS DOUBLE PRECISION) AND abs(CAST(nullif(btrim(staging.events.userid, :blanks), '') AS DOUBLE PRECISION)) < :abs_1) THEN CAST(CAST(nullif(btrim(staging.events.userid, :blanks), '') AS DOUBLE PRECISION) AS BIGINT) END END AS person 
FROM staging.events) AS named 
WHERE sha2((SELECT max(audit.erasure.salt) AS max_1 
FROM audit.erasure) || :param_3 || CAST(named.person AS VARCHAR(65535)), 256) IN (SELECT audit.erasure.digest 
FROM audit.erasure);

-- if persons were erased
DELETE FROM staging.events WHERE CASE WHEN nullif(btrim(staging.events.userid, :blanks), '') ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(nullif(btrim(staging.events.userid, :blanks), ''), :split_part_1, :split_part_2) AS BIGINT) WHEN nullif(btrim(staging.events.userid, :blanks), '') ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(nullif(btrim(staging.events.userid, :blanks), '') AS DOUBLE PRECISION)) = CAST(nullif(btrim(staging.events.userid, :blanks), '') AS DOUBLE PRECISION) AND abs(CAST(nullif(btrim(staging.events.userid, :blanks), '') AS DOUBLE PRECISION)) < :abs_1) THEN CAST(CAST(nullif(btrim(staging.events.userid, :blanks), '') AS DOUBLE PRECISION) AS BIGINT) END END IN (SELECT erased_events.person 
FROM erased_events);

SELECT DISTINCT found.value 
FROM (SELECT staging.events.song AS value 
FROM staging.events 
WHERE octet_length(staging.events.song) != length(staging.events.song) UNION ALL SELECT staging.events.artist AS value 
FROM staging.events 
WHERE octet_length(staging.events.artist) != length(staging.events.artist)) AS found;

-- if texts are damaged
COPY text_repair (value, repaired) FROM 's3://work-bucket/work/manifests/run/text_repair.events.json' IAM_ROLE default FORMAT AS JSON 'auto' REGION 'us-east-1' TIMEFORMAT 'auto' COMPUPDATE OFF STATUPDATE OFF;

CREATE TEMPORARY TABLE violations_events (
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
	_row BIGINT, 
	_object VARCHAR(65535), 
	_line BIGINT, 
	place BIGINT, 
	mask BIGINT NOT NULL
);

INSERT INTO violations_events (artist, auth, firstname, gender, iteminsession, lastname, length, level, location, method, page, registration, sessionid, song, status, ts, useragent, userid, _row, _object, _line, place, mask) SELECT judged.artist, judged.auth, judged.firstname, judged.gender, judged.iteminsession, judged.lastname, judged.length, judged.level, judged.location, judged.method, judged.page, judged.registration, judged.sessionid, judged.song, judged.status, judged.ts, judged.useragent, judged.userid, judged._row, judged._object, judged._line, judged.place, judged.mask 
FROM (SELECT typed_events.raw__artist AS artist, typed_events.raw__auth AS auth, typed_events.raw__firstname AS firstname, typed_events.raw__gender AS gender, typed_events.raw__iteminsession AS iteminsession, typed_events.raw__lastname AS lastname, typed_events.raw__length AS length, typed_events.raw__level AS level, typed_events.raw__location AS location, typed_events.raw__method AS method, typed_events.raw__page AS page, typed_events.raw__registration AS registration, typed_events.raw__sessionid AS sessionid, typed_events.raw__song AS song, typed_events.raw__status AS status, typed_events.raw__ts AS ts, typed_events.raw__useragent AS useragent, typed_events.raw__userid AS userid, typed_events.raw___row AS _row, typed_events.raw___object AS _object, typed_events.raw___line AS _line, typed_events.place AS place, 0 + CASE WHEN (typed_events.ts >= :ts_1 AND typed_events.ts < :ts_2) THEN 0 ELSE 1 END + CASE WHEN (typed_events.page IS NOT NULL) THEN 0 ELSE 2 END + CASE WHEN (typed_events.session_id >= :session_id_1) THEN 0 ELSE 4 END + CASE WHEN (typed_events.item_in_session >= :item_in_session_1) THEN 0 ELSE 8 END + CASE WHEN CASE WHEN coalesce(typed_events.page = :page_1 OR typed_events.auth = :auth_1, false) THEN typed_events.user_id IS NOT NULL ELSE true END THEN 0 ELSE 16 END + CASE WHEN CASE WHEN coalesce(typed_events.page = :page_2, false) THEN typed_events.auth = :auth_2 ELSE true END THEN 0 ELSE 32 END + CASE WHEN CASE WHEN coalesce(typed_events.page = :page_3, false) THEN typed_events.song IS NOT NULL ELSE true END THEN 0 ELSE 64 END + CASE WHEN CASE WHEN coalesce(typed_events.page = :page_4, false) THEN typed_events.artist IS NOT NULL ELSE true END THEN 0 ELSE 128 END + CASE WHEN CASE WHEN (coalesce(typed_events.page = :page_5, false) OR typed_events.given_length) THEN typed_events.length > :length_1 ELSE true END THEN 0 ELSE 256 END + CASE WHEN CASE WHEN coalesce(typed_events.page = :page_6 OR typed_events.auth = :auth_3, false) THEN typed_events.level IN (:level_1_1, :level_1_2) ELSE true END THEN 0 ELSE 512 END + CASE WHEN (typed_events.gender IS NULL OR typed_events.gender IN (:gender_1_1, :gender_1_2)) THEN 0 ELSE 1024 END + CASE WHEN (typed_events.fits_first_name AND typed_events.fits_last_name AND typed_events.fits_gender AND typed_events.fits_level AND typed_events.fits_song AND typed_events.fits_artist AND typed_events.fits_location AND typed_events.fits_user_agent) THEN 0 ELSE 2048 END + CASE WHEN CASE WHEN typed_events.given_registered_at THEN typed_events.registered_at IS NOT NULL ELSE true END THEN 0 ELSE 4096 END AS mask 
FROM (SELECT CASE WHEN staging.events.ts ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.ts, :split_part_1, :split_part_2) AS BIGINT) WHEN staging.events.ts ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.ts AS DOUBLE PRECISION)) = CAST(staging.events.ts AS DOUBLE PRECISION) AND abs(CAST(staging.events.ts AS DOUBLE PRECISION)) < :abs_1) THEN CAST(CAST(staging.events.ts AS DOUBLE PRECISION) AS BIGINT) END END AS ts, nullif(btrim(staging.events.page, :blanks), '') AS page, nullif(btrim(staging.events.auth, :blanks), '') AS auth, CASE WHEN staging.events.sessionid ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.sessionid, :split_part_3, :split_part_4) AS BIGINT) WHEN staging.events.sessionid ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.sessionid AS DOUBLE PRECISION)) = CAST(staging.events.sessionid AS DOUBLE PRECISION) AND abs(CAST(staging.events.sessionid AS DOUBLE PRECISION)) < :abs_2) THEN CAST(CAST(staging.events.sessionid AS DOUBLE PRECISION) AS BIGINT) END END AS session_id, CASE WHEN staging.events.iteminsession ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.iteminsession, :split_part_5, :split_part_6) AS BIGINT) WHEN staging.events.iteminsession ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.iteminsession AS DOUBLE PRECISION)) = CAST(staging.events.iteminsession AS DOUBLE PRECISION) AND abs(CAST(staging.events.iteminsession AS DOUBLE PRECISION)) < :abs_3) THEN CAST(CAST(staging.events.iteminsession AS DOUBLE PRECISION) AS BIGINT) END END AS item_in_session, CASE WHEN staging.events.userid ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.userid, :split_part_7, :split_part_8) AS BIGINT) WHEN staging.events.userid ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.userid AS DOUBLE PRECISION)) = CAST(staging.events.userid AS DOUBLE PRECISION) AND abs(CAST(staging.events.userid AS DOUBLE PRECISION)) < :abs_4) THEN CAST(CAST(staging.events.userid AS DOUBLE PRECISION) AS BIGINT) END END AS user_id, CASE WHEN (coalesce(octet_length(staging.events.firstname), :coalesce_1) <= :coalesce_2) THEN true ELSE coalesce(octet_length(nullif(btrim(staging.events.firstname, :blanks), '')), :coalesce_3) <= :coalesce_4 END AS fits_first_name, CASE WHEN (coalesce(octet_length(staging.events.lastname), :coalesce_5) <= :coalesce_6) THEN true ELSE coalesce(octet_length(nullif(btrim(staging.events.lastname, :blanks), '')), :coalesce_7) <= :coalesce_8 END AS fits_last_name, nullif(btrim(staging.events.gender, :blanks), '') AS gender, CASE WHEN (coalesce(octet_length(staging.events.gender), :coalesce_9) <= :coalesce_10) THEN true ELSE coalesce(octet_length(nullif(btrim(staging.events.gender, :blanks), '')), :coalesce_11) <= :coalesce_12 END AS fits_gender, nullif(btrim(staging.events.level, :blanks), '') AS level, CASE WHEN (coalesce(octet_length(staging.events.level), :coalesce_13) <= :coalesce_14) THEN true ELSE coalesce(octet_length(nullif(btrim(staging.events.level, :blanks), '')), :coalesce_15) <= :coalesce_16 END AS fits_level, CASE WHEN (CASE WHEN staging.events.registration ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(staging.events.registration AS DOUBLE PRECISION) END >= :param_3 AND CASE WHEN staging.events.registration ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(staging.events.registration AS DOUBLE PRECISION) END < :param_4) THEN dateadd(ms, CAST(mod(CAST(floor(CASE WHEN staging.events.registration ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(staging.events.registration AS DOUBLE PRECISION) END) AS BIGINT), 86400000) AS INTEGER), dateadd(day, CAST((CAST(floor(CASE WHEN staging.events.registration ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(staging.events.registration AS DOUBLE PRECISION) END) AS BIGINT)) / 86400000 AS INTEGER), TIMESTAMP '1970-01-01 00:00:00')) END AS registered_at, staging.events.registration IS NOT NULL AND staging.events.registration != :registration_1 AS given_registered_at, nullif(btrim(coalesce(repair_song.repaired, staging.events.song), :blanks), '') AS song, CASE WHEN (coalesce(octet_length(staging.events.song), :coalesce_17) <= :coalesce_18) THEN true ELSE coalesce(octet_length(nullif(btrim(coalesce(repair_song.repaired, staging.events.song), :blanks), '')), :coalesce_19) <= :coalesce_20 END AS fits_song, nullif(btrim(coalesce(repair_artist.repaired, staging.events.artist), :blanks), '') AS artist, CASE WHEN (coalesce(octet_length(staging.events.artist), :coalesce_21) <= :coalesce_22) THEN true ELSE coalesce(octet_length(nullif(btrim(coalesce(repair_artist.repaired, staging.events.artist), :blanks), '')), :coalesce_23) <= :coalesce_24 END AS fits_artist, CASE WHEN staging.events.length ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(staging.events.length AS DOUBLE PRECISION) END AS length, staging.events.length IS NOT NULL AND staging.events.length != :length_2 AS given_length, CASE WHEN (coalesce(octet_length(staging.events.location), :coalesce_25) <= :coalesce_26) THEN true ELSE coalesce(octet_length(nullif(btrim(staging.events.location, :blanks), '')), :coalesce_27) <= :coalesce_28 END AS fits_location, CASE WHEN (coalesce(octet_length(staging.events.useragent), :coalesce_29) <= :coalesce_30) THEN true ELSE coalesce(octet_length(nullif(btrim(staging.events.useragent, :blanks), '')), :coalesce_31) <= :coalesce_32 END AS fits_user_agent, staging.events._row AS place, staging.events.artist AS raw__artist, staging.events.auth AS raw__auth, staging.events.firstname AS raw__firstname, staging.events.gender AS raw__gender, staging.events.iteminsession AS raw__iteminsession, staging.events.lastname AS raw__lastname, staging.events.length AS raw__length, staging.events.level AS raw__level, staging.events.location AS raw__location, staging.events.method AS raw__method, staging.events.page AS raw__page, staging.events.registration AS raw__registration, staging.events.sessionid AS raw__sessionid, staging.events.song AS raw__song, staging.events.status AS raw__status, staging.events.ts AS raw__ts, staging.events.useragent AS raw__useragent, staging.events.userid AS raw__userid, staging.events._row AS raw___row, staging.events._object AS raw___object, staging.events._line AS raw___line 
FROM staging.events LEFT OUTER JOIN text_repair AS repair_song ON repair_song.value = staging.events.song LEFT OUTER JOIN text_repair AS repair_artist ON repair_artist.value = staging.events.artist) AS typed_events) AS judged 
WHERE judged.mask != :mask_1;

SELECT sum(CASE WHEN ((violations_events.mask & CAST(:has_bit_1 AS BIGINT)) <> 0) THEN :param_1 ELSE :param_2 END) AS refused, sum(CASE WHEN ((violations_events.mask & CAST(:has_bit_2 AS BIGINT)) <> 0) THEN :param_3 ELSE :param_4 END) AS ts_valid, sum(CASE WHEN ((violations_events.mask & CAST(:has_bit_3 AS BIGINT)) <> 0) THEN :param_5 ELSE :param_6 END) AS page_present, sum(CASE WHEN ((violations_events.mask & CAST(:has_bit_4 AS BIGINT)) <> 0) THEN :param_7 ELSE :param_8 END) AS session_id_valid, sum(CASE WHEN ((violations_events.mask & CAST(:has_bit_5 AS BIGINT)) <> 0) THEN :param_9 ELSE :param_10 END) AS item_in_session_valid, sum(CASE WHEN ((violations_events.mask & CAST(:has_bit_6 AS BIGINT)) <> 0) THEN :param_11 ELSE :param_12 END) AS user_id_valid, sum(CASE WHEN ((violations_events.mask & CAST(:has_bit_7 AS BIGINT)) <> 0) THEN :param_13 ELSE :param_14 END) AS play_logged_in, sum(CASE WHEN ((violations_events.mask & CAST(:has_bit_8 AS BIGINT)) <> 0) THEN :param_15 ELSE :param_16 END) AS play_song_present, sum(CASE WHEN ((violations_events.mask & CAST(:has_bit_9 AS BIGINT)) <> 0) THEN :param_17 ELSE :param_18 END) AS play_artist_present, sum(CASE WHEN ((violations_events.mask & CAST(:has_bit_10 AS BIGINT)) <> 0) THEN :param_19 ELSE :param_20 END) AS length_valid, sum(CASE WHEN ((violations_events.mask & CAST(:has_bit_11 AS BIGINT)) <> 0) THEN :param_21 ELSE :param_22 END) AS level_valid, sum(CASE WHEN ((violations_events.mask & CAST(:has_bit_12 AS BIGINT)) <> 0) THEN :param_23 ELSE :param_24 END) AS gender_valid, sum(CASE WHEN ((violations_events.mask & CAST(:has_bit_13 AS BIGINT)) <> 0) THEN :param_25 ELSE :param_26 END) AS too_long, sum(CASE WHEN ((violations_events.mask & CAST(:has_bit_14 AS BIGINT)) <> 0) THEN :param_27 ELSE :param_28 END) AS registration_valid 
FROM violations_events;

-- if rules refused rows
SELECT violations_events.artist, violations_events.auth, violations_events.firstname, violations_events.gender, violations_events.iteminsession, violations_events.lastname, violations_events.length, violations_events.level, violations_events.location, violations_events.method, violations_events.page, violations_events.registration, violations_events.sessionid, violations_events.song, violations_events.status, violations_events.ts, violations_events.useragent, violations_events.userid, violations_events._row, violations_events._object, violations_events._line, violations_events.place, violations_events.mask 
FROM violations_events 
WHERE ((violations_events.mask & CAST(:has_bit_1 AS BIGINT)) <> 0) ORDER BY violations_events.place;

-- if rules refused rows
DELETE FROM staging.events WHERE staging.events._row IN (SELECT violations_events.place 
FROM violations_events 
WHERE ((violations_events.mask & CAST(:has_bit_1 AS BIGINT)) <> 0));

CREATE TEMPORARY TABLE keys_songs (
	song_id VARCHAR(64), 
	"top" BIGINT, 
	n BIGINT
);

INSERT INTO keys_songs (song_id, "top", n) SELECT fed.song_id, max(fed."top") AS "top", count(*) AS n 
FROM (SELECT typed_songs.song_id AS song_id, 0 + CASE WHEN (typed_songs.song_id IS NULL) THEN :param_1 ELSE :param_2 END + CASE WHEN (typed_songs.title IS NULL) THEN :param_3 ELSE :param_4 END + CASE WHEN (typed_songs.artist_id IS NULL) THEN :param_5 ELSE :param_6 END + CASE WHEN (typed_songs.artist_name IS NULL) THEN :param_7 ELSE :param_8 END + CASE WHEN (CASE WHEN (typed_songs.year = :year_1) THEN NULL ELSE typed_songs.year END IS NULL) THEN :param_9 ELSE :param_10 END + CASE WHEN (typed_songs.duration IS NULL) THEN :param_11 ELSE :param_12 END AS "top" 
FROM (SELECT nullif(btrim(staging.songs.song_id, :blanks), '') AS song_id, nullif(btrim(staging.songs.artist_id, :blanks), '') AS artist_id, nullif(btrim(coalesce(repair_title.repaired, staging.songs.title), :blanks), '') AS title, nullif(btrim(coalesce(repair_artist_name.repaired, staging.songs.artist_name), :blanks), '') AS artist_name, CASE WHEN staging.songs.duration ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(staging.songs.duration AS DOUBLE PRECISION) END AS duration, CASE WHEN staging.songs.year ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.songs.year, :split_part_1, :split_part_2) AS BIGINT) WHEN staging.songs.year ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.songs.year AS DOUBLE PRECISION)) = CAST(staging.songs.year AS DOUBLE PRECISION) AND abs(CAST(staging.songs.year AS DOUBLE PRECISION)) < :abs_1) THEN CAST(CAST(staging.songs.year AS DOUBLE PRECISION) AS BIGINT) END END AS year 
FROM staging.songs LEFT OUTER JOIN text_repair AS repair_title ON repair_title.value = staging.songs.title LEFT OUTER JOIN text_repair AS repair_artist_name ON repair_artist_name.value = staging.songs.artist_name) AS typed_songs) AS fed GROUP BY fed.song_id;

SELECT sum(keys_songs.n) - count(*) AS duplicate 
FROM keys_songs;

CREATE TEMPORARY TABLE keys_artists (
	artist_id VARCHAR(64), 
	n BIGINT
);

INSERT INTO keys_artists (artist_id, n) SELECT fed.artist_id, count(*) AS n 
FROM (SELECT typed_songs.artist_id AS artist_id 
FROM (SELECT nullif(btrim(staging.songs.artist_id, :blanks), '') AS artist_id 
FROM staging.songs) AS typed_songs) AS fed GROUP BY fed.artist_id;

SELECT sum(keys_artists.n) - count(*) AS duplicate 
FROM keys_artists;

CREATE TEMPORARY TABLE keys_users (
	user_id BIGINT, 
	"top" TIMESTAMP WITHOUT TIME ZONE, 
	n BIGINT
);

INSERT INTO keys_users (user_id, "top", n) SELECT fed.user_id, max(fed."top") AS "top", count(*) AS n 
FROM (SELECT typed_events.user_id AS user_id, dateadd(ms, CAST(mod(typed_events.ts, 86400000) AS INTEGER), dateadd(day, CAST((typed_events.ts) / 86400000 AS INTEGER), TIMESTAMP '1970-01-01 00:00:00')) AS "top" 
FROM (SELECT CASE WHEN staging.events.ts ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.ts, :split_part_1, :split_part_2) AS BIGINT) WHEN staging.events.ts ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.ts AS DOUBLE PRECISION)) = CAST(staging.events.ts AS DOUBLE PRECISION) AND abs(CAST(staging.events.ts AS DOUBLE PRECISION)) < :abs_1) THEN CAST(CAST(staging.events.ts AS DOUBLE PRECISION) AS BIGINT) END END AS ts, nullif(btrim(staging.events.auth, :blanks), '') AS auth, CASE WHEN staging.events.userid ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.userid, :split_part_3, :split_part_4) AS BIGINT) WHEN staging.events.userid ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.userid AS DOUBLE PRECISION)) = CAST(staging.events.userid AS DOUBLE PRECISION) AND abs(CAST(staging.events.userid AS DOUBLE PRECISION)) < :abs_2) THEN CAST(CAST(staging.events.userid AS DOUBLE PRECISION) AS BIGINT) END END AS user_id 
FROM staging.events) AS typed_events 
WHERE typed_events.auth = :auth_1) AS fed GROUP BY fed.user_id;

SELECT sum(keys_users.n) - count(*) AS duplicate 
FROM keys_users;

CREATE TEMPORARY TABLE keys_time (
	start_time TIMESTAMP WITHOUT TIME ZONE, 
	n BIGINT
);

INSERT INTO keys_time (start_time, n) SELECT fed.start_time, count(*) AS n 
FROM (SELECT dateadd(ms, CAST(mod(typed_events.ts, 86400000) AS INTEGER), dateadd(day, CAST((typed_events.ts) / 86400000 AS INTEGER), TIMESTAMP '1970-01-01 00:00:00')) AS start_time 
FROM (SELECT CASE WHEN staging.events.ts ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.ts, :split_part_1, :split_part_2) AS BIGINT) WHEN staging.events.ts ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.ts AS DOUBLE PRECISION)) = CAST(staging.events.ts AS DOUBLE PRECISION) AND abs(CAST(staging.events.ts AS DOUBLE PRECISION)) < :abs_1) THEN CAST(CAST(staging.events.ts AS DOUBLE PRECISION) AS BIGINT) END END AS ts 
FROM staging.events) AS typed_events) AS fed GROUP BY fed.start_time;

SELECT sum(keys_time.n) - count(*) AS duplicate 
FROM keys_time;

CREATE TEMPORARY TABLE keys_songplays (
	session_id BIGINT, 
	item_in_session BIGINT, 
	"top" TIMESTAMP WITHOUT TIME ZONE, 
	n BIGINT
);

INSERT INTO keys_songplays (session_id, item_in_session, "top", n) SELECT fed.session_id, fed.item_in_session, max(fed."top") AS "top", count(*) AS n 
FROM (SELECT typed_events.session_id AS session_id, typed_events.item_in_session AS item_in_session, dateadd(ms, CAST(mod(typed_events.ts, 86400000) AS INTEGER), dateadd(day, CAST((typed_events.ts) / 86400000 AS INTEGER), TIMESTAMP '1970-01-01 00:00:00')) AS "top" 
FROM (SELECT CASE WHEN staging.events.ts ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.ts, :split_part_1, :split_part_2) AS BIGINT) WHEN staging.events.ts ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.ts AS DOUBLE PRECISION)) = CAST(staging.events.ts AS DOUBLE PRECISION) AND abs(CAST(staging.events.ts AS DOUBLE PRECISION)) < :abs_1) THEN CAST(CAST(staging.events.ts AS DOUBLE PRECISION) AS BIGINT) END END AS ts, nullif(btrim(staging.events.page, :blanks), '') AS page, CASE WHEN staging.events.sessionid ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.sessionid, :split_part_3, :split_part_4) AS BIGINT) WHEN staging.events.sessionid ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.sessionid AS DOUBLE PRECISION)) = CAST(staging.events.sessionid AS DOUBLE PRECISION) AND abs(CAST(staging.events.sessionid AS DOUBLE PRECISION)) < :abs_2) THEN CAST(CAST(staging.events.sessionid AS DOUBLE PRECISION) AS BIGINT) END END AS session_id, CASE WHEN staging.events.iteminsession ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.iteminsession, :split_part_5, :split_part_6) AS BIGINT) WHEN staging.events.iteminsession ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.iteminsession AS DOUBLE PRECISION)) = CAST(staging.events.iteminsession AS DOUBLE PRECISION) AND abs(CAST(staging.events.iteminsession AS DOUBLE PRECISION)) < :abs_3) THEN CAST(CAST(staging.events.iteminsession AS DOUBLE PRECISION) AS BIGINT) END END AS item_in_session 
FROM staging.events) AS typed_events 
WHERE typed_events.page = :page_1) AS fed GROUP BY fed.session_id, fed.item_in_session;

SELECT sum(keys_songplays.n) - count(*) AS duplicate 
FROM keys_songplays;

SELECT sum(CASE WHEN (typed_events.auth = :auth_1) THEN :param_1 ELSE :param_2 END) AS users, sum(CASE WHEN (typed_events.page = :page_1) THEN :param_3 ELSE :param_4 END) AS songplays 
FROM (SELECT nullif(btrim(staging.events.page, :blanks), '') AS page, nullif(btrim(staging.events.auth, :blanks), '') AS auth 
FROM staging.events) AS typed_events;

CREATE TEMPORARY TABLE stage_songs (
	song_id VARCHAR(64), 
	title VARCHAR(1024), 
	artist_id VARCHAR(64), 
	artist_name VARCHAR(1024), 
	year SMALLINT, 
	duration DOUBLE PRECISION
);

-- if keys repeat in the load
INSERT INTO stage_songs (song_id, title, artist_id, artist_name, year, duration) SELECT winners.song_id, winners.title, winners.artist_id, winners.artist_name, winners.year, winners.duration 
FROM (SELECT typed_songs.song_id AS song_id, typed_songs.title AS title, typed_songs.artist_id AS artist_id, typed_songs.artist_name AS artist_name, CAST(nullif(typed_songs.year, :nullif_1) AS SMALLINT) AS year, typed_songs.duration AS duration 
FROM (SELECT nullif(btrim(highest.song_id, :blanks), '') AS song_id, nullif(btrim(highest.artist_id, :blanks), '') AS artist_id, nullif(btrim(coalesce(repair_title.repaired, highest.title), :blanks), '') AS title, nullif(btrim(coalesce(repair_artist_name.repaired, highest.artist_name), :blanks), '') AS artist_name, CASE WHEN highest.duration ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(highest.duration AS DOUBLE PRECISION) END AS duration, CASE WHEN highest.year ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(highest.year, :split_part_1, :split_part_2) AS BIGINT) WHEN highest.year ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(highest.year AS DOUBLE PRECISION)) = CAST(highest.year AS DOUBLE PRECISION) AND abs(CAST(highest.year AS DOUBLE PRECISION)) < :abs_1) THEN CAST(CAST(highest.year AS DOUBLE PRECISION) AS BIGINT) END END AS year 
FROM (SELECT typed_songs.raw__num_songs AS num_songs, typed_songs.raw__artist_id AS artist_id, typed_songs.raw__artist_latitude AS artist_latitude, typed_songs.raw__artist_longitude AS artist_longitude, typed_songs.raw__artist_location AS artist_location, typed_songs.raw__artist_name AS artist_name, typed_songs.raw__song_id AS song_id, typed_songs.raw__title AS title, typed_songs.raw__duration AS duration, typed_songs.raw__year AS year, typed_songs.raw___row AS _row, typed_songs.raw___object AS _object, typed_songs.raw___line AS _line 
FROM (SELECT nullif(btrim(staging.songs.song_id, :blanks), '') AS song_id, nullif(btrim(staging.songs.artist_id, :blanks), '') AS artist_id, nullif(btrim(coalesce(repair_title.repaired, staging.songs.title), :blanks), '') AS title, nullif(btrim(coalesce(repair_artist_name.repaired, staging.songs.artist_name), :blanks), '') AS artist_name, CASE WHEN staging.songs.duration ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(staging.songs.duration AS DOUBLE PRECISION) END AS duration, CASE WHEN staging.songs.year ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.songs.year, :split_part_3, :split_part_4) AS BIGINT) WHEN staging.songs.year ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.songs.year AS DOUBLE PRECISION)) = CAST(staging.songs.year AS DOUBLE PRECISION) AND abs(CAST(staging.songs.year AS DOUBLE PRECISION)) < :abs_2) THEN CAST(CAST(staging.songs.year AS DOUBLE PRECISION) AS BIGINT) END END AS year, staging.songs.num_songs AS raw__num_songs, staging.songs.artist_id AS raw__artist_id, staging.songs.artist_latitude AS raw__artist_latitude, staging.songs.artist_longitude AS raw__artist_longitude, staging.songs.artist_location AS raw__artist_location, staging.songs.artist_name AS raw__artist_name, staging.songs.song_id AS raw__song_id, staging.songs.title AS raw__title, staging.songs.duration AS raw__duration, staging.songs.year AS raw__year, staging.songs._row AS raw___row, staging.songs._object AS raw___object, staging.songs._line AS raw___line 
FROM staging.songs LEFT OUTER JOIN text_repair AS repair_title ON repair_title.value = staging.songs.title LEFT OUTER JOIN text_repair AS repair_artist_name ON repair_artist_name.value = staging.songs.artist_name) AS typed_songs JOIN keys_songs ON keys_songs.song_id = typed_songs.song_id AND 0 + CASE WHEN (typed_songs.song_id IS NULL) THEN :param_3 ELSE :param_4 END + CASE WHEN (typed_songs.title IS NULL) THEN :param_5 ELSE :param_6 END + CASE WHEN (typed_songs.artist_id IS NULL) THEN :param_7 ELSE :param_8 END + CASE WHEN (typed_songs.artist_name IS NULL) THEN :param_9 ELSE :param_10 END + CASE WHEN (CASE WHEN (typed_songs.year = :year_1) THEN NULL ELSE typed_songs.year END IS NULL) THEN :param_11 ELSE :param_12 END + CASE WHEN (typed_songs.duration IS NULL) THEN :param_13 ELSE :param_14 END = keys_songs."top" 
WHERE keys_songs.n = :n_1) AS highest LEFT OUTER JOIN text_repair AS repair_title ON repair_title.value = highest.title LEFT OUTER JOIN text_repair AS repair_artist_name ON repair_artist_name.value = highest.artist_name) AS typed_songs UNION ALL SELECT ranked.song_id AS song_id, ranked.title AS title, ranked.artist_id AS artist_id, ranked.artist_name AS artist_name, ranked.year AS year, ranked.duration AS duration 
FROM (SELECT fed.song_id AS song_id, fed.title AS title, fed.artist_id AS artist_id, fed.artist_name AS artist_name, fed.year AS year, fed.duration AS duration, row_number() OVER (PARTITION BY fed.song_id ORDER BY CASE WHEN (fed.rank_0 IS NULL) THEN :param_15 ELSE :param_16 END, fed.rank_0 DESC, CASE WHEN (fed.song_id IS NULL) THEN :param_17 ELSE :param_18 END, fed.song_id DESC, CASE WHEN (fed.title IS NULL) THEN :param_19 ELSE :param_20 END, fed.title DESC, CASE WHEN (fed.artist_id IS NULL) THEN :param_21 ELSE :param_22 END, fed.artist_id DESC, CASE WHEN (fed.artist_name IS NULL) THEN :param_23 ELSE :param_24 END, fed.artist_name DESC, CASE WHEN (fed.year IS NULL) THEN :param_25 ELSE :param_26 END, fed.year DESC, CASE WHEN (fed.duration IS NULL) THEN :param_27 ELSE :param_28 END, fed.duration DESC) AS place 
FROM (SELECT typed_songs.song_id AS song_id, typed_songs.title AS title, typed_songs.artist_id AS artist_id, typed_songs.artist_name AS artist_name, CAST(nullif(typed_songs.year, :nullif_2) AS SMALLINT) AS year, typed_songs.duration AS duration, 0 + CASE WHEN (typed_songs.song_id IS NULL) THEN :param_29 ELSE :param_30 END + CASE WHEN (typed_songs.title IS NULL) THEN :param_31 ELSE :param_32 END + CASE WHEN (typed_songs.artist_id IS NULL) THEN :param_33 ELSE :param_34 END + CASE WHEN (typed_songs.artist_name IS NULL) THEN :param_35 ELSE :param_36 END + CASE WHEN (CASE WHEN (typed_songs.year = :year_2) THEN NULL ELSE typed_songs.year END IS NULL) THEN :param_37 ELSE :param_38 END + CASE WHEN (typed_songs.duration IS NULL) THEN :param_39 ELSE :param_40 END AS rank_0 
FROM (SELECT nullif(btrim(highest.song_id, :blanks), '') AS song_id, nullif(btrim(highest.artist_id, :blanks), '') AS artist_id, nullif(btrim(coalesce(repair_title.repaired, highest.title), :blanks), '') AS title, nullif(btrim(coalesce(repair_artist_name.repaired, highest.artist_name), :blanks), '') AS artist_name, CASE WHEN highest.duration ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(highest.duration AS DOUBLE PRECISION) END AS duration, CASE WHEN highest.year ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(highest.year, :split_part_5, :split_part_6) AS BIGINT) WHEN highest.year ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(highest.year AS DOUBLE PRECISION)) = CAST(highest.year AS DOUBLE PRECISION) AND abs(CAST(highest.year AS DOUBLE PRECISION)) < :abs_3) THEN CAST(CAST(highest.year AS DOUBLE PRECISION) AS BIGINT) END END AS year 
FROM (SELECT typed_songs.raw__num_songs AS num_songs, typed_songs.raw__artist_id AS artist_id, typed_songs.raw__artist_latitude AS artist_latitude, typed_songs.raw__artist_longitude AS artist_longitude, typed_songs.raw__artist_location AS artist_location, typed_songs.raw__artist_name AS artist_name, typed_songs.raw__song_id AS song_id, typed_songs.raw__title AS title, typed_songs.raw__duration AS duration, typed_songs.raw__year AS year, typed_songs.raw___row AS _row, typed_songs.raw___object AS _object, typed_songs.raw___line AS _line 
FROM (SELECT nullif(btrim(staging.songs.song_id, :blanks), '') AS song_id, nullif(btrim(staging.songs.artist_id, :blanks), '') AS artist_id, nullif(btrim(coalesce(repair_title.repaired, staging.songs.title), :blanks), '') AS title, nullif(btrim(coalesce(repair_artist_name.repaired, staging.songs.artist_name), :blanks), '') AS artist_name, CASE WHEN staging.songs.duration ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(staging.songs.duration AS DOUBLE PRECISION) END AS duration, CASE WHEN staging.songs.year ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.songs.year, :split_part_7, :split_part_8) AS BIGINT) WHEN staging.songs.year ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.songs.year AS DOUBLE PRECISION)) = CAST(staging.songs.year AS DOUBLE PRECISION) AND abs(CAST(staging.songs.year AS DOUBLE PRECISION)) < :abs_4) THEN CAST(CAST(staging.songs.year AS DOUBLE PRECISION) AS BIGINT) END END AS year, staging.songs.num_songs AS raw__num_songs, staging.songs.artist_id AS raw__artist_id, staging.songs.artist_latitude AS raw__artist_latitude, staging.songs.artist_longitude AS raw__artist_longitude, staging.songs.artist_location AS raw__artist_location, staging.songs.artist_name AS raw__artist_name, staging.songs.song_id AS raw__song_id, staging.songs.title AS raw__title, staging.songs.duration AS raw__duration, staging.songs.year AS raw__year, staging.songs._row AS raw___row, staging.songs._object AS raw___object, staging.songs._line AS raw___line 
FROM staging.songs LEFT OUTER JOIN text_repair AS repair_title ON repair_title.value = staging.songs.title LEFT OUTER JOIN text_repair AS repair_artist_name ON repair_artist_name.value = staging.songs.artist_name) AS typed_songs JOIN keys_songs ON keys_songs.song_id = typed_songs.song_id AND 0 + CASE WHEN (typed_songs.song_id IS NULL) THEN :param_41 ELSE :param_42 END + CASE WHEN (typed_songs.title IS NULL) THEN :param_43 ELSE :param_44 END + CASE WHEN (typed_songs.artist_id IS NULL) THEN :param_45 ELSE :param_46 END + CASE WHEN (typed_songs.artist_name IS NULL) THEN :param_47 ELSE :param_48 END + CASE WHEN (CASE WHEN (typed_songs.year = :year_3) THEN NULL ELSE typed_songs.year END IS NULL) THEN :param_49 ELSE :param_50 END + CASE WHEN (typed_songs.duration IS NULL) THEN :param_51 ELSE :param_52 END = keys_songs."top" 
WHERE keys_songs.n > :n_2) AS highest LEFT OUTER JOIN text_repair AS repair_title ON repair_title.value = highest.title LEFT OUTER JOIN text_repair AS repair_artist_name ON repair_artist_name.value = highest.artist_name) AS typed_songs) AS fed) AS ranked 
WHERE ranked.place = :place_1) AS winners;

-- if no key repeats in the load
INSERT INTO stage_songs (song_id, title, artist_id, artist_name, year, duration) SELECT typed_songs.song_id AS song_id, typed_songs.title AS title, typed_songs.artist_id AS artist_id, typed_songs.artist_name AS artist_name, CAST(nullif(typed_songs.year, :nullif_1) AS SMALLINT) AS year, typed_songs.duration AS duration 
FROM (SELECT nullif(btrim(staging.songs.song_id, :blanks), '') AS song_id, nullif(btrim(staging.songs.artist_id, :blanks), '') AS artist_id, nullif(btrim(coalesce(repair_title.repaired, staging.songs.title), :blanks), '') AS title, nullif(btrim(coalesce(repair_artist_name.repaired, staging.songs.artist_name), :blanks), '') AS artist_name, CASE WHEN staging.songs.duration ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(staging.songs.duration AS DOUBLE PRECISION) END AS duration, CASE WHEN staging.songs.year ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.songs.year, :split_part_1, :split_part_2) AS BIGINT) WHEN staging.songs.year ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.songs.year AS DOUBLE PRECISION)) = CAST(staging.songs.year AS DOUBLE PRECISION) AND abs(CAST(staging.songs.year AS DOUBLE PRECISION)) < :abs_1) THEN CAST(CAST(staging.songs.year AS DOUBLE PRECISION) AS BIGINT) END END AS year 
FROM staging.songs LEFT OUTER JOIN text_repair AS repair_title ON repair_title.value = staging.songs.title LEFT OUTER JOIN text_repair AS repair_artist_name ON repair_artist_name.value = staging.songs.artist_name) AS typed_songs;

CREATE TEMPORARY TABLE replaced_songs (
	song_id VARCHAR(64), 
	title VARCHAR(1024), 
	artist_id VARCHAR(64), 
	artist_name VARCHAR(1024), 
	year SMALLINT, 
	duration DOUBLE PRECISION
);

INSERT INTO replaced_songs (song_id, title, artist_id, artist_name, year, duration) SELECT sparkify.songs.song_id, sparkify.songs.title, sparkify.songs.artist_id, sparkify.songs.artist_name, sparkify.songs.year, sparkify.songs.duration 
FROM sparkify.songs JOIN stage_songs ON sparkify.songs.song_id = stage_songs.song_id;

DELETE FROM sparkify.songs USING stage_songs WHERE sparkify.songs.song_id = stage_songs.song_id;

INSERT INTO sparkify.songs (song_id, title, artist_id, artist_name, year, duration) SELECT stage_songs.song_id, stage_songs.title, stage_songs.artist_id, stage_songs.artist_name, stage_songs.year, stage_songs.duration 
FROM stage_songs;

CREATE TEMPORARY TABLE changed_songs (
	link VARCHAR(1024)
);

INSERT INTO changed_songs (link) SELECT "new".artist_name 
FROM (SELECT stage_songs.song_id AS song_id, stage_songs.title AS title, stage_songs.artist_id AS artist_id, stage_songs.artist_name AS artist_name, stage_songs.year AS year, stage_songs.duration AS duration 
FROM stage_songs EXCEPT SELECT replaced_songs.song_id AS song_id, replaced_songs.title AS title, replaced_songs.artist_id AS artist_id, replaced_songs.artist_name AS artist_name, replaced_songs.year AS year, replaced_songs.duration AS duration 
FROM replaced_songs) AS "new" UNION SELECT "old".artist_name 
FROM (SELECT replaced_songs.song_id AS song_id, replaced_songs.title AS title, replaced_songs.artist_id AS artist_id, replaced_songs.artist_name AS artist_name, replaced_songs.year AS year, replaced_songs.duration AS duration 
FROM replaced_songs EXCEPT SELECT stage_songs.song_id AS song_id, stage_songs.title AS title, stage_songs.artist_id AS artist_id, stage_songs.artist_name AS artist_name, stage_songs.year AS year, stage_songs.duration AS duration 
FROM stage_songs) AS "old";

CREATE TEMPORARY TABLE touched_artists (
	artist_id VARCHAR(64)
);

CREATE TEMPORARY TABLE stage_artists (
	artist_id VARCHAR(64), 
	name VARCHAR(1024), 
	location VARCHAR(1024), 
	latitude DOUBLE PRECISION, 
	longitude DOUBLE PRECISION
);

INSERT INTO touched_artists (artist_id) SELECT keys_artists.artist_id 
FROM keys_artists UNION SELECT replaced_songs.artist_id AS artist_id 
FROM replaced_songs;

INSERT INTO stage_artists (artist_id, name, location, latitude, longitude) SELECT touched_artists.artist_id AS artist_id, coalesce(credited.name, sparkify.artists.name, staged.name) AS name, coalesce(located.location, sparkify.artists.location) AS location, CASE WHEN (pointed.latitude IS NOT NULL) THEN pointed.latitude ELSE sparkify.artists.latitude END AS latitude, CASE WHEN (pointed.latitude IS NOT NULL) THEN pointed.longitude ELSE sparkify.artists.longitude END AS longitude 
FROM touched_artists LEFT OUTER JOIN (SELECT sparkify.songs.artist_id AS artist_id, sparkify.songs.artist_name AS name, row_number() OVER (PARTITION BY sparkify.songs.artist_id ORDER BY length(sparkify.songs.artist_name), sparkify.songs.artist_name) AS place 
FROM sparkify.songs 
WHERE sparkify.songs.artist_id IN (SELECT touched_artists.artist_id 
FROM touched_artists)) AS credited ON credited.artist_id = touched_artists.artist_id AND credited.place = :place_1 LEFT OUTER JOIN (SELECT typed_songs.artist_id AS artist_id, typed_songs.artist_name AS name, row_number() OVER (PARTITION BY typed_songs.artist_id ORDER BY length(typed_songs.artist_name), typed_songs.artist_name) AS place 
FROM (SELECT nullif(btrim(staging.songs.artist_id, :blanks), '') AS artist_id, nullif(btrim(coalesce(repair_artist_name.repaired, staging.songs.artist_name), :blanks), '') AS artist_name, CASE WHEN staging.songs.artist_latitude ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(staging.songs.artist_latitude AS DOUBLE PRECISION) END AS artist_latitude, CASE WHEN staging.songs.artist_longitude ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(staging.songs.artist_longitude AS DOUBLE PRECISION) END AS artist_longitude, nullif(btrim(staging.songs.artist_location, :blanks), '') AS artist_location 
FROM staging.songs LEFT OUTER JOIN text_repair AS repair_artist_name ON repair_artist_name.value = staging.songs.artist_name) AS typed_songs) AS staged ON touched_artists.artist_id = staged.artist_id AND staged.place = :place_2 LEFT OUTER JOIN (SELECT typed_songs.artist_id AS artist_id, max(typed_songs.artist_location) AS location 
FROM (SELECT nullif(btrim(staging.songs.artist_id, :blanks), '') AS artist_id, nullif(btrim(coalesce(repair_artist_name.repaired, staging.songs.artist_name), :blanks), '') AS artist_name, CASE WHEN staging.songs.artist_latitude ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(staging.songs.artist_latitude AS DOUBLE PRECISION) END AS artist_latitude, CASE WHEN staging.songs.artist_longitude ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(staging.songs.artist_longitude AS DOUBLE PRECISION) END AS artist_longitude, nullif(btrim(staging.songs.artist_location, :blanks), '') AS artist_location 
FROM staging.songs LEFT OUTER JOIN text_repair AS repair_artist_name ON repair_artist_name.value = staging.songs.artist_name) AS typed_songs GROUP BY typed_songs.artist_id) AS located ON touched_artists.artist_id = located.artist_id LEFT OUTER JOIN (SELECT typed_songs.artist_id AS artist_id, typed_songs.artist_latitude AS latitude, typed_songs.artist_longitude AS longitude, row_number() OVER (PARTITION BY typed_songs.artist_id ORDER BY CASE WHEN (typed_songs.artist_latitude IS NULL) THEN :param_2 ELSE :param_3 END, typed_songs.artist_latitude DESC, CASE WHEN (typed_songs.artist_longitude IS NULL) THEN :param_4 ELSE :param_5 END, typed_songs.artist_longitude DESC) AS place 
FROM (SELECT nullif(btrim(staging.songs.artist_id, :blanks), '') AS artist_id, nullif(btrim(coalesce(repair_artist_name.repaired, staging.songs.artist_name), :blanks), '') AS artist_name, CASE WHEN staging.songs.artist_latitude ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(staging.songs.artist_latitude AS DOUBLE PRECISION) END AS artist_latitude, CASE WHEN staging.songs.artist_longitude ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(staging.songs.artist_longitude AS DOUBLE PRECISION) END AS artist_longitude, nullif(btrim(staging.songs.artist_location, :blanks), '') AS artist_location 
FROM staging.songs LEFT OUTER JOIN text_repair AS repair_artist_name ON repair_artist_name.value = staging.songs.artist_name) AS typed_songs 
WHERE typed_songs.artist_latitude IS NOT NULL AND typed_songs.artist_longitude IS NOT NULL) AS pointed ON touched_artists.artist_id = pointed.artist_id AND pointed.place = :place_3 LEFT OUTER JOIN sparkify.artists ON sparkify.artists.artist_id = touched_artists.artist_id;

SELECT count(*) AS merged 
FROM stage_artists JOIN keys_artists ON stage_artists.artist_id = keys_artists.artist_id;

SELECT count(*) AS recomputed 
FROM stage_artists JOIN sparkify.artists ON stage_artists.artist_id = sparkify.artists.artist_id LEFT OUTER JOIN keys_artists ON stage_artists.artist_id = keys_artists.artist_id 
WHERE keys_artists.artist_id IS NULL AND (stage_artists.name != sparkify.artists.name OR stage_artists.name IS NULL AND sparkify.artists.name IS NOT NULL OR stage_artists.name IS NOT NULL AND sparkify.artists.name IS NULL OR stage_artists.location != sparkify.artists.location OR stage_artists.location IS NULL AND sparkify.artists.location IS NOT NULL OR stage_artists.location IS NOT NULL AND sparkify.artists.location IS NULL OR stage_artists.latitude != sparkify.artists.latitude OR stage_artists.latitude IS NULL AND sparkify.artists.latitude IS NOT NULL OR stage_artists.latitude IS NOT NULL AND sparkify.artists.latitude IS NULL OR stage_artists.longitude != sparkify.artists.longitude OR stage_artists.longitude IS NULL AND sparkify.artists.longitude IS NOT NULL OR stage_artists.longitude IS NOT NULL AND sparkify.artists.longitude IS NULL);

DELETE FROM sparkify.artists USING keys_artists WHERE sparkify.artists.artist_id = keys_artists.artist_id;

DELETE FROM sparkify.artists USING stage_artists WHERE sparkify.artists.artist_id = stage_artists.artist_id;

INSERT INTO sparkify.artists (artist_id, name, location, latitude, longitude) SELECT stage_artists.artist_id, stage_artists.name, stage_artists.location, stage_artists.latitude, stage_artists.longitude 
FROM stage_artists;

CREATE TEMPORARY TABLE stage_users (
	user_id BIGINT, 
	first_name VARCHAR(1024), 
	last_name VARCHAR(1024), 
	gender VARCHAR(1), 
	level VARCHAR(8), 
	registered_at TIMESTAMP WITHOUT TIME ZONE, 
	last_seen_at TIMESTAMP WITHOUT TIME ZONE
);

-- if keys repeat in the load
INSERT INTO stage_users (user_id, first_name, last_name, gender, level, registered_at, last_seen_at) SELECT winners.user_id, winners.first_name, winners.last_name, winners.gender, winners.level, winners.registered_at, winners.last_seen_at 
FROM (SELECT typed_events.user_id AS user_id, typed_events.first_name AS first_name, typed_events.last_name AS last_name, typed_events.gender AS gender, typed_events.level AS level, typed_events.registered_at AS registered_at, dateadd(ms, CAST(mod(typed_events.ts, 86400000) AS INTEGER), dateadd(day, CAST((typed_events.ts) / 86400000 AS INTEGER), TIMESTAMP '1970-01-01 00:00:00')) AS last_seen_at 
FROM (SELECT CASE WHEN highest.ts ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(highest.ts, :split_part_1, :split_part_2) AS BIGINT) WHEN highest.ts ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(highest.ts AS DOUBLE PRECISION)) = CAST(highest.ts AS DOUBLE PRECISION) AND abs(CAST(highest.ts AS DOUBLE PRECISION)) < :abs_1) THEN CAST(CAST(highest.ts AS DOUBLE PRECISION) AS BIGINT) END END AS ts, nullif(btrim(highest.auth, :blanks), '') AS auth, CASE WHEN highest.userid ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(highest.userid, :split_part_3, :split_part_4) AS BIGINT) WHEN highest.userid ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(highest.userid AS DOUBLE PRECISION)) = CAST(highest.userid AS DOUBLE PRECISION) AND abs(CAST(highest.userid AS DOUBLE PRECISION)) < :abs_2) THEN CAST(CAST(highest.userid AS DOUBLE PRECISION) AS BIGINT) END END AS user_id, nullif(btrim(highest.firstname, :blanks), '') AS first_name, nullif(btrim(highest.lastname, :blanks), '') AS last_name, nullif(btrim(highest.gender, :blanks), '') AS gender, nullif(btrim(highest.level, :blanks), '') AS level, CASE WHEN (CASE WHEN highest.registration ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(highest.registration AS DOUBLE PRECISION) END >= :param_3 AND CASE WHEN highest.registration ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(highest.registration AS DOUBLE PRECISION) END < :param_4) THEN dateadd(ms, CAST(mod(CAST(floor(CASE WHEN highest.registration ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(highest.registration AS DOUBLE PRECISION) END) AS BIGINT), 86400000) AS INTEGER), dateadd(day, CAST((CAST(floor(CASE WHEN highest.registration ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(highest.registration AS DOUBLE PRECISION) END) AS BIGINT)) / 86400000 AS INTEGER), TIMESTAMP '1970-01-01 00:00:00')) END AS registered_at 
FROM (SELECT typed_events.raw__artist AS artist, typed_events.raw__auth AS auth, typed_events.raw__firstname AS firstname, typed_events.raw__gender AS gender, typed_events.raw__iteminsession AS iteminsession, typed_events.raw__lastname AS lastname, typed_events.raw__length AS length, typed_events.raw__level AS level, typed_events.raw__location AS location, typed_events.raw__method AS method, typed_events.raw__page AS page, typed_events.raw__registration AS registration, typed_events.raw__sessionid AS sessionid, typed_events.raw__song AS song, typed_events.raw__status AS status, typed_events.raw__ts AS ts, typed_events.raw__useragent AS useragent, typed_events.raw__userid AS userid, typed_events.raw___row AS _row, typed_events.raw___object AS _object, typed_events.raw___line AS _line 
FROM (SELECT CASE WHEN staging.events.ts ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.ts, :split_part_5, :split_part_6) AS BIGINT) WHEN staging.events.ts ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.ts AS DOUBLE PRECISION)) = CAST(staging.events.ts AS DOUBLE PRECISION) AND abs(CAST(staging.events.ts AS DOUBLE PRECISION)) < :abs_3) THEN CAST(CAST(staging.events.ts AS DOUBLE PRECISION) AS BIGINT) END END AS ts, nullif(btrim(staging.events.auth, :blanks), '') AS auth, CASE WHEN staging.events.userid ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.userid, :split_part_7, :split_part_8) AS BIGINT) WHEN staging.events.userid ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.userid AS DOUBLE PRECISION)) = CAST(staging.events.userid AS DOUBLE PRECISION) AND abs(CAST(staging.events.userid AS DOUBLE PRECISION)) < :abs_4) THEN CAST(CAST(staging.events.userid AS DOUBLE PRECISION) AS BIGINT) END END AS user_id, staging.events.artist AS raw__artist, staging.events.auth AS raw__auth, staging.events.firstname AS raw__firstname, staging.events.gender AS raw__gender, staging.events.iteminsession AS raw__iteminsession, staging.events.lastname AS raw__lastname, staging.events.length AS raw__length, staging.events.level AS raw__level, staging.events.location AS raw__location, staging.events.method AS raw__method, staging.events.page AS raw__page, staging.events.registration AS raw__registration, staging.events.sessionid AS raw__sessionid, staging.events.song AS raw__song, staging.events.status AS raw__status, staging.events.ts AS raw__ts, staging.events.useragent AS raw__useragent, staging.events.userid AS raw__userid, staging.events._row AS raw___row, staging.events._object AS raw___object, staging.events._line AS raw___line 
FROM staging.events) AS typed_events JOIN keys_users ON keys_users.user_id = typed_events.user_id AND dateadd(ms, CAST(mod(typed_events.ts, 86400000) AS INTEGER), dateadd(day, CAST((typed_events.ts) / 86400000 AS INTEGER), TIMESTAMP '1970-01-01 00:00:00')) = keys_users."top" 
WHERE keys_users.n = :n_1 AND typed_events.auth = :auth_1) AS highest) AS typed_events 
WHERE typed_events.auth = :auth_2 UNION ALL SELECT ranked.user_id AS user_id, ranked.first_name AS first_name, ranked.last_name AS last_name, ranked.gender AS gender, ranked.level AS level, ranked.registered_at AS registered_at, ranked.last_seen_at AS last_seen_at 
FROM (SELECT fed.user_id AS user_id, fed.first_name AS first_name, fed.last_name AS last_name, fed.gender AS gender, fed.level AS level, fed.registered_at AS registered_at, fed.last_seen_at AS last_seen_at, row_number() OVER (PARTITION BY fed.user_id ORDER BY CASE WHEN (fed.rank_0 IS NULL) THEN :param_5 ELSE :param_6 END, fed.rank_0 DESC, CASE WHEN (fed.user_id IS NULL) THEN :param_7 ELSE :param_8 END, fed.user_id DESC, CASE WHEN (fed.first_name IS NULL) THEN :param_9 ELSE :param_10 END, fed.first_name DESC, CASE WHEN (fed.last_name IS NULL) THEN :param_11 ELSE :param_12 END, fed.last_name DESC, CASE WHEN (fed.gender IS NULL) THEN :param_13 ELSE :param_14 END, fed.gender DESC, CASE WHEN (fed.level IS NULL) THEN :param_15 ELSE :param_16 END, fed.level DESC, CASE WHEN (fed.registered_at IS NULL) THEN :param_17 ELSE :param_18 END, fed.registered_at DESC, CASE WHEN (fed.last_seen_at IS NULL) THEN :param_19 ELSE :param_20 END, fed.last_seen_at DESC) AS place 
FROM (SELECT typed_events.user_id AS user_id, typed_events.first_name AS first_name, typed_events.last_name AS last_name, typed_events.gender AS gender, typed_events.level AS level, typed_events.registered_at AS registered_at, dateadd(ms, CAST(mod(typed_events.ts, 86400000) AS INTEGER), dateadd(day, CAST((typed_events.ts) / 86400000 AS INTEGER), TIMESTAMP '1970-01-01 00:00:00')) AS last_seen_at, dateadd(ms, CAST(mod(typed_events.ts, 86400000) AS INTEGER), dateadd(day, CAST((typed_events.ts) / 86400000 AS INTEGER), TIMESTAMP '1970-01-01 00:00:00')) AS rank_0 
FROM (SELECT CASE WHEN highest.ts ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(highest.ts, :split_part_9, :split_part_10) AS BIGINT) WHEN highest.ts ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(highest.ts AS DOUBLE PRECISION)) = CAST(highest.ts AS DOUBLE PRECISION) AND abs(CAST(highest.ts AS DOUBLE PRECISION)) < :abs_5) THEN CAST(CAST(highest.ts AS DOUBLE PRECISION) AS BIGINT) END END AS ts, nullif(btrim(highest.auth, :blanks), '') AS auth, CASE WHEN highest.userid ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(highest.userid, :split_part_11, :split_part_12) AS BIGINT) WHEN highest.userid ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(highest.userid AS DOUBLE PRECISION)) = CAST(highest.userid AS DOUBLE PRECISION) AND abs(CAST(highest.userid AS DOUBLE PRECISION)) < :abs_6) THEN CAST(CAST(highest.userid AS DOUBLE PRECISION) AS BIGINT) END END AS user_id, nullif(btrim(highest.firstname, :blanks), '') AS first_name, nullif(btrim(highest.lastname, :blanks), '') AS last_name, nullif(btrim(highest.gender, :blanks), '') AS gender, nullif(btrim(highest.level, :blanks), '') AS level, CASE WHEN (CASE WHEN highest.registration ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(highest.registration AS DOUBLE PRECISION) END >= :param_21 AND CASE WHEN highest.registration ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(highest.registration AS DOUBLE PRECISION) END < :param_22) THEN dateadd(ms, CAST(mod(CAST(floor(CASE WHEN highest.registration ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(highest.registration AS DOUBLE PRECISION) END) AS BIGINT), 86400000) AS INTEGER), dateadd(day, CAST((CAST(floor(CASE WHEN highest.registration ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(highest.registration AS DOUBLE PRECISION) END) AS BIGINT)) / 86400000 AS INTEGER), TIMESTAMP '1970-01-01 00:00:00')) END AS registered_at 
FROM (SELECT typed_events.raw__artist AS artist, typed_events.raw__auth AS auth, typed_events.raw__firstname AS firstname, typed_events.raw__gender AS gender, typed_events.raw__iteminsession AS iteminsession, typed_events.raw__lastname AS lastname, typed_events.raw__length AS length, typed_events.raw__level AS level, typed_events.raw__location AS location, typed_events.raw__method AS method, typed_events.raw__page AS page, typed_events.raw__registration AS registration, typed_events.raw__sessionid AS sessionid, typed_events.raw__song AS song, typed_events.raw__status AS status, typed_events.raw__ts AS ts, typed_events.raw__useragent AS useragent, typed_events.raw__userid AS userid, typed_events.raw___row AS _row, typed_events.raw___object AS _object, typed_events.raw___line AS _line 
FROM (SELECT CASE WHEN staging.events.ts ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.ts, :split_part_13, :split_part_14) AS BIGINT) WHEN staging.events.ts ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.ts AS DOUBLE PRECISION)) = CAST(staging.events.ts AS DOUBLE PRECISION) AND abs(CAST(staging.events.ts AS DOUBLE PRECISION)) < :abs_7) THEN CAST(CAST(staging.events.ts AS DOUBLE PRECISION) AS BIGINT) END END AS ts, nullif(btrim(staging.events.auth, :blanks), '') AS auth, CASE WHEN staging.events.userid ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.userid, :split_part_15, :split_part_16) AS BIGINT) WHEN staging.events.userid ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.userid AS DOUBLE PRECISION)) = CAST(staging.events.userid AS DOUBLE PRECISION) AND abs(CAST(staging.events.userid AS DOUBLE PRECISION)) < :abs_8) THEN CAST(CAST(staging.events.userid AS DOUBLE PRECISION) AS BIGINT) END END AS user_id, staging.events.artist AS raw__artist, staging.events.auth AS raw__auth, staging.events.firstname AS raw__firstname, staging.events.gender AS raw__gender, staging.events.iteminsession AS raw__iteminsession, staging.events.lastname AS raw__lastname, staging.events.length AS raw__length, staging.events.level AS raw__level, staging.events.location AS raw__location, staging.events.method AS raw__method, staging.events.page AS raw__page, staging.events.registration AS raw__registration, staging.events.sessionid AS raw__sessionid, staging.events.song AS raw__song, staging.events.status AS raw__status, staging.events.ts AS raw__ts, staging.events.useragent AS raw__useragent, staging.events.userid AS raw__userid, staging.events._row AS raw___row, staging.events._object AS raw___object, staging.events._line AS raw___line 
FROM staging.events) AS typed_events JOIN keys_users ON keys_users.user_id = typed_events.user_id AND dateadd(ms, CAST(mod(typed_events.ts, 86400000) AS INTEGER), dateadd(day, CAST((typed_events.ts) / 86400000 AS INTEGER), TIMESTAMP '1970-01-01 00:00:00')) = keys_users."top" 
WHERE keys_users.n > :n_2 AND typed_events.auth = :auth_3) AS highest) AS typed_events 
WHERE typed_events.auth = :auth_4) AS fed) AS ranked 
WHERE ranked.place = :place_1) AS winners;

-- if no key repeats in the load
INSERT INTO stage_users (user_id, first_name, last_name, gender, level, registered_at, last_seen_at) SELECT typed_events.user_id AS user_id, typed_events.first_name AS first_name, typed_events.last_name AS last_name, typed_events.gender AS gender, typed_events.level AS level, typed_events.registered_at AS registered_at, dateadd(ms, CAST(mod(typed_events.ts, 86400000) AS INTEGER), dateadd(day, CAST((typed_events.ts) / 86400000 AS INTEGER), TIMESTAMP '1970-01-01 00:00:00')) AS last_seen_at 
FROM (SELECT CASE WHEN staging.events.ts ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.ts, :split_part_1, :split_part_2) AS BIGINT) WHEN staging.events.ts ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.ts AS DOUBLE PRECISION)) = CAST(staging.events.ts AS DOUBLE PRECISION) AND abs(CAST(staging.events.ts AS DOUBLE PRECISION)) < :abs_1) THEN CAST(CAST(staging.events.ts AS DOUBLE PRECISION) AS BIGINT) END END AS ts, nullif(btrim(staging.events.auth, :blanks), '') AS auth, CASE WHEN staging.events.userid ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.userid, :split_part_3, :split_part_4) AS BIGINT) WHEN staging.events.userid ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.userid AS DOUBLE PRECISION)) = CAST(staging.events.userid AS DOUBLE PRECISION) AND abs(CAST(staging.events.userid AS DOUBLE PRECISION)) < :abs_2) THEN CAST(CAST(staging.events.userid AS DOUBLE PRECISION) AS BIGINT) END END AS user_id, nullif(btrim(staging.events.firstname, :blanks), '') AS first_name, nullif(btrim(staging.events.lastname, :blanks), '') AS last_name, nullif(btrim(staging.events.gender, :blanks), '') AS gender, nullif(btrim(staging.events.level, :blanks), '') AS level, CASE WHEN (CASE WHEN staging.events.registration ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(staging.events.registration AS DOUBLE PRECISION) END >= :param_3 AND CASE WHEN staging.events.registration ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(staging.events.registration AS DOUBLE PRECISION) END < :param_4) THEN dateadd(ms, CAST(mod(CAST(floor(CASE WHEN staging.events.registration ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(staging.events.registration AS DOUBLE PRECISION) END) AS BIGINT), 86400000) AS INTEGER), dateadd(day, CAST((CAST(floor(CASE WHEN staging.events.registration ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(staging.events.registration AS DOUBLE PRECISION) END) AS BIGINT)) / 86400000 AS INTEGER), TIMESTAMP '1970-01-01 00:00:00')) END AS registered_at 
FROM staging.events) AS typed_events 
WHERE typed_events.auth = :auth_1;

DELETE FROM stage_users USING sparkify.users WHERE stage_users.user_id = sparkify.users.user_id AND (sparkify.users.last_seen_at IS NOT NULL AND (stage_users.last_seen_at IS NULL OR sparkify.users.last_seen_at > stage_users.last_seen_at) OR (sparkify.users.last_seen_at = stage_users.last_seen_at OR sparkify.users.last_seen_at IS NULL AND stage_users.last_seen_at IS NULL) AND (sparkify.users.first_name IS NOT NULL AND (stage_users.first_name IS NULL OR sparkify.users.first_name > stage_users.first_name) OR (sparkify.users.first_name = stage_users.first_name OR sparkify.users.first_name IS NULL AND stage_users.first_name IS NULL) AND (sparkify.users.last_name IS NOT NULL AND (stage_users.last_name IS NULL OR sparkify.users.last_name > stage_users.last_name) OR (sparkify.users.last_name = stage_users.last_name OR sparkify.users.last_name IS NULL AND stage_users.last_name IS NULL) AND (sparkify.users.gender IS NOT NULL AND (stage_users.gender IS NULL OR sparkify.users.gender > stage_users.gender) OR (sparkify.users.gender = stage_users.gender OR sparkify.users.gender IS NULL AND stage_users.gender IS NULL) AND (sparkify.users.level IS NOT NULL AND (stage_users.level IS NULL OR sparkify.users.level > stage_users.level) OR (sparkify.users.level = stage_users.level OR sparkify.users.level IS NULL AND stage_users.level IS NULL) AND (sparkify.users.registered_at IS NOT NULL AND (stage_users.registered_at IS NULL OR sparkify.users.registered_at > stage_users.registered_at) OR false))))));

DELETE FROM sparkify.users USING stage_users WHERE sparkify.users.user_id = stage_users.user_id;

INSERT INTO sparkify.users (user_id, first_name, last_name, gender, level, registered_at, last_seen_at) SELECT stage_users.user_id, stage_users.first_name, stage_users.last_name, stage_users.gender, stage_users.level, stage_users.registered_at, stage_users.last_seen_at 
FROM stage_users;

DELETE FROM sparkify.time USING keys_time WHERE sparkify.time.start_time = keys_time.start_time;

INSERT INTO sparkify.time (start_time, hour, day, week, month, year, weekday, day_name, is_weekend) SELECT keys_time.start_time AS start_time, CAST(EXTRACT(hour FROM keys_time.start_time) AS SMALLINT) AS hour, CAST(EXTRACT(day FROM keys_time.start_time) AS SMALLINT) AS day, CAST(EXTRACT(week FROM keys_time.start_time) AS SMALLINT) AS week, CAST(EXTRACT(month FROM keys_time.start_time) AS SMALLINT) AS month, CAST(EXTRACT(year FROM keys_time.start_time) AS SMALLINT) AS year, CAST(CASE WHEN (EXTRACT(dow FROM keys_time.start_time) = :param_1) THEN :param_2 ELSE EXTRACT(dow FROM keys_time.start_time) END AS SMALLINT) AS weekday, CASE WHEN (CAST(CASE WHEN (EXTRACT(dow FROM keys_time.start_time) = :param_3) THEN :param_4 ELSE EXTRACT(dow FROM keys_time.start_time) END AS SMALLINT) = :param_5) THEN :param_6 WHEN (CAST(CASE WHEN (EXTRACT(dow FROM keys_time.start_time) = :param_7) THEN :param_8 ELSE EXTRACT(dow FROM keys_time.start_time) END AS SMALLINT) = :param_9) THEN :param_10 WHEN (CAST(CASE WHEN (EXTRACT(dow FROM keys_time.start_time) = :param_11) THEN :param_12 ELSE EXTRACT(dow FROM keys_time.start_time) END AS SMALLINT) = :param_13) THEN :param_14 WHEN (CAST(CASE WHEN (EXTRACT(dow FROM keys_time.start_time) = :param_15) THEN :param_16 ELSE EXTRACT(dow FROM keys_time.start_time) END AS SMALLINT) = :param_17) THEN :param_18 WHEN (CAST(CASE WHEN (EXTRACT(dow FROM keys_time.start_time) = :param_19) THEN :param_20 ELSE EXTRACT(dow FROM keys_time.start_time) END AS SMALLINT) = :param_21) THEN :param_22 WHEN (CAST(CASE WHEN (EXTRACT(dow FROM keys_time.start_time) = :param_23) THEN :param_24 ELSE EXTRACT(dow FROM keys_time.start_time) END AS SMALLINT) = :param_25) THEN :param_26 WHEN (CAST(CASE WHEN (EXTRACT(dow FROM keys_time.start_time) = :param_27) THEN :param_28 ELSE EXTRACT(dow FROM keys_time.start_time) END AS SMALLINT) = :param_29) THEN :param_30 END AS day_name, CAST(CASE WHEN (EXTRACT(dow FROM keys_time.start_time) = :param_31) THEN :param_32 ELSE EXTRACT(dow FROM keys_time.start_time) END AS SMALLINT) >= :param_33 AS is_weekend 
FROM keys_time;

SELECT count(*) AS n 
FROM sparkify.songplays;

CREATE TEMPORARY TABLE links_songplays (
	link VARCHAR(1024)
);

INSERT INTO links_songplays (link) SELECT fed.artist_name AS link 
FROM (SELECT typed_events.session_id AS session_id, typed_events.item_in_session AS item_in_session, dateadd(ms, CAST(mod(typed_events.ts, 86400000) AS INTEGER), dateadd(day, CAST((typed_events.ts) / 86400000 AS INTEGER), TIMESTAMP '1970-01-01 00:00:00')) AS start_time, typed_events.user_id AS user_id, typed_events.level AS level, typed_events.song AS song_title, typed_events.artist AS artist_name, typed_events.length AS duration, typed_events.location AS location, typed_events.user_agent AS user_agent 
FROM (SELECT CASE WHEN staging.events.ts ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.ts, :split_part_1, :split_part_2) AS BIGINT) WHEN staging.events.ts ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.ts AS DOUBLE PRECISION)) = CAST(staging.events.ts AS DOUBLE PRECISION) AND abs(CAST(staging.events.ts AS DOUBLE PRECISION)) < :abs_1) THEN CAST(CAST(staging.events.ts AS DOUBLE PRECISION) AS BIGINT) END END AS ts, nullif(btrim(staging.events.page, :blanks), '') AS page, CASE WHEN staging.events.sessionid ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.sessionid, :split_part_3, :split_part_4) AS BIGINT) WHEN staging.events.sessionid ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.sessionid AS DOUBLE PRECISION)) = CAST(staging.events.sessionid AS DOUBLE PRECISION) AND abs(CAST(staging.events.sessionid AS DOUBLE PRECISION)) < :abs_2) THEN CAST(CAST(staging.events.sessionid AS DOUBLE PRECISION) AS BIGINT) END END AS session_id, CASE WHEN staging.events.iteminsession ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.iteminsession, :split_part_5, :split_part_6) AS BIGINT) WHEN staging.events.iteminsession ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.iteminsession AS DOUBLE PRECISION)) = CAST(staging.events.iteminsession AS DOUBLE PRECISION) AND abs(CAST(staging.events.iteminsession AS DOUBLE PRECISION)) < :abs_3) THEN CAST(CAST(staging.events.iteminsession AS DOUBLE PRECISION) AS BIGINT) END END AS item_in_session, CASE WHEN staging.events.userid ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.userid, :split_part_7, :split_part_8) AS BIGINT) WHEN staging.events.userid ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.userid AS DOUBLE PRECISION)) = CAST(staging.events.userid AS DOUBLE PRECISION) AND abs(CAST(staging.events.userid AS DOUBLE PRECISION)) < :abs_4) THEN CAST(CAST(staging.events.userid AS DOUBLE PRECISION) AS BIGINT) END END AS user_id, nullif(btrim(staging.events.level, :blanks), '') AS level, nullif(btrim(coalesce(repair_song.repaired, staging.events.song), :blanks), '') AS song, nullif(btrim(coalesce(repair_artist.repaired, staging.events.artist), :blanks), '') AS artist, CASE WHEN staging.events.length ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(staging.events.length AS DOUBLE PRECISION) END AS length, nullif(btrim(staging.events.location, :blanks), '') AS location, nullif(btrim(staging.events.useragent, :blanks), '') AS user_agent 
FROM staging.events LEFT OUTER JOIN text_repair AS repair_song ON repair_song.value = staging.events.song LEFT OUTER JOIN text_repair AS repair_artist ON repair_artist.value = staging.events.artist) AS typed_events 
WHERE typed_events.page = :page_1) AS fed UNION SELECT changed_songs.link 
FROM changed_songs;

CREATE TEMPORARY TABLE lookup_songplays_exact (
	title VARCHAR(1024), 
	artist_name VARCHAR(1024), 
	duration DOUBLE PRECISION, 
	song_id VARCHAR(64), 
	artist_id VARCHAR(64)
);

INSERT INTO lookup_songplays_exact (title, artist_name, duration, song_id, artist_id) SELECT best.title, best.artist_name, best.duration, best.song_id, best.artist_id 
FROM (SELECT sparkify.songs.title AS title, sparkify.songs.artist_name AS artist_name, sparkify.songs.duration AS duration, sparkify.songs.song_id AS song_id, sparkify.songs.artist_id AS artist_id, row_number() OVER (PARTITION BY sparkify.songs.title, sparkify.songs.artist_name, sparkify.songs.duration ORDER BY CASE WHEN (sparkify.songs.year IS NULL) THEN :param_1 ELSE :param_2 END, sparkify.songs.year DESC, CASE WHEN (sparkify.songs.song_id IS NULL) THEN :param_3 ELSE :param_4 END, sparkify.songs.song_id ASC) AS place 
FROM sparkify.songs 
WHERE sparkify.songs.artist_name IN (SELECT links_songplays.link 
FROM links_songplays)) AS best 
WHERE best.place = :place_1;

CREATE TEMPORARY TABLE lookup_songplays_titled (
	title VARCHAR(1024), 
	artist_name VARCHAR(1024), 
	song_id VARCHAR(64), 
	artist_id VARCHAR(64)
);

INSERT INTO lookup_songplays_titled (title, artist_name, song_id, artist_id) SELECT best.title, best.artist_name, best.song_id, best.artist_id 
FROM (SELECT sparkify.songs.title AS title, sparkify.songs.artist_name AS artist_name, sparkify.songs.song_id AS song_id, sparkify.songs.artist_id AS artist_id, row_number() OVER (PARTITION BY sparkify.songs.title, sparkify.songs.artist_name ORDER BY CASE WHEN (sparkify.songs.year IS NULL) THEN :param_1 ELSE :param_2 END, sparkify.songs.year DESC, CASE WHEN (sparkify.songs.song_id IS NULL) THEN :param_3 ELSE :param_4 END, sparkify.songs.song_id ASC) AS place 
FROM sparkify.songs 
WHERE sparkify.songs.artist_name IN (SELECT links_songplays.link 
FROM links_songplays)) AS best 
WHERE best.place = :place_1;

CREATE TEMPORARY TABLE lookup_songplays_credited (
	artist_name VARCHAR(1024), 
	artist_id VARCHAR(64)
);

INSERT INTO lookup_songplays_credited (artist_name, artist_id) SELECT best.artist_name, best.artist_id 
FROM (SELECT sparkify.songs.artist_name AS artist_name, sparkify.songs.artist_id AS artist_id, row_number() OVER (PARTITION BY sparkify.songs.artist_name ORDER BY CASE WHEN (sparkify.songs.artist_id IS NULL) THEN :param_1 ELSE :param_2 END, sparkify.songs.artist_id ASC) AS place 
FROM sparkify.songs 
WHERE sparkify.songs.artist_name IN (SELECT links_songplays.link 
FROM links_songplays)) AS best 
WHERE best.place = :place_1;

DELETE FROM sparkify.songplays USING keys_songplays WHERE sparkify.songplays.session_id = keys_songplays.session_id AND sparkify.songplays.item_in_session = keys_songplays.item_in_session;

-- if keys repeat in the load
INSERT INTO sparkify.songplays (session_id, item_in_session, start_time, user_id, level, song_id, artist_id, song_title, artist_name, duration, location, user_agent) SELECT staged.session_id AS session_id, staged.item_in_session AS item_in_session, staged.start_time AS start_time, staged.user_id AS user_id, staged.level AS level, coalesce(lookup_songplays_exact.song_id, lookup_songplays_titled.song_id) AS song_id, coalesce(lookup_songplays_exact.artist_id, lookup_songplays_titled.artist_id, lookup_songplays_credited.artist_id) AS artist_id, staged.song_title AS song_title, staged.artist_name AS artist_name, staged.duration AS duration, staged.location AS location, staged.user_agent AS user_agent 
FROM (SELECT winners.session_id AS session_id, winners.item_in_session AS item_in_session, winners.start_time AS start_time, winners.user_id AS user_id, winners.level AS level, winners.song_title AS song_title, winners.artist_name AS artist_name, winners.duration AS duration, winners.location AS location, winners.user_agent AS user_agent 
FROM (SELECT typed_events.session_id AS session_id, typed_events.item_in_session AS item_in_session, dateadd(ms, CAST(mod(typed_events.ts, 86400000) AS INTEGER), dateadd(day, CAST((typed_events.ts) / 86400000 AS INTEGER), TIMESTAMP '1970-01-01 00:00:00')) AS start_time, typed_events.user_id AS user_id, typed_events.level AS level, typed_events.song AS song_title, typed_events.artist AS artist_name, typed_events.length AS duration, typed_events.location AS location, typed_events.user_agent AS user_agent 
FROM (SELECT CASE WHEN highest.ts ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(highest.ts, :split_part_1, :split_part_2) AS BIGINT) WHEN highest.ts ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(highest.ts AS DOUBLE PRECISION)) = CAST(highest.ts AS DOUBLE PRECISION) AND abs(CAST(highest.ts AS DOUBLE PRECISION)) < :abs_1) THEN CAST(CAST(highest.ts AS DOUBLE PRECISION) AS BIGINT) END END AS ts, nullif(btrim(highest.page, :blanks), '') AS page, CASE WHEN highest.sessionid ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(highest.sessionid, :split_part_3, :split_part_4) AS BIGINT) WHEN highest.sessionid ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(highest.sessionid AS DOUBLE PRECISION)) = CAST(highest.sessionid AS DOUBLE PRECISION) AND abs(CAST(highest.sessionid AS DOUBLE PRECISION)) < :abs_2) THEN CAST(CAST(highest.sessionid AS DOUBLE PRECISION) AS BIGINT) END END AS session_id, CASE WHEN highest.iteminsession ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(highest.iteminsession, :split_part_5, :split_part_6) AS BIGINT) WHEN highest.iteminsession ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(highest.iteminsession AS DOUBLE PRECISION)) = CAST(highest.iteminsession AS DOUBLE PRECISION) AND abs(CAST(highest.iteminsession AS DOUBLE PRECISION)) < :abs_3) THEN CAST(CAST(highest.iteminsession AS DOUBLE PRECISION) AS BIGINT) END END AS item_in_session, CASE WHEN highest.userid ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(highest.userid, :split_part_7, :split_part_8) AS BIGINT) WHEN highest.userid ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(highest.userid AS DOUBLE PRECISION)) = CAST(highest.userid AS DOUBLE PRECISION) AND abs(CAST(highest.userid AS DOUBLE PRECISION)) < :abs_4) THEN CAST(CAST(highest.userid AS DOUBLE PRECISION) AS BIGINT) END END AS user_id, nullif(btrim(highest.level, :blanks), '') AS level, nullif(btrim(coalesce(repair_song.repaired, highest.song), :blanks), '') AS song, nullif(btrim(coalesce(repair_artist.repaired, highest.artist), :blanks), '') AS artist, CASE WHEN highest.length ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(highest.length AS DOUBLE PRECISION) END AS length, nullif(btrim(highest.location, :blanks), '') AS location, nullif(btrim(highest.useragent, :blanks), '') AS user_agent 
FROM (SELECT typed_events.raw__artist AS artist, typed_events.raw__auth AS auth, typed_events.raw__firstname AS firstname, typed_events.raw__gender AS gender, typed_events.raw__iteminsession AS iteminsession, typed_events.raw__lastname AS lastname, typed_events.raw__length AS length, typed_events.raw__level AS level, typed_events.raw__location AS location, typed_events.raw__method AS method, typed_events.raw__page AS page, typed_events.raw__registration AS registration, typed_events.raw__sessionid AS sessionid, typed_events.raw__song AS song, typed_events.raw__status AS status, typed_events.raw__ts AS ts, typed_events.raw__useragent AS useragent, typed_events.raw__userid AS userid, typed_events.raw___row AS _row, typed_events.raw___object AS _object, typed_events.raw___line AS _line 
FROM (SELECT CASE WHEN staging.events.ts ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.ts, :split_part_9, :split_part_10) AS BIGINT) WHEN staging.events.ts ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.ts AS DOUBLE PRECISION)) = CAST(staging.events.ts AS DOUBLE PRECISION) AND abs(CAST(staging.events.ts AS DOUBLE PRECISION)) < :abs_5) THEN CAST(CAST(staging.events.ts AS DOUBLE PRECISION) AS BIGINT) END END AS ts, nullif(btrim(staging.events.page, :blanks), '') AS page, CASE WHEN staging.events.sessionid ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.sessionid, :split_part_11, :split_part_12) AS BIGINT) WHEN staging.events.sessionid ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.sessionid AS DOUBLE PRECISION)) = CAST(staging.events.sessionid AS DOUBLE PRECISION) AND abs(CAST(staging.events.sessionid AS DOUBLE PRECISION)) < :abs_6) THEN CAST(CAST(staging.events.sessionid AS DOUBLE PRECISION) AS BIGINT) END END AS session_id, CASE WHEN staging.events.iteminsession ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.iteminsession, :split_part_13, :split_part_14) AS BIGINT) WHEN staging.events.iteminsession ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.iteminsession AS DOUBLE PRECISION)) = CAST(staging.events.iteminsession AS DOUBLE PRECISION) AND abs(CAST(staging.events.iteminsession AS DOUBLE PRECISION)) < :abs_7) THEN CAST(CAST(staging.events.iteminsession AS DOUBLE PRECISION) AS BIGINT) END END AS item_in_session, staging.events.artist AS raw__artist, staging.events.auth AS raw__auth, staging.events.firstname AS raw__firstname, staging.events.gender AS raw__gender, staging.events.iteminsession AS raw__iteminsession, staging.events.lastname AS raw__lastname, staging.events.length AS raw__length, staging.events.level AS raw__level, staging.events.location AS raw__location, staging.events.method AS raw__method, staging.events.page AS raw__page, staging.events.registration AS raw__registration, staging.events.sessionid AS raw__sessionid, staging.events.song AS raw__song, staging.events.status AS raw__status, staging.events.ts AS raw__ts, staging.events.useragent AS raw__useragent, staging.events.userid AS raw__userid, staging.events._row AS raw___row, staging.events._object AS raw___object, staging.events._line AS raw___line 
FROM staging.events) AS typed_events JOIN keys_songplays ON keys_songplays.session_id = typed_events.session_id AND keys_songplays.item_in_session = typed_events.item_in_session AND dateadd(ms, CAST(mod(typed_events.ts, 86400000) AS INTEGER), dateadd(day, CAST((typed_events.ts) / 86400000 AS INTEGER), TIMESTAMP '1970-01-01 00:00:00')) = keys_songplays."top" 
WHERE keys_songplays.n = :n_1 AND typed_events.page = :page_1) AS highest LEFT OUTER JOIN text_repair AS repair_song ON repair_song.value = highest.song LEFT OUTER JOIN text_repair AS repair_artist ON repair_artist.value = highest.artist) AS typed_events 
WHERE typed_events.page = :page_2 UNION ALL SELECT ranked.session_id AS session_id, ranked.item_in_session AS item_in_session, ranked.start_time AS start_time, ranked.user_id AS user_id, ranked.level AS level, ranked.song_title AS song_title, ranked.artist_name AS artist_name, ranked.duration AS duration, ranked.location AS location, ranked.user_agent AS user_agent 
FROM (SELECT fed.session_id AS session_id, fed.item_in_session AS item_in_session, fed.start_time AS start_time, fed.user_id AS user_id, fed.level AS level, fed.song_title AS song_title, fed.artist_name AS artist_name, fed.duration AS duration, fed.location AS location, fed.user_agent AS user_agent, row_number() OVER (PARTITION BY fed.session_id, fed.item_in_session ORDER BY CASE WHEN (fed.rank_0 IS NULL) THEN :param_3 ELSE :param_4 END, fed.rank_0 DESC, CASE WHEN (fed.session_id IS NULL) THEN :param_5 ELSE :param_6 END, fed.session_id DESC, CASE WHEN (fed.item_in_session IS NULL) THEN :param_7 ELSE :param_8 END, fed.item_in_session DESC, CASE WHEN (fed.start_time IS NULL) THEN :param_9 ELSE :param_10 END, fed.start_time DESC, CASE WHEN (fed.user_id IS NULL) THEN :param_11 ELSE :param_12 END, fed.user_id DESC, CASE WHEN (fed.level IS NULL) THEN :param_13 ELSE :param_14 END, fed.level DESC, CASE WHEN (fed.song_title IS NULL) THEN :param_15 ELSE :param_16 END, fed.song_title DESC, CASE WHEN (fed.artist_name IS NULL) THEN :param_17 ELSE :param_18 END, fed.artist_name DESC, CASE WHEN (fed.duration IS NULL) THEN :param_19 ELSE :param_20 END, fed.duration DESC, CASE WHEN (fed.location IS NULL) THEN :param_21 ELSE :param_22 END, fed.location DESC, CASE WHEN (fed.user_agent IS NULL) THEN :param_23 ELSE :param_24 END, fed.user_agent DESC) AS place 
FROM (SELECT typed_events.session_id AS session_id, typed_events.item_in_session AS item_in_session, dateadd(ms, CAST(mod(typed_events.ts, 86400000) AS INTEGER), dateadd(day, CAST((typed_events.ts) / 86400000 AS INTEGER), TIMESTAMP '1970-01-01 00:00:00')) AS start_time, typed_events.user_id AS user_id, typed_events.level AS level, typed_events.song AS song_title, typed_events.artist AS artist_name, typed_events.length AS duration, typed_events.location AS location, typed_events.user_agent AS user_agent, dateadd(ms, CAST(mod(typed_events.ts, 86400000) AS INTEGER), dateadd(day, CAST((typed_events.ts) / 86400000 AS INTEGER), TIMESTAMP '1970-01-01 00:00:00')) AS rank_0 
FROM (SELECT CASE WHEN highest.ts ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(highest.ts, :split_part_15, :split_part_16) AS BIGINT) WHEN highest.ts ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(highest.ts AS DOUBLE PRECISION)) = CAST(highest.ts AS DOUBLE PRECISION) AND abs(CAST(highest.ts AS DOUBLE PRECISION)) < :abs_8) THEN CAST(CAST(highest.ts AS DOUBLE PRECISION) AS BIGINT) END END AS ts, nullif(btrim(highest.page, :blanks), '') AS page, CASE WHEN highest.sessionid ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(highest.sessionid, :split_part_17, :split_part_18) AS BIGINT) WHEN highest.sessionid ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(highest.sessionid AS DOUBLE PRECISION)) = CAST(highest.sessionid AS DOUBLE PRECISION) AND abs(CAST(highest.sessionid AS DOUBLE PRECISION)) < :abs_9) THEN CAST(CAST(highest.sessionid AS DOUBLE PRECISION) AS BIGINT) END END AS session_id, CASE WHEN highest.iteminsession ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(highest.iteminsession, :split_part_19, :split_part_20) AS BIGINT) WHEN highest.iteminsession ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(highest.iteminsession AS DOUBLE PRECISION)) = CAST(highest.iteminsession AS DOUBLE PRECISION) AND abs(CAST(highest.iteminsession AS DOUBLE PRECISION)) < :abs_10) THEN CAST(CAST(highest.iteminsession AS DOUBLE PRECISION) AS BIGINT) END END AS item_in_session, CASE WHEN highest.userid ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(highest.userid, :split_part_21, :split_part_22) AS BIGINT) WHEN highest.userid ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(highest.userid AS DOUBLE PRECISION)) = CAST(highest.userid AS DOUBLE PRECISION) AND abs(CAST(highest.userid AS DOUBLE PRECISION)) < :abs_11) THEN CAST(CAST(highest.userid AS DOUBLE PRECISION) AS BIGINT) END END AS user_id, nullif(btrim(highest.level, :blanks), '') AS level, nullif(btrim(coalesce(repair_song.repaired, highest.song), :blanks), '') AS song, nullif(btrim(coalesce(repair_artist.repaired, highest.artist), :blanks), '') AS artist, CASE WHEN highest.length ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(highest.length AS DOUBLE PRECISION) END AS length, nullif(btrim(highest.location, :blanks), '') AS location, nullif(btrim(highest.useragent, :blanks), '') AS user_agent 
FROM (SELECT typed_events.raw__artist AS artist, typed_events.raw__auth AS auth, typed_events.raw__firstname AS firstname, typed_events.raw__gender AS gender, typed_events.raw__iteminsession AS iteminsession, typed_events.raw__lastname AS lastname, typed_events.raw__length AS length, typed_events.raw__level AS level, typed_events.raw__location AS location, typed_events.raw__method AS method, typed_events.raw__page AS page, typed_events.raw__registration AS registration, typed_events.raw__sessionid AS sessionid, typed_events.raw__song AS song, typed_events.raw__status AS status, typed_events.raw__ts AS ts, typed_events.raw__useragent AS useragent, typed_events.raw__userid AS userid, typed_events.raw___row AS _row, typed_events.raw___object AS _object, typed_events.raw___line AS _line 
FROM (SELECT CASE WHEN staging.events.ts ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.ts, :split_part_23, :split_part_24) AS BIGINT) WHEN staging.events.ts ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.ts AS DOUBLE PRECISION)) = CAST(staging.events.ts AS DOUBLE PRECISION) AND abs(CAST(staging.events.ts AS DOUBLE PRECISION)) < :abs_12) THEN CAST(CAST(staging.events.ts AS DOUBLE PRECISION) AS BIGINT) END END AS ts, nullif(btrim(staging.events.page, :blanks), '') AS page, CASE WHEN staging.events.sessionid ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.sessionid, :split_part_25, :split_part_26) AS BIGINT) WHEN staging.events.sessionid ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.sessionid AS DOUBLE PRECISION)) = CAST(staging.events.sessionid AS DOUBLE PRECISION) AND abs(CAST(staging.events.sessionid AS DOUBLE PRECISION)) < :abs_13) THEN CAST(CAST(staging.events.sessionid AS DOUBLE PRECISION) AS BIGINT) END END AS session_id, CASE WHEN staging.events.iteminsession ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.iteminsession, :split_part_27, :split_part_28) AS BIGINT) WHEN staging.events.iteminsession ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.iteminsession AS DOUBLE PRECISION)) = CAST(staging.events.iteminsession AS DOUBLE PRECISION) AND abs(CAST(staging.events.iteminsession AS DOUBLE PRECISION)) < :abs_14) THEN CAST(CAST(staging.events.iteminsession AS DOUBLE PRECISION) AS BIGINT) END END AS item_in_session, staging.events.artist AS raw__artist, staging.events.auth AS raw__auth, staging.events.firstname AS raw__firstname, staging.events.gender AS raw__gender, staging.events.iteminsession AS raw__iteminsession, staging.events.lastname AS raw__lastname, staging.events.length AS raw__length, staging.events.level AS raw__level, staging.events.location AS raw__location, staging.events.method AS raw__method, staging.events.page AS raw__page, staging.events.registration AS raw__registration, staging.events.sessionid AS raw__sessionid, staging.events.song AS raw__song, staging.events.status AS raw__status, staging.events.ts AS raw__ts, staging.events.useragent AS raw__useragent, staging.events.userid AS raw__userid, staging.events._row AS raw___row, staging.events._object AS raw___object, staging.events._line AS raw___line 
FROM staging.events) AS typed_events JOIN keys_songplays ON keys_songplays.session_id = typed_events.session_id AND keys_songplays.item_in_session = typed_events.item_in_session AND dateadd(ms, CAST(mod(typed_events.ts, 86400000) AS INTEGER), dateadd(day, CAST((typed_events.ts) / 86400000 AS INTEGER), TIMESTAMP '1970-01-01 00:00:00')) = keys_songplays."top" 
WHERE keys_songplays.n > :n_2 AND typed_events.page = :page_3) AS highest LEFT OUTER JOIN text_repair AS repair_song ON repair_song.value = highest.song LEFT OUTER JOIN text_repair AS repair_artist ON repair_artist.value = highest.artist) AS typed_events 
WHERE typed_events.page = :page_4) AS fed) AS ranked 
WHERE ranked.place = :place_1) AS winners) AS staged LEFT OUTER JOIN lookup_songplays_exact ON lookup_songplays_exact.title = staged.song_title AND lookup_songplays_exact.artist_name = staged.artist_name AND lookup_songplays_exact.duration = staged.duration LEFT OUTER JOIN lookup_songplays_titled ON lookup_songplays_titled.title = staged.song_title AND lookup_songplays_titled.artist_name = staged.artist_name LEFT OUTER JOIN lookup_songplays_credited ON lookup_songplays_credited.artist_name = staged.artist_name;

-- if no key repeats in the load
INSERT INTO sparkify.songplays (session_id, item_in_session, start_time, user_id, level, song_id, artist_id, song_title, artist_name, duration, location, user_agent) SELECT staged.session_id AS session_id, staged.item_in_session AS item_in_session, staged.start_time AS start_time, staged.user_id AS user_id, staged.level AS level, coalesce(lookup_songplays_exact.song_id, lookup_songplays_titled.song_id) AS song_id, coalesce(lookup_songplays_exact.artist_id, lookup_songplays_titled.artist_id, lookup_songplays_credited.artist_id) AS artist_id, staged.song_title AS song_title, staged.artist_name AS artist_name, staged.duration AS duration, staged.location AS location, staged.user_agent AS user_agent 
FROM (SELECT typed_events.session_id AS session_id, typed_events.item_in_session AS item_in_session, dateadd(ms, CAST(mod(typed_events.ts, 86400000) AS INTEGER), dateadd(day, CAST((typed_events.ts) / 86400000 AS INTEGER), TIMESTAMP '1970-01-01 00:00:00')) AS start_time, typed_events.user_id AS user_id, typed_events.level AS level, typed_events.song AS song_title, typed_events.artist AS artist_name, typed_events.length AS duration, typed_events.location AS location, typed_events.user_agent AS user_agent 
FROM (SELECT CASE WHEN staging.events.ts ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.ts, :split_part_1, :split_part_2) AS BIGINT) WHEN staging.events.ts ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.ts AS DOUBLE PRECISION)) = CAST(staging.events.ts AS DOUBLE PRECISION) AND abs(CAST(staging.events.ts AS DOUBLE PRECISION)) < :abs_1) THEN CAST(CAST(staging.events.ts AS DOUBLE PRECISION) AS BIGINT) END END AS ts, nullif(btrim(staging.events.page, :blanks), '') AS page, CASE WHEN staging.events.sessionid ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.sessionid, :split_part_3, :split_part_4) AS BIGINT) WHEN staging.events.sessionid ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.sessionid AS DOUBLE PRECISION)) = CAST(staging.events.sessionid AS DOUBLE PRECISION) AND abs(CAST(staging.events.sessionid AS DOUBLE PRECISION)) < :abs_2) THEN CAST(CAST(staging.events.sessionid AS DOUBLE PRECISION) AS BIGINT) END END AS session_id, CASE WHEN staging.events.iteminsession ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.iteminsession, :split_part_5, :split_part_6) AS BIGINT) WHEN staging.events.iteminsession ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.iteminsession AS DOUBLE PRECISION)) = CAST(staging.events.iteminsession AS DOUBLE PRECISION) AND abs(CAST(staging.events.iteminsession AS DOUBLE PRECISION)) < :abs_3) THEN CAST(CAST(staging.events.iteminsession AS DOUBLE PRECISION) AS BIGINT) END END AS item_in_session, CASE WHEN staging.events.userid ~ '^-?[0-9]{1,18}([.]0+)?$' THEN CAST(split_part(staging.events.userid, :split_part_7, :split_part_8) AS BIGINT) WHEN staging.events.userid ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CASE WHEN (floor(CAST(staging.events.userid AS DOUBLE PRECISION)) = CAST(staging.events.userid AS DOUBLE PRECISION) AND abs(CAST(staging.events.userid AS DOUBLE PRECISION)) < :abs_4) THEN CAST(CAST(staging.events.userid AS DOUBLE PRECISION) AS BIGINT) END END AS user_id, nullif(btrim(staging.events.level, :blanks), '') AS level, nullif(btrim(coalesce(repair_song.repaired, staging.events.song), :blanks), '') AS song, nullif(btrim(coalesce(repair_artist.repaired, staging.events.artist), :blanks), '') AS artist, CASE WHEN staging.events.length ~ '^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$' THEN CAST(staging.events.length AS DOUBLE PRECISION) END AS length, nullif(btrim(staging.events.location, :blanks), '') AS location, nullif(btrim(staging.events.useragent, :blanks), '') AS user_agent 
FROM staging.events LEFT OUTER JOIN text_repair AS repair_song ON repair_song.value = staging.events.song LEFT OUTER JOIN text_repair AS repair_artist ON repair_artist.value = staging.events.artist) AS typed_events 
WHERE typed_events.page = :page_1) AS staged LEFT OUTER JOIN lookup_songplays_exact ON lookup_songplays_exact.title = staged.song_title AND lookup_songplays_exact.artist_name = staged.artist_name AND lookup_songplays_exact.duration = staged.duration LEFT OUTER JOIN lookup_songplays_titled ON lookup_songplays_titled.title = staged.song_title AND lookup_songplays_titled.artist_name = staged.artist_name LEFT OUTER JOIN lookup_songplays_credited ON lookup_songplays_credited.artist_name = staged.artist_name;

-- if facts were stored before
CREATE TEMPORARY TABLE again_songplays (
	session_id BIGINT, 
	item_in_session BIGINT, 
	song_id VARCHAR(64), 
	artist_id VARCHAR(64)
);

-- if facts were stored before
INSERT INTO again_songplays (session_id, item_in_session, song_id, artist_id) SELECT "new".session_id, "new".item_in_session, "new".song_id, "new".artist_id 
FROM (SELECT touched.session_id AS session_id, touched.item_in_session AS item_in_session, coalesce(lookup_songplays_exact.song_id, lookup_songplays_titled.song_id) AS song_id, coalesce(lookup_songplays_exact.artist_id, lookup_songplays_titled.artist_id, lookup_songplays_credited.artist_id) AS artist_id 
FROM (SELECT sparkify.songplays.session_id AS session_id, sparkify.songplays.item_in_session AS item_in_session, sparkify.songplays.start_time AS start_time, sparkify.songplays.user_id AS user_id, sparkify.songplays.level AS level, sparkify.songplays.song_id AS song_id, sparkify.songplays.artist_id AS artist_id, sparkify.songplays.song_title AS song_title, sparkify.songplays.artist_name AS artist_name, sparkify.songplays.duration AS duration, sparkify.songplays.location AS location, sparkify.songplays.user_agent AS user_agent 
FROM sparkify.songplays JOIN changed_songs ON sparkify.songplays.artist_name = changed_songs.link) AS touched LEFT OUTER JOIN lookup_songplays_exact ON touched.song_title = lookup_songplays_exact.title AND touched.artist_name = lookup_songplays_exact.artist_name AND touched.duration = lookup_songplays_exact.duration LEFT OUTER JOIN lookup_songplays_titled ON touched.song_title = lookup_songplays_titled.title AND touched.artist_name = lookup_songplays_titled.artist_name LEFT OUTER JOIN lookup_songplays_credited ON touched.artist_name = lookup_songplays_credited.artist_name) AS "new" JOIN sparkify.songplays ON sparkify.songplays.session_id = "new".session_id AND sparkify.songplays.item_in_session = "new".item_in_session 
WHERE sparkify.songplays.song_id != "new".song_id OR sparkify.songplays.song_id IS NULL AND "new".song_id IS NOT NULL OR sparkify.songplays.song_id IS NOT NULL AND "new".song_id IS NULL OR sparkify.songplays.artist_id != "new".artist_id OR sparkify.songplays.artist_id IS NULL AND "new".artist_id IS NOT NULL OR sparkify.songplays.artist_id IS NOT NULL AND "new".artist_id IS NULL;

-- if facts were stored before
UPDATE sparkify.songplays SET song_id=again_songplays.song_id, artist_id=again_songplays.artist_id FROM again_songplays WHERE sparkify.songplays.session_id = again_songplays.session_id AND sparkify.songplays.item_in_session = again_songplays.item_in_session;

SELECT count(*) - (SELECT count(*) AS count_1 
FROM keys_songs AS given) AS surplus, sum(CASE WHEN (sparkify.songs.artist_id IS NOT NULL AND artist_id_of.artist_id IS NULL) THEN :param_1 ELSE :param_2 END) AS artist_id_resolves, sum(CASE WHEN (sparkify.songs.song_id IS NULL OR sparkify.songs.duration > :duration_1) THEN :param_3 ELSE :param_4 END) AS duration_positive, sum(CASE WHEN (sparkify.songs.song_id IS NULL OR sparkify.songs.year IS NULL OR sparkify.songs.year BETWEEN :year_1 AND :year_2) THEN :param_5 ELSE :param_6 END) AS year_in_range 
FROM keys_songs LEFT OUTER JOIN sparkify.songs ON sparkify.songs.song_id = keys_songs.song_id LEFT OUTER JOIN sparkify.artists AS artist_id_of ON artist_id_of.artist_id = sparkify.songs.artist_id;

-- if a key has more than one row
SELECT count(*) AS key_unique 
FROM (SELECT sparkify.songs.song_id AS song_id 
FROM sparkify.songs JOIN keys_songs ON sparkify.songs.song_id = keys_songs.song_id GROUP BY sparkify.songs.song_id 
HAVING count(*) > :count_1) AS repeated;

SELECT count(*) - (SELECT count(*) AS count_1 
FROM keys_artists AS given) AS surplus, sum(CASE WHEN (sparkify.artists.artist_id IS NULL OR sparkify.artists.latitude IS NULL OR sparkify.artists.latitude BETWEEN :latitude_1 AND :latitude_2) THEN :param_1 ELSE :param_2 END) AS latitude_in_range, sum(CASE WHEN (sparkify.artists.artist_id IS NULL OR sparkify.artists.longitude IS NULL OR sparkify.artists.longitude BETWEEN :longitude_1 AND :longitude_2) THEN :param_3 ELSE :param_4 END) AS longitude_in_range 
FROM keys_artists LEFT OUTER JOIN sparkify.artists ON sparkify.artists.artist_id = keys_artists.artist_id;

-- if a key has more than one row
SELECT count(*) AS key_unique 
FROM (SELECT sparkify.artists.artist_id AS artist_id 
FROM sparkify.artists JOIN keys_artists ON sparkify.artists.artist_id = keys_artists.artist_id GROUP BY sparkify.artists.artist_id 
HAVING count(*) > :count_1) AS repeated;

SELECT count(*) - (SELECT count(*) AS count_1 
FROM keys_users AS given) AS surplus, sum(CASE WHEN (sparkify.users.user_id IS NULL OR sparkify.users.level IN (:level_1_1, :level_1_2)) THEN :param_1 ELSE :param_2 END) AS level_known 
FROM keys_users LEFT OUTER JOIN sparkify.users ON sparkify.users.user_id = keys_users.user_id;

-- if a key has more than one row
SELECT count(*) AS key_unique 
FROM (SELECT sparkify.users.user_id AS user_id 
FROM sparkify.users JOIN keys_users ON sparkify.users.user_id = keys_users.user_id GROUP BY sparkify.users.user_id 
HAVING count(*) > :count_1) AS repeated;

SELECT count(*) - (SELECT count(*) AS count_1 
FROM keys_time AS given) AS surplus 
FROM keys_time LEFT OUTER JOIN sparkify.time ON sparkify.time.start_time = keys_time.start_time;

-- if a key has more than one row
SELECT count(*) AS key_unique 
FROM (SELECT sparkify.time.start_time AS start_time 
FROM sparkify.time JOIN keys_time ON sparkify.time.start_time = keys_time.start_time GROUP BY sparkify.time.start_time 
HAVING count(*) > :count_1) AS repeated;

SELECT count(*) - (SELECT count(*) AS count_1 
FROM keys_songplays AS given) AS surplus, sum(CASE WHEN (sparkify.songplays.artist_id IS NOT NULL AND artist_id_of.artist_id IS NULL) THEN :param_1 ELSE :param_2 END) AS artist_id_resolves, sum(CASE WHEN (sparkify.songplays.song_id IS NOT NULL AND song_id_of.song_id IS NULL) THEN :param_3 ELSE :param_4 END) AS song_id_resolves, sum(CASE WHEN (sparkify.songplays.start_time IS NOT NULL AND start_time_of.start_time IS NULL) THEN :param_5 ELSE :param_6 END) AS start_time_resolves, sum(CASE WHEN (sparkify.songplays.user_id IS NOT NULL AND user_id_of.user_id IS NULL) THEN :param_7 ELSE :param_8 END) AS user_id_resolves, sum(CASE WHEN (sparkify.songplays.session_id IS NULL OR sparkify.songplays.duration > :duration_1) THEN :param_9 ELSE :param_10 END) AS duration_positive, sum(CASE WHEN (sparkify.songplays.session_id IS NULL OR sparkify.songplays.level IN (:level_1_1, :level_1_2)) THEN :param_11 ELSE :param_12 END) AS level_known 
FROM keys_songplays LEFT OUTER JOIN sparkify.songplays ON sparkify.songplays.session_id = keys_songplays.session_id AND sparkify.songplays.item_in_session = keys_songplays.item_in_session LEFT OUTER JOIN sparkify.artists AS artist_id_of ON artist_id_of.artist_id = sparkify.songplays.artist_id LEFT OUTER JOIN sparkify.songs AS song_id_of ON song_id_of.song_id = sparkify.songplays.song_id LEFT OUTER JOIN sparkify.time AS start_time_of ON start_time_of.start_time = sparkify.songplays.start_time LEFT OUTER JOIN sparkify.users AS user_id_of ON user_id_of.user_id = sparkify.songplays.user_id;

-- if a key has more than one row
SELECT count(*) AS key_unique 
FROM (SELECT sparkify.songplays.session_id AS session_id, sparkify.songplays.item_in_session AS item_in_session 
FROM sparkify.songplays JOIN keys_songplays ON sparkify.songplays.session_id = keys_songplays.session_id AND sparkify.songplays.item_in_session = keys_songplays.item_in_session GROUP BY sparkify.songplays.session_id, sparkify.songplays.item_in_session 
HAVING count(*) > :count_1) AS repeated;

-- if rows were refused
COPY audit.rejected_row (run_id, position, source, rule, reason, key, line, "raw", raw_bytes, at) FROM 's3://work-bucket/work/manifests/run/audit.rejected_row.json' IAM_ROLE default FORMAT AS JSON 'auto' REGION 'us-east-1' TIMEFORMAT 'auto' COMPUPDATE OFF STATUPDATE OFF;

COPY audit.load_file (run_id, source, key, version, size, rows_read, rows_staged, rows_refused) FROM 's3://work-bucket/work/manifests/run/audit.load_file.songs.json' IAM_ROLE default FORMAT AS JSON 'auto' REGION 'us-east-1' TIMEFORMAT 'auto' COMPUPDATE OFF STATUPDATE OFF;

COPY audit.load_file (run_id, source, key, version, size, rows_read, rows_staged, rows_refused) FROM 's3://work-bucket/work/manifests/run/audit.load_file.events.json' IAM_ROLE default FORMAT AS JSON 'auto' REGION 'us-east-1' TIMEFORMAT 'auto' COMPUPDATE OFF STATUPDATE OFF;

-- per batch
INSERT INTO audit.load_book (run_id, target, account, rows) VALUES (:run_id_m0, :target_m0, :account_m0, :rows_m0);

-- per batch
INSERT INTO audit.quality_result (run_id, rule, target, severity, value, limit_value, passed) VALUES (:run_id_m0, :rule_m0, :target_m0, :severity_m0, :value_m0, :limit_value_m0, :passed_m0);

-- per batch
INSERT INTO audit.load_step (run_id, position, step, target, rows, seconds) VALUES (:run_id_m0, :position_m0, :step_m0, :target_m0, :rows_m0, :seconds_m0);

INSERT INTO audit.load_run (run_id, event, at, host, pid, db_user, engine, version, reason, error, exit_code) VALUES (:run_id, :event, :at, :host, :pid, :db_user, :engine, :version, :reason, :error, :exit_code);

COMMIT;

ANALYZE staging.songs;

ANALYZE staging.events;

ANALYZE sparkify.songs;

ANALYZE sparkify.artists;

ANALYZE sparkify.users;

ANALYZE sparkify.time;

ANALYZE sparkify.songplays;

-- if the load deleted 100,000 rows
VACUUM DELETE ONLY staging.songs;

-- if the load deleted 100,000 rows
VACUUM DELETE ONLY staging.events;

-- if the load deleted 100,000 rows
VACUUM DELETE ONLY sparkify.songs;

-- if the load deleted 100,000 rows
VACUUM DELETE ONLY sparkify.artists;

-- if the load deleted 100,000 rows
VACUUM DELETE ONLY sparkify.users;

-- if the load deleted 100,000 rows
VACUUM DELETE ONLY sparkify.time;

-- if the load deleted 100,000 rows
VACUUM DELETE ONLY sparkify.songplays;
