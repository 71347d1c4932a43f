"""`scripts/docs --check` fails when what a page is generated from changed and the page did not."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
import sqlalchemy as sa
import typer

from sparkify_dwh import SPARKIFY, Rule, Settings
from sparkify_dwh.cli import app
from sparkify_dwh.cli.app import command
from sparkify_dwh.core import errors
from sparkify_dwh.models.base import Base
from sparkify_dwh.models.star import Song, Songplay

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


@pytest.fixture
def generate(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(DOCS))
    import _generate

    return _generate


def blocks(page: str) -> list[tuple[str, str]]:
    """The calls of each generated part of a page, and what stands there."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = re.findall(
        r"<!-- \[\[\[cog\n(.*?)\n\]\]\] -->\n(.*?)\n<!-- \[\[\[end\]\]\] -->", text, re.S
    )
    assert found
    return [(re.findall(r"_generate\.(\w+)\(\)", code)[0], body) for code, body in found]


def stale(generate: Any, page: str) -> set[str]:
    """The parts of a page that `scripts/docs` would write otherwise."""
    return {name for name, body in blocks(page) if getattr(generate, name)().rstrip("\n") != body}


Change = Callable[[Any, pytest.MonkeyPatch], None]


def a_comment(generate: Any, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Song.__table__.c.title, "comment", "Another word")


def a_width(generate: Any, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Song.__table__.c.title, "type", sa.String(99))


def a_null(generate: Any, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Song.__table__.c.title, "nullable", True)


def a_sort_key(generate: Any, patch: pytest.MonkeyPatch) -> None:
    options = Song.__table__.dialect_options["redshift"]
    patch.setitem(options._non_defaults, "sortkey", "title")


def a_table(generate: Any, patch: pytest.MonkeyPatch) -> None:
    extended = sa.MetaData()
    for table in Base.metadata.tables.values():
        table.to_metadata(extended)
    sa.Table("more", extended, sa.Column("id", sa.Integer), schema="sparkify")
    patch.setattr(Base, "metadata", extended)


def rules_with(patch: pytest.MonkeyPatch, generate: Any, **changes: Any) -> None:
    first, *others = SPARKIFY.sources
    rule = dataclasses.replace(first.rules[0], **changes)
    source = dataclasses.replace(first, rules=(rule, *first.rules[1:]))
    patch.setattr(generate, "SPARKIFY", dataclasses.replace(SPARKIFY, sources=(source, *others)))


def a_reason(generate: Any, patch: pytest.MonkeyPatch) -> None:
    rules_with(patch, generate, reason="something else")


def a_severity(generate: Any, patch: pytest.MonkeyPatch) -> None:
    rules_with(patch, generate, severity="warn")


def a_check(generate: Any, patch: pytest.MonkeyPatch) -> None:
    last = SPARKIFY.targets[-1]
    more = Rule("short", lambda t: t.c.duration < 1e6, "a play ends", "fail")
    target = dataclasses.replace(last, checks=(*last.checks, more))
    patch.setattr(
        generate, "SPARKIFY",
        dataclasses.replace(SPARKIFY, targets=(*SPARKIFY.targets[:-1], target)),
    )  # fmt: skip


def a_limit(generate: Any, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Settings.model_fields["reject_floor"], "default", 11)


def a_description(generate: Any, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Settings.model_fields["iam_role"], "description", "Another role.")


def a_new_setting(generate: Any, patch: pytest.MonkeyPatch) -> None:
    field = Settings.model_fields["iam_role"]
    setting = next(s for s in generate.SETTINGS if s.name == "iam_role")
    patch.setattr(generate, "SETTINGS", [*generate.SETTINGS, setting.__class__(
        **{**vars(setting), "name": "brand_new"}
    )])  # fmt: skip
    patch.setitem(Settings.model_fields, "brand_new", field)


def a_new_command(generate: Any, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(app, "registered_commands", list(app.registered_commands))

    @command("brandnew")
    def brandnew(session: Any) -> None:
        """Does something new."""


def a_new_option(generate: Any, patch: pytest.MonkeyPatch) -> None:
    without = [each for each in app.registered_commands if each.name != "check"]
    patch.setattr(app, "registered_commands", without)

    @command("check")
    def check(session: Any, deep: Annotated[bool, typer.Option("--deep")] = False) -> None:
        """Check the star."""


def an_exit_code(generate: Any, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(errors.LockError, "exit_code", 3)


def the_code_of_plan(generate: Any, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(generate, "SOMETHING_TO_LOAD", 11)


def what_feeds_a_column(generate: Any, patch: pytest.MonkeyPatch) -> None:
    last = SPARKIFY.targets[-1]
    columns = {**last.columns, "location": lambda r: r.c.user_agent}
    target = dataclasses.replace(last, columns=columns)
    declared = dataclasses.replace(SPARKIFY, targets=(*SPARKIFY.targets[:-1], target))
    patch.setattr(generate, "SPARKIFY", declared)


@pytest.mark.parametrize(
    ("page", "part", "change"),
    [
        ("schema.md", "erd", a_comment),
        ("schema.md", "tables", a_comment),
        ("schema.md", "erd", a_width),
        ("schema.md", "tables", a_null),
        ("schema.md", "tables", a_sort_key),
        ("schema.md", "erd", a_table),
        ("schema.md", "tables", a_table),
        ("rules.md", "source_rules", a_reason),
        ("rules.md", "source_rules", a_severity),
        ("rules.md", "checks", a_check),
        ("rules.md", "limits", a_limit),
        ("settings.md", "settings", a_limit),
        ("settings.md", "settings", a_description),
        ("settings.md", "settings", a_new_setting),
        ("cli.md", "command_pages", a_new_command),
        ("cli.md", "command_pages", a_new_option),
        ("errors.md", "exit_codes", an_exit_code),
        ("errors.md", "error_tree", an_exit_code),
        ("errors.md", "exit_codes", the_code_of_plan),
        ("lineage.md", "lineage_tables", what_feeds_a_column),
    ],
    ids=lambda value: value.__name__ if callable(value) else str(value),
)
def test_a_change_makes_the_page_stale(
    generate: Any, monkeypatch: pytest.MonkeyPatch, page: str, part: str, change: Change
) -> None:
    assert stale(generate, page) == set()
    change(generate, monkeypatch)
    assert part in stale(generate, page)


def test_a_new_error_needs_a_meaning_of_its_code(
    generate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors.InfraError, "exit_code", 7)
    with pytest.raises(AssertionError, match="7"):
        generate.exit_codes()


def test_every_relation_stands_in_the_diagram(generate: Any) -> None:
    text = generate.erd()
    for key in Songplay.__table__.foreign_keys:
        line = f'"{key.column.table.fullname}" .*"sparkify.songplays" : "{key.parent.name}"'
        assert re.search(line, text)


def test_the_check_sees_a_page_that_is_stale(tmp_path: Path) -> None:
    page = tmp_path / "errors.md"
    text = (DOCS / "errors.md").read_text(encoding="utf-8")
    options = ("-m", "cogapp", "--check", "-P", "-I", "docs", str(page))
    for content, code in ((text, 0), (text.replace("| 6 | infra", "| 7 | infra"), 5)):
        page.write_text(content, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, *options], cwd=ROOT, capture_output=True, check=False
        )
        assert done.returncode == code, done.stdout
