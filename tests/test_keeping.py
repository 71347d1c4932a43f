"""`erase` on the command line: what it prints, where, and how it ends."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.folders import Folders, MakeFolders
from support.records import event_line
from typer.testing import CliRunner

from sparkify_dwh.cli import app, erase


@pytest.fixture
def folders(warehouse: MakeFolders) -> Folders:
    made = warehouse()
    lines = event_line(userId="10", itemInSession=1) + event_line(itemInSession=2)
    made.put("events", "a.json", lines.encode())
    made.load()
    return made


def sparkify(folders: Folders, *arguments: str) -> Any:
    url = folders.warehouse.settings.database_url
    return CliRunner().invoke(app, ["erase", *arguments, "--database-url", url])


def users(folders: Folders) -> list[int]:
    return [user for (user,) in folders.query("SELECT user_id FROM sparkify.users ORDER BY 1")]


def test_it_prints_counts_and_not_who(folders: Folders) -> None:
    done = sparkify(folders, "--user", "10", "--dry-run")
    assert done.exit_code == 0 and "nothing recorded" in done.stderr
    assert users(folders) == [8, 10]
    done = sparkify(folders, "--user", " 00010 ")
    assert done.exit_code == 0 and users(folders) == [8]
    assert "sparkify.songplays     1" in done.stdout
    assert "recorded, without the user id" in done.stderr
    assert "COPY FROM DATABASE" in done.stderr
    done = sparkify(folders, "--user", "10", "--json")
    found = json.loads(done.stdout)
    assert (found["rows"], found["removed"]["sparkify.users"]) == (0, 0) and found["before"]
    done = sparkify(folders, "--user", "11")
    assert (
        "no rows of this person were found; loads skip this person's rows from now on"
        in done.stderr
    )
    summary = CliRunner().invoke(
        app,
        [
            *("load", "--all", "--database-url", folders.warehouse.settings.database_url),
            *("--log-data", str(folders.folders["events"])),
        ],
    )
    assert "staged = erased + refused + out of scope" in summary.stderr
    assert max(map(len, summary.stderr.splitlines())) <= 80
    assert users(folders) == [8]


@pytest.mark.parametrize("arguments", [(), ("--user", "ten"), ("--user", ""), ("--user", "1.5")])
def test_wrong_use_ends_with_2(folders: Folders, arguments: tuple[str, ...]) -> None:
    done = sparkify(folders, *arguments)
    assert done.exit_code == 2 and done.stderr.startswith("error: ")
    assert users(folders) == [8, 10]


def test_without_a_warehouse() -> None:
    done = CliRunner().invoke(
        app, ["erase", "--user", "1", "--database-url", "duckdb:///no.duckdb"]
    )
    assert done.exit_code == 5 and "there is no warehouse" in done.stderr


@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, [8]), ("\n", 2, [8, 10])])
def test_on_a_terminal_it_asks(
    folders: Folders, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, left: list[int]
) -> None:
    monkeypatch.setattr(erase, "is_interactive", lambda: True)
    url = folders.warehouse.settings.database_url
    done = CliRunner().invoke(app, ["erase", "--user", "10", "--database-url", url], input=answer)
    assert done.exit_code == code and users(folders) == left
    assert "permanently erase user 10 and 3 rows? [y/N]" in done.stderr
