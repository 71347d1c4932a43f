"""A config file that holds a secret and that others can read causes a warning."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sparkify_dwh import Settings, SettingsError
from sparkify_dwh.cli import app
from sparkify_dwh.core.config_file import read_config_file

HUSH = "hush-hush"
SECRET_SETTINGS = {"database_password", "webhook_url"}
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
def propagated(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
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
def test_each_place_of_a_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, place: str, mode: int
) -> None:
    path = written(tmp_path, PLACES[place], mode)
    read_config_file(path, SECRET_SETTINGS)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    text = record.getMessage()
    assert str(path) in text and f"{mode:04o}" in text and text.endswith(place.split(" ")[0])
    assert "chmod 600" in record.hint and HUSH not in caplog.text  # type: ignore[attr-defined]
    read_config_file(path, SECRET_SETTINGS)
    assert len(caplog.records) == 1, "warned twice"


@pytest.mark.parametrize("place", PLACES)
def test_a_file_that_only_its_owner_can_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    read_config_file(written(tmp_path, PLACES[place], 0o600), SECRET_SETTINGS)
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
def test_a_file_without_secrets(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    Settings(config=written(tmp_path, text, 0o644))
    assert not caplog.records


def test_a_password_in_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="where others can read it"):
        Settings(config=written(tmp_path, f'database_password = "{HUSH}"', 0o644))


def test_the_command_warns_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, PLACES["webhook_url"], 0o644)
    done = CliRunner().invoke(app, ["config"])
    assert done.exit_code == 0 and HUSH not in done.output
    assert done.stderr.count("warning: sparkify.toml can be read by others (mode 0644)") == 1
    assert "chmod 600 sparkify.toml" in done.stderr
