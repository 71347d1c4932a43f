"""Credentials for Redshift: one abstraction over a password, a secret and two kinds of IAM."""

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

#: Temporary credentials are renewed when they have less than this left.
MARGIN = timedelta(minutes=2)
#: Seconds that temporary credentials are asked for: the most that AWS gives.
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
    """User and password for one connection; ``expires_at`` (UTC) is None where they last."""

    user: str
    password: SecretStr
    expires_at: datetime | None = None

    def fresh(self, now: datetime) -> bool:
        """Whether they last long enough to connect with."""
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
        self._held: Credentials | None = None

    def credentials(self) -> Credentials:
        """User and password to connect with now.

        :raises SettingsError: when a setting that ``auth`` needs is missing.
        :raises DatabaseError: when AWS gives none.
        """
        if self._held is None or not self._held.fresh(self.clock()):
            self._held = _KINDS[self.settings.auth](self)
        return self._held

    def renewed(self) -> Credentials | None:
        """Other credentials than those held, which were refused; None where there are none.

        A secret may have been rotated, and AWS may have ended a session before its time.
        """
        refused, self._held = self._held, None
        if refused is None or self.settings.auth == "password":
            return None
        found = self.credentials()
        return None if found.password == refused.password else found

    def _password(self) -> Credentials:
        given = self.settings.database_password
        password = given.get_secret_value() if given else self._url.password
        if not self._url.username or password is None:
            raise SettingsError(
                "auth = password needs a user in database_url and a password",
                "set SPARKIFY_DATABASE_PASSWORD, or choose auth = secret, iam or serverless",
            )
        return Credentials(self._url.username, SecretStr(str(password)))

    def _secret(self) -> Credentials:
        arn = self._needed("secret_arn")
        answer = self._ask("secretsmanager", "get_secret_value", SecretId=arn)
        try:
            secret = json.loads(answer["SecretString"])
            user, password = secret.get("username") or self._url.username, secret["password"]
        except (KeyError, ValueError, TypeError, AttributeError):
            user = password = None
        if not (isinstance(user, str) and user and isinstance(password, str)):
            raise DatabaseError(
                f"secret {arn} holds no JSON with username and password",
                "name the secret that Redshift manages, or one of the same form",
            )
        return Credentials(user, SecretStr(password))

    def _iam(self) -> Credentials:
        cluster = self._needed("cluster_identifier")
        asked = {
            "ClusterIdentifier": cluster,
            "DbName": self._url.database,
            "DurationSeconds": DURATION,
        }
        if self.settings.db_user:
            asked["DbUser"] = self.settings.db_user
            answer = self._ask("redshift", "get_cluster_credentials", **asked)
        else:
            answer = self._ask("redshift", "get_cluster_credentials_with_iam", **asked)
        password = SecretStr(answer["DbPassword"])
        return Credentials(answer["DbUser"], password, answer.get("Expiration"))

    def _serverless(self) -> Credentials:
        answer = self._ask(
            "redshift-serverless",
            "get_credentials",
            workgroupName=self._needed("workgroup"),
            dbName=self._url.database,
            durationSeconds=DURATION,
        )
        password = SecretStr(answer["dbPassword"])
        return Credentials(answer["dbUser"], password, answer.get("expiration"))

    def _needed(self, name: str) -> str:
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
    """The answer of an AWS service to one call; arguments that are None are left out.

    :raises DatabaseError: when AWS refuses or cannot be reached.
    :raises MissingExtraError: when boto3 is not installed.
    """
    from_service = f"{service}:{_camel(method)}"
    try:
        asked = client(settings, service)
        return getattr(asked, method)(**{k: v for k, v in arguments.items() if v is not None})
    except Exception as error:
        told = _explain(error, from_service, settings)
        if told is None:
            raise
    # Outside of the handler, because AWS quotes the request with its session token to some errors.
    raise told


def _camel(method: str) -> str:
    return "".join(part.title() for part in method.split("_")).replace("Iam", "IAM")


def _explain(error: Exception, what: str, settings: Settings) -> DatabaseError | None:
    try:
        from botocore import exceptions as aws
    except ImportError:
        return None
    if isinstance(error, aws.ClientError):
        return _refusal(error.response.get("Error", {}), what, settings)
    if isinstance(error, aws.NoCredentialsError | aws.PartialCredentialsError):
        return DatabaseError(
            f"{what}: boto3 finds no AWS credentials here",
            "sign in (aws configure, aws sso login) or set AWS_PROFILE",
        )
    if isinstance(error, aws.SSOError | aws.TokenRetrievalError | aws.CredentialRetrievalError):
        return DatabaseError(f"{what}: the AWS session has ended", "sign in again: aws sso login")
    if isinstance(error, aws.NoRegionError):
        return DatabaseError(f"{what}: no AWS region is known", "set aws_region")
    if isinstance(error, aws.HTTPClientError | aws.ConnectionError):
        return DatabaseError(
            f"{what}: AWS cannot be reached: {_line(error)}",
            "check the network, aws_region and aws_endpoint_url",
        )
    if isinstance(error, aws.BotoCoreError):
        return DatabaseError(f"{what}: {_line(error)}", "check the AWS configuration")
    return None


def _refusal(given: dict[str, str], what: str, settings: Settings) -> DatabaseError:
    code, message = given.get("Code", ""), given.get("Message", "")
    if code in _EXPIRED:
        return DatabaseError(
            f"{what}: the AWS session has expired",
            "sign in again (aws sso login), or renew the temporary credentials in the environment",
        )
    if code in _UNKNOWN_KEYS:
        return DatabaseError(
            f"{what}: AWS does not accept these credentials ({code})",
            "check AWS_PROFILE, or the keys in the environment",
        )
    if code in _DENIED:
        return DatabaseError(
            f"{what}: AWS does not allow it to this user",
            f"allow {what} to it (docs/redshift.md has the policy)",
        )
    if code in _MISSING:
        name = settings.cluster_identifier or settings.workgroup
        name = settings.secret_arn if settings.auth == "secret" else name
        return DatabaseError(
            f"{what}: there is no {name} in region {settings.aws_region or 'of the AWS profile'}",
            "check its name and aws_region",
        )
    first = (message.strip().splitlines() or [""])[0]
    return DatabaseError(f"{what}: {code}: {first}", "docs/redshift.md lists what is needed")


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
