"""Whether the warehouse answers from here, and which address 'here' is."""

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
#: PostgreSQL's request to go on with TLS, which Redshift speaks too.
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)


@dataclass(frozen=True)
class Reach:
    """Whether a TLS connection was made, and why not."""

    ok: bool
    why: str = ""


def reach(
    host: str, port: int, *, timeout: float = 5, context: ssl.SSLContext | None = None
) -> Reach:
    """Connects by TCP, asks for TLS as a database driver does, and shakes hands. Never raises."""
    try:
        with socket.create_connection((host, port), timeout=timeout) as plain:
            plain.sendall(_SSL_REQUEST)
            answer = plain.recv(1)
            if answer != b"S":
                return Reach(False, f"{host}:{port} answers, but not as a database with TLS")
            tls = context or ssl.create_default_context()
            with tls.wrap_socket(plain, server_hostname=host):
                return Reach(True)
    except socket.gaierror:
        return Reach(False, f"the name {host} is not known here")
    except TimeoutError:
        return Reach(False, f"{host}:{port} does not answer within {timeout:g} s")
    except ssl.SSLError as error:
        return Reach(False, f"TLS with {host}:{port} fails: {error.reason or error}")
    except OSError as error:
        return Reach(False, f"{host}:{port}: {error.strerror or error}")


def my_cidr(fetch: Callable[[], str] | None = None) -> str:
    """The caller's own public address as a /32.

    :param fetch: gives the address as text; AWS's own service by default.
    :raises InfraError: when no IPv4 address comes back.
    """
    try:
        text = (fetch or _fetch)().strip()
        return f"{IPv4Address(text)}/32"
    except (OSError, ValueError) as error:
        raise InfraError(
            f"your own address could not be found by {ADDRESS_SERVICE}: {error}",
            "give it yourself: [infra] publicly_accessible = true, "
            'allowed_cidrs = ["203.0.113.7/32"]',
        ) from None


def _fetch() -> str:
    with urlopen(ADDRESS_SERVICE, timeout=10) as answer:
        return str(answer.read(64).decode("ascii", "replace"))
