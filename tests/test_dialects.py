"""Each trap of the stock dialects is corrected, and by our correction."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.sql.dml import Delete

from sparkify_dwh import Settings, Warehouse
from sparkify_dwh.core.errors import DatabaseError
from sparkify_dwh.dialects.duckdb.dialect import DuckDBDialect
from sparkify_dwh.dialects.redshift.dialect import RedshiftDialect
from sparkify_dwh.models.expressions import (
    BLANK_CHARACTERS,
    BLANKS,
    Clean,
    EpochMs,
    HasBit,
    HasNul,
    Matches,
    Octets,
    differs,
    greater,
    integer,
    number,
)

METADATA = sa.MetaData()
SONGS = sa.Table(
    "songs",
    METADATA,
    sa.Column("song_id", sa.BigInteger, primary_key=True, redshift_identity=(0, 1)),
    sa.Column("title", sa.String(64), unique=True),
    sa.Column("year", sa.SmallInteger, sa.CheckConstraint("year > 0", name="year_positive")),
)
PLAYS = sa.Table(
    "plays", METADATA, sa.Column("song_id", sa.BigInteger, sa.ForeignKey("songs.song_id"))
)
WIPE = sa.delete(SONGS).where(sa.exists().where(PLAYS.c.song_id == SONGS.c.song_id))


def sql(statement: Any, dialect: sa.Dialect) -> str:
    return " ".join(str(statement.compile(dialect=dialect)).split())


class TestRedshift:
    def test_delete_with_exists_stays_correlated(self) -> None:
        assert sql(WIPE, RedshiftDialect()) == (
            "DELETE FROM songs WHERE EXISTS (SELECT * FROM plays "
            "WHERE plays.song_id = songs.song_id)"
        )

    def test_the_stock_dialect_empties_the_table(self) -> None:
        """Without the correction the trap still exists, so the test above can fail."""
        from sqlalchemy_redshift.dialect import visit_delete_stmt

        corrected = Delete.__dict__["_compiler_dispatcher"].specs["redshift"]
        specs = Delete.__dict__["_compiler_dispatcher"].specs
        try:
            specs["redshift"] = visit_delete_stmt
            assert "FROM plays, songs" in sql(WIPE, RedshiftDialect())
        finally:
            specs["redshift"] = corrected

    def test_delete_using_survives_a_function(self) -> None:
        statement = sa.delete(SONGS).where(SONGS.c.song_id == sa.func.coalesce(PLAYS.c.song_id, 0))
        assert sql(statement, RedshiftDialect()).startswith("DELETE FROM songs USING plays WHERE")

    def test_no_returning(self) -> None:
        assert "RETURNING" not in sql(sa.insert(SONGS).values(title="x"), RedshiftDialect())
        from sqlalchemy_redshift.dialect import RedshiftDialect_redshift_connector

        assert "RETURNING" in sql(
            sa.insert(SONGS).values(title="x"), RedshiftDialect_redshift_connector()
        )

    def test_ddl_keeps_keys_and_identity_and_drops_check(self) -> None:
        ddl = sql(sa.schema.CreateTable(SONGS), RedshiftDialect())
        assert "song_id BIGINT IDENTITY(0,1) NOT NULL" in ddl
        assert "PRIMARY KEY (song_id)" in ddl and "UNIQUE (title)" in ddl
        assert "CHECK" not in ddl and ",," not in ddl.replace(" ", "")
        from sqlalchemy_redshift.dialect import RedshiftDialect_redshift_connector

        stock = RedshiftDialect_redshift_connector()
        assert "CHECK" in sql(sa.schema.CreateTable(SONGS), stock)

    def test_a_time_keeps_its_milliseconds_and_both_counts_fit_32_bits(self) -> None:
        assert sql(EpochMs(sa.column("ts")), RedshiftDialect()) == (
            "dateadd(ms, CAST(mod(ts, 86400000) AS INTEGER), dateadd(day, "
            "CAST((ts) / 86400000 AS INTEGER), TIMESTAMP '1970-01-01 00:00:00'))"
        )

    def test_other_expressions(self) -> None:
        text, dialect = sa.column("x", sa.String), RedshiftDialect(paramstyle="named")
        assert sql(Clean(text, BLANKS), dialect) == "nullif(btrim(x, :blanks), '')"
        assert sql(Octets(text), dialect) == "octet_length(x)"
        assert sql(Matches(text, sa.literal("^a$")), dialect) == "x ~ :param_1"
        assert sql(HasNul(text), dialect) == "(strpos(x, chr(0)) > 0)"
        bit = sql(HasBit(sa.column("mask"), 4), dialect)
        assert bit == "((mask & CAST(:has_bit_1 AS BIGINT)) <> 0)"


class TestDuckDB:
    def test_no_keys_in_ddl(self) -> None:
        for table in (SONGS, PLAYS):
            ddl = sql(sa.schema.CreateTable(table), DuckDBDialect())
            assert not any(word in ddl for word in ("PRIMARY KEY", "FOREIGN KEY", "UNIQUE"))
        from duckdb_sqlalchemy import Dialect as Stock

        assert "FOREIGN KEY" in sql(sa.schema.CreateTable(PLAYS), Stock())

    def test_schema_names_are_plain(self, tmp_path: Path) -> None:
        engine = sa.create_engine(f"duckdb:///{tmp_path}/w.duckdb")
        with engine.begin() as connection:
            connection.execute(sa.schema.CreateSchema("staging"))
        assert {"staging", "main"} <= set(sa.inspect(engine).get_schema_names())
        engine.dispose()

    def test_an_engine_made_after_the_import_has_the_corrected_dialect(self) -> None:
        assert type(sa.create_engine("duckdb://").dialect) is DuckDBDialect
        url = "redshift+redshift_connector://u:p@h:5439/d"
        assert type(sa.create_engine(url).dialect) is RedshiftDialect


@pytest.fixture(scope="module")
def duckdb_connection() -> Any:
    engine = sa.create_engine("duckdb://")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def value(connection: sa.Connection, expression: Any) -> Any:
    return connection.execute(sa.select(expression)).scalar()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((t, int(float(t))) for t in ("39", "39.0", "-7", "0", "1.5431e12", "1e2", "-0")),
        ("999999999999999999", 999999999999999999),
        *(
            (t, None)
            for t in ("12.7", "1_000", "0x1F", " 39", "39 ", "+5", "1e-1", "", "abc", "true")
        ),
        *((t, None) for t in ("9999999999999999999", "NaN", "Infinity", "1e999", "9e18", "１２")),
    ],
)
def test_integers_in_text(duckdb_connection: sa.Connection, text: str, expected: Any) -> None:
    """DuckDB's own TRY_CAST reads '12.7' as 13, '1_000' as 1000 and '0x1F' as 31."""
    assert value(duckdb_connection, integer(sa.literal(text))) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("246.30812", 246.30812),
        ("1e2", 100.0),
        ("-0.5", -0.5),
        *((t, None) for t in ("1e999", "NaN", "Infinity", "1.", ".5", "1e", " 1", "", "0x1F")),
        ("1234567890123456", None),
    ],
)
def test_numbers_in_text(duckdb_connection: sa.Connection, text: str, expected: Any) -> None:
    assert value(duckdb_connection, number(sa.literal(text))) == expected


