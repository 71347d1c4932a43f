"""The entity-relationship diagram: tables and their foreign keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from markupsafe import Markup

from .markup import cut, element, picture

_WIDE, _ROW, _HEAD, _GAP, _BETWEEN, _MARGIN = 236.0, 20.0, 30.0, 84.0, 26.0, 34.0


@dataclass
class _Box:
    table: sa.Table
    x: float = 0.0
    y: float = 0.0

    @property
    def height(self) -> float:
        return _HEAD + _ROW * len(self.table.columns) + 8

    def row(self, column: str) -> float:
        """The y coordinate of a column."""
        return self.y + _HEAD + _ROW * (list(self.table.columns.keys()).index(column) + 0.5) + 2


def erd(name: str, title: str, tables: Sequence[sa.Table]) -> Markup:
    """Every table with its columns, types and keys, left of the tables it refers to."""
    columns = _arranged(tables)
    boxes: dict[sa.Table, _Box] = {}
    for i, column in enumerate(columns):
        y = _MARGIN
        for table in column:
            boxes[table] = _Box(table, 4 + i * (_WIDE + _GAP), y)
            y += boxes[table].height + _BETWEEN
    height = max((box.y + box.height for box in boxes.values()), default=40.0) + 16
    width = 8 + len(columns) * _WIDE + (len(columns) - 1) * _GAP
    edges = [
        (boxes[table], key)
        for table in boxes
        for key in sorted(table.foreign_keys, key=lambda key: key.parent.name)
        if key.column.table in boxes and key.column.table is not table
    ]
    if any(boxes[key.column.table].x <= box.x for box, key in edges):
        width += _GAP  # lines that lead back turn right of the tables
    paths = [_edge(boxes, box, key, n, height) for n, (box, key) in enumerate(edges)]
    marker = element(
        "marker",
        element("path", d="M0 0 L8 4 L0 8 z", class_="arrow"),
        id=f"{name}-arrow", viewBox="0 0 8 8", refX="8", refY="4", markerWidth="7",
        markerHeight="7", orient="auto",
    )  # fmt: skip
    description = ". ".join(
        f"{box.table.fullname}: {box.table.comment or ''}" for box in boxes.values()
    )
    description += ". " + "; ".join(
        f"{box.table.name}.{key.parent.name} refers to {key.column.table.name}.{key.column.name}"
        for box, key in edges
    )
    groups = [_draw(box) for box in boxes.values()]
    lines = [element("path", d=path, class_="edge", marker=f"url(#{name}-arrow)") for path in paths]
    return picture(
        name,
        title,
        description,
        width,
        height,
        element("defs", marker),
        *lines,
        *groups,
        class_="erd large" if len(columns) > 2 else "erd",
        width=width,
    )


def _arranged(tables: Sequence[sa.Table]) -> list[list[sa.Table]]:
    """Columns of tables, each right of all that refer to it; unrelated ones where there is room."""
    parents = {
        table: {key.column.table for key in table.foreign_keys} & set(tables) - {table}
        for table in tables
    }
    children = {table: {t for t in tables if table in parents[t]} for table in tables}
    depth: dict[sa.Table, int] = {}

    def deep(table: sa.Table, below: frozenset[sa.Table] = frozenset()) -> int:
        if table not in depth:
            others = children[table] - below
            depth[table] = max((deep(t, below | {table}) + 1 for t in others), default=0)
        return depth[table]

    related = [table for table in tables if parents[table] or children[table]]
    sides: list[list[sa.Table]] = [[] for _ in range(max(map(deep, related), default=-1) + 1)]
    for table in related:
        sides[deep(table)].append(table)
    alone = sorted((t for t in tables if t not in related), key=lambda t: -len(t.columns))
    sides += [[] for _ in range(min(3, len(alone)) - len(sides))]
    for table in alone:
        min(sides, key=lambda side: sum(len(t.columns) + 3 for t in side)).append(table)
    return sides


def _edge(
    boxes: dict[sa.Table, _Box], box: _Box, key: sa.ForeignKey, number: int, height: float
) -> str:
    """The path from a column to the one it refers to, around the tables between."""
    other = boxes[key.column.table]
    start, end = box.row(key.parent.name), other.row(key.column.name)
    x1, x2 = box.x + _WIDE, other.x
    # Lines that turn in the same gap do not overlap.
    turn = 14.0 + 9.0 * (number % 7)
    if other.x <= box.x:
        x2 = other.x + _WIDE
        return f"M{x1} {start} H{x1 + turn} V{end} H{x2}"
    between = [b for b in boxes.values() if x1 < b.x < x2]
    if not between:
        return f"M{x1} {start} H{x1 + turn} V{end} H{x2}"
    lane = _free_lane(between, (end, start), height, number)
    return f"M{x1} {start} H{x1 + turn} V{lane} H{x2 - turn} V{end} H{x2}"


def _free_lane(
    between: Iterable[_Box], preferred: Iterable[float], height: float, number: int
) -> float:
    """A y coordinate where no table is in the way."""
    boxes = list(between)
    offset = 6.0 * (number % 4)
    for y in (*preferred, _MARGIN - 10 - offset):
        if all(y < b.y - 4 or y > b.y + b.height + 4 for b in boxes):
            return y
    return height - 8


def _draw(box: _Box) -> Markup:
    table = box.table
    parts: list[Any] = [
        element("title", f"{table.fullname}: {table.comment or ''}"),
        element("rect", x=box.x, y=box.y, width=_WIDE, height=box.height, rx="8", class_="table"),
        element("path", d=_head(box), class_="head"),
        element("text", cut(table.fullname, 30), x=box.x + 12, y=box.y + 20, class_="name"),
    ]
    for column in table.columns:
        y = box.row(column.name) + 4
        marks = " ".join(["PK"] * column.primary_key + ["FK"] * bool(column.foreign_keys))
        text = element("tspan", cut(column.name, 20), class_="column")
        kind = str(column.type).replace("DATETIME", "TIMESTAMP")
        parts += [
            element("text", text, x=box.x + 12, y=y),
            element(
                "text", f"{marks} {kind}".strip(), x=box.x + _WIDE - 10, y=y, class_="type end"
            ),
        ]
    return element("g", *parts)


def _head(box: _Box) -> str:
    x, y, r = box.x, box.y, 8
    return (
        f"M{x} {y + _HEAD} V{y + r} Q{x} {y} {x + r} {y} H{x + _WIDE - r} "
        f"Q{x + _WIDE} {y} {x + _WIDE} {y + r} V{y + _HEAD} Z"
    )
