"""A settings file that others can read and that holds a secret gives a warning."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sparkify_dwh import Settings, SettingsError
from sparkify_dwh.cli import app
from sparkify_dwh.core.settings import read_config_file

HUSH = "hush-hush"
PLACES = {
    "database_url": f'database_url = "redshift+redshift_connector://user:{HUSH}@host:5439/db"',
    "database_url as a parameter": f'database_url = "duckdb:///x.duckdb?password={HUSH}"',
    "aws_endpoint_url": f'aws_endpoint_url = "http://user:{HUSH}@localhost:5000"',
    "webhook_url": f'webhook_url = "https://example.com/{HUSH}"',
    "log_data": f'log_data = "s3://user:{HUSH}@bucket/"',
    "sources.ads": f'[sources]\nads = "https://user:{HUSH}@host/"',
    "infra.master_password": f'[infra]\nmaster_password = "{HUSH}"',
}


@pytest.fixture(autouse=True)
def heard(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    ours = logging.getLogger("sparkify_dwh")
    kept, ours.propagate = ours.propagate, True
    yield
    ours.propagate = kept


def written(folder: Path, text: str, mode: int) -> Path:
    path = folder / "sparkify.toml"
    path.write_text(text + "\n")
    path.chmod(mode)
    return path


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_each_place(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, place: str, mode: int
) -> None:
    path = written(tmp_path, PLACES[place], mode)
    read_config_file(path)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    text = record.getMessage()
    assert str(path) in text and f"{mode:04o}" in text and text.endswith(place.split(" ")[0])
    assert "chmod 600" in record.hint and HUSH not in caplog.text  # type: ignore[attr-defined]
    read_config_file(path)
    assert len(caplog.records) == 1, "once is enough"


@pytest.mark.parametrize("place", PLACES)
def test_a_file_of_its_owner_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    read_config_file(written(tmp_path, PLACES[place], 0o600))
    assert not caplog.records


@pytest.mark.parametrize(
    "text",
    [
        "",
        'database_url = "redshift+redshift_connector://user@host:5439/db"',
        'auth = "secret"\nsecret_arn = "arn:aws:secretsmanager:us-west-2:1:secret:sparkify"',
        'log_data = "s3://bucket/prefix/"\nmax_rejects = 5\n[infra]\nnodes = 2',
    ],
)
def test_without_a_secret_anybody_may_read_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    Settings(config=written(tmp_path, text, 0o644))
    assert not caplog.records


def test_a_password_of_its_own_is_refused_as_before(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="where others can read it"):
        Settings(config=written(tmp_path, f'database_password = "{HUSH}"', 0o644))


def test_the_command_says_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, PLACES["webhook_url"], 0o644)
    done = CliRunner().invoke(app, ["config"])
    assert done.exit_code == 0 and HUSH not in done.output
    assert done.stderr.count("warning: sparkify.toml can be read by others (mode 0644)") == 1
    assert "chmod 600 sparkify.toml" in done.stderr
