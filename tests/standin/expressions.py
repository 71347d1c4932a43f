"""Checks queries and expressions and translates them for Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from . import allow
from .clauses import check, is_column
from .data_types import parse_type
from .errors import RedshiftError, refused
from .scopes import check_correlation
from .tokens import Token, at, closing, folded, split, words

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


def query(tokens: Sequence[Token]) -> list[Token]:
    """Check and translate a query or a statement that changes rows."""
    check_correlation(tokens)
    return expression(tokens)


def expression(tokens: Sequence[Token]) -> list[Token]:
    """Check and translate any piece of SQL."""
    check(tokens)
    return _translate(list(tokens))


def _translate(tokens: list[Token]) -> list[Token]:
    out: list[Token] = []
    index = 0
    while index < len(tokens):
        token = tokens[index]
        following = at(tokens, index + 1)
        if token.name and following.is_("(") and token.name in allow.FUNCTIONS:
            end = closing(tokens, index + 1)
            inner = tokens[index + 2 : end]
            replacement, index = _call(token, inner, tokens, end)
            if out and out[-1].is_(".") and replacement is not None:
                del out[-2:]  # pg_catalog.
            out += replacement if replacement is not None else [token]
            continue
        if token.low == "sysdate" and not is_column(tokens, index):
            out += words("pg_catalog.rs_sysdate()")
        elif token.name == "pg_constraint":
            out.append(replace(token, kind="word", text="rs_constraint"))
        else:
            out.append(folded(token))
        index += 1
    return out


def _call(
    token: Token, inner: list[Token], tokens: list[Token], end: int
) -> tuple[list[Token] | None, int]:
    """The translation of a call and the index after it; None leaves the name unchanged."""
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
    token = at(tokens, 0)
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
    # a cast to a shorter text truncates it to that many bytes, at a character boundary
    cut = f")::text, {target.length})::{target.sql}"
    return [*words("pg_catalog.rs_cut(("), *translated, *words(cut)]


def _listagg(inner: list[Token], tokens: list[Token], after: int) -> tuple[list[Token], int]:
    distinct = words("DISTINCT") if inner and inner[0].low == "distinct" else []
    value, *separator = split(inner[len(distinct) :], ",")
    order: list[Token] = []
    if at(tokens, after).low == "within":
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
