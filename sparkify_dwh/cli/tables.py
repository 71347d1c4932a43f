"""Aligned text tables: whole in a pipe, fitted to the width of a terminal."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time
from numbers import Number
from typing import Any, TextIO

from .output import BOLD, cell, count, relative_path, styled, width_of

_GAP = "  "
#: A column of text is not made narrower than this; a wider table shows one value a line.
_LEAST = 12


class RightAligned(str):
    """A number already formatted, set flush right."""


class PathText(str):
    """A path: where it is too long, its start is cut off."""


def figure(number: int) -> RightAligned:
    """A whole number for a table."""
    return RightAligned(count(number))


def path_text(path: str) -> PathText:
    """A path for a table, relative to the working directory where it lies below."""
    return PathText(relative_path(path))


def text_width(text: str) -> int:
    """Columns of a terminal that a text takes; wide characters take two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def shortened(text: str, width: int, *, left: bool = False) -> str:
    """Text of at most so many columns; what is cut off, at the end or the start, becomes …"""
    if text_width(text) <= width:
        return text
    kept = text
    while kept and text_width(kept) > width - 1:
        over = max(1, (text_width(kept) - width + 1) // 2)
        kept = kept[over:] if left else kept[:-over]
    return "…" + kept if left else kept + "…"


def wrapped(text: str, stream: TextIO | None, indent: str = "  ") -> str:
    """A sentence, broken between words where it is shown on a terminal."""
    room = width_of(stream)
    if room is None or len(text) <= room:
        return text
    return textwrap.fill(text, room, subsequent_indent=indent, break_on_hyphens=False)


def padded(text: str, width: int, right: bool) -> str:
    """The text filled up with blanks to a width in columns of the terminal."""
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

    :param columns: headings; a heading may have two lines.
    :param stream: where it will be shown: its terminal's width bounds the table.
    :param styles: colour of each row.
    :param whole: nothing is cut off; a terminal breaks the lines.
    """
    kept = [list(row) for row in rows]
    rigid = [_is_rigid(row[i] for row in kept) for i in range(len(columns))]
    right = [_is_number(row[i] for row in kept) for i in range(len(columns))]
    tails = [any(isinstance(row[i], PathText) for row in kept) for i in range(len(columns))]
    cells = [[cell(value) for value in row] for row in kept]
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
        styled(_line([head[level] for head in padded_heads], widths, right, tails), BOLD, stream)
        for level in range(depth)
    ]
    lines.append(_GAP.join("─" * width for width in widths))
    for number, row in enumerate(cells):
        line = _line(row, widths, right, tails)
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
    """Whether a column means nothing when a part of it is cut off: numbers and times."""
    given = [value for value in values if value is not None]
    return _is_number(given) or any(isinstance(v, date | time) for v in given)


def _line(
    row: Sequence[str], widths: Sequence[int], right: Sequence[bool], tails: Sequence[bool]
) -> str:
    parts = [
        padded(shortened(text, width, left=tail), width, flush)
        for text, width, flush, tail in zip(row, widths, right, tails, strict=True)
    ]
    return _GAP.join(parts).rstrip()


def _fit(
    widths: Sequence[int], rigid: Sequence[bool], heads: Sequence[int], room: int
) -> list[int] | None:
    """Narrower columns of text, the widest first; None where they cannot fit."""
    found = list(widths)
    least = [
        width if whole else min(width, max(_LEAST, min(head, width)))
        for width, whole, head in zip(widths, rigid, heads, strict=True)
    ]
    spare = room - len(_GAP) * max(0, len(found) - 1)
    if sum(least) > spare:
        return None
    while sum(found) > spare:
        widest = max((i for i in range(len(found)) if found[i] > least[i]), key=lambda i: found[i])
        found[widest] -= 1
    return found


def _expanded(
    heads: Sequence[Sequence[str]],
    cells: Sequence[Sequence[str]],
    room: int,
    stream: TextIO | None,
) -> str:
    """One value a line, for rows too wide for the terminal."""
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
    """How many rows of each table were removed."""
    rows = [(name, figure(n)) for name, n in removed.items()]
    return table(("table", "rows"), rows, sys.stdout)
