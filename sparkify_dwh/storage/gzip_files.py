"""Gzip, decompressed piece by piece and only up to a limit.

A megabyte of gzip may hold a gigabyte. What exceeds any ratio that logs reach is refused like gzip
that does not decode, before it fills the disk.
"""

from __future__ import annotations

import io
import os
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

MAGIC = b"\x1f\x8b"
#: Plain bytes that any gzip may hold.
ALWAYS_ALLOWED = 64 * 1024 * 1024
#: Plain bytes that larger gzip may hold, as a multiple of its size. Logs reach 10 to 30; the
#: format's limit is 1,032.
MAX_RATIO = 200
_CHUNK = 1024 * 1024


def decompress(file: BinaryIO, size: int) -> Iterator[bytes]:
    """The plain bytes of gzip with one or more members, in pieces of 1 MiB at most.

    :param size: bytes of the file.
    :raises zlib.error: when it does not decode or exceeds the limit.
    """
    decoder = zlib.decompressobj(wbits=31)
    data, left = file.read(_CHUNK), max(ALWAYS_ALLOWED, MAX_RATIO * size)
    while data:
        part = decoder.decompress(data, _CHUNK)
        left -= len(part)
        if left < 0:
            raise zlib.error("it decompresses to too many bytes")
        yield part
        if decoder.eof:
            data = decoder.unused_data.lstrip(b"\0")  # zeros may follow a member
            while not data and (more := file.read(_CHUNK)):
                data = more.lstrip(b"\0")
            if data:
                decoder = zlib.decompressobj(wbits=31)
        else:
            data = decoder.unconsumed_tail or file.read(_CHUNK)
    if not decoder.eof:
        raise zlib.error("it ends too early")


def decompress_file(path: str, into: Path) -> str:
    """Decompresses a file into a new one; memory does not grow with its size.

    :raises zlib.error: when it does not decode or exceeds the limit.
    """
    target = into / f"plain-{os.urandom(6).hex()}.json"
    try:
        with Path(path).open("rb") as file, target.open("wb") as plain:
            plain.writelines(decompress(file, os.fstat(file.fileno()).st_size))
    except zlib.error:
        target.unlink()
        raise
    return str(target)


@contextmanager
def open_plain(path: str) -> Iterator[io.BufferedReader]:
    """A file opened for reading, decompressed on the fly where it is gzip.

    :raises zlib.error: before anything is read, when it does not decode or exceeds the limit.
    """
    with Path(path).open("rb") as file:
        is_gzip = file.read(len(MAGIC)) == MAGIC
        file.seek(0)
        if is_gzip:
            size = os.fstat(file.fileno()).st_size
            deque(decompress(file, size), maxlen=0)
            file.seek(0)
            yield io.BufferedReader(_Parts(decompress(file, size)), _CHUNK)
        else:
            yield file


class _Parts(io.RawIOBase):
    """An iterator of bytes as a readable file."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self.parts, self.left = parts, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.left:
            part = next(self.parts, None)
            if part is None:
                return 0
            self.left = part
        head, self.left = self.left[: len(buffer)], self.left[len(buffer) :]
        buffer[: len(head)] = head
        return len(head)
