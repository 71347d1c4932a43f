"""Transactions as on Redshift: what commits, what is not allowed inside, what conflicts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from redshift_connector.error import Error

from .client import Client
from .server import Database, Isolation


def test_ddl_and_rows_roll_back_together(redshift: Database) -> None:
    with Client(redshift) as client:
        client("CREATE TABLE t (a INT)")
        client("INSERT INTO t VALUES (1)")
        client.rollback()
        assert client.error("SELECT * FROM t")["C"] == "42P01"


def test_truncate_commits_everything_before_it(redshift: Database) -> None:
    """r_TRUNCATE: it commits the transaction in which it runs."""
    with Client(redshift) as client:
        client("CREATE TABLE t (a INT)")
        client("CREATE TABLE u (a INT)")
        client("INSERT INTO u VALUES (1)")
        client("TRUNCATE t")
        assert client.connection.in_transaction is False
        client.rollback()
        assert client.one("SELECT count(*) FROM u") == 1


@pytest.mark.parametrize(
    ("sql", "command"),
    [
        ("VACUUM t", "VACUUM"),
        ("VACUUM DELETE ONLY t TO 75 PERCENT BOOST", "VACUUM"),
        ("CREATE DATABASE d", "CREATE DATABASE"),
        ("DROP DATABASE d", "DROP DATABASE"),
        ("CREATE LIBRARY l", "CREATE LIBRARY"),
        ("ALTER TABLE t ALTER COLUMN a TYPE VARCHAR(9)", "ALTER TABLE ALTER COLUMN"),
    ],
)
def test_not_inside_a_transaction_block(redshift: Database, sql: str, command: str) -> None:
    """r_SVL_MULTI_STATEMENT_VIOLATIONS and the pages of each statement"""
    with Client(redshift) as client:
        client("CREATE TABLE t (a VARCHAR(3))")
        client.commit()
        error = client.error(sql)
        assert error["C"] == "25001"
        assert error["M"] == f"{command} cannot run inside a transaction block"


@pytest.mark.parametrize(
    "sql",
    [
        "VACUUM",
        "VACUUM t",
        "VACUUM FULL t",
        "VACUUM SORT ONLY t",
        "VACUUM DELETE ONLY t TO 99 PERCENT",
        "VACUUM REINDEX t",
        "ANALYZE",
        "ANALYZE t",
        "ANALYZE VERBOSE t (a)",
        "ANALYZE t PREDICATE COLUMNS",
    ],
)
def test_housekeeping_outside_of_one(redshift: Database, sql: str) -> None:
    """r_VACUUM_command, r_ANALYZE"""
    with Client(redshift) as client:
        client("CREATE TABLE t (a INT)")
        client.commit()
        client.autocommit = True
        client(sql)


def test_analyze_may_be_inside(redshift: Database) -> None:
    with Client(redshift) as client:
        client("CREATE TABLE t (a INT)")
        client("ANALYZE t")


@pytest.mark.parametrize("sql", ["CREATE DATABASE d", "CREATE LIBRARY l"])
def test_what_has_nothing_behind_it_is_not_pretended(redshift: Database, sql: str) -> None:
    with Client(redshift) as client:
        client.autocommit = True
        with pytest.raises(Error, match="stand-in"):
            client(sql)


def test_begin_accepts_an_isolation_level_and_ignores_it(redshift: Database) -> None:
    """r_BEGIN"""
    with Client(redshift) as client:
        client.autocommit = True
        client("BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY")
        client("SELECT 1")
        client("END")
        client("START TRANSACTION")
        client("ABORT")


def _in_thread(action: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    result: list[object] = []

    def run() -> None:
        try:
            result.append(action())
        except Error as error:
            result.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, result


def _waiting(client: Client, expected: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if client.one("SELECT count(*) FROM svv_transactions WHERE NOT granted") == expected:
            client.rollback()
            return
        client.rollback()
        time.sleep(0.01)
    raise AssertionError("nobody waits")


@pytest.mark.parametrize("isolation", ["SNAPSHOT", "SERIALIZABLE"])
def test_lock_first_and_the_snapshot_comes_after_the_wait(
    make_redshift: Callable[[Isolation], Database], isolation: Isolation
) -> None:
    """r_LOCK, c_serial_isolation: the snapshot is taken by the first statement after LOCK."""
    database = make_redshift(isolation)
    with Client(database) as first, Client(database) as second, Client(database) as watcher:
        first("CREATE TABLE gate (id INT)")
        first("CREATE TABLE t (a INT)")
        first.commit()
        first("LOCK TABLE gate")
        second("SELECT 1")
        second.rollback()

        def load() -> int:
            second("LOCK gate")
            second("DELETE FROM t")
            second("INSERT INTO t VALUES (2)")
            second.commit()
            return int(second.one("SELECT max(a) FROM t"))

        thread, result = _in_thread(load)
        _waiting(watcher, 1)
        first("DELETE FROM t")
        first("INSERT INTO t VALUES (1)")
        first.commit()
        thread.join(30)
        assert result == [2]


@pytest.mark.parametrize("isolation", ["SNAPSHOT", "SERIALIZABLE"])
def test_eight_loaders_one_after_the_other(
    make_redshift: Callable[[Isolation], Database], isolation: Isolation
) -> None:
    """With LOCK first no row is lost or doubled, and there is no error 1023."""
    database = make_redshift(isolation)
    with Client(database) as admin:
        admin("CREATE TABLE gate (id INT)")
        admin("CREATE TABLE t (id INT PRIMARY KEY, n INT)")
        admin("INSERT INTO t VALUES (1, 0)")
        admin.commit()

    def load() -> int:
        with Client(database) as client:
            client("LOCK gate")
            total = int(client.one("SELECT n FROM t"))
            client("DELETE FROM t WHERE id = 1")
            client("INSERT INTO t VALUES (1, %s)", total + 1)
            client.commit()
            return total

    threads = [_in_thread(load) for _ in range(8)]
    for thread, _ in threads:
        thread.join(60)
    assert {result[0] for _, result in threads} == set(range(8))
    with Client(database) as admin:
        assert admin("SELECT id, n FROM t") == [[1, 8]]


def test_lock_outside_of_a_transaction_block_means_nothing(redshift: Database) -> None:
    """r_LOCK: without effect outside a block; it accepts neither a mode nor NOWAIT."""
    with Client(redshift) as client:
        client("CREATE TABLE t (a INT)")
        client.commit()
        assert client.error("LOCK t IN SHARE MODE")["C"] == "42601"
        assert client.error("LOCK t NOWAIT")["C"] == "42601"
        client.autocommit = True
        client("LOCK t")


def _cycle(database: Database) -> dict[str, str] | None:
    """The second's error, where two transactions each read and then write the same table."""
    with Client(database) as first, Client(database) as second:
        first("CREATE TABLE t (id INT, a INT)")
        first("INSERT INTO t VALUES (1, 0), (2, 0)")
        first.commit()
        for client in (first, second):
            client("SELECT sum(a) FROM t")
        first("UPDATE t SET a = 1 WHERE id = 1")
        first.commit()
        try:
            second("UPDATE t SET a = 1 WHERE id = 2")
            second.commit()
        except Error as error:
            fields: dict[str, str] = error.args[0]
            return fields
        return None


