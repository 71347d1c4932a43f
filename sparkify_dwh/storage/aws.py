"""boto3 clients, created when needed; AWS credentials come from boto3's own chain."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Any

from ..core.errors import MissingExtraError, SettingsError
from ..core.settings import Settings
from ..core.version import __version__

#: At level DEBUG they log whole requests with the session token, and whole answers, some with
#: passwords.
SENSITIVE_LOGGERS = ("botocore.auth", "botocore.endpoint", "botocore.parsers")
#: botocore's loaders of service descriptions, by path. Each new session would parse them again,
#: which is most of the cost of a client.
_LOADERS: dict[Any, Any] = {}
_CREATING = Lock()


def client(settings: Settings, service: str) -> Any:
    """A boto3 client of a service, in the region and at the endpoint of the settings.

    :raises MissingExtraError: when boto3 is not installed.
    :raises SettingsError: when region or endpoint are invalid.
    """
    try:
        import boto3.session
        import botocore.session
        from botocore.config import Config
    except ImportError:
        raise MissingExtraError("aws", f"talking to AWS ({service})") from None
    for name in SENSITIVE_LOGGERS:
        logging.getLogger(name).addFilter(_no_debug)
    session = botocore.session.get_session()
    if service == "s3":
        # botocore's own parser accepts any spelling and takes three quarters of a listing's time.
        parsers = session.get_component("response_parser_factory")
        parsers.set_parser_defaults(timestamp_parser=_parse_time)
    config = Config(
        # Building botocore's own user agent costs a tenth of each request.
        user_agent=f"sparkify_dwh/{__version__}",
        retries={"mode": "standard", "max_attempts": 5},
        connect_timeout=10,
        max_pool_connections=64,
    )
    aws_session = boto3.session.Session(botocore_session=session)
    path = session.get_config_variable("data_path")
    try:
        with _CREATING:
            loader = _LOADERS.setdefault(path, session.get_component("data_loader"))
            session.register_component("data_loader", loader)
            return aws_session.client(
                service,
                region_name=settings.aws_region,
                endpoint_url=settings.aws_endpoint_url,
                config=config,
            )
    except ValueError:
        # Its message contains the URL, which may contain a secret.
        raise SettingsError(
            "boto3 does not accept aws_endpoint_url or aws_region",
            "write them like http://localhost:9000 and us-west-2",
        ) from None


def _parse_time(value: Any) -> datetime:
    """A time as S3 writes it, in ISO 8601 or RFC 5322; other forms as botocore reads them."""
    from botocore.utils import parse_timestamp

    for read in (datetime.fromisoformat, parsedate_to_datetime):
        with suppress(AttributeError, TypeError, ValueError):
            return read(value)
    found: datetime = parse_timestamp(value)
    return found


def _no_debug(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG
