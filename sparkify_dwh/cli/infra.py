"""`sparkify infra`: the cluster or workgroup and all it needs."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.errors import UsageError
from ..core.safe_text import escape_controls
from .app import Session, command
from .exits import USAGE
from .options import Json, Yes
from .output import GREEN, YELLOW, agrees, ask, emit, emit_json, is_terminal, say, styled

if TYPE_CHECKING:
    from ..infra.deployment import Deployment
    from ..infra.plan import InfraPlan
    from ..infra.remove import Removal
    from ..infra.results import Result, StackEvent
    from .infra_progress import InfraProgress

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
    typer.Option("--from-here", help="Make the endpoint public and allow your own address."),
]


def _config_file(session: Session) -> Path:
    import os

    from ..core.config_file import CONFIG_FILE, ENV_PREFIX

    return Path(session.config or os.environ.get(ENV_PREFIX + "CONFIG") or CONFIG_FILE)


@contextmanager
def _deployment(session: Session) -> Iterator[Deployment]:
    from ..infra.deployment import Deployment

    session.interrupted_message = (
        "AWS finishes what it has begun; run the same command again to continue"
    )
    with _progress(session) as tell:
        yield Deployment.of(session.settings(), config=_config_file(session), tell=tell)


@contextmanager
def _progress(session: Session) -> Iterator[Callable[[str | StackEvent], None]]:
    """A live list on a terminal, lines elsewhere."""
    if session.quiet or not session.logs_text or not is_terminal(sys.stderr):
        yield lambda item: log.info("%s", item)
        return
    from .infra_progress import InfraProgress

    progress = InfraProgress()
    _live.append(progress)
    try:
        yield progress.show
    finally:
        _live.remove(progress)
        progress.stop()


#: Live lists on the terminal.
_live: list[InfraProgress] = []


def _stop_live() -> None:
    """Ends the live lists; otherwise their next update would overwrite what is written now."""
    for progress in _live:
        progress.stop()


def _answer(question: str) -> str:
    """A line from stdin.

    :raises UsageError: at the end of the input.
    """
    _stop_live()
    line = ask(question)
    if not line:
        say("")
        raise UsageError("the question was not answered", "use --yes to skip the question")
    return line.strip()


def _show(result: Result) -> None:
    _stop_live()
    for line in result.lines():
        loud = line.lstrip().startswith(("REPLACE", "may REPLACE", "WARNING", "PUBLIC", "WITHOUT"))
        style = YELLOW if loud else GREEN if line.startswith("ready") else ""
        say(styled(escape_controls(line), style, sys.stderr) if style else escape_controls(line))


def _finish(session: Session, result: Result, json: bool) -> None:
    if json:
        emit_json(result.to_dict())
    elif not session.quiet:
        _show(result)


def _emit(result: Result, json: bool) -> None:
    if json:
        emit_json(result.to_dict())
    else:
        emit("\n".join(escape_controls(line) for line in result.lines()))


@command("init", into=app)
def init(session: Session) -> None:
    """Write a commented [infra] table into sparkify.toml.

    Keeps everything an existing file has, and leaves an existing [infra] table alone.

    Example: sparkify infra init
    """
    from ..infra.config_file import add_infra_table

    file = _config_file(session)
    if add_infra_table(file):
        log.info("%s has an [infra] table now; next: sparkify infra plan", file)
    else:
        log.info("%s already has an [infra] table; nothing was changed", file)


@command("plan", into=app)
def plan(session: Session, from_here: FromHere = False, json: Json = False) -> None:
    """Show what `create` would do, and its price per hour.

    Changes nothing.

    Example: sparkify infra plan --from-here
    """
    with _deployment(session) as deployment:
        result = deployment.plan(from_here=from_here)
    _emit(result, json)


@command("apply", into=app, hidden=True)
@command("create", into=app)
def create(
    session: Session,
    yes: Yes = False,
    from_here: FromHere = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Allow changes that lose data.")
    ] = False,
    json: Json = False,
) -> int:
    """Create or change the warehouse, after showing the plan.

    Then writes endpoint, role and work prefix into sparkify.toml. Running it again changes
    nothing. If the creation fails, what was created is deleted.

    Example: sparkify infra create --from-here
    """

    def confirm(plan: InfraPlan) -> bool:
        _show(plan)
        return yes or agrees(_answer("proceed? [y/N]"))

    with _deployment(session) as deployment:
        created = deployment.create(confirm, from_here=from_here, replace=replace)
    if created.plan.empty:
        say(escape_controls(created.plan.lines()[0]))
    _finish(session, created, json)
    return INFRASTRUCTURE if created.unreachable else 0


@command("status", into=app)
def status(session: Session, json: Json = False) -> None:
    """Show the state, free space, last load, and what is billed.

    Example: sparkify infra status --json
    """
    with _deployment(session) as deployment:
        result = deployment.status()
    _emit(result, json)


@command("pause", into=app)
def pause(session: Session, json: Json = False) -> None:
    """Pause the cluster, so that compute is not billed, and wait.

    Serverless needs no pause: idle costs nothing.

    Example: sparkify infra pause
    """
    with _deployment(session) as deployment:
        _finish(session, deployment.pause(), json)


@command("resume", into=app)
def resume(session: Session, json: Json = False) -> None:
    """Resume a paused cluster and wait until it answers.

    Example: sparkify infra resume
    """
    with _deployment(session) as deployment:
        _finish(session, deployment.resume(), json)


@command("destroy", into=app, hidden=True)
@command("remove", into=app)
def remove(
    session: Session,
    yes: Yes = False,
    no_snapshot: Annotated[
        bool, typer.Option("--no-snapshot", help="Take no final snapshot: the data is lost.")
    ] = False,
    keep_days: Annotated[
        int, typer.Option(metavar="DAYS", min=1, max=3653, help="How long to keep the snapshot.")
    ] = 7,
    json: Json = False,
) -> int:
    """Remove everything, after a final snapshot.

    Lists what would be deleted, asks for the warehouse's name, and proves by the tags that
    nothing billable is left except the snapshot.

    Example: sparkify infra remove --keep-days 30
    """

    def confirm(removal: Removal) -> bool:
        _show(removal)
        if yes:
            return True
        answer = _answer(f"type {removal.name} to remove it:")
        if answer != removal.name:
            raise UsageError(
                f"{answer!r} is not the warehouse's name; nothing was removed",
                f"type {removal.name}, or use --yes",
            )
        return True

    with _deployment(session) as deployment:
        removed = deployment.remove(confirm, snapshot=not no_snapshot, keep_days=keep_days)
    _finish(session, removed, json)
    return INFRASTRUCTURE if removed.left else 0
