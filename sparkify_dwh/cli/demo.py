"""What `sparkify demo` prints."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from .output import BOLD, count, emit, inert, styled
from .summary import summary
from .tables import table

_NEXT = """\
now with your own data:
  sparkify load --log-data FOLDER --song-data FOLDER
  sparkify query "select * from sparkify.songplays" --limit 10
  sparkify init    # keeps the settings in a file"""


def show() -> None:
    """Goes through the demonstration and prints each stage when it is done."""
    from ..demo import demo

    with tempfile.TemporaryDirectory(prefix="sparkify-demo-") as folder:
        for number, stage in enumerate(demo(Path(folder)), 1):
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
            inert(f"'{song}' by {artist}, played {at:%Y-%m-%d %H:%M} (session {session}, {item})"),
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
