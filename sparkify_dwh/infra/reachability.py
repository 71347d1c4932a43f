"""Whether the warehouse can be reached from here, and the caller's own address."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from urllib.request import urlopen

from ..core.errors import InfraError

ADDRESS_SERVICE = "https://checkip.amazonaws.com"
#: PostgreSQL's SSLRequest, which Redshift understands too.
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)


@dataclass(frozen=True)
class Reachability:
    """Whether a TLS connection succeeded, and why not."""

    ok: bool
    why: str = ""


def try_connection(
    host: str, port: int, *, timeout: float = 5, context: ssl.SSLContext | None = None
) -> Reachability:
    """Connects by TCP and makes a TLS handshake, as a database driver does. Never raises."""
    try:
        with socket.create_connection((host, port), timeout=timeout) as plain:
            plain.sendall(_SSL_REQUEST)
            answer = plain.recv(1)
            if answer != b"S":
                return Reachability(False, f"{host}:{port} answers, but not as a database with TLS")
            tls = context or ssl.create_default_context()
            with tls.wrap_socket(plain, server_hostname=host):
                return Reachability(True)
    except socket.gaierror:
        return Reachability(False, f"the name {host} cannot be resolved here")
    except TimeoutError:
        return Reachability(False, f"{host}:{port} does not answer within {timeout:g} s")
    except ssl.SSLError as error:
        return Reachability(False, f"TLS with {host}:{port} fails: {error.reason or error}")
    except OSError as error:
        return Reachability(False, f"{host}:{port}: {error.strerror or error}")


def own_cidr(fetch: Callable[[], str] | None = None) -> str:
    """The caller's own public address as a /32.

    :param fetch: returns the address as text; asks AWS's service by default.
    :raises InfraError: when the answer is not an IPv4 address.
    """
    try:
        text = (fetch or _fetch)().strip()
        return f"{IPv4Address(text)}/32"
    except (OSError, ValueError) as error:
        raise InfraError(
            f"{ADDRESS_SERVICE} does not return your own IPv4 address: {error}",
            "set it yourself: [infra] publicly_accessible = true, "
            'allowed_cidrs = ["203.0.113.7/32"]',
        ) from None


def _fetch() -> str:
    with urlopen(ADDRESS_SERVICE, timeout=10) as answer:
        return str(answer.read(64).decode("ascii", "replace"))
