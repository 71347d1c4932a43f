"""The views that show what COPY read and refused."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from .buckets import Bucket
from .client import Client
from .server import Database

# View and its columns, in the order of its page
SHAPES = {
    "stl_load_errors": "userid slice tbl starttime session query filename line_number colname type "
    "col_length position raw_line raw_field_value err_code err_reason is_partial start_offset "
    "copy_job_id",
    "sys_load_error_detail": "user_id query_id transaction_id session_id database_name table_id "
    "start_time file_name line_number column_name column_type column_length position error_code "
    "error_message",
    "stl_load_commits": "userid query slice name filename byte_offset lines_scanned errors curtime "
    "status file_format is_partial start_offset copy_job_id",
    "sys_load_detail": "user_id query_id file_name bytes_scanned lines_scanned record_time "
    "splits_scanned start_time end_time file_etag file_last_modified",
    "sys_load_history": "user_id query_id transaction_id session_id database_name status "
    "table_name start_time end_time duration data_source file_format loaded_rows loaded_bytes "
    "source_file_count source_file_bytes file_count_scanned file_bytes_scanned error_count "
    "copy_job_id",
}


@pytest.fixture
def client(redshift: Database) -> Iterator[Client]:
    with Client(redshift) as connected:
        connected("CREATE TABLE t (id INT, name VARCHAR(4))")
        connected.commit()
        yield connected


@pytest.mark.parametrize("view", SHAPES)
def test_shapes(client: Client, view: str) -> None:
    """r_STL_LOAD_ERRORS, SYS_LOAD_ERROR_DETAIL, r_STL_LOAD_COMMITS, SYS_LOAD_DETAIL,
    SYS_LOAD_HISTORY"""
    cursor = client.connection.cursor()
    cursor.execute(f"SELECT * FROM {view}")
    assert [column[0] for column in cursor.description] == SHAPES[view].split()


def copy(source: str, options: str = "MAXERROR 100") -> str:
    return f"COPY t FROM '{source}' IAM_ROLE default JSON 'auto' {options}"


def test_an_error_in_full(client: Client, bucket: Bucket) -> None:
    """r_STL_LOAD_ERRORS: the line is the last one of the object; multi-byte characters are shown as
    dots; text is padded."""
    data = '{"id": 1}\n{"id": 2,\n "name": "ééé"\n}\n{"id": 3}'
    url = bucket.put("x.json", data)
    client(copy(url))
    session = client.one("SELECT pg_backend_pid()")
    query = client.one("SELECT pg_last_copy_id()")
    error = client(
        "SELECT session, query, filename, line_number, colname, type, col_length, raw_line, "
        "raw_field_value, err_code, err_reason, start_offset, tbl FROM stl_load_errors"
    )[0]
    assert error[:2] == [session, query]
    assert [
        len(text) for text in (error[2], error[4], error[5], error[7], error[8], error[10])
    ] == [*(256, 127, 10, 1024, 1024, 100)]
    assert [text.strip() if isinstance(text, str) else text for text in error[2:12]] == [
        url,
        4,
        "name",
        "varchar",
        "4",
        '{"id": 2,\n "name": "..."\n}',
        "ééé",
        1204,
        "String length exceeds DDL length",
        10,
    ]
    assert error[12] == client.one("SELECT 't'::regclass::oid")
    detail = client(
        "SELECT query_id, session_id, database_name, table_id, file_name, line_number, "
        "column_name, column_type, column_length, error_code, error_message "
        "FROM sys_load_error_detail"
    )[0]
    assert [text.strip() if isinstance(text, str) else text for text in detail] == [
        *(query, session, client.one("SELECT current_database()"), error[12], url, 4),
        *("name", "varchar", "4", 1204, "String length exceeds DDL length"),
    ]


def test_errors_outlive_a_rollback(client: Client, bucket: Bucket) -> None:
    """PG_LAST_COPY_ID: after a rollback the error is found by session, file and time."""
    url = bucket.put("x.json", '{"id": "x"}')
    session = client.one("SELECT pg_backend_pid()")
    client.error(copy(url, ""))
    found = client(
        "SELECT err_code FROM stl_load_errors WHERE session = %s AND rtrim(filename) = %s",
        session,
        url,
    )
    assert found == [[1207]]
    assert client("SELECT status, error_count FROM sys_load_history") == [["aborted", 1]]


def test_errors_are_seen_before_the_commit(client: Client, bucket: Bucket) -> None:
    """System views are not transactional: a loader reads them before it commits."""
    client("SELECT 1 FROM t")
    client(copy(bucket.put("x.json", '{"id": "x"}{"id": 1}')))
    assert client.one("SELECT count(*) FROM sys_load_error_detail") == 1
    client.rollback()
    assert client.one("SELECT count(*) FROM sys_load_error_detail") == 1


def test_the_views_may_lag(redshift: Database, client: Client, bucket: Bucket) -> None:
    redshift.log.lag = 0.5
    client(copy(bucket.put("x.json", '{"id": "x"}')))
    query = "SELECT count(*) FROM sys_load_error_detail"
    assert client.one(query) == 0
    deadline = time.monotonic() + 30
    while client.one(query) == 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert client.one(query) == 1


def test_files_with_their_lines(client: Client, bucket: Bucket) -> None:
    """SYS_LOAD_DETAIL: lines scanned, including those that MAXERROR tolerates; the record does not
    mean that the load was committed (r_STL_LOAD_COMMITS)."""
    first = bucket.put("d/1.json", '{"id": 1}\n{"id": "x"}\n')
    second = bucket.put("d/2.json", '{"id": 2}')
    empty = bucket.put("d/3.json", "")
    client(copy(bucket.url("d/")))
    query = client.one("SELECT pg_last_copy_id()")
    etag = bucket.client.head_object(Bucket=bucket.name, Key="d/1.json")["ETag"].strip('"')
    client.rollback()
    detail = client(
        "SELECT rtrim(file_name), lines_scanned, bytes_scanned, rtrim(file_etag) "
        f"FROM sys_load_detail WHERE query_id = {query} ORDER BY 1"
    )
    assert [row[:3] for row in detail] == [[first, 2, 22], [second, 1, 9], [empty, 0, 0]]
    assert detail[0][3] == etag
    commits = client("SELECT rtrim(filename), lines_scanned FROM stl_load_commits ORDER BY 1")
    assert commits == [[first, 2], [second, 1], [empty, 0]]
    history = client(
        "SELECT status, table_name, data_source, loaded_rows, source_file_count, error_count "
        "FROM sys_load_history"
    )
    assert history == [["completed", "t", bucket.url("d/"), 2, 3, 1]]


def test_each_database_has_its_own_log(redshift: Database, client: Client, bucket: Bucket) -> None:
    client(copy(bucket.put("x.json", "x")))
    other = redshift.server.database()
    with Client(other) as stranger:
        assert stranger.one("SELECT count(*) FROM stl_load_errors") == 0
    other.drop()
