"""The stand-in itself: a listener, an embedded Postgres, databases and logins."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import socket
import ssl
import struct
import threading
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal
from urllib.parse import quote

from .backend import Backend, connect_socket
from .cluster import Cluster
from .errors import BackendError, FatalError, RedshiftError
from .faults import DropConnection, Faults, Statement
from .load import LoadLog
from .plan import Login, literal
from .session import Session
from .store import Store
from .wire import Certificate, Connection, accept, authenticate, error_message, pack, text

Isolation = Literal["SNAPSHOT", "SERIALIZABLE"]
_LEVELS = {"SNAPSHOT": "repeatable read", "SERIALIZABLE": "serializable"}
_TEMPLATE = "rs_template"


@dataclass(slots=True)
class Database:
    """One database: how to reach it, the statements sent to it, and its pending faults."""

    server: Standin
    name: str
    isolation: Isolation
    store: Store
    log: LoadLog
    faults: Faults = field(default_factory=Faults)
    statements: list[Statement] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)

    def url(self, user: str = Cluster.superuser, password: bool = True) -> str:
        """A SQLAlchemy URL for the user."""
        secret = f":{quote(self.server.passwords[user], safe='')}" if password else ""
        return (
            f"redshift+redshift_connector://{quote(user, safe='')}{secret}"
            f"@localhost:{self.server.port}/{self.name}"
        )

    def sql(self) -> list[str]:
        """The texts of the statements so far."""
        return [statement.sql for statement in self.statements]

    def remember(self, login: Login) -> None:
        """Store the password that CREATE USER or ALTER USER set."""
        self.roles.append(login.user)
        if login.password is None:
            self.server.passwords.pop(login.user, None)
        else:
            self.server.passwords[login.user] = login.password

    def drop(self) -> None:
        """Drop the database, its sessions, and the users and roles created in it."""
        admin = self.server.admin
        self.server.forget(self.name)
        admin(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')
        for role in self.roles:
            self.server.passwords.pop(role, None)
            with contextlib.suppress(RedshiftError):
                admin(f'DROP ROLE IF EXISTS "{role}"')
        self.roles.clear()


class Standin:
    """A server that behaves like Amazon Redshift, within the limits that README.md lists.

    s3: the boto3 S3 client with which COPY reads.
    auth: how clients send passwords, `md5` or `cleartext`.
    """

    def __init__(
        self,
        s3: Any,
        *,
        region: str = "us-east-1",
        auth: Literal["md5", "cleartext"] = "md5",
        password: str = "Standin-Passw0rd",
    ) -> None:
        started = time.monotonic()
        self.store = Store(s3, region)
        self.auth = auth
        self.passwords: dict[str, str] = {Cluster.superuser: password}
        self.refuse_logins: tuple[str, str] | None = None
        self._databases: dict[str, Database] = {}
        self._numbers = itertools.count(1)
        self._clients: dict[int, Connection] = {}
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()
        self._stopped = False
        self._cluster = Cluster()
        atexit.register(self.stop)
        try:
            self._certificate = Certificate(self._cluster.folder)
            self._admin = self._connect("postgres")
            self._prepare()
            self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        except BaseException:
            self.stop()
            raise
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="standin-listener", daemon=True).start()
        self.seconds_to_start = time.monotonic() - started

    @property
    def ca_file(self) -> Path:
        """The certificate to trust: SSL_CERT_FILE for the clients."""
        return self._certificate.path

    def __enter__(self) -> Standin:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def database(self, isolation: Isolation = "SNAPSHOT", name: str | None = None) -> Database:
        """Make a database. New clusters have SNAPSHOT isolation, old ones SERIALIZABLE.

        https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html
        """
        name = name or f"dev_{next(self._numbers)}"
        self.admin(f'CREATE DATABASE "{name}" TEMPLATE {_TEMPLATE} STRATEGY file_copy')
        level = literal(_LEVELS[isolation])
        self.admin(f'ALTER DATABASE "{name}" SET default_transaction_isolation = {level}')
        store = Store(self.store.client, self.store.region)
        database = Database(self, name, isolation, store, LoadLog(self._loads / name))
        self._databases[name] = database
        return database

    def forget(self, name: str) -> None:
        """Refuse all further logins to a database."""
        self._databases.pop(name, None)

    def login(self, user: str, password: str) -> None:
        """Make a user who may log in; an existing user gets the new password."""
        quoted = '"' + user.replace('"', '""') + '"'
        if not self.admin(f"SELECT 1 FROM pg_roles WHERE rolname = {literal(user)}"):
            self.admin(f"CREATE USER {quoted}")
        self.passwords[user] = password

    def admin(self, sql: str) -> list[list[str | None]]:
        """Run a statement on Postgres itself, past the proxy."""
        with self._lock:
            return self._admin.execute(sql)

    def stop(self) -> None:
        """End all sessions and the server; does nothing if already stopped."""
        if self._stopped:
            return
        self._stopped = True
        atexit.unregister(self.stop)
        listener = getattr(self, "_listener", None)
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for client in list(self._clients.values()):
            client.close()
        admin = getattr(self, "_admin", None)
        if admin is not None:
            admin.close()
        self._cluster.stop()
        for thread in list(self._threads):
            thread.join(5)

    @property
    def _loads(self) -> Path:
        return self._cluster.folder / "loads"

    def _connect(self, database: str, user: str = Cluster.superuser, **extra: str) -> Backend:
        return Backend(self._cluster.socket, {"user": user, "database": database, **extra})

    def _prepare(self) -> None:
        self._loads.mkdir(mode=0o755)
        self._admin.execute(f"CREATE DATABASE {_TEMPLATE}")
        template = self._connect(_TEMPLATE)
        for name in ("compat.sql", "views.sql"):
            script = Path(__file__).with_name(name).read_text()
            template.script(script.replace("@LOADS@", str(self._loads)))
        template.close()

    def _accept(self) -> None:
        while not self._stopped:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.add(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        client = Connection(sock)
        self._clients[id(client)] = client
        try:
            self._greet(client)
        except (ConnectionError, OSError, DropConnection, ssl.SSLError):
            pass
        except RedshiftError as error:
            with contextlib.suppress(OSError):
                client.send(error_message(b"E", error.fields))
        except Exception as error:
            traceback.print_exc()
            fields = {"S": "FATAL", "C": "XX000", "M": f"stand-in: internal error: {error!r}"}
            with contextlib.suppress(OSError):
                client.send(error_message(b"E", fields))
        finally:
            client.close()
            self._clients.pop(id(client), None)
            self._threads.discard(threading.current_thread())

    def _greet(self, client: Connection) -> None:
        startup = accept(client, self._certificate.context, self._cancel)
        if startup is None:
            return
        # GetClusterCredentials returns user names such as IAM:name or IAMA:name
        given = startup.parameters.get("user", "")
        user = given.removeprefix("IAMA:").removeprefix("IAM:")
        authenticate(client, given, self.passwords.get(user), self.auth)
        if self.refuse_logins is not None:
            raise FatalError(*self.refuse_logins)
        name = startup.parameters.get("database", user)
        database = self._databases.get(name)
        if database is None:
            raise FatalError(f'database "{name}" does not exist', "3D000")
        application = startup.parameters.get("application_name", "")
        try:
            backend = self._connect(name, user, application_name=application)
        except BackendError as error:
            raise FatalError(str(error), error.fields["C"]) from error
        try:
            session = Session(client, backend, database, user)
            client.send(_welcome(backend))
            session.serve()
        finally:
            backend.close()

    def _cancel(self, message: bytes) -> None:
        with contextlib.closing(connect_socket(self._cluster.socket)) as sock:
            sock.sendall(message)
            sock.recv(1)


def _welcome(backend: Backend) -> bytes:
    """The messages after a login: the parameters that Redshift reports, then ready for a query."""
    out = pack(b"R", struct.pack("!I", 0))
    for kind, payload in backend.greeting:
        if payload.startswith(b"server_version\0"):
            payload = text("server_version", "8.0.2")
        out += pack(kind, payload)
    out += pack(b"S", text("padb_version", "1.0.99999"))
    out += pack(b"K", struct.pack("!II", backend.pid, backend.secret))
    return out + pack(b"Z", b"I")
