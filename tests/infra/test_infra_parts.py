"""Settings, the config file, reaching the endpoint: the parts that need no account."""

from __future__ import annotations

import re
import socket
import ssl
import stat
import struct
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sparkify_dwh.core.errors import InfraError, MissingExtraError, SettingsError
from sparkify_dwh.core.settings import Settings
from sparkify_dwh.infra.aws import Clients
from sparkify_dwh.infra.config_file import INFRA_TABLE, add_infra_table, update_config
from sparkify_dwh.infra.deployment import s3_locations
from sparkify_dwh.infra.reachability import own_cidr, try_connection
from sparkify_dwh.infra.results import Endpoint
from sparkify_dwh.infra.settings import InfraSettings, infra_settings
from sparkify_dwh.infra.status import newest_load

# settings ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"nam": "x"}, r"there is no setting \[infra\] nam"),
        ({"name": "Sparkify"}, r"\[infra\] name"),
        ({"name": "a--b"}, r"\[infra\] name"),
        ({"node_type": "dc2.8xlarge"}, "retired by AWS"),
        ({"node_type": "ra3.tiny"}, "is not one of ra3.large"),
        ({"nodes": 0}, r"\[infra\] nodes"),
        ({"base_capacity": 12}, "4 or a multiple of 8"),
        ({"port": 5432 + 100}, "5431..5455"),
        ({"database": "Dwh"}, r"\[infra\] database"),
        ({"admin_user": "public"}, "user name public"),
        ({"allowed_cidrs": ["home"]}, "not a network"),
        ({"allowed_cidrs": ["2001:db8::/32"]}, "IPv4"),
        ({"allowed_cidrs": [f"192.0.2.{n}/32" for n in range(5)]}, r"\[infra\] allowed_cidrs"),
        ({"vpc_id": "vpc-0a1b2c3d"}, "needs subnet_ids"),
        ({"subnet_ids": ["subnet-0a1b2c3d"]}, "needs vpc_id"),
        ({"vpc_cidr": "10.0.0.0/8"}, "16 to 26"),
        ({"vpc_cidr": "10.0.0.1/24"}, "is not a network"),
        ({"kind": "serverless", "subnets": 2}, "three subnets"),
        ({"kind": "serverless", "pause_at": "20:00"}, "costs nothing"),
        ({"kind": "serverless", "base_capacity": 64, "max_capacity": 32}, "below base_capacity"),
        ({"usage_limit": 5}, "serverless"),
        ({"resume_at": "06:00"}, "resume_at needs pause_at"),
        ({"pause_at": "8 pm"}, "neither a UTC time"),
        ({"pause_at": "cron(0 20)"}, "neither a UTC time"),
        ({"log_days": 10}, r"\[infra\] log_days"),
        ({"tags": {"sparkify": "mine"}}, "is reserved"),
        ({"source_kms_keys": ["alias/mine"]}, r"\[infra\] source_kms_keys"),
    ],
)
def test_what_the_infra_table_refuses(table: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says) as caught:
        infra_settings(table)
    assert "docs/infra.md" in caught.value.hint


def test_networks_and_times_are_written_one_way() -> None:
    found = infra_settings({"allowed_cidrs": ["192.0.2.77/24"], "pause_at": "7:05"})
    assert found.allowed_cidrs == ["192.0.2.0/24"]
    assert found.pause_at == "cron(5 7 * * ? *)"


def test_copy_may_read_what_the_settings_name_and_not_the_work_prefix(tmp_path: Path) -> None:
    file = tmp_path / "sparkify.toml"
    file.write_text(
        'log_data = "s3://a/logs/"\nsong_data = "/tmp/songs"\n'
        'log_jsonpaths = "s3://a/paths.json"\nwork_prefix = "s3://w/work/"\n'
        '[sources]\nweather = "s3://b/"\n'
    )
    assert s3_locations(Settings(config=file)) == ("s3://a/logs/", "s3://a/paths.json", "s3://b/")


