"""What Redshift does not have never reaches Postgres; what the stand-in does not know is refused by
name."""

from __future__ import annotations

import pytest
from redshift_connector.error import Error

from . import allow
from .client import Client
from .errors import RedshiftError
from .rewrite import plan
from .server import Database

# Statement, what the message names, page of the guide
REFUSED = [
    ("SELECT DISTINCT ON (a) a FROM t", "DISTINCT ON", "c_unsupported-postgresql-features"),
    ("SELECT count(*) FILTER (WHERE a > 1) FROM t", "FILTER", "c_unsupported-postgresql-features"),
    ("SELECT a IS DISTINCT FROM b FROM t", "IS DISTINCT", "c_unsupported-postgresql-functions"),
    (
        "SELECT a IS NOT DISTINCT FROM b FROM t",
        "NOT DISTINCT",
        "c_unsupported-postgresql-functions",
    ),
    ("SELECT 1 FROM t, LATERAL (SELECT 1) x", "LATERAL", "c_unsupported-postgresql-features"),
    ("SELECT * FROM (VALUES (1), (2)) v", "VALUES", "r_INSERT_30"),
    ("VALUES (1)", "VALUES", "c_unsupported-postgresql-features"),
    ("INSERT INTO t (a) VALUES (1) ON CONFLICT DO NOTHING", "ON CONFLICT", "c_unsupported"),
    ("INSERT INTO t (a) VALUES (1) RETURNING a", "RETURNING", "c_unsupported"),
    ("DELETE FROM t RETURNING a", "RETURNING", "c_unsupported-postgresql-features"),
    ("UPDATE t SET a = 1 RETURNING a", "RETURNING", "c_unsupported-postgresql-features"),
    ("SELECT 1 FROM t WHERE (a, b) < (1, 2)", "comparison of rows by <", "r_comparison_condition"),
    ("SELECT 1 FROM t WHERE (a, b) >= (1, 2)", "comparison of rows by >=", "r_comparison"),
    ("SELECT extract(isodow FROM ts) FROM t", "isodow", "r_Dateparts_for_datetime_functions"),
    ("SELECT date_part('isoyear', ts) FROM t", "isoyear", "r_Dateparts_for_datetime_functions"),
    ("SELECT string_agg(n, ',') FROM t", "string_agg", "c_unsupported-postgresql-functions"),
    (
        "SELECT * FROM generate_series(1, 3)",
        "generate_series",
        "c_unsupported-postgresql-functions",
    ),
    ("SELECT convert_from(n, 'UTF8') FROM t", "convert_from", "c_unsupported-postgresql-functions"),
    ("SELECT array_agg(a) FROM t", "array_agg", "c_unsupported-postgresql-functions"),
    ("SELECT pg_sleep(1)", "pg_sleep", "c_unsupported-postgresql-functions"),
    ("SELECT nextval('s')", "nextval", "c_unsupported-postgresql-functions"),
    ("SELECT ARRAY[1]", "array", "c_unsupported-postgresql-datatypes"),
    ("SELECT a[1] FROM t", "subscript", "c_unsupported-postgresql-datatypes"),
    ("SELECT now()", "now", "Date_functions_header"),
    ("SELECT current_timestamp", "current_timestamp", "Date_functions_header"),
    ("SELECT n ~* 'x' FROM t", "~*", "pattern-matching-conditions-posix"),
    ("SELECT 1::json", "json", "c_unsupported-postgresql-datatypes"),
    ("SELECT CAST('x' AS uuid)", "uuid", "c_unsupported-postgresql-datatypes"),
    ("SELECT a FROM t FOR UPDATE", "FOR UPDATE", "c_unsupported-postgresql-features"),
    ("SELECT a FROM t EXCEPT ALL SELECT 1", "EXCEPT ALL", "r_UNION"),
    ("WITH x AS (DELETE FROM t) SELECT 1", "DELETE", "r_WITH_clause"),
    ("WITH x AS MATERIALIZED (SELECT 1) SELECT 1", "MATERIALIZED", "r_WITH_clause"),
    ("WITH x AS (SELECT 1 AS a) INSERT INTO t (a) SELECT a FROM x", "WITH", "r_INSERT_30"),
    ("UPDATE t SET (a, b) = (1, 2)", "SET", "r_UPDATE"),
    ("DELETE FROM t AS x WHERE x.a = 1", "alias", "r_DELETE"),
    (
        "SELECT rank() OVER w FROM t WINDOW w AS (ORDER BY a)",
        "window",
        "r_Window_function_synopsis",
    ),
    ("SELECT sum(a) OVER (ORDER BY a RANGE UNBOUNDED PRECEDING) FROM t", "ROWS", "r_Window"),
    ("SELECT rank() OVER (ORDER BY a NULLS LAST) FROM t", "NULLS", "c_unsupported"),
    ("CREATE TABLE x (a INT CHECK (a > 1))", "CHECK", "t_Defining_constraints"),
    ("CREATE TABLE x (a INT, CHECK (a > 1))", "CHECK", "t_Defining_constraints"),
    ("CREATE TABLE x (a SERIAL)", "serial", "c_unsupported-postgresql-datatypes"),
    ("CREATE TABLE x (a TIMESTAMP(3))", "precision", "r_Datetime_types"),
    ("CREATE TABLE x (a VARCHAR IDENTITY(0, 1))", "IDENTITY on", "r_CREATE_TABLE_NEW"),
    ("CREATE TABLE x (a INT ENCODE gzip)", "gzip", "c_Compression_encodings"),
    ("CREATE INDEX i ON t (a)", "CREATE INDEX", "c_unsupported-postgresql-features"),
    ("CREATE UNIQUE INDEX i ON t (a)", "INDEX", "c_unsupported-postgresql-features"),
    ("CREATE SEQUENCE s", "CREATE SEQUENCE", "c_unsupported-postgresql-features"),
    ("SAVEPOINT s", "SAVEPOINT", "c_unsupported-postgresql-functions"),
    ("ROLLBACK TO SAVEPOINT s", "ROLLBACK TO", "c_unsupported-postgresql-functions"),
    ("RELEASE SAVEPOINT s", "RELEASE", "c_unsupported-postgresql-functions"),
    ("ALTER TABLE t ALTER COLUMN a SET NOT NULL", "ALTER COLUMN", "r_ALTER_TABLE"),
    ("ALTER TABLE t ALTER COLUMN a SET DEFAULT 1", "ALTER COLUMN", "r_ALTER_TABLE"),
    ("ALTER TABLE t ALTER COLUMN a TYPE BIGINT", "size of VARCHAR", "r_ALTER_TABLE"),
    ("ALTER TABLE t ADD COLUMN x INT, ADD COLUMN y INT", "more than one", "r_ALTER_TABLE"),
    ("ALTER TABLE t ADD COLUMN x INT PRIMARY KEY", "PRIMARY", "r_ALTER_TABLE"),
    ("ALTER TABLE t ADD COLUMN x INT IDENTITY(0, 1)", "IDENTITY", "r_ALTER_TABLE"),
    ("DO $$BEGIN END$$", "DO", "c_unsupported-postgresql-features"),
]

# Redshift may have these; the stand-in does not
UNKNOWN = [
    ("SELECT a FROM t QUALIFY rank() OVER (ORDER BY a) = 1", "QUALIFY"),
    ("MERGE INTO t USING s ON t.a = s.a REMOVE DUPLICATES", "MERGE INTO"),
    ("UNLOAD ('select 1') TO 's3://bkt/x' IAM_ROLE default", "UNLOAD"),
    ("CALL p()", "CALL"),
    ("SELECT a INTO x FROM t", "SELECT INTO"),
    ("CREATE TABLE x (a SUPER)", "super"),
    ("CREATE MATERIALIZED VIEW v AS SELECT 1", "CREATE MATERIALIZED"),
    ("SELECT my.function(1)", "my.function"),
    ("SELECT strtol('ff', 16)", "strtol"),
    ("SELECT n -> 'a' FROM t", "->"),
    ("SELECT n::varchar(3) FROM t", "CAST"),
    ("SELECT E'x'", "E'"),
    ("SELECT * FROM pg_stat_activity", "pg_stat_activity"),
    ("SELECT * FROM pg_catalog.pg_index", "pg_index"),
    (f"SELECT 1 AS {'x' * 64}", "63 bytes"),
    ("SET work_mem TO 1", "work_mem"),
    ("SET session_replication_role TO origin", "session_replication_role"),
    ("GRANT ASSUMEROLE ON default TO u FOR COPY", "GRANT"),
    ("ALTER TABLE t ALTER DISTSTYLE ALL", "DISTSTYLE"),
    ("ALTER TABLE t APPEND FROM s", "APPEND"),
    ("COPY t FROM 's3://bkt/x' IAM_ROLE default CSV", "CSV"),
    ("CREATE VIEW v AS SELECT 1 WITH NO SCHEMA BINDING", "NO SCHEMA BINDING"),
]

ALLOWED = [
    "SELECT DISTINCT a FROM t",
    "SELECT a FROM t WHERE (a, b) = (1, 2)",
    "SELECT a FROM t WHERE (a, b) IN (SELECT 1, 2)",
    "SELECT greatest(a, b) < (1) FROM t",
    "SELECT CASE WHEN a > 1 THEN 'on conflict' END FROM t",
    "SELECT t.filter FROM t",
    "INSERT INTO t (a) VALUES (1), (2)",
    "WITH x (a) AS (SELECT 1), y AS (SELECT a FROM x) SELECT a FROM y",
    "INSERT INTO t (a) WITH x AS (SELECT 1 AS a) SELECT a FROM x",
    "SELECT a FROM t ORDER BY a DESC NULLS LAST",
    "DELETE FROM t USING s WHERE t.a = s.a",
    "UPDATE t SET a = s.a FROM s WHERE t.b = s.b",
    "SELECT row_number() OVER (PARTITION BY b ORDER BY a DESC) FROM t",
    "SELECT max(a) OVER (PARTITION BY b) FROM t",
    "SELECT sum(a) OVER (ORDER BY a ROWS UNBOUNDED PRECEDING) FROM t",
]

# Correlated subqueries: r_correlated_subqueries
CORRELATED = [
    "SELECT 1 FROM o WHERE EXISTS (SELECT 1 FROM i WHERE i.a < o.a)",
    "SELECT 1 FROM o WHERE EXISTS (SELECT 1 FROM i WHERE i.a = o.a OR i.b = o.b)",
    "SELECT 1 FROM o WHERE EXISTS (SELECT 1 FROM i WHERE i.a = o.a AND i.b <> o.b)",
    "SELECT 1 FROM o WHERE EXISTS (SELECT 1 FROM i WHERE i.a = lower(o.a))",
    "SELECT 1 FROM o WHERE EXISTS (SELECT 1 FROM i WHERE i.a = o.a + o.b)",
    "SELECT 1 FROM o WHERE NOT EXISTS (SELECT 1 FROM i WHERE NOT EXISTS "
    "(SELECT 1 FROM d WHERE d.a = o.a))",
    "SELECT 1 FROM o WHERE EXISTS (SELECT 1 FROM (SELECT * FROM i WHERE i.a = o.a) x)",
    "SELECT 1 FROM c LEFT JOIN e ON c.a = e.a AND e.b = (SELECT max(s.b) FROM s WHERE s.a = e.a)",
    "SELECT 1 FROM s WHERE a NOT IN (SELECT sum(l.n) OVER () FROM l WHERE s.a = l.a)",
    "SELECT (SELECT o.a FROM i WHERE i.b = 1) FROM o",
    "DELETE FROM o WHERE EXISTS (SELECT 1 FROM i WHERE i.a > o.a)",
    "UPDATE o SET a = 1 WHERE EXISTS (SELECT 1 FROM i WHERE i.a > o.a)",
    "SELECT 1 FROM x.t WHERE EXISTS (SELECT 1 FROM y.t WHERE y.t.a > x.t.a)",
]
PLAIN = [
    "SELECT 1 FROM o WHERE EXISTS (SELECT 1 FROM i WHERE i.a = o.a)",
    "SELECT 1 FROM o WHERE EXISTS (SELECT 1 FROM i WHERE (i.a = o.a AND o.b = i.b AND i.c > 1))",
    "SELECT 1 FROM o WHERE NOT EXISTS (SELECT 1 FROM i JOIN j ON i.a = j.a WHERE j.b = o.b)",
    "SELECT 1 FROM o WHERE EXISTS (SELECT 1 FROM i WHERE lower(i.a) = o.a)",
    "SELECT 1 FROM o WHERE a IN (SELECT i.a FROM i)",
    "SELECT (SELECT max(i.b) FROM i WHERE i.a = o.a) FROM o",
    "DELETE FROM o WHERE EXISTS (SELECT 1 FROM i AS k WHERE k.a = o.a)",
    "SELECT 1 FROM x.t WHERE EXISTS (SELECT 1 FROM y.t WHERE y.t.a = x.t.a)",
    "SELECT a FROM o UNION SELECT a FROM i WHERE EXISTS (SELECT 1 FROM k WHERE k.a = i.a)",
    "SELECT 1 FROM o AS a WHERE EXISTS (SELECT 1 FROM o AS b WHERE b.x > 1 AND b.y = a.y)",
]


@pytest.mark.parametrize(("sql", "named", "page"), REFUSED, ids=lambda v: v[:40])
def test_refused_with_its_page(sql: str, named: str, page: str) -> None:
    with pytest.raises(RedshiftError) as caught:
        plan(sql)
    assert named in str(caught.value)
    assert page in caught.value.fields["D"]
    assert caught.value.fields["C"] == "0A000"


@pytest.mark.parametrize(("sql", "named"), UNKNOWN, ids=lambda v: v[:40])
def test_unknown_to_the_standin(sql: str, named: str) -> None:
    with pytest.raises(RedshiftError) as caught:
        plan(sql)
    assert named.lower() in str(caught.value).lower()
    assert "stand-in" in str(caught.value)


@pytest.mark.parametrize("sql", ALLOWED)
def test_look_alikes_are_let_through(sql: str) -> None:
    assert plan(sql).sql


@pytest.mark.parametrize("sql", CORRELATED)
def test_correlations_that_redshift_does_not_run(sql: str) -> None:
    with pytest.raises(RedshiftError, match="correlated subquery pattern is not supported"):
        plan(sql)


@pytest.mark.parametrize("sql", PLAIN)
def test_plain_equality_is_let_through(sql: str) -> None:
    assert plan(sql).sql


def test_aggregate_windows_need_a_frame() -> None:
    """r_Window_function_synopsis: with ORDER BY an aggregate needs a frame, ranking does not."""
    for function in ("sum(a)", "count(*)", "first_value(a)", "last_value(a)"):
        with pytest.raises(RedshiftError, match="require a frame clause"):
            plan(f"SELECT {function} OVER (PARTITION BY b ORDER BY a) FROM t")
    assert plan("SELECT lag(a) OVER (ORDER BY a) FROM t").sql


@pytest.mark.parametrize(
    "sql",
    [
        *("COPY", "LOCK", "SET", "EXPLAIN", "CREATE GROUP", "CREATE USER", "ALTER TABLE t ADD"),
        *(
            "CREATE TABLE t ()",
            "CREATE TABLE t (a VARCHAR(x))",
            "CREATE TABLE t (a INT) SORTKEY ()",
        ),
        *("CREATE TABLE t (a INT IDENTITY(1))", "COPY t (,) FROM 's3://bkt/x'", "SELECT ("),
        *(
            "SELECT cast(x)",
            "SELECT nvl2(1)",
            "SELECT extract()",
            "DELETE FROM",
            "SELECT 1; SELECT 2",
        ),
    ],
)
def test_half_a_statement_is_a_syntax_error(sql: str) -> None:
    with pytest.raises(RedshiftError) as caught:
        plan(sql)
    assert caught.value.fields["C"] in ("42601", "0A000")


def test_the_longest_statement() -> None:
    """c_redshift-sql: 16 MB."""
    with pytest.raises(RedshiftError, match="Maximum Allowed: 16777216 bytes"):
        plan(f"SELECT '{'x' * 16 * 1024 * 1024}'")


def test_a_refusal_aborts_the_transaction(redshift: Database) -> None:
    with Client(redshift) as client:
        client("CREATE TABLE t (a INT)")
        with pytest.raises(Error, match="generate_series"):
            client("SELECT generate_series(1, 2)")
        error = client.error("SELECT 1")
        assert error["C"] == "25P02"
        assert client.error("SELECT * FROM t")["C"] == "42P01"


def test_every_entry_of_the_lists_has_a_page() -> None:
    pages = [
        *allow.FUNCTIONS.values(),
        *allow.REFUSED_FUNCTIONS.values(),
        *allow.OPERATORS.values(),
        *allow.PARAMETERS.values(),
        *(page for _, page in allow.TYPES.values()),
    ]
    assert all(page and " " not in page for page in pages)
    assert not set(allow.FUNCTIONS) & set(allow.REFUSED_FUNCTIONS)
