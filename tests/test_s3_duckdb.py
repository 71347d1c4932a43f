"""S3 sources on DuckDB: fetched many at once, in the version that was listed, and verified."""

from __future__ import annotations

import gzip
import hashlib
import threading
from pathlib import Path
from typing import Any

import pytest
from standin.buckets import S3Server
from support.folders import MakeFolders
from support.realdata import DATA
from support.records import event_line, song_line
from support.reference import Reference
from support.reference_checks import expected_star
from support.warehouses import OnDuckDB, Source

from sparkify_dwh import Settings
from sparkify_dwh.core import errors
from sparkify_dwh.storage import s3
from sparkify_dwh.storage.objects import Object


@pytest.fixture
def s3_client(source: Source, monkeypatch: pytest.MonkeyPatch) -> s3.S3:
    monkeypatch.setattr(s3, "_PAUSE", 0.0)
    return s3.S3(Settings(**source.settings()))


def listed(s3_client: s3.S3, source: Source) -> list[Object]:
    return s3_client.list_prefix(source.bucket.url("log_data/")).objects


class Body:
    """The body of an answer: yields some blocks, then breaks off."""

    def __init__(self, blocks: list[bytes], error: Exception | None = None) -> None:
        self.blocks, self.error = blocks, error

    def iter_chunks(self, size: int) -> Any:
        for block in self.blocks:
            assert len(block) <= size
            yield block
        if self.error is not None:
            raise self.error


def answering(s3_client: s3.S3, *answers: Any) -> list[dict[str, Any]]:
    """Sets the client's answers to GetObject, in order; returns its requests."""
    asked: list[dict[str, Any]] = []
    left = list(answers)

    def get_object(**given: Any) -> Any:
        asked.append(given)
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    s3_client.client.get_object = get_object
    return asked


# The same star -----------------------------------------------------------------------------------


@pytest.mark.realdata
def test_the_real_logs_from_s3(on_duckdb: OnDuckDB, source: Source) -> None:
    oracle = Reference()
    given: dict[str, list[tuple[str, bytes]]] = {"events": [], "songs": []}
    for kind, folder in (("events", "log_data"), ("songs", "song_data")):
        for path in sorted((DATA / folder).rglob("*.json")):
            data = path.read_bytes()
            given[kind].append((source.put(kind, path.name, data), data))
    oracle.load(**given)
    on_duckdb.load()
    assert on_duckdb.star() == expected_star(oracle)
    assert on_duckdb.load().event == "nothing new"


def test_the_same_star_and_refusals_as_from_local_files(
    on_duckdb: OnDuckDB, source: Source, warehouse: MakeFolders
) -> None:
    folders = warehouse(max_reject_ratio=1.0)
    on_duckdb.warehouse.settings = on_duckdb.warehouse.settings.model_copy(
        update={"max_reject_ratio": 1.0}
    )
    objects: dict[tuple[str, str], bytes] = {("songs", "a/s.json"): song_line().encode()}
    for n in range(150):  # more than are fetched at once
        objects["events", f"{n}.json"] = event_line(itemInSession=n).encode()
    objects["events", "z.json.gz"] = gzip.compress(
        event_line(itemInSession=200).encode() + b"{bad\n"
    )
    objects["events", "y.json"] = b'{"ts": 1}\n\n[1]\n'
    objects["events", "x.json"] = b""
    for (kind, name), data in objects.items():
        source.put(kind, name, data)
        folders.put(kind, name, data)
    run, local = on_duckdb.load(), folders.load()
    assert on_duckdb.star() == folders.star()
    assert [a.merged for a in run.targets] == [a.merged for a in local.targets]
    base = source.bucket.url()
    refused = {
        (rule, key.removeprefix(base), line) for _, rule, key, line, *_ in on_duckdb.refused(run)
    }
    assert refused == {
        ("malformed_json", "log_data/z.json.gz", 2),
        ("ts_valid", "log_data/y.json", 1),
        ("not_an_object", "log_data/y.json", 3),
    }
    ledger = on_duckdb.query("SELECT version, size FROM audit.load_file WHERE key LIKE '%/z.%'")
    gzipped = objects["events", "z.json.gz"]
    assert ledger == [(hashlib.md5(gzipped).hexdigest(), len(gzipped))]


def test_nothing_is_left_in_the_scratch_folder(
    on_duckdb: OnDuckDB, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    source.put("events", "a.json", event_line())
    on_duckdb.load()
    source.put("events", "b.json", event_line(level="gold") * 20)
    with pytest.raises(errors.RejectLimitError):
        on_duckdb.load()
    assert list(scratch.iterdir()) == []


# Objects that change ------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["overwritten", "deleted"])
def test_an_object_that_changes_before_it_is_fetched_waits(
    on_duckdb: OnDuckDB, source: Source, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.put("events", "a.json", event_line())
    source.put("events", "b.json", event_line(itemInSession=1))
    plain, done = s3.S3.fetch, []

    def fetch(s3_client: Any, *given: Any) -> Any:
        if not done:
            done.append(True)
            if change == "deleted":
                source.delete("events", "b.json")
            else:
                source.put("events", "b.json", event_line(itemInSession=2))
        return plain(s3_client, *given)

    monkeypatch.setattr(s3.S3, "fetch", fetch)
    run = on_duckdb.load()
    assert "b.json changed while it was read; it waits for the next load" in run.warnings[0]
    assert [row[1] for row in on_duckdb.star()["songplays"]] == [0]
    again = on_duckdb.load()
    assert again.event == ("loaded" if change == "overwritten" else "nothing new")


def test_an_object_that_changes_after_it_is_fetched_waits(
    on_duckdb: OnDuckDB, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.put("events", "a.json", event_line())
    source.put("events", "b.json", event_line(itemInSession=1))
    plain, fetched = s3.S3.fetch, []

    def fetch(s3_client: Any, objects: Any, folder: Path) -> Any:
        for found in plain(s3_client, objects, folder):
            fetched.append(found.key)
            yield found
        if len(fetched) == 2:
            source.put("events", "b.json", event_line(itemInSession=2))

    monkeypatch.setattr(s3.S3, "fetch", fetch)
    run = on_duckdb.load()
    assert "b.json changed" in run.warnings[0]
    assert [row[1] for row in on_duckdb.star()["songplays"]] == [0]
    assert len(fetched) == 2, "what is fetched already is not fetched again"


# Fetching ----------------------------------------------------------------------------------------


def test_only_the_listed_version_is_requested(
    s3_client: s3.S3, source: Source, tmp_path: Path
) -> None:
    data = b"x" * 100
    source.put("events", "a.json", data)
    (each,) = listed(s3_client, source)
    asked = answering(s3_client, {"Body": Body([data])})
    (found,) = s3_client.fetch([each], tmp_path)
    assert isinstance(found, Object) and Path(found.path).read_bytes() == data
    assert asked == [
        {
            "Bucket": source.bucket.name,
            "Key": "log_data/a.json",
            "IfMatch": f'"{hashlib.md5(data).hexdigest()}"',
        }
    ]


def test_a_transfer_that_breaks_off_is_retried(
    s3_client: s3.S3, source: Source, tmp_path: Path
) -> None:
    from botocore.exceptions import IncompleteReadError, ReadTimeoutError

    data = b"x" * 100
    source.put("events", "a.json", data)
    (each,) = listed(s3_client, source)
    cut = IncompleteReadError(actual_bytes=9, expected_bytes=100)
    asked = answering(
        s3_client,
        {"Body": Body([data[:9]], cut)},
        {"Body": Body([data[:50]])},
        {"Body": Body([data], ReadTimeoutError(endpoint_url="s3"))},
        {"Body": Body([data])},
    )
    (found,) = s3_client.fetch([each], tmp_path)
    assert isinstance(found, Object) and Path(found.path).read_bytes() == data
    assert len(asked) == s3.ATTEMPTS


def test_bytes_that_never_match_the_etag_end_the_load(
    s3_client: s3.S3, source: Source, tmp_path: Path
) -> None:
    source.put("events", "a.json", b"x" * 100)
    (each,) = listed(s3_client, source)
    answering(s3_client, *[{"Body": Body([b"y" * 100])}] * s3.ATTEMPTS)
    with pytest.raises(errors.SourceError, match="transfers did not match its size and etag"):
        list(s3_client.fetch([each], tmp_path))


@pytest.mark.parametrize(
    "answer",
    [{"ServerSideEncryption": "aws:kms"}, {"SSECustomerAlgorithm": "AES256"}],
    ids=["KMS", "customer's key"],
)
def test_an_etag_that_is_not_a_digest_is_not_compared(
    s3_client: s3.S3, source: Source, tmp_path: Path, answer: dict[str, str]
) -> None:
    source.put("events", "a.json", b"x" * 100)
    (each,) = listed(s3_client, source)
    answering(s3_client, {"Body": Body([b"y" * 100]), **answer})
    (found,) = s3_client.fetch([each], tmp_path)
    assert isinstance(found, Object)


def test_a_multipart_upload(s3_client: s3.S3, source: Source, tmp_path: Path) -> None:
    client, name = source.bucket.client, source.bucket.name
    data = b"x" * (5 * 1024 * 1024 + 1)
    upload = client.create_multipart_upload(Bucket=name, Key="log_data/a.json")["UploadId"]
    parts = []
    for number, start in ((1, 0), (2, 5 * 1024 * 1024)):
        body = data[start : start + 5 * 1024 * 1024]
        given = {"Bucket": name, "Key": "log_data/a.json", "UploadId": upload}
        tag = client.upload_part(**given, PartNumber=number, Body=body)["ETag"]
        parts.append({"ETag": tag, "PartNumber": number})
    client.complete_multipart_upload(**given, MultipartUpload={"Parts": parts})
    (each,) = listed(s3_client, source)
    assert each.version.endswith("-2")
    (found,) = s3_client.fetch([each], tmp_path)
    assert isinstance(found, Object) and Path(found.path).read_bytes() == data


def test_many_at_once_but_not_all(s3_client: s3.S3, source: Source, tmp_path: Path) -> None:
    """As many transfers as workers, each with one block in memory; the list is read lazily."""
    data = b"x" * 10
    taken, running, most = 0, 0, 0
    lock, full = threading.Lock(), threading.Event()

    class Counted(Body):
        def iter_chunks(self, size: int) -> Any:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
                if running == s3.WORKERS:
                    full.set()
            full.wait(10)
            yield from super().iter_chunks(size)
            with lock:
                running -= 1

    def objects() -> Any:
        nonlocal taken
        for n in range(500):
            taken += 1
            yield Object(f"s3://b/{n}.json", hashlib.md5(data).hexdigest(), len(data))

    s3_client.client.get_object = lambda **_: {"Body": Counted([data])}
    fetched = s3_client.fetch(objects(), tmp_path)
    next(fetched)
    assert taken <= 3 * s3.WORKERS
    assert len([None for _ in fetched]) == 499
    assert most == s3.WORKERS


def test_an_error_ends_the_others(s3_client: s3.S3, tmp_path: Path) -> None:
    from botocore.exceptions import ClientError

    asked = []

    def get_object(**given: Any) -> Any:
        asked.append(given["Key"])
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject")

    s3_client.client.get_object = get_object
    objects = (Object(f"s3://b/{n}.json", "v", 1) for n in range(5000))
    with pytest.raises(errors.SourceError, match="AccessDenied: no") as caught:
        list(s3_client.fetch(objects, tmp_path))
    assert "s3:GetObject" in caught.value.hint
    assert len(asked) <= 2 * s3.WORKERS


# Listing ------------------------------------------------------------------------------------------


def test_a_prefix_is_not_a_folder(on_duckdb: OnDuckDB, source: Source) -> None:
    source.put("events", "a.json", event_line())
    source.bucket.put("log_data-private/a.json", event_line(sessionId=1))
    place = source.bucket.url("log_data")
    on_duckdb.warehouse.settings = on_duckdb.warehouse.settings.model_copy(
        update={"log_data": place, "song_data": None}
    )
    assert [b.objects for b in on_duckdb.load().sources] == [1]


def test_more_objects_than_a_page(source: Source, s3_client: s3.S3) -> None:
    for n in range(1003):
        source.put("events", f"{n:04}.json", b"")
    assert len(listed(s3_client, source)) == 1003


def test_one_object_as_a_source(on_duckdb: OnDuckDB, source: Source) -> None:
    place = source.put("events", "a.json", event_line())
    source.put("events", "a.json.gz", gzip.compress(event_line(sessionId=1).encode()))
    on_duckdb.warehouse.settings = on_duckdb.warehouse.settings.model_copy(
        update={"log_data": place, "song_data": None}
    )
    assert [b.objects for b in on_duckdb.load().sources] == [1]


def test_a_bucket_that_is_missing(on_duckdb: OnDuckDB, s3_server: S3Server) -> None:
    on_duckdb.warehouse.settings = on_duckdb.warehouse.settings.model_copy(
        update={"log_data": "s3://no-such-bucket/logs/"}
    )
    with pytest.raises(errors.SourceError, match="NoSuchBucket") as caught:
        on_duckdb.load()
    assert caught.value.exit_code == 3