def test_without_a_region_it_says_where_to_set_one(
    fake_credentials: None, monkeypatch: Any
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(SettingsError, match="no AWS region"):
        Clients()


def test_without_boto3_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(MissingExtraError, match="aws"):
        Clients()


# the config file --------------------------------------------------------------------------


def test_what_init_writes_is_the_defaults_and_names_every_key(tmp_path: Path) -> None:
    file = tmp_path / "sparkify.toml"
    assert add_infra_table(file) is True
    table = tomllib.loads(file.read_text())["infra"]
    defaults = InfraSettings()
    assert {key: getattr(defaults, key) for key in table} == table
    named = set(re.findall(r"^(?:# )?(\w+) = ", INFRA_TABLE, re.M)) - {"team"} | {"tags"}
    assert named == set(InfraSettings.model_fields) - {"from_here", "subnets"}
    infra_settings(table)
    Settings(config=file)


def test_every_commented_example_of_init_is_allowed(tmp_path: Path) -> None:
    bare = [line for line in INFRA_TABLE.splitlines() if "vpc_" not in line]
    text = "\n".join(bare).replace('["subnet-...", "subnet-..."]', "[]")
    table = tomllib.loads(re.sub(r"^# (?=\w+ = )", "", text, flags=re.M))["infra"]
    with pytest.raises(SettingsError, match="serverless"):
        infra_settings(table)
    serverless = {"base_capacity", "max_capacity", "usage_limit"}
    infra_settings({k: v for k, v in table.items() if k not in serverless})
    times = {"pause_at", "resume_at"}
    own = {k: v for k, v in table.items() if k not in times}
    infra_settings({**own, "kind": "serverless"})


def test_init_leaves_an_existing_table_alone(tmp_path: Path) -> None:
    file = tmp_path / "sparkify.toml"
    file.write_text('# mine\n[infra]\nname = "other"\n')
    assert add_infra_table(file) is False
    assert file.read_text() == '# mine\n[infra]\nname = "other"\n'
    file.write_text("# mine")
    assert add_infra_table(file) is True
    assert file.read_text().startswith("# mine\n")


def test_writing_keeps_comments_order_and_other_keys(tmp_path: Path) -> None:
    file = tmp_path / "sparkify.toml"
    file.write_text(
        "# top\n"
        'database_url = "duckdb:///x.duckdb"  # until there is a cluster\n'
        'log_data = "logs"\n'
        'workgroup = "old"\n'
        "\n"
        "[infra]\n"
        'name = "dwh"  # ours\n'
        "\n"
        "[infra.tags]\n"
        'team = "data"\n'
    )
    file.chmod(0o640)
    changed = update_config(
        file,
        {
            "database_url": "redshift://x",
            "iam_role": "arn:r",
            "workgroup": None,
            "log_data": "logs",
        },
        {"from_here": "192.0.2.7/32"},
    )
    assert changed == {
        "database_url": "redshift://x",
        "iam_role": "arn:r",
        "infra.from_here": "192.0.2.7/32",
    }
    text = file.read_text()
    assert "# top\n" in text and "# until there is a cluster" in text and "# ours" in text
    assert tomllib.loads(text) == {
        "database_url": "redshift://x",
        "log_data": "logs",
        "iam_role": "arn:r",
        "infra": {"name": "dwh", "from_here": "192.0.2.7/32", "tags": {"team": "data"}},
    }
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert update_config(file, {"iam_role": "arn:r"}) == {}
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_is_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.toml", tmp_path / "sparkify.toml"
    real.write_text("")
    link.symlink_to(real)
    update_config(link, {"iam_role": "arn:r"})
    assert link.is_symlink() and "arn:r" in real.read_text()


def test_a_file_that_is_not_toml_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "sparkify.toml"
    file.write_text("name = = 1")
    with pytest.raises(SettingsError, match="not valid TOML"):
        update_config(file, {"iam_role": "arn:r"})
    assert file.read_text() == "name = = 1"


# the last load ----------------------------------------------------------------------------


def test_the_last_load_comes_from_the_run_log_of_this_warehouse(tmp_path: Path) -> None:
    from sparkify_dwh import Warehouse
    from sparkify_dwh.sample.generate import generate

    generate(tmp_path / "data", events=20, songs=5, days=1, seed=1)
    settings = Settings(
        database_url=f"duckdb:///{tmp_path / 'x.duckdb'}",
        log_data=str(tmp_path / "data" / "log_data"),
        song_data=str(tmp_path / "data" / "song_data"),
    )
    here = Endpoint("provisioned", "x", "available", None, 5439, "dwh", "boss", "ra3.large")
    warehouse = Warehouse(settings)
    warehouse.migrate()
    assert newest_load(settings, here) is None
    run = warehouse.load()
    warehouse.load()
    assert run.run_id in (newest_load(settings, here) or "")
    elsewhere = replace(here, host="dwh.example")
    assert newest_load(settings, elsewhere) == "unknown: database_url points to another database"


# reaching it ------------------------------------------------------------------------------


def serve(answer: bytes, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server that reads PostgreSQL's TLS request once and answers with a byte."""
    listening = socket.create_server(("127.0.0.1", 0))

    def once() -> None:
        plain, _ = listening.accept()
        with plain:
            assert plain.recv(8) == struct.pack("!ii", 8, 80877103)
            plain.sendall(answer)
            if context:
                try:
                    with context.wrap_socket(plain, server_side=True) as tls:
                        tls.recv(1)
                except OSError:
                    pass

    thread = threading.Thread(target=once)
    thread.start()
    yield listening.getsockname()[1]
    thread.join(10)
    listening.close()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    from datetime import UTC, datetime, timedelta
    from ipaddress import IPv4Address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    pem, secret = tmp_path / "cert.pem", tmp_path / "key.pem"
    pem.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return pem, secret


@pytest.mark.parametrize("trusted", [True, False])
def test_a_tls_handshake_is_made_and_judged(certificate: tuple[Path, Path], trusted: bool) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*certificate)
    client = ssl.create_default_context()
    if trusted:
        client.load_verify_locations(certificate[0])
    for port in serve(b"S", server):
        found = try_connection("127.0.0.1", port, context=client)
    assert found.ok is trusted
    assert trusted or "TLS with 127.0.0.1" in found.why


@pytest.mark.parametrize("answer", [b"N", b"H", b""])
def test_what_does_not_speak_tls_is_unreachable(answer: bytes) -> None:
    for port in serve(answer):
        found = try_connection("127.0.0.1", port)
    assert not found.ok and "not as a database with TLS" in found.why


def test_a_closed_port_and_a_name_that_is_not_known() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert "refused" in try_connection("127.0.0.1", port).why
    assert try_connection("dwh.invalid", 5439).why == "the name dwh.invalid cannot be resolved here"


def test_a_silent_server_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = try_connection("127.0.0.1", server.getsockname()[1], timeout=0.05)
    assert not found.ok and "does not answer within" in found.why


def test_the_own_address_is_a_single_one() -> None:
    assert own_cidr(lambda: "203.0.113.7\n") == "203.0.113.7/32"


@pytest.mark.parametrize("answer", ["", "<html>", "2001:db8::1", "203.0.113.7/0"])
def test_what_is_not_an_address_is_never_allowed(answer: str) -> None:
    with pytest.raises(InfraError, match="does not return your own IPv4 address"):
        own_cidr(lambda: answer)


def test_no_network_no_address() -> None:
    def fail() -> str:
        raise OSError("network is unreachable")

    with pytest.raises(InfraError, match="network is unreachable"):
        own_cidr(fail)


# imports ----------------------------------------------------------------------------------


def test_the_commands_import_no_heavy_library() -> None:
    code = (
        "import sys, sparkify_dwh.cli.infra; "
        "print(sorted({'boto3', 'botocore', 'pydantic', 'sqlalchemy', 'tomlkit', 'rich'}"
        " & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
