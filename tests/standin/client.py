"""Small clients for the stand-in's own tests, and for getting rows without SQLAlchemy."""

from __future__ import annotations

import contextlib
import socket
import struct
import traceback
from typing import Any

import redshift_connector
from redshift_connector.error import Error

from .server import Database
from .wire import Connection, data_row, error_fields, pack, text


class Client:
    """A redshift_connector connection over TLS that verifies certificate and host name.

    SSL_CERT_FILE must name the stand-in's `ca_file`; the fixtures set it.
    """

    def __init__(self, database: Database, /, user: str = "awsuser", **options: Any) -> None:
        settings: dict[str, Any] = {
            "host": "localhost",
            "port": database.server.port,
            "database": database.name,
            "user": user,
            "password": database.server.passwords.get(user, "none"),
            "ssl": True,
            "sslmode": "verify-full",
        }
        try:
            self.connection = redshift_connector.connect(**(settings | options))
        except Exception as error:
            _close_half_open(error)
            raise

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(self, sql: str, *parameters: object) -> list[list[Any]]:
        """Run a statement and return its rows, if it has any."""
        cursor = self.connection.cursor()
        cursor.execute(sql, parameters or None)
        return [list(row) for row in cursor.fetchall()] if cursor.description else []

    def one(self, sql: str, *parameters: object) -> Any:
        """The first value of the first row."""
        return self(sql, *parameters)[0][0]

    def error(self, sql: str, *parameters: object) -> dict[str, str]:
        """Run a statement that must fail, roll back, and return the fields of the error."""
        try:
            self(sql, *parameters)
        except Error as error:
            self.connection.rollback()
            fields: dict[str, str] = error.args[0]
            return fields
        raise AssertionError(f"no error: {sql}")

    def commit(self) -> None:
        """COMMIT."""
        self.connection.commit()

    def rollback(self) -> None:
        """ROLLBACK."""
        self.connection.rollback()

    @property
    def autocommit(self) -> bool:
        """Whether each statement is a transaction of its own."""
        return bool(self.connection.autocommit)

    @autocommit.setter
    def autocommit(self, value: bool) -> None:
        self.connection.autocommit = value

    def close(self) -> None:
        """Disconnect; an open transaction is lost."""
        try:
            self.connection.close()
        except Error:
            return


def _close_half_open(error: Exception) -> None:
    """Close the socket that the driver leaves open after a refused login; Python warns of it."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        half = frame.f_locals.get("self")
        if isinstance(half, redshift_connector.Connection):
            for name in ("_sock", "_usock"):
                with contextlib.suppress(OSError, ValueError, AttributeError):
                    getattr(half, name).close()


class SimpleClient:
    """A client that uses the simple protocol without TLS, with a cleartext password."""

    def __init__(self, database: Database, user: str = "awsuser") -> None:
        self._connection = Connection(socket.create_connection(("127.0.0.1", database.server.port)))
        body = struct.pack("!I", 196608) + text("user", user, "database", database.name) + b"\0"
        self._connection.send(struct.pack("!I", len(body) + 4) + body)
        self.parameters: dict[str, str] = {}
        password = database.server.passwords[user]
        while True:
            kind, payload = self._connection.read()
            if kind == b"R" and payload[:4] == struct.pack("!I", 3):
                self._connection.send(pack(b"p", text(password)))
            elif kind == b"S":
                name, value, _ = payload.split(b"\0")
                self.parameters[name.decode()] = value.decode()
            elif kind == b"E":
                raise ConnectionError(error_fields(payload)["M"])
            elif kind == b"Z":
                return

    def query(self, sql: str) -> tuple[list[list[str | None]], list[str], dict[str, str], str]:
        """Rows, command tags, the error if any, and the transaction status."""
        self._connection.send(pack(b"Q", text(sql)))
        rows: list[list[str | None]] = []
        tags: list[str] = []
        error: dict[str, str] = {}
        while True:
            kind, payload = self._connection.read()
            if kind == b"D":
                rows.append(data_row(payload))
            elif kind == b"C":
                tags.append(payload[:-1].decode())
            elif kind == b"E":
                error = error_fields(payload)
            elif kind == b"Z":
                return rows, tags, error, payload.decode()

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()
