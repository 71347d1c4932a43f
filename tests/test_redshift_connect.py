"""Connecting to Redshift: every kind of login, TLS, time limits, and what a DBA sees."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock
from urllib.parse import quote

import pytest
import redshift_connector
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import make_url
from standin.answers import FakeAws, Refusal
from standin.plugin import Somewhere
from standin.server import Database, Standin

from sparkify_dwh import DatabaseError, Settings, SettingsError, Warehouse
from sparkify_dwh.core.version import __version__
from sparkify_dwh.dialects import load_engine
from sparkify_dwh.dialects.redshift.connection import QUERY_GROUP, RedshiftConnection
from sparkify_dwh.dialects.redshift.login import Login

PASSWORD = "Temp0rary/+=@:%'\\ x"


def engine_of(url: str, **values: Any) -> RedshiftConnection:
    engine = load_engine(Settings(database_url=url, **values))
    assert isinstance(engine, RedshiftConnection)
    return engine


def shown(engine: RedshiftConnection, what: str) -> Any:
    """The value of an expression in a new session of the engine."""
    with engine.session() as connection:
        return connection.exec_driver_sql(what).scalar()


def bare(database: Database, user: str = "") -> str:
    """The URL of a database without a password, and without a user if ``user`` is empty."""
    name = f"{quote(user, safe='')}@" if user else ""
    return f"redshift+redshift_connector://{name}localhost:{database.server.port}/{database.name}"


def watched_driver() -> Any:
    """Records the arguments of the driver's ``connect``."""
    return mock.patch("redshift_connector.connect", wraps=redshift_connector.connect)


@pytest.fixture
def temporary(redshift: Database) -> Database:
    """A user ``loader`` whose name in AWS is ``IAM:loader``."""
    redshift.server.login("loader", PASSWORD)
    return redshift


# Logins ------------------------------------------------------------------------------------------


