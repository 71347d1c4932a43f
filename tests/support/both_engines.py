"""The fixture of tests that hold on both engines: folders into DuckDB, a bucket into Redshift.

A test module imports it with the fixtures that it needs. What a test must leave out or put
otherwise on Redshift names its heading in `docs/redshift-loading.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from conftest import Folders
from standin.fixtures import s3_server, standin

from support.warehouses import OnRedshift, Source, aws_keys, migrated

__all__ = [
    "House",
    "Houses",
    "OnRedshift",
    "Source",
    "aws_keys",
    "house",
    "migrated",
    "s3_server",
    "standin",
]

House = Folders | OnRedshift
Houses = Callable[..., House]


@pytest.fixture(params=["duckdb", "redshift"])
def house(request: pytest.FixtureRequest) -> Houses:
    """Makes empty warehouses, ``house(**settings)``: on Redshift one after the other."""
    if request.param == "duckdb":
        made: Houses = request.getfixturevalue("warehouse")
        return made
    warehouse: OnRedshift = request.getfixturevalue("migrated")
    server = request.getfixturevalue("s3_server")

    def make(**values: Any) -> OnRedshift:
        warehouse.empty()
        return warehouse.use(Source(server), **values)

    return make
