"""Answers the three queries with which sqlalchemy-redshift 1.0.0 reads the catalog.

They use columns and functions that only Redshift has (`reldiststyle`, `attisdistkey`,
`pg_get_late_binding_view_cols`), so each is recognized as a whole and answered from a view of the
same shape in views.sql.
"""

from __future__ import annotations

from collections.abc import Sequence

from .plan import literal
from .tokens import Token, tokenize

# A name that only this query has, the view that answers it, its columns of table name and order
_QUERIES = (
    ("pg_get_late_binding_view_cols", "rs_reflected_columns", "table_name", "attnum"),
    ("svv_external_tables", "rs_reflected_relations", "relname", "relname"),
    ("svv_external_columns", "rs_reflected_constraints", "table_name", "attnum"),
)


def answer(sql: str) -> str | None:
    """The statement that answers a reflection query; None for any other statement."""
    if "svv_external_" not in sql:
        return None
    tokens = tokenize(sql)
    names = {token.name for token in tokens}
    for marker, view, table, order in _QUERIES:
        if marker in names:
            where = "true"
            for column in ("schema", table):
                value = _filter(tokens, column)
                if value is not None:
                    where += f' AND "{column}" = {literal(value)}'
            return f'SELECT * FROM pg_catalog.{view} WHERE {where} ORDER BY "schema", {order}'
    return None


def _filter(tokens: Sequence[Token], column: str) -> str | None:
    for index, token in enumerate(tokens[:-3]):
        if (
            token.low == "and"
            and tokens[index + 1].name == column
            and tokens[index + 2].is_("=")
            and tokens[index + 3].kind == "string"
        ):
            return tokens[index + 3].value
    return None
