"""S3 that fails: each request of a load in turn, in any of the ways that S3 and networks know."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

import botocore.endpoint
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

import sparkify_dwh.storage.s3

SLOW_DOWN = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>SlowDown</Code>'
    b"<Message>Please reduce your request rate.</Message><RequestId>1</RequestId></Error>"
)
Answer = Callable[[Any, Any], AWSResponse | None]


class Raw(io.BytesIO):
    """A body as the HTTP library returns it."""

    def stream(self, amt: int = 65536, **_: Any) -> Iterator[bytes]:
        while block := self.read(amt):
            yield block


def slow_down(request: Any, plain: Any) -> AWSResponse:
    """503, the answer of a bucket that gets too many requests."""
    return AWSResponse(request.url, 503, {"content-type": "application/xml"}, Raw(SLOW_DOWN))


def times_out(request: Any, plain: Any) -> AWSResponse:
    raise ReadTimeoutError(endpoint_url=request.url)


def hangs_up(request: Any, plain: Any) -> AWSResponse:
    raise ConnectionClosedError(endpoint_url=request.url)


def truncated(request: Any, plain: Any) -> AWSResponse | None:
    """A body that ends before its length; other requests than GetObject succeed."""
    return _body(request, plain, lambda data: data[: len(data) // 2])


def other_bytes(request: Any, plain: Any) -> AWSResponse | None:
    """A body of the right length that does not match its etag."""
    return _body(request, plain, lambda data: data[:-1] + bytes([data[-1] ^ 1]))


def _body(request: Any, plain: Any, change: Callable[[bytes], bytes]) -> AWSResponse | None:
    bucket, key = plain.place(request.url)
    if request.method != "GET" or not key:
        return None
    found = plain.client.get_object(Bucket=bucket, Key=key)
    data = found["Body"].read()
    headers = {"content-length": str(len(data)), "etag": found["ETag"]}
    return AWSResponse(request.url, 200, headers, Raw(change(data)))


WAYS: dict[str, Answer] = {
    "SlowDown": slow_down,
    "timeout": times_out,
    "hang-up": hangs_up,
    "truncated body": truncated,
    "lying etag": other_bytes,
}


class Requests:
    """The requests of a load, numbered from 1, and how they fail.

    :param client: one that nothing befalls.
    """

    def __init__(self, client: Any, endpoint: str) -> None:
        self.client, self.endpoint = client, endpoint
        self.seen: list[str] = []
        self.struck: Callable[[int], Answer | None] = lambda number: None

    def place(self, url: str) -> tuple[str, str]:
        from urllib.parse import unquote

        path = unquote(url.removeprefix(self.endpoint).split("?")[0]).lstrip("/")
        bucket, _, key = path.partition("/")
        return bucket, key

    def answer(self, request: Any, **_: Any) -> AWSResponse | None:
        self.seen.append(f"{request.method} {request.url.removeprefix(self.endpoint)}")
        way = self.struck(len(self.seen))
        return way(request, self) if way else None


@contextmanager
def watched(client: Any, endpoint: str) -> Iterator[Requests]:
    """Counts the requests of all clients that loads make meanwhile; nobody sleeps between tries."""
    requests = Requests(client, endpoint)
    original = sparkify_dwh.storage.s3.client

    def made(*given: Any) -> Any:
        found = original(*given)
        found.meta.events.register("before-send.s3", requests.answer)
        return found

    no_sleep = SimpleNamespace(sleep=lambda seconds: None)
    with (
        mock.patch.object(sparkify_dwh.storage.s3, "client", made),
        mock.patch.object(sparkify_dwh.storage.s3, "_PAUSE", 0.0),
        mock.patch.object(botocore.endpoint, "time", no_sleep),
    ):
        yield requests
