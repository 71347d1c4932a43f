"""COPY from S3: which objects it reads, and which field goes where."""

from __future__ import annotations

import gzip
import json

import boto3
import pytest

from .buckets import Bucket, S3Server
from .client import Client
from .copying import copy, rows
from .server import Database

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
    """copy-parameters-data-format: objects need no newline in between, unknown keys are ignored."""
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


def test_objects_are_listed_to_the_last_page(
    redshift: Database, client: Client, bucket: Bucket, s3_server: S3Server
) -> None:
    paged = boto3.client(
        "s3",
        endpoint_url=s3_server.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    paged.meta.events.register(
        "provide-client-params.s3.ListObjectsV2", lambda params, **_: params | {"MaxKeys": 2}
    )
    redshift.store.client = paged
    for number in range(5):
        bucket.put(f"d/{number}.json", f'{{"id": {number}}}')
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
    r"""copy-usage_notes-copy-from-json: \n, \t and \\ are kept."""
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
    """loading-data-files-using-manifest: by default not mandatory, so silently skipped."""
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
