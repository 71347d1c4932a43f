"""The tutorial and the how-to pages are executed, and show what really comes out."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from standin.buckets import S3Server
from standin.server import Standin
from support.markdown_pages import ROOT, Command, Shell, agrees, blocks, execute, settled
from support.prefork import preforked
from support.warehouses import new_bucket

pytestmark = pytest.mark.usefixtures("aws_keys")
DOCS = ROOT / "docs"
#: Pages that need nothing but the library.
ALONE = (
    *("tutorial", "howto-backfill", "howto-repair", "howto-recover", "howto-schedule"),
    *("howto-compact", "operations"),
)
#: Does what `aws s3 sync FOLDER PREFIX` does to an empty prefix.
SYNC = """\
#!{python}
import os, pathlib, sys
import boto3

folder, prefix = sys.argv[-2:]
assert sys.argv[1:3] == ["s3", "sync"] and prefix.startswith("s3://")
bucket, _, start = prefix.removeprefix("s3://").partition("/")
s3 = boto3.client("s3", endpoint_url=os.environ["SPARKIFY_AWS_ENDPOINT_URL"])
for path in pathlib.Path(folder).rglob("*.json"):
    s3.upload_file(str(path), bucket, start + path.relative_to(folder).as_posix())
"""


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a `sparkify` that starts quickly."""
    with preforked(tmp_path_factory.mktemp("quick")) as folder:
        yield folder


@pytest.mark.parametrize("name", ALONE)
def test_the_page_shows_what_comes_out(name: str, tmp_path: Path, quick: Path) -> None:
    with Shell(tmp_path, tools=[quick]) as shell:
        wrong = execute(DOCS / f"{name}.md", shell)
    assert not wrong, "\n\n".join(wrong)


