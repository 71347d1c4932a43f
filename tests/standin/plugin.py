"""The option `--redshift URL`, which runs suitable tests against a real cluster as well.

A conftest.py registers it by

    pytest_plugins = ["standin.plugin"]

Tests that use `anywhere` run on the stand-in, and again on the cluster of the option.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from .server import Database

#: Why tests of a real cluster are skipped.
NO_CLUSTER = "runs against a real cluster: --redshift URL"


@dataclass(frozen=True)
class Somewhere:
    """A database to test on: its URL, and the stand-in's database unless it is a real cluster."""

    url: str
    standin: Database | None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--redshift",
        metavar="URL",
        help="run the tests for real clusters on this empty database too; the password comes from "
        "SPARKIFY_DATABASE_PASSWORD, other kinds of auth from their settings",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "cluster: runs against a real cluster, if one is given")


@pytest.fixture(params=["standin", pytest.param("cluster", marks=pytest.mark.cluster)])
def anywhere(request: pytest.FixtureRequest) -> Iterator[Somewhere]:
    """The stand-in, or the cluster of the option, whose database must be empty and stay so."""
    if request.param == "standin":
        make: Callable[[], Database] = request.getfixturevalue("make_redshift")
        database = make()
        yield Somewhere(database.url(), database)
        return
    url: Any = request.config.getoption("--redshift")
    if not url:
        pytest.skip(NO_CLUSTER)
    yield Somewhere(url, None)
