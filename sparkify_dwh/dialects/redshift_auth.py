"""Credentials for Redshift: one abstraction over a password, a secret and two kinds of IAM."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr
from sqlalchemy.engine import URL

from ..aws import client
from ..config import Settings
from ..errors import DatabaseError, SettingsError

#: Temporary credentials are renewed when they have less than this left.
MARGIN = timedelta(minutes=2)


@dataclass(frozen=True)
class Credentials:
    """User and password for one connection; ``expires_at`` (UTC) is None where they last."""

    user: str
    password: SecretStr
    expires_at: datetime | None = None

    @property
    def fresh(self) -> bool:
        """Whether they last long enough to connect with."""
        return self.expires_at is None or self.expires_at - datetime.now(UTC) > MARGIN


class Login:
    """Fetches credentials when a connection needs them and keeps them while they are fresh."""

    def __init__(self, settings: Settings, url: URL) -> None:
        self.settings, self.url = settings, url
        self._held: Credentials | None = None

    def credentials(self) -> Credentials:
        """User and password to connect with now.

        :raises SettingsError: when a setting that ``auth`` needs is missing.
        :raises DatabaseError: when AWS gives none.
        """
        if self._held is None or not self._held.fresh:
            self._held = _KINDS[self.settings.auth](self)
        return self._held

    def _password(self) -> Credentials:
        given = self.settings.database_password
        password = given.get_secret_value() if given else self.url.password
        if not self.url.username or password is None:
            raise SettingsError(
                "auth = password needs a user in database_url and a password",
                "set SPARKIFY_DATABASE_PASSWORD, or choose auth = secret, iam or serverless",
            )
        return Credentials(self.url.username, SecretStr(str(password)))

    def _secret(self) -> Credentials:
        arn = self._needed("secret_arn")
        answer = self._ask("secretsmanager", "get_secret_value", SecretId=arn)
        try:
            secret = json.loads(answer["SecretString"])
            return Credentials(secret["username"], SecretStr(secret["password"]))
        except (KeyError, ValueError, TypeError):
            raise DatabaseError(
                f"secret {arn} holds no JSON with username and password",
                "name the secret that Redshift manages, or one of the same form",
            ) from None

    def _iam(self) -> Credentials:
        cluster = self._needed("cluster_identifier")
        if self.settings.db_user:
            answer = self._ask(
                "redshift",
                "get_cluster_credentials",
                ClusterIdentifier=cluster,
                DbUser=self.settings.db_user,
                DbName=self.url.database,
                DurationSeconds=3600,
            )
        else:
            answer = self._ask(
                "redshift",
                "get_cluster_credentials_with_iam",
                ClusterIdentifier=cluster,
                DbName=self.url.database,
                DurationSeconds=3600,
            )
        password = SecretStr(answer["DbPassword"])
        return Credentials(answer["DbUser"], password, answer.get("Expiration"))

    def _serverless(self) -> Credentials:
        answer = self._ask(
            "redshift-serverless",
            "get_credentials",
            workgroupName=self._needed("workgroup"),
            dbName=self.url.database,
            durationSeconds=3600,
        )
        password = SecretStr(answer["dbPassword"])
        return Credentials(answer["dbUser"], password, answer.get("expiration"))

    def _needed(self, name: str) -> str:
        value = getattr(self.settings, name)
        if not value:
            raise SettingsError(f"auth = {self.settings.auth} needs {name}", f"set {name}")
        return str(value)

    def _ask(self, service: str, method: str, **arguments: Any) -> Any:
        asked = client(self.settings, service)
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(asked, method)(**{k: v for k, v in arguments.items() if v})
        except (BotoCoreError, ClientError) as error:
            raise DatabaseError(
                f"no credentials from {service}: {error}",
                f"this user must be allowed to call {method} (docs/redshift.md)",
            ) from error


_KINDS: dict[str, Callable[[Login], Credentials]] = {
    "password": Login._password,
    "secret": Login._secret,
    "iam": Login._iam,
    "serverless": Login._serverless,
}
