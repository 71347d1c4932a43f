"""Turning errors of the driver and of COPY into ours, each with the next step."""

from __future__ import annotations

import re
import socket
import ssl
from dataclasses import dataclass

from ...core.errors import DatabaseError, SourceError
from ...core.settings import Settings
from ...models.declare import Source
from .driver_errors import chain, fields, first_line

#: OpenSSL's codes for a certificate of another host name or address.
_OTHER_HOST = (62, 64)
_FULL = re.compile(r"connection limit|too many (clients|connections)|sorry, too many", re.I)
_EXPIRED = re.compile(r"expired", re.I)
_S3 = re.compile(r"S3ServiceException:(?P<text>.*?),Status (?P<status>\d+),Error (?P<code>\w+)")
_READ = re.compile(r"S3 key being read : (?P<key>\S+)|context:\s+(?P<context>s3://\S+)")


@dataclass(frozen=True)
class Server:
    """Where connections go, as messages name it; holds no secret.

    :param user: user in the URL; None if AWS names the user.
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


def explain_driver_error(error: BaseException, server: Server) -> DatabaseError:
    """A driver's error as one of ours."""
    sent = fields(error)
    if sent:
        return _explain_answer(sent.get("C", ""), sent.get("M", ""), sent.get("D", ""), server)
    errors = list(chain(error))
    for each in errors:
        explained = _explain_network(each, server)
        if explained is not None:
            return explained
    text = " ".join(first_line(each) for each in errors)
    if "refuses SSL" in text:
        return DatabaseError(
            f"{server} does not support TLS",
            "check that host and port in database_url are those of the cluster",
        )
    # Also a KeyError or a struct.error of a driver that reads a truncated message.
    return _connection_lost(server)


def _connection_lost(server: Server) -> DatabaseError:
    return DatabaseError(
        f"the connection to {server} was lost; uncommitted changes are rolled back",
        "run it again; if that fails too, check the cluster's events and the firewalls in between",
    )


