"""Lineage as a picture: from the fields of the files on the left to the star on the right."""

from __future__ import annotations

from markupsafe import Markup

from ...models.declare import Declarations
from ...models.lineage import ColumnLineage, fields, lineage
from .charts import COLOURS
from .markup import cut, element, picture

_ROW, _LEFT, _RIGHT, _WIDE, _HEAD = 19.0, 186.0, 396.0, 610.0, 30.0


def lineage_picture(name: str, declarations: Declarations) -> Markup:
    """The picture; each line names the table it leads to, for the filter of the page."""
    places: dict[tuple[str, str], float] = {}
    colours: dict[str, int] = {}
    parts: list[Markup] = []
    found = lineage(declarations)
    used = {(origin.source, origin.column) for each in found for origin in each.origins}
    y = 6.0
    for source, typed, key, column in fields(declarations):
        if source.name not in colours:
            y += 12 if colours else 0
            colours[source.name] = len(colours)
            parts.append(
                element("text", f"{source.name} files", x=_LEFT, y=y + 16, class_="name end")
            )
            y += _HEAD
        places[source.name, column] = y + _ROW / 2
        is_used = (source.name, column) in used
        kind = "column end" if is_used else "column end unused"
        note = "" if is_used else " (decides)" if typed else " (staged only)"
        text = cut(key, 26 - len(note)) + note
        parts.append(element("text", text, x=_LEFT, y=y + _ROW / 2 + 4, class_=kind))
        y += _ROW
    left, y, table = y, 6.0, ""
    ribbons: list[Markup] = []
    for each in found:
        if each.table != table:
            y += 12 if table else 0
            table = each.table
            parts.append(element("text", table, x=_RIGHT, y=y + 16, class_="name"))
            y += _HEAD
        middle = y + _ROW / 2
        ribbons += [
            _line(each, places[origin.source, origin.column], middle, colours[origin.source])
            for origin in each.origins
        ]
        how = "" if each.how == "as typed" else f"  {each.how}"
        label = element("tspan", cut(each.column, 24))
        origin = element("tspan", how, class_="how")
        parts.append(element("text", label, origin, x=_RIGHT, y=middle + 4, class_="column"))
        y += _ROW
    description = "Each column of the star and the fields it comes from, as in the table below."
    return picture(
        name, "Lineage", description, _WIDE, max(left, y) + 8, *ribbons, *parts, class_="lineage"
    )


def _line(each: ColumnLineage, start: float, end: float, colour: int) -> Markup:
    x1, x2 = _LEFT + 8, _RIGHT - 8
    bend = (x1 + x2) / 2
    kind = "dashed" if each.how == "looked up" else "line"
    return element(
        "path",
        d=f"M{x1} {start:.1f} C{bend} {start:.1f} {bend} {end:.1f} {x2} {end:.1f}",
        class_=f"{kind} l{colour % COLOURS}",
        data_table=each.table,
    )
