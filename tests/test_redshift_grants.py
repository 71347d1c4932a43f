"""The grants of docs/redshift.md, executed from the page, and what each user can and cannot do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from standin.buckets import Bucket, S3Server
from standin.client import Client
from standin.server import Database

from sparkify_dwh import DatabaseError, Settings, UsageError, Warehouse

PAGE = Path(__file__).parents[1] / "docs" / "redshift.md"
USERS = ("sparkify_migrator", "sparkify_loader", "analyst")


def block(name: str, database: str) -> list[str]:
    """The statements of a fenced block of the page, with another database name."""
    (text,) = re.findall(rf"```sql grants: {name}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    statements = [part.strip() for part in text.split(";\n") if part.strip()]
    return [re.sub(r"\bdwh\b", database, statement) for statement in statements]


def run(client: Client, name: str, database: Database) -> None:
    for statement in block(name, database.name):
        client(statement)
    client.commit()


@pytest.fixture
def granted(
    redshift: Database, s3_server: S3Server, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Warehouse]]:
    """Opens the warehouse as a user, after all statements of the page."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")

    def warehouse(user: str) -> Warehouse:
        return Warehouse(
            Settings(
                database_url=redshift.url(user),
                log_data=bucket.url("logs/"),
                work_prefix=bucket.url("work/"),
                aws_endpoint_url=s3_server.endpoint_url,
                aws_region="us-east-1",
            )
        )

    with Client(redshift) as admin:
        run(admin, "first", redshift)
        admin("CREATE USER analyst PASSWORD DISABLE")
        admin.commit()
        for user in USERS:
            redshift.server.login(user, "Passw0rd")
        warehouse("sparkify_migrator").migrate()
        with Client(redshift, "sparkify_migrator") as migrator:
            run(migrator, "after the first migration", redshift)
        run(admin, "each reader", redshift)
        yield warehouse


Make = Callable[[str], Warehouse]


def refused(database: Database, user: str, sql: str) -> None:
    with Client(database, user) as client:
        error = client.error(sql)
    assert error["C"] == "42501", (user, sql, error)


def allowed(database: Database, user: str, sql: str) -> None:
    with Client(database, user) as client:
        client(sql)


EVENT = (
    '{"artist":null,"auth":"Logged In","firstName":"A","gender":"F","itemInSession":0,'
    '"lastName":"B","length":null,"level":"free","location":"X","method":"GET","page":"Home",'
    '"registration":1540000000000.0,"sessionId":1,"song":null,"status":200,"ts":1541105830796,'
    '"userAgent":"u","userId":"39"}'
)

# The migrator ------------------------------------------------------------------------------------


def test_the_migrator_migrates(granted: Make) -> None:
    warehouse = granted("sparkify_migrator")
    assert warehouse.schema_status().state == "current"
    assert warehouse.migrate("base").database == ()
    assert warehouse.migrate().state == "current"


def test_the_migrator_is_not_an_administrator(granted: Make, redshift: Database) -> None:
    for sql in ("CREATE USER other PASSWORD 'Passw0rd1'", "DROP USER analyst", "CREATE ROLE other"):
        refused(redshift, "sparkify_migrator", sql)


# The loader --------------------------------------------------------------------------------------


def test_the_loader_loads(granted: Make, bucket: Bucket, redshift: Database) -> None:
    bucket.put("logs/a.json", EVENT + "\n")
    loaded = granted("sparkify_loader").load()
    assert loaded.event == "loaded"
    with Client(redshift, "analyst") as reader:
        assert reader("SELECT user_id, level FROM sparkify.users") == [[39, "free"]]


def test_the_loader_reads_its_records(granted: Make) -> None:
    loader = granted("sparkify_loader")
    assert loader.schema_status().state == "current"
    assert loader.check().passed
    assert len(loader.runs()) == len(loader.rejects()) == 0
    assert "No run so far" in loader.report().html


LOADER_MAY = [
    "CREATE TEMP TABLE t (a INT)",
    "LOCK audit.load_lock",
    "DELETE FROM sparkify.users",
    "UPDATE sparkify.users SET level = 'paid'",
    "SELECT * FROM public.alembic_version",
]


def test_the_loader_may(granted: Make, redshift: Database) -> None:
    for sql in LOADER_MAY:
        allowed(redshift, "sparkify_loader", sql)


LOADER_MAY_NOT = [
    "CREATE TABLE sparkify.t (a INT)",
    "CREATE TABLE public.t (a INT)",
    "CREATE SCHEMA other",
    "ALTER TABLE sparkify.users ADD COLUMN x INT",
    "DROP TABLE sparkify.users",
    "TRUNCATE sparkify.users",
    "COMMENT ON TABLE sparkify.users IS 'mine'",
    "DELETE FROM public.alembic_version",
]