@pytest.mark.parametrize("blank", list(BLANK_CHARACTERS), ids=lambda c: f"U+{ord(c):04X}")
def test_trim_removes_what_python_strips(duckdb_connection: sa.Connection, blank: str) -> None:
    for text in (f"{blank}a b", f"a b{blank}", f"{blank}é{blank}", blank, ""):
        expected = text.strip() or None
        assert value(duckdb_connection, Clean(sa.literal(text), BLANKS)) == expected


def test_the_blanks_are_those_of_python() -> None:
    assert set(BLANK_CHARACTERS) == {c for c in map(chr, range(0x110000)) if not c.strip()}


def test_greater_and_differs_put_null_lowest(duckdb_connection: sa.Connection) -> None:
    rows = [(None, 1), (1, None), (1, 1), (2, None), (None, None), (1, 2)]

    def literal(row: Any) -> list[Any]:
        return [sa.cast(sa.literal(v), sa.Integer) for v in row]

    def rank(row: Any) -> Any:
        return [(v is not None, v or 0) for v in row]

    for one in rows:
        for other in rows:
            found = value(duckdb_connection, greater(literal(one), literal(other)))
            assert bool(found) == (rank(one) > rank(other)), (one, other)
            found = value(duckdb_connection, differs(literal(one)[0], literal(other)[0]))
            assert bool(found) == (one[0] != other[0]), (one, other)


def test_a_time_keeps_its_milliseconds(duckdb_connection: sa.Connection) -> None:
    found = value(duckdb_connection, EpochMs(sa.literal(1541105830796, sa.BigInteger)))
    assert found.isoformat() == "2018-11-01T20:57:10.796000"


def test_an_unknown_engine_is_refused_loudly() -> None:
    with pytest.raises(sa.exc.UnsupportedCompilationError):
        Clean(sa.column("x"), BLANKS).compile(
            dialect=importlib.import_module("sqlalchemy.dialects.sqlite").dialect()
        )


@pytest.mark.parametrize(("limit", "counted"), [("800MiB", "700.0 MiB"), ("8GiB", "7.0 GiB")])
def test_duckdb_counts_to_seven_eighths_of_the_memory_limit(
    tmp_path: Path, limit: str, counted: str
) -> None:
    """It uses more memory than it counts."""
    settings = Settings(database_url=f"duckdb:///{tmp_path / 'x.duckdb'}", memory_limit=limit)
    with Warehouse(settings).engine.connect() as connection:
        shown = connection.execute(sa.select(sa.func.current_setting("memory_limit"))).scalar_one()
    assert shown == counted


@pytest.mark.parametrize("limit", ["much", "2", "80%", "1GiB'", "-1GiB", "1e999GiB"])
def test_an_invalid_memory_limit_is_refused(tmp_path: Path, limit: str) -> None:
    settings = Settings(database_url=f"duckdb:///{tmp_path / 'x.duckdb'}", memory_limit=limit)
    with pytest.raises(DatabaseError, match="rejects the memory limit") as caught:
        Warehouse(settings).migrate()
    assert caught.value.hint == "write it like 2GiB"
