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
from .s3_errors import broke_off, code_of, explain

SCHEME = "s3://"
#: Objects fetched at once: small ones wait for the network, not for this machine.
WORKERS = 32
#: Keys of one answer to a listing.
PAGE = 1000
#: A transfer that breaks off, or whose bytes are not those of the etag, is tried so often. Refused
#: and throttled requests are retried by boto3 itself.
ATTEMPTS = 4
_CHUNK = 256 * 1024
_PAUSE = 0.2
_GONE = ("NoSuchKey", "404", "PreconditionFailed", "412")


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

    def list_prefix(
        self, address: str, found: Callable[[int], None] = lambda more: None
    ) -> Listing:
        """The objects under a prefix, or the one that the address names.

        A prefix is not a folder: ``logs`` would also match ``logs-private/``, so one that does
        not name an object is taken to end with a slash.

        :param found: is told how many more objects were found, page by page.
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
                before = len(listing.objects)
                for item in page.get("Contents", ()):
                    self._add(listing, place.bucket, prefix, item, single)
                found(len(listing.objects) - before)
        except Exception as error:
            raise explain(error, address) from error
        if single and not listing.objects:
            raise SourceError(f"{address} does not exist", "name an object or a prefix with a /")
        listing.objects.sort(key=lambda found: found.key)
        return listing

    def list_each(self, objects: Iterable[Object]) -> list[Object]:
        """Objects as they are now, without those that are gone; one request for each.

        Listed, not asked for their heads: that takes no other right than their listing took.

        :raises SourceError: when the bucket is missing or may not be listed.
        """
        found = Listing()
        for each in objects:
            place = location(each.key)
            try:
                # Keys come in order, and what only begins like this one is longer.
                answer = self.client.list_objects_v2(
                    Bucket=place.bucket, Prefix=place.key, MaxKeys=1
                )
            except Exception as error:
                raise explain(error, each.key) from error
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
        # Not read as a time: of many objects that takes longer than all the rest.
        written = str(item["LastModified"])
        listing.objects.append(
            Object(str(Location(bucket, key)), etag, item["Size"], written=written)
        )

    def everything_under(self, address: str) -> set[str]:
        """The addresses of all objects whose keys begin so, which is what COPY reads of a prefix.

        :raises SourceError: when the bucket is missing or may not be listed.
        """
        place = location(address)
        found: set[str] = set()
        try:
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=place.bucket, Prefix=place.key
            )
            for page in pages:
                found |= {str(Location(place.bucket, i["Key"])) for i in page.get("Contents", ())}
        except Exception as error:
            raise explain(error, address) from error
        return found

    def fetch(self, objects: Iterable[Object], folder: Path) -> Iterator[Object | str]:
        """Downloads objects into files of a new folder, many at once; yields each with its path.

        Yields the key instead where the object changed or vanished since it was listed. Memory
        holds a piece of each object in transfer; the folder holds all of them.

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
                if code_of(error) in _GONE:
                    return each.key
                if attempt == ATTEMPTS or not broke_off(error):
                    raise explain(error, each.key) from error
            time.sleep(_PAUSE * 2**attempt)
        raise SourceError(
            f"{each.key}: {ATTEMPTS} transfers gave other bytes than its size and etag tell",
            "load again; where it stays so, write the object anew",
        )

    def _download(self, each: Object, path: Path) -> bool:
        """Whether the bytes are those that were listed; asks for that version only."""
        place = location(each.key)
        answer = self.client.get_object(
            Bucket=place.bucket, Key=place.key, IfMatch=f'"{each.version}"'
        )
        digest, size = hashlib.md5(usedforsecurity=False), 0
        with path.open("wb") as file:
            for block in answer["Body"].iter_chunks(_CHUNK):
                digest.update(block)
                size += len(block)
                file.write(block)
        # The etag of a multipart upload, or of one that a key of KMS encrypts, is no digest.
        # Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
        plain = answer.get("ServerSideEncryption", "AES256") == "AES256"
        told = plain and "-" not in each.version and "SSECustomerAlgorithm" not in answer
        return size == each.size and (not told or digest.hexdigest() == each.version)

    def read(self, address: str) -> bytes:
        """An object's bytes.

        :raises SourceError: when it is missing or may not be read.
        """
        place = location(address)
        try:
            return bytes(self.client.get_object(Bucket=place.bucket, Key=place.key)["Body"].read())
        except Exception as error:
            raise explain(error, address) from error

    def stat(self, address: str) -> Object:
        """An object in the version that is there now.

        :raises SourceError: when it is missing or may not be read.
        """
        place = location(address)
        try:
            found = self.client.head_object(Bucket=place.bucket, Key=place.key)
        except Exception as error:
            raise explain(error, address) from error
        return Object(address, found["ETag"].strip('"'), found["ContentLength"])

    def write(self, address: str, data: bytes | Path) -> None:
        """Writes an object, from memory or from a file.

        :raises SourceError: when it may not be written.
        """
        place = location(address)
        try:
            if isinstance(data, Path):
                # Not upload_file, which hides the error of S3 behind one of its own.
                with data.open("rb") as body:
                    self.client.upload_fileobj(body, place.bucket, place.key)
            else:
                self.client.put_object(Bucket=place.bucket, Key=place.key, Body=data)
        except Exception as error:
            raise explain(error, address) from error

    def remove(self, addresses: Iterable[str]) -> None:
        """Removes objects of one bucket; those that are gone already are no trouble.

        :raises SourceError: when one may not be removed.
        """
        every = [location(address) for address in addresses]
        for start in range(0, len(every), 1000):
            places = every[start : start + 1000]
            names = [{"Key": place.key} for place in places]
            try:
                answer = self.client.delete_objects(
                    Bucket=places[0].bucket, Delete={"Objects": names, "Quiet": True}
                )
            except Exception as error:
                raise explain(error, str(places[0])) from error
            for failed in answer.get("Errors", ()):
                raise SourceError(
                    f"{Location(places[0].bucket, failed['Key'])}: {failed['Code']}",
                    "this user must be allowed s3:DeleteObject there",
                )
