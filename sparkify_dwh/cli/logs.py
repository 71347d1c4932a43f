"""Messages of the library on stderr: text for people, or one JSON object per line."""

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

#: Attributes that a record may have in addition to its text.
EXTRA = ("hint", "run", "command", "error", "exit_code")
_STYLES = {"warning": YELLOW, "error": RED}


class Messages(logging.Handler):
    """Writes log records to the current ``sys.stderr``."""

    def __init__(self, log_format: str) -> None:
        super().__init__()
        self.log_format = log_format

    def emit(self, record: logging.LogRecord) -> None:
        try:
            for line in self._lines(record):
                say(line)
        except Exception:
            self.handleError(record)

    def _lines(self, record: logging.LogRecord) -> list[str]:
        if self.log_format == "json":
            return [_json_line(record)]
        level, text = record.levelname.lower(), record.getMessage()
        if record.exc_info:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        lines = [escape_controls(part) for part in text.split("\n")]
        if level == "debug":
            lines[0] = f"debug: {record.name}: {lines[0]}"
            return [styled(line, DIM, sys.stderr) for line in lines]
        head = wrapped(f"{level}: {lines[0]}", sys.stderr).removeprefix(f"{level}: ")
        lines = [head, *map(_sample, lines[1:])]
        if level == "info":
            return lines
        mark = styled(f"{level}:", _STYLES.get(level, BOLD), sys.stderr)
        lines[0] = f"{mark} {lines[0]}"
        hints = getattr(record, "hint", "").splitlines()
        return [*lines, *(wrapped(f"  {escape_controls(hint)}", sys.stderr) for hint in hints)]


def _json_line(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    line: dict[str, Any] = {
        "at": at,
        "level": record.levelname.lower(),
        "message": record.getMessage(),
        "run_id": run_context.RUN_ID.get(),
        "step": run_context.STEP.get(),
    }
    line |= {name: getattr(record, name) for name in EXTRA if hasattr(record, name)}
    if record.exc_info:
        line["traceback"] = logging.Formatter().formatException(record.exc_info)
    return json.dumps(plain(line), allow_nan=False)


def _sample(line: str) -> str:
    """A line that shows data: relative paths, cut to the width of a terminal."""
    line = line.replace(f"{Path.cwd()}/", "")
    room = width_of(sys.stderr)
    return line if room is None else shortened(line, room)


def configure(log_format: str, *, verbose: bool, quiet: bool) -> None:
    """Sends the library's messages to stderr."""
    handler = Messages(log_format)
    level = logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO
    logger = logging.getLogger("sparkify_dwh")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(level)
