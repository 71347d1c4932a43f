"""The incoming table: rows are read into it, and it replaces the staging table on commit.

Measured: DuckDB scans the inserts of the same transaction with one thread only, so rows are read
and committed before the load's transaction begins; and copying 1.5 million rows of text into
staging afterwards takes longer than all merges together. Renaming a table costs nothing and is
rolled back like everything else.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from ...models.base import Base
from ...models.declare import Source
from ...models.expressions import integer
from ...steps.executor import Executor, temporary
from ...steps.text_repair import mended
from ...steps.typed_rows import typed_ahead
from .dialect import ReadJson

_SUFFIX = "__incoming"
#: Value of ``_row`` until the rows are numbered.
_UNNUMBERED = sa.literal_column("-1", sa.BigInteger)
#: Storage versions that choose compression badly; later ones choose well on their own
#: and refuse the option.
_OLD_FORMATS = ("v1.0.", "v1.1.", "v1.2.")


def incoming_table(source: Source) -> sa.Table:
    """The staging table's columns, followed by helper columns for judging and merging."""
    staging = source.staging
    return sa.Table(
        staging.name + _SUFFIX,
        sa.MetaData(),
        *(sa.Column(c.name, c.type, nullable=c.nullable) for c in staging.columns),
        *_helpers(source),
        schema=staging.schema,
    )


def _helpers(source: Source) -> list[sa.Column[Any]]:
    return [sa.Column("_file", sa.String), *typed_ahead(source).values(), *mended(source)]


def is_incoming(name: str) -> bool:
    """Whether a table belongs to a running or killed load, not to the warehouse."""
    return name.endswith(_SUFFIX)


class AlterTable(sa.schema.ExecutableDDLElement):
    """``ALTER TABLE``.

    :param action: ``DROP COLUMN`` or ``RENAME TO``.
    :param name: the column, or the new name.
    """

    def __init__(self, table: sa.Table, action: str, name: str) -> None:
        self.table, self.action, self.name = table, action, name


@compiles(AlterTable, "duckdb")
def _alter_table(element: AlterTable, compiler: Any, **kw: Any) -> str:
    prepare = compiler.preparer
    table = prepare.format_table(element.table)
    return f"ALTER TABLE {table} {element.action} {prepare.quote(element.name)}"


def create_incoming(ex: Executor, source: Source, raw: sa.Table) -> None:
    """Creates the table; replaces one that a killed load left."""
    step: dict[str, Any] = {"step": "read", "target": source.name}
    ex.change(sa.schema.DropTable(raw, if_exists=True), **step)
    if _is_old_format(ex, step) or ex.planning:
        # Left to choose, DuckDB tries all methods and takes half as long again.
        for column in raw.columns:
            if isinstance(column.type, sa.String):
                column.info["compression"] = "dictionary"
    ex.create(raw, **step)


def _is_old_format(ex: Executor, step: dict[str, Any]) -> bool:
    databases = sa.func.duckdb_databases().table_valued(
        sa.column("database_name", sa.String), sa.column("tags")
    )
    version = sa.func.map_extract(databases.c.tags, "storage_version")
    found = ex.rows(
        sa.select(sa.cast(version, sa.String)).where(
            databases.c.database_name == sa.func.current_database()
        ),
        **step,
    )
    return any(str(version).strip("[]'").startswith(_OLD_FORMATS) for (version,) in found)


def insert_lines(source: Source, raw: sa.Table, injected: tuple[str, str]) -> sa.Insert:
    """Inserts the lines of the files in the bind ``files``.

    :param injected: keys of a line that name its object and line.
    """
    types = dict.fromkeys(source.keys, "VARCHAR")
    types |= {injected[0]: "VARCHAR", injected[1]: "BIGINT"}
    files = sa.bindparam("files", required=False, type_=sa.ARRAY(sa.String))
    lines = ReadJson(files, types, lenient=True).table_valued(
        *(sa.column(key, sa.String) for key in (*types, "_file")), name="lines"
    )
    keys = {column: key for key, column in source.keys.items()}
    ahead = {c.name: integer(lines.c[keys[name]]) for name, c in typed_ahead(source).items()}
    place = sa.func.coalesce(lines.c[injected[0]], lines.c._file), lines.c[injected[1]]
    values = [*(lines.c[key] for key in source.keys), *place, lines.c._file, _UNNUMBERED]
    names = [*(c.name for c in source.columns), "_object", "_line", "_file", "_row", *ahead]
    return sa.insert(raw).from_select(names, sa.select(*values, *ahead.values()))


