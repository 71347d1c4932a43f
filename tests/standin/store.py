"""Reads what COPY needs from S3, and words S3's errors as Redshift passes them on."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from .copy_command import CopyCommand, Location
from .errors import RedshiftError, compute_error


@dataclass(frozen=True, slots=True)
class Object:
    """An object that has been read."""

    location: Location
    data: bytes
    etag: str
    modified: dt.datetime


@dataclass(slots=True)
class Store:
    """S3 as the cluster's role sees it; tests set the fields after `region` to make it fail.

    denied: prefixes of `s3://bucket/key` that the role may not read.
    unassumable: roles that the cluster may not assume.
    throttled: how many of the next reads S3 answers with SlowDown. COPY itself retries S3 for 15 to
    30 minutes, so the client only sees the failure after that.
    """

    client: Any
    region: str = "us-east-1"
    denied: set[str] = field(default_factory=set)
    unassumable: set[str] = field(default_factory=set)
    throttled: int = 0

    def objects(self, command: CopyCommand, query: int, user: str) -> Iterator[Object]:
        """The data objects of a COPY, in order; a manifest may name one twice."""
        if command.role in self.unassumable:
            raise compute_error(
                f"User arn:aws:redshift:{self.region}:123456789012:dbuser:stand-in/{user} is not "
                f"authorized to assume IAM Role {command.role}",
                8001,
                f"IAM Role={command.role}",
                query,
            )
        self._check_region(command, query)
        if command.manifest:
            locations = self._manifest(command, query)
        else:
            locations = [(location, True) for location in self._prefix(command.source, query)]
        found = False
        for location, mandatory in locations:
            try:
                item = self.get(location, query)
            except RedshiftError as error:
                if mandatory or "Error NoSuchKey" not in str(error):
                    raise
                continue
            found = True
            yield item
        if not found:
            raise self._nothing(command.source, query)

    def get(self, location: Location, query: int) -> Object:
        """Read one object."""
        if any(str(location).startswith(prefix) for prefix in self.denied):
            raise self._failure("Access Denied", 403, "AccessDenied", location, query)
        if self.throttled:
            self.throttled -= 1
            raise self._failure(
                "Please reduce your request rate.", 503, "SlowDown", location, query
            )
        try:
            answer = self.client.get_object(Bucket=location.bucket, Key=location.key)
            return Object(
                location, answer["Body"].read(), answer["ETag"].strip('"'), answer["LastModified"]
            )
        except ClientError as error:
            raise self._translated(error, location, query) from error

    def _manifest(self, command: CopyCommand, query: int) -> list[tuple[Location, bool]]:
        """https://docs.aws.amazon.com/redshift/latest/dg/loading-data-files-using-manifest.html"""
        try:
            data = self.get(command.source, query).data
        except RedshiftError as error:
            # Redshift reports this for a manifest that is missing and for one it may not read,
            # https://github.com/PostHog/posthog/pull/61603
            message = "COPY with MANIFEST parameter requires full path of an S3 object."
            raise compute_error(message, 8001, str(command.source), query) from error
        try:
            entries = json.loads(data)["entries"]
            return [(Location.parse(e["url"]), bool(e.get("mandatory"))) for e in entries]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise compute_error(
                "The manifest is not valid JSON with entries", 8001, str(command.source), query
            ) from error

    def _prefix(self, source: Location, query: int) -> list[Location]:
        """FROM names a prefix of keys, not a folder: copy-parameters-data-source-s3."""
        if any(str(source).startswith(prefix) for prefix in self.denied):
            raise self._failure("Access Denied", 403, "AccessDenied", source, query)
        pages = self.client.get_paginator("list_objects_v2")
        try:
            return [
                Location(source.bucket, item["Key"])
                for page in pages.paginate(Bucket=source.bucket, Prefix=source.key)
                for item in page.get("Contents", [])
            ]
        except ClientError as error:
            raise self._translated(error, source, query) from error

    def _check_region(self, command: CopyCommand, query: int) -> None:
        """REGION is required if the bucket is not in the cluster's region."""
        try:
            answer = self.client.get_bucket_location(Bucket=command.source.bucket)
        except ClientError as error:
            if command.manifest and error.response["Error"]["Code"] == "NoSuchBucket":
                return
            raise self._translated(error, command.source, query) from error
        actual = answer.get("LocationConstraint") or "us-east-1"
        if actual != (command.region or self.region):
            message = (
                "The bucket you are attempting to access must be addressed using the specified "
                "endpoint. Please send all future requests to this endpoint."
            )
            raise self._failure(message, 301, "PermanentRedirect", command.source, query)

    def _nothing(self, source: Location, query: int) -> RedshiftError:
        return compute_error(
            f"The specified S3 prefix '{source.key}' does not exist", 8001, str(source), query
        )

    def _translated(self, error: ClientError, location: Location, query: int) -> RedshiftError:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        known = error.response["Error"]
        return self._failure(known["Message"], status, known["Code"], location, query)

    def _failure(
        self, message: str, status: int, code: str, location: Location, query: int
    ) -> RedshiftError:
        text = (
            f"S3ServiceException:{message},Status {status},Error {code},"
            "Rid 0123456789ABCDEF,ExtRid stand-in,CanRetry 1"
        )
        return compute_error(text, 8001, f"S3 key being read : {location}", query)
