"""What the driver's errors mean: one of our errors each, with the next step."""

from __future__ import annotations

import re
import socket
import ssl
import struct
import traceback
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError

from ...core.errors import DatabaseError

DRIVER = "redshift_connector"
#: What the driver raises, beside its own errors, when a connection breaks at an odd moment.
BROKEN = (OSError, struct.error, KeyError, IndexError, ValueError, AttributeError, TypeError)
#: OpenSSL's codes for a certificate of another host name or address.
_OTHER_HOST = (62, 64)
_DROPPED = re.compile(
    r"BrokenPipe|connection is closed|communication error|write to closed|server closed", re.I
)
_FULL = re.compile(r"connection limit|too many (clients|connections)|sorry, too many", re.I)
_EXPIRED = re.compile(r"expired", re.I)


@dataclass(frozen=True)
class Endpoint:
    """Where a connection goes, as messages name it; it holds no secret.

    :param user: user of the URL; None where AWS names it.
    :param auth: the setting.
    :param timeout: seconds to wait for the server.
    :param statement_timeout: seconds that a statement may take; None: no limit of ours.
    """

    host: str
    port: int
    database: str
    user: str | None
    auth: str
    timeout: float
    statement_timeout: float | None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what is inside and behind it, outermost first."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        each = waiting.pop(0)
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [getattr(each, "orig", None), *each.args, each.__cause__, each.__context__]


def fields(error: BaseException) -> dict[str, str]:
    """The fields of the server's error: C the code, M the message; {} where it sent none."""
    for each in chain(error):
        if each.args and isinstance(each.args[0], dict):
            return {str(key): str(value) for key, value in each.args[0].items()}
    return {}


def from_driver(error: BaseException) -> bool:
    """Whether an error that is none of the driver's own classes was raised inside the driver.

    A KeyError there is a connection that broke; elsewhere it is a defect of ours.
    """
    return isinstance(error, BROKEN) and any(
        str(frame.f_globals.get("__name__", "")).startswith(DRIVER)
        for frame, _ in traceback.walk_tb(error.__traceback__)
    )


def is_drivers(error: BaseException) -> bool:
    """Whether the driver raised it: an error of its own, wrapped or not, or one of another kind."""
    own = type(error).__module__.startswith(DRIVER)
    return own or isinstance(error, DBAPIError) or from_driver(error)


def is_dropped(error: BaseException) -> bool:
    """Whether the connection is of no use any more."""
    if fields(error):
        return fields(error).get("S") == "FATAL" or fields(error).get("C", "")[:3] == "57P"
    return any(isinstance(e, OSError) or bool(_DROPPED.search(str(e))) for e in chain(error))


def explain(error: BaseException, endpoint: Endpoint) -> DatabaseError:
    """A driver's error as one of ours."""
    given = fields(error)
    if given:
        return _told(given.get("C", ""), given.get("M", ""), given.get("D", ""), endpoint)
    behind = list(chain(error))
    for each in behind:
        found = _network(each, endpoint)
        if found is not None:
            return found
    text = " ".join(_line(each) for each in behind)
    if "refuses SSL" in text:
        return DatabaseError(
            f"{endpoint} offers no TLS",
            "check that host and port of database_url are those of the cluster",
        )
    # Also a KeyError or a struct.error of a driver that reads a message that was cut off.
    return _dropped(endpoint)


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _dropped(endpoint: Endpoint) -> DatabaseError:
    return DatabaseError(
        f"the connection to {endpoint} was lost; what was not committed is rolled back",
        "run it again; where it happens again, look at the cluster's events and at firewalls "
        "between here and there",
    )


