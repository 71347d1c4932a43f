"""`demo`: a warehouse at work on generated data."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..core.safe_text import escape_controls
from .app import Session, command
from .output import BOLD, count, emit, styled
from .summary import summary
from .tables import table

if TYPE_CHECKING:
    from ..core.table import Table
    from ..jobs.load.result import Run
    from ..jobs.migrate import SchemaStatus
    from ..sample.generate import Expected

_NEXT = """\
now with your own data:
  sparkify load --log-data FOLDER --song-data FOLDER
  sparkify query "select * from sparkify.songplays" --limit 10
  sparkify init    # keeps the settings in a file"""


@command("demo", settings=False)
def demo(session: Session) -> None:
    """See a warehouse at work on generated data.

    In a temporary folder: an initial load, one more day and songs that come late, the star, the
    books and what was refused. Needs no account and no server.

    Example: sparkify demo
    """
    with tempfile.TemporaryDirectory(prefix="sparkify-demo-") as folder:
        for number, stage in enumerate(stages(Path(folder)), 1):
            title, text = _SHOW[stage.name](stage.result)
            emit(styled(f"{number}. {title}", BOLD, sys.stdout) + (f"\n{text}" if text else ""))
            emit("")
    emit(_NEXT)


def _generate(expected: Any) -> tuple[str, str]:
    return (
        f"generate: {count(expected.events_rows)} events of {expected.days} days, "
        f"{count(expected.songs_rows)} songs, some broken",
        "the last day and every third song are held back",
    )


def _migrate(status: Any) -> tuple[str, str]:
    return f"sparkify migrate: schema version {', '.join(status.database)}", ""


def _initial(run: Any) -> tuple[str, str]:
    return "sparkify load: the initial load", summary(run, sys.stdout)


def _delta(run: Any) -> tuple[str, str]:
    return "sparkify load: the day and the songs have come", summary(run, sys.stdout)


def _star(rows: Any) -> tuple[str, str]:
    return "the star", table(rows.columns, rows.rows, sys.stdout)


def _resolved(found: Any) -> tuple[str, str]:
    lines = []
    for old, new in zip(found.before, found.after, strict=True):
        session, item, at, artist, song, _ = old
        lines = [
            escape_controls(
                f"'{song}' by {artist}, played {at:%Y-%m-%d %H:%M} (session {session}, {item})"
            ),
            f"  after the first load:  song_id {old[-1] or 'NULL'}",
            f"  after the second load: song_id {new[-1]}",
        ]
    return f"late songs: {count(found.count)} plays found their song", "\n".join(lines)


def _rejects(rows: Any) -> tuple[str, str]:
    by_rule = Counter((row["source"], row["rule"], row["reason"]) for row in rows.records())
    ordered = sorted(by_rule.items(), key=lambda item: (item[0][0], -item[1], item[0]))
    return (
        f"sparkify rejects: {count(len(rows))} records refused, by rule",
        table(
            ("source", "rule", "rows", "reason"),
            [(source, rule, n, reason) for (source, rule, reason), n in ordered],
            sys.stdout,
        ),
    )


_SHOW = {
    "generate": _generate,
    "migrate": _migrate,
    "initial": _initial,
    "delta": _delta,
    "star": _star,
    "resolved": _resolved,
    "rejects": _rejects,
}


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


def stages(folder: Path) -> Iterator[Stage]:
    """Goes through the stages one by one in a folder of its own.

    About 20,000 events of 8 days and 300 songs, some records broken. The last day and a third of
    the songs are held back from the first load.
    """
    from ..core.settings import Settings
    from ..core.table import Table
    from ..sample.generate import generate
    from ..warehouse import Warehouse

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
    yield Stage("resolved", _find_resolved(before, warehouse.query(PLAYS)))
    yield Stage("rejects", warehouse.rejects())


def _move(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(path, to)


def _find_resolved(before: Table, after: Table) -> Resolved:
    from ..core.table import Table

    had = {row[:2]: row for row in before if row[-1] is None}
    found = [(had[row[:2]], row) for row in after if row[-1] is not None and row[:2] in had]
    first = found[:1]
    return Resolved(
        Table(before.columns, [old for old, _ in first]),
        Table(after.columns, [new for _, new in first]),
        len(found),
    )
