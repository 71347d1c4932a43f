"""The options of a Redshift ``database_url``."""

from __future__ import annotations

from sqlalchemy.engine import URL

from ...core.errors import SettingsError

#: Seconds to wait for a server to answer, unless the URL says otherwise: ``?timeout=5``.
CONNECT_TIMEOUT = 30.0
DEFAULT_PORT = 5439
#: How the certificate is checked; ``disable`` is no TLS at all.
SSL_MODES = ("verify-full", "verify-ca", "disable")


def check_url(url: URL) -> None:
    """:raises SettingsError: when the URL is incomplete or has unknown options."""
    if not url.host or "@" in url.host:
        # An @ in the host is the end of a password, so the host is not shown.
        raise SettingsError(
            "database_url names no host"
            if not url.host
            else "database_url has more than one @ before the host",
            "percent-encode the password in it (@ is %40), or set SPARKIFY_DATABASE_PASSWORD",
        )
    if not url.database:
        raise SettingsError(
            "database_url names no database", "add one at its end, such as :5439/dev"
        )
    unknown = sorted(set(url.query) - {"sslmode", "timeout"})
    if unknown:
        raise SettingsError(
            f"database_url has an unknown option {unknown[0]}", "it accepts sslmode and timeout"
        )
    if ssl_mode(url) not in SSL_MODES:
        raise SettingsError(
            "database_url has an unknown sslmode",
            f"the driver accepts {', '.join(SSL_MODES)}",
        )


def ssl_mode(url: URL) -> str:
    """How the certificate is checked: ``verify-full`` unless the URL has another mode."""
    return str(url.query.get("sslmode", SSL_MODES[0]))


def connect_timeout(url: URL) -> float:
    """Seconds to wait for the server.

    :raises SettingsError: when the URL has a timeout that is not a number.
    """
    try:
        seconds = float(str(url.query.get("timeout", CONNECT_TIMEOUT)))
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86_400:
        raise SettingsError(
            "the timeout in database_url is not a number of seconds", "write ?timeout=5"
        )
    return seconds
