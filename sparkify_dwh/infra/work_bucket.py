"""The work bucket's objects with all their versions: counted, and deleted before the bucket is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..core.errors import InfraError
from .aws import aws_errors, code_of, is_missing
from .site import Site


def object_count(site: Site) -> int | None:
    """Objects, versions and delete markers; None where there is no work bucket."""
    bucket = _bucket(site)
    if bucket is None:
        return None
    from botocore.exceptions import ClientError

    with aws_errors(f"listing the work bucket {bucket}"):
        try:
            return sum(map(len, _versions(site.clients["s3"], bucket)))
        except ClientError as error:
            if is_missing(error):
                return None
            raise


def empty_work_bucket(site: Site) -> None:
    """Deletes every object, version and delete marker; a missing bucket is fine."""
    bucket = _bucket(site)
    if bucket is None:
        return
    s3 = site.clients["s3"]
    from botocore.exceptions import ClientError

    with aws_errors(f"emptying the work bucket {bucket}"):
        try:
            for keys in _versions(s3, bucket):
                answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
                for error in answer.get("Errors", []):
                    raise InfraError(
                        f"s3://{bucket}/{error['Key']} cannot be deleted: {error['Message']}",
                        "delete it by hand, then run this again",
                    )
        except ClientError as error:
            if code_of(error) != "NoSuchBucket":
                raise


def _bucket(site: Site) -> str | None:
    resource = site.stack.resources().get("WorkBucket")
    return str(resource["PhysicalResourceId"]) if resource else None


def _versions(s3: Any, bucket: str) -> Iterator[list[dict[str, str]]]:
    """Pages of keys and version ids, delete markers included."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if versions:
            yield [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in versions]
