"""docs/extend.md is executed: your own source and table, without touching the library."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from standin.buckets import S3Server
from support.warehouses import REGION, Source

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "extend.md").read_text()
FILES = dict(re.findall(r"```(?:python|toml)\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    folder = tmp_path / "data" / "episodes"
    folder.mkdir(parents=True)
    rows: list[Any] = [
        {"episodeId": 7, "show": " Daily ", "minutes": 31.5},
        {"episodeId": "8", "show": "Daily", "minutes": "2"},
        {"episodeId": 9, "show": " ", "minutes": 3},
        {"episodeId": 7.5, "show": "Daily", "minutes": 3},
    ]
    (folder / "a.json").write_text("".join(json.dumps(row) + "\n" for row in rows) + "oops\n")
    return tmp_path


def sparkify(project: Path, *arguments: str, **environment: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "sparkify_dwh", *arguments, "--json"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_page_is_short() -> None:
    code = [line for text in FILES.values() for line in text.splitlines() if line.strip()]
    assert len(code) < 40, len(code)


def test_your_own_source_and_table(project: Path) -> None:
    run = sparkify(project, "load")
    assert run["event"] == "loaded"
    (book,) = run["sources"]
    assert (book["source"], book["read"], book["staged"], book["refused_by_rule"]) == (
        *("episodes", 5, 4),
        2,
    )
    rows = sparkify(project, "query", "select * from sparkify.episodes order by 1")
    assert [tuple(row.values()) for row in rows] == [(7, "Daily", 1890.0), (8, "Daily", 120.0)]
    refused = {(row["rule"], row["line"]) for row in sparkify(project, "rejects")}
    assert refused == {("show_present", 3), ("episode_id_valid", 4), ("malformed_json", 5)}
    assert sparkify(project, "load")["event"] == "nothing new"
    assert sparkify(project, "check")["passed"]
    assert sparkify(project, "migrate", "--status")["state"] == "current"


def test_the_same_on_redshift(
    project: Path, make_redshift: Callable[[], Any], s3_server: S3Server, standin: Any
) -> None:
    source = Source(s3_server)
    body = (project / "data" / "episodes" / "a.json").read_bytes()
    source.bucket.put("episodes/a.json", body)
    environment = {
        "SPARKIFY_DATABASE_URL": make_redshift().url(),
        "SPARKIFY_AWS_ENDPOINT_URL": s3_server.endpoint_url,
        "SPARKIFY_AWS_REGION": REGION,
        "SPARKIFY_WORK_PREFIX": source.work.url("work/"),
        "SSL_CERT_FILE": str(standin.ca_file),
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_CONFIG_FILE": os.devnull,
    }
    assert sparkify(project, "migrate", **environment)["state"] == "current"
    settings = project / "sparkify.toml"
    place = source.bucket.url("episodes/")
    settings.write_text(settings.read_text().replace("data/episodes", place))
    run = sparkify(project, "load", **environment)
    assert run["event"] == "loaded"
    rows = sparkify(project, "query", "select * from sparkify.episodes order by 1", **environment)
    assert [tuple(row.values()) for row in rows] == [(7, "Daily", 1890.0), (8, "Daily", 120.0)]
    found = sparkify(project, "rejects", "--locate", **environment)
    refused = {(row["rule"], row["line"]) for row in found}
    assert refused == {("show_present", 3), ("episode_id_valid", 4), ("malformed_json", 5)}


def test_the_shipped_sources_still_load_with_it(project: Path) -> None:
    from sparkify_dwh import generate

    expected = generate(project / "made", events=300, songs=20, days=2)
    places = ["--log-data", "made/log_data", "--song-data", "made/song_data"]
    run = sparkify(project, "load", *places)
    assert {target["target"] for target in run["targets"]} == {
        *("songs", "artists", "users", "time", "songplays", "episodes")
    }
    (count,) = sparkify(project, "query", "select count(*) n from sparkify.songplays")
    assert count["n"] == expected.star["songplays"]


def test_a_module_without_extend_is_refused(project: Path) -> None:
    (project / "podcasts.py").write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "sparkify_dwh", "load"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and "extend(declarations)" in done.stderr
