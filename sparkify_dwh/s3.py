"""Objects on S3: listed by key, etag and size; read only in the version that was listed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from .aws import client
from .config import Settings
from .discover import SUFFIXES, Listing, Object
from .errors import SourceError

SCHEME = "s3://"
#: Objects fetched at once: small ones wait for the network, not for this machine.
WORKERS = 32
_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Location:
    """Bucket and key of an ``s3://`` address."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.key}"


def location(address: str) -> Location:
    """Splits an address.

    :raises SourceError: when it names no bucket.
    """
    bucket, _, key = address.removeprefix(SCHEME).partition("/")
    if not address.startswith(SCHEME) or not bucket:
        raise SourceError(f"{address} is no S3 address", "it looks like s3://bucket/prefix/")
    return Location(bucket, key)


class Bucketeer:
    """Reads and writes S3 for one command; made when the first object is needed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._client: Any = None

    @property
    def client(self) -> Any:
        """The boto3 client; safe to use from several threads."""
        if self._client is None:
            self._client = client(self.settings, "s3")
        return self._client

    def list_prefix(self, address: str) -> Listing:
        """The objects under a prefix, or the one that the address names.

        A prefix is not a folder: ``logs`` would also match ``logs-private/``, so one that does
        not name an object is taken to end with a slash.

        :raises SourceError: when the bucket is missing or may not be listed.
        """
        place = location(address)
        single = place.key.endswith(SUFFIXES)
        prefix = (
            place.key if single or not place.key or place.key.endswith("/") else place.key + "/"
        )
        listing = Listing()
        try:
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=place.bucket, Prefix=prefix
            )
            for page in pages:
                for item in page.get("Contents", ()):
                    self._add(listing, place.bucket, prefix, item, single)
        except Exception as error:
            raise self.explain(error, address) from error
        if single and not listing.objects:
            raise SourceError(f"{address} does not exist", "name an object or a prefix with a /")
        listing.objects.sort(key=lambda found: found.key)
        return listing

    @staticmethod
    def _add(listing: Listing, bucket: str, prefix: str, item: Any, single: bool) -> None:
        key = item["Key"]
        if single and key != prefix:
            return
        names = key.removeprefix(prefix).split("/") if not single else [key.rsplit("/", 1)[-1]]
        hidden = any(name.startswith((".", "_")) for name in names)
        if hidden or key.endswith("~") or not key.endswith(SUFFIXES):
            listing.skipped += not key.endswith("/")
            return
        etag = item["ETag"].strip('"')
        listing.objects.append(Object(str(Location(bucket, key)), etag, item["Size"]))

    def fetch(self, objects: Iterable[Object], folder: Path) -> Iterator[Object | str]:
        """Downloads objects into files, many at once; yields each with its path.

        Yields the key instead where the object changed or vanished since it was listed.

        :raises SourceError: when one cannot be read.
        """
        waiting = iter(enumerate(objects))
        with ThreadPoolExecutor(WORKERS) as pool:
            running = {
                pool.submit(self._fetch, each, folder / f"object-{n}")
                for n, each in islice(waiting, 2 * WORKERS)
            }
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for task in done:
                    yield task.result()
                running |= {
                    pool.submit(self._fetch, each, folder / f"object-{n}")
                    for n, each in islice(waiting, len(done))
                }

    def _fetch(self, each: Object, path: Path) -> Object | str:
        place = location(each.key)
        try:
            answer = self.client.get_object(
                Bucket=place.bucket, Key=place.key, IfMatch=f'"{each.version}"'
            )
            digest, size = hashlib.md5(usedforsecurity=False), 0
            with path.open("wb") as file:
                for block in answer["Body"].iter_chunks(_CHUNK):
                    digest.update(block)
                    size += len(block)
                    file.write(block)
        except Exception as error:
            if _code(error) in ("NoSuchKey", "404", "PreconditionFailed", "412"):
                return each.key
            raise self.explain(error, each.key) from error
        whole = "-" not in each.version  # a multipart etag is no digest of the bytes
        if size != each.size or (whole and digest.hexdigest() != each.version):
            return each.key
        return replace(each, path=str(path))

    def read(self, address: str) -> bytes:
        """An object's bytes.

        :raises SourceError: when it is missing or may not be read.
        """
        place = location(address)
        try:
            return bytes(self.client.get_object(Bucket=place.bucket, Key=place.key)["Body"].read())
        except Exception as error:
            raise self.explain(error, address) from error

    def write(self, address: str, data: bytes | Path) -> None:
        """Writes an object, from memory or from a file.

        :raises SourceError: when it may not be written.
        """
        place = location(address)
        try:
            if isinstance(data, Path):
                self.client.upload_file(str(data), place.bucket, place.key)
            else:
                self.client.put_object(Bucket=place.bucket, Key=place.key, Body=data)
        except Exception as error:
            raise self.explain(error, address) from error

    def explain(self, error: Exception, address: str) -> Exception:
        """A boto3 error as one of ours; others stay what they are."""
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

        if isinstance(error, SourceError) or not isinstance(error, BotoCoreError | ClientError):
            return error
        if isinstance(error, NoCredentialsError):
            return SourceError(
                f"no AWS credentials to read {address}", "log in: aws configure, or aws sso login"
            )
        hint = _HINTS.get(_code(error), "-v shows the traceback")
        return SourceError(f"{address}: {error}", hint)


_HINTS = {
    "NoSuchBucket": "name an existing bucket",
    "NoSuchKey": "name an existing object",
    "AccessDenied": "this user must be allowed s3:ListBucket and s3:GetObject there",
    "403": "this user must be allowed s3:ListBucket and s3:GetObject there",
    "PermanentRedirect": "set aws_region to the bucket's region",
    "AuthorizationHeaderMalformed": "set aws_region to the bucket's region",
    "SlowDown": "S3 throttles: try again later",
    "ExpiredToken": "log in to AWS again",
}


def _code(error: Exception) -> str:
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))
