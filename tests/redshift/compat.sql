-- What Redshift has and Postgres lacks. Loaded once into the template of all databases.
-- Names that begin with rs_ are the stand-in's own; no client may call or see them directly.
-- Bodies hold no backslash: clients' sessions read it as an escape, and bodies are parsed there.
SET standard_conforming_strings = on;
SET check_function_bodies = off;

-- All users may create in the public schema:
-- https://docs.aws.amazon.com/redshift/latest/dg/r_Schemas_and_tables.html
GRANT CREATE ON SCHEMA public TO PUBLIC;

-- ---------------------------------------------------------------------------------------------
-- Dates: https://docs.aws.amazon.com/redshift/latest/dg/Date_functions_header.html
-- ---------------------------------------------------------------------------------------------
CREATE FUNCTION pg_catalog.getdate() RETURNS timestamp LANGUAGE sql STABLE AS
$$ SELECT date_trunc('second', statement_timestamp() AT TIME ZONE 'UTC') $$;

CREATE FUNCTION pg_catalog.rs_sysdate() RETURNS timestamp LANGUAGE sql STABLE AS
$$ SELECT now() AT TIME ZONE 'UTC' $$;

-- An integer, and milliseconds without the seconds: r_EXTRACT_function
CREATE FUNCTION pg_catalog.rs_date_part(text, timestamp) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE $1
     WHEN 'millisecond' THEN floor(extract(milliseconds FROM $2))::bigint % 1000
     WHEN 'microsecond' THEN floor(extract(microseconds FROM $2))::bigint % 1000000
     ELSE floor(date_part($1, $2)::numeric)::bigint END $$;

CREATE FUNCTION pg_catalog.rs_dateadd(text, bigint, timestamp) RETURNS timestamp
LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE $1 WHEN 'quarter' THEN $3 + $2 * interval '3 months'
     ELSE $3 + $2 * ('1 ' || $1)::interval END $$;

-- Boundaries that are crossed, not whole periods: r_DATEDIFF_function
CREATE FUNCTION pg_catalog.rs_datediff(text, timestamp, timestamp) RETURNS bigint
LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE
     WHEN $1 IN ('year', 'decade', 'century', 'month', 'quarter') THEN
       (extract(year FROM $3) - extract(year FROM $2))::bigint
       * CASE $1 WHEN 'month' THEN 12 WHEN 'quarter' THEN 4 ELSE 1 END
       / CASE $1 WHEN 'decade' THEN 10 WHEN 'century' THEN 100 ELSE 1 END
       + CASE $1 WHEN 'month' THEN (extract(month FROM $3) - extract(month FROM $2))::bigint
                 WHEN 'quarter' THEN (extract(quarter FROM $3) - extract(quarter FROM $2))::bigint
                 ELSE 0 END
     WHEN $1 = 'week' THEN
       (extract(epoch FROM date_trunc('week', $3 + interval '1 day')
                         - date_trunc('week', $2 + interval '1 day')) / 604800)::bigint
     ELSE (extract(epoch FROM date_trunc($1, $3) - date_trunc($1, $2))
           / extract(epoch FROM ('1 ' || $1)::interval))::bigint END $$;

CREATE FUNCTION pg_catalog.last_day(timestamp) RETURNS date LANGUAGE sql IMMUTABLE AS
$$ SELECT (date_trunc('month', $1) + interval '1 month' - interval '1 day')::date $$;

CREATE FUNCTION pg_catalog.trunc(timestamp) RETURNS date LANGUAGE sql IMMUTABLE AS
$$ SELECT $1::date $$;

CREATE FUNCTION pg_catalog.convert_timezone(text, timestamp) RETURNS timestamp
LANGUAGE sql STABLE AS $$ SELECT ($2 AT TIME ZONE 'UTC') AT TIME ZONE $1 $$;

CREATE FUNCTION pg_catalog.convert_timezone(text, text, timestamp) RETURNS timestamp
LANGUAGE sql STABLE AS $$ SELECT ($3 AT TIME ZONE $1) AT TIME ZONE $2 $$;

-- ---------------------------------------------------------------------------------------------
-- Text: https://docs.aws.amazon.com/redshift/latest/dg/String_functions_header.html
-- ---------------------------------------------------------------------------------------------
CREATE FUNCTION pg_catalog.len(text) RETURNS int LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT length($1) $$;

CREATE FUNCTION pg_catalog.charindex(text, text) RETURNS int LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT strpos($2, $1) $$;

