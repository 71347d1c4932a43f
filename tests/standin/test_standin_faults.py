"""The faults that a test can set, and the recorded statements of a client."""

from __future__ import annotations

import struct

import pytest
from redshift_connector.error import Error

from .client import Client
from .faults import When
from .server import Database

# redshift_connector 2.2.0 reads a message together with the head of the next one. If the connection
# ends between the two, it parses what is left as a message and raises whatever error that causes.
LOST = (Error, OSError, KeyError, struct.error)


def _table(database: Database) -> None:
    with Client(database) as client:
        client("CREATE TABLE t (a INT, b VARCHAR(9))")
        client.commit()
    database.statements.clear()


def _rows(database: Database) -> int:
    with Client(database) as client:
        return int(client.one("SELECT count(*) FROM t"))


def test_statements_are_recorded_in_order_with_their_values(redshift: Database) -> None:
    _table(redshift)
    with Client(redshift) as client:
        client("INSERT INTO t VALUES (%s, %s)", 7, "seven")
        client("INSERT INTO t VALUES (%s, %s)", 8, None)
        client.commit()
        session = client.one("SELECT pg_backend_pid()")
    insert = "INSERT INTO t VALUES ($1, $2)"
    assert [(s.sql, s.parameters) for s in redshift.statements[:4]] == [
        ("begin transaction", ()),
        (insert, (7, "seven")),
        (insert, (8, None)),
        ("commit", ()),
    ]
    assert {s.session for s in redshift.statements} == {session}
    assert {s.user for s in redshift.statements} == {"awsuser"}
    assert redshift.sql()[3] == "commit"


def test_a_named_statement_fails_once(redshift: Database) -> None:
    _table(redshift)
    redshift.faults.fail(r"^insert into t\b", "Disk Full", "53100", detail="try later")
    with Client(redshift) as client:
        error = client.error("INSERT INTO t VALUES (1)")
        assert (error["M"], error["C"], error["D"]) == ("Disk Full", "53100", "try later")
        client("INSERT INTO t VALUES (1)")


def test_a_failed_statement_aborts_the_transaction(redshift: Database) -> None:
    _table(redshift)
    redshift.faults.fail("select 42", "no")
    with Client(redshift) as client:
        client("INSERT INTO t VALUES (1)")
        with pytest.raises(Error):
            client("SELECT 42")
        client.commit()
    assert _rows(redshift) == 0


@pytest.mark.parametrize(("when", "rows"), [("before", 0), ("after", 1)])
def test_the_connection_drops_around_commit(redshift: Database, when: When, rows: int) -> None:
    _table(redshift)
    redshift.faults.drop("^commit", when)
    client = Client(redshift)
    client("INSERT INTO t VALUES (1)")
    with pytest.raises(LOST):
        client.commit()
    client.close()
    assert _rows(redshift) == rows


@pytest.mark.parametrize("number", range(1, 16))
def test_the_connection_drops_at_any_message(redshift: Database, number: int) -> None:
    _table(redshift)
    client = Client(redshift)
    redshift.faults.drop_at_message(number)

    def insert() -> None:
        for value in range(10):
            client("INSERT INTO t VALUES (%s)", value)

    with pytest.raises(LOST):
        insert()
    client.close()
    redshift.faults.clear()
    assert _rows(redshift) == 0


def test_the_messages_of_a_client_are_recorded(redshift: Database) -> None:
    with Client(redshift) as client:
        seen = redshift.faults.watch_messages()
        client("SELECT 42")
        kinds = list(seen)
        redshift.faults.clear()
        client("SELECT 43")
    assert {b"P", b"B", b"E", b"S"} <= {*kinds} and seen == kinds


def test_a_function_runs_before_a_statement(redshift: Database) -> None:
    _table(redshift)
    seen: list[str] = []
    redshift.faults.call("insert", lambda statement: seen.append(str(statement)), times=-1)
    with Client(redshift) as client:
        client("INSERT INTO t VALUES (1)")
        client("INSERT INTO t VALUES (2)")
        redshift.faults.clear()
        client("INSERT INTO t VALUES (3)")
    assert seen == ["INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2)"]


def test_a_defect_of_the_standin_is_a_server_error(redshift: Database) -> None:
    _table(redshift)

    def broken(_: object) -> None:
        raise ZeroDivisionError

    redshift.faults.call("insert", broken)
    client = Client(redshift)
    with pytest.raises(Error, match="internal error"):
        client("INSERT INTO t VALUES (1)")
    client.close()
