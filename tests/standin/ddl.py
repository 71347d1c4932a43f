"""Translates Redshift's CREATE TABLE and ALTER TABLE for Postgres.

https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_TABLE_NEW.html and r_ALTER_TABLE.html.
Distribution, sort keys and encodings, which Postgres does not have, go to the stand-in's own
catalog, where the reflection queries and SVV_TABLE_INFO read them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from . import allow
from .clauses import check
from .cursor import Cursor
from .data_types import parse_type
from .errors import GUIDE, RedshiftError, refused, unknown
from .expressions import expression, query
from .plan import Plan, literal
from .tokens import Token, closing, render, split, words

_CREATE, _ALTER = "r_CREATE_TABLE_NEW", "r_ALTER_TABLE"
_CONSTRAINTS = ("constraint", "primary", "unique", "foreign", "check")
_STYLES = ("auto", "even", "key", "all")


@dataclass(slots=True)
class _Attributes:
    """The attributes of a table that Postgres does not have."""

    style: str | None = None
    distkey: str | None = None
    sortkeys: list[str] = field(default_factory=list)
    interleaved: bool = False
    encodings: dict[str, str] = field(default_factory=dict)

    def note(self, table: str) -> str:
        """The statement that records them in the stand-in's catalog."""
        style = (self.style or ("key" if self.distkey else "auto")).upper()
        if (style == "KEY") != (self.distkey is not None):
            raise RedshiftError(
                "DISTSTYLE KEY and a DISTKEY column belong together",
                "42P16",
                f"see {GUIDE.format(_CREATE)}",
            )
        keys = ", ".join(literal(key) for key in self.sortkeys)
        encodings = ", ".join(literal(f"{k}={v}") for k, v in self.encodings.items())
        return (
            f"SELECT pg_catalog.rs_note_table({literal(table)}::regclass, {literal(style)}, "
            f"{literal(self.distkey)}, ARRAY[{keys}]::text[], {self.interleaved}, "
            f"ARRAY[{encodings}]::text[])"
        )


def create_table(tokens: Sequence[Token]) -> Plan:
    """CREATE TABLE in all its forms."""
    cursor = Cursor(tokens)
    cursor.next()
    cursor.take("local")
    temporary = cursor.take("temp") or cursor.take("temporary")
    if not cursor.take("table"):
        raise cursor.error()
    exists = cursor.take("if", "not", "exists")
    name = cursor.name()
    attributes = _Attributes()
    head = f"CREATE {'TEMP ' if temporary else ''}TABLE {'IF NOT EXISTS ' if exists else ''}"
    head += render(name).strip()
    note = "".join(token.text for token in name)
    body: list[Token] = []
    if cursor.here.is_("("):
        inner = cursor.group()
        plain = all(part[0].name and len(part) == 1 for part in split(inner, ","))
        items = [inner] if plain else [_item(part, attributes) for part in split(inner, ",")]
        body = words("(")
        for number, item in enumerate(items):
            body += ([*words(",")] if number else []) + item
        body += words(")")
    _table_attributes(cursor, attributes)
    if cursor.take("as"):
        rest = cursor.rest
        inner = (
            rest[1:-1] if rest and rest[0].is_("(") and closing(rest, 0) + 1 == len(rest) else []
        )
        sql = f"{head}{render(body)} AS {render(query(inner or rest))}"
        return Plan(sql, after=(attributes.note(note),))
    cursor.finish()
    if not body:
        raise cursor.error()
    return Plan(f"{head}{render(body)}", after=(attributes.note(note),))


def _item(tokens: list[Token], attributes: _Attributes) -> list[Token]:
    """One entry of a column list: a column, a constraint, or LIKE."""
    cursor = Cursor(tokens)
    if cursor.take("like"):
        parent = cursor.name()
        tail = " EXCLUDING ALL"
        if cursor.take("including", "defaults"):
            tail = " INCLUDING DEFAULTS"
        elif not cursor.take("excluding", "defaults") and cursor.rest:
            raise cursor.error()
        return [*words("LIKE"), *parent, *words(tail)]
    if cursor.here.low in _CONSTRAINTS:
        return _constraint(cursor)
    return column(cursor, attributes)


