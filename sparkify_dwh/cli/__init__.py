"""The `sparkify` command: parse, call the library, print, exit code. Not here: any other work."""

from .app import app, main

# Importing a module declares its command.
from . import audit, check, compact, config, demo, erase, generate, infra  # isort: skip  # noqa: F401
from . import init, load, migrate, plan, profile, query, rejects, report  # isort: skip  # noqa: F401
from . import runs  # isort: skip  # noqa: F401

app.add_typer(audit.app)
app.add_typer(infra.app)

__all__ = ["app", "main"]
