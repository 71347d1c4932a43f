-- The system views and functions of Redshift: tables, sessions and loads.
-- Loaded after compat.sql, by the same rules.

-- ---------------------------------------------------------------------------------------------
-- COPY: https://docs.aws.amazon.com/redshift/latest/dg/PG_LAST_COPY_ID.html
-- ---------------------------------------------------------------------------------------------
CREATE FUNCTION pg_catalog.pg_last_copy_id() RETURNS int LANGUAGE sql STABLE AS
$$ SELECT coalesce(nullif(current_setting('rs.copy_id', true), ''), '-1')::int $$;

CREATE FUNCTION pg_catalog.pg_last_copy_count() RETURNS bigint LANGUAGE sql STABLE AS
$$ SELECT coalesce(nullif(current_setting('rs.copy_count', true), ''), '0')::bigint $$;

-- Superusers see all rows of a system view, other users their own: c_visibility-of-data
CREATE FUNCTION pg_catalog.rs_mine(int) RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT usesuper OR usesysid = $1::oid FROM pg_catalog.pg_user WHERE usename = current_user $$;

-- One file per COPY, read regardless of snapshots
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
  replace(pg_get_constraintdef(t.oid, true), ' NOT VALID', '') condef, n.oid schema_oid, c.oid rel_oid
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
