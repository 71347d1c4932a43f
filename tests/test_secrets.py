"""Secrets are planted in every place they can come from, and hunted for in all that comes out."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from standin.answers import FakeAws, Refusal
from standin.buckets import Bucket, S3Server
from standin.server import Database
from support.secret_hunt import MARKS, Hunt
from support.soak_figures import figure

from sparkify_dwh import Observer, Settings, SparkifyError, Warehouse
from sparkify_dwh.dialects import load_engine
from sparkify_dwh.dialects.redshift.login import Login

#: Each holds a mark between characters that are often escaped.
SECRETS = {name: f"a/{mark}+b%41 '\"c" for name, mark in MARKS.items()}
SECRETS["key"], SECRETS["token"] = MARKS["key"], MARKS["token"]  # go into HTTP headers


@pytest.fixture
def planted(
    redshift: Database,
    aws: FakeAws,
    s3_server: S3Server,
    bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Settings]:
    """Settings by the kind of auth, all of whose secrets are planted."""
    monkeypatch.setenv("SPARKIFY_WEBHOOK_URL", f"https://hooks/{MARKS['webhook']}?x=1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRETS["key"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", SECRETS["token"])
    # An earlier test may have made it, with credentials that are not the planted ones.
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    aws.answers["GetSecretValue"] = {
        "SecretString": json.dumps({"username": "u_manager", "password": SECRETS["manager"]})
    }
    expires = datetime.now(UTC) + timedelta(hours=1)
    for action, user, password, expiry in (
        ("GetClusterCredentials", "DbUser", "DbPassword", "Expiration"),
        ("GetClusterCredentialsWithIAM", "DbUser", "DbPassword", "Expiration"),
        ("GetCredentials", "dbUser", "dbPassword", "expiration"),
    ):
        aws.answers[action] = {
            user: "IAM:u_temporary",
            password: SECRETS["temporary"],
            expiry: expires,
        }
    for name in ("environment", "url", "manager", "temporary"):
        redshift.server.login(f"u_{name}", SECRETS[name])
        redshift.server.admin(f"ALTER USER u_{name} SUPERUSER")
        redshift.roles.append(f"u_{name}")
    bare = f"redshift+redshift_connector://@localhost:{redshift.server.port}/{redshift.name}"

    def make(kind: str, **values: Any) -> Settings:
        if kind == "environment":
            monkeypatch.setenv("SPARKIFY_DATABASE_PASSWORD", SECRETS["environment"])
        else:
            monkeypatch.delenv("SPARKIFY_DATABASE_PASSWORD", raising=False)
        login = {"url": f"u_url:{quote(SECRETS['url'], safe='')}", "environment": "u_environment"}
        url = bare.replace("@", login.get(kind, "") + "@" * (kind in login), 1)
        by_kind: dict[str, dict[str, Any]] = {
            "secret": {"auth": "secret", "secret_arn": "arn:x"},
            "iam": {"auth": "iam", "cluster_identifier": "dwh"},
            "db_user": {"auth": "iam", "cluster_identifier": "dwh", "db_user": "u_temporary"},
            "serverless": {"auth": "serverless", "workgroup": "dwh"},
        }
        given = {
            "database_url": url,
            "aws_endpoint_url": aws.url,
            "log_data": bucket.url("logs/"),
            "lock_timeout": 0.1,
            **by_kind.get(kind, {}),
            **values,
        }
        return Settings(**given)

    return make


KINDS = ("environment", "url", "secret", "iam", "db_user", "serverless")
Make = Callable[..., Settings]


class Heard(Observer):
    """Keeps what progress is made of."""

    def __init__(self, hunt: Hunt) -> None:
        self.hunt = hunt

    def begin(self, *what: Any) -> None:
        self.hunt.add(*what)

    enter = leave = advance = begin


def everything(warehouse: Warehouse, hunt: Hunt) -> None:
    """Runs what a warehouse offers; keeps the results, or the error that ended it."""
    warehouse.observer, warehouse._tell = Heard(hunt), hunt.add
    for step in (
        warehouse.migrate,
        warehouse.schema_status,
        warehouse.migration_sql,
        warehouse.plan,
        lambda: warehouse.plan(engine="redshift"),
        lambda: warehouse.query("SELECT current_user"),
        lambda: warehouse.query("SELECT nothing"),
        warehouse.load,
        warehouse.runs,
        warehouse.rejects,
        warehouse.check,
        warehouse.check_sources,
        lambda: warehouse.profile("events"),
        lambda: warehouse.compact("events"),
        lambda: warehouse.erase(7),
        warehouse.prune,
        warehouse.lineage,
        lambda: warehouse.report().html,
    ):
        try:
            result = step()
            hunt.add(result, getattr(result, "_repr_html_", str)())
        except SparkifyError as error:
            hunt.error(error)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_what_succeeds_shows_a_secret(
    planted: Make, hunt: Hunt, redshift: Database, capfd: pytest.CaptureFixture[str], kind: str
) -> None:
    settings = planted(kind)
    warehouse = Warehouse(settings)
    everything(warehouse, hunt)
    assert warehouse.schema_status().state == "current", "the login itself must succeed"
    engine = load_engine(settings)
    login = Login(settings, sa.make_url(settings.database_url))
    hunt.add(settings, warehouse, warehouse.engine, warehouse.engine.url, engine, login)
    hunt.add(settings.masked(), engine.url, engine.server, login.credentials())  # type: ignore[attr-defined]
    hunt.add(warehouse.engine.dialect, warehouse.engine.pool)
    hunt.add(*(f"{s.sql} {s.parameters}" for s in redshift.statements))
    hunt.said += capfd.readouterr()
    logged = len(hunt.log.getvalue())
    assert logged > 10_000, "nothing was logged, so nothing was hunted"
    assert hunt.found() == []
    said = sum(map(len, hunt.said))
    figure("secrets hunted", auth=kind, planted=len(MARKS), characters_searched=logged + said)


def wrong_password(redshift: Database, aws: FakeAws, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    for name in SECRETS:
        if f"u_{name}" in redshift.server.passwords:
            redshift.server.login(f"u_{name}", "another")
    return {}


def no_trust(redshift: Database, aws: FakeAws, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    patch.delenv("SSL_CERT_FILE")
    return {}


def quoted_request(redshift: Database, aws: FakeAws, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """AWS quotes the request, with the session token in it, to whom signed it wrongly."""
    quoted = f"no match\nThe Canonical String was 'POST\n\nx-amz-security-token:{MARKS['token']}'"
    for action in list(aws.answers):
        aws.answers[action] = Refusal("SignatureDoesNotMatch", quoted, 403)
    return {}


def another_refusal(redshift: Database, aws: FakeAws, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    for action in list(aws.answers):
        aws.answers[action] = Refusal("Odd", f"what\nis {MARKS['token']}", 403)
    return {}


def odd_secret(redshift: Database, aws: FakeAws, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    aws.answers["GetSecretValue"] = {"SecretString": f"{{'password': {MARKS['manager']}"}
    return {}


def dropped(redshift: Database, aws: FakeAws, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    redshift.faults.drop("select", times=-1)
    return {}


def failed(redshift: Database, aws: FakeAws, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    redshift.faults.fail("create|select", "disk full", "53100", times=-1)
    return {}


def no_driver_option(redshift: Database, aws: FakeAws, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    name = redshift.name
    url = f"redshift+redshift_connector://u_url:{quote(SECRETS['url'], safe='')}@localhost/{name}"
    return {"database_url": f"{url}?password={MARKS['environment']}"}


def unencoded(redshift: Database, aws: FakeAws, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    return {"database_url": f"redshift+redshift_connector://u:a@{MARKS['url']}@localhost/dev"}


def not_a_port(redshift: Database, aws: FakeAws, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    return {"database_url": f"redshift+redshift_connector://u:a@b:{MARKS['url']}@localhost/dev"}


def no_engine(redshift: Database, aws: FakeAws, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    return {"database_url": f"postgresql://u:{MARKS['url']}@localhost/dev"}


ALL, AWS, ONE = ("environment", "url", "secret", "iam"), ("secret", "iam"), ("environment",)
TROUBLES = {
    wrong_password: ALL,
    no_trust: ("url", "iam"),
    quoted_request: AWS,
    another_refusal: AWS,
    odd_secret: ("secret",),
    dropped: ("url", "iam"),
    failed: ALL,
    no_driver_option: ONE,
    unencoded: ONE,
    not_a_port: ONE,
    no_engine: ONE,
}


@pytest.mark.parametrize(
    ("trouble", "kind"), [(trouble, kind) for trouble, kinds in TROUBLES.items() for kind in kinds]
)
def test_no_error_shows_a_secret(
    planted: Make,
    hunt: Hunt,
    redshift: Database,
    aws: FakeAws,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    kind: str,
    trouble: Callable[..., dict[str, Any]],
) -> None:
    planted(kind)
    values = trouble(redshift, aws, monkeypatch)
    try:
        settings = planted(kind, **values)
    except SparkifyError as error:
        hunt.error(error)
    else:
        warehouse = Warehouse(settings)
        hunt.add(settings, warehouse)
        everything(warehouse, hunt)
    hunt.said += capfd.readouterr()
    assert hunt.said
    assert hunt.found() == []


def test_a_failed_load_records_no_secret(
    planted: Make, hunt: Hunt, redshift: Database, bucket: Bucket, s3_server: S3Server
) -> None:
    """In the run log, the statements, and the objects that the load wrote."""
    bucket.put("logs/a.json", '{"page": "Home"}\n' * 20)
    settings = planted(
        "environment", aws_endpoint_url=s3_server.endpoint_url, work_prefix=bucket.url("work/")
    )
    warehouse = Warehouse(settings)
    warehouse.migrate()
    written: list[str] = []

    def look(_: object) -> None:
        """The objects that are there while COPY runs; they are removed in the end."""
        for each in s3_server.client.list_objects_v2(Bucket=bucket.name)["Contents"]:
            held = s3_server.client.get_object(Bucket=bucket.name, Key=each["Key"])
            written.append(f"{each['Key']}: {held['Body'].read()!r}")

    redshift.faults.call("^copy", look, times=-1)
    with pytest.raises(SparkifyError) as caught:
        warehouse.load()
    hunt.error(caught.value)
    (run,) = {row[0] for row in warehouse.runs()}
    for table in ("load_run", "rejected_row", "quality_result", "load_step"):
        found = warehouse.query(f"SELECT * FROM audit.{table}")
        assert len(found) or table == "load_step"
        hunt.add(*found)
    hunt.add(warehouse.run(run))
    hunt.add(*(f"{s.sql} {s.parameters}" for s in redshift.statements))
    assert any("work/" in text for text in written)
    hunt.add(*written)
    assert hunt.found() == []


@pytest.mark.parametrize("command", ["config", "config --json", "migrate --status -v", "load -v"])
@pytest.mark.parametrize("kind", ["environment", "url"])
def test_no_command_prints_a_secret(
    planted: Make,
    hunt: Hunt,
    redshift: Database,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Any,
    command: str,
    kind: str,
) -> None:
    """Tracebacks of -v included: the login fails."""
    from sparkify_dwh.cli.app import main

    settings = planted(kind)
    wrong_password(redshift, FakeAws(), monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPARKIFY_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("SPARKIFY_LOG_DATA", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["sparkify", *command.split()])
    with pytest.raises(SystemExit):
        main()
    said = capfd.readouterr()
    assert ("***" in said.out) if "config" in command else ("Traceback" in said.err)
    hunt.said += said
    assert hunt.found() == []


# The hunt itself ---------------------------------------------------------------------------------


def test_the_hunt_finds_what_is_there(hunt: Hunt) -> None:
    assert hunt.found() == []
    logging.getLogger("botocore.other").debug("password=%s", SECRETS["url"])
    assert len(hunt.found()) == 1
    try:
        try:
            raise ValueError(SECRETS["manager"])
        except ValueError:
            raise SparkifyError("told") from None
    except SparkifyError as error:
        hunt.error(error)
    assert len(hunt.found()) == 2


def test_boto3_would_write_secrets_down(
    planted: Make, hunt: Hunt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why some of its messages are left out."""
    for name in ("botocore.auth", "botocore.endpoint", "botocore.parsers"):
        monkeypatch.setattr(logging.getLogger(name), "filters", [])
    monkeypatch.setattr("sparkify_dwh.storage.aws.SENSITIVE_LOGGERS", ())
    load_engine(planted("secret")).connect().close()
    assert len(hunt.found()) >= 2  # the secret, and the session token


def test_boto3_still_warns(planted: Make, hunt: Hunt) -> None:
    load_engine(planted("secret")).connect().close()
    logging.getLogger("botocore.endpoint").warning("careful")
    assert "careful" in hunt.log.getvalue()
