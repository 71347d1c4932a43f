"""Writing to stdout and stderr: text, JSON and CSV, with colours on a terminal."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

from ..core.safe_text import ACTIVE, escape_controls

BOLD, DIM, RED, YELLOW, GREEN = "1", "2", "31", "33", "32"


class OutputError(Exception):
    """Stdout cannot be written, for another reason than a reader that left."""


class ReaderGone(OutputError):
    """The reader of stdout, such as `head`, closed it."""


# Streams ----------------------------------------------------------------------------------


def emit(text: str) -> None:
    """Writes text and a line end to stdout.

    :raises ReaderGone: when the reader closed it.
    :raises OutputError: when stdout is closed or full.
    """
    emit_bytes((text + "\n").encode("utf-8", "backslashreplace"))


def emit_bytes(data: bytes) -> None:
    """Writes bytes to stdout as they are; raises like ``emit``."""
    if sys.stdout is None:
        raise OutputError("stdout is closed")
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise ReaderGone from None
    except (OSError, ValueError) as error:
        raise unwritable(error) from None


def unwritable(error: Exception) -> OutputError:
    """The error for a stdout that cannot be written."""
    reason = getattr(error, "strerror", None) or error
    return OutputError(f"stdout cannot be written: {reason}")


def say(text: str) -> None:
    """Writes a line to stderr; ignores a stderr that cannot be written."""
    try:
        if sys.stderr is not None:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()
    except (OSError, ValueError):
        pass


def silence(stream: TextIO | None) -> None:
    """Redirects a broken stream to nothing, so that Python does not complain when it exits."""
    try:
        if stream is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (OSError, ValueError):
        pass


def is_terminal(stream: TextIO | None) -> bool:
    """Whether the stream is an open terminal."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def is_interactive() -> bool:
    """Whether somebody can answer a question."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)


def ask(question: str) -> str:
    """Asks on stderr; returns a line of stdin, "" at its end."""
    sys.stderr.write(question + " ")
    sys.stderr.flush()
    return sys.stdin.readline() if sys.stdin else ""


def agrees(answer: str) -> bool:
    """Whether an answer to ``[y/N]`` is yes."""
    return answer.strip().lower() in ("y", "yes")


def colours(stream: TextIO | None) -> bool:
    """Whether a stream gets colours: a terminal does, unless NO_COLOR or TERM=dumb is set."""
    return (
        is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    )


def styled(text: str, style: str, stream: TextIO | None) -> str:
    """The text in a style, if the stream gets colours."""
    return f"\x1b[{style}m{text}\x1b[0m" if colours(stream) and text else text


def width_of(stream: TextIO | None) -> int | None:
    """Columns of a terminal; None if the stream is not one."""
    return shutil.get_terminal_size((80, 24)).columns if is_terminal(stream) else None


# Values -----------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """A value as plain JSON types: times in ISO 8601, NaN and infinity as null."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return plain(float(value)) if value % 1 else int(value)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, dict):
        return {key if isinstance(key, str) else str(key): plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(each) for each in value]
    return str(value)


def to_json(value: Any) -> str:
    """Indented JSON without characters that act on a terminal."""
    text = json.dumps(plain(value), ensure_ascii=False, indent=2, allow_nan=False)
    # Outside strings, line ends are the only such characters that JSON has.
    return ACTIVE.sub(lambda m: m[0] if m[0] == "\n" else json.dumps(m[0])[1:-1], text)


def emit_json(value: Any) -> None:
    """Writes a value to stdout as JSON."""
    emit(to_json(value))


def records(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[dict[str, Any]]:
    """Rows as objects; a repeated name gets a number."""
    names: list[str] = []
    for name in columns:
        number, unique = 1, name
        while unique in names:
            number += 1
            unique = f"{name}_{number}"
        names.append(unique)
    return [dict(zip(names, row, strict=True)) for row in rows]


def emit_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Writes CSV with a header (RFC 4180, except line ends): NULL is empty, times are ISO 8601."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        values = (plain(value) for value in row)
        writer.writerow(
            [
                json.dumps(v, ensure_ascii=False) if isinstance(v, (dict, list, bool)) else v
                for v in values
            ]
        )
    emit_bytes(buffer.getvalue().encode("utf-8", "backslashreplace"))


def cell(value: Any) -> str:
    """A value as a table shows it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        spec = "microseconds" if value.microsecond % 1000 else "milliseconds"
        return value.isoformat(" ", spec if value.microsecond else "seconds")
    if isinstance(value, str):
        return escape_controls(value)
    if isinstance(value, (dict, list, tuple)):
        return escape_controls(json.dumps(plain(value), ensure_ascii=False))
    return escape_controls(str(value))


def relative_path(path: str) -> str:
    """The path relative to the working directory, if it is below it."""
    return path.removeprefix(f"{Path.cwd()}/")
