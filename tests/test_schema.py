"""Models and migrations: what they make on each engine, there and back, and their golden SQL."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from sparkify_dwh import SPARKIFY, SchemaVersionError, Settings, UsageError, Warehouse
from sparkify_dwh.dialects.redshift.dialect import RedshiftDialect
from sparkify_dwh.models.base import Base

ROOT = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden"
SCHEMAS = ("staging", "sparkify", "audit")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(database_url=f"duckdb:///{tmp_path}/w.duckdb")


def tables(warehouse: Warehouse) -> set[str]:
    found = sa.inspect(warehouse.engine)
    return {f"{s}.{t}" for s in found.get_schema_names() for t in found.get_table_names(s)}


ALL = {f"{t.schema}.{t.name}" for t in Base.metadata.tables.values()}


def test_up_down_and_up_again(settings: Settings) -> None:
    warehouse = Warehouse(settings)
    assert warehouse.schema_status().state == "missing"
    assert warehouse.migrate().state == "current"
    assert tables(warehouse) == {*ALL, "main.alembic_version"}
    assert warehouse.migrate("base").database == ()
    assert tables(warehouse) == {"main.alembic_version"}
    assert not set(SCHEMAS) & set(sa.inspect(warehouse.engine).get_schema_names())
    assert warehouse.migrate().state == "current"
    assert warehouse.migrate().state == "current"  # again: nothing to do


def test_alembic_from_the_checkout(settings: Settings) -> None:
    """`alembic upgrade head` and `alembic check` work where alembic.ini lies."""
    assert "sqlalchemy.url" not in (ROOT / "alembic.ini").read_text()
    environment = {**os.environ, "SPARKIFY_DATABASE_URL": settings.database_url}
    for arguments in (["upgrade", "head"], ["check"], ["downgrade", "base"], ["upgrade", "head"]):
        done = subprocess.run(
            [sys.executable, "-m", "alembic", *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert tables(Warehouse(settings)) >= ALL


def test_alembic_takes_the_url_of_one_command(tmp_path: Path, settings: Settings) -> None:
    other = f"duckdb:///{tmp_path}/other.duckdb"
    done = subprocess.run(
        [sys.executable, "-m", "alembic", "-x", f"database_url={other}", "upgrade", "head"],
        cwd=ROOT,
        env={**os.environ, "SPARKIFY_DATABASE_URL": settings.database_url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "other.duckdb").exists() and not (tmp_path / "w.duckdb").exists()


def test_comments_reach_the_database(settings: Settings) -> None:
    warehouse = Warehouse(settings)
    warehouse.migrate()
    inspector = sa.inspect(warehouse.engine)
    for table in Base.metadata.tables.values():
        assert table.comment, table.name
        assert inspector.get_table_comment(table.name, table.schema)["text"] == table.comment
        reflected = {c["name"]: c for c in inspector.get_columns(table.name, table.schema)}
        for column in table.columns:
            assert column.comment, f"{table.name}.{column.name}"
            assert reflected[column.name]["comment"] == column.comment


def test_every_constraint_has_a_name() -> None:
    for table in Base.metadata.tables.values():
        for constraint in table.constraints:
            if not (isinstance(constraint, sa.PrimaryKeyConstraint) and not constraint.columns):
                assert constraint.name, table


def redshift_sql() -> str:
    url = "redshift+redshift_connector://loader@example.invalid:5439/dwh"
    return Warehouse(Settings(database_url=url)).migration_sql()


def test_redshift_golden_sql() -> None:
    """What a migration sends to Redshift is held to the letter: `alembic check` is blind to it."""
    golden = GOLDEN / "redshift_upgrade.sql"
    found = redshift_sql()
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(found)
    assert found == golden.read_text()


def test_redshift_golden_sql_parses() -> None:
    from sqlfluff.core import Linter

    parsed = Linter(dialect="redshift").parse_string((GOLDEN / "redshift_upgrade.sql").read_text())
    assert not parsed.violations, parsed.violations[:3]


@pytest.mark.parametrize("word", ["RETURNING", "CHECK", "CREATE INDEX", "SERIAL", " TEXT"])
def test_redshift_sql_has_nothing_that_redshift_lacks(word: str) -> None:
    without_comments = re.sub(r"IS '(?:[^']|'')*'", "", redshift_sql())
    assert word not in without_comments


def test_sqlfluff_would_notice() -> None:
    from sqlfluff.core import Linter

    for wrong in (
        "INSERT INTO a (b) VALUES (1) RETURNING b;\n",
        "CREATE TABLE a (CHECK (b > 0));\n",
    ):
        assert Linter(dialect="redshift").parse_string(wrong).violations


def test_the_migrations_make_what_the_models_say() -> None:
    """Distribution and sort keys, widths and keys included, which autogenerate cannot compare."""
    sql = re.sub(r"(?m)^--.*$", "", redshift_sql())
    statements = {
        statement.strip().split("(", 1)[0]: " ".join(statement.split())
        for statement in sql.split(";")
        if statement.strip().startswith("CREATE TABLE")
    }
    for name, added in re.findall(r"ALTER TABLE (\S+) ADD COLUMN ([^;]+);", sql):
        made = f"CREATE TABLE {name} "
        # Added columns come last, and constraints after all columns.
        statements[made] = statements[made].replace(", CONSTRAINT", f", {added}, CONSTRAINT", 1)
    for table in Base.metadata.sorted_tables:
        made = " ".join(
            str(sa.schema.CreateTable(table).compile(dialect=RedshiftDialect())).split()
        )
        # Autogenerate lists foreign keys in an order of its own.
        parts = [
            sorted(re.split(r", (?=CONSTRAINT)| \) DI", s))
            for s in (made, statements[made.split("(", 1)[0]])
        ]
        assert parts[0] == parts[1]


def test_keys_of_the_star_are_declared_on_redshift() -> None:
    ddl = redshift_sql()
    for target in SPARKIFY.targets:
        assert f"CONSTRAINT pk_{target.name} PRIMARY KEY ({', '.join(target.key)})" in ddl
    assert ddl.count("FOREIGN KEY") == 5


def test_staging_is_four_times_as_wide_as_what_it_feeds() -> None:
    for source in SPARKIFY.sources:
        for field in source.fields:
            column = source.staging.c[field.column]
            assert isinstance(column.type, sa.String) and column.type.length is not None
            assert 64 <= column.type.length <= 65535
            if field.width:
                assert column.type.length >= min(65535, 4 * field.width)


def test_a_newer_schema_is_refused(settings: Settings) -> None:
    warehouse = Warehouse(settings)
    warehouse.migrate()
    with warehouse.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    assert warehouse.schema_status().state == "newer"
    newer = Warehouse(Settings(database_url=settings.database_url, log_data=str(GOLDEN)))
    with pytest.raises(SchemaVersionError, match="newer than this library"):
        newer.load()


def test_an_unknown_revision_is_refused(settings: Settings) -> None:
    with pytest.raises(UsageError, match="cannot migrate to nowhere"):
        Warehouse(settings).migrate("nowhere")


def test_autogenerate_finds_nothing(settings: Settings) -> None:
    Warehouse(settings).migrate()
    config = Config(str(ROOT / "alembic.ini"))
    config.attributes["settings"] = settings
    command.check(config)
