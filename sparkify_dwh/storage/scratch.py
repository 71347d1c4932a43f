"""Scratch folders, removed with their process, or by the next one if it was killed.

A running process holds an advisory lock on each of its folders. A folder that can be locked
belongs to a process that was killed, and the next one removes it: a lock, unlike a process id, is
not reused and means the same inside and outside of a container.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from ..core.errors import DatabaseError

#: Unlikely to be a user's own folder: any unlocked folder with this prefix is removed.
PREFIX = "sparkify-scratch-"
_NEW = ".sparkify-scratch-"


class Scratch:
    """A private folder, made on first use and removed by ``close``."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._lock = -1

    @property
    def path(self) -> Path:
        """:raises DatabaseError: when no folder can be made."""
        if self._folder is None:
            remove_abandoned()
            try:
                self._make()
            except OSError as error:
                raise write_error(error, tempfile.gettempdir) from error
        assert self._folder is not None
        return self._folder

    def _make(self) -> None:
        # Locked under another name first, so that no process removes it before it is locked.
        folder = Path(tempfile.mkdtemp(prefix=_NEW))
        self._folder = folder
        self._lock = os.open(folder, os.O_RDONLY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._folder = folder.rename(folder.with_name(PREFIX + folder.name.removeprefix(_NEW)))

    def close(self) -> None:
        """Removes the folder and its content; never fails."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def write_error(error: OSError, folder: object) -> DatabaseError:
    """The error for a failed write of a temporary file.

    :param folder: the folder, or a function that returns it.
    """
    try:
        place = folder() if callable(folder) else folder
    except OSError:
        return DatabaseError(f"there is no folder for temporary files: {error}", "set TMPDIR")
    return DatabaseError(
        f"temporary files cannot be written to {place}: {error.strerror or error}",
        "free some space there, or name another folder: TMPDIR",
    )


def remove_abandoned() -> None:
    """Removes the scratch folders of this user's killed processes; never fails."""
    with contextlib.suppress(OSError):
        for found in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError):
                _remove_if_unlocked(found)


def _remove_if_unlocked(folder: Path) -> None:
    if folder.is_symlink() or not folder.is_dir() or folder.stat().st_uid != os.getuid():
        return
    lock = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
