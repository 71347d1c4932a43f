"""Figures of long tests reach the file that the environment names, and nothing without it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.soak_figures import FILE, figure


def test_figures_are_lines_of_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "figures.jsonl"
    monkeypatch.setenv(FILE, str(path))
    monkeypatch.setenv("SPARKIFY_SOAK", "1")
    figure("points tried", points=3, engine="duckdb")
    monkeypatch.setenv("SPARKIFY_SOAK", "0")
    figure("rounds", rounds=50)
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"name": "points tried", "soak": True, "points": 3, "engine": "duckdb"},
        {"name": "rounds", "soak": False, "rounds": 50},
    ]


def test_without_a_file_nothing_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(FILE, raising=False)
    monkeypatch.chdir(tmp_path)
    figure("points tried", points=3)
    assert list(tmp_path.iterdir()) == []
