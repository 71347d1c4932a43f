"""The frontend/backend protocol, version 3: framing, start-up, TLS, passwords.

The messages are PostgreSQL's; the clients that use them with Redshift are listed in
https://docs.aws.amazon.com/redshift/latest/mgmt/configuring-connections.html.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import os
import socket
import ssl
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .errors import FatalError

_INT = struct.Struct("!I")
_SHORT = struct.Struct("!H")
_SSL_REQUEST, _GSS_REQUEST, _CANCEL_REQUEST = 80877103, 80877104, 80877102
PROTOCOL_3 = 196608


def pack(kind: bytes, payload: bytes = b"") -> bytes:
    """One message."""
    return kind + _INT.pack(len(payload) + 4) + payload


def text(*values: str) -> bytes:
    """Strings in the protocol's form, each ended by a zero byte."""
    return b"".join(value.encode() + b"\0" for value in values)


def error_message(kind: bytes, fields: Mapping[str, str]) -> bytes:
    """An error ('E') or a notice ('N')."""
    body = b"".join(key.encode() + text(value.replace("\0", "")) for key, value in fields.items())
    return pack(kind, body + b"\0")


def error_fields(payload: bytes) -> dict[str, str]:
    """The fields of an error or a notice."""
    parts = (part for part in payload.split(b"\0") if part)
    return {chr(part[0]): part[1:].decode("utf-8", "replace") for part in parts}


def data_row(payload: bytes) -> list[str | None]:
    """The values of a row in text format."""
    (count,), offset, row = _SHORT.unpack_from(payload), 2, []
    for _ in range(count):
        (length,) = struct.unpack_from("!i", payload, offset)
        offset += 4
        row.append(None if length < 0 else payload[offset : offset + length].decode())
        offset += max(length, 0)
    return row


