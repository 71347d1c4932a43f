"""Clients of AWS services, their errors as ours, and waiting for what AWS does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..core.errors import InfraError, MissingExtraError, SettingsError

POLICY_HINT = "docs/infra.md has the smallest sufficient policy; have it granted and run this again"
_DENIED_CODES = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AccessDeniedFault",
        "AllAccessDisabled",
        "NotAuthorized",
        "UnauthorizedOperation",
        "403",
    }
)
_CREDENTIAL_CODES = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)


class Clients:
    """Clients of AWS services, made on first use.

    :param session: a ``boto3.Session``; by default one that boto3 configures.
    :param clients: ready-made clients to use instead, by service name.
    :raises MissingExtraError: when boto3 is not installed.
    :raises SettingsError: when no region is known.
    """

    def __init__(
        self,
        session: Any = None,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        clients: Mapping[str, Any] | None = None,
    ) -> None:
        if session is None:
            try:
                import boto3
            except ImportError:
                raise MissingExtraError("aws", "sparkify infra") from None
            session = boto3.Session(region_name=region)
        self.session = session
        region = region or session.region_name
        if not region:
            raise SettingsError(
                "no AWS region is set", "set aws_region in sparkify.toml or AWS_DEFAULT_REGION"
            )
        self.region: str = region
        self.endpoint_url = endpoint_url
        self._clients: dict[str, Any] = dict(clients or {})

    def __getitem__(self, service: str) -> Any:
        if service not in self._clients:
            from botocore.config import Config

            options: dict[str, Any] = {"region_name": self.region}
            if service == "pricing":
                # Few regions serve the price list, and a plan does not wait long for it.
                options["region_name"] = "us-east-1"
                options["config"] = Config(
                    connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 1}
                )
            if self.endpoint_url:
                options["endpoint_url"] = self.endpoint_url
            self._clients[service] = self.session.client(service, **options)
        return self._clients[service]

    @property
    def partition(self) -> str:
        """``aws``, ``aws-cn`` or ``aws-us-gov``."""
        return str(self.session.get_partition_for_region(self.region))


def code_of(error: Exception) -> str:
    """The service's error code, or ''."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def message_of(error: Exception) -> str:
    """The service's own message."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Message") or error)


def is_denied(error: Exception) -> bool:
    """Whether the caller lacks a permission."""
    return code_of(error) in _DENIED_CODES


def is_missing(error: Exception) -> bool:
    """Whether AWS reports that the resource does not exist."""
    code = code_of(error)
    return code in ("404", "NoSuchBucket", "NoSuchKey") or "NotFound" in code


@contextmanager
def aws_errors(doing: str) -> Iterator[None]:
    """Raises botocore's errors as :class:`InfraError` with what to do.

    :param doing: what the block does, such as ``listing snapshots``.
    """
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError
    from botocore.exceptions import ConnectionError as Unreachable

    try:
        yield
    except NoCredentialsError:
        raise InfraError(
            f"{doing}: no AWS credentials were found",
            "set AWS_PROFILE or run `aws configure`; sparkify stores no credentials",
        ) from None
    except ClientError as error:
        call = getattr(error, "operation_name", "")
        if is_denied(error):
            raise InfraError(
                f"{doing}: AWS does not allow {call}: {message_of(error)}", POLICY_HINT
            ) from error
        if code_of(error) in _CREDENTIAL_CODES:
            raise InfraError(
                f"{doing}: AWS rejects the credentials: {message_of(error)}",
                "log in again, or set AWS_PROFILE to a valid profile",
            ) from error
        raise InfraError(
            f"{doing}: {call}: {message_of(error)}", "sparkify infra status shows what exists"
        ) from error
    except (Unreachable, HTTPClientError) as error:
        raise InfraError(
            f"{doing}: AWS cannot be reached: {error}", "check the network and the region's name"
        ) from error
    except BotoCoreError as error:
        raise InfraError(f"{doing}: {error}", "check the settings and run this again") from error


def wait_until(
    done: Callable[[], bool],
    what: str,
    *,
    sleep: Callable[[float], None],
    every: float = 15,
    limit: float = 5400,
) -> None:
    """Calls ``done`` every ``every`` seconds until it is true, for about ``limit`` seconds.

    :raises InfraError: when the limit has passed.
    """
    waited = 0.0
    while not done():
        if waited >= limit:
            raise InfraError(
                f"{what} is not done after {limit / 60:.0f} minutes", "run this again to continue"
            )
        sleep(every)
        waited += every