def test_serializable_refuses_a_cycle_with_1023(
    make_redshift: Callable[[Isolation], Database],
) -> None:
    """c_serial_isolation: even for different rows, since conflicts are found by table."""
    error = _cycle(make_redshift("SERIALIZABLE"))
    assert error is not None
    assert (error["C"], error["M"]) == ("XX000", "1023")
    assert "Serializable isolation violation on table" in error["D"]


def test_snapshot_lets_writers_of_different_rows_commit(
    make_redshift: Callable[[Isolation], Database],
) -> None:
    """what's-new 2024/05"""
    assert _cycle(make_redshift("SNAPSHOT")) is None


@pytest.mark.parametrize("isolation", ["SNAPSHOT", "SERIALIZABLE"])
def test_writers_of_one_row_collide_under_both(
    make_redshift: Callable[[Isolation], Database], isolation: Isolation
) -> None:
    database = make_redshift(isolation)
    with Client(database) as first, Client(database) as second:
        first("CREATE TABLE t (a INT)")
        first("INSERT INTO t VALUES (0)")
        first.commit()
        second("SELECT 1 FROM t")
        first("UPDATE t SET a = 1")
        first.commit()
        assert second.error("UPDATE t SET a = 2")["M"] == "1023"


def test_snapshot_lets_two_loaders_insert_the_same_new_key(redshift: Database) -> None:
    """Nothing prevents it: keys are informational."""
    with Client(redshift) as first, Client(redshift) as second:
        first("CREATE TABLE t (a INT PRIMARY KEY)")
        first.commit()
        for client in (first, second):
            client("DELETE FROM t WHERE a = 1")
            client("INSERT INTO t VALUES (1)")
        first.commit()
        second.commit()
        assert first.one("SELECT count(*) FROM t") == 2


def test_a_reader_sees_before_or_after(redshift: Database) -> None:
    with Client(redshift) as writer, Client(redshift) as reader:
        writer("CREATE TABLE t (a INT)")
        writer("INSERT INTO t VALUES (1)")
        writer.commit()
        writer("DELETE FROM t")
        assert reader.one("SELECT count(*) FROM t") == 1
        writer.commit()
        assert reader.one("SELECT count(*) FROM t") == 1
        reader.rollback()
        assert reader.one("SELECT count(*) FROM t") == 0
