"""Failures of Redshift: each has one clear message with the next step, and exit code 5."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import sqlalchemy as sa
from redshift_connector.error import InterfaceError, OperationalError, ProgrammingError
from standin.answers import FakeAws, Refusal
from standin.client import Client
from standin.server import Database

from sparkify_dwh import DatabaseError, Settings, SettingsError, Warehouse
from sparkify_dwh.dialects import load_engine
from sparkify_dwh.dialects.redshift.driver_errors import is_dropped, is_from_inside
from sparkify_dwh.dialects.redshift.errors import Server, explain_driver_error


def trouble(url: str, **values: Any) -> DatabaseError:
    """The error when the schema's version is read, which every command does first."""
    warehouse = Warehouse(Settings(database_url=url, **values))
    with pytest.raises(DatabaseError) as caught:
        warehouse.schema_status()
    error = caught.value
    assert error.exit_code == 5
    assert error.hint, error
    assert "\n" not in error.what + error.hint
    assert "{" not in error.what, "the driver's own dictionary"
    return error


def by_iam(url: str, aws: FakeAws) -> dict[str, Any]:
    """Settings for a login by IAM that returns the credentials of the URL."""
    user, password = "IAM:awsuser", sa.engine.make_url(url).password
    aws.answers["GetClusterCredentialsWithIAM"] = {"DbUser": user, "DbPassword": password}
    return {"auth": "iam", "cluster_identifier": "dwh", "aws_endpoint_url": aws.url}


# Connecting --------------------------------------------------------------------------------------


def test_a_wrong_password(redshift: Database) -> None:
    error = trouble(redshift.url().replace(":Standin", ":wrong"))
    assert 'wrong user or password: password authentication failed for user "awsuser"' in error.what
    assert "SPARKIFY_DATABASE_PASSWORD" in error.hint


def test_an_unknown_host(redshift: Database) -> None:
    error = trouble(redshift.url().replace("localhost", "no-such-host.invalid"))
    assert error.what == "there is no host named no-such-host.invalid"


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_a_refused_port(redshift: Database, closed_port: int) -> None:
    error = trouble(redshift.url().replace(str(redshift.server.port), str(closed_port)))
    assert error.what == f"localhost:{closed_port} refuses connections"


def test_an_unknown_database(redshift: Database) -> None:
    error = trouble(redshift.url() + "x")
    assert error.what.endswith(f"has no database {redshift.name}x")


@pytest.mark.parametrize(
    ("sent", "code", "message"),
    [
        ('connection limit "500" exceeded for non-bootstrap users', "53300", "no more connections"),
        ("too many connections for database", "XX000", "accepts no more connections"),
        ("the database system is starting up", "57P03", "closed the connection"),
        ("something of which nobody knows", "XX000", "nobody knows (code XX000)"),
    ],
)
def test_a_server_that_refuses_all_logins(
    redshift: Database, sent: str, code: str, message: str
) -> None:
    redshift.server.refuse_logins = (sent, code)
    try:
        assert message in trouble(redshift.url()).what
    finally:
        redshift.server.refuse_logins = None


@pytest.mark.parametrize(
    ("auth", "message"),
    [("iam", "the temporary credentials have expired"), ("secret", "in the secret were refused")],
)
def test_credentials_that_the_cluster_refuses(
    redshift: Database, aws: FakeAws, auth: str, message: str
) -> None:
    aws.answers["GetSecretValue"] = {"SecretString": '{"username": "u", "password": "p"}'}
    aws.answers["DescribeClusters"] = Refusal("AccessDenied")
    values = by_iam(redshift.url(), aws) | {"auth": auth, "secret_arn": "arn"}
    redshift.server.refuse_logins = ("password has expired", "28000")
    try:
        assert message in trouble(redshift.url(), **values).what
    finally:
        redshift.server.refuse_logins = None


def test_an_expired_token_of_aws(redshift: Database, aws: FakeAws) -> None:
    values = by_iam(redshift.url(), aws)
    aws.answers["GetClusterCredentialsWithIAM"] = Refusal("ExpiredToken", "it has expired", 403)
    error = trouble(redshift.url(), **values)
    assert error.what == "redshift:GetClusterCredentialsWithIAM: the AWS session has expired"
    assert "aws sso login" in error.hint


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("paused", "the cluster dwh is paused"),
        ("pausing", "the cluster dwh is pausing"),
        ("resuming", "the cluster dwh is resuming, so localhost"),
        ("available", "refuses connections"),
    ],
)
def test_a_cluster_that_does_not_answer(
    redshift: Database, aws: FakeAws, closed_port: int, state: str, message: str
) -> None:
    url = redshift.url().replace(str(redshift.server.port), str(closed_port))
    aws.answers["DescribeClusters"] = {"Clusters": [{"ClusterStatus": state}]}
    error = trouble(url, **by_iam(url, aws))
    assert message in error.what
    assert "sparkify infra" in error.hint
    assert aws.calls[-1].parameters["ClusterIdentifier"] == "dwh"


