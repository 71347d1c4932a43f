"""boto3 clients, made when they are needed; AWS credentials come from boto3's own chain."""

from __future__ import annotations

import logging
from typing import Any

from .config import Settings
from .errors import MissingExtraError

#: At level DEBUG they write down whole requests with the session token, and whole answers, of
#: which some hold passwords.
TALKATIVE = ("botocore.auth", "botocore.endpoint", "botocore.parsers")


def client(settings: Settings, service: str) -> Any:
    """A boto3 client of a service, in the region and at the endpoint of the settings.

    :raises MissingExtraError: when boto3 is not installed.
    """
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise MissingExtraError("aws", f"talking to AWS ({service})") from None
    for name in TALKATIVE:
        logging.getLogger(name).addFilter(_no_debug)
    config = Config(
        user_agent_extra="sparkify_dwh",
        retries={"mode": "standard", "max_attempts": 5},
        connect_timeout=10,
        max_pool_connections=64,
    )
    return boto3.client(
        service,
        region_name=settings.aws_region,
        endpoint_url=settings.aws_endpoint_url,
        config=config,
    )


def _no_debug(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG
