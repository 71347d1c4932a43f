"""The command as a process: what it imports, how signals and broken streams end it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from sparkify_dwh import Settings, Warehouse
from sparkify_dwh.sample.generate import generate

HEAVY = ("sqlalchemy", "duckdb", "alembic", "pydantic", "boto3", "botocore", "redshift_connector")
COMMAND = (sys.executable, "-m", "sparkify_dwh")


def run(*arguments: str, cwd: Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], cwd=cwd, capture_output=True, text=True, check=False, env=clean()
    )


def clean() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("SPARKIFY_")}


@pytest.fixture
def migrated(tmp_path: Path) -> Path:
    Warehouse(Settings(database_url=f"duckdb:///{tmp_path}/sparkify.duckdb")).migrate()
    return tmp_path


@pytest.mark.parametrize(
    "arguments", [["--help"], ["load", "--help"], ["--version"], ["load", "--nonesuch"]]
)
def test_help_imports_no_engine_and_no_driver(arguments: list[str]) -> None:
    script = (
        "import sys, sparkify_dwh.cli\n"
        f"try: sparkify_dwh.cli.main({arguments!r})\n"
        "except SystemExit: pass\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines()[-1] == "[]"


def test_the_module_is_the_command(tmp_path: Path) -> None:
    done = run("--help", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: sparkify [OPTIONS] COMMAND")
    assert run("load", cwd=tmp_path).returncode == 2


# Signals ----------------------------------------------------------------------------------

BLOCKING_LOAD = """
import sys, time
from sparkify_dwh.jobs.load import attempt
from sparkify_dwh.cli import main

def block(*arguments):
    merge(*arguments)
    print("written", flush=True)
    time.sleep(60)

merge, attempt.merge_star = attempt.merge_star, block
main(sys.argv[1:])
"""
ANNOUNCED_QUERY = """
import sys
from sparkify_dwh import Warehouse
from sparkify_dwh.cli import main

def announce(self, *arguments):
    print("asking", flush=True)
    return query(self, *arguments)

query, Warehouse.query = Warehouse.query, announce
main(sys.argv[1:])
"""


def interrupted(
    script: str, arguments: Sequence[str], number: int, cwd: Path
) -> tuple[int, str, str]:
    """Sends a signal when the script has printed a line; returns exit code, stdout and stderr."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean(),
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_signal_rolls_the_load_back(number: int, code: int, word: str, migrated: Path) -> None:
    generate(migrated / "data", events=50, songs=5, days=1)
    places = ("--log-data", "data/log_data", "--song-data", "data/song_data")
    ended, output, errors = interrupted(
        BLOCKING_LOAD, ["load", "--json", *places], number, migrated
    )
    assert ended == code
    failure = json.loads(output)
    assert (failure["event"], failure["exit_code"]) == ("rolled back", code)
    assert f"error: {word}\n" in errors
    assert "Traceback" not in errors
    warehouse = Warehouse(Settings(database_url=f"duckdb:///{migrated}/sparkify.duckdb"))
    assert warehouse.query("select count(*) from sparkify.songplays").rows == [(0,)]
    assert warehouse.query("select count(*) from audit.load_file").rows == [(0,)]
    (row,) = warehouse.runs().records()
    assert (row["event"], row["run_id"]) == ("rolled back", failure["run_id"])
    assert run("load", *places, cwd=migrated).returncode == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_running_statement(number: int, code: int, migrated: Path) -> None:
    endless = "select sum(a.range * b.range) from range(10000000) a, range(10000000) b"
    ended, _, errors = interrupted(ANNOUNCED_QUERY, ["query", endless], number, migrated)
    assert ended == code
    assert "Traceback" not in errors


# Streams ----------------------------------------------------------------------------------

MANY = "select * from range(200000)"


@pytest.mark.parametrize("form", ["", "--json", "--csv"])
def test_a_reader_that_leaves_is_no_error(form: str, migrated: Path) -> None:
    command = " ".join([*COMMAND, "query", f"'{MANY}'", form, "--quiet"])
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | head -n 2"],
        cwd=migrated,
        capture_output=True,
        text=True,
        check=False,
        env=clean(),
    )
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr == ""


@pytest.mark.parametrize("target", ["/dev/full", "&-"])
def test_an_unwritable_stdout_is_reported(target: str, migrated: Path) -> None:
    for command in ("query 'select 1'", "runs --json", "--help", "migrate --sql"):
        done = subprocess.run(
            ["bash", "-c", f"{' '.join(COMMAND)} {command} >{target}"],
            cwd=migrated,
            capture_output=True,
            text=True,
            check=False,
            env=clean(),
        )
        assert "Traceback" not in done.stderr
        assert "Exception ignored" not in done.stderr
        if command != "--help":
            assert done.returncode == 1
            assert done.stderr.splitlines()[-1].startswith("error: stdout ")


def test_an_unwritable_stderr_does_not_fail_the_command(migrated: Path) -> None:
    (migrated / "song.json").write_text("{}")
    for target in ("/dev/full", "&-"):
        done = subprocess.run(
            ["bash", "-c", f"{' '.join(COMMAND)} load --all --song-data song.json 2>{target}"],
            cwd=migrated,
            capture_output=True,
            check=False,
            env=clean(),
        )
        assert done.returncode == 0
    runs = json.loads(run("runs", "--json", cwd=migrated).stdout)
    assert [row["event"] for row in runs] == ["loaded", "loaded"]


def test_a_terminal_of_another_encoding_gets_escapes(migrated: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "query", "select 'é' as e"],
        cwd=migrated,
        capture_output=True,
        check=False,
        env={**clean(), "PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 0
    assert done.stderr == b"1 row\n"
