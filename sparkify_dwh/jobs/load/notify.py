"""Announcing a load: lineage events in a file, and a webhook when it fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ...core import run_context
from ...core.errors import QualityError, SparkifyError, exit_code, reason, without_samples
from ...core.settings import Settings
from ...core.version import __version__
from ...models.declare import Declarations
from ...steps import ledger
from ...steps.ledger import RunIdentity
from . import webhook
from .result import Run


@dataclass
class Announcement:
    """Where a load puts its result to be announced."""

    run: Run = field(init=False)


@contextmanager
def announced(
    identity: RunIdentity, settings: Settings, declarations: Declarations, *, dry_run: bool
) -> Iterator[Announcement]:
    """Announces the load in the block; listeners never change how it ends."""
    run_context.RUN_ID.set(identity.run_id)
    run_context.IS_RECORDED.set(False)
    run_context.STEP.set(None)
    announcement = Announcement()
    events = None
    if settings.openlineage and not dry_run:
        from .openlineage import Events

        events = Events(settings, declarations, identity)
        events.started()
    try:
        yield announcement
    except BaseException as error:
        if events is not None:
            events.failed(error)
        # A person who interrupts a load needs no message.
        if isinstance(error, Exception) and settings.webhook_url is not None and not dry_run:
            webhook.send(settings, failure(identity, settings, error))
        raise
    if events is not None:
        events.completed(announcement.run)


def failure(identity: RunIdentity, settings: Settings, error: Exception) -> dict[str, Any]:
    """The message about a failed load; chat services show its ``text``."""
    why = without_samples(reason(error))
    status = "refused" if isinstance(error, QualityError) else "failed"
    code = exit_code(error)
    hint = error.hint if isinstance(error, SparkifyError) else ""
    return {
        "text": f"sparkify load {identity.run_id} {status} (exit {code}): {why}",
        "event": "load",
        "status": status,
        "run_id": identity.run_id,
        "step": run_context.STEP.get(),
        "error": type(error).__name__,
        "exit_code": code,
        "message": why,
        "hint": hint,
        "started_at": f"{identity.started_at.isoformat()}Z",
        "ended_at": f"{ledger.utc_now().isoformat()}Z",
        "database": settings.masked()["database_url"],
        "engine": identity.engine,
        "host": identity.host,
        "pid": identity.pid,
        "version": __version__,
    }
