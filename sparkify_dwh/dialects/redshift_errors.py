"""Why a COPY failed, from the fields of the server's error."""

from __future__ import annotations

import re

from ..core.errors import SourceError
from ..core.settings import Settings
from ..models.declare import Source
from .redshift.errors import chain, fields, from_driver, is_dropped

_S3 = re.compile(r"S3ServiceException:(?P<text>.*?),Status (?P<status>\d+),Error (?P<code>\w+)")
_READ = re.compile(r"S3 key being read : (?P<key>\S+)|context:\s+(?P<context>s3://\S+)")
_TOO_MANY = re.compile(r"stl_load_errors|sys_load_error_detail", re.IGNORECASE)


def is_lost(error: BaseException) -> bool:
    """Whether the connection broke: the driver raises errors of many kinds then."""
    return is_dropped(error) or any(from_driver(each) for each in chain(error))


def refused_rows(error: BaseException) -> bool:
    """Whether a COPY failed because it refused too many records."""
    return bool(_TOO_MANY.search(str(fields(error).get("M", ""))))


def copy_error(error: BaseException, source: Source, settings: Settings) -> SourceError | None:
    """What kept COPY from reading a source, and what to do about it; None: something else."""
    told = fields(error)
    message = str(told.get("M", "")).strip().splitlines()[0]
    found = _READ.search(str(told.get("D", "")))
    where = (found["key"] or found["context"]) if found else f"the objects of {source.name}"
    s3 = _S3.search(message)
    if "authorized to assume" in message:
        return SourceError(
            f"Redshift may not assume the role {settings.iam_role}",
            "attach it to the cluster or workgroup, and let redshift.amazonaws.com assume it",
        )
    if s3 is not None:
        text, hint = s3["text"].strip().rstrip("."), _HINTS.get(s3["code"], "-v shows more")
        return SourceError(f"Redshift cannot read {where}: {text} ({s3['code']})", hint)
    if "MANIFEST" in message:
        return SourceError(
            f"Redshift cannot read the manifest {where}",
            f"let the role {settings.iam_role} read work_prefix",
        )
    if "inflate" in message:
        return SourceError(
            f"Redshift cannot unpack {where}: {message}",
            "it ends in .gz and must be gzip: remove or mend it",
        )
    if found is None:
        return None
    return SourceError(f"COPY of {source.name} failed: {message} ({where})", "-v shows more")


_HINTS = {
    "AccessDenied": "allow the role s3:GetObject and s3:ListBucket there (iam_role)",
    "NoSuchBucket": "name an existing bucket",
    "NoSuchKey": "load again",
    "PermanentRedirect": "set aws_region to the bucket's region",
    "SlowDown": "S3 throttles: load again later; compact makes few objects of many",
    "InternalError": "load again later",
    "ServiceUnavailable": "load again later",
}
