"""Secrets in the settings file, in URLs of all kinds and in the environment, on DuckDB and S3.

Each command runs with everything that makes it talk; what it says, writes and records is searched.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from support.records import event, lines, song
from support.secret_hunt import Hunt
from support.soak_figures import figure

from sparkify_dwh import Settings, SparkifyError, Warehouse

MARKS = {
    name: f"HIDDEN{number}x{name}"
    for number, name in enumerate(("path", "user", "query", "key", "token", "password", "database"))
}


class Echo(BaseHTTPRequestHandler):
    """Answers with an error that quotes the request, as many a gateway does."""

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = f"no: {self.path} {self.headers}".encode()
        self.send_response(int(self.server.status))  # type: ignore[attr-defined]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET = do_HEAD = do_PUT = _answer

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(params=[500, "closed"])
def where(request: pytest.FixtureRequest) -> Any:
    """Host and port of a server that refuses, or of none."""
    server = HTTPServer(("127.0.0.1", 0), Echo)
    host = f"127.0.0.1:{server.server_port}"
    if request.param == "closed":
        server.server_close()
        yield host
        return
    server.status = request.param  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield host
    server.shutdown()
    thread.join()
    server.server_close()


def planted(folder: Path, where: str, **more: str) -> dict[str, str]:
    """A folder with data and a settings file full of secrets; the environment to run in."""
    (folder / "logs").mkdir()
    (folder / "songs").mkdir()
    (folder / "logs" / "a.json").write_bytes(lines(event(), event(level="x")))
    (folder / "songs" / "s.json").write_bytes(lines(song()))
    url = f"http://{MARKS['user']}:{MARKS['path']}@{where}/{MARKS['path']}?x={MARKS['query']}"
    values = {
        "log_data": "logs",
        "song_data": "songs",
        "webhook_url": url,
        "aws_endpoint_url": f"http://{where}",
        **more,
    }
    file = folder / "sparkify.toml"
    file.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items()))
    file.chmod(0o644)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SPARKIFY_", "AWS_"))}
    return {
        **kept,
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": MARKS["key"],
        "AWS_SESSION_TOKEN": MARKS["token"],
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
        "SPARKIFY_DATABASE_PASSWORD": MARKS["database"],
        "SPARKIFY_MAX_REJECTS": "0",
    }


def leaked(*texts: str) -> list[str]:
    """Marks that texts contain, with what is around them."""
    whole = "\n".join(texts).lower()
    places = ((mark, whole.find(mark.lower())) for mark in MARKS.values())
    return [whole[max(0, at - 200) : at + 40] for _, at in places if at >= 0]


SCRIPT = """
import sys
from sparkify_dwh.cli import main
for words in {commands!r}:
    print("==", words[0], flush=True)
    try: main(words)
    except SystemExit as ended: print("==", ended.code, flush=True)
"""
LOCAL = [
    *(["config"], ["config", "--json"], ["migrate"], ["migrate", "--sql"], ["load", "-v"]),
    *(
        ["load", "--json", "--log-format", "json", "-v"],
        ["load", "--dry-run", "--max-rejects", "9"],
    ),
    *(["load", "--max-rejects", "9", "-v"], ["plan", "-v"], ["plan", "--json"]),
    *(["plan", "--engine", "redshift"], ["runs"], ["runs", "--json"], ["rejects", "--json"]),
    *(["check", "-v"], ["check", "--source"], ["report", "r.html"], ["profile", "logs", "-v"]),
    *(["query", "select * from audit.load_run"], ["query", "select nothing"]),
]
FAR = [
    *(
        ["load", "-v", "--log-data", "s3://bucket/x/"],
        ["plan", "-v", "--log-data", "s3://bucket/x/"],
    ),
    ["check", "--source", "-v", "--log-data", "s3://bucket/x/"],
    ["load", "--log-format", "json", "-v", "--song-data", "s3://bucket/x/"],
]


def told(folder: Path, environment: dict[str, str], commands: list[list[str]]) -> str:
    """What a process prints that runs several commands."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(commands=commands)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout + done.stderr


