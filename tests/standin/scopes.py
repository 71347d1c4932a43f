"""Refuses correlated subqueries that Redshift does not run; Postgres runs all of them.

https://docs.aws.amazon.com/redshift/latest/dg/r_correlated_subqueries.html lists what it cannot
decorrelate. Besides refusing those, the stand-in accepts only plain equality
(`inner = outer.column`), the one pattern that is known to work. It sees references that name their
table, as SQLAlchemy writes them; resolving a bare column name would need the catalog.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from .errors import GUIDE, RedshiftError
from .tokens import Token, closing, split

_CLAUSES = {
    "select", "from", "using", "where", "group", "having", "order", "limit", "offset", "set",
    "update", "delete", "insert",
}  # fmt: skip
_JOINS = {"left", "right", "full", "inner", "cross", "natural", "outer", "join", "on"}
_SET_OPERATIONS = ("union", "except", "intersect", "minus")

Chain = tuple[str, ...]


@dataclass(slots=True)
class _Block:
    """One query block: its clauses, the tables it reads, and the subqueries in it."""

    clauses: list[tuple[str, list[Token]]] = field(default_factory=list)
    tables: list[tuple[Chain, bool]] = field(default_factory=list)
    subqueries: list[tuple[list[Token], bool]] = field(default_factory=list)


def check_correlation(tokens: Sequence[Token]) -> None:
    """Refuse correlated subqueries that Redshift does not run."""
    _check(list(tokens), [], False)


def _refuse(why: str) -> RedshiftError:
    return RedshiftError(
        "This type of correlated subquery pattern is not supported yet",
        "0A000",
        f"{why}; see {GUIDE.format('r_correlated_subqueries')}",
    )


def _check(tokens: list[Token], outer: list[_Block], in_outer_join: bool) -> None:
    for part in _set_operands(tokens):
        block = _read(part)
        correlated = False
        for clause, body in block.clauses:
            for conjunct in _conjuncts(body) if clause == "where" else [body]:
                distances = [
                    distance
                    for chain, _ in _references(conjunct)
                    if (distance := _distance(chain, block, outer))
                ]
                if any(distance > 1 for distance in distances):
                    raise _refuse("a reference skips a query block")
                if distances and (clause != "where" or not _plain_equality(conjunct, block, outer)):
                    raise _refuse("a correlation other than equality in WHERE")
                correlated = correlated or bool(distances)
        if correlated and in_outer_join:
            raise _refuse("a correlation in the ON clause of an outer join")
        if correlated and any(t.low == "over" for _, body in block.clauses for t in body):
            raise _refuse("a correlation from a subquery with a window function")
        for subquery, in_join in block.subqueries:
            _check(subquery, [block, *outer], in_join)


def _distance(chain: Chain, block: _Block, outer: list[_Block]) -> int:
    """How many blocks further out the table of a reference is; 0 if it is here or unknown."""
    for level, candidate in enumerate([block, *outer]):
        for table, aliased in candidate.tables:
            if chain == table or (not aliased and chain == table[-len(chain) :]):
                return level
    return 0


def _plain_equality(conjunct: list[Token], block: _Block, outer: list[_Block]) -> bool:
    sides = split(conjunct, "=")
    if len(sides) != 2 or any(t.is_("or") for t in conjunct):
        return False
    for side, other in (sides, sides[::-1]):
        found = list(_references(side))
        bare = len(found) == 1 and found[0][1] == len(side)
        if bare and _distance(found[0][0], block, outer) == 1:
            return not any(_distance(chain, block, outer) for chain, _ in _references(other))
    return False


def _references(tokens: Sequence[Token]) -> Iterator[tuple[Chain, int]]:
    """The tables that dotted names refer to, each with the number of tokens in the name."""
    index = 0
    while index < len(tokens):
        names, stop = _dotted(tokens, index)
        if len(names) > 1 and not (stop < len(tokens) and tokens[stop].is_("(")):
            yield names[:-1], stop - index
        index = max(stop, index + 1)


def _dotted(tokens: Sequence[Token], index: int) -> tuple[Chain, int]:
    names: list[str] = []
    while index < len(tokens) and tokens[index].name:
        names.append(tokens[index].name)
        index += 1
        if index + 1 < len(tokens) and tokens[index].is_(".") and tokens[index + 1].name:
            index += 1
        else:
            break
    return tuple(names), index


def _set_operands(tokens: list[Token]) -> list[list[Token]]:
    parts = [tokens]
    for word in _SET_OPERATIONS:
        parts = [piece for part in parts for piece in split(part, word)]
    return parts


def _conjuncts(tokens: list[Token]) -> list[list[Token]]:
    if tokens and tokens[0].is_("(") and closing(tokens, 0) == len(tokens) - 1:
        return _conjuncts(tokens[1:-1])
    parts = split(tokens, "and")
    if len(parts) == 1:
        return parts
    return [piece for part in parts for piece in _conjuncts(part)]


def _read(tokens: list[Token]) -> _Block:
    """Split a block into clauses, and cut the subqueries out of them."""
    block = _Block()
    clause, body, index, outer_join = "", [], 0, False
    while index < len(tokens):
        token = tokens[index]
        if token.is_("("):
            end = closing(tokens, index)
            inner = tokens[index + 1 : end]
            if inner and inner[0].low in ("select", "with"):
                block.subqueries.append((inner, outer_join))
                if clause in ("from", "using"):
                    index = _alias(tokens, end + 1, block)
                    continue
            elif any(t.low == "select" for t in inner):
                nested = _read(inner)
                block.subqueries += nested.subqueries
                block.tables += nested.tables if clause in ("from", "using") else []
                body += [token, *(t for _, part in nested.clauses for t in part), tokens[end]]
            else:
                if clause in ("from", "using") and inner and inner[0].name:
                    block.tables += _read([Token("word", "from"), *inner]).tables
                body += tokens[index : end + 1]
            index = end + 1
            continue
        if token.low in _CLAUSES and not (index and tokens[index - 1].is_(".")):
            block.clauses.append((clause, body))
            clause, body, outer_join = token.low, [], False
        elif token.low in ("left", "right", "full") and clause == "from":
            outer_join = True
        elif token.low in ("inner", "cross") and clause == "from":
            outer_join = False
        position = (
            index + 1 < len(tokens)
            and clause in ("from", "using", "update")
            and (token.low in ("from", "using", "update", "join") or token.is_(","))
        )
        if position and tokens[index + 1].name and tokens[index + 1].low not in _JOINS:
            names, stop = _dotted(tokens, index + 1)
            index = _alias(tokens, stop, block, names)
            continue
        if token.low not in _CLAUSES:
            body.append(token)
        index += 1
    block.clauses.append((clause, body))
    return block


def _alias(tokens: Sequence[Token], index: int, block: _Block, table: Chain = ()) -> int:
    """Add a table under its alias or its own name, and return the index after it."""
    if index < len(tokens) and tokens[index].low == "as":
        index += 1
    following = tokens[index] if index < len(tokens) else None
    if following is not None and following.name:
        word = following.low
        if word not in _CLAUSES | _JOINS and word not in _SET_OPERATIONS:
            block.tables.append(((following.name,), True))
            return index + 1
    if table:
        block.tables.append((table, False))
    return index
