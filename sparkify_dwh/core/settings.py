"""Settings from the command line, environment, ``sparkify.toml`` and defaults, strongest first."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import InitVar
from typing import TYPE_CHECKING, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as EnvironmentValueError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from .config_file import ENV_PREFIX, read_config_file
from .errors import SettingsError
from .masking import masked


class _LayeredSettings(BaseSettings):
    """Reads settings from keywords, the environment and the config file, strongest first.

    Separate from ``Settings``, because type checkers derive the keywords of a class from its
    fields only if it defines no ``__init__``.
    """

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    def __init__(self, *, config: str | os.PathLike[str] | None = None, **values: Any) -> None:
        given = {name: value for name, value in values.items() if value is not None}
        # pydantic-settings ranks keywords above the environment: a value of the file joins the
        # keywords only where the environment does not set it.
        from_file = {
            name: value
            for name, value in type(self)._file_values(config).items()
            if name not in given and not _in_environment(name)
        }
        try:
            super().__init__(**from_file, **given)
        except ValidationError as error:
            raise SettingsError(*_explain(error, type(self).model_fields)) from None
        except EnvironmentValueError as error:
            raise SettingsError(
                f"in the environment: {error}", "write lists and tables there as JSON"
            ) from None

    @classmethod
    def _file_values(cls, config: str | os.PathLike[str] | None) -> dict[str, Any]:
        secrets = {
            name
            for name, field in cls.model_fields.items()
            if SecretStr in (field.annotation, *get_args(field.annotation))
        }
        return read_config_file(config or os.environ.get(ENV_PREFIX + "CONFIG"), secrets)


class Settings(_LayeredSettings):
    """The settings of a warehouse and its loads.

    Each may be given as a keyword, as ``SPARKIFY_<NAME>`` in the environment or in
    ``sparkify.toml``; the first of these that names it wins. The keyword ``config`` names a file
    to read instead of ``sparkify.toml``.

    :raises SettingsError: for an unknown name, a value of the wrong type or a password in the file.
    """

    if TYPE_CHECKING:
        # A keyword but no field. Type checkers understand InitVar, pydantic does not.
        config: InitVar[str | os.PathLike[str] | None] = None

    database_url: str = Field(
        default="duckdb:///sparkify.duckdb",
        description="SQLAlchemy URL of the warehouse; a DuckDB file by default, "
        "`redshift+redshift_connector://user@host:5439/db` for a cluster or workgroup.",
    )
    auth: Literal["password", "secret", "iam", "serverless"] = Field(
        default="password", description="How to log in to Redshift."
    )
    database_password: SecretStr | None = Field(
        default=None, description="Only from the environment; never in the file."
    )
    secret_arn: str | None = Field(
        default=None,
        description="Secrets Manager secret with user and password, for `auth = secret`.",
    )
    cluster_identifier: str | None = Field(
        default=None, description="Provisioned cluster, for `auth = iam`."
    )
    workgroup: str | None = Field(
        default=None, description="Serverless workgroup, for `auth = serverless`."
    )
    db_user: str | None = Field(
        default=None, description="Database user to request credentials for, for `auth = iam`."
    )
    log_data: str | None = Field(
        default=None, description="Event logs: a folder, one file or `s3://bucket/prefix/`."
    )
    song_data: str | None = Field(
        default=None, description="Song files: a folder, one file or `s3://bucket/prefix/`."
    )
    sources: dict[str, str] = Field(
        default_factory=dict,
        description="Places of the sources that extensions declare, by source name.",
    )
    extensions: list[str] = Field(
        default_factory=list,
        description="Python modules that declare more sources and targets (docs/extend.md).",
    )
    log_jsonpaths: str | None = Field(
        default=None, description="A jsonpaths file for the logs, local or on S3."
    )
    work_prefix: str | None = Field(
        default=None,
        description="`s3://bucket/prefix/` for the loader's own objects: manifests, mappings.",
    )
    iam_role: str = Field(default="default", description="Role that Redshift reads S3 with.")
    aws_region: str | None = Field(
        default=None, description="Region of the buckets and the cluster."
    )
    aws_endpoint_url: str | None = Field(
        default=None, description="Endpoint to use instead of AWS's own."
    )
    max_reject_ratio: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="A load fails above this share of refused rows of a source.",
    )
    reject_floor: int = Field(
        default=10, ge=0, description="Up to this many refused rows of a source never fail a load."
    )
    max_rejects: int | None = Field(
        default=None, ge=0, description="A load fails above this many refused rows of a source."
    )
    lock_timeout: float = Field(
        default=60, ge=0, description="Seconds to wait for another loader before giving up."
    )
    statement_timeout: float | None = Field(
        default=None, gt=0, description="Seconds one statement may take (Redshift)."
    )
    memory_limit: str | None = Field(
        default=None,
        description="Memory limit of DuckDB, such as `2GiB`; also bounds spooling.",
    )
    webhook_url: SecretStr | None = Field(
        default=None,
        description="URL that receives a JSON message for each failed or refused load.",
    )
    openlineage: str | None = Field(
        default=None,
        description="File to append OpenLineage events of loads to, one JSON object a line.",
    )
    infra: dict[str, Any] = Field(
        default_factory=dict, description="The `[infra]` table: the cluster and what it needs."
    )

    @field_validator("database_url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        try:
            url = make_url(value)
            backend = url.get_backend_name()
        except (ArgumentError, ValueError):  # a port that is not a number may be a password
            raise ValueError("not an SQLAlchemy URL such as duckdb:///file.duckdb") from None
        if url.username and not url.host:
            raise ValueError("a database file has no user and no password")
        if url.host and "@" in (url.database or ""):
            raise ValueError("percent-encode the password: %2F for /, %40 for @")
        from .engines import ENGINES

        if backend not in ENGINES:
            raise ValueError(f"no engine is named {backend!r}; choose one of: {', '.join(ENGINES)}")
        return value

    @field_validator("aws_endpoint_url")
    @classmethod
    def _check_endpoint(cls, value: str | None) -> str | None:
        # boto3 quotes the URL in its errors.
        if value is not None and not _ENDPOINT.fullmatch(value):
            raise ValueError("must look like https://host:port, without user or parameters")
        return value

    @field_validator("work_prefix")
    @classmethod
    def _check_prefix(cls, value: str | None) -> str | None:
        if value is not None and not (value.startswith("s3://") and value.endswith("/")):
            raise ValueError("must look like s3://bucket/prefix/ and end with a slash")
        return value

    @field_validator("webhook_url")
    @classmethod
    def _check_webhook(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            try:
                parts = urlsplit(value.get_secret_value())
                valid = parts.scheme in ("http", "https") and bool(parts.hostname)
                _ = parts.port  # raises ValueError where it is not a number
            except ValueError:
                valid = False
            if not valid:
                raise ValueError("must look like https://host/path")
        return value

    def location(self, source: str, setting: str) -> str | None:
        """Where a source is: its own setting, else its entry in ``sources``, else None."""
        own = getattr(self, setting, None) if setting in type(self).model_fields else None
        return own or self.sources.get(source)

    def jsonpaths(self, setting: str) -> str | None:
        """The jsonpaths file of a source, such as ``log_jsonpaths`` for ``log_data``."""
        name = setting.replace("_data", "_jsonpaths")
        found: str | None = getattr(self, name) if name in type(self).model_fields else None
        return found or None

    def __repr_args__(self) -> Any:
        return self.masked().items()

    def masked(self) -> dict[str, Any]:
        """Every setting with secrets masked, passwords inside URLs included."""
        return {name: masked(getattr(self, name)) for name in type(self).model_fields}


_ENDPOINT = re.compile(r"https?://[^/?#@\s]+(/[^?#@\s]*)?")


def _in_environment(name: str) -> bool:
    return any(key.upper() == ENV_PREFIX + name.upper() for key in os.environ)


def origins(config: str | os.PathLike[str] | None, given: Mapping[str, Any]) -> dict[str, str]:
    """Where each value comes from: ``option``, ``environment``, ``file`` or ``default``."""
    file_values = Settings._file_values(config)

    def origin(name: str) -> str:
        if given.get(name) is not None:
            return "option"
        if _in_environment(name):
            return "environment"
        return "file" if name in file_values else "default"

    return {name: origin(name) for name in Settings.model_fields}


def _explain(error: ValidationError, names: Collection[str]) -> tuple[str, str]:
    first = error.errors(include_url=False, include_input=False)[0]
    name = ".".join(str(part) for part in first["loc"]) or "settings"
    if first["type"] == "extra_forbidden":
        import difflib

        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]}?" if near else "sparkify config lists all settings"
        return f"there is no setting named {name}", hint
    message = first["msg"].removeprefix("Value error, ")
    return f"setting {name}: {message}", "sparkify config shows where each value comes from"