def _explain_network(error: BaseException, server: Server) -> DatabaseError | None:
    if isinstance(error, socket.gaierror):
        return DatabaseError(
            f"there is no host named {server.host}",
            "check database_url against the endpoint of the cluster or workgroup",
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return _explain_certificate(error, server)
    if isinstance(error, ssl.SSLError):
        reason = getattr(error, "reason", None) or first_line(error)
        return DatabaseError(
            f"no TLS connection to {server}: {reason}",
            "check that host and port in database_url are those of the cluster",
        )
    if isinstance(error, ConnectionRefusedError):
        return DatabaseError(
            f"{server} refuses connections",
            "check the port, and whether the cluster is running: sparkify infra status",
        )
    if isinstance(error, TimeoutError):
        return DatabaseError(
            f"{server} did not answer within {server.timeout:g} s",
            "check its security group and network, and whether the cluster is running: "
            "sparkify infra status",
        )
    if isinstance(error, ConnectionError | BrokenPipeError):
        return _connection_lost(server)
    if isinstance(error, OSError):
        return DatabaseError(
            f"{server} cannot be reached: {first_line(error)}", "check the network"
        )
    return None


def _explain_certificate(error: ssl.SSLCertVerificationError, server: Server) -> DatabaseError:
    if error.verify_code in _OTHER_HOST:
        return DatabaseError(
            f"the certificate of {server} is for another host name",
            "use the host name of the cluster's endpoint; behind a tunnel or an alias "
            "?sslmode=verify-ca in database_url accepts any name",
        )
    return DatabaseError(
        f"the certificate of {server} is not trusted: {error.verify_message}",
        "set SSL_CERT_FILE to a file with its certificate authority; docs/redshift.md explains TLS",
    )


def _explain_answer(code: str, message: str, detail: str, server: Server) -> DatabaseError:
    """The server's own error as one of ours."""
    message = (message.strip().splitlines() or ["no reason given"])[0]
    if code in ("28000", "28P01") or "authentication failed" in message:
        return _explain_login(message, server)
    if code == "3D000":
        return DatabaseError(
            f"{server} has no database {server.database}",
            "check the name at the end of database_url",
        )
    if code.startswith("53") or _FULL.search(message):
        return DatabaseError(
            f"{server} accepts no more connections: {message}",
            "wait, or end idle sessions (STV_SESSIONS lists them), then run it again",
        )
    if code == "57014":
        return _explain_cancel(message, server)
    if code[:3] == "57P":
        return DatabaseError(
            f"{server} closed the connection: {message}",
            "the cluster is restarting or under maintenance: run it again in a few minutes",
        )
    if code == "42501":
        return DatabaseError(
            f"{server}: {message}",
            "docs/redshift.md lists the grants for migrator, loader and reader",
        )
    if code in ("42P01", "3F000"):
        return DatabaseError(f"{server}: {message}", "run: sparkify migrate")
    if code == "25001":
        return DatabaseError(
            f"{server}: {message}",
            "in a migration use sparkify_dwh.widen, or op.get_context().autocommit_block()",
        )
    if message.startswith("1023"):
        return DatabaseError(
            f"{server}: another session wrote to the same tables: {detail.strip()}",
            "run it again",
        )
    return DatabaseError(f"{server}: {message} (code {code})", "-v shows the traceback")


def _explain_login(message: str, server: Server) -> DatabaseError:
    if server.auth in ("iam", "serverless"):
        why = "have expired" if _EXPIRED.search(message) else "were refused"
        return DatabaseError(
            f"{server}: the temporary credentials {why}: {message}",
            "run it again; check that cluster_identifier or workgroup matches database_url",
        )
    if server.auth == "secret":
        return DatabaseError(
            f"{server}: the user and password in the secret were refused: {message}",
            "check that secret_arn is this cluster's secret and that its rotation succeeded",
        )
    return DatabaseError(
        f"{server}: wrong user or password: {message}",
        "check the user in database_url and SPARKIFY_DATABASE_PASSWORD",
    )


def _explain_cancel(message: str, server: Server) -> DatabaseError:
    if server.statement_timeout:
        return DatabaseError(
            f"{server}: a statement was cancelled after statement_timeout = "
            f"{server.statement_timeout:g} s; uncommitted changes are rolled back",
            "raise statement_timeout; SYS_QUERY_HISTORY shows what the statement waited for",
        )
    return DatabaseError(
        f"{server}: a statement was cancelled: {message}",
        "an administrator or a query monitoring rule cancelled it: see STL_WLM_RULE_ACTION",
    )


# COPY -----------------------------------------------------------------------------------------


def explain_copy_error(
    error: BaseException, source: Source, settings: Settings
) -> SourceError | None:
    """Why COPY could not read a source, and what to do about it; None: some other error."""
    sent = fields(error)
    message = str(sent.get("M", "")).strip().splitlines()[0]
    context = _READ.search(str(sent.get("D", "")))
    where = (context["key"] or context["context"]) if context else f"the objects of {source.name}"
    s3 = _S3.search(message)
    if "authorized to assume" in message:
        return SourceError(
            f"Redshift may not assume the role {settings.iam_role}",
            "attach it to the cluster or workgroup, and let redshift.amazonaws.com assume it",
        )
    if s3 is not None:
        text, hint = s3["text"].strip().rstrip("."), _S3_HINTS.get(s3["code"], "-v shows more")
        return SourceError(f"Redshift cannot read {where}: {text} ({s3['code']})", hint)
    if "MANIFEST" in message:
        return SourceError(
            f"Redshift cannot read the manifest {where}",
            f"let the role {settings.iam_role} read work_prefix",
        )
    if "inflate" in message:
        return SourceError(
            f"Redshift cannot decompress {where}: {message}",
            "its name ends in .gz, so it must be gzip: remove or fix it",
        )
    if context is None:
        return None
    return SourceError(f"COPY of {source.name} failed: {message} ({where})", "-v shows more")


_S3_HINTS = {
    "AccessDenied": "allow the role s3:GetObject and s3:ListBucket there (iam_role)",
    "NoSuchBucket": "name an existing bucket",
    "NoSuchKey": "load again",
    "PermanentRedirect": "set aws_region to the bucket's region",
    "SlowDown": "S3 throttles requests: load again later; compact turns many objects into few",
    "InternalError": "load again later",
    "ServiceUnavailable": "load again later",
}