def test_no_command_shows_or_writes_a_secret(where: str, tmp_path: Path) -> None:
    """stdout and stderr at every level, the report, and every byte that the database holds."""
    environment = planted(tmp_path, where)
    said = told(tmp_path, environment, LOCAL + FAR)
    assert "***" in said
    assert "Traceback" in said
    assert "loaded" in said
    assert leaked(said) == []
    bad = f"http://u:{MARKS['password']}@{where}/?secret={MARKS['query']}"
    option = ["--aws-endpoint-url", bad]
    refused = told(
        tmp_path,
        {**environment, "SPARKIFY_MAX_REJECTS": "9"},
        [["config", *option], ["load", "-v", "--log-data", "s3://bucket/x/", *option]],
    )
    assert refused.count("== 2") == 2
    assert "aws_endpoint_url" in refused
    assert leaked(refused) == []
    written = {
        path.name: path.read_bytes().decode("latin-1")
        for path in tmp_path.rglob("*")
        if path.is_file() and path.name != "sparkify.toml"
    }
    assert {"r.html", "sparkify.duckdb"} <= set(written)
    assert leaked(*written.values()) == []
    figure(
        "secrets hunted in commands",
        planted=len(MARKS),
        commands=len(LOCAL + FAR),
        characters_searched=len(said) + len(refused) + sum(map(len, written.values())),
    )


@pytest.mark.parametrize(
    "url",
    [
        f"duckdb:///x.duckdb?password={MARKS['password']}",
        f"duckdb:///x.duckdb?motherduck_token={MARKS['token']}",
        f"duckdb://u:{MARKS['password']}@/x.duckdb",
        f"postgresql://u:{MARKS['password']}@h/d",
        f"redshift+redshift_connector://u:{MARKS['password']}@127.0.0.1:1/d",
        f"redshift+redshift_connector://u:a b@c/{MARKS['password']}@127.0.0.1:x/d",
        f"redshift+redshift_connector://h:1/d?password={MARKS['password']}",
        f"redshift+redshift_connector://h:1/d?secret_access_key={MARKS['key']}",
    ],
)
def test_no_error_shows_a_secret_of_the_database_url(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hunt: Hunt
) -> None:
    """With the whole chain of errors, the suppressed part included."""
    monkeypatch.chdir(tmp_path)
    try:
        settings = Settings(database_url=url, log_data=str(tmp_path), lock_timeout=0.1)
        warehouse = Warehouse(settings)
        hunt.add(settings, warehouse, settings.masked())
        hunt.add(warehouse.load())
    except SparkifyError as error:
        hunt.error(error)
    assert hunt.said
    assert leaked(*hunt.said, hunt.log.getvalue()) == []


def test_a_settings_file_with_the_password_is_refused_without_it(tmp_path: Path) -> None:
    environment = planted(tmp_path, "127.0.0.1:1", database_password=MARKS["password"])
    said = told(tmp_path, environment, [["config"], ["load", "-v"]])
    assert "database_password is set in" in said
    assert leaked(said) == []


def test_a_file_that_is_no_toml_is_not_quoted(tmp_path: Path) -> None:
    environment = planted(tmp_path, "127.0.0.1:1")
    file = tmp_path / "sparkify.toml"
    for text in (
        f"webhook_url = {MARKS['path']}\n",
        f'webhook_url = "{MARKS["path"]}\n',
        f"webhook_url = ['{MARKS['path']}']\n",
        f"{MARKS['path']} = 1\n{MARKS['path']} = 2\n",
    ):
        file.write_text(text)
        said = told(tmp_path, environment, [["config"], ["load", "-v"]])
        assert "error: " in said
        if not text.startswith(MARKS["path"]):  # the name of a key is no secret
            assert leaked(said) == []