def test_the_move_to_redshift_shows_what_comes_out(
    tmp_path: Path, quick: Path, standin: Standin, s3_server: S3Server
) -> None:
    standin.login("loader", "Correct-Horse-7")
    database = standin.database("SNAPSHOT")
    standin.admin(f'GRANT ALL ON DATABASE "{database.name}" TO loader')
    data, work = new_bucket(s3_server), new_bucket(s3_server, "work")
    (tmp_path / "bin").mkdir()
    sync = tmp_path / "bin" / "aws"
    sync.write_text(SYNC.format(python=sys.executable))
    sync.chmod(0o755)
    page_host = "dwh.abc123.us-east-1.redshift.amazonaws.com:5439/dwh"
    replaced = {
        page_host: f"localhost:{standin.port}/{database.name}",
        "s3://my-bucket/": data.url(""),
        "s3://my-work-bucket/": work.url(""),
    }
    environment = {
        "SSL_CERT_FILE": str(standin.ca_file),
        "SPARKIFY_DATABASE_PASSWORD": "Correct-Horse-7",
        "SPARKIFY_AWS_ENDPOINT_URL": s3_server.endpoint_url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    home = tmp_path / "home"
    home.mkdir()
    with Shell(home, replaced, environment, [quick, sync.parent]) as shell:
        wrong = execute(DOCS / "howto-redshift.md", shell)
    database.drop()
    assert not wrong, "\n\n".join(wrong)


# Cron and Airflow --------------------------------------------------------------------------------


@pytest.fixture
def scheduled(tmp_path: Path, quick: Path) -> Iterator[Shell]:
    """A folder with data and settings, as the page on schedules has it."""
    from sparkify_dwh.sample.generate import generate

    generate(tmp_path / "data", events=60, songs=5, days=1)
    (tmp_path / "sparkify.toml").write_text(
        'log_data = "data/log_data"\nsong_data = "data/song_data"\n'
    )
    with Shell(tmp_path, tools=[quick]) as shell:
        yield shell


def test_the_lines_for_cron_work(scheduled: Shell) -> None:
    ((_, table),) = blocks((DOCS / "howto-schedule.md").read_text(), "crontab")
    jobs = [line for line in table.splitlines() if "=" not in line.split()[0]]
    assert len(jobs) == 2
    for line in jobs:
        *times, command = line.split(maxsplit=5)
        assert all(re.fullmatch(r"\*|\d+", each) for each in times)
        # cron runs it in the home folder, and mails what it writes
        assert scheduled.run(Command(f"(cd /; {command})")) == ([], 0)


def test_the_dag_loads_once_and_is_then_skipped(
    scheduled: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = dag(scheduled.folder, monkeypatch)
    assert [task["task_id"] for task in tasks] == ["anything_new", "load", "check"]
    wait, load, check = (task["bash_command"] for task in tasks)
    assert scheduled.run(Command(f"({wait})"))[1] == 0
    assert scheduled.run(Command(load))[1] == 0
    assert scheduled.run(Command(check)) == ([], 0)
    assert scheduled.run(Command(f"({wait})"))[1] == tasks[0]["skip_on_exit_code"] == 99
    (scheduled.folder / "sparkify.toml").write_text("log_data = 'nowhere'\n")
    assert scheduled.run(Command(f"({wait})"))[1] == 1


def dag(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The tasks of the page's DAG, imported with a few lines in the place of Airflow."""
    tasks: list[dict[str, Any]] = []

    class Task:
        def __init__(self, **given: Any) -> None:
            tasks.append(given)

        def __rshift__(self, other: Task) -> Task:
            return other

    class Dag:
        def __init__(self, **given: Any) -> None:
            assert given["max_active_runs"] == 1 and not given["catchup"]

        def __enter__(self) -> Dag:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    parts = {"airflow.sdk": {"DAG": Dag}}
    parts["airflow.providers.standard.operators.bash"] = {"BashOperator": Task}
    for name, members in parts.items():
        words = name.split(".")
        for end in range(1, len(words) + 1):
            monkeypatch.setitem(
                sys.modules, ".".join(words[:end]), types.ModuleType(".".join(words[:end]))
            )
        for member, value in members.items():
            setattr(sys.modules[name], member, value)
    page = (DOCS / "howto-schedule.md").read_text()
    (text,) = (body for _, body in blocks(page, "python") if body.startswith("# dags/"))
    file = folder / "dag.py"
    file.write_text(text)
    spec = importlib.util.spec_from_file_location("dag", file)
    assert spec and spec.loader
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    return tasks


# The pages as they stand -------------------------------------------------------------------------


def test_what_is_not_executed_says_why() -> None:
    pages = [f"{name}.md" for name in (*ALONE, "howto-redshift")]
    assert {path.name for path in DOCS.glob("howto-*.md")} <= set(pages)
    for name in pages:
        page = (DOCS / name).read_text(encoding="utf-8")
        for found in re.finditer(r"(.*)\n```(?:sh|bash|shell)\n", page):
            assert found[1].startswith("<!-- not run here: "), f"{name}: {found[0]}"


def test_every_link_of_the_docs_leads_somewhere() -> None:
    for path in [*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"\w+:", target):
                continue
            file, _, part = target.partition("#")
            there = path.parent / file if file else path
            assert there.exists(), f"{path.name}: {target}"
            if part:
                assert part in anchors(there), f"{path.name}: {target}"


def test_the_index_names_every_page() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    for path in DOCS.glob("*.md"):
        assert path.name == "README.md" or f"({path.name})" in index, path.name


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as the usual forges make them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", each.lower()).strip().replace(" ", "-") for each in headings}


# The tool itself ---------------------------------------------------------------------------------


def test_the_tool_sees_a_line_that_is_not_so() -> None:
    run = "run 20261124T100803571-bc6aaa in 0.6 s"
    assert agrees([run], ["run 20271201T000000000-000000 in 12.5 s"])
    assert not agrees([run], ["run 20271201T000000000-000000 in 12.5 s", "more"])
    assert agrees(["a …", "…", "z"], ["a b", "c", "d", "z"])
    assert agrees(["…", "z"], ["z"])
    assert not agrees(["a", "…"], ["b", "a"])
    assert not agrees(["5,010 events"], ["5,011 events"])
    assert settled("2018-11-01 00:00:00") == "2018-11-01 00:00:00"


def test_the_tool_runs_what_a_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UPDATE_DOCS", raising=False)
    page = tmp_path / "page.md"

    def wrong(*blocks: str) -> list[str]:
        page.write_text("\n\n".join(f"```{block}\n```" for block in blocks))
        with Shell(tmp_path) as shell:
            return execute(page, shell)

    assert not wrong("toml\n# a.toml\nx = 1", "console\n$ cat a.toml\n# a.toml\nx = 1")
    assert not wrong("console\n$ name=\n> name=Ava\n$ echo $name >&2\nAva\n$ false\n$ echo $?\n1")
    assert not wrong("console\n$ echo 'merging songplays, 92%, 1 s left'; echo a\na")
    assert wrong("console\n$ echo a\nb") == ["$ echo a\nshown:\nb\nreal:\na"]
    assert wrong("console\n$ false") == ["$ false\nends with 1:\n"]
    monkeypatch.setenv("UPDATE_DOCS", "1")
    wrong("console\n$ echo a\nb", "text\nkept")
    assert page.read_text() == "```console\n$ echo a\na\n```\n\n```text\nkept\n```"
