"""DuckDB's errors as ours, with what to do about each."""

from __future__ import annotations

import re
from pathlib import Path

from ...core.errors import DatabaseError

_HELD = re.compile(
    r"[Ll]ock is (already )?held in "
    r"((?P<program>\S.*?) \(PID (?P<pid>\d+)\)|PID (?P<bare>\d+)|current)"
)
_OTHER_CONFIGURATION = "different configuration"
#: While one thread closes a database and another opens it.
_CLOSING = "Unique file handle conflict"

#: Parts of the text of an error, in lower case; what happened to the file; what to do.
_MEANINGS = (
    (
        ("no space left", "file too large", "quota exceeded", "could not write"),
        "cannot be written: no space left",
        "free some space, then try again",
    ),
    (
        ("permission denied", "read-only", "operation not permitted"),
        "may not be opened or written by this user",
        "allow it, or name another file: --database-url",
    ),
    (
        ("not a valid duckdb",),
        "is not a DuckDB database",
        "name another file: --database-url duckdb:///file.duckdb",
    ),
    (
        ("with version number", "newer version of duckdb", "older version of duckdb"),
        "was written by another version of DuckDB",
        "upgrade it: pip install -U duckdb",
    ),
    (
        ("corrupt", "checksum", "could not read enough bytes", "serialization", "replaying wal"),
        "is damaged",
        "restore it from a copy, or load everything again into another file",
    ),
    (
        ("out of memory", "failed to offload", "max_temp_directory_size"),
        "needs more memory or temporary space",
        "allow more memory: --memory-limit, or free some space next to the file",
    ),
    (
        (
            "memory_limit",
            "memory limit",
            "unit for memory",
            "memory must",
            "memory cannot",
            "memory value",
        ),
        "rejects the memory limit",
        "write it like 2GiB",
    ),
    (
        ("database has been invalidated",),
        "was closed after an error",
        "try again; -v shows the first error",
    ),
)


def _text(error: BaseException) -> str:
    lines = str(getattr(error, "orig", error)).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def database_error(error: BaseException, path: str) -> DatabaseError:
    """An error of the driver, or of the file, as one of ours."""
    lowered = _text(error).lower()
    text = re.sub(r"^[\w ]+ Error: ", "", _text(error))
    if Path(path).is_dir():
        return DatabaseError(
            f"{path} is a folder, not a database", "name a file: duckdb:///file.duckdb"
        )
    for signs, what, hint in _MEANINGS:
        if any(sign in lowered for sign in signs):
            return DatabaseError(f"{path} {what}: {text}", hint)
    return DatabaseError(f"{path}: {text}", "-v shows the traceback")


def is_other_configuration(error: BaseException) -> bool:
    """Whether this process has the database open in another mode."""
    return _OTHER_CONFIGURATION in _text(error)


def holder_of(error: BaseException) -> str | None:
    """Who has the database open; None for other errors."""
    if is_other_configuration(error) or _CLOSING in _text(error):
        return "another connection of this process"
    found = _HELD.search(_text(error))
    if found is None:
        return None
    if found["pid"]:
        return f"{Path(found['program']).name} (process {found['pid']})"
    return f"process {found['bare']}" if found["bare"] else "another connection of this process"


def is_conflict(error: BaseException) -> bool:
    """Whether another transaction wrote the same rows; a full disk is not a conflict."""
    return "onflict" in _text(error) and holder_of(error) is None
