"""The `sparkify` command: it parses, calls the library, prints, and returns exit codes."""

from .app import app, main

# In the order in which `sparkify --help` lists them.
from . import starting, loads, compact, looking, checking  # isort: skip  # noqa: F401
from . import profile, reporting, keeping, infra  # isort: skip  # noqa: F401

app.add_typer(keeping.audit)
app.add_typer(infra.app)

__all__ = ["app", "main"]