def test_a_password_from_the_environment(
    redshift: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARKIFY_DATABASE_PASSWORD", redshift.server.passwords["awsuser"])
    assert shown(engine_of(bare(redshift, "awsuser")), "SELECT current_user") == "awsuser"


def test_the_environment_is_stronger_than_the_url(
    redshift: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARKIFY_DATABASE_PASSWORD", redshift.server.passwords["awsuser"])
    url = bare(redshift, "awsuser").replace("awsuser@", "awsuser:wrong@")
    assert shown(engine_of(url), "SELECT current_user") == "awsuser"


@pytest.mark.parametrize("user", ["", "awsuser"])
def test_no_password_at_all(redshift: Database, user: str) -> None:
    with pytest.raises(SettingsError, match="needs a user in database_url and a password"):
        engine_of(bare(redshift, user)).connect()


@pytest.mark.parametrize("named", [True, False])
def test_a_secret(temporary: Database, aws: FakeAws, named: bool) -> None:
    """The secret's user, or that of the URL if the secret has none."""
    user = '"username": "loader", ' if named else ""
    escaped = PASSWORD.replace("\\", "\\\\")
    aws.answers["GetSecretValue"] = {"SecretString": f'{{{user}"password": "{escaped}"}}'}
    url = bare(temporary, "" if named else "loader")
    engine = engine_of(url, auth="secret", secret_arn="arn:x", aws_endpoint_url=aws.url)
    assert shown(engine, "SELECT current_user") == "loader"
    assert aws.calls[0].parameters == {"SecretId": "arn:x"}


@pytest.mark.parametrize("text", ["", "[]", "no json", '{"username": "u"}', '{"password": 1}', "7"])
def test_a_secret_of_another_form(temporary: Database, aws: FakeAws, text: str) -> None:
    aws.answers["GetSecretValue"] = {"SecretString": text}
    engine = engine_of(bare(temporary), auth="secret", secret_arn="arn:x", aws_endpoint_url=aws.url)
    with pytest.raises(
        DatabaseError, match="secret arn:x does not contain JSON with username and passw"
    ):
        engine.connect()


def later(**given: float) -> datetime:
    return datetime.now(UTC) + timedelta(**given)


def test_iam_with_a_user(temporary: Database, aws: FakeAws) -> None:
    aws.answers["GetClusterCredentials"] = {
        "DbUser": "IAM:loader",
        "DbPassword": PASSWORD,
        "Expiration": later(minutes=60),
    }
    engine = engine_of(
        bare(temporary),
        auth="iam",
        cluster_identifier="dwh",
        db_user="loader",
        aws_endpoint_url=aws.url,
    )
    assert shown(engine, "SELECT current_user") == "loader"
    (call,) = aws.calls
    expected = {
        "ClusterIdentifier": "dwh",
        "DbUser": "loader",
        "DbName": temporary.name,
        "DurationSeconds": "3600",
    }
    assert expected.items() <= call.parameters.items()
    assert "AutoCreate" not in call.parameters
    assert "sparkify_dwh" in call.headers["User-Agent"]


def test_iam_without_a_user(temporary: Database, aws: FakeAws) -> None:
    aws.answers["GetClusterCredentialsWithIAM"] = {
        "DbUser": "IAM:loader",
        "DbPassword": PASSWORD,
        "Expiration": later(minutes=60),
    }
    engine = engine_of(
        bare(temporary), auth="iam", cluster_identifier="dwh", aws_endpoint_url=aws.url
    )
    assert shown(engine, "SELECT current_user") == "loader"
    assert aws.actions() == ["GetClusterCredentialsWithIAM"]


def test_serverless(temporary: Database, aws: FakeAws) -> None:
    aws.answers["GetCredentials"] = {
        "dbUser": "IAM:loader",
        "dbPassword": PASSWORD,
        "expiration": later(minutes=60),
    }
    engine = engine_of(
        bare(temporary), auth="serverless", workgroup="dwh", aws_endpoint_url=aws.url
    )
    assert shown(engine, "SELECT current_user") == "loader"
    assert aws.calls[0].parameters == {
        "workgroupName": "dwh",
        "dbName": temporary.name,
        "durationSeconds": 3600,
    }


@pytest.mark.parametrize(
    ("auth", "missing"),
    [("secret", "secret_arn"), ("iam", "cluster_identifier"), ("serverless", "workgroup")],
)
def test_each_kind_names_the_setting_it_misses(redshift: Database, auth: str, missing: str) -> None:
    with pytest.raises(SettingsError, match=f"auth = {auth} needs {missing}"):
        engine_of(bare(redshift), auth=auth).connect()


# Temporary credentials ---------------------------------------------------------------------------


def a_login(aws: FakeAws, url: str) -> tuple[Login, list[datetime]]:
    """A login by IAM with credentials valid for an hour, and its clock."""
    clock = [datetime(2026, 1, 1, tzinfo=UTC)]
    numbers = iter(range(1, 100))
    aws.answers["GetClusterCredentialsWithIAM"] = lambda: {
        "DbUser": "IAM:loader",
        "DbPassword": f"secret-{next(numbers)}",
        "Expiration": clock[0] + timedelta(hours=1),
    }
    values: dict[str, Any] = {"auth": "iam", "cluster_identifier": "dwh"}
    given = Settings(database_url=url, aws_endpoint_url=aws.url, **values)
    return Login(given, make_url(url), lambda: clock[0]), clock


def test_credentials_are_reused_while_they_are_fresh(aws: FakeAws) -> None:
    login, clock = a_login(aws, "redshift+redshift_connector://h/dev")
    assert login.credentials().password.get_secret_value() == "secret-1"
    clock[0] += timedelta(minutes=57, seconds=59)
    assert login.credentials().password.get_secret_value() == "secret-1"
    assert len(aws.calls) == 1


def test_credentials_are_renewed_before_they_expire(aws: FakeAws) -> None:
    login, clock = a_login(aws, "redshift+redshift_connector://h/dev")
    login.credentials()
    clock[0] += timedelta(minutes=58)
    assert login.credentials().password.get_secret_value() == "secret-2"
    assert len(aws.calls) == 2


def test_a_connection_after_the_expiry_asks_again(redshift: Database, aws: FakeAws) -> None:
    login, clock = a_login(aws, bare(redshift))
    engine = engine_of(bare(redshift))
    engine.login = login
    redshift.server.login("loader", "secret-1")
    assert shown(engine, "SELECT current_user") == "loader"
    assert shown(engine, "SELECT current_user") == "loader"
    assert len(aws.calls) == 1
    redshift.server.login("loader", "secret-2")
    clock[0] += timedelta(hours=2)
    assert shown(engine, "SELECT current_user") == "loader"
    assert len(aws.calls) == 2


def test_credentials_that_are_refused_are_asked_for_once_more(
    redshift: Database, aws: FakeAws
) -> None:
    """AWS may end them early."""
    login, _ = a_login(aws, bare(redshift))
    engine = engine_of(bare(redshift))
    engine.login = login
    redshift.server.login("loader", "secret-2")
    assert shown(engine, "SELECT current_user") == "loader"
    assert len(aws.calls) == 2


def test_a_rotated_secret_is_read_again(redshift: Database, aws: FakeAws) -> None:
    redshift.server.login("loader", "old-one")
    secret = {"SecretString": '{"username": "loader", "password": "old-one"}'}
    aws.answers["GetSecretValue"] = lambda: secret
    engine = engine_of(bare(redshift), auth="secret", secret_arn="a", aws_endpoint_url=aws.url)
    assert shown(engine, "SELECT current_user") == "loader"
    redshift.server.login("loader", "new-one")
    secret["SecretString"] = secret["SecretString"].replace("old", "new")
    assert shown(engine, "SELECT current_user") == "loader"
    redshift.server.login("loader", "not-in-the-secret")
    with pytest.raises(DatabaseError, match="user and password in the secret were refused"):
        engine.connect()
    assert len(aws.calls) == 3  # read again, found the same, gave up


def test_a_wrong_password_is_tried_once(redshift: Database) -> None:
    """An account may be locked after several attempts."""
    engine = engine_of(bare(redshift, "awsuser").replace("awsuser@", "awsuser:wrong@"))
    with watched_driver() as connect, pytest.raises(DatabaseError, match="wrong user or password"):
        engine.connect()
    assert connect.call_count == 1


# Passwords ---------------------------------------------------------------------------------------

passwords = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(password=passwords)
@example("'\"%@:/\\ ?#[]{}%40%%s%(x)s$`é漢\U0001f3b5")
@example(" leading and trailing ")
@example("\n\r\t")
def test_passwords_with_any_character(redshift: Database, password: str) -> None:
    redshift.server.login("odd", password)
    with mock.patch.dict(os.environ, SPARKIFY_DATABASE_PASSWORD=password):
        assert shown(engine_of(bare(redshift, "odd")), "SELECT current_user") == "odd"
    encoded = bare(redshift, "odd").replace("odd@", f"odd:{quote(password, safe='')}@")
    assert shown(engine_of(encoded), "SELECT current_user") == "odd"
    rendered = make_url(bare(redshift, "odd")).set(password=password)
    url = rendered.render_as_string(hide_password=False)
    assert shown(engine_of(url), "SELECT current_user") == "odd"


@pytest.mark.parametrize("user", ["o'dd", 'o"dd', "o dd@x", "IAM:o%d\\d", "ünï"])
def test_users_with_any_character(redshift: Database, user: str) -> None:
    login = user.removeprefix("IAM:")
    redshift.server.login(login, "Passw0rd")
    url = bare(redshift, user).replace("@localhost", ":Passw0rd@localhost")
    assert shown(engine_of(url), "SELECT current_user") == login


def test_an_unencoded_password_is_not_taken_for_a_host(redshift: Database) -> None:
    url = bare(redshift, "awsuser").replace("awsuser@", "awsuser:pa@ss@")
    with pytest.raises(SettingsError, match="more than one @") as caught:
        engine_of(url).connect()
    assert "ss@" not in str(caught.value)


# TLS ---------------------------------------------------------------------------------------------


def test_the_certificate_is_verified_by_default(redshift: Database) -> None:
    with watched_driver() as connect:
        assert shown(engine_of(redshift.url()), "SELECT 1") == 1
    given = connect.call_args.kwargs
    assert given["ssl"] is True
    assert given["sslmode"] == "verify-full"


def test_an_untrusted_certificate(redshift: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without SSL_CERT_FILE it is not trusted."""
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(
        DatabaseError, match=r"certificate of localhost:.* is not trusted"
    ) as caught:
        engine_of(redshift.url()).connect()
    assert "SSL_CERT_FILE" in caught.value.hint
    assert redshift.statements == []


def test_a_certificate_for_another_host(redshift: Database) -> None:
    url = redshift.url().replace("localhost", "127.0.0.1")
    with pytest.raises(DatabaseError, match=r"certificate of 127.0.0.1:.* for another host name"):
        engine_of(url).connect()
    assert redshift.statements == []
    assert shown(engine_of(url + "?sslmode=verify-ca"), "SELECT 1") == 1


def test_verify_ca_still_verifies(redshift: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(DatabaseError, match="is not trusted"):
        engine_of(redshift.url() + "?sslmode=verify-ca").connect()


def test_tls_can_be_given_up_by_name_only(
    redshift: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    assert shown(engine_of(redshift.url() + "?sslmode=disable"), "SELECT 1") == 1
    for mode in ("prefer", "require", "allow", "VERIFY-FULL"):
        with pytest.raises(SettingsError, match="sslmode"):
            engine_of(redshift.url() + f"?sslmode={mode}").connect()


@pytest.mark.parametrize("option", ["ssl=false", "iam=true", "password=hidden", "host=evil"])
def test_other_options_do_not_reach_the_driver(redshift: Database, option: str) -> None:
    name, _, value = option.partition("=")
    with pytest.raises(SettingsError, match=f"unknown option {name}") as caught:
        engine_of(f"{redshift.url()}?{option}").connect()
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("redshift+redshift_connector:///dev", "names no host"),
        ("redshift+redshift_connector://u:p@h", "names no database"),
        ("redshift+redshift_connector://u:p@h/dev?timeout=soon", "not a number of seconds"),
        ("redshift+redshift_connector://u:p@h/dev?timeout=0", "not a number of seconds"),
    ],
)
def test_urls_that_lead_nowhere(url: str, what: str) -> None:
    with pytest.raises(SettingsError, match=what):
        engine_of(url).connect()


# Time limits -------------------------------------------------------------------------------------


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_silent_server_is_waited_for_so_long_only(silent: int) -> None:
    url = f"redshift+redshift_connector://u:p@127.0.0.1:{silent}/dev?timeout=0.2"
    with pytest.raises(DatabaseError, match=r"did not answer within 0.2 s"):
        engine_of(url).connect()


def test_connecting_is_bounded_without_a_word_of_the_user(redshift: Database) -> None:
    with watched_driver() as connect:
        engine_of(redshift.url(), lock_timeout=0).connect().close()
    assert connect.call_args.kwargs["timeout"] == 30


def test_a_long_statement_outlives_the_time_limit_of_connecting(redshift: Database) -> None:
    redshift.faults.call("select 4711", lambda _: time.sleep(1.5))
    assert shown(engine_of(redshift.url() + "?timeout=1"), "SELECT 4711") == 4711


def test_statements_have_no_limit_by_default(redshift: Database) -> None:
    assert shown(engine_of(redshift.url()), "SHOW statement_timeout") == "0"


def test_statement_timeout_reaches_the_session(redshift: Database) -> None:
    engine = engine_of(redshift.url(), statement_timeout=1.5)
    assert shown(engine, "SHOW statement_timeout") in ("1500ms", "1500")


# What a DBA sees ---------------------------------------------------------------------------------


def test_our_sessions_can_be_distinguished_from_others(anywhere: Somewhere) -> None:
    """By their application name, and each statement by its query group."""
    engine = engine_of(anywhere.url)
    assert shown(engine, "SHOW query_group") == QUERY_GROUP == "sparkify_dwh"
    if anywhere.standin is not None:
        # Only the stand-in reports the name from the start-up packet.
        assert shown(engine, "SHOW application_name") == f"sparkify_dwh {__version__}"
        assert anywhere.standin.sql()[1] == "SET query_group TO 'sparkify_dwh'"


def test_the_engine_for_others_is_made_alike(redshift: Database) -> None:
    """`Warehouse.engine`, for users' own statements."""
    with Warehouse(Settings(database_url=redshift.url())).engine.connect() as connection:
        assert connection.execute(sa.text("SHOW query_group")).scalar() == QUERY_GROUP


def test_a_refused_login_leaves_no_connection(redshift: Database) -> None:
    redshift.server.refuse_logins = ("no", "28000")
    try:
        with pytest.raises(DatabaseError):
            engine_of(redshift.url()).connect()
    finally:
        redshift.server.refuse_logins = None
    # An unclosed socket is a ResourceWarning, which fails this test.


# Failures of AWS ---------------------------------------------------------------------------------

EACH = {
    "secret": ({"secret_arn": "arn:x"}, "secretsmanager:GetSecretValue"),
    "iam": ({"cluster_identifier": "dwh"}, "redshift:GetClusterCredentialsWithIAM"),
    "serverless": ({"workgroup": "dwh"}, "redshift-serverless:GetCredentials"),
}


@pytest.mark.parametrize("auth", EACH)
@pytest.mark.parametrize(
    ("code", "message", "next_step"),
    [
        ("ExpiredTokenException", "the AWS session has expired", "sign in again"),
        ("ExpiredToken", "the AWS session has expired", "sign in again"),
        ("AccessDeniedException", "AWS does not allow this user to do it", "docs/redshift.md"),
        ("UnrecognizedClientException", "AWS does not accept these credentials", "AWS_PROFILE"),
        ("InvalidSignatureException", "AWS does not accept these credentials", "AWS_PROFILE"),
        ("ResourceNotFoundException", "there is no", "check its name and aws_region"),
        ("ClusterNotFound", "there is no", "check its name and aws_region"),
        ("SomethingNew", "SomethingNew: first line", "docs/redshift.md"),
    ],
)
def test_aws_refuses(
    redshift: Database, aws: FakeAws, auth: str, code: str, message: str, next_step: str
) -> None:
    values, action = EACH[auth]
    aws.answers[action.partition(":")[2]] = Refusal(code, "first line\nsecond line")
    engine = engine_of(bare(redshift), auth=auth, aws_endpoint_url=aws.url, **values)
    with pytest.raises(DatabaseError) as caught:
        engine.connect()
    assert caught.value.exit_code == 5
    assert caught.value.what.startswith(f"{action}: {message}")
    assert next_step in caught.value.hint
    assert "\n" not in caught.value.what + caught.value.hint


def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")


def no_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")


def no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nowhere")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (no_keys, "boto3 finds no AWS credentials"),
        (no_region, "no AWS region is set"),
        (no_session, "The config profile .nowhere. could not be found"),
    ],
)
def test_boto3_is_not_set_up(
    redshift: Database,
    aws: FakeAws,
    monkeypatch: pytest.MonkeyPatch,
    wrong: Callable[[pytest.MonkeyPatch], None],
    message: str,
) -> None:
    import boto3

    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    wrong(monkeypatch)
    with pytest.raises(DatabaseError, match=message):
        engine_of(bare(redshift), auth="iam", cluster_identifier="dwh").connect()


def test_aws_cannot_be_reached(
    redshift: Database, aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    engine = engine_of(
        bare(redshift),
        auth="iam",
        cluster_identifier="dwh",
        aws_endpoint_url=f"http://127.0.0.1:{port}",
    )
    with pytest.raises(DatabaseError, match="AWS cannot be reached"):
        engine.connect()


def test_a_standin_of_its_own_password_scheme(s3_server: Any, monkeypatch: Any) -> None:
    """A server that asks for the password in clear text gets it, over TLS."""
    with Standin(s3_server.client, auth="cleartext") as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(server.ca_file))
        assert shown(engine_of(server.database().url()), "SELECT 1") == 1
