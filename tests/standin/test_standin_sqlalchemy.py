"""SQLAlchemy's Redshift dialect and Alembic, unmodified, over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.dialects import registry

from .server import Database

METADATA = sa.MetaData(schema="app")
USERS = sa.Table(
    "users",
    METADATA,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False, comment="the user's id"),
    sa.Column("email", sa.String(64), nullable=False, unique=True),
    comment="who plays",
    redshift_diststyle="ALL",
)
PLAYS = sa.Table(
    "plays",
    METADATA,
    sa.Column("id", sa.BigInteger, primary_key=True, redshift_identity=(0, 1)),
    sa.Column(
        "user_id", sa.BigInteger, sa.ForeignKey(USERS.c.id), nullable=False, redshift_encode="az64"
    ),
    sa.Column("name", sa.String(32), server_default="it's 100%", comment="'quoted'"),
    sa.Column("at", sa.DateTime),
    sa.Column("amount", sa.Numeric(12, 2)),
    sa.Column("loved", sa.Boolean),
    sa.Column("length", sa.Float),
    comment="what is played",
    redshift_diststyle="KEY",
    redshift_distkey="user_id",
    redshift_sortkey=("at", "user_id"),
)


@pytest.fixture(autouse=True)
def stock_dialect(monkeypatch: pytest.MonkeyPatch) -> None:
    """The dialect of the package, whatever another test has registered instead."""
    from sqlalchemy_redshift.dialect import RedshiftDialect_redshift_connector as Dialect

    monkeypatch.setitem(registry.impls, "redshift.redshift_connector", lambda: Dialect)


@pytest.fixture
def engine(redshift: Database) -> Iterator[sa.Engine]:
    made = sa.create_engine(redshift.url())
    yield made
    made.dispose()


@pytest.fixture
def tables(engine: sa.Engine) -> sa.Engine:
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema("app"))
    METADATA.create_all(engine)
    return engine


def test_reflection_returns_what_was_declared(tables: sa.Engine) -> None:
    inspector = sa.inspect(tables)
    assert (
        inspector.get_schema_names() == ["app", "public"] or "app" in inspector.get_schema_names()
    )
    assert sorted(inspector.get_table_names(schema="app")) == ["plays", "users"]
    assert inspector.has_table("plays", schema="app")
    assert not inspector.has_table("nowhere", schema="app")
    columns: dict[str, Any] = {c["name"]: c for c in inspector.get_columns("plays", schema="app")}
    assert [str(c["type"]) for c in columns.values()] == [
        *("BIGINT", "BIGINT", "VARCHAR(32)", "TIMESTAMP", "NUMERIC(12, 2)", "BOOLEAN"),
        "DOUBLE PRECISION",
    ]
    assert columns["name"]["comment"] == "'quoted'"
    assert not columns["user_id"]["nullable"]
    assert columns["user_id"]["info"] == {"encode": "az64"}
    assert inspector.get_pk_constraint("plays", schema="app")["constrained_columns"] == ["id"]
    (key,) = inspector.get_foreign_keys("plays", schema="app")
    assert (key["referred_schema"], key["referred_table"]) == ("app", "users")
    assert (key["constrained_columns"], key["referred_columns"]) == (["user_id"], ["id"])
    (unique,) = inspector.get_unique_constraints("users", schema="app")
    assert unique["column_names"] == ["email"]
    assert inspector.get_check_constraints("plays", schema="app") == []
    assert inspector.get_indexes("plays", schema="app") == []
    assert inspector.get_table_comment("plays", schema="app") == {"text": "what is played"}
    assert inspector.get_table_options("plays", schema="app") == {
        "redshift_diststyle": "KEY",
        "redshift_distkey": "user_id",
        "redshift_sortkey": ("at", "user_id"),
        "redshift_interleaved_sortkey": None,
    }
    assert inspector.get_table_options("users", schema="app")["redshift_diststyle"] == "ALL"
    reflected = sa.Table("plays", sa.MetaData(), schema="app", autoload_with=tables)
    assert list(reflected.c.keys()) == list(PLAYS.c.keys())


def test_views_are_reflected(tables: sa.Engine) -> None:
    with tables.begin() as connection:
        connection.execute(sa.text("CREATE VIEW app.names AS SELECT name FROM app.plays"))
    inspector = sa.inspect(tables)
    assert inspector.get_view_names(schema="app") == ["names"]
    assert "plays" in inspector.get_view_definition("names", schema="app")


def test_rows_by_core(tables: sa.Engine) -> None:
    with tables.begin() as connection:
        connection.execute(sa.insert(USERS), [{"id": n, "email": f"{n}@x"} for n in range(5)])
        plays = [{"user_id": n, "name": f"n{n}", "loved": None} for n in range(5)]
        connection.execute(sa.insert(PLAYS).values(plays))
        deleted = connection.execute(
            sa.delete(PLAYS).where(PLAYS.c.user_id == USERS.c.id, USERS.c.email == "1@x")
        )
        updated = connection.execute(
            sa.update(PLAYS).values(name="new").where(PLAYS.c.user_id == USERS.c.id, USERS.c.id > 3)
        )
        assert (deleted.rowcount, updated.rowcount) == (1, 1)
        found = connection.execute(
            sa.select(PLAYS.c.user_id, sa.cast(PLAYS.c.name, sa.String(1)))
            .where(sa.exists().where(USERS.c.id == PLAYS.c.user_id))
            .order_by(PLAYS.c.user_id)
        ).all()
    assert [tuple(row) for row in found] == [(0, "n"), (2, "n"), (3, "n"), (4, "n")]


def test_what_the_dialect_sends_wrongly_is_refused(tables: sa.Engine) -> None:
    """RETURNING, which Redshift does not have, and SAVEPOINT: sqlalchemy-redshift issue 281."""
    with tables.begin() as connection, pytest.raises(sa.exc.ProgrammingError, match="RETURNING"):
        connection.execute(sa.insert(PLAYS).values(user_id=1).returning(PLAYS.c.id))
    with tables.connect() as connection, pytest.raises(sa.exc.ProgrammingError, match="SAVEPOINT"):
        connection.begin_nested()


def test_autocommit_and_back(tables: sa.Engine) -> None:
    with tables.connect() as connection:
        alone = connection.execution_options(isolation_level="AUTOCOMMIT")
        alone.execute(sa.text("VACUUM app.plays"))
    with tables.begin() as connection:
        connection.execute(sa.text("DELETE FROM app.plays"))


ENV = """
    from alembic import context
    from alembic.ddl.postgresql import PostgresqlImpl
    import sqlalchemy as sa

    if "redshift" not in __import__("alembic.ddl.impl", fromlist=["_impls"])._impls:
        class RedshiftImpl(PostgresqlImpl):
            __dialect__ = "redshift"

    config = context.config
    engine = sa.create_engine(config.attributes["url"], poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=config.attributes["metadata"],
            include_schemas=True,
            compare_type=True,
            compare_server_default=False,
        )
        with context.begin_transaction():
            connection.execute(sa.text("CREATE SCHEMA IF NOT EXISTS app"))
            context.run_migrations()
