"""A warehouse at work on generated data: what `sparkify demo` shows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .config import Settings
from .generate import Expected, generate
from .results import Run, Table
from .schema import SchemaStatus
from .warehouse import Warehouse

EVENTS, SONGS, DAYS, SEED, DIRTY = 20_000, 300, 8, 7, 0.002
#: Every how many song files one comes late.
LATE = 3
STAR = ("songs", "artists", "users", "time", "songplays")
#: Plays with the song they match, where they match one.
PLAYS = (
    "select session_id, item_in_session, start_time, artist_name, song_title, song_id "
    "from sparkify.songplays order by start_time, session_id, item_in_session"
)


@dataclass(frozen=True)
class Resolved:
    """A play that matched no song at first, and does since the song has come.

    :param before: the play after the first load.
    :param after: the same play after the second.
    :param count: how many plays went this way.
    """

    before: Table
    after: Table
    count: int


@dataclass(frozen=True)
class Stage:
    """One stage of the demonstration and what it gave."""

    name: Literal["generate", "migrate", "initial", "delta", "star", "resolved", "rejects"]
    result: Expected | SchemaStatus | Run | Table | Resolved


def demo(folder: Path) -> Iterator[Stage]:
    """Goes through the stages one by one in a folder of its own.

    About 20,000 events of 8 days and 300 songs, some records broken. The last day and a third of
    the songs are held back from the first load.
    """
    data, late = folder / "data", folder / "late"
    expected = generate(data, events=EVENTS, songs=SONGS, days=DAYS, seed=SEED, dirty=DIRTY)
    last_day = max((data / "log_data").rglob("*.json"))
    held = [last_day, *sorted((data / "song_data").rglob("*.json"))[::LATE]]
    for path in held:
        _move(path, late / path.relative_to(data))
    yield Stage("generate", expected)

    # Neither the user's environment nor a sparkify.toml has a say here.
    settings = Settings.model_construct(
        database_url=f"duckdb:///{folder / 'demo.duckdb'}",
        log_data=str(data / "log_data"),
        song_data=str(data / "song_data"),
    )
    warehouse = Warehouse(settings)
    yield Stage("migrate", warehouse.migrate())
    yield Stage("initial", warehouse.load())
    before = warehouse.query(PLAYS)

    for path in held:
        _move(late / path.relative_to(data), path)
    yield Stage("delta", warehouse.load())
    counts = " union all ".join(
        f"select {number}, '{name}', count(*) from sparkify.{name}"
        for number, name in enumerate(STAR)
    )
    star = warehouse.query(f"select * from ({counts}) order by 1")
    yield Stage("star", Table(("table", "rows"), [row[1:] for row in star]))
    yield Stage("resolved", _resolved(before, warehouse.query(PLAYS)))
    yield Stage("rejects", warehouse.rejects())


def _move(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(path, to)


def _resolved(before: Table, after: Table) -> Resolved:
    had = {row[:2]: row for row in before if row[-1] is None}
    found = [(had[row[:2]], row) for row in after if row[-1] is not None and row[:2] in had]
    first = found[:1]
    return Resolved(
        Table(before.columns, [old for old, _ in first]),
        Table(after.columns, [new for _, new in first]),
        len(found),
    )
