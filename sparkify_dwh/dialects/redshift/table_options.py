"""What tables and columns may say of Redshift, without its dialect and all that it imports.

SQLAlchemy looks the dialect up for every table with an argument such as ``redshift_sortkey``. That
would cost each command a quarter of a second, whatever engine it is for.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.engine.default import DefaultDialect


class RedshiftNames(DefaultDialect):
    """Stands for the dialect until an engine is made, or a statement is compiled for it."""

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
        found: type[Any] = registry.load("redshift.redshift_connector")
        return found
