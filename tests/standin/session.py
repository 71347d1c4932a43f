"""One client's session: its messages, handled one by one with one Postgres session.

Each message is answered before the next is read. That costs a few microseconds and lets the
stand-in act between any two messages, inside the client's own transaction.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .backend import Backend
from .errors import BackendError, RedshiftError, unknown
from .faults import DropConnection, Statement
from .load import Load
from .plan import Plan
from .rewrite import plan
from .tokens import render, statements
from .wire import Bind, Connection, Parse, error_message, pack, text

if TYPE_CHECKING:
    from .server import Database

_INTERNAL = "rs_simple"
_ABORTED = "current transaction is aborted, commands ignored until end of transaction block"


@dataclass(frozen=True, slots=True)
class _Prepared:
    sql: str
    plan: Plan
    types: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Portal:
    prepared: _Prepared
    parameters: tuple[object, ...]

    @property
    def local(self) -> bool:
        """Whether there is nothing for Postgres to run."""
        return not self.prepared.plan.sql


class Session:
    """Serves a client that has logged in until it disconnects."""

    def __init__(self, client: Connection, backend: Backend, database: Database, user: str) -> None:
        self._client, self._backend, self._database = client, backend, database
        self._user = user
        self._prepared: dict[str, _Prepared] = {}
        self._portals: dict[str, _Portal] = {}
        self._out = bytearray()
        self._skipping = False
        self._count = 0

    def serve(self) -> None:
        """Answer messages until the client ends the session."""
        handlers = {
            b"P": self._parse,
            b"B": self._bind,
            b"D": self._describe,
            b"E": self._execute,
            b"C": self._close,
        }
        while True:
            kind, payload = self._client.read()
            self._database.faults.on_message(kind)
            if kind == b"X":
                return
            if kind == b"S":
                self._sync()
            elif kind == b"H":
                self._flush()
            elif kind == b"Q":
                self._simple(payload[:-1].decode())
            elif kind not in handlers:
                raise ConnectionError(f"unknown message {kind!r}")
            elif not self._skipping:
                self._guarded(handlers[kind], payload)

    def _guarded(self, handler: Callable[[bytes], None], payload: bytes) -> None:
        try:
            handler(payload)
        except BackendError as error:
            self._fail(error)
        except RedshiftError as error:
            self._backend.poison()
            self._fail(error)
        except (DropConnection, OSError):
            raise
        except Exception as error:
            traceback.print_exc()
            self._backend.poison()
            self._fail(RedshiftError(f"stand-in: internal error: {error!r}"))

    def _fail(self, error: RedshiftError) -> None:
        self._send_raw(error_message(b"E", error.fields))
        self._skipping = True

    def _sync(self) -> None:
        self._backend.sync(self._send)
        self._skipping = False
        self._count = 0
        if self._backend.status == "I":
            self._portals.clear()
        self._flush()

    def _parse(self, payload: bytes) -> None:
        message = Parse.read(payload)
        prepared = _Prepared(message.sql, plan(message.sql), message.types)
        self._backend.request(b"P", message.message(prepared.plan.sql), self._send)
        self._prepared[message.name] = prepared

    def _bind(self, payload: bytes) -> None:
        message = Bind.read(payload)
        prepared = self._prepared.get(message.statement)
        if prepared is None:
            raise RedshiftError(f'prepared statement "{message.statement}" does not exist', "26000")
        portal = _Portal(prepared, message.decoded(prepared.types))
        if portal.local:
            self._send(b"2", b"")
        else:
            self._backend.request(b"B", payload, self._send)
        self._portals[message.portal] = portal

    def _describe(self, payload: bytes) -> None:
        portal = self._portals.get(payload[1:-1].decode())
        if payload[:1] == b"P" and portal is not None and portal.local:
            self._send(b"n", b"")
        else:
            self._backend.request(b"D", payload, self._send)

    def _close(self, payload: bytes) -> None:
        known: dict[str, _Prepared] | dict[str, _Portal]
        known = self._prepared if payload[:1] == b"S" else self._portals
        known.pop(payload[1:-1].decode(), None)
        self._backend.request(b"C", payload, self._send)

    def _execute(self, payload: bytes) -> None:
        name = payload.split(b"\0", 1)[0].decode()
        portal = self._portals.get(name)
        if portal is None:
            raise RedshiftError(f'portal "{name}" does not exist', "34000")
        self._run(portal, payload)

    def _run(self, portal: _Portal, payload: bytes) -> None:
        step = portal.prepared.plan
        statement = Statement(portal.prepared.sql, portal.parameters, self._user, self._backend.pid)
        self._database.statements.append(statement)
        self._database.faults.on_statement(statement, "before")
        self._check(step)
        for sql in step.before:
            self._backend.run(sql)
        done = self._perform(portal, payload)
        for sql in step.after:
            self._backend.run(sql)
        if step.commits and self._backend.status == "T":
            self._backend.run("COMMIT")
        if step.login is not None:
            self._database.remember(step.login)
        if step.role:
            self._database.roles.append(step.role)
        self._database.faults.on_statement(statement, "after")
        if done is not None:
            self._send(b"C", done)
        self._count += 1

    def _check(self, step: Plan) -> None:
        if step.alone and (self._backend.status != "I" or self._count):
            raise RedshiftError(f"{step.alone} cannot run inside a transaction block", "25001")
        if step.missing:
            raise unknown(step.alone)
        if not step.sql and self._backend.status == "E":
            raise RedshiftError(_ABORTED, "25P02")

    def _perform(self, portal: _Portal, payload: bytes) -> bytes | None:
        """Run the statement and return its tag, to be sent once everything is done."""
        step = portal.prepared.plan
        if step.copy is not None:
            load = Load(
                self._backend,
                step.copy,
                self._database.store,
                self._database.log,
                self._user,
                self._database.name,
            )
            for message in load.run():
                self._send_raw(error_message(b"N", {"S": "INFO", "C": "00000", "M": message}))
            return text("COPY")
        if portal.local and not step.tag:
            self._send(b"I", b"")
            return None
        if portal.local or (step.lock and self._backend.status == "I"):
            return text(step.tag)
        tag: list[bytes] = []

        def sink(kind: bytes, body: bytes) -> None:
            if kind == b"C":
                tag.append(body)
            else:
                self._send(kind, body)

        self._backend.request(b"E", payload, sink)
        return text(step.tag) if tag and step.tag else tag[0] if tag else None

    def _simple(self, sql: str) -> None:
        """Run a message of the simple protocol: several statements are one transaction."""
        parts = statements(sql) if sql.strip(" \t\r\n;") else []
        if not parts:
            self._send(b"I", b"")
        for tokens in parts:
            self._count += len(parts) - 1
            self._guarded(self._simple_statement, render(tokens).encode())
            if self._skipping:
                break
        self._sync()

    def _simple_statement(self, payload: bytes) -> None:
        sql = payload.decode().strip()
        prepared = _Prepared(sql, plan(sql), ())
        portal = _Portal(prepared, ())
        if not portal.local:
            close = (b"P" + text(_INTERNAL), b"S" + text(_INTERNAL))
            for target in close:
                self._backend.request(b"C", target)
            self._backend.request(b"P", text(_INTERNAL, prepared.plan.sql) + bytes(2))
            self._backend.request(b"B", text(_INTERNAL, _INTERNAL) + bytes(6))
            self._backend.request(b"D", b"P" + text(_INTERNAL), self._describe_simple)
        self._run(portal, text(_INTERNAL) + bytes(4))

    def _describe_simple(self, kind: bytes, payload: bytes) -> None:
        if kind != b"n":
            self._send(kind, payload)

    def _send(self, kind: bytes, payload: bytes) -> None:
        if kind == b"S" and payload.startswith(b"server_version\0"):
            payload = text("server_version", "8.0.2")
        self._send_raw(pack(kind, payload))

    def _send_raw(self, data: bytes) -> None:
        self._out += data
        if len(self._out) > 1 << 16:
            self._flush()

    def _flush(self) -> None:
        self._client.send(bytes(self._out))
        self._out.clear()
