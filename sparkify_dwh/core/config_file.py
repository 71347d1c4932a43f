"""``sparkify.toml``: reading it, and warning about secrets in it that others can read."""

from __future__ import annotations

import logging
import os
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from stat import S_IRGRP, S_IROTH
from typing import Any

from .errors import SettingsError
from .masking import has_secret

log = logging.getLogger("sparkify_dwh")
CONFIG_FILE = "sparkify.toml"
ENV_PREFIX = "SPARKIFY_"
#: Settings that are accepted from the environment only.
ENV_ONLY = frozenset({"database_password"})


def read_config_file(
    path: str | os.PathLike[str] | None, secret_settings: Collection[str]
) -> dict[str, Any]:
    """The values of the config file; ``{}`` where the default file does not exist.

    :param secret_settings: names of settings whose values are secrets, whatever they look like.
    :raises SettingsError: when a named file is missing, is not valid TOML or holds a password.
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
        raise SettingsError(f"config file {file} is not valid TOML: {error}") from None
    _warn_if_others_can_read(file, sorted(_secrets(values, secret_settings)))
    for name in ENV_ONLY & values.keys():
        raise SettingsError(
            f"{name} is set in {file}, where others can read it",
            f"remove it there and set {ENV_PREFIX}{name.upper()} in the environment",
        )
    return values


_SECRET_NAMES = re.compile("password|pwd|secret$|token", re.IGNORECASE)
#: Files already warned about, with their modification times.
_warned: set[tuple[str, int]] = set()


def _warn_if_others_can_read(file: Path, secrets: list[str]) -> None:
    """Warns once for each version of a file."""
    try:
        found = file.stat()
    except OSError:
        return
    version = (str(file.absolute()), found.st_mtime_ns)
    if not secrets or not found.st_mode & (S_IRGRP | S_IROTH) or version in _warned:
        return
    _warned.add(version)
    mode = f"{found.st_mode & 0o7777:04o}"
    log.warning(
        "%s can be read by others (mode %s) and holds a secret: %s",
        *(file, mode, ", ".join(secrets)),
        extra={"hint": f"chmod 600 {file}, or set it in the environment: {ENV_PREFIX}…"},
    )


def _secrets(
    values: Mapping[str, Any], secret_settings: Collection[str], prefix: str = ""
) -> Iterator[str]:
    """Names of values that hold a secret, those in tables as ``table.name``."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _secrets(value, (), f"{prefix}{name}.")
        elif (
            name in secret_settings
            or (isinstance(value, str) and value and _SECRET_NAMES.search(name))
            or has_secret(value)
        ):
            yield prefix + name
