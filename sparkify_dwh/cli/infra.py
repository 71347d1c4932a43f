"""`sparkify infra`: the cluster and all it needs."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import UsageError
from ..core.safe_text import escape_controls
from .app import Session, command
from .exits import USAGE
from .options import Json, Yes
from .output import GREEN, YELLOW, agrees, ask, emit, emit_json, is_terminal, say, styled

if TYPE_CHECKING:
    from ..infra.deploy import Deployment
    from ..infra.results import Progress, Result
    from .live import Live

log = logging.getLogger("sparkify_dwh.cli")
INFRASTRUCTURE = 6

app = typer.Typer(
    name="infra",
    invoke_without_command=True,
    rich_markup_mode=None,
    epilog="Example: sparkify infra init",
)


@app.callback()
def root(context: typer.Context) -> None:
    """Create, watch, pause and remove the Redshift warehouse."""
    if context.invoked_subcommand is None:
        say(context.get_help())
        raise typer.Exit(USAGE)


FromHere = Annotated[
    bool,
    typer.Option("--from-here", help="Public endpoint, open to your own address besides others."),
]


def _config_file(session: Session) -> Path:
    import os

    from ..core.config_file import ENV_PREFIX
    from ..core.settings import CONFIG_FILE

    return Path(session.config or os.environ.get(ENV_PREFIX + "CONFIG") or CONFIG_FILE)


@contextmanager
def _deployment(session: Session) -> Iterator[Deployment]:
    from ..infra.deploy import Deployment

    session.interrupted = "what AWS has begun goes on; run the same command again to go on with it"
    with _told(session) as tell:
        yield Deployment.of(session.settings(), config=_config_file(session), tell=tell)


@contextmanager
def _told(session: Session) -> Iterator[Callable[[str | Progress], None]]:
    """Progress: a live list on a terminal, lines elsewhere."""
    if session.quiet or not session.lines or not is_terminal(sys.stderr):
        yield lambda item: log.info("%s", item)
        return
    from .live import Live

    live = Live()
    _lists.append(live)
    try:
        yield live.tell
    finally:
        _lists.remove(live)
        live.stop()


#: Live lists on the terminal.
_lists: list[Live] = []


def _end_lists() -> None:
    """Leaves the lists as they stand, or the next event would write over what follows."""
    for live in _lists:
        live.stop()


def _answer(question: str) -> str:
    """A line from stdin.

    :raises UsageError: when nobody answers.
    """
    _end_lists()
    line = ask(question)
    if not line:
        say("")
        raise UsageError("nobody answers here", "say --yes to go on without being asked")
    return line.strip()


def _show(result: Result) -> None:
    _end_lists()
    for line in result.lines():
        loud = line.lstrip().startswith(("REPLACE", "may REPLACE", "WARNING", "PUBLIC", "WITHOUT"))
        style = YELLOW if loud else GREEN if line.startswith("ready") else ""
        say(styled(escape_controls(line), style, sys.stderr) if style else escape_controls(line))


@command("init", into=app)
def init(session: Session) -> None:
    """Write a commented [infra] table into sparkify.toml.

    A file that is there keeps every word; an [infra] table that is there is left alone.

    Example: sparkify infra init
    """
    from ..infra.configfile import init as write

    file = _config_file(session)
    if write(file):
        log.info("%s has an [infra] table now; next: sparkify infra plan", file)
    else:
        log.info("%s has an [infra] table already; nothing was changed", file)


@command("plan", into=app)
def plan(session: Session, from_here: FromHere = False, json: Json = False) -> None:
    """Show what `create` would do, and its price per hour.

    Changes nothing.

    Example: sparkify infra plan --from-here
    """
    with _deployment(session) as deployment:
        found = deployment.plan(from_here=from_here)
    if json:
        emit_json(found.to_dict())
    else:
        emit("\n".join(escape_controls(line) for line in found.lines()))


@command("apply", into=app, hidden=True)
@command("create", into=app)
def create(
    session: Session,
    yes: Yes = False,
    from_here: FromHere = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Allow a change that loses the data.")
    ] = False,
    json: Json = False,
) -> int:
    """Create or change the warehouse, after showing the plan.

    Ends by writing endpoint, role and work prefix into sparkify.toml. Running it again
    changes nothing. A creation that fails is removed again.

    Example: sparkify infra create --from-here
    """

    def confirm(found: Any) -> bool:
        _show(found)
        return yes or agrees(_answer("carry this out? [y/N]"))

    with _deployment(session) as deployment:
        made = deployment.create(confirm, from_here=from_here, replace=replace)
    if made.plan.empty:
        say(escape_controls(made.plan.lines()[0]))
    if json:
        emit_json(made.to_dict())
    elif not session.quiet:
        _show(made)
    return INFRASTRUCTURE if made.unreachable else 0


@command("status", into=app)
def status(session: Session, json: Json = False) -> None:
    """Show state, free space, last load, and what is billed.

    Example: sparkify infra status --json
    """
    with _deployment(session) as deployment:
        found = deployment.status()
    if json:
        emit_json(found.to_dict())
    else:
        emit("\n".join(escape_controls(line) for line in found.lines()))


@command("pause", into=app)
def pause(session: Session, json: Json = False) -> None:
    """Pause the cluster and wait: compute is not billed then.

    Serverless needs no pause: idle costs nothing.

    Example: sparkify infra pause
    """
    with _deployment(session) as deployment:
        _done(session, deployment.pause(), json)


@command("resume", into=app)
def resume(session: Session, json: Json = False) -> None:
    """Resume a paused cluster and wait until it answers.

    Example: sparkify infra resume
    """
    with _deployment(session) as deployment:
        _done(session, deployment.resume(), json)


@command("destroy", into=app, hidden=True)
@command("remove", into=app)
def remove(
    session: Session,
    yes: Yes = False,
    no_snapshot: Annotated[
        bool, typer.Option("--no-snapshot", help="Take no final snapshot: the data is gone.")
    ] = False,
    keep_days: Annotated[
        int, typer.Option(metavar="DAYS", min=1, max=3653, help="How long the snapshot is kept.")
    ] = 7,
    json: Json = False,
) -> int:
    """Remove everything, after a final snapshot.

    Lists what will go, asks for the warehouse's name, and proves by the tags that nothing
    billable is left but the snapshot.

    Example: sparkify infra remove --keep-days 30
    """

    def confirm(found: Any) -> bool:
        _show(found)
        if yes:
            return True
        typed = _answer(f"type {found.name} to remove it:")
        if typed != found.name:
            raise UsageError(
                f"{typed!r} is not the warehouse's name; nothing was removed",
                f"type {found.name}, or say --yes",
            )
        return True

    with _deployment(session) as deployment:
        gone = deployment.remove(confirm, snapshot=not no_snapshot, keep_days=keep_days)
    _done(session, gone, json)
    return INFRASTRUCTURE if gone.left else 0


def _done(session: Session, result: Result, json: bool) -> None:
    if json:
        emit_json(result.to_dict())
    elif not session.quiet:
        _show(result)
