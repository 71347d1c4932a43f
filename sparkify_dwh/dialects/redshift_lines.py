"""From the lines that COPY refused something in to the records that it means.

COPY tells the last line of a record and a code. What the reader makes of that line is matched with
it; behind a record that is no JSON COPY goes on at the next line, so the reader's records in the
rest of the line are told too, or they would be lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import IO

from .. import locate, records
from ..declare import Source
from .redshift_copy import INVALID_JSON, RULES
from .redshift_views import LoadError

_TEXT_RULES = ("invalid_utf8", "nul_character", "lone_surrogate")


def windows(file: IO[bytes], wanted: Mapping[int, object]) -> Iterator[tuple[int, int, bytes]]:
    """For each wanted line: its number, the first line of its window, the window's bytes.

    The window starts behind the wanted line before it, or at the last line that begins with ``{``,
    where a record over several lines begins.
    """
    buffer: list[bytes] = []
    first, size, last = 1, 0, max(wanted, default=0)
    for number, line in enumerate(file, 1):
        if line.startswith(b"{") or size > 2 * records.MAX_RECORD or number - 1 in wanted:
            buffer, first, size = [], number, 0
        buffer.append(line)
        size += len(line)
        if number in wanted:
            yield number, first, b"".join(buffer)
        if number >= last:
            return


def ending_at(window: bytes, first: int, line: int, source: Source) -> list[records.Record]:
    """The records of a window that end in its last line."""
    found = list(_ending(window, first, line, source))
    if not found or (found[0].line < line and found[0].rule == "malformed_json"):
        # A record without an end swallows the lines after it, which COPY does not hold it to.
        alone = window.rstrip(b"\r\n").rsplit(b"\n", 1)[-1]
        parts = list(_ending(alone, line, line, source))
        if not found or all(part.rule != "malformed_json" for part in parts):
            found = parts or [records.Record(line, alone.strip(b" \t\r\n"), "malformed_json", {})]
    return found


def _ending(text: bytes, first: int, line: int, source: Source) -> Iterator[records.Record]:
    for part in records.split(text, source.keys, first):
        if part.line + part.raw.count(b"\n") == line:
            yield part


def matched(
    errors: Sequence[LoadError], found: Sequence[records.Record], source: Source
) -> list[tuple[LoadError, records.Record]]:
    """Each error of a line with the record that it means, and the records that COPY passed over."""
    pairs: list[tuple[LoadError, records.Record]] = []
    start = 0
    for error in errors:
        left = found[start:]
        likely = (n for n, record in enumerate(left) if _may_mean(error, record, source))
        number = next(likely, 0)
        pairs.append((error, left[number] if left else found[-1]))
        start += number + 1
    if errors[-1].code in INVALID_JSON:
        pairs += [(errors[-1], record) for record in found[start:]]
    return pairs


def _may_mean(error: LoadError, record: records.Record, source: Source) -> bool:
    if error.code in INVALID_JSON:
        return len(record.raw) > records.MAX_RECORD or not _is_json(record.raw)
    if RULES.get(error.code) == "invalid_utf8":
        return record.rule in _TEXT_RULES
    texts = locate.staged(source, record)
    return not fits(source, dict(zip(source.keys.values(), texts, strict=True)))


def fits(source: Source, values: Mapping[str, str | None]) -> bool:
    """Whether staging can hold the texts of a record."""
    return all(
        len((values[c.name] or "").encode("utf-8", "surrogatepass")) <= (c.type.length or 0)  # type: ignore[attr-defined]
        for c in source.columns
    )


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _is_json(raw: bytes) -> bool:
    try:
        json.loads(raw.decode("utf-8", "surrogateescape"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return False
    return True