def number_rows(
    ex: Executor, source: Source, raw: sa.Table, before: int
) -> dict[str, tuple[int, int]]:
    """Numbers the rows that were just read; returns the first number and the rows of each file.

    DuckDB's own row numbers follow the order of the lines, but a checkpoint that finds deleted
    rows may change them, so rows get numbers of their own.

    :param before: number of rows that are numbered already.
    """
    step: dict[str, Any] = {"step": "read", "target": source.name}
    row, new = raw.c._row, raw.alias("new")
    start = sa.bindparam("before", type_=sa.BigInteger)
    first = sa.select(sa.func.min(sa.literal_column("new.rowid", sa.BigInteger)))
    first = first.where(new.c._row < 0)
    number = sa.literal_column("rowid", sa.BigInteger) - first.scalar_subquery() + start
    numbered = sa.update(raw).values(_row=number).where(row < 0)
    ex.change(numbered, {"before": before}, **step)
    files = sa.select(raw.c._file, sa.func.min(row), sa.func.count()).group_by(raw.c._file)
    found = ex.rows(files.where(row >= start), {"before": before}, **step)
    return {path: (lowest, count) for path, lowest, count in found}


def piece_table(source: Source) -> sa.Table:
    """A temporary table: the object and the number of the first row of each file."""
    return temporary(
        f"pieces_{source.name}",
        sa.Column("file", sa.String),
        sa.Column("object", sa.String),
        sa.Column("first", sa.BigInteger),
    )


def fill_in_places(
    ex: Executor, source: Source, raw: sa.Table, pieces: sa.Table, linked: object
) -> None:
    """Fills in object and line of rows whose file is an object.

    :param pieces: see ``piece_table``.
    :param linked: truthy where DuckDB reads some of the objects under another name.
    """
    step: dict[str, Any] = {"step": "read", "target": source.name}
    same_file = raw.c._file == pieces.c.file
    line = raw.c._row - pieces.c.first + 1
    ex.change(sa.update(raw).values(_line=line).where(same_file, raw.c._line.is_(None)), **step)
    with ex.when("DuckDB knows objects by another name", linked) as should_rename:
        if should_rename:
            renamed = sa.update(raw).values(_object=pieces.c.object)
            ex.change(renamed.where(same_file, pieces.c.file != pieces.c.object), **step)


def replace_staging(ex: Executor, source: Source, raw: sa.Table) -> None:
    """Replaces the staged rows of the previous load by those that were read."""
    step: dict[str, Any] = {"step": "stage", "target": source.name}
    staging = source.staging
    ex.change(sa.schema.DropTable(staging), **step)
    for helper in _helpers(source):
        ex.change(AlterTable(raw, "DROP COLUMN", helper.name), **step)
    ex.change(AlterTable(raw, "RENAME TO", staging.name), **step)
    if staging.comment:
        ex.change(sa.schema.SetTableComment(staging), **step)
    for column in (c for c in staging.columns if c.comment):
        ex.change(sa.schema.SetColumnComment(column), **step)


def drop_incoming(connection: sa.Connection) -> None:
    """Drops the tables of loads that did not commit."""
    schemas = {table.schema for table in Base.metadata.tables.values()}
    tables = sa.func.duckdb_tables().table_valued(
        sa.column("database_name", sa.String),
        sa.column("schema_name", sa.String),
        sa.column("table_name", sa.String),
    )
    left = connection.execute(
        sa.select(tables.c.schema_name, tables.c.table_name).where(
            tables.c.database_name == sa.func.current_database(),
            tables.c.schema_name.in_(schemas),
            tables.c.table_name.endswith(_SUFFIX),
        )
    ).all()
    for schema, name in left:
        connection.execute(sa.schema.DropTable(sa.Table(name, sa.MetaData(schema=schema))))
    connection.commit()
