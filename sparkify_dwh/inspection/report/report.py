"""A report, and writing it to a file: completely or not at all, and over nothing but a page."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from dataclasses import dataclass
from html import escape
from pathlib import Path

from ...core.errors import UsageError

_START = b"<!doctype html>"


@dataclass(frozen=True, repr=False)
class Report:
    """One self-contained HTML page about a warehouse.

    :param html: the page.
    """

    html: str

    def __repr__(self) -> str:
        return f"Report({len(self.html):,} characters)"

    def _repr_html_(self) -> str:
        return (
            f'<iframe title="Warehouse report" srcdoc="{escape(self.html)}" '
            'sandbox="allow-scripts" width="100%" height="800"></iframe>'
        )

    def write(self, path: str | Path) -> Path:
        """Writes the page to a file, completely or not at all; returns its path.

        An existing file is replaced if it is an HTML page or empty; a pipe or device is written
        to.

        :raises UsageError: when the path is a folder or another kind of file, or cannot be
            written.
        """
        place = writable(path)
        data = self.html.encode("utf-8")
        try:
            if place.exists() and not place.is_file():
                place.write_bytes(data)
            else:
                _replace(place, data)
        except OSError as error:
            raise _unwritable(path, error) from None
        return place


def writable(path: str | Path) -> Path:
    """The file of a path, links resolved, if a report may be written to it.

    :raises UsageError: when it is a folder, its folder does not exist, or it is a file other than
        an HTML page.
    """
    if not str(path):
        raise UsageError("no file is named", "name one, such as report.html")
    try:
        place = Path(path).resolve()
        if place.is_dir():
            raise UsageError(f"{path} is a folder", "name a file in it, such as report.html")
        if not place.parent.is_dir():
            raise UsageError(f"the folder {place.parent} does not exist", "create it first")
        if place.is_file():
            with place.open("rb") as file:
                start = file.read(len(_START))
            if start and start.lower() != _START:
                raise UsageError(
                    f"{path} exists and is not an HTML page", "choose another name, or remove it"
                )
    except OSError as error:
        raise _unwritable(path, error) from None
    except ValueError:  # a NUL in the name
        raise UsageError(f"{str(path)!r} is not a file name", "choose another") from None
    return place


def _replace(place: Path, data: bytes) -> None:
    """Replaces a file atomically, keeping its permissions."""
    new = place.with_name(f".{place.name[:40]}.{secrets.token_hex(6)}")
    try:
        with new.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            new.chmod(stat.S_IMODE(place.stat().st_mode))
        new.replace(place)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink()
        raise


def _unwritable(path: str | Path, error: OSError) -> UsageError:
    return UsageError(f"{path} cannot be written: {error.strerror}", "choose another path")
