"""Data types: Redshift's names and those sent to Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import allow
from .errors import GUIDE, RedshiftError, refused, unknown
from .tokens import Token, at, closing, render


@dataclass(frozen=True, slots=True)
class Type:
    """A data type, its SQL for Postgres, and its number of tokens as `size`."""

    name: str
    sql: str
    length: int | None
    size: int


def parse_type(tokens: Sequence[Token], catalog: bool = False) -> Type:
    """Parse the data type at the start of the tokens."""
    names = [token.low or token.name for token in tokens[:4]]
    for count in (4, 3, 2, 1):
        name = " ".join(names[:count])
        if count <= len(names) and name in allow.TYPES:
            return _sized(name, tokens, count)
    if names and names[0] in ("timestamp", "time") and at(tokens, 1).is_("("):
        raise refused("a precision of timestamps", "r_Datetime_types")
    if catalog and names and names[0] in allow.CATALOG_TYPES:
        return Type(names[0], names[0], None, 1)
    name = names[0] if names else ""
    if name in allow.REFUSED_TYPES:
        raise refused(f"the type {name}", allow.REFUSED_TYPES[name])
    raise unknown(f"the type {name}")


def _sized(name: str, tokens: Sequence[Token], count: int) -> Type:
    base = allow.TYPES[name][0]
    length, size, suffix = None, count, ""
    if at(tokens, count).is_("("):
        end = closing(tokens, count)
        inner, size = list(tokens[count + 1 : end]), end + 1
        if base in ("varchar", "char"):
            maximum = 65535 if base == "varchar" else 4096
            length = maximum if inner[0].low == "max" else int(inner[0].text)
            if not 1 <= length <= maximum:
                raise RedshiftError(
                    f"length for type {base} cannot exceed {maximum}",
                    "22023",
                    f"see {GUIDE.format('r_Character_types')}",
                )
            suffix = f"({length})"
        elif base == "numeric":
            suffix = f"({render(inner).strip()})"
        else:
            raise refused(f"a precision of {name}", allow.TYPES[name][1])
    return Type(base, base + suffix, length, size)
