"""The table that rows are read into: it takes the place of the staging table when the load commits.

Measured: DuckDB scans what a transaction inserted with one thread only, so rows are read and
committed before the load's transaction begins; and to copy 1.5 million rows of text into staging
afterwards takes longer than all merges together. Renaming a table costs nothing and is undone by
a rollback like everything else.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from ...models.base import Base
from ...models.declare import Source
from ...steps.executor import Executor, temporary
from ...steps.text_repair import mended
from ...steps.typed_rows import typed_ahead

_SUFFIX = "__incoming"
#: In ``_row`` until the rows are numbered.
UNNUMBERED = sa.literal_column("-1", sa.BigInteger)
#: First versions of the file's format; later ones choose as well by themselves, and refuse this.
_OLD_FORMATS = ("v1.0.", "v1.1.", "v1.2.")


def incoming_table(source: Source) -> sa.Table:
    """The staging table's columns and behind them those that help to judge and merge."""
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
    """Whether a table is no part of the warehouse but of a load that is at work, or died."""
    return name.endswith(_SUFFIX)


class AlterTable(sa.schema.ExecutableDDLElement):
    """A change of a table: ``DROP COLUMN``, ``RENAME TO``.

    :param what: the words of it.
    :param name: the column, or the new name.
    """

    def __init__(self, table: sa.Table, what: str, name: str) -> None:
        self.table, self.what, self.name = table, what, name


@compiles(AlterTable, "duckdb")
def _altered(element: AlterTable, compiler: Any, **kw: Any) -> str:
    prepare = compiler.preparer
    table = prepare.format_table(element.table)
    return f"ALTER TABLE {table} {element.what} {prepare.quote(element.name)}"


def create_incoming(ex: Executor, source: Source, raw: sa.Table) -> None:
    """Creates it anew: a load that was killed may have left one."""
    step: dict[str, Any] = {"step": "read", "target": source.name}
    ex.change(sa.schema.DropTable(raw, if_exists=True), **step)
    if _is_old_format(ex, step) or ex.planning:
        # Told to choose among all ways, it looks for the smallest and takes half as long again.
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


def number_rows(
    ex: Executor, source: Source, raw: sa.Table, before: int
) -> dict[str, tuple[int, int]]:
    """Numbers the rows that were read last; returns first number and rows of each file.

    DuckDB's own row numbers are in the order of the lines, but a checkpoint that finds deleted
    rows may change them: from here on rows are told by numbers of ours.

    :param before: how many rows were numbered before.
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
    """The way from a file that was read to its object, and to the number of its first row."""
    return temporary(
        f"pieces_{source.name}",
        sa.Column("file", sa.String),
        sa.Column("object", sa.String),
        sa.Column("first", sa.BigInteger),
    )


def fill_in_places(
    ex: Executor, source: Source, raw: sa.Table, back: sa.Table, linked: object
) -> None:
    """Fills in object and line where the file is the object.

    :param linked: whether DuckDB knows some of the objects by another name.
    """
    step: dict[str, Any] = {"step": "read", "target": source.name}
    found = raw.c._file == back.c.file
    line = raw.c._row - back.c.first + 1
    ex.change(sa.update(raw).values(_line=line).where(found, raw.c._line.is_(None)), **step)
    with ex.when("DuckDB knows objects by another name", linked) as wanted:
        if wanted:
            renamed = sa.update(raw).values(_object=back.c.object)
            ex.change(renamed.where(found, back.c.file != back.c.object), **step)


def replace_staging(ex: Executor, source: Source, raw: sa.Table) -> None:
    """Puts the rows that were read in place of those of the load before."""
    step: dict[str, Any] = {"step": "stage", "target": source.name}
    staging = source.staging
    ex.change(sa.schema.DropTable(staging), **step)
    for column in _helpers(source):
        ex.change(AlterTable(raw, "DROP COLUMN", column.name), **step)
    ex.change(AlterTable(raw, "RENAME TO", staging.name), **step)
    if staging.comment:
        ex.change(sa.schema.SetTableComment(staging), **step)
    for told in (c for c in staging.columns if c.comment):
        ex.change(sa.schema.SetColumnComment(told), **step)


def drop_incoming(connection: sa.Connection) -> None:
    """Drops what a load left that did not commit."""
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
