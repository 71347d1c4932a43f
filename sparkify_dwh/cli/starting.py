"""`demo`, `init`, `config`, `generate` and `migrate`."""

from __future__ import annotations

import json as jsonlib
import logging
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ..core.errors import UsageError
from .app import Session, command
from .loads import Json
from .options import SETTINGS, Setting
from .output import DIM, agrees, ask, count, emit, emit_json, is_watched, say
from .tables import table

log = logging.getLogger("sparkify_dwh.cli")
CONFIG_FILE = "sparkify.toml"


@command("demo", settings=False)
def demo(session: Session) -> None:
    """See a warehouse at work on generated data.

    In a temporary folder: an initial load, one more day and songs that come late, the star, the
    books and what was refused. Needs no account and no server.

    Example: sparkify demo
    """
    from .demo import show

    show()


# init -------------------------------------------------------------------------------------


@command("init", settings=False)
def init(
    session: Session,
    file: Annotated[Path, typer.Option("--config", metavar="FILE", help="File to write.")] = Path(
        CONFIG_FILE
    ),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> None:
    """Write a sparkify.toml with every setting, commented out.

    Example: sparkify init
    """
    try:
        with file.open("w" if force else "x", encoding="utf-8") as out:
            out.write(config_text())
    except FileExistsError:
        raise UsageError(f"{file} exists", "--force replaces it") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from None
    log.info("%s written; set log_data and song_data in it, then: sparkify load", file)


def config_text() -> str:
    """The content of a new settings file: every setting with what it is, commented out."""
    lines = [
        "# Settings of sparkify. Take away the # in front of what you set.",
        "# Stronger than this file: SPARKIFY_<NAME> in the environment, and options of commands.",
        "# `sparkify config` shows what is in force and where it comes from.",
    ]
    plain = [s for s in SETTINGS if not _is_table(s)]
    for setting in [*plain, *(s for s in SETTINGS if _is_table(s))]:
        lines += ["", f"# {setting.help}"]
        if setting.name == "database_password":
            lines.append("# SPARKIFY_DATABASE_PASSWORD=…")
            continue
        if _is_table(setting):
            lines.append(f"#[{setting.name}]")
            lines += [f"#{key} = {_toml(value)}" for key, value in (setting.example or {}).items()]
            continue
        if setting.default is None:
            lines.append("# No default; for example:")
        value = setting.example if setting.default is None else setting.default
        lines.append(f"#{setting.name} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def _is_table(setting: Setting) -> bool:
    return isinstance(setting.default, dict)


def _toml(value: Any) -> str:
    # Strings, numbers and lists of strings are written in TOML as in JSON.
    return jsonlib.dumps(value, ensure_ascii=False)


# config -----------------------------------------------------------------------------------


@command("config")
def config(session: Session, json: Json = False) -> None:
    """Show the settings in force and where each comes from.

    Secrets are masked.

    Example: sparkify config --json
    """
    from ..core.settings import origins

    shown = session.settings().shown()
    origin = origins(session.config, session.given)
    if json:
        emit_json([{"setting": n, "value": v, "origin": origin[n]} for n, v in shown.items()])
        return
    # Values that were set stand out: the defaults are dimmed.
    styles = [DIM if origin[name] == "default" else None for name in shown]
    rows = [(name, _shown(value), origin[name]) for name, value in shown.items()]
    emit(table(("setting", "value", "from"), rows, sys.stdout, styles=styles, whole=True))


def _shown(value: Any) -> Any:
    if value in ({}, [], None):
        return None
    return f"{value:g}" if isinstance(value, float) else value


# generate ---------------------------------------------------------------------------------


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


# migrate ----------------------------------------------------------------------------------


@command("migrate")
def migrate(
    session: Session,
    to: Annotated[
        str, typer.Option("--to", metavar="REV", help="A revision, head, base, +1 or -1.")
    ] = "heads",
    status: Annotated[bool, typer.Option("--status", help="Show versions only.")] = False,
    sql: Annotated[
        bool, typer.Option("--sql", help="Show the SQL for an empty database; connect to none.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Go back to a lower revision even if rows are lost.")
    ] = False,
    json: Json = False,
) -> None:
    """Bring the database's schema to this library's version.

    A lower revision may drop tables and columns: where they hold rows, it names them and asks, or
    needs --yes.

    Example: sparkify migrate --sql --database-url redshift+redshift_connector://host:5439/dev
    """
    if status and sql:
        raise UsageError("--status and --sql exclude each other", "choose one")
    warehouse = session.warehouse()
    if sql:
        text = warehouse.migration_sql(to)
        emit_json({"sql": text}) if json else emit(text.rstrip())
        return
    before = warehouse.schema_status()
    if not status:
        _allow_losses(to, [str(loss) for loss in warehouse.migration_losses(to)], yes)
    found = before if status else warehouse.migrate(to)
    if json:
        emit_json({"database": found.database, "library": found.library, "state": found.state})
    elif status:
        emit(
            f"database: {_versions(found.database)}\nlibrary:  {_versions(found.library)}\n"
            f"state:    {found.state}"
        )
    elif found.database == before.database:
        log.info("schema version %s already", _versions(found.database))
    else:
        log.info("schema version %s -> %s", _versions(before.database), _versions(found.database))


def _allow_losses(to: str, lost: list[str], yes: bool) -> None:
    """Says what a downgrade loses.

    :raises UsageError: when it may not.
    """
    if not lost:
        return
    text = f"going back to {to} loses {', '.join(lost)}"
    if yes:
        log.warning("%s", text)
        return
    if is_watched():
        say(text)
        if agrees(ask("lose them? [y/N]")):
            return
    raise UsageError(text, "say --yes to lose them")


def _versions(revisions: tuple[str, ...]) -> str:
    return ", ".join(revisions) or "none"
