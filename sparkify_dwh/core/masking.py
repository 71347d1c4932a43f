"""Secrets in settings: finding them, and masking them before a value is shown."""

from __future__ import annotations

import re
from typing import Any

from pydantic import SecretStr

#: A password before the host, or a secret among the parameters, of a URL. SQLAlchemy accepts a
#: password with any character but @, and a mistyped one may contain that as well.
_URL_SECRETS = re.compile(
    r"(?<=://)(?P<user>[^/@:]*):(?s:.*)@"
    r"|(?P<name>[?&][^=&\s]*(?:password|pwd|secret|token|key)[^=&\s]*=)[^&\s]*",
    re.IGNORECASE,
)


def masked(value: Any) -> Any:
    """A setting's value with its secrets replaced, safe to show."""
    if isinstance(value, SecretStr):
        return "***"
    if isinstance(value, str):
        return _URL_SECRETS.sub(
            lambda m: f"{m['name']}***" if m["name"] else f"{m['user']}:***@", value
        )
    if isinstance(value, dict):
        return {key: masked(each) for key, each in value.items()}
    return value


def has_secret(value: Any) -> bool:
    """Whether a text, or a text in a list, would be masked."""
    parts = value if isinstance(value, list) else [value]
    return any(isinstance(part, str) and masked(part) != part for part in parts)
