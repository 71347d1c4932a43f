"""The engines by name, and where SQLAlchemy finds their dialects. Imports none of them."""

from __future__ import annotations

from sqlalchemy.dialects import registry

#: Module and class of each engine, by the backend name of its URL.
ENGINES = {
    "duckdb": ("sparkify_dwh.dialects.duckdb.engine", "DuckDBEngine"),
    "redshift": ("sparkify_dwh.dialects.redshift.engine", "RedshiftEngine"),
}

# Before any engine is created: one created earlier keeps SQLAlchemy's stock dialect.
for _name, _module, _class in (
    ("duckdb", "duckdb.dialect", "DuckDBDialect"),
    ("duckdb.duckdb", "duckdb.dialect", "DuckDBDialect"),
    ("redshift", "redshift.table_options", "RedshiftTableOptions"),
    ("redshift.redshift_connector", "redshift.dialect", "RedshiftDialect"),
):
    registry.register(_name, f"sparkify_dwh.dialects.{_module}", _class)