def test_the_loader_may_not(granted: Make, redshift: Database) -> None:
    for sql in LOADER_MAY_NOT:
        refused(redshift, "sparkify_loader", sql)


def test_the_loader_cannot_migrate(granted: Make) -> None:
    with pytest.raises(DatabaseError, match=r"must be owner|permission denied") as caught:
        granted("sparkify_loader").migrate("base")
    assert caught.value.exit_code == 5
    assert "docs/redshift.md lists the grants" in caught.value.hint
    assert granted("sparkify_loader").schema_status().state == "current"


# Readers -----------------------------------------------------------------------------------------


def test_a_reader_sees_the_star(granted: Make) -> None:
    for table in ("songs", "artists", "users", "time", "songplays"):
        found = granted("analyst").query(f'SELECT count(*) FROM sparkify."{table}"')
        assert found.rows == [(0,)]
    with pytest.raises(DatabaseError, match="permission denied"):
        granted("analyst").report()


READER_MAY_NOT = [
    "SELECT * FROM staging.events",
    "SELECT * FROM audit.rejected_row",
    "SELECT * FROM audit.load_run",
    "INSERT INTO sparkify.users (user_id) VALUES (1)",
    "UPDATE sparkify.users SET level = 'paid'",
    "DELETE FROM sparkify.users",
    "TRUNCATE sparkify.users",
    "LOCK sparkify.users",
    "LOCK audit.load_lock",
    "CREATE TABLE public.t (a INT)",
    "CREATE TABLE sparkify.t (a INT)",
    "DROP TABLE sparkify.users",
]


def test_a_reader_may_not(granted: Make, redshift: Database) -> None:
    for sql in READER_MAY_NOT:
        refused(redshift, "analyst", sql)


def test_a_reader_cannot_load(granted: Make, bucket: Bucket) -> None:
    bucket.put("logs/a.json", EVENT)
    with pytest.raises(DatabaseError, match="permission denied") as caught:
        granted("analyst").load()
    assert "docs/redshift.md lists the grants" in caught.value.hint


def test_later_tables_are_granted_too(granted: Make, redshift: Database) -> None:
    """Through the default privileges of the page."""
    with Client(redshift, "sparkify_migrator") as migrator:
        for schema in ("sparkify", "staging", "audit"):
            migrator(f"CREATE TABLE {schema}.later (a INT)")
        migrator.commit()
    allowed(redshift, "analyst", "SELECT * FROM sparkify.later")
    refused(redshift, "analyst", "SELECT * FROM staging.later")
    refused(redshift, "analyst", "SELECT * FROM audit.later")
    for schema in ("sparkify", "staging", "audit"):
        allowed(redshift, "sparkify_loader", f"INSERT INTO {schema}.later VALUES (1)")


def test_without_the_grants_nothing_is_visible(granted: Make, redshift: Database) -> None:
    """A user whom the page does not mention."""
    redshift.server.login("stranger", "Passw0rd")
    redshift.roles.append("stranger")
    for table in ("sparkify.users", "staging.events", "audit.load_run"):
        refused(redshift, "stranger", f"SELECT * FROM {table}")


# Queries only read, for any user ---------------------------------------------------------------


def test_a_query_changes_nothing(granted: Make, redshift: Database) -> None:
    with Client(redshift, "sparkify_migrator") as migrator:
        migrator(
            "INSERT INTO sparkify.users (user_id, level, last_seen_at) "
            "VALUES (1, 'free', '2020-01-01')"
        )
        migrator.commit()
    owner = granted("sparkify_migrator")
    for sql in (
        "TRUNCATE sparkify.users",
        "DELETE FROM sparkify.users",
        "INSERT INTO sparkify.users (user_id) VALUES (2)",
        "DROP TABLE sparkify.users",
    ):
        with pytest.raises(UsageError, match="read-only transaction"):
            owner.query(sql)
    assert owner.query("SELECT count(*) FROM sparkify.users").rows == [(1,)]


def test_a_query_may_hold_percent_signs(granted: Make) -> None:
    found = granted("analyst").query("SELECT 7 % 4 AS a, 'x%%y' AS b, '%s' LIKE '%' AS c")
    assert found.rows == [(3, "x%%y", True)]


def test_a_wrong_query_is_reported_in_one_line(granted: Make) -> None:
    with pytest.raises(UsageError, match=r'^the query failed: column "nothing" does not exist$'):
        granted("analyst").query("SELECT nothing FROM sparkify.users")