class Connection:
    """A socket that reads and writes whole messages."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        with contextlib.suppress(OSError):  # a Unix socket has no such option
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = sock.makefile("rb", 1 << 16)

    def read(self) -> tuple[bytes, bytes]:
        """The next message: its type and its payload."""
        head = self._exactly(5)
        return head[:1], self._exactly(_INT.unpack(head[1:])[0] - 4)

    def read_startup(self) -> tuple[int, bytes]:
        """The next start-up message, which has no type: its code and the rest."""
        length = _INT.unpack(self._exactly(4))[0]
        if not 8 <= length <= 10_000:
            raise ConnectionError("not a start-up message")
        body = self._exactly(length - 4)
        return _INT.unpack(body[:4])[0], body[4:]

    def send(self, data: bytes) -> None:
        """Write."""
        self._socket.sendall(data)

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Switch the connection to TLS, as the server."""
        self._reader.close()
        self._socket = context.wrap_socket(self._socket, server_side=True)
        self._reader = self._socket.makefile("rb", 1 << 16)

    def close(self) -> None:
        """Close; the shutdown is needed because `makefile` keeps the descriptor open."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self._socket.close()
        with contextlib.suppress(OSError, ValueError):
            self._reader.close()

    def _exactly(self, count: int) -> bytes:
        data = self._reader.read(count) if count else b""
        if len(data) < count:
            raise ConnectionError("the other side closed the connection")
        return data


@dataclass(frozen=True, slots=True)
class Startup:
    """What a client requested when it connected."""

    parameters: dict[str, str]
    tls: bool


def accept(
    connection: Connection, context: ssl.SSLContext | None, cancel: Callable[[bytes], None]
) -> Startup | None:
    """Read the start-up messages; None if the client only cancels a query."""
    tls = False
    while True:
        code, body = connection.read_startup()
        if code == _SSL_REQUEST and context is not None and not tls:
            connection.send(b"S")
            connection.start_tls(context)
            tls = True
        elif code in (_SSL_REQUEST, _GSS_REQUEST):
            connection.send(b"N")
        elif code == _CANCEL_REQUEST:
            cancel(_INT.pack(len(body) + 8) + _INT.pack(code) + body)
            return None
        elif code == PROTOCOL_3:
            parts = body.split(b"\0")
            names = (part.decode() for part in parts[0:-2:2])
            values = (part.decode() for part in parts[1:-1:2])
            return Startup(dict(zip(names, values, strict=False)), tls)
        else:
            raise FatalError(f"unsupported frontend protocol {code >> 16}.{code & 65535}", "0A000")


def authenticate(connection: Connection, user: str, password: str | None, method: str) -> None:
    """Ask for the password by `md5` or `cleartext`; a wrong one is a FatalError.

    An unknown user, who has no stored password, gets the same messages.
    """
    if method == "md5":
        salt = os.urandom(4)
        connection.send(pack(b"R", _INT.pack(5) + salt))
        inner = hashlib.md5(f"{password}{user}".encode()).hexdigest()
        expected = "md5" + hashlib.md5(inner.encode() + salt).hexdigest()
    else:
        connection.send(pack(b"R", _INT.pack(3)))
        expected = password or ""
    kind, payload = connection.read()
    given = payload.rstrip(b"\0").decode("utf-8", "replace")
    if kind != b"p" or password is None or given != expected:
        raise FatalError(f'password authentication failed for user "{user}"', "28000")


@dataclass(slots=True)
class Certificate:
    """A self-signed certificate for localhost, made when the stand-in starts.

    It is not valid for 127.0.0.1, so that tests can use that as a wrong host name.
    """

    folder: Path
    path: Path = field(init=False)
    context: ssl.SSLContext = field(init=False)

    def __post_init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        now = dt.datetime.now(dt.UTC)
        names = [x509.DNSName("localhost")]
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=30))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.path = self.folder / "ca.pem"
        secret = self.folder / "key.pem"
        self.path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.path, secret)
        secret.unlink()


@dataclass(frozen=True, slots=True)
class Parse:
    """A Parse message."""

    name: str
    sql: str
    types: tuple[int, ...]

    @classmethod
    def read(cls, payload: bytes) -> Parse:
        """Parse the message."""
        name, sql, rest = payload.split(b"\0", 2)
        (count,) = _SHORT.unpack_from(rest)
        return cls(name.decode(), sql.decode(), struct.unpack_from(f"!{count}I", rest, 2))

    def message(self, sql: str) -> bytes:
        """The message with another statement."""
        types = struct.pack(f"!H{len(self.types)}I", len(self.types), *self.types)
        return text(self.name, sql) + types


@dataclass(frozen=True, slots=True)
class Bind:
    """A Bind message."""

    portal: str
    statement: str
    formats: tuple[int, ...]
    values: tuple[bytes | None, ...]

    @classmethod
    def read(cls, payload: bytes) -> Bind:
        """Parse the message."""
        portal, statement, rest = payload.split(b"\0", 2)
        (count,) = _SHORT.unpack_from(rest)
        formats = struct.unpack_from(f"!{count}H", rest, 2)
        offset = 2 + 2 * count
        (count,) = _SHORT.unpack_from(rest, offset)
        offset += 2
        values: list[bytes | None] = []
        for _ in range(count):
            (length,) = struct.unpack_from("!i", rest, offset)
            offset += 4
            values.append(None if length < 0 else rest[offset : offset + length])
            offset += max(length, 0)
        return cls(portal.decode(), statement.decode(), formats, tuple(values))

    def decoded(self, types: Sequence[int]) -> tuple[object, ...]:
        """The bound values: text as text, binary numbers as numbers, others as bytes."""
        formats = self.formats or (0,)
        out: list[object] = []
        for index, value in enumerate(self.values):
            binary = formats[index if len(formats) > 1 else 0]
            kind = types[index] if index < len(types) else 0
            shape = {21: "!h", 23: "!i", 20: "!q", 701: "!d", 700: "!f", 16: "!?"}.get(kind)
            if value is None:
                out.append(None)
            elif not binary:
                out.append(value.decode("utf-8", "replace"))
            elif shape:
                out.append(struct.unpack(shape, value)[0])
            else:
                out.append(value)
        return tuple(out)
