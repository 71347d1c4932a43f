"""From the lines that COPY refused something in to the records that it means.

COPY tells the last line of a record and a code. What the reader makes of that line is matched with
it; behind a record that is no JSON COPY goes on at the next line, so the reader's records in the
rest of the line are told too, or they would be lost.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, cast

from ...models.declare import Source
from ...steps import locate
from ...storage import json_records
from .load_views import LoadError
from .statements import INVALID_JSON, RULES

_TEXT_RULES = ("invalid_utf8", "nul_character", "lone_surrogate")


@dataclass(frozen=True)
class Window:
    """The part of a file in which a record that ends in some line must start.

    :param first: number of the line at ``start``.
    :param alone: where the last line starts.
    """

    file: BinaryIO
    first: int
    start: int
    alone: int
    end: int

    def ending(
        self, source: Source, line: int, *, alone: bool = False
    ) -> list[json_records.Record]:
        """Those that end in the last line; of that line alone where so asked."""
        first, start = (line, self.alone) if alone else (self.first, self.start)
        part = cast(BinaryIO, _Slice(self.file, start, self.end))
        found = json_records.split(part, source.keys, first)
        return [each for each in found if each.last_line == line]

    def line(self, line: int) -> json_records.Record:
        """The last line as a record that is none."""
        text = _Slice(self.file, self.alone, self.end).read(json_records.MAX_RECORD)
        left = self.end - self.alone - len(text)
        return json_records.Record(line, text.strip(b" \t\r\n"), "malformed_json", {}, (left, 0))


class _Slice:
    """A part of a file, read as a file; where the file itself stands does not matter."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self.file, self.at, self.end = file, start, end

    def read(self, size: int) -> bytes:
        found = os.pread(self.file.fileno(), min(size, self.end - self.at), self.at)
        self.at += len(found)
        return found


def windows(file: BinaryIO, wanted: Mapping[int, object]) -> Iterator[tuple[int, Window]]:
    """For each wanted line: its number and its window.

    The window starts behind the wanted line before it, or at the last line that begins with ``{``,
    where a record over several lines begins. Memory holds a part of a line that is long.
    """
    first = start = alone = end = 0
    number, last, fresh = 0, max(wanted, default=0), True
    while number < last or not fresh:
        part = file.readline(json_records.MAX_RECORD)
        if fresh:
            number, alone = number + 1, end
            far = alone - start > 2 * json_records.MAX_RECORD or number - 1 in wanted
            if number == 1 or far or part.startswith(b"{"):
                first, start = number, alone
        end += len(part)
        ended, fresh = not part and not fresh, part.endswith(b"\n")
        if number in wanted and (fresh or ended):
            yield number, Window(file, first, start, alone, end)
        if not part:
            return


def ending_at(
    window: Window, line: int, errors: Sequence[LoadError], source: Source
) -> list[json_records.Record]:
    """The records of a window that end in its last line, where COPY refused some."""
    found = window.ending(source, line)
    if not found:
        return window.ending(source, line, alone=True) or [window.line(line)]
    if found[0].line < line and found[0].rule == "malformed_json":
        # A record without an end swallows the lines after it, which COPY does not hold it to.
        parts = window.ending(source, line, alone=True)
        meant = any(_may_mean(error, part, source) for error in errors for part in parts)
        if meant and all(part.rule != "malformed_json" for part in parts):
            return parts
    return found


def matched(
    errors: Sequence[LoadError], found: Sequence[json_records.Record], source: Source
) -> list[tuple[LoadError, json_records.Record]]:
    """Each error of a line with the record that it means, and the records that COPY passed over."""
    pairs: list[tuple[LoadError, json_records.Record]] = []
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


def _may_mean(error: LoadError, record: json_records.Record, source: Source) -> bool:
    if error.code in INVALID_JSON:
        return record.size > json_records.MAX_RECORD or not _is_json(record.raw)
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
