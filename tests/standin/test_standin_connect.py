"""Connecting with the genuine driver: TLS, passwords, parameters, and cleaning up."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redshift_connector.error import Error, InterfaceError

from .buckets import S3Server
from .client import Client, SimpleClient
from .cluster import Cluster
from .server import Database, Standin


def test_tls_is_verified_by_ssl_cert_file(redshift: Database) -> None:
    with Client(redshift) as client:
        assert client.one("SELECT 1") == 1


def test_an_untrusted_certificate_is_not_accepted(
    redshift: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(InterfaceError) as caught:
        Client(redshift)
    assert isinstance(caught.value.__cause__ or caught.value.__context__, ssl.SSLError) or (
        "CERTIFICATE_VERIFY_FAILED" in str(caught.value)
    )


def test_a_certificate_for_another_host_is_not_accepted(redshift: Database) -> None:
    with pytest.raises(InterfaceError):
        Client(redshift, host="127.0.0.1")


@pytest.mark.parametrize("options", [{"password": "wrong"}, {"user": "nobody"}, {"password": ""}])
def test_wrong_password_and_unknown_user_look_alike(
    redshift: Database, options: dict[str, str]
) -> None:
    with pytest.raises(Error) as caught:
        Client(redshift, **options)
    user = options.get("user", "awsuser")
    assert f'password authentication failed for user "{user}"' in str(caught.value)
    assert "28000" in str(caught.value)


def test_an_unknown_database_is_named(redshift: Database) -> None:
    with pytest.raises(Error, match="3D000"):
        Client(redshift, database="nowhere")


def test_a_full_cluster_refuses_logins(redshift: Database) -> None:
    """mgmt/amazon-redshift-limits: the number of connections is limited."""
    redshift.server.refuse_logins = (
        'connection limit "500" exceeded for non-bootstrap users',
        "53300",
    )
    try:
        with pytest.raises(Error, match="connection limit"):
            Client(redshift)
    finally:
        redshift.server.refuse_logins = None


@pytest.mark.parametrize("password", ["Änder%40:/?#[]@!$&'()*+,;= 1", 'quote"\\slash'])
def test_any_character_may_stand_in_a_password(redshift: Database, password: str) -> None:
    redshift.server.login("odd one", password)
    with Client(redshift, "odd one") as client:
        assert client.one("SELECT current_user") == "odd one"


def test_temporary_credentials_log_in_under_their_prefix(redshift: Database) -> None:
    """GetClusterCredentials returns IAM:name or IAMA:name (mgmt/generating-user-credentials)."""
    redshift.server.login("temporary", "short-lived")
    for prefix in ("IAM:", "IAMA:"):
        with Client(redshift, user=f"{prefix}temporary", password="short-lived") as client:
            assert client.one("SELECT current_user") == "temporary"


def test_cleartext_passwords_and_the_simple_protocol(s3_server: S3Server) -> None:
    with Standin(s3_server.client, auth="cleartext") as server:
        client = SimpleClient(server.database())
        assert client.parameters["server_version"] == "8.0.2"
        assert client.query("SELECT 1; SELECT 2") == ([["1"], ["2"]], ["SELECT 1"] * 2, {}, "I")
        assert client.query("")[0] == []
        rows, tags, error, status = client.query("CREATE TABLE t (a INT); SELECT nope; SELECT 1")
        assert (rows, tags, error["C"], status) == ([], ["CREATE TABLE"], "42703", "I")
        assert client.query("SELECT count(*) FROM t")[2]["C"] == "42P01"
        assert client.query("BEGIN")[3] == "T"
        assert client.query("SELECT x FROM lateral")[3] == "E"
        assert client.query("ROLLBACK")[3] == "I"
        assert "VACUUM cannot run" in client.query("SELECT 1; VACUUM")[2]["M"]
        client.close()


def test_the_session_is_marked_for_the_dba(redshift: Database) -> None:
    """r_query_group, r_STV_SESSIONS"""
    with Client(redshift, application_name="loader 1.0") as client:
        assert client.one("SHOW application_name") == "loader 1.0"
        client("SET query_group TO 'sparkify'")
        assert client.one("SHOW query_group") == "sparkify"
        client("RESET query_group")
        assert client.one("SHOW query_group") == ""
        process, user, name = client("SELECT process, user_name, db_name FROM stv_sessions")[0]
        assert process == client.one("SELECT pg_backend_pid()")
        assert (user.strip(), name.strip()) == ("awsuser", redshift.name)


def test_redshifts_own_answers(redshift: Database) -> None:
    """r_VERSION; r_BEGIN: every transaction is reported as serializable."""
    with Client(redshift) as client:
        assert "Redshift 1.0" in client.one("SELECT version()")
        assert client.one("SHOW TRANSACTION ISOLATION LEVEL") == "serializable"
        assert client.one("SELECT current_database()") == redshift.name
        assert client.one("SELECT current_schema()") == "public"


def test_statement_timeout_cancels(redshift: Database) -> None:
    """r_statement_timeout"""
    with Client(redshift) as holder, Client(redshift) as waiter:
        holder("CREATE TABLE t (a INT)")
        holder.commit()
        holder("LOCK t")
        waiter("SET statement_timeout TO 50")
        waiter.commit()
        error = waiter.error("SELECT * FROM t")
        assert error["C"] == "57014"
        assert "cancelled on user's request" in error["M"]
        waiter("RESET statement_timeout")


@pytest.fixture
def scratch_cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    yield cluster
    cluster.stop()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_stopping_twice_leaves_neither_process_nor_folder(scratch_cluster: Cluster) -> None:
    pid = int((scratch_cluster.folder / "data" / "postmaster.pid").read_text().split()[0])
    assert _alive(pid)
    scratch_cluster.stop()
    scratch_cluster.stop()
    assert not _alive(pid)
    assert not scratch_cluster.folder.exists()


def test_a_killed_process_leaves_no_server_behind() -> None:
    root = Path(__file__).parent
    script = (
        f"import sys, time; sys.path.insert(0, {str(root.parent)!r})\n"
        f"from {root.name}.cluster import Cluster\n"
        "cluster = Cluster()\n"
        "print((cluster.folder / 'data/postmaster.pid').read_text().split()[0], flush=True)\n"
        "print(cluster.folder, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        pid, folder = int(process.stdout.readline()), Path(process.stdout.readline().strip())
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while (_alive(pid) or folder.exists()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(pid)
    assert not folder.exists()


def test_it_runs_as_an_ordinary_user_too() -> None:
    if os.geteuid() != 0:
        pytest.skip("the other tests already show it")
    root = Path(__file__).parent
    script = (
        f"import sys; sys.path.insert(0, {str(root.parent)!r})\n"
        "import os\n"
        f"from {root.name}.cluster import Cluster\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "Cluster().stop(); print('fine')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stdout == "fine\n", done.stderr
