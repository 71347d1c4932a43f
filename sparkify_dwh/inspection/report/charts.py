"""Charts as SVG, drawn without a script: stacked columns, shaded grids, bars, sparklines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from ...core.quantity import quantity
from .markup import cut, element, picture

WIDTH, HEIGHT = 480.0, 240.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, 8.0, 16.0, 36.0
#: Numbers of CSS classes for the colours of series, and for shades.
COLOURS, SHADES = 6, 8


def ticks(most: float, count: int = 4, *, whole: bool = False) -> list[float]:
    """Round numbers from 0 to at least ``most``; integers only where ``whole``."""
    if most <= 0:
        return [0.0, 1.0]
    raw = most / count
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * m for m in (1, 2, 2.5, 5, 10) if size * m >= raw * 0.999999)
    if whole:
        step = math.ceil(step)
    return [step * n for n in range(math.ceil(most / step - 1e-9) + 1)]


def short(value: float) -> str:
    """A number for an axis: 12k, 3.4M, 0.25."""
    for size, mark in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{mark}"
    return f"{value:.3g}"


def full(value: float | None) -> str:
    """A number for a table."""
    if value is None:
        return ""
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.2f}" if abs(value) >= 100 else f"{value:.3g}"


def percent(ratio: float | None) -> str:
    """A ratio as a percentage; what is above 0 never rounds to 0."""
    if ratio is None:
        return ""
    return "0 %" if not ratio else f"{100 * ratio:.2f} %" if ratio >= 0.0001 else "< 0.01 %"


def percent_tick(ratio: float) -> str:
    """A ratio for an axis, as a percentage."""
    return f"{100 * ratio:.3g} %"


def columns(
    name: str,
    title: str,
    labels: Sequence[str],
    series: Sequence[tuple[str, Sequence[float]]],
    *,
    axis: Any = short,
    value: Any = full,
    line: tuple[float, str] | None = None,
    whole: bool = False,
) -> Markup:
    """Stacked columns, one for each label.

    :param line: a limit to draw as a line, with its name.
    :param whole: whether the numbers are counts, so that the axis shows integers only.
    """
    totals = [sum(values[i] for _, values in series) for i in range(len(labels))]
    most = max([*totals, *([line[0] * 1.15] if line else [])], default=0)
    marks = ticks(most, whole=whole)
    room, tall = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
    base = _TOP + tall

    def y(number: float) -> float:
        return base - tall * number / marks[-1]

    parts = [
        element("line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=y(m), y2=y(m), class_="grid") for m in marks
    ]
    parts += [element("text", axis(m), x=_LEFT - 6, y=y(m) + 4, class_="axis end") for m in marks]
    slot = room / max(1, len(labels))
    wide = max(1.0, min(slot * 0.78, 40.0))
    every = max(1, math.ceil(len(labels) * (max(map(len, labels), default=1) * 9.0 + 12) / room))
    for i, label in enumerate(labels):
        x = _LEFT + slot * (i + 0.5)
        foot = base
        for colour, (_, values) in enumerate(series):
            high = tall * values[i] / marks[-1]
            if high > 0:
                high = max(high, 0.75)
                foot -= high
                parts.append(
                    element(
                        "rect", x=x - wide / 2, y=foot, width=wide, height=high,
                        class_=f"s{colour % COLOURS}",
                    )
                )  # fmt: skip
        numbers = ", ".join(f"{text} {value(v[i])}" for text, v in series)
        parts.append(
            element(
                "rect", element("title", f"{label}: {numbers}"), x=x - slot / 2, y=_TOP, width=slot,
                height=tall, class_="hit",
            )
        )  # fmt: skip
        if i % every == 0:
            parts.append(element("text", label, x=x, y=base + 23, class_="axis mid"))
    if line is not None:
        at = y(line[0])
        parts.append(element("line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=at, y2=at, class_="limit"))
        parts.append(element("text", line[1], x=WIDTH - _RIGHT, y=at - 5, class_="axis end"))
    names = ", ".join(text for text, _ in series)
    what = f"Columns from {labels[0]} to {labels[-1]}: {names}. The table has the numbers."
    return picture(name, title, what, WIDTH, HEIGHT, *parts, class_="chart")


def shades(
    name: str,
    title: str,
    values: Mapping[tuple[int, int], int],
    rows: Mapping[int, str],
    across: Mapping[int, str],
) -> Markup:
    """A grid of shades, the darker the more."""
    left, top, tall = 44.0, 6.0, 26.0
    wide = (WIDTH - left - 2) / max(1, len(across))
    most = max(values.values(), default=0)
    parts = []
    for i, (row, text) in enumerate(rows.items()):
        y = top + i * tall
        parts.append(
            element("text", cut(text, 4).rstrip("…"), x=left - 8, y=y + 17, class_="axis end")
        )
        for j, (column, head) in enumerate(across.items()):
            count = values.get((row, column), 0)
            shade = math.ceil(SHADES * count / most) if most else 0
            parts.append(
                element(
                    "rect", element("title", f"{text}, {head}: {full(count)}"),
                    x=left + j * wide + 1, y=y + 1, width=wide - 2, height=tall - 2,
                    rx="2", class_=f"q q{shade}",
                )
            )  # fmt: skip
    every = max(1, len(across) // 12)
    y = top + len(rows) * tall + 16
    parts += [
        element("text", head, x=left + (j + 0.5) * wide, y=y, class_="axis mid")
        for j, head in enumerate(across.values())
        if j % every == 0
    ]
    shape = f"{quantity(len(rows), 'row')} by {quantity(len(across), 'column')}"
    what = f"{shape} of shades, at most {full(most)}. The table has the numbers."
    return picture(name, title, what, WIDTH, y + 8, *parts, class_="chart")


def bar(value: float, most: float, colour: int = 0) -> Markup:
    """A bar next to a number in a table, hidden from screen readers."""
    wide = max(100 * value / most, 0.6) if most and value else 0.0
    return element(
        "svg",
        element("rect", width=100, height=10, class_="track"),
        element("rect", width=round(wide, 1), height=10, class_=f"s{colour % COLOURS}"),
        view_box="0 0 100 10", preserve="none", class_="bar", aria_hidden="true",
    )  # fmt: skip


def sparkline(values: Sequence[float | None], limit: float | None, title: str) -> Markup:
    """A small line of values over time, with a dot at the newest."""
    wide, tall = 120.0, 26.0
    given = [value for value in values if value is not None]
    most = max([*given, limit or 0.0], default=0.0) or 1.0
    step = (wide - 8) / max(1, len(values) - 1)

    def place(i: int, value: float) -> tuple[float, float]:
        return 4 + i * step, tall - 4 - (tall - 8) * value / most

    points = [place(i, value) for i, value in enumerate(values) if value is not None]
    parts = []
    if limit:
        at = place(0, limit)[1]
        parts.append(element("line", x1=0, x2=wide, y1=at, y2=at, class_="limit"))
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    parts.append(element("polyline", points=path, class_="spark"))
    if points:
        parts.append(element("circle", cx=points[-1][0], cy=points[-1][1], r="2.5", class_="dot"))
    return element(
        "svg", element("title", title), *parts, view_box=f"0 0 {wide:.0f} {tall:.0f}",
        class_="sparkline", role="img",
    )  # fmt: skip