def _network(error: BaseException, endpoint: Endpoint) -> DatabaseError | None:
    if isinstance(error, socket.gaierror):
        return DatabaseError(
            f"there is no host named {endpoint.host}",
            "check database_url against the endpoint of the cluster or workgroup",
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate(error, endpoint)
    if isinstance(error, ssl.SSLError):
        return DatabaseError(
            f"no TLS connection to {endpoint}: {getattr(error, 'reason', None) or _line(error)}",
            "check that host and port of database_url are those of the cluster",
        )
    if isinstance(error, ConnectionRefusedError):
        return DatabaseError(
            f"{endpoint} refuses connections",
            "check the port, and that the cluster runs: sparkify infra status",
        )
    if isinstance(error, TimeoutError):
        return DatabaseError(
            f"{endpoint} did not answer within {endpoint.timeout:g} s",
            "check its security group and network, and that the cluster runs: "
            "sparkify infra status",
        )
    if isinstance(error, ConnectionError | BrokenPipeError):
        return _dropped(endpoint)
    if isinstance(error, OSError):
        return DatabaseError(f"{endpoint} cannot be reached: {_line(error)}", "check the network")
    return None


def _certificate(error: ssl.SSLCertVerificationError, endpoint: Endpoint) -> DatabaseError:
    if error.verify_code in _OTHER_HOST:
        return DatabaseError(
            f"the certificate of {endpoint} is for another host name",
            "name the host as the cluster's endpoint does; behind a tunnel or an alias "
            "?sslmode=verify-ca in database_url trusts any name",
        )
    return DatabaseError(
        f"the certificate of {endpoint} is not trusted: {error.verify_message}",
        "name a file with its authority in SSL_CERT_FILE; docs/redshift.md has more on TLS",
    )


def _told(code: str, message: str, detail: str, endpoint: Endpoint) -> DatabaseError:
    """What the server itself said."""
    message = (message.strip().splitlines() or ["no reason given"])[0]
    if code in ("28000", "28P01") or "authentication failed" in message:
        return _refused_login(message, endpoint)
    if code == "3D000":
        return DatabaseError(
            f"{endpoint} has no database {endpoint.database}",
            "check the name at the end of database_url",
        )
    if code.startswith("53") or _FULL.search(message):
        return DatabaseError(
            f"{endpoint} takes no more connections: {message}",
            "wait or end idle sessions (STV_SESSIONS lists them), then run it again",
        )
    if code == "57014":
        return _cancelled(message, endpoint)
    if code[:3] == "57P":
        return DatabaseError(
            f"{endpoint} ended the connection: {message}",
            "the cluster restarts or is in maintenance: run it again in some minutes",
        )
    if code == "42501":
        return DatabaseError(
            f"{endpoint}: {message}",
            "docs/redshift.md has the grants of migrator, loader and reader",
        )
    if code in ("42P01", "3F000"):
        return DatabaseError(f"{endpoint}: {message}", "run: sparkify migrate")
    if code == "25001":
        return DatabaseError(
            f"{endpoint}: {message}",
            "in a migration: sparkify_dwh.widen, or op.get_context().autocommit_block()",
        )
    if message.startswith("1023"):
        return DatabaseError(
            f"{endpoint}: another session wrote the same tables meanwhile: {detail.strip()}",
            "run it again",
        )
    return DatabaseError(f"{endpoint}: {message} (code {code})", "-v shows the traceback")


def _refused_login(message: str, endpoint: Endpoint) -> DatabaseError:
    if endpoint.auth in ("iam", "serverless"):
        why = "have expired" if _EXPIRED.search(message) else "were refused"
        return DatabaseError(
            f"{endpoint}: the temporary credentials {why}: {message}",
            "run it again; check that cluster_identifier or workgroup is that of database_url",
        )
    if endpoint.auth == "secret":
        return DatabaseError(
            f"{endpoint}: the user and password of the secret were refused: {message}",
            "check that secret_arn is this cluster's secret and that its rotation succeeded",
        )
    return DatabaseError(
        f"{endpoint}: wrong user or password: {message}",
        "check the user in database_url and SPARKIFY_DATABASE_PASSWORD",
    )


def _cancelled(message: str, endpoint: Endpoint) -> DatabaseError:
    if endpoint.statement_timeout:
        return DatabaseError(
            f"{endpoint}: a statement was cancelled after statement_timeout = "
            f"{endpoint.statement_timeout:g} s; what was not committed is rolled back",
            "allow more by statement_timeout; SYS_QUERY_HISTORY shows what it waited for",
        )
    return DatabaseError(
        f"{endpoint}: a statement was cancelled: {message}",
        "an administrator or a rule of the cluster did it: see STL_WLM_RULE_ACTION",
    )
