"""The way of a load, from the command to the database, is short enough to read in one go."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.folders import MakeFolders
from support.records import event_line, song_line
from typer.testing import CliRunner

import sparkify_dwh
from sparkify_dwh.cli import app

PACKAGE = Path(sparkify_dwh.__file__).parent
COMMAND = "cli/load.py:load"
MERGE = "INSERT INTO sparkify.songplays"
MOST_FRAMES = 12


def frames() -> list[str]:
    """The package's frames of this call, from the command on: ``file:function``."""
    found = [(Path(frame.filename), frame.name) for frame in traceback.extract_stack()]
    inner = [
        f"{path.relative_to(PACKAGE).as_posix()}:{name}"
        for path, name in found
        if path.is_relative_to(PACKAGE)
    ]
    return inner[inner.index(COMMAND) :]


def test_few_frames_lie_between_the_command_and_the_merge_of_plays(
    warehouse: MakeFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = warehouse()
    folders.put("events", "a.json", event_line().encode())
    folders.put("songs", "s.json", song_line().encode())
    for name in ("database_url", "log_data", "song_data"):
        value = str(getattr(folders.warehouse.settings, name))
        monkeypatch.setenv(f"SPARKIFY_{name.upper()}", value)
    merges: list[list[str]] = []

    def before(connection: object, cursor: object, statement: str, *_: object) -> None:
        if statement.startswith(MERGE):
            merges.append(frames())

    sa.event.listen(sa.Engine, "before_cursor_execute", before)
    try:
        result = CliRunner().invoke(app, ["load"])
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", before)
    assert result.exit_code == 0, result.output
    (merge,) = merges
    assert merge[-1].startswith("steps/executor.py:"), merge
    assert len(merge) <= MOST_FRAMES, merge
