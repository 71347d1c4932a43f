"""Rows and texts that show findings in tables."""

from __future__ import annotations

from typing import Any

from ...core.table import display_text
from .findings import FieldProfile, Together

FIELD_COLUMNS = ("field", "types", "given", "''", "null", "missing", "distinct")
VALUE_COLUMNS = ("field", "min", "max", "chars", "bytes", "most frequent")
DAMAGE_COLUMNS = ("field", "what", "rows", "values", "such as")
BROKEN_COLUMNS = ("object", "line", "rule", "text")
KEY_COLUMNS = ("fields", "absent", "repeated", "unique")
GROUP_COLUMNS = ("fields", "rows", "given exactly where")
ADVICE_COLUMNS = ("what", "fields", "suggestion", "why")


def field_row(found: FieldProfile) -> tuple[Any, ...]:
    """A field as a row of ``FIELD_COLUMNS``."""
    counts = (found.given, found.empty, found.nulls, found.missing, found.distinct)
    return (found.name, type_names(found), *counts)


def type_names(found: FieldProfile) -> str:
    """The JSON types of a field, the most frequent first, with counts if there are several."""
    named = sorted(found.types.items(), key=lambda item: (-item[1], item[0]))
    if len(named) == 1:
        return named[0][0]
    return ", ".join(f"{name} {rows:,}" for name, rows in named)


def value_row(found: FieldProfile) -> tuple[Any, ...]:
    """A field as a row of ``VALUE_COLUMNS``."""
    top = ", ".join(f"{display_text(each.value)} ({each.rows:,})" for each in found.top[:3])
    lengths = (found.longest_chars, found.longest_bytes)
    return (found.name, value_text(found.min), value_text(found.max), *lengths, top)


def value_text(value: Any) -> str:
    """A value of the files as text, spelled as in JSON."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def condition_text(group: Together) -> str:
    """The condition under which the fields of a group are given, in words."""
    return " and ".join(
        f"{name} is {' or '.join(value_text(v) or repr(v) for v in values)}"
        for name, values in group.where.items()
    )
