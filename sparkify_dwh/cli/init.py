"""`init`: writes a commented settings file."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Annotated, Any

import typer

from ..core.errors import UsageError
from .app import Session, command
from .options import SETTINGS, Setting

log = logging.getLogger("sparkify_dwh.cli")
CONFIG_FILE = "sparkify.toml"


@command("init", settings=False)
def init(
    session: Session,
    file: Annotated[Path, typer.Option("--config", metavar="FILE", help="File to write.")] = Path(
        CONFIG_FILE
    ),
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write a sparkify.toml with every setting, commented out.

    Example: sparkify init
    """
    try:
        with file.open("w" if force else "x", encoding="utf-8") as out:
            out.write(config_text())
    except FileExistsError:
        raise UsageError(f"{file} exists", "--force replaces it") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from None
    log.info("%s written; set log_data and song_data in it, then: sparkify load", file)


def config_text() -> str:
    """The content of a new settings file: every setting with its description, commented out."""
    lines = [
        "# Settings of sparkify. Remove the # in front of each setting you change.",
        "# SPARKIFY_<NAME> in the environment and command-line options override this file.",
        "# `sparkify config` shows the effective values and where each comes from.",
    ]
    values = [s for s in SETTINGS if not _is_table(s)]
    # In TOML, whatever follows the head of a table belongs to that table.
    for setting in [*values, *(s for s in SETTINGS if _is_table(s))]:
        lines += ["", f"# {setting.help}"]
        if setting.name == "database_password":
            lines.append("# SPARKIFY_DATABASE_PASSWORD=…")
            continue
        if _is_table(setting):
            lines.append(f"#[{setting.name}]")
            lines += [f"#{key} = {_toml(value)}" for key, value in (setting.example or {}).items()]
            continue
        if setting.default is None:
            lines.append("# No default; for example:")
        value = setting.example if setting.default is None else setting.default
        lines.append(f"#{setting.name} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def _is_table(setting: Setting) -> bool:
    return isinstance(setting.default, dict)


def _toml(value: Any) -> str:
    # TOML writes strings, numbers and lists of strings as JSON does.
    return json.dumps(value, ensure_ascii=False)
