"""The reference pages: every command, setting, table, error and rule, and up to date."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from sparkify_dwh import SPARKIFY, Settings
from sparkify_dwh.cli import app
from sparkify_dwh.core import errors
from sparkify_dwh.models.base import Base

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def commands(group: Any, words: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        yield words + name
        if hasattr(command, "commands"):
            yield from commands(command, f"{words}{name} ")


COMMANDS = sorted(commands(get_command(app)))


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command: str) -> None:
    text = page("cli.md")
    (section,) = re.findall(rf"^##+ sparkify {command}\n\n```text\n(.*?)```", text, re.M | re.S)
    assert section.startswith(f"Usage: sparkify {command} ")
    assert max(map(len, section.splitlines())) <= 80


def test_every_setting_table_error_and_rule_is_documented() -> None:
    for name in Settings.model_fields:
        assert f"| `{name}` |" in page("settings.md")
    for table in Base.metadata.tables.values():
        if table.schema in ("staging", "sparkify", "audit"):
            assert f"### `{table.fullname}`" in page("schema.md")
        if table.schema in ("staging", "sparkify"):
            assert f'"{table.fullname}" {{' in page("schema.md")
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, errors.SparkifyError):
            assert f"{name} ({value.exit_code})" in page("errors.md")
    for source in SPARKIFY.sources:
        for rule in source.rules:
            assert f"| `{rule.name}` | {rule.severity} | {rule.reason} |" in page("rules.md")


def test_every_command_that_the_pages_name_exists() -> None:
    for path in [*DOCS.glob("*.md"), ROOT / "README.md"]:
        for name in re.findall(r"`sparkify ([a-z]+)", path.read_text(encoding="utf-8")):
            assert name in {*COMMANDS, "infra", "compact", "profile", "report", "erase", "audit"}


def test_generated_parts_are_up_to_date() -> None:
    pages = sorted(str(path.relative_to(ROOT)) for path in DOCS.glob("*.md"))
    if os.environ.get("SPARKIFY_SOAK_VERSIONS") == "lowest":
        # Older versions name the same licences in other words.
        pages.remove("docs/licences.md")
    done = subprocess.run(
        [sys.executable, "-m", "cogapp", "--check", "--diff", "-P", "-I", "docs", *pages],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + "\nrun: scripts/docs"
