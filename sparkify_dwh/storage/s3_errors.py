"""Errors of S3 and of boto3 as ours, with what to do about them."""

from __future__ import annotations

from typing import Any

from ..core.errors import SourceError, SparkifyError

_HINTS = {
    "NoSuchBucket": "name an existing bucket",
    "NoSuchKey": "name an existing object",
    "AccessDenied": "this user must be allowed s3:ListBucket and s3:GetObject there",
    "403": "this user must be allowed s3:ListBucket and s3:GetObject there",
    "PermanentRedirect": "set aws_region to the bucket's region",
    "AuthorizationHeaderMalformed": "set aws_region to the bucket's region",
    "SlowDown": "S3 throttles: load again later; compact makes few objects of many",
    "ExpiredToken": "log in to AWS again",
}


def explain(error: Exception, address: str) -> Exception:
    """A boto3 error as one of ours; others stay what they are."""
    if isinstance(error, SparkifyError):  # boto3 itself may be missing
        return error
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    if not isinstance(error, BotoCoreError | ClientError):
        return error
    if isinstance(error, NoCredentialsError):
        return SourceError(
            f"no AWS credentials to read {address}", "log in: aws configure, or aws sso login"
        )
    code = code_of(error)
    told = _told(error).get("Message")
    text = f"{code}: {told}" if code and told else str(error)
    hint = _HINTS.get(code, "check the network, aws_region and aws_endpoint_url")
    return SourceError(f"{address}: {text}", hint)


def broke_off(error: Exception) -> bool:
    """Whether a transfer ended before its time, so that another may do better."""
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


def code_of(error: Exception) -> str:
    """S3's code of an error, such as NoSuchKey; empty where it sent none."""
    return str(_told(error).get("Code", ""))


def _told(error: Exception) -> dict[str, Any]:
    # An error of the transfer has an answer too: None.
    answer = getattr(error, "response", None) or {}
    return dict(answer.get("Error", {}))
