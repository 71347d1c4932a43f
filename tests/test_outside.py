"""What a load sends to others: a webhook, JSON log lines, OpenLineage events."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from copy import deepcopy
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from support import openlineage_model
from support.folders import Folders, MakeFolders
from support.records import event_line, song_line
from support.warehouses import OnRedshift, Source
from typer.testing import CliRunner, Result

from sparkify_dwh import RejectLimitError, Settings, SettingsError, SourceError, Warehouse
from sparkify_dwh.cli import app
from sparkify_dwh.core import run_context
from sparkify_dwh.dialects import dataset_namespace
from sparkify_dwh.jobs.load import attempt, openlineage, webhook

NAME, SECRET = "Zacharias", "hush-hush"


class Hook:
    """A server that records messages; it returns the given answers, then 200."""

    def __init__(self) -> None:
        self.seen: list[tuple[dict[str, str], Any]] = []
        self.answers: list[int] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.seen.append((dict(self.headers), json.loads(body)))
                code = hook.answers.pop(0) if hook.answers else 200
                self.send_response(code)
                if code == 302:
                    self.send_header("Location", f"{hook.url}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    monkeypatch.setattr(webhook, "_PAUSE", 0.0)
    found = Hook()
    yield found
    found.server.shutdown()
    found.server.server_close()


def broken(folders: Folders) -> None:
    lines = [event_line(itemInSession=n, level="gold", firstName=NAME) for n in range(12)]
    folders.put("events", "a.json", "".join(lines).encode())


# The webhook ------------------------------------------------------------------------------


def test_a_refused_load_tells_it(warehouse: MakeFolders, hook: Hook) -> None:
    folders = warehouse(webhook_url=f"{hook.url}/{SECRET}")
    broken(folders)
    with pytest.raises(RejectLimitError) as caught:
        folders.load()
    ((headers, message),) = hook.seen
    (run,) = folders.warehouse.runs().records()
    assert headers["Content-Type"] == "application/json"
    assert message["run_id"] == run["run_id"] and message["status"] == "refused"
    assert (message["error"], message["exit_code"]) == ("RejectLimitError", 4)
    assert message["message"] == caught.value.what.split("\n")[0]
    assert message["text"].startswith(f"sparkify load {run['run_id']} refused (exit 4): events: 12")
    assert message["step"] and message["database"].startswith("duckdb:///")
    started, ended = (datetime.fromisoformat(message[f"{x}_at"]) for x in ("started", "ended"))
    assert started <= ended and started.tzinfo is not None
    assert NAME not in json.dumps(message) and SECRET not in json.dumps(message)
    assert (run["error"], run["exit_code"]) == ("RejectLimitError", 4)


def test_a_load_that_fails_before_it_reads_tells_it_too(warehouse: MakeFolders, hook: Hook) -> None:
    folders = warehouse(webhook_url=hook.url)
    folders.folders["events"].rmdir()
    with pytest.raises(SourceError):
        folders.load()
    ((_, message),) = hook.seen
    assert (message["status"], message["exit_code"]) == ("failed", 3)


def test_a_good_load_and_a_dry_run_tell_nothing(warehouse: MakeFolders, hook: Hook) -> None:
    folders = warehouse(webhook_url=hook.url)
    folders.put("events", "good.json", event_line().encode())
    folders.load()
    folders.load()
    broken(folders)
    with pytest.raises(RejectLimitError):
        folders.load(dry_run=True)
    assert hook.seen == []


@pytest.mark.parametrize(
    ("answers", "asked", "said"),
    [
        ([503, 429], 3, ""),
        ([500, 502, 503], 3, "HTTP 503"),
        ([404], 1, "HTTP 404"),
        ([302], 1, "HTTP 302"),
    ],
)
def test_it_is_tried_again_a_little(
    hook: Hook, caplog: pytest.LogCaptureFixture, answers: list[int], asked: int, said: str
) -> None:
    hook.answers = answers
    log = logging.getLogger("sparkify_dwh")
    log.propagate = True
    assert webhook.send(Settings(webhook_url=f"{hook.url}/{SECRET}"), {"a": 1}) is (not said)
    assert len(hook.seen) == asked
    assert said in caplog.text and SECRET not in caplog.text


@pytest.mark.parametrize("way", ["closed", "silent", "nowhere"])
def test_failing_to_send_changes_nothing(
    warehouse: MakeFolders, hook: Hook, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    url = {"closed": "http://127.0.0.1:9/x", "nowhere": "https://no.invalid/x"}.get(way, hook.url)
    if way == "silent":
        monkeypatch.setattr(webhook, "DEADLINE", 0.05)
        monkeypatch.setattr(webhook, "_attempts", lambda *args: threading.Event().wait(2))
    folders = warehouse(webhook_url=url)
    broken(folders)
    with pytest.raises(RejectLimitError) as caught:
        folders.load()
    assert caught.value.exit_code == 4
    assert folders.warehouse.runs().records()[0]["event"] == "refused"


def test_the_user_in_the_url_goes_into_a_header(hook: Hook) -> None:
    url = hook.url.replace("//", "//me:p%40ss@")
    assert webhook.send(Settings(webhook_url=url), {"a": 1})
    ((headers, _),) = hook.seen
    assert headers["Authorization"] == "Basic bWU6cEBzcw=="
    assert "me" not in headers["Host"]


@pytest.mark.parametrize(
    "url", ["ftp://h/x", "file:///etc/passwd", "hush", "http://", "http://h:x"]
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="webhook_url") as caught:
        Settings(webhook_url=url)
    assert caught.value.exit_code == 2 and url not in str(caught.value)


def test_the_url_is_masked() -> None:
    settings = Settings(webhook_url=f"https://me:{SECRET}@h/{SECRET}?token={SECRET}")
    assert SECRET not in repr(settings) + str(settings.masked())


# Log lines --------------------------------------------------------------------------------


def sparkify(folders: Folders, *arguments: str) -> Result:
    settings = folders.warehouse.settings
    options = ["--database-url", settings.database_url]
    options += ["--log-data", str(settings.log_data), "--song-data", str(settings.song_data)]
    return CliRunner().invoke(app, [*arguments, *options])


def test_json_lines_carry_run_and_step(warehouse: MakeFolders) -> None:
    folders = warehouse()
    broken(folders)
    run_context.RUN_ID.set(None)
    done = sparkify(folders, "load", "--log-format", "json", "-v")
    assert done.exit_code == 4
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert lines and all(
        {"run_id", "step", "level", "message", "at"} <= line.keys() for line in lines
    )
    (run,) = folders.warehouse.runs().records()
    (error,) = [line for line in lines if line["level"] == "error"]
    assert (error["run_id"], error["command"]) == (run["run_id"], "load")
    assert (error["error"], error["exit_code"]) == ("RejectLimitError", 4)
    assert error["step"] is not None


def test_a_pager_finds_one_line_for_a_failed_load(warehouse: MakeFolders) -> None:
    folders = warehouse()
    broken(folders)
    for options in ((), ("-q",), ("-v",)):
        done = sparkify(folders, "load", *options)
        assert done.exit_code == 4
        assert sum(line.startswith("error: ") for line in done.stderr.splitlines()) == 1
    folders.folders["songs"].rmdir()
    assert sparkify(folders, "load").stderr.count("error: ") == 1


def test_a_good_load_has_none(warehouse: MakeFolders) -> None:
    folders = warehouse()
    folders.put("songs", "s.json", song_line().encode())
    done = sparkify(folders, "load", "--log-format", "json")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.exit_code == 0 and not [line for line in lines if line["level"] == "error"]
    assert lines[-1]["run_id"] == lines[-1]["run"]["run_id"]


# What a monitor reads of runs -------------------------------------------------------------


def test_runs_tell_a_monitor_enough(warehouse: MakeFolders) -> None:
    folders = warehouse()
    folders.put("events", "good.json", event_line().encode())
    folders.load()
    folders.load()
    broken(folders)
    with pytest.raises(RejectLimitError):
        folders.load()
    found = json.loads(sparkify(folders, "runs", "--json").stdout)
    assert [(run["event"], run["exit_code"], run["error"]) for run in found] == [
        ("refused", 4, "RejectLimitError"),
        ("nothing new", 0, None),
        ("loaded", 0, None),
    ]
    for run in found:
        assert 0 <= run["seconds"] < 600 and 0 <= run["age_seconds"] < 600
    assert [(run["files"], run["rows_read"], run["rows_staged"]) for run in found] == [
        *((0, 0, 0), (0, 0, 0), (1, 1, 1))
    ]
    assert found[0]["reason"].startswith("events: 12 of 12") and NAME not in found[0]["reason"]


# OpenLineage ------------------------------------------------------------------------------


def lineage_events(path: Path) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in path.read_text().splitlines()]
    for each in found:
        valid(each)
    return found


def valid(each: dict[str, Any]) -> None:
    """It is what the specification requires, and more."""
    openlineage_model.run_event(each)
    assert datetime.fromisoformat(each["eventTime"]).tzinfo is not None
    facets = [*each["run"]["facets"].values(), *each["job"]["facets"].values()]
    for dataset in (*each["inputs"], *each["outputs"]):
        assert dataset["namespace"] and dataset["name"] and dataset["facets"]["schema"]["fields"]
        facets += [*dataset["facets"].values(), *dataset.get("outputFacets", {}).values()]
    assert {facet["_producer"] for facet in facets} == {each["producer"]}


#: What an event must not be without, and what it must not hold, by its place.
WRONG = {
    "run.runId": "1",
    "run.id": "1",
    "eventType": "DONE",
    "eventTime": "2018-11-01",
    "schemaURL": None,
    "job.name": None,
    "job.facets.jobType.processingType": 1,
    "job.facets.jobType._producer": None,
    "job.facets.ours": {},
    "run.facets.processing_engine._schemaURL": "https://openlineage.io/spec/x.json",
    "inputs.0.facets.schema.fields.0.name": None,
    "inputs.0.facets.schema.fields.0.ordinal_position": "1",
    "outputs.0.facets.columnLineage.fields.user_id.inputFields.0.field": None,
    "outputs.0.outputFacets.outputStatistics.rowCount": "7",
}


def test_the_judge_of_events_refuses_wrong_ones(warehouse: MakeFolders, tmp_path: Path) -> None:
    folders = warehouse(openlineage=str(tmp_path / "lineage.ndjson"))
    folders.put("events", "a.json", event_line().encode())
    folders.load()
    sound = lineage_events(tmp_path / "lineage.ndjson")[-1]
    for place, value in WRONG.items():
        wrong = deepcopy(sound)
        *way, last = place.split(".")
        found: Any = wrong
        for part in way:
            found = found[int(part)] if isinstance(found, list) else found[part]
        found[last] = value
        if value is None:
            del found[last]
        with pytest.raises((AssertionError, ValueError, KeyError)):
            openlineage_model.run_event(wrong)


def test_events_of_loads(warehouse: MakeFolders, tmp_path: Path) -> None:
    path = tmp_path / "lineage.ndjson"
    folders = warehouse(openlineage=str(path))
    folders.put("events", "a.json", event_line().encode())
    run = folders.load()
    start, done = lineage_events(path)
    assert (start["eventType"], done["eventType"]) == ("START", "COMPLETE")
    assert start["run"]["runId"] == done["run"]["runId"] == openlineage.run_uuid(run.run_id)
    assert start["job"] == done["job"]
    (source,) = done["inputs"]
    assert source["namespace"] == "file" and source["name"] == str(folders.folders["events"])
    namespace, database = dataset_namespace(folders.warehouse.settings)
    outputs = {dataset["name"]: dataset for dataset in done["outputs"]}
    assert set(outputs) == {f"{database}.sparkify.{t}" for t in ("users", "time", "songplays")}
    plays = outputs[f"{database}.sparkify.songplays"]
    assert plays["namespace"] == namespace
    assert plays["outputFacets"]["outputStatistics"]["rowCount"] == 1
    columns = plays["facets"]["columnLineage"]["fields"]
    assert {"namespace": "file", "name": source["name"], "field": "userId"} in columns["user_id"][
        "inputFields"
    ]
    folders.load()
    assert [each["eventType"] for each in lineage_events(path)[2:]] == ["START", "COMPLETE"]
    assert lineage_events(path)[-1]["outputs"] == []


def test_events_of_a_refused_load(warehouse: MakeFolders, tmp_path: Path) -> None:
    path = tmp_path / "lineage.ndjson"
    folders = warehouse(openlineage=str(path))
    broken(folders)
    with pytest.raises(RejectLimitError):
        folders.load(dry_run=True)
    assert not path.exists()
    with pytest.raises(RejectLimitError):
        folders.load()
    start, failed = lineage_events(path)
    assert failed["eventType"] == "FAIL" and failed["run"]["runId"] == start["run"]["runId"]
    facet = failed["run"]["facets"]["errorMessage"]
    assert facet["message"].startswith("events: 12 of 12") and facet["programmingLanguage"]
    assert NAME not in path.read_text()


def test_events_of_a_load_that_is_interrupted(
    warehouse: MakeFolders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lineage.ndjson"
    folders = warehouse(openlineage=str(path))
    folders.put("events", "a.json", event_line().encode())

    def interrupted(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(attempt, "discover", interrupted)
    with pytest.raises(KeyboardInterrupt):
        folders.load()
    start, aborted = lineage_events(path)
    assert aborted["eventType"] == "ABORT" and aborted["run"]["runId"] == start["run"]["runId"]
    assert aborted["run"]["facets"]["errorMessage"]["message"] == "interrupted"


def test_others_are_told_of_loads_into_redshift(
    on_redshift: OnRedshift,
    source: Source,
    hook: Hook,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that loads and one that fails: events, the message, what a monitor and a pager read."""
    path = tmp_path / "lineage.ndjson"
    on_redshift.use(webhook_url=hook.url, openlineage=str(path))
    source.put("events", "a.json", event_line())
    source.put("songs", "s.json", song_line())
    run = on_redshift.load()
    start, done = lineage_events(path)
    assert (start["eventType"], done["eventType"], hook.seen) == ("START", "COMPLETE", [])
    (name,) = {each["namespace"] for each in done["outputs"]}
    assert name.startswith("redshift://") and {i["namespace"] for i in done["inputs"]} == {
        f"s3://{source.bucket.name}"
    }
    source.put("events", "b.json", event_line(itemInSession=1))
    on_redshift.database.faults.fail("^INSERT INTO sparkify.songplays", "disk full", "53100")
    for key, value in on_redshift.warehouse.settings.model_dump(exclude_unset=True).items():
        monkeypatch.setenv(f"SPARKIFY_{key.upper()}", str(value))
    monkeypatch.setenv("SPARKIFY_WEBHOOK_URL", hook.url)
    failed = CliRunner().invoke(app, ["load"])
    assert failed.exit_code == 5, failed.output
    (line,) = [each for each in failed.stderr.splitlines() if each.startswith("error: ")]
    assert "disk full" in line
    ((_, message),) = hook.seen
    assert (message["status"], message["error"], message["exit_code"]) == (
        *("failed", "DatabaseError"),
        5,
    )
    assert "disk full" in message["message"] and message["step"]
    assert [each["eventType"] for each in lineage_events(path)[2:]] == ["START", "FAIL"]
    shown = CliRunner().invoke(app, ["runs", "--json"])
    newest, before = json.loads(shown.stdout)
    assert (newest["run_id"], newest["exit_code"]) == (message["run_id"], 5)
    assert (before["run_id"], before["exit_code"], before["files"]) == (run.run_id, 0, 2)


