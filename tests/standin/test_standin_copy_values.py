"""COPY from S3: the values of fields, and the load errors of those that do not fit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .buckets import Bucket
from .client import Client
from .server import Standin


@pytest.fixture(scope="module")
def shared(standin: Standin) -> Iterator[Client]:
    """One database for all tests here, since each of them rolls back."""
    database = standin.database()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(standin.ca_file))
        with Client(database) as connected:
            yield connected
    database.drop()


@pytest.fixture
def client(shared: Client) -> Iterator[Client]:
    shared("CREATE TABLE t (id INT, name VARCHAR(8))")
    yield shared
    shared.rollback()


def copy(source: str, options: str = "", table: str = "t") -> str:
    return f"COPY {table} FROM '{source}' IAM_ROLE default FORMAT AS JSON 'auto' {options}"


def rows(client: Client, table: str = "t") -> list[list[object]]:
    return client(f"SELECT * FROM {table} ORDER BY 1, 2")


# --- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("INT", '""', None),
        ("INT", '" "', None),
        ("INT", '"39"', 39),
        ("BIGINT", "9223372036854775807", 9223372036854775807),
        ("DOUBLE PRECISION", "1.5431e12", 1.5431e12),
        ("DOUBLE PRECISION", '""', None),
        ("DECIMAL(5,2)", "1.239", "1.23"),
        ("DECIMAL(5,2)", '"-1.239"', "-1.23"),
        ("BOOLEAN", "true", True),
        ("BOOLEAN", '"no"', False),
        ("DATE", '"2018-11-01"', "2018-11-01"),
        ("TIMESTAMP", '"2018-11-01 20:57:10"', "2018-11-01 20:57:10"),
        ("TIMESTAMP", '""', None),
        ("VARCHAR(3)", '""', ""),
        ("VARCHAR(3)", "null", None),
        ("CHAR(3)", '"a"', "a  "),
    ],
)
def test_values(client: Client, bucket: Bucket, kind: str, value: str, expected: object) -> None:
    """copy-parameters-data-conversion: an empty field of any type but text is NULL, and COPY
    truncates the scale of a decimal."""
    client(f"CREATE TABLE v (a {kind}, b INT)")
    client(copy(bucket.put("x.json", f'{{"a": {value}}}'), table="v"))
    found = client("SELECT a FROM v")[0][0]
    assert (str(found) if isinstance(expected, str) else found) == expected


@pytest.mark.parametrize(
    ("kind", "data", "code", "reason"),
    [
        ("INT", b'{"a": "x1"}', 1207, "Invalid digit, Value 'x', Pos 0, Type: Integer"),
        ("BIGINT", b'{"a": 39.0}', 1207, "Invalid digit, Value '.', Pos 2, Type: Long"),
        ("SMALLINT", b'{"a": 32768}', 1222, "Overflow, Type: Short"),
        ("BIGINT", b'{"a": 9223372036854775808}', 1222, "Overflow, Type: Long"),
        ("DOUBLE PRECISION", b'{"a": "x"}', 1208, "Invalid digit"),
        ("DOUBLE PRECISION", b'{"a": 1e999}', 1208, "Invalid digit"),
        ("DECIMAL(4,2)", b'{"a": 100}', 1204, "Overflow"),
        ("DECIMAL(4,2)", b'{"a": "x"}', 1209, "Invalid digit"),
        ("BOOLEAN", b'{"a": "maybe"}', 1210, "Unknown boolean format"),
        ("DATE", b'{"a": "01.02.2018"}', 1205, "Invalid Date Format"),
        ("TIMESTAMP", b'{"a": "yesterday"}', 1206, "Invalid timestamp"),
        ("TIMESTAMP", b'{"a": 1541105830796}', 1206, "Invalid timestamp"),
        ("VARCHAR(3)", '{"a": "éé"}'.encode(), 1204, "String length exceeds DDL length"),
        ("VARCHAR(9)", b'{"a": "\xff\xfe"}', 1220, "Bad UTF8 hex sequence: ff"),
        ("VARCHAR(9)", b'{"a": "\\ud800"}', 1220, "Bad UTF8 hex sequence: d800"),
        ("VARCHAR(9)", b'{"a": "x\\u0000"}', 1220, "Bad UTF8 hex sequence: 0000"),
        ("INT NOT NULL", b'{"a": null}', 1213, "Missing data for not-null field"),
        ("INT NOT NULL", b'{"A": 1}', 1213, "Missing data for not-null field"),
        ("INT", b"[1, 2]", 1216, "Invalid JSONPath format: Member is not an object."),
        ("INT", b"17", 1216, "Member is not an object"),
        ("INT", b'{"a": 1', 1216, "malformed"),
        ("INT", b'{"a": NaN}', 1216, "malformed"),
        ("INT", b'{"a": 1,}', 1216, "malformed"),
        ("INT", '{"a": 1}'.encode("utf-16"), 1216, "malformed"),
        ("VARCHAR(9)", b'{"a": "' + b"x" * (4 * 1024 * 1024) + b'"}', 1216, "4 MB"),
    ],
)
def test_load_errors(
    client: Client, bucket: Bucket, kind: str, data: bytes, code: int, reason: str
) -> None:
    """r_Load_Error_Reference"""
    client(f"CREATE TABLE v (a {kind})")
    client(copy(bucket.put("x.json", data), "MAXERROR 9", table="v"))
    found = client(
        "SELECT err_code, err_reason FROM stl_load_errors WHERE query = pg_last_copy_id()"
    )
    assert found[0][0] == code
    assert reason in found[0][1]


def test_after_a_malformed_record_it_goes_on_at_the_next_line(
    client: Client, bucket: Bucket
) -> None:
    """An assumption: the guide does not say."""
    data = (
        '{"id": 1}\n{"id": 2\n{"id": 3}\nrubbish\n{"id": 4} {"id": oops} {"id": 5}\n'
        '{\n  "id": 6,\n  "name" "x"\n}\n{"id": 7}\n'
    )
    client(copy(bucket.put("x.json", data), "MAXERROR 10"))
    assert [row[0] for row in rows(client)] == [1, 3, 4, 7]
    assert client(
        "SELECT line_number FROM stl_load_errors WHERE query = pg_last_copy_id() ORDER BY 1"
    ) == [[2], [4], [5], [9]]


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("TIMEFORMAT 'epochmillisecs'", "1541105830796", "2018-11-01 20:57:10.796000"),
        ("TIMEFORMAT AS 'epochsecs'", "1541105830", "2018-11-01 20:57:10"),
        ("TIMEFORMAT 'auto'", '"2018-11-01T20:57:10Z"', "2018-11-01 20:57:10"),
    ],
)
def test_timeformat(client: Client, bucket: Bucket, option: str, value: str, expected: str) -> None:
    """copy-parameters-data-conversion"""
    client("CREATE TABLE v (a TIMESTAMP)")
    client(copy(bucket.put("x.json", f'{{"a": {value}}}'), option, table="v"))
    assert str(client.one("SELECT a FROM v")) == expected


def test_truncatecolumns_cuts_on_the_border_of_a_character(client: Client, bucket: Bucket) -> None:
    """copy-parameters-data-conversion"""
    client("CREATE TABLE v (a VARCHAR(3), b INT)")
    client(copy(bucket.put("x.json", '{"a": "ééé"}'), "TRUNCATECOLUMNS", table="v"))
    assert rows(client, "v") == [["é", None]]
    assert client.one("SELECT error_count FROM sys_load_history ORDER BY query_id DESC") == 0


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("EMPTYASNULL", b"", None),
        ("EMPTYASNULL", b" ", " "),
        ("BLANKSASNULL", b"  ", None),
        ("BLANKSASNULL", b"", ""),
        ("ACCEPTINVCHARS", b"a\xffb", "a?b"),
        ("ACCEPTINVCHARS AS '^'", b"a\xffb", "a^b"),
    ],
)
def test_conversions_of_text(
    client: Client, bucket: Bucket, option: str, value: bytes, expected: str | None
) -> None:
    """copy-parameters-data-conversion"""
    client("CREATE TABLE v (a VARCHAR(9))")
    client(copy(bucket.put("x.json", b'{"a": "' + value + b'"}'), option, table="v"))
    assert client.one("SELECT a FROM v") == expected
