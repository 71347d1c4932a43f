"""COPY from S3: the command, its transaction, and failures of S3."""

from __future__ import annotations

import pytest
from redshift_connector.error import Error

from .buckets import Bucket, S3Server
from .client import Client
from .copy_command import CopyCommand, parse_copy
from .copying import copy, rows
from .errors import RedshiftError
from .server import Database
from .tokens import tokenize

ROLE = "arn:aws:iam::123456789012:role/loader"


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
    """copy-parameters-data-load: the load fails when errors reach the number; 0 means 1."""
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
    """The driver sends only Bind for a statement that it has prepared."""
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
    """r_COPY; copy-parameters-authorization; unknown options are refused by name."""
    with pytest.raises(RedshiftError, match=message):
        parsed(sql)
