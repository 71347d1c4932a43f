"""S3 for tests: a moto server, and a bucket for each test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class S3Server:
    """A moto server and a client for it."""

    endpoint_url: str
    client: Any


@dataclass(frozen=True, slots=True)
class Bucket:
    """The bucket of one test."""

    name: str
    client: Any

    def put(self, key: str, data: bytes | str) -> str:
        """Write an object and return its URL."""
        self.client.put_object(Bucket=self.name, Key=key, Body=data)
        return self.url(key)

    def url(self, key: str = "") -> str:
        """`s3://bucket/key`."""
        return f"s3://{self.name}/{key}"
