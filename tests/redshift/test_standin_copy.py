"""COPY from S3: what it reads, how it reads it, and what it says when it cannot."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator

import pytest
from redshift_connector.error import Error

from .buckets import Bucket, S3Server
from .client import Client
from .copy_command import CopyCommand, parse_copy
from .errors import RedshiftError
from .server import Database
from .tokens import tokenize

pytest_plugins = [f"{__package__}.fixtures"]

ROLE = "arn:aws:iam::123456789012:role/loader"


@pytest.fixture
def client(redshift: Database) -> Iterator[Client]:
    with Client(redshift) as connected:
        connected("CREATE TABLE t (id INT, name VARCHAR(8))")
        connected.commit()
        yield connected


def copy(source: str, options: str = "", table: str = "t") -> str:
    return f"COPY {table} FROM '{source}' IAM_ROLE default FORMAT AS JSON 'auto' {options}"


def rows(client: Client, table: str = "t") -> list[list[object]]:
    return client(f"SELECT * FROM {table} ORDER BY 1, 2")


# --- the data files ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        '{"id": 1, "name": "a"}\n{"id": 2, "name": "b"}\n',
        '{"id": 1, "name": "a"}{"id": 2, "name": "b"}',
        '{"id": 1,\n "name": "a"}\n\n{\n"id": 2,\n"name": "b"\n}',
        '{"id": 1, "name": "a"}\r\n  {"id": 2, "name": "b"}  \r\n',
        '\ufeff{"id": "1", "name": "a", "other": {"x": [1]}} {"name": "b", "id": 2}',
    ],
)
def test_a_file_is_a_stream_of_objects(client: Client, bucket: Bucket, data: str) -> None:
    """copy-parameters-data-format: no newline is needed between objects, unknown keys are left."""
    client(copy(bucket.put("d/x.json", data)))
    assert rows(client) == [[1, "a"], [2, "b"]]
    assert client.one("SELECT pg_last_copy_count()") == 2


def test_an_empty_file_has_no_rows(client: Client, bucket: Bucket) -> None:
    bucket.put("d/x.json", "")
    bucket.put("d/y.json", " \n\n")
    client(copy(bucket.url("d/")))
    assert client.one("SELECT pg_last_copy_count()") == 0


def test_from_names_a_prefix_and_not_a_folder(client: Client, bucket: Bucket) -> None:
    """copy-parameters-data-source-s3"""
    bucket.put("cust/x.json", '{"id": 1}')
    bucket.put("cust_1/x.json", '{"id": 2}')
    client(copy(bucket.url("cust")))
    assert rows(client) == [[1, None], [2, None]]
    client.rollback()
    client(copy(bucket.url("cust/")))
    assert rows(client) == [[1, None]]


def test_many_objects_are_listed_to_the_end(client: Client, bucket: Bucket) -> None:
    for number in range(1005):
        bucket.put(f"d/{number:04}.json", b'{"id": 1}' if number > 999 else b"")
    client(copy(bucket.url("d/")))
    assert client.one("SELECT count(*) FROM t") == 5


def test_gzip_with_several_members(client: Client, bucket: Bucket) -> None:
    """copy-parameters-file-compression"""
    data = gzip.compress(b'{"id": 1}\n') + gzip.compress(b'{"id": 2}\n')
    url = bucket.put("x.json.gz", data)
    client(copy(url, "GZIP"))
    assert client.one("SELECT count(*) FROM t") == 2
    client.commit()
    assert "zlib" in client.error(copy(bucket.put("no.gz", b'{"id": 1}'), "GZIP"))["M"]
    assert "failed" in client.error(copy(url))["M"]


# --- which field goes where ----------------------------------------------------------------------


def test_auto_is_case_sensitive_and_ignorecase_is_not(client: Client, bucket: Bucket) -> None:
    """copy-parameters-data-format: columns are lower-case, so firstName does not match 'auto'."""
    client("CREATE TABLE u (firstName VARCHAR(9), userid INT)")
    url = bucket.put("x.json", '{"firstName": "Ada", "userId": 7}')
    client(copy(url, table="u"))
    assert rows(client, "u") == [[None, None]]
    client("DELETE FROM u")
    client(copy(url, table="u").replace("'auto'", "'auto ignorecase'"))
    assert rows(client, "u") == [["Ada", 7]]


def test_defaults_hold_for_columns_left_out_only(client: Client, bucket: Bucket) -> None:
    """copy-parameters-column-mapping: a listed column without a key is NULL."""
    client("CREATE TABLE d (a INT DEFAULT 5, b INT DEFAULT 6, i BIGINT IDENTITY(1, 1))")
    url = bucket.put("x.json", "{}")
    client(copy(url, table="d (a)"))
    client(copy(url, table="d"))
    assert client("SELECT a, b, i FROM d ORDER BY i") == [[None, 6, 1], [None, None, 2]]


@pytest.mark.parametrize(
    "paths",
    [
        ["$['person']['name']", "$['ids'][1]"],
        ["$.person.name", "$.ids[1]"],
    ],
)
def test_jsonpaths_in_the_order_of_the_column_list(
    client: Client, bucket: Bucket, paths: list[str]
) -> None:
    """copy-usage_notes-copy-from-json"""
    url = bucket.put("d/x.json", '{"person": {"name": "Ada"}, "ids": [6, 7]} [1] {"ids": []}')
    where = bucket.put("paths.json", json.dumps({"jsonpaths": paths}))
    client(copy(url, table="t (name, id)").replace("'auto'", f"'{where}'"))
    assert rows(client) == [[7, "Ada"], [None, None], [None, None]]


def test_jsonpaths_of_arrays(client: Client, bucket: Bucket) -> None:
    url = bucket.put("d/x.json", '[1, "a"]\n[2, "b"]')
    where = bucket.put("paths.json", '{"jsonpaths": ["$[0]", "$[1]"]}')
    client(copy(url).replace("'auto'", f"'{where}'"))
    assert rows(client) == [[1, "a"], [2, "b"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            '{"jsonpaths": ["$.id"]}',
            "JSONPath size: 1, Number of columns in table or column list: 2",
        ),
        ('{"jsonpaths": ["$.id", "$[\'name\']"]}', "cannot be mixed"),
        ('{"jsonpaths": ["$.*", "$.name"]}', "wildcards"),
        ('{"jsonpaths": ["$.id", "$.a[?(@.x)]"]}', "filters"),
        ("nothing", "not a JSON document"),
    ],
)
def test_jsonpaths_that_are_wrong(
    client: Client, bucket: Bucket, content: str, message: str
) -> None:
    url, where = bucket.put("d/x.json", "{}"), bucket.put("paths.json", content)
    assert message in client.error(copy(url).replace("'auto'", f"'{where}'"))["M"]


def test_a_wrong_top_key_falls_back_to_auto_in_silence(client: Client, bucket: Bucket) -> None:
    """copy-usage_notes-copy-from-json"""
    url = bucket.put("d/x.json", '{"id": 1, "name": "a"}')
    where = bucket.put("paths.json", '{"jsonPaths": ["$.name", "$.id"]}')
    client(copy(url).replace("'auto'", f"'{where}'"))
    assert rows(client) == [[1, "a"]]


def test_a_jsonpaths_file_under_the_prefix_is_read_as_data(client: Client, bucket: Bucket) -> None:
    """copy-parameters-data-format"""
    bucket.put("d/x.json", '{"id": 1, "name": "a"}')
    where = bucket.put("d/paths.json", '{"jsonpaths": ["$.id", "$.name"]}')
    error = client.error(copy(bucket.url("d/")).replace("'auto'", f"'{where}'"))
    assert "failed" in error["M"]


def test_nested_values_become_strings(client: Client, bucket: Bucket) -> None:
    """copy-usage_notes-copy-from-json: with their brackets."""
    client("CREATE TABLE n (a VARCHAR(60), b VARCHAR(60), c VARCHAR(60), d VARCHAR(60))")
    data = '{"a": ["nisi", 1.50, null], "b": {"id": 1, "name": "é\\n"}, "c": true, "d": 1.50}'
    client(copy(bucket.put("x.json", data), table="n"))
    assert rows(client, "n") == [['["nisi",1.50,null]', '{"id":1,"name":"é\\n"}', "true", "1.50"]]


def test_escapes(client: Client, bucket: Bucket) -> None:
    r"""copy-usage_notes-copy-from-json: \n, \t and \\ come out as such."""
    client("CREATE TABLE e (a VARCHAR(60))")
    value = "back\\slash\nline\ttab \\N \"q\" 'q' \\. é"
    client(copy(bucket.put("x.json", json.dumps({"a": value})), table="e"))
    assert client("SELECT a FROM e") == [[value]]


# --- manifests -----------------------------------------------------------------------------------


def manifest(bucket: Bucket, *entries: tuple[str, bool | None]) -> str:
    listed = [
        {"url": url} if mandatory is None else {"url": url, "mandatory": mandatory}
        for url, mandatory in entries
    ]
    return bucket.put("m/manifest", json.dumps({"entries": listed}))


def test_a_manifest_names_the_files_and_twice_loads_twice(client: Client, bucket: Bucket) -> None:
    """loading-data-files-using-manifest"""
    url = bucket.put("a.json", '{"id": 1}')
    bucket.put("a.json.other", '{"id": 2}')
    client(copy(manifest(bucket, (url, True), (url, True)), "MANIFEST"))
    assert rows(client) == [[1, None], [1, None]]


def test_mandatory_decides_about_missing_files(client: Client, bucket: Bucket) -> None:
    """loading-data-files-using-manifest: not mandatory is the default, and skipped in silence."""
    url = bucket.put("a.json", '{"id": 1}')
    client(copy(manifest(bucket, (url, True), (bucket.url("gone"), None)), "MANIFEST"))
    assert client.one("SELECT pg_last_copy_count()") == 1
    client.commit()
    missing = copy(manifest(bucket, (url, True), (bucket.url("gone"), True)), "MANIFEST")
    assert "Error NoSuchKey" in client.error(missing)["M"]
    nothing = copy(manifest(bucket, (bucket.url("gone"), False)), "MANIFEST")
    assert "does not exist" in client.error(nothing)["M"]


def test_a_manifest_that_cannot_be_read(client: Client, bucket: Bucket) -> None:
    """r_Load_Error_Reference 8001"""
    error = client.error(copy(bucket.url("none"), "MANIFEST"))
    assert error["M"] == "COPY with MANIFEST parameter requires full path of an S3 object."
    assert "code:      8001" in error["D"]
    assert "not valid JSON" in client.error(copy(bucket.put("m", "[]"), "MANIFEST"))["M"]


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
    """copy-parameters-data-conversion: an empty field of any other type than text is NULL, and
    COPY cuts the scale of a decimal."""
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
    found = client("SELECT err_code, err_reason FROM stl_load_errors")
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
    assert client("SELECT line_number FROM stl_load_errors ORDER BY 1") == [[2], [4], [5], [9]]


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
    assert client.one("SELECT count(*) FROM stl_load_errors") == 0


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


# --- errors and transactions ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("maxerror", "fails"),
    [
        ("", True),
        ("MAXERROR 0", True),
        ("MAXERROR 1", True),
        ("MAXERROR 3", True),
        ("MAXERROR AS 4", False),
    ],
)
def test_maxerror_fails_at_that_many_errors(
    client: Client, bucket: Bucket, maxerror: str, fails: bool
) -> None:
    """copy-parameters-data-load: the load fails when errors reach the number; 0 and 1 are alike."""
    data = '{"id": "x"}\n{"id": 1}\n{"id": "y"}\n{"id": "z"}\n'
    sql = copy(bucket.put("x.json", data), maxerror)
    if fails:
        error = client.error(sql)
        assert error["M"] == (
            "Load into table 't' failed.  Check 'stl_load_errors' system table for details."
        )
        assert rows(client) == []
    else:
        client(sql)
        assert rows(client) == [[1, None]]
        notices = [
            note[b"M"].decode() if b"M" in note else note["M"] for note in client.connection.notices
        ]
        assert notices[-2:] == [
            "Load into table 't' completed, 1 record(s) loaded successfully.",
            "Load into table 't' completed, 3 record(s) could not be loaded.  "
            "Check 'stl_load_errors' system table for details.",
        ]


def test_a_failing_copy_aborts_the_transaction(client: Client, bucket: Bucket) -> None:
    client("INSERT INTO t VALUES (1, 'kept?')")
    with pytest.raises(Error):
        client(copy(bucket.put("x.json", '{"id": "x"}')))
    assert client.error("SELECT 1")["C"] == "25P02"
    assert rows(client) == []


def test_copy_belongs_to_the_transaction(client: Client, bucket: Bucket) -> None:
    """copy-usage_notes-multiple-files"""
    url = bucket.put("x.json", '{"id": 1}')
    client("DELETE FROM t")
    client(copy(url))
    client.rollback()
    assert rows(client) == []
    client.rollback()
    client.autocommit = True
    client(copy(url))
    client(copy(url))
    assert len(rows(client)) == 2, "rows are appended"


def test_noload_reads_and_loads_nothing(client: Client, bucket: Bucket) -> None:
    """copy-parameters-data-load"""
    client(copy(bucket.put("x.json", '{"id": 1}'), "NOLOAD"))
    assert rows(client) == []
    client.commit()
    assert "failed" in client.error(copy(bucket.put("y.json", '{"id": "x"}'), "NOLOAD"))["M"]


def test_the_last_copy_is_known_until_it_is_rolled_back(client: Client, bucket: Bucket) -> None:
    """PG_LAST_COPY_ID: not updated by a COPY whose transaction is rolled back."""
    url = bucket.put("x.json", '{"id": 1}{"id": 2}')
    client(copy(url))
    client.commit()
    first = client.one("SELECT pg_last_copy_id()")
    assert client.one("SELECT pg_last_copy_count()") == 2
    client(copy(url))
    assert client.one("SELECT pg_last_copy_id()") == first + 1
    client.rollback()
    assert client.one("SELECT pg_last_copy_id()") == first
    with pytest.raises(Error):
        client(copy(bucket.put("y.json", "x")))
    client.rollback()
    assert client.one("SELECT pg_last_copy_id()") == first


def test_a_repeated_copy_reads_again(client: Client, bucket: Bucket) -> None:
    """The driver sends Bind alone for a statement that it has prepared."""
    url = bucket.put("x.json", '{"id": 1}')
    client(copy(url))
    bucket.put("x.json", '{"id": 2}')
    client(copy(url))
    assert rows(client) == [[1, None], [2, None]]


def test_unknown_table_and_column(client: Client, bucket: Bucket) -> None:
    url = bucket.put("x.json", "{}")
    assert client.error(copy(url, table="nowhere"))["C"] == "42P01"
    assert client.error(copy(url, table="t (id, nope)"))["C"] == "42703"


# --- S3 ------------------------------------------------------------------------------------------


def test_s3_in_trouble(redshift: Database, client: Client, bucket: Bucket) -> None:
    url = bucket.put("d/x.json", '{"id": 1}')
    store = redshift.store
    store.denied.add(bucket.url("d/"))
    error = client.error(copy(url))
    assert "S3ServiceException:Access Denied,Status 403,Error AccessDenied" in error["M"]
    assert f"S3 key being read : {url}" in error["D"]
    store.denied.clear()
    store.throttled = 1
    assert "Error SlowDown" in client.error(copy(url))["M"]
    store.unassumable.add(ROLE)
    sql = copy(url).replace("default", f"'{ROLE}'")
    assert f"is not authorized to assume IAM Role {ROLE}" in client.error(sql)["M"]
    store.unassumable.clear()
    client(sql)
    client.rollback()
    assert "does not exist" in client.error(copy(bucket.url("none/")))["M"]
    assert "Error NoSuchBucket" in client.error(copy("s3://no-such-bucket/x"))["M"]


def test_another_region_must_be_named(client: Client, s3_server: S3Server) -> None:
    """copy-parameters-data-source-s3"""
    s3_server.client.create_bucket(
        Bucket="far-away", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )
    url = Bucket("far-away", s3_server.client).put("x.json", '{"id": 1}')
    error = client.error(copy(url))
    assert "Status 301,Error PermanentRedirect" in error["M"]
    client(copy(url, "REGION 'us-west-2'"))
    assert rows(client) == [[1, None]]


def test_an_object_overwritten_between_listing_and_copy(
    redshift: Database, client: Client, bucket: Bucket
) -> None:
    url = bucket.put("x.json", '{"id": 1}')
    redshift.faults.call("^copy", lambda _: bucket.put("x.json", '{"id": 2}'))
    client(copy(url))
    assert rows(client) == [[2, None]]


# --- the command itself --------------------------------------------------------------------------


def parsed(sql: str) -> CopyCommand:
    return parse_copy(tokenize(sql))


def test_every_option_in_any_order() -> None:
    command = parsed(
        "copy \"App\".t (\"Id\", name) from 's3://bkt/it''s/' "
        "gzip manifest noload truncatecolumns emptyasnull blanksasnull acceptinvchars "
        f"maxerror as 7 region as 'eu-west-1' compupdate off statupdate on "
        f"iam_role '{ROLE},{ROLE}' timeformat 'auto' json as 's3://bkt/p.json'"
    )
    assert command.table == '"app"."t"'
    assert command.columns == ("id", "name")
    assert str(command.source) == "s3://bkt/it's/"
    assert (command.maxerror, command.region, command.json) == (7, "eu-west-1", "s3://bkt/p.json")
    assert command.gzip
    assert command.manifest
    assert command.noload
    assert command.truncate
    assert command.replacement == "?"


@pytest.mark.parametrize(
    "options",
    ["compupdate", "compupdate on", "compupdate preset", "statupdate true", "statupdate off"],
)
def test_update_options(options: str) -> None:
    """copy-parameters-data-load: ON, OFF, and for COMPUPDATE also PRESET."""
    sql = f"copy t from 's3://bkt/x' iam_role default json 'auto' {options}"
    if options.endswith("true"):
        with pytest.raises(RedshiftError, match="TRUE"):
            parsed(sql)
    else:
        parsed(sql)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("copy t from 's3://bkt/x' json 'auto'", "IAM_ROLE"),
        ("copy t from 's3://bkt/x' iam_role 'loader' json 'auto'", "Invalid IAM role"),
        ("copy t from 's3://bkt/x' iam_role 'arn:aws:iam::12:role/x' json 'auto'", "Invalid IAM"),
        ("copy t from 's3://bkt/x' credentials 'aws_iam_role=x' json 'auto'", "CREDENTIALS"),
        ("copy t from 's3://bkt/x' access_key_id 'x' json 'auto'", "ACCESS_KEY_ID"),
        ("copy t from 's3://bkt/x' iam_role default", "other than JSON"),
        ("copy t from 's3://bkt/x' iam_role default format parquet", "PARQUET"),
        ("copy t from 's3://bkt/x' iam_role default csv", "CSV"),
        ("copy t from 's3://bkt/x' iam_role default json 'noshred'", "noshred"),
        ("copy t from 's3://bkt/x' iam_role default json 'Auto'", "Invalid S3 URL"),
        ("copy t from 's3://bkt/x' iam_role default json 'auto' ignoreallerrors", "IGNOREALL"),
        ("copy t from 's3://bkt/x' iam_role default json 'auto' explicit_ids", "EXPLICIT_IDS"),
        ("copy t from 's3://bkt/x' iam_role default json 'auto' maxerror 100001", "100000"),
        ("copy t from 's3://bkt/x' iam_role default json 'auto' maxerror -1", "syntax error"),
        ("copy t from 's3://bkt/x' iam_role default json 'auto' gzip gzip", "redundant"),
        ("copy t from 's3://bkt/x' iam_role default json 'auto' region 'here'", "not valid"),
        (
            "copy t from 's3://bkt/x' iam_role default json 'auto' timeformat 'EPOCHSECS'",
            "case-sens",
        ),
        ("copy t from 's3://bkt/x' iam_role default json 'auto' timeformat 'YYYY'", "TIMEFORMAT"),
        ("copy t from 's3://x/y' iam_role default json 'auto'", "Invalid S3 URL"),
        ("copy t from 's3://bkt/x' iam_role default json 'auto' job create j", "JOB"),
        ("copy t from stdin", "syntax error"),
        ("copy t from '/etc/passwd' iam_role default json 'auto'", "anything but S3"),
    ],
)
def test_a_command_that_is_not_taken(sql: str, message: str) -> None:
    """r_COPY; copy-parameters-authorization; what is not known is refused by name."""
    with pytest.raises(RedshiftError, match=message):
        parsed(sql)
