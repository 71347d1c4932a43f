"""The current run and step, for log records and messages."""

from __future__ import annotations

from contextvars import ContextVar

#: The newest run of this thread or task; kept after its end, for what is logged about it then.
RUN_ID: ContextVar[str | None] = ContextVar("run_id", default=None)
#: The step it entered last.
STEP: ContextVar[str | None] = ContextVar("step", default=None)