"""
TEMPLATE = """
    import sqlalchemy as sa
    import sqlalchemy_redshift
    from alembic import op
    ${imports if imports else ""}
    revision = ${repr(up_revision)}
    down_revision = ${repr(down_revision)}


    def upgrade():
        ${upgrades if upgrades else "pass"}


    def downgrade():
        ${downgrades if downgrades else "pass"}
"""


@pytest.fixture
def alembic_config(redshift: Database, tmp_path: Path) -> Config:
    (tmp_path / "versions").mkdir()
    (tmp_path / "env.py").write_text(dedent(ENV))
    (tmp_path / "script.py.mako").write_text(dedent(TEMPLATE))
    config = Config()
    config.set_main_option("script_location", str(tmp_path))
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = redshift.url()
    config.attributes["metadata"] = METADATA
    return config


@pytest.fixture
def no_returning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this, Alembic's own table gets a RETURNING: sqlalchemy-redshift issue 281."""
    from sqlalchemy_redshift.dialect import RedshiftDialect_redshift_connector as Dialect

    for flag in ("insert_returning", "update_returning", "delete_returning"):
        monkeypatch.setattr(Dialect, flag, False)


@pytest.mark.usefixtures("no_returning")
def test_alembic_up_check_and_down(
    alembic_config: Config, engine: sa.Engine, redshift: Database
) -> None:
    command.revision(alembic_config, "first", autogenerate=True)
    command.upgrade(alembic_config, "head")
    command.check(alembic_config)
    options = sa.inspect(engine).get_table_options("plays", schema="app")
    assert options["redshift_sortkey"] == ("at", "user_id")

    grown = sa.MetaData()
    for table in METADATA.sorted_tables:
        table.to_metadata(grown)
    grown.tables["app.users"].append_column(sa.Column("extra", sa.String(10)))
    alembic_config.attributes["metadata"] = grown
    command.revision(alembic_config, "second", autogenerate=True)
    command.upgrade(alembic_config, "head")
    command.check(alembic_config)
    assert "extra" in {c["name"] for c in sa.inspect(engine).get_columns("users", schema="app")}

    command.downgrade(alembic_config, "base")
    assert sa.inspect(engine).get_table_names(schema="app") == []
    assert any(sql.startswith("\nCREATE TABLE app.plays") for sql in redshift.sql())


def test_alembic_fails_without_that_fix(alembic_config: Config) -> None:
    command.revision(alembic_config, "first", autogenerate=True)
    with pytest.raises(sa.exc.ProgrammingError, match="RETURNING"):
        command.upgrade(alembic_config, "head")
