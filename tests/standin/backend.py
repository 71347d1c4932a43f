"""A connection to the embedded Postgres, driven message by message."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from .errors import BackendError
from .wire import PROTOCOL_3, Connection, data_row, error_fields, pack, text

_FLUSH = pack(b"H")
_ENDS = {
    b"P": (b"1",),
    b"B": (b"2",),
    b"C": (b"3",),
    b"D": (b"T", b"n"),
    b"E": (b"C", b"I", b"s", b"G", b"H"),
    b"S": (b"Z",),
}
_NAME = "rs_internal"

Sink = Callable[[bytes, bytes], None]


def connect_socket(path: Path) -> socket.socket:
    """A raw connection to the server's Unix socket."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(str(path))
    return sock


class Backend:
    """One Postgres session.

    `request` sends one message and waits for its answer, so that the stand-in can act between any
    two messages of a client, inside the client's transaction.
    """

    def __init__(self, path: Path, parameters: Mapping[str, str]) -> None:
        self._connection = Connection(connect_socket(path))
        flat = [part for item in parameters.items() for part in item]
        body = struct.pack("!I", PROTOCOL_3) + text(*flat) + b"\0"
        self._connection.send(struct.pack("!I", len(body) + 4) + body)
        self.greeting: list[tuple[bytes, bytes]] = []
        self.status = "I"
        self.pid = self.secret = 0
        self.tag = ""
        while True:
            kind, payload = self._connection.read()
            if kind == b"E":
                self.close()
                raise BackendError(error_fields(payload))
            if kind == b"K":
                self.pid, self.secret = struct.unpack_from("!II", payload)
            if kind == b"Z":
                return
            if kind not in b"RK":
                self.greeting.append((kind, payload))

    def request(self, kind: bytes, payload: bytes, sink: Sink | None = None) -> bytes:
        """Send one message, pass each answer to `sink`, and return the type of the last one.

        An error raises BackendError; afterwards Postgres ignores everything up to a Sync.
        """
        self._connection.send(pack(kind, payload) + (b"" if kind == b"S" else _FLUSH))
        ends = _ENDS[kind]
        while True:
            answer, body = self._connection.read()
            if answer == b"E":
                raise BackendError(error_fields(body), self.pid)
            if answer == b"Z":
                self.status = body.decode()
            if answer == b"C":
                self._note(body)
            if sink is not None:
                sink(answer, body)
            if answer in ends:
                return answer

    def run(self, sql: str) -> list[list[str | None]]:
        """Run one of the stand-in's own statements, inside the client's open transaction."""
        rows: list[list[str | None]] = []
        for kind, payload in self._internal(sql, b"CIs"):
            if kind == b"D":
                rows.append(data_row(payload))
        return rows

    def copy_in(self, sql: str, chunks: Iterable[bytes]) -> None:
        """Run COPY … FROM STDIN inside the client's open transaction."""
        self._internal(sql, b"G")
        for chunk in chunks:
            self._connection.send(pack(b"d", chunk))
        self._connection.send(pack(b"c") + _FLUSH)
        self._until(b"C")

    def poison(self) -> None:
        """Cause an error, so that an open transaction block is aborted."""
        try:
            self.request(b"P", text("", "the stand-in refuses") + bytes(2))
        except BackendError:
            return

    def sync(self, sink: Sink | None = None) -> None:
        """End a round of messages."""
        self.request(b"S", b"", sink)

    def execute(self, sql: str) -> list[list[str | None]]:
        """Run a statement and sync; for connections without a client."""
        try:
            return self.run(sql)
        finally:
            self.sync()

    def script(self, sql: str) -> None:
        """Run many statements at once with the simple protocol."""
        self._connection.send(pack(b"Q", text(sql)))
        error: BackendError | None = None
        while True:
            kind, payload = self._connection.read()
            if kind == b"E":
                error = BackendError(error_fields(payload))
            if kind == b"Z":
                if error:
                    raise error
                return

    def close(self) -> None:
        """Disconnect; Postgres rolls back an open transaction."""
        self._connection.close()

    def _internal(self, sql: str, ends: bytes) -> list[tuple[bytes, bytes]]:
        # Separate names keep the client's unnamed statement and portal intact. They are closed
        # before use and not after: after an error nothing can be closed before the next Sync.
        self._connection.send(
            pack(b"C", b"P" + text(_NAME))
            + pack(b"C", b"S" + text(_NAME))
            + pack(b"P", text(_NAME, sql) + bytes(2))
            + pack(b"B", text(_NAME, _NAME) + bytes(6))
            + pack(b"E", text(_NAME) + bytes(4))
            + _FLUSH
        )
        return self._until(ends)

    def _until(self, ends: bytes) -> list[tuple[bytes, bytes]]:
        answers: list[tuple[bytes, bytes]] = []
        while True:
            kind, payload = self._connection.read()
            if kind == b"E":
                raise BackendError(error_fields(payload), self.pid)
            if kind == b"C":
                self._note(payload)
            answers.append((kind, payload))
            if kind in ends:
                return answers

    def _note(self, payload: bytes) -> None:
        self.tag = payload.rstrip(b"\0").decode()
        if self.tag in ("BEGIN", "START TRANSACTION"):
            self.status = "T"
        elif self.tag in ("COMMIT", "ROLLBACK"):
            self.status = "I"
