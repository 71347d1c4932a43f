"""COPY into the table of the `client` fixture, and what is in it, for the stand-in's own tests."""

from __future__ import annotations

from .client import Client


def copy(source: str, options: str = "", table: str = "t") -> str:
    """A COPY of JSON objects from a source."""
    return f"COPY {table} FROM '{source}' IAM_ROLE default FORMAT AS JSON 'auto' {options}"


def rows(client: Client, table: str = "t") -> list[list[object]]:
    """All rows of a table, sorted."""
    return client(f"SELECT * FROM {table} ORDER BY 1, 2")
