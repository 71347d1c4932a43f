"""Which run and which step are at work, for whoever writes a line about it."""

from __future__ import annotations

from contextvars import ContextVar

#: The newest run of this thread or task; it stays after its end, for what is said of it then.
RUN_ID: ContextVar[str | None] = ContextVar("run_id", default=None)
#: The step that it entered last.
STEP: ContextVar[str | None] = ContextVar("step", default=None)
