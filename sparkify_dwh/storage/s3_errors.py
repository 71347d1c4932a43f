"""Errors of S3 and boto3 as ours, with what to do about them."""

from __future__ import annotations

from typing import Any

from ..core.errors import SourceError, SparkifyError

_HINTS = {
    "NoSuchBucket": "name an existing bucket",
    "NoSuchKey": "name an existing object",
    "AccessDenied": "allow this user s3:ListBucket and s3:GetObject there",
    "403": "allow this user s3:ListBucket and s3:GetObject there",
    "PermanentRedirect": "set aws_region to the bucket's region",
    "AuthorizationHeaderMalformed": "set aws_region to the bucket's region",
    "SlowDown": "S3 throttles requests: load again later; compact turns many objects into few",
    "ExpiredToken": "log in to AWS again",
}


def s3_error(error: Exception, address: str) -> Exception:
    """A boto3 error as one of ours; other errors unchanged."""
    if isinstance(error, SparkifyError):  # boto3 itself may be missing
        return error
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    if not isinstance(error, BotoCoreError | ClientError):
        return error
    if isinstance(error, NoCredentialsError):
        return SourceError(
            f"no AWS credentials to read {address}", "log in: aws configure, or aws sso login"
        )
    code = s3_code(error)
    message = _error_fields(error).get("Message")
    text = f"{code}: {message}" if code and message else str(error)
    hint = _HINTS.get(code, "check the network, aws_region and aws_endpoint_url")
    return SourceError(f"{address}: {text}", hint)


def is_broken_transfer(error: Exception) -> bool:
    """Whether a transfer ended early, so that another attempt may succeed."""
    from botocore.exceptions import (
        FlexibleChecksumError,
        HTTPClientError,
        IncompleteReadError,
        ResponseStreamingError,
    )

    broken = (FlexibleChecksumError, HTTPClientError, IncompleteReadError, ResponseStreamingError)
    return isinstance(error, broken) or (
        isinstance(error, ConnectionError | TimeoutError) and error.filename is None
    )


def s3_code(error: Exception) -> str:
    """S3's error code, such as NoSuchKey; empty where it sent none."""
    return str(_error_fields(error).get("Code", ""))


def _error_fields(error: Exception) -> dict[str, Any]:
    # A transfer error has the attribute too, with None in it.
    answer = getattr(error, "response", None) or {}
    return dict(answer.get("Error", {}))
