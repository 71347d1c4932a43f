"""Gzip: unpacked piece by piece, and not beyond what a log packs to.

A megabyte of gzip may hold a gigabyte. What is larger than any log packed that well is refused
like gzip that does not decode, before it fills the disk.
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
#: Bytes that any gzip may unpack to.
FREE = 64 * 1024 * 1024
#: Times its size that a larger one may unpack to. Logs pack 10 to 30 times smaller; the limit of
#: the format is 1,032.
RATIO = 200
_CHUNK = 1024 * 1024


def inflate(file: BinaryIO, size: int) -> Iterator[bytes]:
    """The plain bytes of gzip, of several members too, in pieces of 1 MiB at most.

    :param size: bytes of the file.
    :raises zlib.error: when it does not decode, or unpacks to too much.
    """
    decoder = zlib.decompressobj(wbits=31)
    data, left = file.read(_CHUNK), max(FREE, RATIO * size)
    while data:
        part = decoder.decompress(data, _CHUNK)
        left -= len(part)
        if left < 0:
            raise zlib.error("it unpacks to too much")
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


def unpack(path: str, into: Path) -> str:
    """A gzip file as a plain file; memory does not grow with it.

    :raises zlib.error: when it does not decode, or unpacks to too much.
    """
    target = into / f"plain-{os.urandom(6).hex()}.json"
    try:
        with Path(path).open("rb") as packed, target.open("wb") as plain:
            plain.writelines(inflate(packed, os.fstat(packed.fileno()).st_size))
    except zlib.error:
        target.unlink()
        raise
    return str(target)


@contextmanager
def opened(path: str) -> Iterator[io.BufferedReader]:
    """A file for reading, unpacked on the way where it is gzip.

    :raises zlib.error: when it does not decode, or unpacks to too much; before anything is read.
    """
    with Path(path).open("rb") as file:
        packed = file.read(len(MAGIC)) == MAGIC
        file.seek(0)
        if packed:
            size = os.fstat(file.fileno()).st_size
            deque(inflate(file, size), maxlen=0)
            file.seek(0)
            yield io.BufferedReader(_Parts(inflate(file, size)), _CHUNK)
        else:
            yield file


class _Parts(io.RawIOBase):
    """Bytes that come in parts, read as a file."""

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
        found, self.left = self.left[: len(buffer)], self.left[len(buffer) :]
        buffer[: len(found)] = found
        return len(found)