-- NULL with anything is NULL: r_CONCAT
CREATE FUNCTION pg_catalog.rs_concat(text, text) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT $1 || $2 $$;

-- As many whole characters as fit into so many bytes
CREATE FUNCTION pg_catalog.rs_cut(value text, bytes int) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
  low int := bytes / 4;
  high int := bytes;
  middle int;
BEGIN
  IF octet_length(value) <= bytes THEN RETURN value; END IF;
  WHILE low < high LOOP
    middle := (low + high + 1) / 2;
    IF octet_length(left(value, middle)) <= bytes THEN low := middle;
    ELSE high := middle - 1; END IF;
  END LOOP;
  RETURN left(value, low);
END $$;

-- Only i of the parameters changes how Postgres reads a pattern
CREATE FUNCTION pg_catalog.rs_flags(text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN strpos($1, 'i') > 0 THEN 'i' ELSE '' END $$;

-- Every occurrence: REGEXP_REPLACE
CREATE FUNCTION pg_catalog.rs_regexp_replace(
  text, text, text DEFAULT '', int DEFAULT 1, text DEFAULT 'c') RETURNS text
LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT CASE WHEN $4 > length($1) THEN $1
     ELSE regexp_replace($1, $2, $3, greatest($4, 1), 0, pg_catalog.rs_flags($5)) END $$;

CREATE FUNCTION pg_catalog.rs_regexp_count(text, text, int DEFAULT 1, text DEFAULT 'c')
RETURNS int LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT CASE WHEN $3 > length($1) THEN 0
     ELSE regexp_count($1, $2, greatest($3, 1), pg_catalog.rs_flags($4)) END $$;

-- An empty string where nothing matches: REGEXP_SUBSTR
CREATE FUNCTION pg_catalog.rs_regexp_substr(
  text, text, int DEFAULT 1, int DEFAULT 1, text DEFAULT 'c') RETURNS text
LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT coalesce(regexp_substr($1, $2, greatest($3, 1), $4, pg_catalog.rs_flags($5),
                                 CASE WHEN strpos($5, 'e') > 0 THEN 1 ELSE 0 END), '') $$;

CREATE FUNCTION pg_catalog.rs_regexp_instr(
  text, text, int DEFAULT 1, int DEFAULT 1, int DEFAULT 0, text DEFAULT 'c') RETURNS int
LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT regexp_instr($1, $2, greatest($3, 1), $4, $5, pg_catalog.rs_flags($6)) $$;

CREATE FUNCTION pg_catalog.rs_sha2(text, int) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT encode(CASE $2
     WHEN 0 THEN sha256(convert_to($1, 'UTF8')) WHEN 256 THEN sha256(convert_to($1, 'UTF8'))
     WHEN 224 THEN sha224(convert_to($1, 'UTF8')) WHEN 384 THEN sha384(convert_to($1, 'UTF8'))
     WHEN 512 THEN sha512(convert_to($1, 'UTF8')) END, 'hex') $$;

-- Postgres has no SHA-1 without an extension that the wheel does not carry
CREATE FUNCTION pg_catalog.rs_rotate(bigint, int) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$ SELECT (($1 << $2) | ($1 >> (32 - $2))) & 4294967295 $$;

CREATE FUNCTION pg_catalog.rs_sha1(value text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
  data bytea := convert_to(value, 'UTF8');
  bits bigint := octet_length(data)::bigint * 8;
  h bigint[] := ARRAY[1732584193, 4023233417, 2562383102, 271733878, 3285377520];
  v bigint[];
  w bigint[];
  f bigint;
  k bigint;
BEGIN
  data := data || decode('80', 'hex');
  data := data || decode(repeat('00', (120 - octet_length(data) % 64) % 64), 'hex')
               || int8send(bits);
  FOR block IN 0 .. octet_length(data) / 64 - 1 LOOP
    FOR t IN 0 .. 79 LOOP
      IF t < 16 THEN
        w[t] := (get_byte(data, block * 64 + t * 4)::bigint << 24)
              | (get_byte(data, block * 64 + t * 4 + 1)::bigint << 16)
              | (get_byte(data, block * 64 + t * 4 + 2)::bigint << 8)
              | get_byte(data, block * 64 + t * 4 + 3)::bigint;
      ELSE
        w[t] := pg_catalog.rs_rotate(w[t - 3] # w[t - 8] # w[t - 14] # w[t - 16], 1);
      END IF;
    END LOOP;
    v := h;
    FOR t IN 0 .. 79 LOOP
      IF t < 20 THEN
        f := (v[2] & v[3]) | ((~v[2] & 4294967295) & v[4]); k := 1518500249;
      ELSIF t < 40 THEN
        f := v[2] # v[3] # v[4]; k := 1859775393;
      ELSIF t < 60 THEN
        f := (v[2] & v[3]) | (v[2] & v[4]) | (v[3] & v[4]); k := 2400959708;
      ELSE
        f := v[2] # v[3] # v[4]; k := 3395469782;
      END IF;
      v := ARRAY[(pg_catalog.rs_rotate(v[1], 5) + f + v[5] + k + w[t]) & 4294967295,
                 v[1], pg_catalog.rs_rotate(v[2], 30), v[3], v[4]];
    END LOOP;
    FOR i IN 1 .. 5 LOOP h[i] := (h[i] + v[i]) & 4294967295; END LOOP;
  END LOOP;
  RETURN lpad(to_hex(h[1]), 8, '0') || lpad(to_hex(h[2]), 8, '0') || lpad(to_hex(h[3]), 8, '0')
      || lpad(to_hex(h[4]), 8, '0') || lpad(to_hex(h[5]), 8, '0');
END $$;

-- ---------------------------------------------------------------------------------------------
-- JSON in text: https://docs.aws.amazon.com/redshift/latest/dg/json-functions.html
-- ---------------------------------------------------------------------------------------------
CREATE FUNCTION pg_catalog.rs_is_valid_json(value text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
  PERFORM value::json;
  RETURN true;
EXCEPTION WHEN invalid_text_representation THEN RETURN false;
END $$;

CREATE FUNCTION pg_catalog.rs_json_path(value text, path text[], null_if_invalid boolean)
RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF value IS NULL THEN RETURN NULL; END IF;
  RETURN coalesce(value::json #>> path, '');
EXCEPTION WHEN invalid_text_representation THEN
  IF null_if_invalid THEN RETURN NULL; END IF;
  RAISE EXCEPTION 'JSON parsing error' USING ERRCODE = 'XX000';
END $$;

CREATE FUNCTION pg_catalog.rs_json_extract_path_text(text, VARIADIC text[]) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT pg_catalog.rs_json_path($1, $2, false) $$;
CREATE FUNCTION pg_catalog.rs_json_extract_path_text(text, text, boolean) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT pg_catalog.rs_json_path($1, ARRAY[$2], $3) $$;
CREATE FUNCTION pg_catalog.rs_json_extract_path_text(text, text, text, boolean) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT pg_catalog.rs_json_path($1, ARRAY[$2, $3], $4) $$;
CREATE FUNCTION pg_catalog.rs_json_extract_path_text(text, text, text, text, boolean) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT pg_catalog.rs_json_path($1, ARRAY[$2, $3, $4], $5) $$;

-- ---------------------------------------------------------------------------------------------
-- COPY: https://docs.aws.amazon.com/redshift/latest/dg/PG_LAST_COPY_ID.html
-- ---------------------------------------------------------------------------------------------
CREATE FUNCTION pg_catalog.pg_last_copy_id() RETURNS int LANGUAGE sql STABLE AS
$$ SELECT coalesce(nullif(current_setting('rs.copy_id', true), ''), '-1')::int $$;

CREATE FUNCTION pg_catalog.pg_last_copy_count() RETURNS bigint LANGUAGE sql STABLE AS
$$ SELECT coalesce(nullif(current_setting('rs.copy_count', true), ''), '0')::bigint $$;

-- Superusers see all rows of a system view, others their own: c_visibility-of-data
CREATE FUNCTION pg_catalog.rs_mine(int) RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT usesuper OR usesysid = $1::oid FROM pg_catalog.pg_user WHERE usename = current_user $$;

-- One file for each COPY, read past all snapshots
CREATE FUNCTION pg_catalog.rs_load_log(kind text) RETURNS SETOF jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
DECLARE
  folder text := '@LOADS@/' || current_database();
  file text;
  content jsonb;
BEGIN
  FOR file IN SELECT name FROM pg_ls_dir(folder, true, false) name ORDER BY length(name), name LOOP
    content := pg_read_file(folder || '/' || file)::jsonb;
    IF (content ->> 'visible_at')::float8 <= extract(epoch FROM clock_timestamp()) THEN
      RETURN QUERY SELECT jsonb_array_elements(content -> kind);
    END IF;
  END LOOP;
END $$;

CREATE VIEW pg_catalog.stl_load_errors AS
SELECT (r ->> 'userid')::int userid, 0 slice, (r ->> 'tbl')::int tbl,
  (r ->> 'starttime')::timestamp starttime, (r ->> 'session')::int "session",
  (r ->> 'query')::int query, (r ->> 'filename')::char(256) filename,
  (r ->> 'line_number')::bigint line_number, (r ->> 'colname')::char(127) colname,
  (r ->> 'type')::char(10) "type", (r ->> 'col_length')::char(10) col_length,
  0 "position", (r ->> 'raw_line')::char(1024) raw_line,
  (r ->> 'raw_field_value')::char(1024) raw_field_value, (r ->> 'err_code')::int err_code,
  (r ->> 'err_reason')::char(100) err_reason, 0 is_partial,
  (r ->> 'start_offset')::bigint start_offset, 0::bigint copy_job_id
FROM pg_catalog.rs_load_log('errors') r WHERE pg_catalog.rs_mine((r ->> 'userid')::int);

CREATE VIEW pg_catalog.sys_load_error_detail AS
SELECT (r ->> 'userid')::int user_id, (r ->> 'query')::bigint query_id,
  (r ->> 'transaction')::bigint transaction_id, (r ->> 'session')::int session_id,
  current_database()::char(64) database_name, (r ->> 'tbl')::int table_id,
  (r ->> 'starttime')::timestamp start_time, (r ->> 'filename')::char(256) file_name,
  (r ->> 'line_number')::bigint line_number, (r ->> 'colname')::char(127) column_name,
  (r ->> 'type')::char(10) column_type, (r ->> 'col_length')::char(10) column_length,
  0 "position", (r ->> 'err_code')::int error_code, (r ->> 'err_reason')::char(512) error_message
FROM pg_catalog.rs_load_log('errors') r WHERE pg_catalog.rs_mine((r ->> 'userid')::int);

CREATE VIEW pg_catalog.stl_load_commits AS
SELECT (r ->> 'userid')::int userid, (r ->> 'query')::int query, 0 slice, ''::char(256) "name",
  (r ->> 'filename')::char(256) filename, 0 byte_offset, (r ->> 'lines_scanned')::int lines_scanned,
  0 errors, (r ->> 'curtime')::timestamp curtime, 1 status, 'JSON'::char(16) file_format,
  0 is_partial, 0::bigint start_offset, 0::bigint copy_job_id
FROM pg_catalog.rs_load_log('files') r WHERE pg_catalog.rs_mine((r ->> 'userid')::int);

CREATE VIEW pg_catalog.sys_load_detail AS
SELECT (r ->> 'userid')::int user_id, (r ->> 'query')::bigint query_id,
  (r ->> 'filename')::char(256) file_name, (r ->> 'bytes')::bigint bytes_scanned,
  (r ->> 'lines_scanned')::bigint lines_scanned, (r ->> 'curtime')::timestamp record_time,
  1 splits_scanned, (r ->> 'starttime')::timestamp start_time,
  (r ->> 'curtime')::timestamp end_time, (r ->> 'etag')::char(256) file_etag,
  (r ->> 'modified')::timestamp file_last_modified
FROM pg_catalog.rs_load_log('files') r WHERE pg_catalog.rs_mine((r ->> 'userid')::int);

CREATE VIEW pg_catalog.sys_load_history AS
SELECT (r ->> 'userid')::int user_id, (r ->> 'query')::bigint query_id,
  (r ->> 'transaction')::bigint transaction_id, (r ->> 'session')::int session_id,
  current_database()::text database_name, (r ->> 'status')::text status,
  (r ->> 'table_name')::text table_name, (r ->> 'starttime')::timestamp start_time,
  (r ->> 'endtime')::timestamp end_time, (r ->> 'duration')::bigint duration,
  (r ->> 'data_source')::text data_source, 'json'::text file_format,
  (r ->> 'loaded_rows')::bigint loaded_rows, (r ->> 'bytes')::bigint loaded_bytes,
  (r ->> 'files')::int source_file_count, (r ->> 'bytes')::bigint source_file_bytes,
  (r ->> 'files')::int file_count_scanned, (r ->> 'bytes')::bigint file_bytes_scanned,
  (r ->> 'errors')::bigint error_count, 0::bigint copy_job_id
FROM pg_catalog.rs_load_log('history') r WHERE pg_catalog.rs_mine((r ->> 'userid')::int);

-- ---------------------------------------------------------------------------------------------
-- What a table declares beyond Postgres
-- ---------------------------------------------------------------------------------------------
CREATE TABLE pg_catalog.rs_tables (
  id oid PRIMARY KEY, diststyle text, distkey text, sortkeys text[], interleaved boolean,
  encodings text[], created timestamp);

-- A table that exists already keeps what it has: CREATE TABLE IF NOT EXISTS
CREATE FUNCTION pg_catalog.rs_note_table(t regclass, style text, dist text, sorts text[],
  interleaved boolean, encodings text[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  wanted text;
BEGIN
  FOREACH wanted IN ARRAY coalesce(dist || sorts, sorts) LOOP
    IF wanted IS NOT NULL AND NOT EXISTS (SELECT 1 FROM pg_attribute
        WHERE attrelid = t AND attname = wanted AND attnum > 0 AND NOT attisdropped) THEN
      RAISE EXCEPTION 'column "%" named in key does not exist', wanted USING ERRCODE = '42703';
    END IF;
  END LOOP;
  INSERT INTO pg_catalog.rs_tables VALUES (t, style, dist, sorts, interleaved, encodings,
    statement_timestamp() AT TIME ZONE 'UTC') ON CONFLICT DO NOTHING;
END $$;

CREATE FUNCTION pg_catalog.rs_note_encoding(t regclass, encoding text) RETURNS void
LANGUAGE sql SECURITY DEFINER AS
$$ UPDATE pg_catalog.rs_tables SET encodings = encodings || encoding WHERE id = t $$;

CREATE FUNCTION pg_catalog.rs_check_drop(t regclass, col text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM pg_catalog.rs_tables WHERE id = t AND distkey = col) THEN
    RAISE EXCEPTION 'cannot drop distkey column "%"', col USING ERRCODE = '0A000';
  ELSIF EXISTS (SELECT 1 FROM pg_catalog.rs_tables WHERE id = t AND col = ANY (sortkeys)) THEN
    RAISE EXCEPTION 'cannot drop sortkey column "%"', col USING ERRCODE = '0A000';
  END IF;
END $$;

-- https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE.html
CREATE FUNCTION pg_catalog.rs_check_resize(t regclass, col text, bytes int) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  found pg_attribute;
  encoding text;
  longest int;
BEGIN
  SELECT * INTO found FROM pg_attribute WHERE attrelid = t AND attname = col AND attnum > 0;
  IF found IS NULL THEN RETURN; END IF;
  SELECT split_part(e, '=', 2) INTO encoding FROM pg_catalog.rs_tables, unnest(encodings) e
    WHERE id = t AND split_part(e, '=', 1) = col;
  IF found.atttypid <> 'varchar'::regtype THEN
    RAISE EXCEPTION 'ALTER COLUMN TYPE: column "%" is not VARCHAR', col USING ERRCODE = '0A000';
  ELSIF found.atthasdef THEN
    RAISE EXCEPTION 'cannot alter type of a column "%" with a default value', col
      USING ERRCODE = '0A000';
  ELSIF EXISTS (SELECT 1 FROM pg_constraint WHERE conrelid = t AND contype IN ('p', 'u', 'f')
      AND found.attnum = ANY (conkey)) THEN
    RAISE EXCEPTION 'cannot alter type of column "%" with a primary, unique or foreign key', col
      USING ERRCODE = '0A000';
  ELSIF encoding IN ('bytedict', 'runlength', 'text255', 'text32k') THEN
    RAISE EXCEPTION 'cannot alter type of column "%" with encoding %', col, encoding
      USING ERRCODE = '0A000';
  END IF;
  EXECUTE format('SELECT max(octet_length(%I)) FROM %s', col, t) INTO longest;
  IF longest > bytes THEN
    RAISE EXCEPTION 'cannot alter type: existing data of column "%" is longer than % bytes',
      col, bytes USING ERRCODE = '0A000';
  END IF;
END $$;

-- ---------------------------------------------------------------------------------------------
-- Keys are informational: https://docs.aws.amazon.com/redshift/latest/dg/t_Defining_constraints.html
-- An index that does not count as unique lets every row in and stays in the catalog. A foreign key
-- can only be declared on an index that does, so DDL that declares one restores the mark for its
-- own length.
-- ---------------------------------------------------------------------------------------------
CREATE FUNCTION pg_catalog.rs_enforce() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  IF current_query() ~* 'references' THEN
    UPDATE pg_index i SET indisunique = true FROM pg_constraint c
      WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u') AND NOT i.indisunique;
  END IF;
END $$;

CREATE FUNCTION pg_catalog.rs_unenforce() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  t oid;
  changes text;
BEGIN
  UPDATE pg_index i SET indisunique = false FROM pg_constraint c
    WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u') AND i.indisunique
      AND c.connamespace <> 'pg_catalog'::regnamespace;
  -- VARCHAR and CHAR count bytes: https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html
  FOR t IN SELECT DISTINCT objid FROM pg_event_trigger_ddl_commands()
      WHERE classid = 'pg_class'::regclass AND object_type LIKE 'table%' LOOP
    WITH wanted AS (
      SELECT 'rs_width_' || attnum || '_'
        || CASE atttypid WHEN 'varchar'::regtype THEN 'varchar_' ELSE 'char_' END
        || atttypmod - 4 AS conname, attname, atttypmod - 4 AS bytes
      FROM pg_attribute WHERE attrelid = t AND attnum > 0 AND NOT attisdropped AND atttypmod > 4
        AND atttypid IN ('varchar'::regtype, 'bpchar'::regtype)),
    present AS (
      SELECT conname FROM pg_constraint WHERE conrelid = t AND starts_with(conname, 'rs_width_')),
    change AS (
      SELECT format('DROP CONSTRAINT %I', conname) sql FROM present
        WHERE conname NOT IN (SELECT conname FROM wanted)
      UNION ALL
      SELECT format('ADD CONSTRAINT %I CHECK (octet_length(%I::text) <= %s)', conname, attname, bytes)
        FROM wanted WHERE conname NOT IN (SELECT conname FROM present))
    SELECT string_agg(sql, ', ') INTO changes FROM change;
    IF changes IS NOT NULL THEN
      EXECUTE format('ALTER TABLE %s %s', t::regclass, changes);
    END IF;
  END LOOP;
END $$;

CREATE EVENT TRIGGER rs_enforce ON ddl_command_start
  WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE') EXECUTE FUNCTION pg_catalog.rs_enforce();
CREATE EVENT TRIGGER rs_unenforce ON ddl_command_end
  WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE', 'CREATE TABLE AS')
  EXECUTE FUNCTION pg_catalog.rs_unenforce();
ALTER EVENT TRIGGER rs_enforce ENABLE ALWAYS;
ALTER EVENT TRIGGER rs_unenforce ENABLE ALWAYS;

-- ---------------------------------------------------------------------------------------------
-- Reflection: the shapes that sqlalchemy-redshift 1.0.0 reads (see reflection.py)
-- ---------------------------------------------------------------------------------------------
CREATE VIEW pg_catalog.rs_constraint AS
SELECT * FROM pg_catalog.pg_constraint WHERE NOT starts_with(conname, 'rs_width_');

CREATE VIEW pg_catalog.rs_reflected_relations AS
SELECT c.relkind::text relkind, n.oid schema_oid, n.nspname::text "schema", c.oid rel_oid,
  c.relname::text relname, CASE WHEN a.diststyle <> 'AUTO' THEN a.diststyle END diststyle,
  c.relowner owner_id, u.usename::text owner_name,
  rtrim(pg_get_viewdef(c.oid, true), ';') view_definition,
  array_to_string(c.relacl, chr(10)) privileges
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_user u ON u.usesysid = c.relowner LEFT JOIN pg_catalog.rs_tables a ON a.id = c.oid
WHERE c.relkind IN ('r', 'v', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema';

CREATE VIEW pg_catalog.rs_reflected_columns AS
SELECT n.nspname::text "schema", c.relname::text table_name, t.attname::text "name",
  coalesce((SELECT split_part(e, '=', 2) FROM unnest(a.encodings) e
            WHERE split_part(e, '=', 1) = t.attname), 'none') "encode",
  format_type(t.atttypid, t.atttypmod) "type", coalesce(a.distkey = t.attname, false) distkey,
  coalesce(array_position(a.sortkeys, t.attname::text), 0)
    * CASE WHEN a.interleaved AND array_position(a.sortkeys, t.attname::text) % 2 = 0
           THEN -1 ELSE 1 END sortkey,
  t.attnotnull "notnull", col_description(c.oid, t.attnum) "comment",
  pg_get_expr(d.adbin, d.adrelid) adsrc, t.attnum, format_type(t.atttypid, t.atttypmod) format_type,
  pg_get_expr(d.adbin, d.adrelid) "default", n.oid schema_oid, c.oid table_oid
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute t ON t.attrelid = c.oid
LEFT JOIN pg_attrdef d ON d.adrelid = t.attrelid AND d.adnum = t.attnum
LEFT JOIN pg_catalog.rs_tables a ON a.id = c.oid
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND t.attnum > 0
  AND NOT t.attisdropped AND c.relkind IN ('r', 'v', 'm');

CREATE VIEW pg_catalog.rs_reflected_constraints AS
SELECT n.nspname::text "schema", c.relname::text table_name, t.contype::text contype,
  t.conname::text conname, t.conkey, a.attnum, a.attname::text attname,
  pg_get_constraintdef(t.oid, true) condef, n.oid schema_oid, c.oid rel_oid
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.rs_constraint t ON t.conrelid = c.oid
JOIN pg_attribute a ON a.attrelid = t.conrelid AND a.attnum = ANY (t.conkey)
WHERE n.nspname !~ '^pg_';

-- ---------------------------------------------------------------------------------------------
-- System views: https://docs.aws.amazon.com/redshift/latest/dg/cm_chap_system-tables.html
-- ---------------------------------------------------------------------------------------------
CREATE FUNCTION pg_catalog.rs_count(t oid) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
DECLARE
  n bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM %s', t::regclass) INTO n;
  RETURN n;
END $$;

-- Superusers only, and nothing about empty tables: r_SVV_TABLE_INFO
CREATE VIEW pg_catalog.svv_table_info AS
SELECT current_database()::text "database", r."schema", r.rel_oid::int table_id, r.relname "table",
  CASE WHEN cardinality(a.encodings) > 0 THEN 'Y' ELSE 'N' END encoded,
  CASE a.diststyle WHEN 'KEY' THEN 'KEY(' || a.distkey || ')' WHEN 'AUTO' THEN 'AUTO(ALL)'
    ELSE a.diststyle END diststyle,
  coalesce(a.sortkeys[1], 'AUTO(SORTKEY)') sortkey1,
  (SELECT max(atttypmod - 4) FROM pg_attribute
   WHERE attrelid = r.rel_oid AND atttypid = 'varchar'::regtype)::int max_varchar,
  ''::char(32) sortkey1_enc, coalesce(cardinality(a.sortkeys), 0) sortkey_num,
  (pg_table_size(r.rel_oid) / 1048576 + 1)::bigint size, 0::numeric(10,4) pct_used,
  0::bigint empty, 0::numeric(5,2) unsorted, 0::numeric(5,2) stats_off,
  pg_catalog.rs_count(r.rel_oid)::numeric(38,0) tbl_rows, NULL::numeric(19,2) skew_sortkey1,
  NULL::numeric(19,2) skew_rows, pg_catalog.rs_count(r.rel_oid)::numeric(38,0) estimated_visible_rows,
  NULL::text risk_event, 0::numeric(12,2) vacuum_sort_benefit, a.created create_time
FROM pg_catalog.rs_reflected_relations r JOIN pg_catalog.rs_tables a ON a.id = r.rel_oid
WHERE r.relkind = 'r' AND pg_catalog.rs_count(r.rel_oid) > 0;

CREATE VIEW pg_catalog.svv_all_tables AS
SELECT current_database()::varchar(128) database_name, r."schema"::varchar(128) schema_name,
  r.relname::varchar(128) table_name,
  CASE r.relkind WHEN 'r' THEN 'TABLE' ELSE 'VIEW' END::varchar table_type,
  r.privileges::varchar(128) table_acl, obj_description(r.rel_oid, 'pg_class')::varchar(254) remarks,
  r.owner_name::varchar(128) "owner"
FROM pg_catalog.rs_reflected_relations r
WHERE has_schema_privilege(r.schema_oid, 'USAGE');

CREATE VIEW pg_catalog.svv_all_columns AS
SELECT current_database()::varchar(128) database_name, c."schema"::varchar(128) schema_name,
  c.table_name::varchar(128) table_name, c."name"::varchar(128) column_name,
  c.attnum::int ordinal_position, c."default"::varchar(4000) column_default,
  CASE WHEN c."notnull" THEN 'NO' ELSE 'YES' END::varchar(3) is_nullable,
  split_part(c."type", '(', 1)::varchar(128) data_type,
  CASE WHEN c."type" ~ '^character' THEN rtrim(split_part(c."type", '(', 2), ')')::int END
    character_maximum_length,
  CASE WHEN c."type" ~ '^numeric' THEN split_part(split_part(c."type", '(', 2), ',', 1)::int
    WHEN c."type" = 'smallint' THEN 16 WHEN c."type" = 'integer' THEN 32
    WHEN c."type" = 'bigint' THEN 64 WHEN c."type" = 'double precision' THEN 53 END numeric_precision,
  CASE WHEN c."type" ~ '^numeric' THEN rtrim(split_part(c."type", ',', 2), ')')::int
    WHEN c."type" ~ 'int' THEN 0 END numeric_scale,
  c."comment"::varchar(254) remarks
FROM pg_catalog.rs_reflected_columns c WHERE has_schema_privilege(c.schema_oid, 'USAGE');

CREATE VIEW pg_catalog.pg_table_def AS
SELECT c."schema"::name schemaname, c.table_name::name tablename, c."name"::name "column", c."type",
  c."encode" encoding, c.distkey, c.sortkey, c."notnull"
FROM pg_catalog.rs_reflected_columns c WHERE c."schema" = ANY (current_schemas(false));

CREATE VIEW pg_catalog.stv_slices AS
SELECT 0 node, slice, slice localslice, 'D'::char(1) "type" FROM (VALUES (0), (1)) s (slice);

CREATE FUNCTION pg_catalog.rs_sessions() RETURNS SETOF pg_stat_activity
LANGUAGE sql SECURITY DEFINER AS
$$ SELECT * FROM pg_stat_activity WHERE backend_type = 'client backend' AND datname <> 'postgres' $$;

CREATE VIEW pg_catalog.stv_sessions AS
SELECT backend_start AT TIME ZONE 'UTC' starttime, pid process, usename::char(50) user_name,
  datname::char(50) db_name, 0 timeout_sec
FROM pg_catalog.rs_sessions() WHERE pg_catalog.rs_mine(usesysid::int);

CREATE VIEW pg_catalog.stv_recents AS
SELECT usesysid::int userid, CASE state WHEN 'active' THEN 'Running' ELSE 'Done' END::char(20) status,
  query_start AT TIME ZONE 'UTC' starttime,
  (extract(epoch FROM clock_timestamp() - query_start) * 1000000)::int duration,
  usename::char(50) user_name, datname::char(50) db_name, query::char(600) query, pid
FROM pg_catalog.rs_sessions() WHERE pg_catalog.rs_mine(usesysid::int);

CREATE VIEW pg_catalog.svv_transactions AS
SELECT a.usename::text txn_owner, a.datname::text txn_db, a.backend_xid::text::bigint xid, a.pid,
  a.xact_start AT TIME ZONE 'UTC' txn_start, l.mode::text lock_mode,
  l.locktype::text lockable_object_type, l.relation::int relation, l.granted
FROM pg_catalog.rs_sessions() a JOIN pg_locks l ON l.pid = a.pid
WHERE a.xact_start IS NOT NULL AND pg_catalog.rs_mine(a.usesysid::int)
  AND l.mode <> 'SIReadLock' AND (l.relation IS NULL OR l.relation >= 16384);

CREATE VIEW pg_catalog.stv_db_isolation_level AS
SELECT d.datname::char(128) db_name,
  CASE WHEN s.setconfig::text ~ 'repeatable' THEN 'Snapshot Isolation' ELSE 'Serializable' END
    ::char(20) isolation_level
FROM pg_database d LEFT JOIN pg_db_role_setting s ON s.setdatabase = d.oid AND s.setrole = 0
WHERE d.datname = current_database();

GRANT SELECT ON pg_catalog.stl_load_errors, pg_catalog.sys_load_error_detail,
  pg_catalog.stl_load_commits, pg_catalog.sys_load_detail, pg_catalog.sys_load_history,
  pg_catalog.rs_constraint, pg_catalog.rs_reflected_relations, pg_catalog.rs_reflected_columns,
  pg_catalog.rs_reflected_constraints, pg_catalog.svv_all_tables, pg_catalog.svv_all_columns,
  pg_catalog.pg_table_def, pg_catalog.stv_slices, pg_catalog.stv_sessions, pg_catalog.stv_recents,
  pg_catalog.svv_transactions, pg_catalog.stv_db_isolation_level TO PUBLIC;
