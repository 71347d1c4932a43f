"""The Redshift options of tables and columns, without the dialect and all that it imports.

SQLAlchemy loads the dialect for every table with an argument such as ``redshift_sortkey``. The real
one would add a quarter of a second to each command, whatever its engine.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.engine.default import DefaultDialect


class RedshiftTableOptions(DefaultDialect):
    """Replaces the dialect until an engine is created or a statement is compiled for it."""

    name = "redshift"
    construct_arguments = [
        (sa.schema.Index, {"using": False, "where": None, "ops": {}}),
        (
            sa.schema.Table,
            {
                "ignore_search_path": False,
                "diststyle": None,
                "distkey": None,
                "sortkey": None,
                "interleaved_sortkey": None,
            },
        ),
        (
            sa.schema.Column,
            {"encode": None, "distkey": None, "sortkey": None, "identity": None},
        ),
    ]

    @classmethod
    def get_dialect_cls(cls, url: sa.URL) -> type[Any]:
        """The dialect itself."""
        dialect: type[Any] = registry.load("redshift.redshift_connector")
        return dialect
