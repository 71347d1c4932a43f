"""Queries and expressions: what Redshift does not have is refused, the rest is translated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from . import allow
from .errors import GUIDE, RedshiftError, refused, unknown
from .scopes import check_correlation
from .tokens import Token, closing, render, split, words

# Words that may stand before a bracket without being a function
_KEYWORDS = frozenset(
    ["all", "and", "any", "as", "between", "by", "case", "check", "distinct", "else", "except", "exists", "from", "full", "group", "having", "ilike", "in", "inner", "intersect", "into", "is", "join", "key", "left", "like", "limit", "not", "offset", "on", "or", "over", "partition", "references", "right", "select", "set", "some", "table", "then", "to", "union", "unique", "using", "values", "varying", "when", "where", "with", "within", "interval", "default", "return", "returning"]
)
_FRAMED = frozenset(
    ["any_value", "avg", "bool_and", "bool_or", "count", "first_value", "last_value", "max", "min", "nth_value", "stddev", "stddev_pop", "stddev_samp", "sum", "variance"]
)
_FEATURES = "c_unsupported-postgresql-features"
_VERSION = (
    "'PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 "
    "(Red Hat 3.4.2-6.fc3), Redshift 1.0.99999'::text"
)
_RENAMED = {
    "concat": "pg_catalog.rs_concat",
    "func_sha1": "pg_catalog.rs_sha1",
    "is_valid_json": "pg_catalog.rs_is_valid_json",
    "json_extract_path_text": "pg_catalog.rs_json_extract_path_text",
    "nvl": "coalesce",
    "regexp_count": "pg_catalog.rs_regexp_count",
    "regexp_instr": "pg_catalog.rs_regexp_instr",
    "regexp_replace": "pg_catalog.rs_regexp_replace",
    "regexp_substr": "pg_catalog.rs_regexp_substr",
    "sha": "pg_catalog.rs_sha1",
    "sha1": "pg_catalog.rs_sha1",
    "sha2": "pg_catalog.rs_sha2",
}
# Each followed word by word; a hit is refused with the page
_PHRASES: tuple[tuple[str, str], ...] = (
    ("distinct on", _FEATURES),
    ("filter (", _FEATURES),
    ("is distinct from", "c_unsupported-postgresql-functions"),
    ("is not distinct from", "c_unsupported-postgresql-functions"),
    ("lateral", _FEATURES),
    ("( values", "r_INSERT_30"),
    ("on conflict", _FEATURES),
    ("on duplicate", _FEATURES),
    ("for update", _FEATURES),
    ("for share", _FEATURES),
    ("fetch first", "r_ORDER_BY_clause"),
    ("fetch next", "r_ORDER_BY_clause"),
    ("intersect all", "r_UNION"),
    ("except all", "r_UNION"),
    ("( insert", "r_WITH_clause"),
    ("( update", "r_WITH_clause"),
    ("( delete", "r_WITH_clause"),
    ("as materialized", "r_WITH_clause"),
    ("as not materialized", "r_WITH_clause"),
    ("with ordinality", _FEATURES),
    ("tablesample", _FEATURES),
    ("returning", _FEATURES),
    ("set (", "r_UPDATE"),
)
_UNKNOWN_WORDS = frozenset({"qualify", "pivot", "unpivot", "rollup", "cube", "grouping"})


@dataclass(frozen=True, slots=True)
class Type:
    """A data type as written, and as Postgres gets it."""

    name: str
    sql: str
    length: int | None
    size: int


def query(tokens: Sequence[Token]) -> list[Token]:
    """Check and translate a query or a statement that changes rows."""
    check_correlation(tokens)
    return expression(tokens)


def expression(tokens: Sequence[Token]) -> list[Token]:
    """Check and translate any piece of SQL."""
    check(tokens)
    return _translate(list(tokens))


def check(tokens: Sequence[Token]) -> None:
    """Refuse clauses, operators, functions and types that are not on the allow-list."""
    for index, token in enumerate(tokens):
        if token.kind == "dollar":
            raise refused("dollar quoting outside a procedure", "r_CREATE_PROCEDURE")
        if token.kind == "operator":
            _check_operator(tokens, index)
        elif token.is_("["):
            raise refused("an array or a subscript", "c_unsupported-postgresql-datatypes")
        if token.low in allow.REFUSED_WORDS and not _is_column(tokens, index):
            raise refused(token.low, allow.REFUSED_WORDS[token.low])
        if token.low in _UNKNOWN_WORDS and not _is_column(tokens, index):
            raise unknown(token.low.upper())
        for phrase, page in _PHRASES:
            if _matches(tokens, index, phrase):
                raise refused(phrase.strip("( ").upper(), page)
        if token.low == "over":
            _check_window(tokens, index)
        if token.low == "window" and index + 2 < len(tokens) and tokens[index + 2].low == "as":
            raise refused("WINDOW", "r_Window_function_synopsis")
        if token.name and _at(tokens, index + 1).is_("("):
            _check_call(tokens, index)


def parse_type(tokens: Sequence[Token], catalog: bool = False) -> Type:
    """Read a data type at the start of the tokens."""
    names = [token.low or token.name for token in tokens[:4]]
    for count in (4, 3, 2, 1):
        name = " ".join(names[:count])
        if count <= len(names) and name in allow.TYPES:
            return _sized(name, tokens, count)
    if names and names[0] in ("timestamp", "time") and _at(tokens, 1).is_("("):
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
    if _at(tokens, count).is_("("):
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


def _at(tokens: Sequence[Token], index: int) -> Token:
    return tokens[index] if 0 <= index < len(tokens) else Token("end", "")


def _is_column(tokens: Sequence[Token], index: int) -> bool:
    return _at(tokens, index - 1).is_(".") or _at(tokens, index + 1).is_(".")


def _matches(tokens: Sequence[Token], index: int, phrase: str) -> bool:
    if _at(tokens, index - 1).is_("."):
        return False
    return all(_at(tokens, index + offset).is_(word) for offset, word in enumerate(phrase.split()))


def _check_operator(tokens: Sequence[Token], index: int) -> None:
    text = tokens[index].text
    if text in allow.REFUSED_OPERATORS:
        raise refused(f"the operator {text}", allow.REFUSED_OPERATORS[text])
    if text not in allow.OPERATORS:
        raise unknown(f"the operator {text}")
    if text == "::":
        kind = parse_type(tokens[index + 1 :], catalog=True)
        if kind.length is not None:
            # Redshift cuts to bytes; only CAST(… AS …) can be rewritten to do that
            raise unknown(f"::{kind.sql} (write CAST(… AS {kind.sql.upper()}))")
    if text in ("<", ">", "<=", ">=") and _is_row(tokens, index):
        raise refused(f"the comparison of rows by {text}", "r_comparison_condition")


def _is_row(tokens: Sequence[Token], index: int) -> bool:
    if not (_at(tokens, index - 1).is_(")") and _at(tokens, index + 1).is_("(")):
        return False
    depth = 0
    for start in range(index - 1, -1, -1):
        depth += 1 if tokens[start].is_(")") else -1 if tokens[start].is_("(") else 0
        if depth == 0:
            break
    before = _at(tokens, start - 1)
    call = bool(before.name) and before.low not in _KEYWORDS
    return not call and len(split(tokens[start + 1 : index - 1], ",")) > 1


def _check_window(tokens: Sequence[Token], index: int) -> None:
    if not _at(tokens, index + 1).is_("("):
        raise refused("a named window", "r_Window_function_synopsis")
    inner = tokens[index + 2 : closing(tokens, index + 1)]
    low = [token.low for token in inner]
    if "range" in low or "groups" in low or "exclude" in low:
        raise refused("a frame other than ROWS", "r_Window_function_synopsis")
    if "nulls" in low:
        raise refused("NULLS FIRST or LAST in a window", _FEATURES)
    name, depth = "", 0
    for start in range(index - 1, -1, -1):
        depth += 1 if tokens[start].is_(")") else -1 if tokens[start].is_("(") else 0
        if depth == 0:
            name = _at(tokens, start - 1).name
            break
    if name in _FRAMED and "order" in low and "rows" not in low:
        raise RedshiftError(
            "Aggregate window functions with an ORDER BY clause require a frame clause",
            "42601",
            f"see {GUIDE.format('r_Window_function_synopsis')}",
        )


def _check_call(tokens: Sequence[Token], index: int) -> None:
    token, name = tokens[index], tokens[index].name
    start = index
    while _at(tokens, start - 1).is_(".") and _at(tokens, start - 2).name:
        start -= 2
    before = _at(tokens, start - 1)
    if before.is_("into", "table", "exists", "references", "as", "view", ")"):
        return  # a table or an alias with a list of columns
    if before.is_("with", "recursive", ","):
        end = closing(tokens, index + 1)
        if _at(tokens, end + 1).low == "as" and _at(tokens, end + 2).is_("("):
            return  # a common table expression
    call = name in ("left", "right") and not _at(tokens, index - 1).is_("join")
    if token.low in _KEYWORDS and not call:
        return
    if name in allow.TYPES and name not in allow.FUNCTIONS:
        return
    if start < index and tokens[start].name != "pg_catalog":
        raise unknown(f"the function {render(tokens[start : index + 1]).strip()}")
    if name in allow.REFUSED_FUNCTIONS:
        raise refused(f"the function {name}", allow.REFUSED_FUNCTIONS[name])
    if name not in allow.FUNCTIONS:
        raise unknown(f"the function {name}")


def _translate(tokens: list[Token]) -> list[Token]:
    out: list[Token] = []
    index = 0
    while index < len(tokens):
        token = tokens[index]
        following = _at(tokens, index + 1)
        if token.name and following.is_("(") and token.name in allow.FUNCTIONS:
            end = closing(tokens, index + 1)
            inner = tokens[index + 2 : end]
            replacement, index = _call(token, inner, tokens, end)
            if out and out[-1].is_(".") and replacement is not None:
                del out[-2:]  # pg_catalog.
            out += replacement if replacement is not None else [token]
            continue
        if token.low == "sysdate" and not _is_column(tokens, index):
            out += words("pg_catalog.rs_sysdate()")
        elif token.name == "pg_constraint":
            out.append(replace(token, kind="word", text="rs_constraint"))
        elif token.kind == "quoted":
            escaped = token.name.replace('"', '""')
            out.append(replace(token, text=f'"{escaped}"'))
        else:
            out.append(token)
        index += 1
    return out


def _call(
    token: Token, inner: list[Token], tokens: list[Token], end: int
) -> tuple[list[Token] | None, int]:
    """The translation of a call and the index behind it; None leaves the name as it is."""
    name = token.name
    after = end + 1
    if name == "version":
        return words(_VERSION), after
    if name == "nvl2":
        tested, given, missing = (_translate(part) for part in split(inner, ","))
        head = [*words("CASE WHEN ("), *tested, *words(") IS NOT NULL THEN"), *given]
        return [*head, *words("ELSE"), *missing, *words("END")], after
    if name == "cast":
        return _cast(inner), after
    if name in ("dateadd", "datediff", "date_part", "date_trunc"):
        first, *others = split(inner, ",")
        function = "date_trunc" if name == "date_trunc" else f"pg_catalog.rs_{name}"
        arguments = [part for other in others for part in [*words(","), *_translate(other)]]
        opened = words(f"{function}({_date_part(first)}")
        return [*opened, *arguments, *words(")")], after
    if name == "extract":
        part = _date_part(inner[:1])
        opened = words(f"pg_catalog.rs_date_part({part},")
        return [*opened, *_translate(inner[2:]), *words(")")], after
    if name == "listagg":
        return _listagg(inner, tokens, after)
    if name in _RENAMED:
        return [*words(f"{_RENAMED[name]}("), *_translate(inner), *words(")")], after
    return None, end - len(inner) - 1


def _date_part(tokens: Sequence[Token]) -> str:
    token = _at(tokens, 0)
    name = token.value.lower() if token.kind == "string" else token.name
    if name not in allow.DATE_PARTS:
        raise refused(f"the date part {name}", "r_Dateparts_for_datetime_functions")
    return f"'{allow.DATE_PARTS[name]}'"


def _cast(inner: list[Token]) -> list[Token]:
    value, kind = split(inner, "as")
    target = parse_type(kind, catalog=True)
    if target.size != len(kind):
        raise RedshiftError(f'syntax error at or near "{kind[target.size].text}"', "42601")
    translated = _translate(value)
    if target.length is None:
        return [*words("CAST("), *translated, *words(f"AS {target.sql})")]
    # a cast to a shorter text cuts it to that many bytes, on the border of a character
    cut = f")::text, {target.length})::{target.sql}"
    return [*words("pg_catalog.rs_cut(("), *translated, *words(cut)]


def _listagg(inner: list[Token], tokens: list[Token], after: int) -> tuple[list[Token], int]:
    distinct = words("DISTINCT") if inner and inner[0].low == "distinct" else []
    value, *separator = split(inner[len(distinct) :], ",")
    order: list[Token] = []
    if _at(tokens, after).low == "within":
        end = closing(tokens, after + 2)
        order, after = _translate(tokens[after + 3 : end]), end + 1
    delimiter = _translate(separator[0]) if separator else words("''")
    return [
        *words("pg_catalog.string_agg("),
        *distinct,
        *words("("),
        *_translate(value),
        *words(")::text,"),
        *delimiter,
        *order,
        *words(")"),
    ], after
