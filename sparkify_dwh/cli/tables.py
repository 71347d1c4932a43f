"""Aligned text tables: complete in a pipe, fitted to the width of a terminal."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time
from numbers import Number
from typing import Any, TextIO

from ..core.quantity import digits
from .output import BOLD, cell, relative_path, styled, width_of

_GAP = "  "
#: The narrowest a column of text gets; a table that still does not fit shows one value per line.
_LEAST = 12


class RightAligned(str):
    """A formatted number, aligned to the right."""


class PathText(str):
    """A path; one that is too long loses its start."""


def figure(number: int) -> RightAligned:
    """A whole number for a table."""
    return RightAligned(digits(number))


def path_text(path: str) -> PathText:
    """A path for a table, relative to the working directory if it is below it."""
    return PathText(relative_path(path))


def text_width(text: str) -> int:
    """Columns of a terminal that a text occupies; wide characters occupy two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def shortened(text: str, width: int, *, left: bool = False) -> str:
    """The text, cut at its end to at most this many columns; … marks the cut.

    :param left: cut at the start instead.
    """
    if text_width(text) <= width:
        return text
    part = text
    while part and text_width(part) > width - 1:
        excess = max(1, (text_width(part) - width + 1) // 2)
        part = part[excess:] if left else part[:-excess]
    return "…" + part if left else part + "…"


def wrapped(text: str, stream: TextIO | None, indent: str = "  ") -> str:
    """A sentence; on a terminal it is wrapped between words."""
    room = width_of(stream)
    if room is None or len(text) <= room:
        return text
    return textwrap.fill(text, room, subsequent_indent=indent, break_on_hyphens=False)


def padded(text: str, width: int, right: bool) -> str:
    """The text padded with blanks to a width in columns of the terminal."""
    fill = " " * (width - text_width(text))
    return fill + text if right else text + fill


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    stream: TextIO | None,
    *,
    styles: Sequence[str | None] = (),
    whole: bool = False,
) -> str:
    """A table as text.

    :param columns: headings, of one or more lines.
    :param stream: where the table will be shown; a terminal's width limits that of the table.
    :param styles: colour of each row.
    :param whole: cut nothing off and let the terminal wrap long lines.
    """
    values = [list(row) for row in rows]
    rigid = [_is_rigid(row[i] for row in values) for i in range(len(columns))]
    right = [_is_number(row[i] for row in values) for i in range(len(columns))]
    paths = [any(isinstance(row[i], PathText) for row in values) for i in range(len(columns))]
    cells = [[cell(value) for value in row] for row in values]
    heads = [[cell(line) for line in name.split("\n")] for name in columns]
    widths = [
        max([*map(text_width, heads[i]), *(text_width(row[i]) for row in cells)], default=0)
        for i in range(len(columns))
    ]
    room = None if whole else width_of(stream)
    if room is not None:
        fitted = _fit(widths, rigid, [max(map(text_width, h)) for h in heads], room)
        if fitted is None:
            return _expanded(heads, cells, room, stream)
        widths = fitted
    depth = max((len(head) for head in heads), default=0)
    padded_heads = [[""] * (depth - len(head)) + head for head in heads]
    lines = [
        styled(_line([head[level] for head in padded_heads], widths, right, paths), BOLD, stream)
        for level in range(depth)
    ]
    lines.append(_GAP.join("─" * width for width in widths))
    for number, row in enumerate(cells):
        line = _line(row, widths, right, paths)
        style = styles[number] if number < len(styles) else None
        lines.append(styled(line, style, stream) if style else line)
    return "\n".join(lines)


def _is_number(values: Iterable[Any]) -> bool:
    given = [value for value in values if value is not None]
    return bool(given) and all(
        isinstance(v, RightAligned) or (isinstance(v, Number) and not isinstance(v, bool))
        for v in given
    )


def _is_rigid(values: Iterable[Any]) -> bool:
    """Whether a cut would make the column meaningless: numbers and times."""
    given = [value for value in values if value is not None]
    return _is_number(given) or any(isinstance(v, date | time) for v in given)


def _line(
    row: Sequence[str], widths: Sequence[int], right: Sequence[bool], paths: Sequence[bool]
) -> str:
    parts = [
        padded(shortened(text, width, left=is_path), width, is_right)
        for text, width, is_right, is_path in zip(row, widths, right, paths, strict=True)
    ]
    return _GAP.join(parts).rstrip()


def _fit(
    widths: Sequence[int], rigid: Sequence[bool], heads: Sequence[int], room: int
) -> list[int] | None:
    """Widths after narrowing the widest columns of text; None if they cannot fit."""
    fitted = list(widths)
    least = [
        width if is_rigid else min(width, max(_LEAST, min(head, width)))
        for width, is_rigid, head in zip(widths, rigid, heads, strict=True)
    ]
    available = room - len(_GAP) * max(0, len(fitted) - 1)
    if sum(least) > available:
        return None
    while sum(fitted) > available:
        narrowable = (i for i in range(len(fitted)) if fitted[i] > least[i])
        fitted[max(narrowable, key=fitted.__getitem__)] -= 1
    return fitted


def _expanded(
    heads: Sequence[Sequence[str]],
    cells: Sequence[Sequence[str]],
    room: int,
    stream: TextIO | None,
) -> str:
    """One value per line, for rows too wide for the terminal."""
    names = [" ".join(head) for head in heads]
    wide = max(map(text_width, names))
    lines = []
    for number, row in enumerate(cells, 1):
        lines.append(styled(f"── row {number} ──", BOLD, stream))
        lines += [
            f"{padded(name, wide, False)}  {shortened(text, max(8, room - wide - 2))}".rstrip()
            for name, text in zip(names, row, strict=True)
        ]
    return "\n".join(lines) if lines else "no rows; columns: " + ", ".join(names)


def removed_rows(removed: Mapping[str, int]) -> str:
    """A table of the rows removed from each table."""
    rows = [(name, figure(n)) for name, n in removed.items()]
    return table(("table", "rows"), rows, sys.stdout)
