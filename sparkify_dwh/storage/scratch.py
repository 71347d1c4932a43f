"""Scratch folders that outlive neither their process nor, for long, a killed one.

A living process holds an advisory lock on each of its folders. A folder that can be locked belongs
to a process that was killed, and the next one removes it: a lock, unlike a process id, is not
reused and means the same inside and outside of a container.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from ..core.errors import DatabaseError

#: Long enough to be no folder of a user: what is named so and not locked is removed.
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
            sweep()
            try:
                self._make()
            except OSError as error:
                raise no_room(error, tempfile.gettempdir) from error
        assert self._folder is not None
        return self._folder

    def _make(self) -> None:
        # Locked under another name first: nobody sweeps it between its making and its locking.
        made = Path(tempfile.mkdtemp(prefix=_NEW))
        self._folder = made
        self._lock = os.open(made, os.O_RDONLY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._folder = made.rename(made.with_name(PREFIX + made.name.removeprefix(_NEW)))

    def close(self) -> None:
        """Removes the folder with all it holds; never fails."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def no_room(error: OSError, folder: object) -> DatabaseError:
    """What a failed write outside the database means, and what to do about it.

    :param folder: where it was written, or a function that knows.
    """
    try:
        place = folder() if callable(folder) else folder
    except OSError:
        return DatabaseError(f"there is no folder for temporary files: {error}", "set TMPDIR")
    return DatabaseError(
        f"temporary files cannot be written to {place}: {error.strerror or error}",
        "free some space there, or name another folder: TMPDIR",
    )


def sweep() -> None:
    """Removes the scratch folders of this user's processes that were killed; never fails."""
    with contextlib.suppress(OSError):
        for found in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError):
                _sweep(found)


def _sweep(folder: Path) -> None:
    if folder.is_symlink() or not folder.is_dir() or folder.stat().st_uid != os.getuid():
        return
    lock = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
