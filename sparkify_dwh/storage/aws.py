"""boto3 clients, made when they are needed; AWS credentials come from boto3's own chain."""

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

#: At level DEBUG they write down whole requests with the session token, and whole answers, of
#: which some hold passwords.
TALKATIVE = ("botocore.auth", "botocore.endpoint", "botocore.parsers")
#: What botocore has read of its own descriptions of services, by their path; a session alone would
#: read and parse them again, which is most of what a client costs.
_LOADERS: dict[Any, Any] = {}
_MAKING = Lock()


def client(settings: Settings, service: str) -> Any:
    """A boto3 client of a service, in the region and at the endpoint of the settings.

    :raises MissingExtraError: when boto3 is not installed.
    :raises SettingsError: when region or endpoint are none.
    """
    try:
        import boto3.session
        import botocore.session
        from botocore.config import Config
    except ImportError:
        raise MissingExtraError("aws", f"talking to AWS ({service})") from None
    for name in TALKATIVE:
        logging.getLogger(name).addFilter(_no_debug)
    session = botocore.session.get_session()
    if service == "s3":
        # Botocore's own parser of times takes any spelling, and three quarters of a listing.
        parsers = session.get_component("response_parser_factory")
        parsers.set_parser_defaults(timestamp_parser=_time)
    config = Config(
        # The agent as botocore puts it together costs a tenth of each request.
        user_agent=f"sparkify_dwh/{__version__}",
        retries={"mode": "standard", "max_attempts": 5},
        connect_timeout=10,
        max_pool_connections=64,
    )
    made = boto3.session.Session(botocore_session=session)
    path = session.get_config_variable("data_path")
    try:
        with _MAKING:
            loader = _LOADERS.setdefault(path, session.get_component("data_loader"))
            session.register_component("data_loader", loader)
            return made.client(
                service,
                region_name=settings.aws_region,
                endpoint_url=settings.aws_endpoint_url,
                config=config,
            )
    except ValueError:
        # Its text holds the URL, which may hold a secret.
        raise SettingsError(
            "aws_endpoint_url or aws_region is none that boto3 takes",
            "such as http://localhost:9000 and us-west-2",
        ) from None


def _time(value: Any) -> datetime:
    """A time as S3 writes it, in ISO 8601 or as in mail; others as botocore reads them."""
    from botocore.utils import parse_timestamp

    for read in (datetime.fromisoformat, parsedate_to_datetime):
        with suppress(AttributeError, TypeError, ValueError):
            return read(value)
    found: datetime = parse_timestamp(value)
    return found


def _no_debug(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG
