"""Finds the records that COPY refused in the lines that it reports.

COPY reports the last line of a record and a code, which are matched with the records that the
reader finds in that line. After a record that is not JSON, COPY continues at the next line, so any
further records in the same line are returned too, or they would be lost.
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
    """The part of a file that contains every record ending in one line.

    :param first: number of the line at ``start``.
    :param last_start: where the last line starts.
    """

    file: BinaryIO
    first: int
    start: int
    last_start: int
    end: int

    def ending(
        self, source: Source, line: int, *, alone: bool = False
    ) -> list[json_records.Record]:
        """The records that end in the last line.

        :param alone: whether to read that line on its own.
        """
        first, start = (line, self.last_start) if alone else (self.first, self.start)
        part = cast(BinaryIO, _Slice(self.file, start, self.end))
        records = json_records.split(part, source.keys, first)
        return [each for each in records if each.last_line == line]

    def malformed(self, line: int) -> json_records.Record:
        """The whole last line as one malformed record."""
        text = _Slice(self.file, self.last_start, self.end).read(json_records.MAX_RECORD)
        left = self.end - self.last_start - len(text)
        return json_records.Record(line, text.strip(b" \t\r\n"), "malformed_json", {}, (left, 0))


class _Slice:
    """A part of a file, read as a file of its own; leaves the file's position alone."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self.file, self.at, self.end = file, start, end

    def read(self, size: int) -> bytes:
        data = os.pread(self.file.fileno(), min(size, self.end - self.at), self.at)
        self.at += len(data)
        return data


def windows(file: BinaryIO, lines: Mapping[int, object]) -> Iterator[tuple[int, Window]]:
    """Each of these lines: its number and its window.

    A window starts after the previous of the lines, or at the last line that begins with ``{``, as
    a record over several lines does. A long line is read in parts.
    """
    first = start = last_start = end = 0
    number, last, fresh = 0, max(lines, default=0), True
    while number < last or not fresh:
        part = file.readline(json_records.MAX_RECORD)
        if fresh:
            number, last_start = number + 1, end
            far = last_start - start > 2 * json_records.MAX_RECORD or number - 1 in lines
            if number == 1 or far or part.startswith(b"{"):
                first, start = number, last_start
        end += len(part)
        ended, fresh = not part and not fresh, part.endswith(b"\n")
        if number in lines and (fresh or ended):
            yield number, Window(file, first, start, last_start, end)
        if not part:
            return


def records_at(
    window: Window, line: int, errors: Sequence[LoadError], source: Source
) -> list[json_records.Record]:
    """The records that end in the last line of a window, some of which COPY refused."""
    records = window.ending(source, line)
    if not records:
        return window.ending(source, line, alone=True) or [window.malformed(line)]
    if records[0].line < line and records[0].rule == "malformed_json":
        # To the reader an unfinished record includes the lines after it, to COPY it does not.
        parts = window.ending(source, line, alone=True)
        matches = any(_may_mean(error, part, source) for error in errors for part in parts)
        if matches and all(part.rule != "malformed_json" for part in parts):
            return parts
    return records


def match_errors(
    errors: Sequence[LoadError], records: Sequence[json_records.Record], source: Source
) -> list[tuple[LoadError, json_records.Record]]:
    """Each error of a line with the record that it means, then the records that COPY skipped."""
    pairs: list[tuple[LoadError, json_records.Record]] = []
    start = 0
    for error in errors:
        left = records[start:]
        likely = (n for n, record in enumerate(left) if _may_mean(error, record, source))
        number = next(likely, 0)
        pairs.append((error, left[number] if left else records[-1]))
        start += number + 1
    if errors[-1].code in INVALID_JSON:
        pairs += [(errors[-1], record) for record in records[start:]]
    return pairs


def _may_mean(error: LoadError, record: json_records.Record, source: Source) -> bool:
    if error.code in INVALID_JSON:
        return record.size > json_records.MAX_RECORD or not _is_json(record.raw)
    if RULES.get(error.code) == "invalid_utf8":
        return record.rule in _TEXT_RULES
    texts = locate.staged(source, record)
    return not fits_staging(source, dict(zip(source.keys.values(), texts, strict=True)))


def fits_staging(source: Source, values: Mapping[str, str | None]) -> bool:
    """Whether the texts of a record fit the columns of staging."""
    return all(
        len((values[c.name] or "").encode("utf-8", "surrogatepass")) <= (c.type.length or 0)  # type: ignore[attr-defined]
        for c in source.columns
    )


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _is_json(raw: bytes) -> bool:
    try:
        json.loads(raw.decode("utf-8", "surrogateescape"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return False
    return True
