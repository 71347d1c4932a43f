"""Messages of the library on stderr: lines for people, or one JSON object a line."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..core import run_context
from ..core.safe_text import escape_controls
from .output import BOLD, DIM, RED, YELLOW, plain, say, styled, width_of
from .tables import shortened, wrapped

#: What a record may carry beside its text.
EXTRA = ("hint", "run", "command", "error", "exit_code")
_STYLES = {"warning": YELLOW, "error": RED}


class Messages(logging.Handler):
    """Writes log records to stderr, whatever that is at the moment."""

    def __init__(self, log_format: str) -> None:
        super().__init__()
        self.log_format = log_format

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._emit(record)
        except Exception:
            self.handleError(record)

    def _emit(self, record: logging.LogRecord) -> None:
        level, text = record.levelname.lower(), record.getMessage()
        if self.log_format == "json":
            at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
            line: dict[str, Any] = {"at": at, "level": level, "message": text}
            line |= {"run_id": run_context.RUN_ID.get(), "step": run_context.STEP.get()}
            line |= {name: getattr(record, name) for name in EXTRA if hasattr(record, name)}
            if record.exc_info:
                line["traceback"] = logging.Formatter().formatException(record.exc_info)
            say(json.dumps(plain(line), allow_nan=False))
            return
        if record.exc_info:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        lines = [escape_controls(part) for part in text.split("\n")]
        if level != "debug":
            lines[0] = wrapped(f"{level}: {lines[0]}", sys.stderr).removeprefix(f"{level}: ")
            lines[1:] = map(_sample, lines[1:])
        if level == "debug":
            lines = [f"debug: {record.name}: {lines[0]}", *lines[1:]]
            lines = [styled(part, DIM, sys.stderr) for part in lines]
        elif level != "info":
            mark = styled(f"{level}:", _STYLES.get(level, BOLD), sys.stderr)
            lines[0] = f"{mark} {lines[0]}"
            hints = getattr(record, "hint", "").splitlines()
            lines += [wrapped(f"  {escape_controls(hint)}", sys.stderr) for hint in hints]
        for part in lines:
            say(part)


def _sample(line: str) -> str:
    """A line that shows data: paths below the working directory short, one line of a terminal."""
    line = line.replace(f"{Path.cwd()}/", "")
    room = width_of(sys.stderr)
    return line if room is None else shortened(line, room)


def configure(log_format: str, *, verbose: bool, quiet: bool) -> None:
    """Sends the library's messages to stderr."""
    handler = Messages(log_format)
    level = logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO
    ours = logging.getLogger("sparkify_dwh")
    ours.handlers, ours.propagate = [handler], False
    ours.setLevel(level)
