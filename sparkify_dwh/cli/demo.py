"""`demo`: a warehouse at work on generated data."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.quantity import quantity
from ..core.safe_text import escape_controls
from .app import Session, command
from .output import BOLD, emit, styled
from .summary import summary
from .tables import table

if TYPE_CHECKING:
    from ..core.table import Table

_NEXT = """\
now with your own data:
  sparkify load --log-data FOLDER --song-data FOLDER
  sparkify query "select * from sparkify.songplays" --limit 10
  sparkify init    # keeps the settings in a file"""

_EVENTS, _SONGS, _DAYS, _SEED, _DIRTY = 20_000, 300, 8, 7, 0.002
#: One in this many song files comes late.
_LATE = 3
_STAR = ("songs", "artists", "users", "time", "songplays")
#: Plays with the song they match, if any.
_PLAYS = (
    "select session_id, item_in_session, start_time, artist_name, song_title, song_id "
    "from sparkify.songplays order by start_time, session_id, item_in_session"
)


@command("demo", settings=False)
def demo(session: Session) -> None:
    """See a warehouse at work on generated data.

    In a temporary folder: an initial load, a second one with another day and late songs, the star,
    the books and the refused records. Needs no account and no server.

    Example: sparkify demo
    """
    with tempfile.TemporaryDirectory(prefix="sparkify-demo-") as folder:
        for number, (title, text) in enumerate(_stages(Path(folder)), 1):
            emit(styled(f"{number}. {title}", BOLD, sys.stdout) + (f"\n{text}" if text else ""))
            emit("")
    emit(_NEXT)


def _stages(folder: Path) -> Iterator[tuple[str, str]]:
    """Works through the demonstration; yields the title and the text of each stage."""
    from ..core.settings import Settings
    from ..sample.generate import generate
    from ..warehouse import Warehouse

    data, late = folder / "data", folder / "late"
    expected = generate(data, events=_EVENTS, songs=_SONGS, days=_DAYS, seed=_SEED, dirty=_DIRTY)
    last_day = max((data / "log_data").rglob("*.json"))
    late_files = [last_day, *sorted((data / "song_data").rglob("*.json"))[::_LATE]]
    for path in late_files:
        _move(path, late / path.relative_to(data))
    events, songs = quantity(expected.events_rows, "event"), quantity(expected.songs_rows, "song")
    yield (
        f"generate: {events} over {quantity(expected.days, 'day')}, {songs}, some records broken",
        "the last day and every third song are held back",
    )

    # model_construct() reads neither the environment nor sparkify.toml.
    settings = Settings.model_construct(
        database_url=f"duckdb:///{folder / 'demo.duckdb'}",
        log_data=str(data / "log_data"),
        song_data=str(data / "song_data"),
    )
    warehouse = Warehouse(settings)
    yield f"sparkify migrate: schema version {', '.join(warehouse.migrate().database)}", ""
    yield "sparkify load: the initial load", summary(warehouse.load(), sys.stdout)
    before = warehouse.query(_PLAYS)

    for path in late_files:
        _move(late / path.relative_to(data), path)
    title = "sparkify load: the last day and the late songs"
    yield title, summary(warehouse.load(), sys.stdout)

    counts = " union all ".join(
        f"select {number}, '{name}', count(*) from sparkify.{name}"
        for number, name in enumerate(_STAR)
    )
    star = warehouse.query(f"select * from ({counts}) order by 1")
    yield "the star", table(("table", "rows"), [row[1:] for row in star], sys.stdout)
    yield _resolved(before, warehouse.query(_PLAYS))
    yield _rejects(warehouse.rejects())


def _move(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(path, to)


def _resolved(before: Table, after: Table) -> tuple[str, str]:
    """How many plays found their song in the second load, and one of them."""
    unmatched = {row[:2] for row in before if row[-1] is None}
    resolved = [row for row in after if row[-1] is not None and row[:2] in unmatched]
    lines = []
    for session, item, at, artist, song, song_id in resolved[:1]:
        play = f"'{song}' by {artist}, played {at:%Y-%m-%d %H:%M} (session {session}, {item})"
        lines = [
            escape_controls(play),
            "  after the first load:  song_id NULL",
            f"  after the second load: song_id {song_id}",
        ]
    plays = quantity(len(resolved), "play")
    return f"late songs: {plays} matched after the second load", "\n".join(lines)


def _rejects(refused: Table) -> tuple[str, str]:
    by_rule = Counter((row["source"], row["rule"], row["reason"]) for row in refused.records())
    ordered = sorted(by_rule.items(), key=lambda item: (item[0][0], -item[1], item[0]))
    return (
        f"sparkify rejects: {quantity(len(refused), 'record')} refused, by rule",
        table(
            ("source", "rule", "rows", "reason"),
            [(source, rule, n, reason) for (source, rule, reason), n in ordered],
            sys.stdout,
        ),
    )
