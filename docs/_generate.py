"""Generates parts of the reference pages; cog runs it (scripts/docs)."""

from __future__ import annotations

import inspect
import os
import re
import signal
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from importlib.resources import files
from typing import Any

import sqlalchemy as sa
from typer.main import get_command
from typer.testing import CliRunner

import sparkify_dwh
from sparkify_dwh import SPARKIFY, Base, Settings, SparkifyError
from sparkify_dwh.cli import app
from sparkify_dwh.cli.exits import SOMETHING_TO_LOAD
from sparkify_dwh.cli.options import SETTINGS
from sparkify_dwh.core.config_file import ENV_PREFIX
from sparkify_dwh.models import audit  # noqa: F401  (adds its tables to Base.metadata)
from sparkify_dwh.models.lineage import fields as all_fields
from sparkify_dwh.models.lineage import lineage
from sparkify_dwh.steps.quarantine import PARSER_RULES
from sparkify_dwh.steps.star_checks import star_reasons

WIDTH = 80


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table; `|` in a cell is escaped, None is an empty cell."""
    lines = [columns, ["---"] * len(columns), *rows]
    cells = (
        (("" if cell is None else str(cell)).replace("|", "\\|") for cell in row) for row in lines
    )
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def code(value: Any) -> str:
    return f"`{value}`"


# The command line -------------------------------------------------------------------------


def help_of(*arguments: str) -> str:
    """The help of a command at 80 columns, without colours."""
    columns = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(WIDTH)
    try:
        text = CliRunner().invoke(app, [*arguments, "--help"], prog_name="sparkify").stdout
    finally:
        if columns is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = columns
    return text.rstrip()


def commands() -> list[tuple[str, ...]]:
    """The words of each command, groups before their commands."""

    def walk(group: Any, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        for name in group.list_commands(None):
            yield (*words, name)
            if hasattr(group.commands[name], "commands"):
                yield from walk(group.commands[name], (*words, name))

    return list(walk(get_command(app), ()))


def command_pages() -> str:
    """The help of the application and of each command."""
    parts = [f"```text\n{help_of()}\n```"]
    for words in commands():
        heading = f"{'#' * (len(words) + 1)} sparkify {' '.join(words)}"
        parts.append(f"{heading}\n\n```text\n{help_of(*words)}\n```")
    return "\n\n".join(parts)


# Settings ---------------------------------------------------------------------------------


def settings() -> str:
    """Every setting with its option, environment variable, default and description."""
    options = {setting.name: setting.flag for setting in SETTINGS}
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        rows.append(
            (
                code(name),
                code(options[name]) if options[name] else None,
                code(ENV_PREFIX + name.upper()),
                code(default) if default not in (None, [], {}) else None,
                field.description,
            )
        )
    return table(("setting", "option", "environment", "default", "what"), rows)


# The schema -------------------------------------------------------------------------------


#: Schemas that have a diagram; the audit tables are not linked, so a picture adds nothing.
DRAWN = {"sparkify": "The star", "staging": "Staging"}


def erd() -> str:
    """Mermaid diagrams of the star and of staging: tables, columns and foreign keys."""
    return "\n\n".join(f"### {title}\n\n{_erd(schema)}" for schema, title in DRAWN.items())


def _erd(schema: str) -> str:
    drawn = [each for each in Base.metadata.sorted_tables if each.schema == schema]
    lines = ["```mermaid", "erDiagram"]
    for each in drawn:
        lines.append(f'    "{each.fullname}" {{')
        for column in each.columns:
            marks = ["PK"] * column.primary_key + ["FK"] * bool(column.foreign_keys)
            kind = str(column.type).replace(" ", "_")
            comment = (column.comment or "").replace('"', "'")
            lines.append(f'        {kind} {column.name} {", ".join(marks)} "{comment}"')
        lines.append("    }")
    for each in drawn:
        for key in sorted(each.foreign_keys, key=lambda key: key.parent.name):
            one = "|o" if key.parent.nullable else "||"
            parent = key.column.table.fullname
            lines.append(f'    "{parent}" {one}--o{{ "{each.fullname}" : "{key.parent.name}"')
    return "\n".join([*lines, "```"])


def tables() -> str:
    """Each table with its columns and keys, and how Redshift distributes and sorts it."""
    parts: list[str] = []
    for schema in sorted({t.schema or "" for t in Base.metadata.tables.values()}):
        parts.append(f"## Schema `{schema}`")
        parts += [
            _table_page(each) for each in Base.metadata.sorted_tables if each.schema == schema
        ]
    return "\n\n".join(parts)


def _table_page(each: sa.Table) -> str:
    options = each.dialect_options["redshift"]
    style, distkey, sortkey = (options.get(n) for n in ("diststyle", "distkey", "sortkey"))
    if isinstance(sortkey, str):
        sortkey = (sortkey,)
    keys = [
        f"key {', '.join(code(c.name) for c in each.primary_key.columns)}"
        if each.primary_key.columns
        else "no key",
        f"distribution {style}" + (f" on {code(distkey)}" if distkey else ""),
        "sorted by " + ", ".join(code(name) for name in sortkey) if sortkey else "not sorted",
    ]
    rows = []
    for column in each.columns:
        refers = [f"refers to {code(key.target_fullname)}" for key in column.foreign_keys]
        rows.append(
            (
                code(column.name),
                code(column.type),
                "yes" if column.nullable else "no",
                "; ".join([column.comment or "", *refers]),
            )
        )
    body = table(("column", "type", "NULL", "what"), rows)
    return f"### `{each.fullname}`\n\n{each.comment}. On Redshift: {'; '.join(keys)}.\n\n{body}"


# Errors -----------------------------------------------------------------------------------


def error_tree() -> str:
    """The error classes as a tree, with exit codes."""
    lines = ["```text", *_branch(SparkifyError, ""), "```"]
    return "\n".join(lines)


def _branch(cls: type[SparkifyError], indent: str) -> list[str]:
    what = (cls.__doc__ or "").strip().splitlines()[0]
    lines = [f"{indent}{cls.__name__} ({cls.exit_code}): {what}"]
    for child in cls.__subclasses__():
        lines += _branch(child, indent + "  ")
    return lines


def exit_codes() -> str:
    """Every exit code of the command line, its meaning and its errors."""
    meanings = {
        0: "done; also: nothing new to load",
        1: "a bug, or output that cannot be written",
        2: "wrong usage or settings, or a missing extra",
        3: "a source is missing or unreadable",
        4: "quality: rules, limits or checks; a load is rolled back",
        5: "the database, its lock or its schema version",
        6: "infrastructure",
        SOMETHING_TO_LOAD: "`sparkify plan --exit-code`: there is something to load",
        128 + signal.SIGINT: "interrupted (SIGINT); rolled back",
        128 + signal.SIGTERM: "terminated (SIGTERM); rolled back",
    }
    found: dict[int, list[str]] = {}
    todo: list[type[SparkifyError]] = [SparkifyError]
    while todo:
        cls = todo.pop(0)
        found.setdefault(cls.exit_code, []).append(code(cls.__name__))
        todo += cls.__subclasses__()
    missing = set(found) - set(meanings)
    assert not missing, f"exit codes without a meaning: {missing}"
    rows = [(n, what, ", ".join(found.get(n, ()))) for n, what in sorted(meanings.items())]
    return table(("code", "what", "errors"), rows)


# Quality rules ----------------------------------------------------------------------------


def parser_rules() -> str:
    """The parser rules, which refuse a record or an object before any declared rule."""
    rows = [(code(name), reason) for name, reason in PARSER_RULES.items()]
    return table(("rule", "what must hold"), rows)


def source_rules() -> str:
    """The declared rules of each source."""
    parts = []
    for source in SPARKIFY.sources:
        rows = [(code(rule.name), rule.severity, rule.reason) for rule in source.rules]
        parts.append(
            f"### `{source.name}`\n\n{table(('rule', 'severity', 'what must hold'), rows)}"
        )
    return "\n\n".join(parts)


def limits() -> str:
    """The settings that limit how many rows a load may refuse."""
    names = ("max_reject_ratio", "reject_floor", "max_rejects")
    fields = Settings.model_fields
    rows = [
        (
            code(n),
            code(fields[n].default) if fields[n].default is not None else "none",
            fields[n].description,
        )
        for n in names
    ]
    return table(("setting", "default", "what"), rows)


def checks() -> str:
    """The checks of each table of the star; a broken one fails the load."""
    rows = []
    for target in SPARKIFY.targets:
        rows += [(code(target.name), code(n), what) for n, what in star_reasons(target).items()]
    return table(("table", "check", "what must hold"), rows)


# Lineage ----------------------------------------------------------------------------------


def lineage_diagram() -> str:
    """A Mermaid diagram of files, staging tables and the star."""
    lines = ["```mermaid", "flowchart LR"]
    for source in SPARKIFY.sources:
        name = f"staging_{source.name}"
        lines.append(f'    files_{source.name}["{source.name} files"] --> {name}')
        lines.append(f'    {name}["{source.staging.fullname}"]')
    for target in SPARKIFY.targets:
        lines.append(f'    {target.name}["{target.table.fullname}"]')
        lines.append(f"    staging_{target.source} --> {target.name}")
    links = star_links()
    lines += [f"    {table} -. {how} .-> {filled}" for table, how, filled in links]
    return "\n".join([*lines, "```"])


def star_links() -> list[tuple[str, str, str]]:
    """Distinct links between tables of the star: origin, how, filled table."""
    found = {}
    for each in lineage(SPARKIFY):
        for through in each.through:
            found[through.split(".")[0], each.how, each.table] = None
    return list(found)


def lineage_tables() -> str:
    """The columns of each table with the fields they come from."""
    parts = []
    for target in SPARKIFY.targets:
        rows = []
        for each in lineage(SPARKIFY):
            if each.table != target.name:
                continue
            fields = [f"{code(o.key)} of {o.source}" for o in each.origins]
            kinds = dict.fromkeys(
                f"repaired {o.kind}" if o.repaired else o.kind for o in each.origins
            )
            how = each.how
            if each.through:
                how += " from " + ", ".join(map(code, each.through))
            if each.by:
                how += " by " + ", ".join(map(code, each.by))
            rows.append((code(each.column), ", ".join(fields), ", ".join(kinds), how))
        scope = "" if target.scope is None else " Only some rows belong here."
        body = table(("column", "field", "read as", "how"), rows)
        parts.append(
            f"## `{target.table.fullname}`\n\nFed by {target.source} files.{scope}\n\n{body}"
        )
    return "\n\n".join(parts)


def fields_not_stored() -> str:
    """Fields of the files that no column of the star comes from."""
    used = {(o.source, o.column) for each in lineage(SPARKIFY) for o in each.origins}
    rows = [
        (code(key), source.name, "typed, for rules only" if typed else "staged only")
        for source, typed, key, column in all_fields(SPARKIFY)
        if (source.name, column) not in used
    ]
    return table(("field", "source", "use"), rows)


def report_charts() -> str:
    """The charts of the report."""
    return table(("chart", "what"), [(each.title, each.what) for each in SPARKIFY.charts])


# The library -----------------------------------------------------------------------------


def public_names() -> str:
    """Every exported name with the first line of its documentation."""
    names = sorted(sparkify_dwh.__all__)
    return table(("name", "what"), [(code(name), _summary(name)) for name in names])


def _summary(name: str) -> str:
    value = getattr(sparkify_dwh, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        text = inspect.getdoc(value) or ""
    else:
        text = _comment(name)
    return text.splitlines()[0].replace("``", "`").removesuffix(".")


def _comment(name: str) -> str:
    """The comment above a constant, in the module that the stub file names."""
    stub = files("sparkify_dwh").joinpath("__init__.pyi").read_text(encoding="utf-8")
    (module,) = re.findall(rf"^from (\S+) import {name} as", stub, re.MULTILINE)
    source = inspect.getsource(import_module(module, "sparkify_dwh"))
    (comment,) = re.findall(rf"^#: (.*)\n{name} = ", source, re.MULTILINE)
    return str(comment)


# README -----------------------------------------------------------------------------------


def load_summary() -> str:
    """What a load of generated data prints, without its time and run id, which vary."""
    import tempfile

    from sparkify_dwh import Warehouse, generate
    from sparkify_dwh.cli.summary import summary

    with tempfile.TemporaryDirectory() as folder:
        generate(folder, events=20_000, songs=300, days=8, dirty=0.001)
        settings = Settings(
            database_url=f"duckdb:///{folder}/readme.duckdb",
            log_data=f"{folder}/log_data",
            song_data=f"{folder}/song_data",
        )
        lines = summary(Warehouse(settings).load(), None).splitlines()
    return "\n".join(["```text", *lines[2:], "```", ""])
