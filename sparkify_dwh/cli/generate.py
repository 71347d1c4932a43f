"""`generate`: writes synthetic logs and songs."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import UsageError
from ..core.quantity import quantity
from .app import Session, command

log = logging.getLogger("sparkify_dwh.cli")


@command("generate", settings=False)
def generate(
    session: Session,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write into.")],
    events: Annotated[int, typer.Option(min=0, metavar="N", help="Number of events.")] = 10_000,
    songs: Annotated[int, typer.Option(min=0, metavar="N", help="Number of songs.")] = 100,
    days: Annotated[int, typer.Option(min=1, metavar="N", help="Number of days of logs.")] = 30,
    seed: Annotated[
        int, typer.Option(min=0, metavar="S", help="Random seed; each one gives different data.")
    ] = 0,
    dirty: Annotated[
        float,
        typer.Option(min=0, max=1, metavar="RATIO", help="Share of broken records to add."),
    ] = 0.0,
) -> None:
    """Write synthetic logs and songs of any size.

    Also writes expected.json: the counts that one load of it all must reach.

    Example: sparkify generate data --events 100000 --songs 500
    """
    from ..sample.generate import generate as write

    try:
        expected = write(directory, events=events, songs=songs, days=days, seed=seed, dirty=dirty)
    except ValueError as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"{error.filename or directory}: {error.strerror}") from None
    log.info(
        "%s and %s written to %s (expected.json has the counts a load must reach)",
        quantity(expected.events_rows, "event"),
        quantity(expected.songs_rows, "song"),
        directory,
    )
    log.info(
        "load them: sparkify load --log-data %s/log_data --song-data %s/song_data",
        directory,
        directory,
    )
