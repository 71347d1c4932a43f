"""Settings: command line, environment, ``sparkify.toml``, defaults, in this order of strength."""

from __future__ import annotations

import logging
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from stat import S_IRGRP, S_IROTH
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as NoJson
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from .errors import SettingsError

log = logging.getLogger("sparkify_dwh")
CONFIG_FILE = "sparkify.toml"
ENV_PREFIX = "SPARKIFY_"
#: Settings that may come from the environment only.
ENV_ONLY = frozenset({"database_password"})


class Settings(BaseSettings):
    """Everything a command needs to know.

    Each field may be given as keyword, as ``SPARKIFY_<NAME>`` in the environment or in
    ``sparkify.toml``; the first of these that names it wins.

    :raises SettingsError: for an unknown name, a value of the wrong type or a password in the file.
    """

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    database_url: str = Field(
        "duckdb:///sparkify.duckdb",
        description="SQLAlchemy URL of the warehouse; a DuckDB file by default, "
        "`redshift+redshift_connector://user@host:5439/db` for a cluster or workgroup.",
    )
    auth: Literal["password", "secret", "iam", "serverless"] = Field(
        "password", description="How to log in to Redshift."
    )
    database_password: SecretStr | None = Field(
        None, description="Only from the environment; never in the file."
    )
    secret_arn: str | None = Field(
        None, description="Secrets Manager secret with user and password, for `auth = secret`."
    )
    cluster_identifier: str | None = Field(
        None, description="Provisioned cluster, for `auth = iam`."
    )
    workgroup: str | None = Field(
        None, description="Serverless workgroup, for `auth = serverless`."
    )
    db_user: str | None = Field(
        None, description="Database user to ask credentials for, for `auth = iam`."
    )
    log_data: str | None = Field(
        None, description="Event logs: a folder, one file or `s3://bucket/prefix/`."
    )
    song_data: str | None = Field(
        None, description="Song files: a folder, one file or `s3://bucket/prefix/`."
    )
    sources: dict[str, str] = Field(
        default_factory=dict, description="Where the sources of extensions are, by source name."
    )
    extensions: list[str] = Field(
        default_factory=list,
        description="Python modules that declare further sources and targets (docs/extend.md).",
    )
    log_jsonpaths: str | None = Field(
        None, description="A jsonpaths file for the logs, local or on S3."
    )
    work_prefix: str | None = Field(
        None, description="`s3://bucket/prefix/` that may be written: manifests, mappings."
    )
    iam_role: str = Field("default", description="Role that Redshift reads S3 with.")
    aws_region: str | None = Field(None, description="Region of the buckets and the cluster.")
    aws_endpoint_url: str | None = Field(None, description="Another endpoint than AWS's own.")
    max_reject_ratio: float = Field(
        0.01, ge=0, le=1, description="A load fails above this share of refused rows of a source."
    )
    reject_floor: int = Field(
        10, ge=0, description="Up to this many refused rows of a source never fail a load."
    )
    max_rejects: int | None = Field(
        None, ge=0, description="A load fails above this many refused rows of a source."
    )
    lock_timeout: float = Field(
        60, ge=0, description="Seconds to wait for another loader before giving up."
    )
    statement_timeout: float | None = Field(
        None, gt=0, description="Seconds one statement may take (Redshift)."
    )
    memory_limit: str | None = Field(
        None,
        description="Memory that DuckDB may take, such as `2GiB`; also bounds the spooling.",
    )
    webhook_url: SecretStr | None = Field(
        None, description="Gets one JSON message for a failed or refused load."
    )
    openlineage: str | None = Field(
        None, description="File that gets OpenLineage events of loads, one JSON object a line."
    )
    infra: dict[str, Any] = Field(
        default_factory=dict, description="The `[infra]` table: the cluster and all it needs."
    )

    def __init__(self, *, config: str | os.PathLike[str] | None = None, **values: Any) -> None:
        given = {name: value for name, value in values.items() if value is not None}
        file = read_config_file(config or os.environ.get(ENV_PREFIX + "CONFIG"))
        # pydantic-settings puts keywords above the environment: the file's values join the
        # keywords only where neither of the stronger places names the setting.
        kept = {k: v for k, v in file.items() if k not in given and not _in_environment(k)}
        try:
            super().__init__(**kept, **given)
        except ValidationError as error:
            raise SettingsError(*_explain(error)) from None
        except NoJson as error:
            raise SettingsError(
                f"in the environment: {error}", "lists and tables are written there as JSON"
            ) from None

    @field_validator("database_url")
    @classmethod
    def _url(cls, value: str) -> str:
        try:
            url = make_url(value)
            backend = url.get_backend_name()
        except (ArgumentError, ValueError):  # a port that is no number, which may be a password
            raise ValueError("it is no SQLAlchemy URL such as duckdb:///file.duckdb") from None
        if url.username and not url.host:
            raise ValueError("a database that is a file has no user and no password")
        if url.host and "@" in (url.database or ""):
            raise ValueError("a password in it must be percent-encoded: %2F for /, %40 for @")
        from .engines import ENGINES

        if backend not in ENGINES:
            raise ValueError(f"no engine named {backend!r}; there are: {', '.join(ENGINES)}")
        return value

    @field_validator("aws_endpoint_url")
    @classmethod
    def _endpoint(cls, value: str | None) -> str | None:
        # boto3 quotes it in its errors.
        if value is not None and not _ENDPOINT.fullmatch(value):
            raise ValueError("it must look like https://host:port, without user or parameters")
        return value

    @field_validator("work_prefix")
    @classmethod
    def _prefix(cls, value: str | None) -> str | None:
        if value is not None and not (value.startswith("s3://") and value.endswith("/")):
            raise ValueError("it must look like s3://bucket/prefix/ and end with a slash")
        return value

    @field_validator("webhook_url")
    @classmethod
    def _webhook(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            try:
                parts = urlsplit(value.get_secret_value())
                sound = parts.scheme in ("http", "https") and bool(parts.hostname)
                _ = parts.port
            except ValueError:
                sound = False
            if not sound:
                raise ValueError("it must look like https://host/path")
        return value

    def location(self, source: str, setting: str) -> str | None:
        """Where the source is, or None: the setting of its own, or its entry in ``sources``."""
        own = getattr(self, setting, None) if setting in type(self).model_fields else None
        return own or self.sources.get(source)

    def jsonpaths(self, setting: str) -> str | None:
        """The jsonpaths file of a source: ``log_jsonpaths`` for the setting ``log_data``."""
        name = setting.replace("_data", "_jsonpaths")
        found: str | None = getattr(self, name) if name in type(self).model_fields else None
        return found or None

    def __repr_args__(self) -> Any:
        return self.shown().items()

    def shown(self) -> dict[str, Any]:
        """Every setting with secrets masked, passwords inside URLs included."""
        return {name: masked(getattr(self, name)) for name in type(self).model_fields}


_ENDPOINT = re.compile(r"https?://[^/?#@\s]+(/[^?#@\s]*)?")
#: A password before the host, or a secret among the parameters, of a URL; SQLAlchemy takes a
#: password with any character but @, and a wrong one may hold that as well.
_URL_SECRETS = re.compile(
    r"(?<=://)(?P<user>[^/@:]*):(?s:.*)@"
    r"|(?P<name>[?&][^=&\s]*(?:password|pwd|secret|token|key)[^=&\s]*=)[^&\s]*",
    re.IGNORECASE,
)


def masked(value: Any) -> Any:
    """A setting's value as it may be shown."""
    if isinstance(value, SecretStr):
        return "***"
    if isinstance(value, str):
        return _URL_SECRETS.sub(
            lambda m: f"{m['name']}***" if m["name"] else f"{m['user']}:***@", value
        )
    if isinstance(value, dict):
        return {key: masked(each) for key, each in value.items()}
    return value


def _in_environment(name: str) -> bool:
    return any(key.upper() == ENV_PREFIX + name.upper() for key in os.environ)


def read_config_file(path: str | os.PathLike[str] | None) -> dict[str, Any]:
    """The values of the config file; ``{}`` where the default file does not exist.

    :raises SettingsError: when a named file is missing, is no TOML or holds a password.
    """
    file = Path(path or CONFIG_FILE)
    if path is None and not file.is_file():
        return {}
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"config file {file} does not exist", "sparkify init writes one"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"config file {file} cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"config file {file} is no valid TOML: {error}") from None
    _warn_of_readers(file, values)
    for name in ENV_ONLY & values.keys():
        raise SettingsError(
            f"{name} is set in {file}, where others can read it",
            f"remove it there and set {ENV_PREFIX}{name.upper()} in the environment",
        )
    return values


_SECRET_NAMES = re.compile("password|pwd|secret$|token", re.IGNORECASE)
#: Files that were warned of, with the time they were written at.
_warned: set[tuple[str, int]] = set()


def _warn_of_readers(file: Path, values: Mapping[str, Any]) -> None:
    """Warns of secrets in a file that others may read, once for each version of it."""
    secrets = sorted(_secrets(values))
    try:
        found = file.stat()
    except OSError:
        return
    known = (str(file.absolute()), found.st_mtime_ns)
    if not secrets or not found.st_mode & (S_IRGRP | S_IROTH) or known in _warned:
        return
    _warned.add(known)
    mode = f"{found.st_mode & 0o7777:04o}"
    log.warning(
        "%s can be read by others (mode %s) and holds a secret: %s",
        *(file, mode, ", ".join(secrets)),
        extra={"hint": f"chmod 600 {file}, or set it in the environment: {ENV_PREFIX}…"},
    )


def _secrets(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Names of values that hold a secret, those of tables as ``table.name``."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _secrets(value, f"{prefix}{name}.")
            continue
        kind = Settings.model_fields[name].annotation if name in Settings.model_fields else None
        parts = value if isinstance(value, list) else [value]
        if (
            (not prefix and kind is not None and SecretStr in (kind, *get_args(kind)))
            or (isinstance(value, str) and value and _SECRET_NAMES.search(name))
            or any(isinstance(part, str) and masked(part) != part for part in parts)
        ):
            yield prefix + name


def origins(config: str | os.PathLike[str] | None, given: Mapping[str, Any]) -> dict[str, str]:
    """Where each value comes from: ``option``, ``environment``, ``file`` or ``default``."""
    file = read_config_file(config or os.environ.get(ENV_PREFIX + "CONFIG"))
    result = {}
    for name in Settings.model_fields:
        if given.get(name) is not None:
            result[name] = "option"
        elif _in_environment(name):
            result[name] = "environment"
        elif name in file:
            result[name] = "file"
        else:
            result[name] = "default"
    return result


def _explain(error: ValidationError) -> tuple[str, str]:
    first = error.errors(include_url=False, include_input=False)[0]
    name = ".".join(str(part) for part in first["loc"]) or "settings"
    if first["type"] == "extra_forbidden":
        import difflib

        near = difflib.get_close_matches(name, Settings.model_fields, n=1)
        hint = f"did you mean {near[0]}?" if near else "sparkify config lists all settings"
        return f"there is no setting named {name}", hint
    message = first["msg"].removeprefix("Value error, ")
    return f"setting {name}: {message}", "sparkify config shows where each value comes from"
