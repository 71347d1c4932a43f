-- What Redshift has and Postgres lacks. Loaded once into the template of all databases.
-- Names that begin with rs_ are the stand-in's own; clients cannot call or see them directly.
-- Bodies contain no backslash: they are parsed in clients' sessions, where it is an escape.
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

-- Counts the boundaries crossed, not whole periods: r_DATEDIFF_function
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

-- NULL if any argument is NULL: r_CONCAT
CREATE FUNCTION pg_catalog.rs_concat(text, text) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT $1 || $2 $$;

-- As many whole characters as fit into this many bytes
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

-- Of the parameters only i changes how Postgres reads a pattern
CREATE FUNCTION pg_catalog.rs_flags(text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN strpos($1, 'i') > 0 THEN 'i' ELSE '' END $$;

-- Replaces every occurrence: REGEXP_REPLACE
CREATE FUNCTION pg_catalog.rs_regexp_replace(
  text, text, text DEFAULT '', int DEFAULT 1, text DEFAULT 'c') RETURNS text
LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT CASE WHEN $4 > length($1) THEN $1
     ELSE regexp_replace($1, $2, $3, greatest($4, 1), 0, pg_catalog.rs_flags($5)) END $$;

CREATE FUNCTION pg_catalog.rs_regexp_count(text, text, int DEFAULT 1, text DEFAULT 'c')
RETURNS int LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT CASE WHEN $3 > length($1) THEN 0
     ELSE regexp_count($1, $2, greatest($3, 1), pg_catalog.rs_flags($4)) END $$;

-- An empty string if nothing matches: REGEXP_SUBSTR
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

-- Postgres has SHA-1 only in an extension, which the wheel does not contain
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
-- The attributes of tables that Postgres does not have
-- ---------------------------------------------------------------------------------------------
CREATE TABLE pg_catalog.rs_tables (
  id oid PRIMARY KEY, diststyle text, distkey text, sortkeys text[], interleaved boolean,
  encodings text[], created timestamp);

-- An existing table keeps its attributes: CREATE TABLE IF NOT EXISTS
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
-- An index that is not marked as unique accepts every row and stays in the catalog. A foreign key
-- can only be declared on one that is, so DDL that declares one restores the mark while it runs.
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
