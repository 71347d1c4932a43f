"""What others are told of a load: lineage events in a file, a webhook when it fails."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ...core import run_context
from ...core.errors import QualityError, SparkifyError, exit_code, reason, without_samples
from ...core.settings import Settings
from ...core.version import __version__
from ...models.declare import Declarations
from ...steps import ledger
from . import webhook
from .result import Run

if TYPE_CHECKING:
    from ...steps.ledger import Loader


def told(
    loader: Loader,
    started_at: datetime,
    settings: Settings,
    declarations: Declarations,
    work: Callable[[], Run],
    *,
    dry_run: bool,
) -> Run:
    """Does the work of a load and tells others of it; what they do never changes how it ends."""
    run_context.RUN_ID.set(loader.run_id)
    run_context.STEP.set(None)
    if dry_run:
        return work()
    events = None
    if settings.openlineage:
        from .openlineage import Events

        events = Events(settings, declarations, loader)
        events.started(started_at)
    try:
        run = work()
    except BaseException as error:
        if events is not None:
            events.failed(error)
        # Whoever interrupts a load knows of it.
        if isinstance(error, Exception) and settings.webhook_url is not None:
            webhook.send(settings, failure(loader, started_at, settings, error))
        raise
    if events is not None:
        events.completed(run)
    return run


def failure(
    loader: Loader, started_at: datetime, settings: Settings, error: Exception
) -> dict[str, Any]:
    """The message about a load that failed; ``text`` is what chat services show."""
    why = without_samples(reason(error))
    status = "refused" if isinstance(error, QualityError) else "failed"
    code = exit_code(error)
    hint = error.hint if isinstance(error, SparkifyError) else ""
    return {
        "text": f"sparkify load {loader.run_id} {status} (exit {code}): {why}",
        "event": "load",
        "status": status,
        "run_id": loader.run_id,
        "step": run_context.STEP.get(),
        "error": type(error).__name__,
        "exit_code": code,
        "message": why,
        "hint": hint,
        "started_at": f"{started_at.isoformat()}Z",
        "ended_at": f"{ledger.utc_now().isoformat()}Z",
        "database": settings.shown()["database_url"],
        "engine": loader.engine,
        "host": loader.host,
        "pid": loader.pid,
        "version": __version__,
    }
