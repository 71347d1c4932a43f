"""Progress of a load: what the library reports, and what a terminal shows."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sparkify_dwh import Observer, Settings, Warehouse
from sparkify_dwh.cli import app, progress
from sparkify_dwh.cli.progress import _LOAD, Meter
from sparkify_dwh.sample.generate import generate

SPARKIFY = [sys.executable, "-m", "sparkify_dwh"]


class Recorder(Observer):
    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.fractions: list[float | None] = []

    def begin(self, step: str, target: str | None, total: int, unit: str) -> None:
        self.calls.append(("begin", step, target, total, unit))

    def advance(self, step: str, target: str | None, amount: int) -> None:
        self.calls.append(("advance", step, target, amount))

    def enter(self, step: str, target: str | None, fraction: Callable[[], float | None]) -> None:
        self.calls.append(("enter", step, target))
        self.fractions.append(fraction())

    def leave(self, step: str, target: str | None, rows: int, seconds: float) -> None:
        self.calls.append(("leave", step, target))
        assert rows >= 0 and seconds >= 0

    def total(self, what: str, step: str, target: str | None) -> int:
        return sum(each[3] for each in self.calls if each[:3] == (what, step, target))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("progress")
    generate(folder, events=2_000, songs=20, days=3)
    return folder


def settings_of(data: Path, folder: Path) -> Settings:
    return Settings(
        database_url=f"duckdb:///{folder / 'x.duckdb'}",
        log_data=str(data / "log_data"),
        song_data=str(data / "song_data"),
    )


# What the library reports -----------------------------------------------------------------


def test_a_load_reports_its_progress(data: Path, tmp_path: Path) -> None:
    seen = Recorder()
    run = Warehouse(settings_of(data, tmp_path), observer=seen).load()
    sizes = {
        name: sum(path.stat().st_size for path in (data / folder).rglob("*.json"))
        for name, folder in (("events", "log_data"), ("songs", "song_data"))
    }
    for name, files in (("events", 3), ("songs", 20)):
        assert seen.total("advance", "list", name) == files
        assert seen.total("begin", "read", name) == sizes[name]
        assert seen.total("advance", "read", name) == sizes[name]
    assert seen.total("begin", "merge", None) == 5
    merged = [each[2] for each in seen.calls if each[:2] == ("advance", "merge")]
    assert merged == ["songs", "artists", "users", "time", "songplays"]
    entered = {each[1:] for each in seen.calls if each[0] == "enter"}
    left = {each[1:3] for each in seen.calls if each[0] == "leave"}
    assert entered - left == {("list", "events"), ("list", "songs")}
    assert left == {(step.step, step.target) for step in run.steps}
    assert all(each is None or 0 <= each <= 1 for each in seen.fractions)


def test_a_profile_reports_its_progress(data: Path) -> None:
    seen = Recorder()
    Warehouse(Settings(), observer=seen).profile(str(data / "log_data"))
    name = str(data / "log_data")
    assert seen.total("begin", "profile", name) == seen.total("advance", "profile", name) == 18
    assert seen.total("begin", "read", name) == seen.total("advance", "read", name) > 0


def test_what_an_observer_raises_ends_the_load(data: Path, tmp_path: Path) -> None:
    class Full(Observer):
        def enter(self, step: str, target: str | None, fraction: object) -> None:
            if step == "merge":
                raise OSError("no more")

    settings = settings_of(data, tmp_path)
    with pytest.raises(OSError, match="no more"):
        Warehouse(settings, observer=Full()).load()
    runs = Warehouse(settings).runs().records()
    assert [run["event"] for run in runs] == ["rolled back"]
    assert Warehouse(settings).query("select count(*) from sparkify.songs").rows == [(0,)]


# The meter --------------------------------------------------------------------------------


def test_the_meter_advances_and_estimates(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    meter = Meter(_LOAD)
    meter.enter("list", "events", lambda: None)
    now[0] += 1
    meter.advance("list", "events", 30)
    assert (meter.what(), meter.rate(), meter.left()) == ("listing events", "30 files", "")
    meter.begin("read", "events", 90_000_000, "bytes")
    meter.begin("merge", None, 2, "tables")
    meter.enter("read", "events", lambda: None)
    meter.advance("read", "events", 45_000_000)
    now[0] += 1
    assert meter.rate() == "15.0 MB/s"
    meter.advance("read", "events", 45_000_000)
    meter.enter("read", "events", lambda: 0.5)
    now[0] += 1
    assert meter.rate() == "30.0 MB/s"
    part = 0.33 * 2 / 3
    assert meter.done() == pytest.approx(part)
    assert meter.left() == f"{3 * (1 - part) / part:.0f} s left"
    meter.leave("read", "events", 200_000, 1.0)
    meter.enter("judge", "events", lambda: 0.25)
    now[0] += 2
    assert meter.rate() == "25,000 rows/s" and meter.done() == pytest.approx(0.33 + 0.14 / 4)
    assert meter.line() == f"judging events, {meter.done():.0%}, 25,000 rows/s, {meter.left()}"
    before = meter.done()
    meter.enter("read", "events", lambda: 0.0)  # reading again does not lower it
    assert meter.done() >= before
    for table, rows in (("users", 1), ("plays", 3)):
        meter.leave("dedupe", table, rows, 0.1)
    done = []
    for step in ("judge", "stage"):
        meter.enter(step, "events", lambda: 1.0)
        done.append(meter.done())
    for table in ("users", "plays"):
        meter.enter("merge", table, lambda: 1.0)
        done.append(meter.done())
    assert done == sorted(done) and done[-1] - done[-2] == pytest.approx(0.18 * 3 / 4)
    meter.enter("record", None, lambda: 1.0)
    assert meter.done() < 1
    assert Meter(_LOAD).enter("a step of tomorrow", "x", lambda: None) is None


def test_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = Meter({"read": 100})
    meter.begin("read", "events", 100, "bytes")
    meter.advance("read", "events", 30)
    meter.enter("read", "events", lambda: None)
    monkeypatch.setattr(meter, "began", time.monotonic() - 10)
    assert re.fullmatch(r"1 min \d+ s left", meter.left())


# Without a terminal -----------------------------------------------------------------------


@pytest.fixture
def loaded(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What a load writes to a stderr that is not a terminal, with an immediate first line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(progress, "_FIRST_LINE", 0.005)
    places = ["--log-data", str(data / "log_data"), "--song-data", str(data / "song_data")]

    def run(*options: str) -> str:
        return CliRunner().invoke(app, [*options, "load", *places]).stderr

    return run


PROGRESS = re.compile(r"^\w+ing( \w+)?, \d+%", re.MULTILINE)


def test_few_lines_in_a_pipe(loaded: Callable[..., str]) -> None:
    lines = PROGRESS.findall(loaded())
    assert 1 <= len(lines) <= 14  # each pause is twice the one before


@pytest.mark.parametrize("options", [("-q",), ("--log-format", "json")])
def test_no_progress_when_quiet_or_in_json(
    loaded: Callable[..., str], options: tuple[str, ...]
) -> None:
    text = loaded(*options)
    assert not PROGRESS.search(text) and "%" not in text


def test_a_short_load_in_a_pipe_shows_no_progress(
    loaded: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    assert progress._FIRST_LINE >= 10


# On a terminal ----------------------------------------------------------------------------

CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_a_terminal(folder: Path, *arguments: str, **environment: str) -> str:
    """What a command writes to a terminal of 80 columns and 24 lines."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    kept = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
    with subprocess.Popen(
        [*SPARKIFY, *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=folder,
        env={**kept, "TERM": "xterm-256color", **environment},
    ) as process:
        os.close(slave)
        written = b""
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            written += piece
    os.close(master)
    assert process.returncode == 0
    return written.decode()


def test_a_load_on_a_terminal(data: Path, tmp_path: Path) -> None:
    places = ("--log-data", str(data / "log_data"), "--song-data", str(data / "song_data"))
    text = on_a_terminal(tmp_path, "load", *places)
    frames = [CODES.sub("", each) for each in re.split(r"\r|\n|\x1b\[2K", text)]
    assert max(map(len, frames)) <= 80
    assert any(each.startswith("listing") and "━" in each for each in frames)
    # At the end the line is erased, the cursor is back, and the summary fits.
    assert text.rindex("\x1b[?25h") > text.rindex("━")
    left = CODES.sub("", text[text.rindex("\x1b[2K") :]).strip().splitlines()
    assert left[0].startswith("loaded in ") and len(left) <= 22
    again = on_a_terminal(tmp_path, "load", *places, NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*m", again.replace("\x1b[0m", ""))
    assert "nothing new to load" in again
    plain = on_a_terminal(tmp_path, "load", "--all", *places, TERM="dumb")
    assert "\x1b" not in plain and "━" not in plain
    quiet = on_a_terminal(tmp_path, "load", "--all", "-q", *places)
    assert quiet == ""


def test_a_profile_on_a_terminal(data: Path, tmp_path: Path) -> None:
    text = on_a_terminal(tmp_path, "profile", str(data / "log_data"))
    lines = CODES.sub("", text[text.rindex("\x1b[2K") :]).splitlines()
    assert max(map(len, lines)) <= 80
    for title in ("fields", "most frequent values", "suggested types", "suggested rules"):
        assert title in lines
