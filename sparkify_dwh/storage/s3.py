"""Objects on S3: listed by key, etag and size; read only in the version that was listed."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from ..core.errors import SourceError
from ..core.settings import Settings
from .aws import client
from .objects import SUFFIXES, Listing, Object
from .s3_errors import is_broken_transfer, s3_code, s3_error

SCHEME = "s3://"
#: Objects fetched at once: small ones wait for the network, not for the CPU.
WORKERS = 32
#: Keys on one page of a listing.
PAGE = 1000
#: Attempts of a transfer that breaks off or whose bytes do not match the etag. boto3 itself retries
#: refused and throttled requests.
ATTEMPTS = 4
_CHUNK = 256 * 1024
_PAUSE = 0.2
_MISSING = ("NoSuchKey", "404", "PreconditionFailed", "412")


@dataclass(frozen=True)
class S3Address:
    """An ``s3://`` address: bucket and key."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.key}"


def parse_address(address: str) -> S3Address:
    """Splits an address.

    :raises SourceError: when it names no bucket.
    """
    bucket, _, key = address.removeprefix(SCHEME).partition("/")
    if not address.startswith(SCHEME) or not bucket:
        raise SourceError(f"{address} is not an S3 address", "write it like s3://bucket/prefix/")
    return S3Address(bucket, key)