def _constraint(cursor: Cursor) -> list[Token]:
    out: list[Token] = []
    if cursor.take("constraint"):
        out += [*words("CONSTRAINT"), *expression([cursor.next()])]
    if cursor.here.low == "check":
        raise refused("a CHECK constraint", "t_Defining_constraints")
    kind = cursor.here.low
    if kind not in ("primary", "unique", "foreign"):
        raise cursor.error()
    while not cursor.here.is_("("):
        out.append(cursor.next())
    out += [*words("("), *expression(cursor.group()), *words(")")]
    if kind == "foreign":
        out += _references(cursor)
    cursor.finish()
    return out


def _references(cursor: Cursor) -> list[Token]:
    if not cursor.take("references"):
        raise cursor.error()
    out = [*words("REFERENCES"), *cursor.name()]
    if cursor.here.is_("("):
        out += [*words("("), *expression(cursor.group()), *words(")")]
    return out


def column(cursor: Cursor, attributes: _Attributes) -> list[Token]:
    """One column with its attributes."""
    first = cursor.next()
    if not first.name:
        raise cursor.error()
    name = first.name
    kind = parse_type(cursor.rest)
    cursor.index += kind.size
    sql = kind.sql
    if kind.length is None and kind.name in ("varchar", "char"):
        # https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html
        sql = "varchar(256)" if kind.name == "varchar" else "char(1)"
    elif sql == "numeric":
        sql = "numeric(18,0)"
    out = [*expression([first]), *words(sql)]
    while cursor.rest:
        out += _column_attribute(cursor, name, kind.name, attributes)
    return out


def _column_attribute(cursor: Cursor, name: str, kind: str, attributes: _Attributes) -> list[Token]:
    if cursor.take("not", "null"):
        return words("NOT NULL")
    if cursor.take("null"):
        return words("NULL")
    if cursor.take("primary", "key"):
        return words("PRIMARY KEY")
    if cursor.take("unique"):
        return words("UNIQUE")
    if cursor.here.low == "references":
        return _references(cursor)
    if cursor.take("encode"):
        attributes.encodings[name] = _encoding(cursor.next())
        return []
    if cursor.take("distkey"):
        attributes.distkey = name
        return []
    if cursor.take("sortkey"):
        attributes.sortkeys.append(name)
        return []
    if cursor.take("identity") or cursor.take("generated", "by", "default", "as", "identity"):
        if kind not in ("integer", "bigint"):
            raise refused(f"IDENTITY on {kind}", _CREATE)
        seed, step = (render(part).strip() for part in split(cursor.group(), ","))
        low = min(int(seed), 0 if int(step) > 0 else int(seed))
        return words(
            f"GENERATED BY DEFAULT AS IDENTITY (START {seed} INCREMENT {step} MINVALUE {low})"
        )
    if cursor.take("default"):
        return [*words("DEFAULT"), *expression(_default(cursor))]
    if cursor.here.low in ("check", "collate", "constraint", "generated"):
        page = "t_Defining_constraints" if cursor.here.low == "check" else _CREATE
        raise refused(f"the column attribute {cursor.here.text.upper()}", page)
    raise cursor.error()


def _default(cursor: Cursor) -> list[Token]:
    stops = ("not", "null", "primary", "unique", "references", "encode", "distkey", "sortkey")
    out = [cursor.next()]
    if out[0].is_("("):
        cursor.index -= 1
        return [*words("("), *cursor.group(), *words(")")]
    while cursor.rest and cursor.here.low not in stops:
        if cursor.here.is_("("):
            out += [*words("("), *cursor.group(), *words(")")]
        else:
            out.append(cursor.next())
    return out


def _encoding(token: Token) -> str:
    if token.name not in allow.ENCODINGS:
        raise refused(f"the encoding {token.text}", "c_Compression_encodings")
    return token.name


