"""Escaped controls, tables fitted to a terminal, JSON and CSV that keep the data as it is."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from sparkify_dwh import Settings, Warehouse
from sparkify_dwh.cli import app, output
from sparkify_dwh.cli.output import cell, plain, records, to_json
from sparkify_dwh.cli.rejects import is_cut
from sparkify_dwh.cli.summary import summary
from sparkify_dwh.cli.tables import PathText, RightAligned, shortened, table, text_width, wrapped
from sparkify_dwh.core.safe_text import escape_controls
from sparkify_dwh.jobs.load.result import Run
from sparkify_dwh.steps.books import Account, SourceBook
from sparkify_dwh.steps.quarantine import shown_raw

NASTY = "\x1b[31mred\x07\x9b1m\u202eevil\u2066\r\n\x00\x7f\u200b"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


def test_controls_are_escaped() -> None:
    assert escape_controls(NASTY) == (
        "\\x1b[31mred\\x07\\x9b1m\\u202eevil\\u2066\\r\\n\\x00\\x7f\\u200b"
    )
    assert escape_controls("Björk – 東京 🎵") == "Björk – 東京 🎵"


@given(st.text())
def test_escaped_text_has_no_controls(text: str) -> None:
    assert all(
        c.isprintable() or c in "\u00a0\u3000" or c.isspace() for c in escape_controls(text)
    ) or all(ord(c) >= 0x20 for c in escape_controls(text))
    assert "\x1b" not in escape_controls(text)
    assert "\n" not in escape_controls(text)


@given(st.recursive(st.none() | st.booleans() | st.text() | st.floats(), st.lists))
def test_json_reads_back_and_has_no_controls(value: object) -> None:
    text = to_json(value)
    assert json.loads(text) == plain(value)
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_json_of_every_kind_of_value() -> None:
    values = {
        "at": datetime(2018, 11, 1, 21, 1, 46, 796000),
        "zone": datetime(2018, 11, 1, tzinfo=UTC),
        "day": date(2018, 11, 1),
        "nan": float("nan"),
        "infinite": -float("inf"),
        "whole": Decimal("12"),
        "part": Decimal("1.5"),
        "span": timedelta(seconds=1.5),
        "bytes": b"\x00\xff",
        "id": UUID(int=1),
        "map": {1: (Decimal("NaN"), {2})},
        "big": 2**70,
    }
    assert json.loads(to_json(values)) == {
        "at": "2018-11-01T21:01:46.796000",
        "zone": "2018-11-01T00:00:00+00:00",
        "day": "2018-11-01",
        "nan": None,
        "infinite": None,
        "whole": 12,
        "part": 1.5,
        "span": 1.5,
        "bytes": "00ff",
        "id": "00000000-0000-0000-0000-000000000001",
        "map": {"1": [None, [2]]},
        "big": 2**70,
    }


def test_a_repeated_name_gets_a_number() -> None:
    assert records(("a", "a", "a_2", "a"), [(1, 2, 3, 4)]) == [
        {"a": 1, "a_2": 2, "a_2_2": 3, "a_3": 4}
    ]


def test_cells() -> None:
    assert cell(None) == ""
    assert cell(True) == "yes"
    assert cell(datetime(2018, 11, 1, 21, 1, 46, 796000)) == "2018-11-01 21:01:46.796"
    assert cell(datetime(2018, 11, 1, 21, 1, 46)) == "2018-11-01 21:01:46"
    assert cell([1, "\x1b"]) == '[1, "\\u001b"]'


def test_data_is_escaped_in_tables_and_exact_in_json_and_csv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Warehouse(Settings()).migrate()
    text = NASTY.replace("\x00", "")
    sql = "select '" + text + '\' as "a\x1b"'
    runner = CliRunner()
    shown = runner.invoke(app, ["query", sql]).stdout
    assert "\x1b" not in shown
    assert escape_controls(text) in shown
    (row,) = json.loads(runner.invoke(app, ["query", sql, "--json"]).stdout)
    assert row == {"a\x1b": text}
    raw = runner.invoke(app, ["query", sql, "--csv"]).stdout_bytes.decode()
    assert list(csv.reader(io.StringIO(raw, newline=""))) == [["a\x1b"], [text]]


# Tables -----------------------------------------------------------------------------------


def test_a_table_in_a_pipe_is_complete_and_aligned() -> None:
    text = table(("name", "n\nrows"), [("a" * 200, 5), ("東京", 1000)], io.StringIO())
    head, head2, rule, first, second = text.splitlines()
    assert first == "a" * 200 + "     5"
    assert text_width(second) == 206
    assert (head.strip(), head2.split()) == ("n", ["name", "rows"])
    assert set(rule) == {"─", " "}


def test_a_table_on_a_terminal_fits(terminal: Terminal) -> None:
    rows = [("x" * 100, 12345678, "y" * 300)]
    text = table(("a", "n", "b"), rows, terminal)
    assert all(text_width(line) <= 80 for line in strip(text).splitlines())
    assert "…" in text
    assert "12345678" in text
    assert "x" * 100 in table(("a",), [("x" * 100,)], terminal, whole=True)


def test_a_table_too_wide_shows_one_value_a_line(terminal: Terminal) -> None:
    names = [f"column_{n}" for n in range(12)]
    lines = strip(table(names, [["v" * 30] * 12], terminal)).splitlines()
    assert lines[0] == "── row 1 ──"
    assert lines[1].split() == ["column_0", "v" * 30]
    assert len(lines) == 13
    assert table(names, [], terminal).startswith("no rows") or all(
        len(line) <= 200 for line in table(names, [], terminal).splitlines()
    )


def test_times_and_numbers_are_not_cut(terminal: Terminal) -> None:
    row = (datetime(2018, 11, 1, 2, 3, 4, 5000), 123456789, "x" * 100)
    text = strip(table(("t", "n", "s"), [row], terminal))
    assert "2018-11-01 02:03:04.005  123456789  xxxx" in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_sentences_wrap_between_words_on_a_terminal(terminal: Terminal) -> None:
    text = "word " * 40
    assert wrapped(text, io.StringIO()) == text
    assert wrapped(text, terminal).split() == text.split()
    assert all(len(line) <= 80 for line in wrapped(text, terminal).splitlines())


def test_a_path_is_cut_at_its_start(terminal: Terminal) -> None:
    text = table(("key",), [(PathText("/a" * 60 + "/last.json"),)], terminal)
    assert text.endswith("/last.json")
    assert "…" in text


@given(st.text(max_size=60), st.integers(1, 40), st.booleans())
def test_shortened_text_fits(text: str, width: int, left: bool) -> None:
    short = shortened(text, width, left=left)
    assert text_width(short) <= max(width, 1)
    assert short == text or "…" in short


def strip(text: str) -> str:
    import re

    return re.sub("\x1b\\[[0-9;]*m", "", text)


def test_colours_only_on_a_terminal_that_accepts_them(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "\x1b[1m" in table(("a",), [(1,)], terminal)
    assert "\x1b" not in table(("a",), [(1,)], io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in table(("a",), [(1,)], terminal)
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not output.colours(terminal)


# The summary ------------------------------------------------------------------------------


def a_run(**more: object) -> Run:
    n = 1_500_000
    values: dict[str, object] = {
        "run_id": "20181101T000000000-abcdef",
        "event": "loaded",
        "engine": "duckdb",
        "started_at": datetime(2018, 11, 1),
        "seconds": 12.34,
        "sources": [
            SourceBook("songs", objects=15_000, read=15_000, staged=15_000, skipped=3),
            SourceBook("events", 30, 0, 1_000, 2, n, n - 5, 5, 7),
        ],
        "targets": [
            Account("songs", 15_000, duplicate=12, merged=14_988, replaced=3),
            Account("artists", 15_000, duplicate=12, merged=14_988, replaced=3, recomputed=4),
            Account("users", n, 5, 7, 250_000, n - 250_112, 0, 100, 12),
            Account("time", n, 5, 7, 0, 1, 0, n - 13, 12),
            Account("songplays", n, 5, 7, 250_000, 1, 0, n - 250_013, 12, resolved_again=2),
        ],
        "refused": {f"rule_{i}": i + 1 for i in range(12)},
        "warnings": [f"warning {i} \x1b" for i in range(7)],
    }
    return Run(**{**values, **more})  # type: ignore[arg-type]


def test_the_summary_of_a_large_load_fits_one_screen() -> None:
    lines = summary(a_run(), io.StringIO()).splitlines()
    assert len(lines) <= 22  # and the command and the next prompt
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    assert "1,500,000" in text
    assert "also updated: artists 4 recomputed; songplays 2 resolved again" in text
    assert "changed since an earlier load (rows they no longer have stay): events 2 files" in text
    assert "78 refused, by rule" in text
    assert "rule_11 12, " in text
    assert "and\n  7 more rules; see them: sparkify rejects" in text
    assert "warning: warning 0" in text and "warning: and 6 more" in text
    assert "\x1b" not in text


def test_warnings_fill_the_room_left() -> None:
    few = summary(a_run(refused={}, sources=[], targets=[]), None)
    assert few.count("warning: warning") == 7
    long = summary(a_run(warnings=["x" * 300]), None).splitlines()
    assert len(long[-1]) == 80 and long[-1].endswith("…")


def test_the_summary_of_a_dry_run_and_of_nothing() -> None:
    assert "dry run in 12.3 s" in summary(a_run(event="dry run"), io.StringIO())
    assert "nothing recorded" in summary(a_run(event="dry run"), io.StringIO())
    nothing = summary(a_run(event="nothing new"), io.StringIO())
    assert nothing == (
        "nothing new to load: 1,000 files already in the ledger (20181101T000000000-abcdef)"
    )


# What the quarantine stored ---------------------------------------------------------------


@given(st.sampled_from([b"a", "é".encode(), b"\xff"]), st.sampled_from([100, 65_535, 70_000]))
def test_cut_records_are_distinguished_from_whole_ones(unit: bytes, size: int) -> None:
    raw = unit * (size // len(unit))
    stored = shown_raw(raw)
    whole = raw.decode("utf-8", "backslashreplace")
    assert is_cut(stored, len(raw)) == (stored != whole)


def test_formatted_numbers_are_right_aligned() -> None:
    lines = table(
        ("n",), [(RightAligned("1,000"),), (RightAligned("5"),)], io.StringIO()
    ).splitlines()
    assert lines[-1] == "    5"