class S3:
    """Reads and writes S3 for one command; its client is created on first use."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._client: Any = None

    @property
    def client(self) -> Any:
        """The boto3 client; safe to use from several threads."""
        if self._client is None:
            self._client = client(self.settings, "s3")
        return self._client

    def list_prefix(
        self, address: str, found: Callable[[int], None] = lambda more: None
    ) -> Listing:
        """The objects under a prefix, or the one that the address names.

        A prefix is not a folder: ``logs`` would also match ``logs-private/``, so a slash is added
        to one that does not name an object.

        :param found: called for each page with the number of objects on it.
        :raises SourceError: when the bucket is missing or may not be listed.
        """
        place = parse_address(address)
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
                before = len(listing.objects)
                for item in page.get("Contents", ()):
                    self._add(listing, place.bucket, prefix, item, single)
                found(len(listing.objects) - before)
        except Exception as error:
            raise s3_error(error, address) from error
        if single and not listing.objects:
            raise SourceError(f"{address} does not exist", "name an object or a prefix with a /")
        listing.objects.sort(key=lambda found: found.key)
        return listing

    def list_each(self, objects: Iterable[Object]) -> list[Object]:
        """The current versions of objects, without deleted ones; one request for each.

        A listing of one key, not a HEAD request: it needs no permission beyond listing.

        :raises SourceError: when the bucket is missing or may not be listed.
        """
        found = Listing()
        for each in objects:
            place = parse_address(each.key)
            try:
                # Keys are sorted: the exact key comes before longer ones that start with it.
                answer = self.client.list_objects_v2(
                    Bucket=place.bucket, Prefix=place.key, MaxKeys=1
                )
            except Exception as error:
                raise s3_error(error, each.key) from error
            for item in answer.get("Contents", ()):
                self._add(found, place.bucket, place.key, item, single=True)
        return found.objects

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
        # Parsing it as a time would cost more than the rest of the listing.
        written = str(item["LastModified"])
        listing.objects.append(
            Object(str(S3Address(bucket, key)), etag, item["Size"], written=written)
        )

    def list_addresses(self, address: str) -> set[str]:
        """The addresses of all objects whose keys start with a prefix, as COPY reads them.

        :raises SourceError: when the bucket is missing or may not be listed.
        """
        place = parse_address(address)
        found: set[str] = set()
        try:
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=place.bucket, Prefix=place.key
            )
            for page in pages:
                found |= {str(S3Address(place.bucket, i["Key"])) for i in page.get("Contents", ())}
        except Exception as error:
            raise s3_error(error, address) from error
        return found

    def fetch(self, objects: Iterable[Object], folder: Path) -> Iterator[Object | str]:
        """Downloads objects into a new folder, many at once; yields each with its path.

        Yields the key instead where the object changed or vanished since it was listed. Memory
        holds a piece of each object in transfer.

        :raises SourceError: when one cannot be read.
        """
        into = Path(tempfile.mkdtemp(prefix="s3-", dir=folder))
        waiting = iter(enumerate(objects))
        pool = ThreadPoolExecutor(WORKERS)
        try:
            running = {
                pool.submit(self._fetch, each, into / f"object-{n}")
                for n, each in islice(waiting, 2 * WORKERS)
            }
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for task in done:
                    yield task.result()
                running |= {
                    pool.submit(self._fetch, each, into / f"object-{n}")
                    for n, each in islice(waiting, len(done))
                }
        finally:
            pool.shutdown(cancel_futures=True)

    def _fetch(self, each: Object, path: Path) -> Object | str:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                if self._download(each, path):
                    return replace(each, path=str(path))
            except Exception as error:
                if s3_code(error) in _MISSING:
                    return each.key
                if attempt == ATTEMPTS or not is_broken_transfer(error):
                    raise s3_error(error, each.key) from error
            time.sleep(_PAUSE * 2**attempt)
        raise SourceError(
            f"{each.key}: {ATTEMPTS} transfers did not match its size and etag",
            "load again; if it fails again, upload the object again",
        )

    def _download(self, each: Object, path: Path) -> bool:
        """Whether the bytes match the listed size and etag; requests that version only."""
        place = parse_address(each.key)
        answer = self.client.get_object(
            Bucket=place.bucket, Key=place.key, IfMatch=f'"{each.version}"'
        )
        digest, size = hashlib.md5(usedforsecurity=False), 0
        with path.open("wb") as file:
            for block in answer["Body"].iter_chunks(_CHUNK):
                digest.update(block)
                size += len(block)
                file.write(block)
        # The etag of a multipart upload, or of one encrypted with a KMS key, is not a digest.
        # Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
        plain = answer.get("ServerSideEncryption", "AES256") == "AES256"
        is_md5 = plain and "-" not in each.version and "SSECustomerAlgorithm" not in answer
        return size == each.size and (not is_md5 or digest.hexdigest() == each.version)

    def read(self, address: str) -> bytes:
        """An object's bytes.

        :raises SourceError: when it is missing or may not be read.
        """
        place = parse_address(address)
        try:
            return bytes(self.client.get_object(Bucket=place.bucket, Key=place.key)["Body"].read())
        except Exception as error:
            raise s3_error(error, address) from error

    def stat(self, address: str) -> Object:
        """An object in its current version.

        :raises SourceError: when it is missing or may not be read.
        """
        place = parse_address(address)
        try:
            found = self.client.head_object(Bucket=place.bucket, Key=place.key)
        except Exception as error:
            raise s3_error(error, address) from error
        return Object(address, found["ETag"].strip('"'), found["ContentLength"])

    def write(self, address: str, data: bytes | Path) -> None:
        """Writes an object, from memory or from a file.

        :raises SourceError: when it may not be written.
        """
        place = parse_address(address)
        try:
            if isinstance(data, Path):
                # Not upload_file, which hides the error of S3 behind its own.
                with data.open("rb") as body:
                    self.client.upload_fileobj(body, place.bucket, place.key)
            else:
                self.client.put_object(Bucket=place.bucket, Key=place.key, Body=data)
        except Exception as error:
            raise s3_error(error, address) from error

    def remove(self, addresses: Iterable[str]) -> None:
        """Removes objects of one bucket; missing ones are ignored.

        :raises SourceError: when one may not be removed.
        """
        parsed = [parse_address(address) for address in addresses]
        for start in range(0, len(parsed), 1000):
            places = parsed[start : start + 1000]
            names = [{"Key": place.key} for place in places]
            try:
                answer = self.client.delete_objects(
                    Bucket=places[0].bucket, Delete={"Objects": names, "Quiet": True}
                )
            except Exception as error:
                raise s3_error(error, str(places[0])) from error
            for failed in answer.get("Errors", ()):
                raise SourceError(
                    f"{S3Address(places[0].bucket, failed['Key'])}: {failed['Code']}",
                    "allow this user s3:DeleteObject there",
                )
