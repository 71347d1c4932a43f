"""The current run and step, for log records and messages."""

from __future__ import annotations

from contextvars import ContextVar

#: The newest run of this thread or task; kept after its end, for what is logged about it then.
RUN_ID: ContextVar[str | None] = ContextVar("run_id", default=None)
#: Whether that run is on record in the database.
IS_RECORDED: ContextVar[bool] = ContextVar("is_recorded", default=False)
#: The step it entered last.
STEP: ContextVar[str | None] = ContextVar("step", default=None)
