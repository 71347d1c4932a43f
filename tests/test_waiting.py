"""`check --source`: the sources against the ledger, on folders and buckets and both engines."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import pytest
from support.folders import Folders, MakeFolders
from support.records import event_line, song_line
from support.rig import Rig
from support.warehouses import Source
from typer.testing import CliRunner

from sparkify_dwh import SourceError
from sparkify_dwh.cli import app
from sparkify_dwh.inspection.freshness import SourceCheck, SourceState


def states(found: SourceCheck) -> dict[str, SourceState]:
    return {state.source: state for state in found.sources}


def named(state: SourceState) -> dict[str, str]:
    return {each.key.rsplit("/", 1)[-1]: each.state for each in state.objects}


def test_a_bucket(on_each: Rig, source: Source) -> None:
    for name in ("same", "changed", "gone"):
        source.put("events", f"{name}.json", event_line(sessionId=len(name)))
    source.put("songs", "s.json", song_line())
    on_each.load()
    found = on_each.warehouse.check_sources()
    assert found.passed and found.oldest_seconds is None
    assert all(s.listed == s.loaded and not s.objects for s in found.sources)

    source.put("events", "changed.json", event_line(itemInSession=1))
    source.put("events", "new.json", event_line(itemInSession=2))
    source.put("events", "_hidden.json", event_line(itemInSession=3))
    source.delete("events", "gone.json")
    found = on_each.warehouse.check_sources()
    events = states(found)["events"]
    assert named(events) == {
        "changed.json": "changed",
        "new.json": "never loaded",
        "gone.json": "gone",
    }
    assert (events.listed, events.loaded, events.skipped) == (3, 1, 1)
    assert (events.never_loaded, events.changed, events.gone, events.waiting) == (1, 1, 1, 2)
    assert events.oldest_seconds is not None and 0 <= events.oldest_seconds < 600
    assert not events.passed and not found.passed and states(found)["songs"].passed
    assert on_each.warehouse.check_sources(max_age=3600).passed
    assert events.waiting_bytes == 2 * len(event_line(itemInSession=1))

    on_each.load()
    found = on_each.warehouse.check_sources()
    assert found.passed, "what is gone fails nothing"
    assert states(found)["events"].gone == 1


@pytest.fixture
def folders(warehouse: MakeFolders) -> Folders:
    made = warehouse()
    made.put("events", "a.json", event_line().encode())
    made.load()
    return made


def test_a_folder(folders: Folders) -> None:
    path = folders.put("events", "deep/b.json", event_line(itemInSession=1).encode())
    hour = time.time() - 3600
    os.utime(path, (hour, hour))
    folders.put("events", "c.json", event_line(itemInSession=2).encode())
    state = states(folders.warehouse.check_sources())["events"]
    assert named(state) == {"b.json": "never loaded", "c.json": "never loaded"}
    assert state.oldest_seconds is not None and 3600 <= state.oldest_seconds < 4200
    assert not folders.warehouse.check_sources(3000).passed
    assert folders.warehouse.check_sources(7200).passed
    folders.folders["events"].joinpath("a.json").unlink()
    assert states(folders.warehouse.check_sources())["events"].gone == 1


def test_what_was_loaded_from_elsewhere_is_not_gone(folders: Folders) -> None:
    other = folders.root / "events-more"
    other.mkdir()
    (other / "x.json").write_text(event_line(itemInSession=5))
    settings = folders.warehouse.settings
    folders.warehouse.settings = settings.model_copy(update={"log_data": str(other)})
    folders.load()
    assert folders.warehouse.check_sources().passed
    folders.warehouse.settings = settings
    found = folders.warehouse.check_sources()
    assert found.passed and states(found)["events"].gone == 0


def test_a_source_that_is_not_there(folders: Folders) -> None:
    folders.warehouse.settings = folders.warehouse.settings.model_copy(update={"log_data": "/no/x"})
    with pytest.raises(SourceError) as caught:
        folders.warehouse.check_sources()
    assert caught.value.exit_code == 3


def test_the_command(folders: Folders) -> None:
    settings = folders.warehouse.settings
    options = ["--database-url", settings.database_url]
    options += ["--log-data", str(settings.log_data), "--song-data", str(settings.song_data)]

    def sparkify(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["check", *arguments, *options])

    done = sparkify("--source")
    assert done.exit_code == 0 and "nothing is waiting" in done.stderr and "events" in done.stdout
    folders.put("events", "new.json", event_line(itemInSession=9).encode())
    done = sparkify("--source")
    assert done.exit_code == 4
    assert "never loaded" in done.stdout and "new.json" in done.stdout
    assert done.stderr.startswith("error: waiting for a load: 1 object of events, the oldest for ")
    done = sparkify("--source", "--json")
    assert done.exit_code == 4
    found = json.loads(done.stdout)
    assert found["passed"] is False and found["oldest_seconds"] >= 0
    (events,) = (s for s in found["sources"] if s["source"] == "events")
    assert (events["waiting"], events["never_loaded"], events["loaded"]) == (1, 1, 1)
    assert events["objects"][0]["state"] == "never loaded"
    assert sparkify("--source", "--max-age", "2h").exit_code == 0
    assert sparkify("--source", "--max-age", "soon").exit_code == 2
    assert sparkify("--max-age", "2h").exit_code == 2
    assert sparkify().exit_code == 0
