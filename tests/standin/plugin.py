"""The option `--redshift URL`: what can run against a real cluster runs there as well.

A conftest.py takes it by

    pytest_plugins = ["standin.plugin"]

Tests that ask for `anywhere` run on the stand-in, and once more on the cluster of the option.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from .server import Database

#: Why the tests of a real cluster are skipped.
NO_CLUSTER = "runs against a real cluster: --redshift URL"


@dataclass(frozen=True)
class Somewhere:
    """A database to test on: its URL, and the stand-in behind it where there is one."""

    url: str
    standin: Database | None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--redshift",
        metavar="URL",
        help="run what can run against a real cluster on this empty database, too; the password "
        "comes from SPARKIFY_DATABASE_PASSWORD, other kinds of auth from their settings",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "cluster: runs against a real cluster, if one is given")


@pytest.fixture(params=["standin", pytest.param("cluster", marks=pytest.mark.cluster)])
def anywhere(request: pytest.FixtureRequest) -> Iterator[Somewhere]:
    """The stand-in, or the cluster of the option, whose database must be and stays empty."""
    if request.param == "standin":
        make: Callable[[], Database] = request.getfixturevalue("make_redshift")
        database = make()
        yield Somewhere(database.url(), database)
        return
    url: Any = request.config.getoption("--redshift")
    if not url:
        pytest.skip(NO_CLUSTER)
    yield Somewhere(url, None)