def _table_attributes(cursor: Cursor, attributes: _Attributes) -> None:
    while cursor.rest and cursor.here.low != "as":
        if cursor.take("diststyle"):
            attributes.style = cursor.next().low
            if attributes.style not in _STYLES:
                raise refused(f"DISTSTYLE {attributes.style}", _CREATE)
        elif cursor.take("distkey"):
            attributes.distkey = render(cursor.group()).strip().strip('"').lower()
        elif cursor.take("sortkey", "auto") or cursor.take("encode", "auto"):
            continue
        elif cursor.here.low in ("sortkey", "compound", "interleaved"):
            attributes.interleaved = cursor.take("interleaved")
            cursor.take("compound")
            if not cursor.take("sortkey"):
                raise cursor.error()
            attributes.sortkeys += [part[0].name for part in split(cursor.group(), ",")]
        elif not (cursor.take("backup", "yes") or cursor.take("backup", "no")):
            raise cursor.error()


def alter_table(tokens: Sequence[Token]) -> Plan:
    """ALTER TABLE: one change per statement, of the kinds that Redshift documents."""
    cursor = Cursor(tokens)
    cursor.index = 2
    name = cursor.name()
    table = "".join(token.text for token in name)
    head = f"ALTER TABLE {table}"
    if len(split(cursor.rest, ",")) > 1:
        raise refused("more than one change in ALTER TABLE", _ALTER)
    if cursor.take("add"):
        if cursor.here.low in _CONSTRAINTS:
            added = render(_constraint(cursor)).strip()
            # the existing rows are not checked
            return Plan(f"{head} ADD {added}{' NOT VALID' if 'REFERENCES' in added else ''}")
        cursor.take("column")
        return _add_column(cursor, head, table)
    if cursor.take("drop", "constraint"):
        return Plan(f"{head} DROP CONSTRAINT{render(expression(cursor.rest))}")
    if cursor.take("drop"):
        cursor.take("column")
        first = cursor.here
        check_drop = f"SELECT pg_catalog.rs_check_drop({literal(table)}::regclass, "
        return Plan(
            f"{head} DROP COLUMN{render(expression(cursor.rest))}",
            before=(f"{check_drop}{literal(first.name)})",),
        )
    if cursor.here.low in ("rename", "owner"):
        return Plan(f"{head}{render(expression(cursor.rest))}")
    if cursor.take("append"):
        raise unknown("ALTER TABLE APPEND")
    if cursor.take("alter", "column") or cursor.take("alter"):
        return _alter_column(cursor, head, table)
    raise unknown(f"ALTER TABLE … {cursor.here.text.upper()}")


def _add_column(cursor: Cursor, head: str, table: str) -> Plan:
    attributes = _Attributes()
    low = [token.low for token in cursor.rest]
    for word in ("unique", "primary", "references", "identity", "distkey", "sortkey"):
        if word in low:
            raise refused(f"ADD COLUMN … {word.upper()}", _ALTER)
    if ("not", "null") in itertools.pairwise(low) and "default" not in low:
        raise RedshiftError(
            "ALTER TABLE ADD COLUMN defined as NOT NULL must have a non-null default expression",
            "0A000",
            f"see {GUIDE.format(_ALTER)}",
        )
    sql = f"{head} ADD COLUMN{render(column(cursor, attributes))}"
    notes = tuple(
        f"SELECT pg_catalog.rs_note_encoding({literal(table)}::regclass, {literal(f'{k}={v}')})"
        for k, v in attributes.encodings.items()
    )
    return Plan(sql, after=notes)


def _alter_column(cursor: Cursor, head: str, table: str) -> Plan:
    first = cursor.next()
    if first.low in ("diststyle", "distkey", "sortkey", "compound", "encode"):
        raise unknown(f"ALTER TABLE … ALTER {first.text.upper()}")
    if not (cursor.take("type") or cursor.take("set", "data", "type")):
        raise refused(f"ALTER COLUMN … {cursor.here.text.upper()}", _ALTER)
    kind = parse_type(cursor.rest)
    cursor.index += kind.size
    cursor.finish()
    check([first])
    if kind.name != "varchar" or kind.length is None:
        raise refused("ALTER COLUMN TYPE other than the size of VARCHAR", _ALTER)
    precheck = f"SELECT pg_catalog.rs_check_resize({literal(table)}::regclass, "
    return Plan(
        f"{head} ALTER COLUMN{render(expression([first]))} TYPE {kind.sql}",
        before=(f"{precheck}{literal(first.name)}, {kind.length})",),
        alone="ALTER TABLE ALTER COLUMN",
    )
