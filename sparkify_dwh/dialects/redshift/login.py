"""Credentials for Redshift: from a password, a secret, or IAM for clusters and for serverless."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr
from sqlalchemy.engine import URL

from ...core.errors import DatabaseError, SettingsError
from ...core.settings import Settings
from ...storage.aws import client
from .driver_errors import first_line

#: Temporary credentials are renewed when they have less than this left.
MARGIN = timedelta(minutes=2)
#: Seconds for which temporary credentials are requested: the most that AWS allows.
DURATION = 3600

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_UNKNOWN_KEYS = {
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "InvalidSignatureException",
    "AuthFailure",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized"}
_MISSING = {"ClusterNotFound", "ClusterNotFoundFault", "ResourceNotFoundException"}


@dataclass(frozen=True)
class Credentials:
    """User and password for one connection; ``expires_at`` (UTC) is None if they do not expire."""

    user: str
    password: SecretStr
    expires_at: datetime | None = None

    def is_fresh(self, now: datetime) -> bool:
        """Whether they stay valid long enough to connect."""
        return self.expires_at is None or self.expires_at - now > MARGIN


class Login:
    """Fetches credentials when a connection needs them and keeps them while they are fresh.

    :param clock: the time in UTC.
    """

    def __init__(
        self,
        settings: Settings,
        url: URL,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.settings, self._url, self.clock = settings, url, clock
        self._credentials: Credentials | None = None

    def credentials(self) -> Credentials:
        """User and password to connect with now.

        :raises SettingsError: when a setting that ``auth`` needs is missing.
        :raises DatabaseError: when AWS returns none.
        """
        if self._credentials is None or not self._credentials.is_fresh(self.clock()):
            self._credentials = _KINDS[self.settings.auth](self)
        return self._credentials

    def renew(self) -> Credentials | None:
        """New credentials after the last ones were refused; None if there are no others.

        A secret may have been rotated, and AWS may have ended a session early.
        """
        refused, self._credentials = self._credentials, None
        if refused is None or self.settings.auth == "password":
            return None
        renewed = self.credentials()
        return None if renewed.password == refused.password else renewed

    def _password(self) -> Credentials:
        setting = self.settings.database_password
        password = setting.get_secret_value() if setting else self._url.password
        if not self._url.username or password is None:
            raise SettingsError(
                "auth = password needs a user in database_url and a password",
                "set SPARKIFY_DATABASE_PASSWORD, or choose auth = secret, iam or serverless",
            )
        return Credentials(self._url.username, SecretStr(str(password)))

    def _secret(self) -> Credentials:
        arn = self._required("secret_arn")
        answer = self._ask("secretsmanager", "get_secret_value", SecretId=arn)
        try:
            secret = json.loads(answer["SecretString"])
            user, password = secret.get("username") or self._url.username, secret["password"]
        except (KeyError, ValueError, TypeError, AttributeError):
            user = password = None
        if not (isinstance(user, str) and user and isinstance(password, str)):
            raise DatabaseError(
                f"secret {arn} does not contain JSON with username and password",
                "use the secret that Redshift manages, or one of the same form",
            )
        return Credentials(user, SecretStr(password))

    def _iam(self) -> Credentials:
        cluster = self._required("cluster_identifier")
        request = {
            "ClusterIdentifier": cluster,
            "DbName": self._url.database,
            "DurationSeconds": DURATION,
        }
        if self.settings.db_user:
            request["DbUser"] = self.settings.db_user
            answer = self._ask("redshift", "get_cluster_credentials", **request)
        else:
            answer = self._ask("redshift", "get_cluster_credentials_with_iam", **request)
        password = SecretStr(answer["DbPassword"])
        return Credentials(answer["DbUser"], password, answer.get("Expiration"))

    def _serverless(self) -> Credentials:
        answer = self._ask(
            "redshift-serverless",
            "get_credentials",
            workgroupName=self._required("workgroup"),
            dbName=self._url.database,
            durationSeconds=DURATION,
        )
        password = SecretStr(answer["dbPassword"])
        return Credentials(answer["dbUser"], password, answer.get("expiration"))

    def _required(self, name: str) -> str:
        value = getattr(self.settings, name)
        if not value:
            raise SettingsError(f"auth = {self.settings.auth} needs {name}", f"set {name}")
        return str(value)

    def _ask(self, service: str, method: str, **arguments: Any) -> Any:
        return ask(self.settings, service, method, **arguments)


_KINDS: dict[str, Callable[[Login], Credentials]] = {
    "password": Login._password,
    "secret": Login._secret,
    "iam": Login._iam,
    "serverless": Login._serverless,
}


def ask(settings: Settings, service: str, method: str, **arguments: Any) -> Any:
    """Calls an AWS service and returns its answer; arguments that are None are left out.

    :raises DatabaseError: when AWS refuses or cannot be reached.
    :raises MissingExtraError: when boto3 is not installed.
    """
    action = f"{service}:{_camel(method)}"
    try:
        call = getattr(client(settings, service), method)
        return call(**{k: v for k, v in arguments.items() if v is not None})
    except Exception as error:
        explained = _explain_aws_error(error, action, settings)
        if explained is None:
            raise
    # Outside of the handler: some AWS errors quote the request with its session token.
    raise explained


def _camel(method: str) -> str:
    return "".join(part.title() for part in method.split("_")).replace("Iam", "IAM")


def _explain_aws_error(error: Exception, action: str, settings: Settings) -> DatabaseError | None:
    try:
        from botocore import exceptions as aws
    except ImportError:
        return None
    if isinstance(error, aws.ClientError):
        return _explain_refusal(error.response.get("Error", {}), action, settings)
    if isinstance(error, aws.NoCredentialsError | aws.PartialCredentialsError):
        return DatabaseError(
            f"{action}: boto3 finds no AWS credentials",
            "sign in (aws configure, aws sso login) or set AWS_PROFILE",
        )
    if isinstance(error, aws.SSOError | aws.TokenRetrievalError | aws.CredentialRetrievalError):
        return DatabaseError(f"{action}: the AWS session has ended", "sign in again: aws sso login")
    if isinstance(error, aws.NoRegionError):
        return DatabaseError(f"{action}: no AWS region is set", "set aws_region")
    if isinstance(error, aws.HTTPClientError | aws.ConnectionError):
        return DatabaseError(
            f"{action}: AWS cannot be reached: {first_line(error)}",
            "check the network, aws_region and aws_endpoint_url",
        )
    if isinstance(error, aws.BotoCoreError):
        return DatabaseError(f"{action}: {first_line(error)}", "check the AWS configuration")
    return None


def _explain_refusal(answer: dict[str, str], action: str, settings: Settings) -> DatabaseError:
    code, message = answer.get("Code", ""), answer.get("Message", "")
    if code in _EXPIRED:
        return DatabaseError(
            f"{action}: the AWS session has expired",
            "sign in again (aws sso login), or renew the temporary credentials in the environment",
        )
    if code in _UNKNOWN_KEYS:
        return DatabaseError(
            f"{action}: AWS does not accept these credentials ({code})",
            "check AWS_PROFILE, or the keys in the environment",
        )
    if code in _DENIED:
        return DatabaseError(
            f"{action}: AWS does not allow this user to do it",
            f"allow {action} (docs/redshift.md shows the policy)",
        )
    if code in _MISSING:
        name = settings.cluster_identifier or settings.workgroup
        name = settings.secret_arn if settings.auth == "secret" else name
        return DatabaseError(
            f"{action}: there is no {name} in region {settings.aws_region or 'of the AWS profile'}",
            "check its name and aws_region",
        )
    first = (message.strip().splitlines() or [""])[0]
    return DatabaseError(f"{action}: {code}: {first}", "docs/redshift.md lists what is needed")
