"""Each function of the allow-list returns what Redshift's guide says (allow.py has the page)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from . import allow
from .client import Client
from .server import Database

RESULTS: list[tuple[str, Any]] = [
    ("coalesce(NULL, 'a')", "a"),
    ("nvl(NULL, 2, 3)", 2),
    ("nvl2(NULL, 'set', 'missing')", "missing"),
    ("nvl2(1, 'set', 'missing')", "set"),
    ("nullif('a', 'a')", None),
    ("greatest(1, NULL, 3)", 3),
    ("least(1, NULL, 3)", 1),
    ("ascii('a')", 97),
    ("btrim('xyaxyyx', 'xy')", "a"),
    ("char_length('naïve')", 5),
    ("character_length('naïve')", 5),
    ("charindex('fish', 'dogfish')", 4),
    ("chr(233)", "é"),
    ("concat('a', 'b')", "ab"),
    ("concat('a', NULL)", None),
    ("initcap('nibh.enim@x')", "Nibh.Enim@X"),
    ("left('Måns', 2)", "Må"),
    ("right('Måns', 2)", "ns"),
    ("len('naïve')", 5),
    ("length('naïve')", 5),
    ("octet_length('naïve')", 6),
    ("lower('ÅÉ')", "åé"),
    ("upper('åé')", "ÅÉ"),
    ("lpad('a', 3, '*')", "**a"),
    ("rpad('a', 3, '*')", "a**"),
    ("ltrim('  a')", "a"),
    ("rtrim('a  ')", "a"),
    ("trim('  a  ')", "a"),
    ("trim(BOTH 'x' FROM 'xax')", "a"),
    ("position('fish' IN 'dogfish')", 4),
    ("strpos('dogfish', 'fish')", 4),
    ("quote_ident('a b')", '"a b"'),
    # REGEXP_*: parts of the text match; no match is an empty string; every occurrence is replaced
    (r"regexp_count('abcdefabc', '[a-c]{3}')", 2),
    ("regexp_count('abcABC', 'abc', 1, 'i')", 2),
    ("regexp_instr('dogfish', 'f')", 4),
    ("regexp_replace('a1b2', '[0-9]')", "ab"),
    ("regexp_replace('the fox', 'FOX', 'quick brown fox', 1, 'i')", "the quick brown fox"),
    ("regexp_substr('dogfish', 'x')", ""),
    ("regexp_substr('dog1fish22', '[0-9]+', 1, 2)", "22"),
    ("repeat('ab', 2)", "abab"),
    ("replace('aba', 'a', 'x')", "xbx"),
    ("reverse('abc')", "cba"),
    ("split_part('a.b.c', '.', 2)", "b"),
    ("substr('caterpillar', 6, 4)", "pill"),
    ("substring('caterpillar', 6, 4)", "pill"),
    ("substring('caterpillar' FROM 6 FOR 4)", "pill"),
    ("translate('most tin', 'inot', 'osin')", "misn nos"),
    ("md5('Amazon Redshift')", "f7415e33f972c03abd4f3fed36748f7a"),
    ("is_valid_json('{\"a\":1}')", True),
    ("is_valid_json('{\"a\":1')", False),
    ("json_extract_path_text('{\"f4\":{\"f6\":\"star\"}}', 'f4', 'f6')", "star"),
    ("json_extract_path_text('{\"a\":1}', 'b')", ""),
    ("json_extract_path_text('{\"a\":1', 'a', true)", None),
    ("abs(-3)", 3),
    ("ceil(1.2)", Decimal(2)),
    ("ceiling(1.2)", Decimal(2)),
    ("floor(1.8)", Decimal(1)),
    ("exp(0)", 1.0),
    ("ln(1)", 0.0),
    ("mod(10, 4)", 2),
    ("power(2, 3)", 8.0),
    ("round(28.05, 1)", Decimal("28.1")),
    ("sign(-5)", -1.0),
    ("sqrt(16)", 4.0),
    ("trunc(111.86, 1)", Decimal("111.8")),
    ("trunc(timestamp '2011-07-21 10:32:38')", dt.date(2011, 7, 21)),
    ("random() < 1", True),
    # r_EXTRACT_function: an integer, and milliseconds without the seconds
    ("extract(ms FROM timestamp '2009-09-09 12:08:43.101')", 101),
    ("extract(week FROM timestamp '2018-12-31')", 1),
    ("extract(dow FROM timestamp '2018-11-04')", 0),
    ("extract(epoch FROM timestamp '2018-11-01 20:57:10.796')", 1541105830),
    ("date_part(hour, timestamp '2018-11-01 20:57:10')", 20),
    ("date_part('dayofyear', timestamp '2018-02-01')", 32),
    ("date_part(w, date '2018-01-01')", 1),
    ("date_trunc('week', timestamp '2018-11-04 10:00:00')", dt.datetime(2018, 10, 29)),
    ("dateadd(day, 1, '2018-11-01')", dt.datetime(2018, 11, 2)),
    ("dateadd(qtr, 1, '2018-11-01')", dt.datetime(2019, 2, 1)),
    (
        "dateadd(ms, 1541105830796, '1970-01-01')",
        dt.datetime(2018, 11, 1, 20, 57, 10, 796000),
    ),
    (
        "timestamp 'epoch' + 1541105830796 / 1000 * interval '1 second'",
        dt.datetime(2018, 11, 1, 20, 57, 10),
    ),
    ("datediff(day, '2018-11-01 23:00', '2018-11-02 01:00')", 1),
    ("datediff(year, '2018-12-31', '2019-01-01')", 1),
    ("datediff(qtr, '1998-07-01', '2008-12-31')", 41),
    ("datediff(week, '2018-11-03', '2018-11-04')", 1),
    ("last_day('2024-02-10')", dt.date(2024, 2, 29)),
    ("to_char(timestamp '2018-11-01 20:57:10', 'YYYY-MM-DD HH24:MI')", "2018-11-01 20:57"),
    ("to_date('02 Oct 2001', 'DD Mon YYYY')", dt.date(2001, 10, 2)),
    ("to_number('12,454.8', '99G999D9')", Decimal("12454.8")),
    ("to_timestamp('2018-11-01', 'YYYY-MM-DD')", dt.datetime(2018, 11, 1, tzinfo=dt.UTC)),
    (
        "convert_timezone('UTC', 'Europe/Paris', timestamp '2018-01-01 00:00')",
        dt.datetime(2018, 1, 1, 1),
    ),
    ("getdate() <= dateadd(day, 1, sysdate)", True),
    # a cast to a shorter text truncates it to bytes at a character boundary
    ("CAST('éé' AS VARCHAR(3))", "é"),
    ("CAST('abc' AS CHAR(2))", "ab"),
    ("CAST('12' AS BIGINT)", 12),
    ("'a\\\\.b' ~ '^a\\\\\\\\'", True),
    ("'dogfish' ~ 'f'", True),
    ("'dogfish' !~ '^f'", True),
    ("'dogfish' LIKE 'dog%'", True),
    ("12 & 10", 8),
    ("12 | 3", 15),
    ("1 << 4", 16),
    ("5 / 2", 2),
    ("'Z' < 'a' AND 'a' < 'é'", True),
    ("version() LIKE 'PostgreSQL 8.0.2%'", True),
    ("current_schema()", "public"),
    ("current_setting('statement_timeout')", "0"),
    ("has_schema_privilege('public', 'create')", True),
    ("has_table_privilege('pg_class', 'select')", True),
    ("pg_last_copy_id()", -1),
    ("pg_last_copy_count()", 0),
    ("pg_backend_pid() > 0", True),
    ("current_database() = current_database()", True),
]
RESULTS += [
    ("sha1('abc')", "a9993e364706816aba3e25717850c26c9cd0d89d"),
    ("func_sha1('')", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
    ("sha('abc')", "a9993e364706816aba3e25717850c26c9cd0d89d"),
    ("sha2('abc', 224)", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"),
    ("octet_length(sha2('abc', 512))", 128),
]

AGGREGATES: list[tuple[str, Any]] = [
    ("any_value(g)", "x"),
    ("avg(n)", Decimal(2)),
    ("bool_and(n > 0)", True),
    ("bool_or(n > 2)", True),
    ("count(*)", 3),
    ("listagg(n, ',') WITHIN GROUP (ORDER BY n DESC)", "3,2,1"),
    ("listagg(DISTINCT g)", "x"),
    ("max(n)", 3),
    ("min(n)", 1),
    ("stddev(n)", Decimal(1)),
    ("stddev_samp(n)", Decimal(1)),
    ("round(stddev_pop(n), 2)", Decimal("0.82")),
    ("sum(n)", 6),
    ("variance(n)", Decimal(1)),
]

WINDOWS: list[tuple[str, list[Any]]] = [
    ("row_number() OVER (ORDER BY n DESC)", [3, 2, 1]),
    ("rank() OVER (ORDER BY g)", [1, 1, 1]),
    ("dense_rank() OVER (ORDER BY n)", [1, 2, 3]),
    ("percent_rank() OVER (ORDER BY n)", [0.0, 0.5, 1.0]),
    ("cume_dist() OVER (ORDER BY g)", [1.0, 1.0, 1.0]),
    ("ntile(3) OVER (ORDER BY n)", [1, 2, 3]),
    ("lag(n) OVER (ORDER BY n)", [None, 1, 2]),
    ("lead(n) OVER (ORDER BY n)", [2, 3, None]),
    ("first_value(n) OVER (ORDER BY n DESC ROWS UNBOUNDED PRECEDING)", [3, 3, 3]),
    ("last_value(n) OVER (ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)", [1, 2, 3]),
    ("nth_value(n, 2) OVER (PARTITION BY g)", [2, 2, 2]),
    ("sum(n) OVER (ORDER BY n ROWS UNBOUNDED PRECEDING)", [1, 3, 6]),
]


def test_functions(redshift: Database) -> None:
    with Client(redshift) as client:
        wrong = []
        for sql, expected in RESULTS:
            found = client.one(f"SELECT {sql}")
            if found != expected or (expected is not None and type(found) is not type(expected)):
                wrong.append((sql, found, expected))
        assert not wrong


def test_aggregates_and_windows(redshift: Database) -> None:
    with Client(redshift) as client:
        client("CREATE TABLE t (g VARCHAR(3), n INT)")
        client("INSERT INTO t VALUES ('x', 1), ('x', 2), ('x', 3)")
        for sql, expected in AGGREGATES:
            assert client.one(f"SELECT {sql} FROM t") == expected, sql
        for sql, values in WINDOWS:
            rows = client(f"SELECT n, {sql} FROM t ORDER BY n")
            assert [row[1] for row in rows] == values, sql


@pytest.mark.parametrize("name", sorted(set(allow.FUNCTIONS)))
def test_every_allowed_function_is_tried(name: str) -> None:
    if allow.FUNCTIONS[name] == "c_join_PG":
        pytest.skip("used by reflection")
    tried = [sql for sql, _ in [*RESULTS, *AGGREGATES, *WINDOWS]]
    assert any(f"{name}(" in sql.lower() for sql in tried)


def test_getdate_is_the_statement_and_sysdate_the_transaction(redshift: Database) -> None:
    """Date_functions_header"""
    with Client(redshift) as client:
        first = client.one("SELECT sysdate")
        assert client.one("SELECT sysdate") == first
        assert client.one("SELECT getdate()").microsecond == 0
