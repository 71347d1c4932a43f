"""The file of a DuckDB database: whether it exists, and how a new one is created."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from pathlib import Path

import duckdb


def is_database(path: Path) -> bool:
    """Whether there is something at a path, other than an empty file."""
    try:
        return path.is_dir() or path.stat().st_size > 0
    except OSError:
        return False


def create_database(path: Path) -> None:
    """Creates a new database completely, or not at all if that fails or is interrupted.

    DuckDB does not accept an empty file as a database, and leaves one where the disk is full.

    :raises duckdb.Error: when DuckDB cannot write it.
    :raises OSError: when it cannot get its name.
    """
    new = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_native_id()}")
    try:
        duckdb.connect(str(new)).close()
        _put_in_place(new, path)
    finally:
        for left in (new, Path(f"{new}.wal")):
            with contextlib.suppress(OSError):
                left.unlink()


def _put_in_place(new: Path, path: Path) -> None:
    """Gives a new database its name, unless another loader created one meanwhile."""
    try:
        path.hardlink_to(new)
        return
    except FileExistsError:
        pass
    with path.open("r+b") as empty:
        fcntl.lockf(empty, fcntl.LOCK_EX)
        locked = os.fstat(empty.fileno())
        if locked.st_size == 0 and locked.st_ino == path.stat().st_ino:
            new.chmod(locked.st_mode & 0o7777)
            new.replace(path)