def test_a_file_that_cannot_be_written_fails_no_load(
    warehouse: MakeFolders, tmp_path: Path
) -> None:
    folders = warehouse(openlineage=str(tmp_path / "no" / "folder"))
    folders.put("events", "a.json", event_line().encode())
    assert folders.load().event == "loaded"


@pytest.mark.parametrize(
    ("place", "values", "expected"),
    [
        ("c1.x.eu-1.redshift.amazonaws.com:54/dwh", {}, ("redshift://c1.eu-1:54", "dwh")),
        (
            "localhost/dev",
            {"aws_region": "eu-west-1", "workgroup": "wg"},
            ("redshift://wg.eu-west-1:5439", "dev"),
        ),
    ],
)
def test_names_of_a_cluster(place: str, values: Any, expected: tuple[str, str]) -> None:
    url = f"redshift+redshift_connector://user:pass@{place}"
    assert dataset_namespace(Settings(database_url=url, **values)) == expected


def test_names_of_buckets() -> None:
    found = openlineage.dataset_of("s3://bucket/a/b/")
    assert found == {"namespace": "s3://bucket", "name": "a/b"}
    assert openlineage.dataset_of("s3://bucket")["name"] == "/"


def test_a_setting_that_is_an_option(tmp_path: Path, warehouse: MakeFolders) -> None:
    folders = warehouse()
    folders.put("events", "a.json", event_line().encode())
    path = tmp_path / "x.ndjson"
    assert sparkify(folders, "load", "--openlineage", str(path)).exit_code == 0
    assert len(lineage_events(path)) == 2
    assert isinstance(folders.warehouse, Warehouse)