def test_without_permission_to_read_the_state_the_other_error_remains(
    redshift: Database, aws: FakeAws, closed_port: int
) -> None:
    url = redshift.url().replace(str(redshift.server.port), str(closed_port))
    aws.answers["DescribeClusters"] = Refusal("AccessDenied", "not you", 403)
    assert "refuses connections" in trouble(url, **by_iam(url, aws)).what


def test_the_state_is_not_read_if_the_server_answered(redshift: Database, aws: FakeAws) -> None:
    trouble(redshift.url() + "x", **by_iam(redshift.url(), aws))
    assert "DescribeClusters" not in aws.actions()


# Servers that are not Redshift -------------------------------------------------------------------


@contextmanager
def server_that_answers(*answers: bytes) -> Iterator[int]:
    """A server that sends one answer per message, one client at a time, then disconnects."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client, suppress(ConnectionError):
                    for answer in answers:
                        client.recv(65536)
                        client.sendall(answer)
                    client.shutdown(socket.SHUT_WR)
                    client.recv(65536)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def local(port: int, options: str = "") -> str:
    return f"redshift+redshift_connector://u:p@127.0.0.1:{port}/dev{options}"


def test_a_server_without_tls() -> None:
    with server_that_answers(b"N") as port:
        error = trouble(local(port))
    assert error.what == f"127.0.0.1:{port} does not support TLS"


def test_a_server_that_speaks_another_protocol() -> None:
    with server_that_answers(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        assert "does not support TLS" in trouble(local(port)).what


def test_a_server_that_breaks_off_the_handshake() -> None:
    with server_that_answers(b"S", b"nonsense, but not a TLS handshake") as port:
        assert f"no TLS connection to 127.0.0.1:{port}" in trouble(local(port)).what


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"R\0",  # struct.error in the driver
        b"?\0\0\0\x04",  # KeyError
        b"E\0\0\0\x07SX\0",  # KeyError: an error without its code
        b"R\0\0\0\x0c\0\0\0\x05",  # truncated
    ],
)
def test_a_server_that_breaks_off_the_login(answer: bytes) -> None:
    with server_that_answers(answer) as port:
        error = trouble(local(port, "?sslmode=disable"))
    assert f"the connection to 127.0.0.1:{port} was lost" in error.what


# During a session--------------------------------------------------------------------------------


@pytest.fixture
def migrated(redshift: Database) -> Database:
    Warehouse(Settings(database_url=redshift.url())).migrate()
    redshift.statements.clear()
    return redshift


def test_the_connection_breaks_at_any_message(migrated: Database) -> None:
    """From the first message of the login to the last one of the answer."""
    warehouse = Warehouse(Settings(database_url=migrated.url()))
    outcomes = []
    for number in range(1, 200):
        migrated.faults.drop_at_message(number)
        try:
            outcomes.append(warehouse.schema_status().state)
        except DatabaseError as error:
            outcomes.append(error.what)
        if outcomes[-3:] == ["current"] * 3:
            break
    migrated.faults.clear()
    lost = f"the connection to localhost:{migrated.server.port} was lost; uncommitted changes"
    assert {what.replace(" are rolled back", "") for what in outcomes} == {"current", lost}
    assert outcomes[-1] == "current"
    assert len(outcomes) > 30


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_connection_breaks_at_a_commit(migrated: Database, when: Any) -> None:
    migrated.faults.drop("^commit", when, times=2)
    engine = load_engine(Settings(database_url=migrated.url()))
    with pytest.raises(DatabaseError, match="was lost"), engine.session():
        pass


def test_a_statement_timeout(migrated: Database) -> None:
    with Client(migrated) as holder:
        holder("LOCK sparkify.users")
        warehouse = Warehouse(Settings(database_url=migrated.url(), statement_timeout=0.1))
        engine = load_engine(warehouse.settings)
        with (
            pytest.raises(DatabaseError) as caught,
            engine.session() as connection,
        ):
            connection.execute(sa.text("SELECT count(*) FROM sparkify.users"))
    assert "a statement was cancelled after statement_timeout = 0.1 s" in caught.value.what
    assert "statement_timeout" in caught.value.hint
    assert caught.value.exit_code == 5


def test_somebody_cancels_a_statement(migrated: Database) -> None:
    migrated.faults.fail("version_num", "Query (5) cancelled on user's request", "57014")
    assert "cancelled: Query (5)" in trouble(migrated.url()).what


def test_a_missing_table_hints_at_migrate(redshift: Database) -> None:
    engine = load_engine(Settings(database_url=redshift.url()))
    with pytest.raises(DatabaseError) as caught, engine.session() as connection:
        connection.execute(sa.text("SELECT * FROM sparkify.users"))
    assert caught.value.hint == "run: sparkify migrate"


def test_a_conflict_of_transactions(migrated: Database) -> None:
    migrated.faults.fail("version_num", "1023", "XX000", "Serializable isolation violation on x")
    error = trouble(migrated.url())
    assert "another session wrote to the same tables" in error.what
    assert "violation on x" in error.what


# The errors of the driver ------------------------------------------------------------------------

SERVER = Server("host", 5439, "dev", "u", "password", 30, None)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (InterfaceError("communication error", TimeoutError("timed out")), "did not answer within"),
        (OperationalError("connection time out", TimeoutError()), "did not answer within 30 s"),
        (InterfaceError("communication error", OSError(101, "unreachable")), "cannot be reached"),
        (InterfaceError("communication error", ConnectionResetError()), "was lost"),
        (InterfaceError("BrokenPipe: server socket closed. Please check"), "was lost"),
        (InterfaceError("connection is closed"), "was lost"),
        (ProgrammingError({"S": "ERROR", "C": "42501", "M": "permission denied"}), "permission"),
        (ProgrammingError({"M": "no code at all"}), "host:5439: no code at all (code )"),
        (ProgrammingError({}), "was lost"),
        (InterfaceError(), "was lost"),
        (KeyError(b"?"), "was lost"),
        (struct.error("unpack requires a buffer"), "was lost"),
        (InterfaceError("communication error", ssl.SSLError("odd")), "no TLS connection"),
    ],
)
def test_each_error_of_the_driver_is_explained(error: Exception, message: str) -> None:
    explained = explain_driver_error(error, SERVER)
    assert message in explained.what
    assert explained.hint


def test_wrapped_errors_are_looked_into() -> None:
    inner = InterfaceError("communication error", TimeoutError("timed out"))
    wrapped = sa.exc.InterfaceError("SELECT 1", None, inner)
    assert "did not answer" in explain_driver_error(wrapped, SERVER).what
    assert is_dropped(wrapped)


def test_an_error_of_the_server_does_not_drop_the_connection() -> None:
    assert not is_dropped(ProgrammingError({"S": "ERROR", "C": "42P01", "M": "no relation"}))
    assert is_dropped(ProgrammingError({"S": "FATAL", "C": "57P01", "M": "shut down"}))


def test_a_defect_of_ours_is_not_taken_for_trouble(migrated: Database) -> None:
    """A KeyError counts as the driver's only if the driver raised it."""
    engine = load_engine(Settings(database_url=migrated.url()))
    with pytest.raises(KeyError), engine.session():
        raise KeyError("a defect")
    assert not is_from_inside(KeyError("a defect"))


# At the command line -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda url: url.replace(":Standin", ":wrong"), 5),
        (lambda url: url.replace("localhost", "no-such-host.invalid"), 5),
        (lambda url: url.replace("localhost", "127.0.0.1"), 5),
        (lambda url: url + "?sslmode=require", 2),
    ],
)
def test_the_command_exits_with_its_code_and_no_traceback(
    redshift: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[str], str],
    code: int,
) -> None:
    from sparkify_dwh.cli.app import main

    monkeypatch.setenv("SPARKIFY_DATABASE_URL", change(redshift.url()))
    monkeypatch.setattr("sys.argv", ["sparkify", "migrate", "--status"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == code
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    assert 1 <= len(said.err.strip().splitlines()) <= 2


def test_a_setting_that_cannot_be_right_is_wrong_usage(redshift: Database) -> None:
    with pytest.raises(SettingsError) as caught:
        Warehouse(Settings(database_url=redshift.url() + "?sslmode=require")).schema_status()
    assert caught.value.exit_code == 2
