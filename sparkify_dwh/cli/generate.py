"""`generate`: synthetic logs and songs."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import UsageError
from .app import Session, command
from .output import count

log = logging.getLogger("sparkify_dwh.cli")


@command("generate", settings=False)
def generate(
    session: Session,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write into.")],
    events: Annotated[int, typer.Option(min=0, metavar="N", help="Events.")] = 10_000,
    songs: Annotated[int, typer.Option(min=0, metavar="N", help="Songs.")] = 100,
    days: Annotated[int, typer.Option(min=1, metavar="N", help="Days of logs.")] = 30,
    seed: Annotated[int, typer.Option(min=0, metavar="S", help="Another seed, other data.")] = 0,
    dirty: Annotated[
        float,
        typer.Option(min=0, max=1, metavar="RATIO", help="Share of broken records added."),
    ] = 0.0,
) -> None:
    """Write synthetic logs and songs of any size.

    Also expected.json: what one load of all of it must give.

    Example: sparkify generate data --events 100000 --songs 500
    """
    from ..sample.generate import generate as write

    try:
        found = write(directory, events=events, songs=songs, days=days, seed=seed, dirty=dirty)
    except ValueError as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"{error.filename or directory}: {error.strerror}") from None
    log.info(
        "%s events and %s songs written to %s (expected.json says what a load must give)",
        count(found.events_rows),
        count(found.songs_rows),
        directory,
    )
    log.info(
        "load them: sparkify load --log-data %s/log_data --song-data %s/song_data",
        directory,
        directory,
    )
