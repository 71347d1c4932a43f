"""Users log in under their own names, and see and do what they were granted."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from redshift_connector.error import Error

from .buckets import Bucket
from .client import Client
from .server import Database

_numbers = count(1)


@pytest.fixture
def users(redshift: Database) -> Iterator[dict[str, Client]]:
    """A migrator who owns the schema, a loader, and a reader."""
    suffix = next(_numbers)
    names = {role: f"{role}_{suffix}" for role in ("migrator", "loader", "reader")}
    with Client(redshift) as admin:
        for name in names.values():
            admin(f"CREATE USER {name} PASSWORD 'Passw0rd{suffix}'")
        admin(f"GRANT CREATE ON DATABASE {redshift.name} TO {names['migrator']}")
        admin.commit()
    clients = {role: Client(redshift, name) for role, name in names.items()}
    migrator = clients["migrator"]
    migrator("CREATE SCHEMA app")
    migrator("CREATE TABLE app.t (a INT) DISTSTYLE ALL")
    migrator(f"GRANT USAGE ON SCHEMA app TO {names['loader']}, {names['reader']}")
    migrator(
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA app TO {names['loader']}"
    )
    migrator(f"GRANT SELECT ON ALL TABLES IN SCHEMA app TO {names['reader']}")
    migrator.commit()
    yield clients
    for client in clients.values():
        client.close()


def test_each_role_does_its_own(users: dict[str, Client], bucket: Bucket) -> None:
    url = bucket.put("x.json", '{"a": 1}')
    copy = f"COPY app.t FROM '{url}' IAM_ROLE default JSON 'auto'"
    users["loader"](copy)
    users["loader"].commit()
    assert users["reader"]("SELECT a FROM app.t") == [[1]]
    users["reader"].rollback()
    for role, sql in [
        ("reader", "INSERT INTO app.t VALUES (1)"),
        ("reader", "DELETE FROM app.t"),
        ("reader", "LOCK app.t"),
        ("reader", copy),
        ("loader", "TRUNCATE app.t"),
        ("loader", "DROP TABLE app.t"),
        ("loader", "ALTER TABLE app.t ADD COLUMN b INT"),
        ("loader", "CREATE TABLE app.u (a INT)"),
        ("loader", "CREATE SCHEMA other"),
        ("reader", "SELECT * FROM svv_table_info"),
    ]:
        error = users[role].error(sql)
        assert error["C"] == "42501", (role, sql, error)
    assert "for relation t" in users["reader"].error("DELETE FROM app.t")["M"]
    users["loader"]("LOCK app.t")
    users["loader"].rollback()


def test_system_views_show_a_user_his_own_rows(
    users: dict[str, Client], redshift: Database, bucket: Bucket
) -> None:
    """c_visibility-of-data: superusers see all rows, others their own."""
    url = bucket.put("x.json", '{"a": "no number"}')
    users["loader"].error(f"COPY app.t FROM '{url}' IAM_ROLE default JSON 'auto'")
    query = "SELECT count(*) FROM stl_load_errors"
    assert users["loader"].one(query) == 1
    assert users["reader"].one(query) == 0
    assert users["reader"].one("SELECT count(*) FROM stv_sessions") == 1
    with Client(redshift) as admin:
        assert admin.one(query) == 1
        assert admin.one("SELECT count(*) FROM stv_sessions") >= 4
        admin(f"GRANT SELECT ON svv_table_info TO {users['reader'].one('SELECT current_user')}")
        admin.commit()
    users["reader"].rollback()
    assert users["reader"]("SELECT * FROM svv_table_info") == []


def test_everybody_may_create_in_public(users: dict[str, Client]) -> None:
    """r_Schemas_and_tables"""
    users["reader"]("CREATE TABLE public.mine (a INT)")
    users["reader"]("CREATE TEMP TABLE other (a VARCHAR(2))")


def test_groups_roles_and_default_privileges(redshift: Database) -> None:
    """r_GRANT, r_ALTER_DEFAULT_PRIVILEGES"""
    suffix = next(_numbers)
    reader, group, role = f"grouped_{suffix}", f"group_{suffix}", f"role_{suffix}"
    with Client(redshift) as admin:
        admin(f"CREATE USER {reader} WITH PASSWORD 'Passw0rd' NOCREATEDB")
        admin(f"CREATE GROUP {group} WITH USER {reader}")
        admin(f"CREATE ROLE {role}")
        admin(f"GRANT ROLE {role} TO {reader}")
        admin("CREATE SCHEMA app")
        admin(f"GRANT USAGE ON SCHEMA app TO GROUP {group}")
        admin(f"ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO ROLE {role}")
        admin("CREATE TABLE app.t (a INT)")
        admin.commit()
        with Client(redshift, reader) as client:
            assert client("SELECT * FROM app.t") == []
        admin(f"REVOKE ROLE {role} FROM {reader}")
        admin.commit()
        with Client(redshift, reader) as client:
            assert client.error("SELECT * FROM app.t")["C"] == "42501"
        admin(f"ALTER USER {reader} PASSWORD DISABLE")
        admin.commit()
        with pytest.raises(Error, match="28000"):
            Client(redshift, reader)
        for sql in (f"DROP OWNED BY {role}",):
            assert "stand-in" in admin.error(sql)["M"]
    redshift.drop()
    left = redshift.server.admin(f"SELECT 1 FROM pg_roles WHERE rolname IN ('{group}', '{role}')")
    assert left == []


@pytest.mark.parametrize(
    "password", ["short1A", "alllower1", "ALLUPPER1", "NoNumbers", "With/Slash1"]
)
def test_weak_passwords_are_refused(redshift: Database, password: str) -> None:
    """r_CREATE_USER"""
    with Client(redshift) as admin:
        assert "8 to 64" in admin.error(f"CREATE USER weak PASSWORD '{password}'")["M"]
