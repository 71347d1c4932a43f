"""Fixtures of all tests: warehouses on temporary folders, and the real logs where they are."""

from __future__ import annotations

import gc
import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, settings
from support.reference import COLUMNS, Books, Reference

from sparkify_dwh import Run, Settings, Warehouse
from sparkify_dwh.steps.quarantine import shown_raw

pytest_plugins = ["standin.plugin"]

DATA = Path(__file__).parents[2] / "shared" / "data"
SOURCES = {"events": "log_data", "songs": "song_data"}
#: Files of tests that take longest, as measured, the longest first.
LONG = (
    *("test_redshift_points_wire.py", "test_many_loaders.py", "test_long_run.py"),
    *("test_redshift_points.py", "test_s3_faults.py", "test_bench.py", "test_faults_kill.py"),
    *("test_faults.py", "test_star_properties.py", "test_compact_s3.py", "test_change_faults.py"),
    *("test_input_forms.py", "test_erasing.py", "test_secrets_places.py", "test_wheel.py"),
)
NO_LIMIT = {"max_reject_ratio": 1.0}

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell lets what it starts in the background ignore it, and so would what tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)

_slow_is_fine = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}
settings.register_profile("default", **_slow_is_fine, derandomize=True)
settings.register_profile("soak", **_slow_is_fine)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def examples(usual: int, soak: int) -> int:
    """How many examples a property test takes in the profile at hand."""
    return soak if os.environ.get("HYPOTHESIS_PROFILE") == "soak" else usual


# The real logs -----------------------------------------------------------------------------------


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Each worker takes one file after the other, so that what is long must not come last.
    tests = Counter(item.path.name for item in items)
    rank = {name: number for number, name in enumerate(LONG, -len(LONG))}
    items.sort(key=lambda item: (rank.get(item.path.name, 0), -tests[item.path.name]))
    if DATA.is_dir():
        return
    for item in items:
        if "realdata" in item.keywords:
            item.add_marker(pytest.mark.skip(reason=f"the real logs are not at {DATA}"))


def pytest_collection_finish() -> None:
    # Modules and tests stay to the end: the garbage collector need not look at them again.
    gc.collect()
    gc.freeze()


_REALDATA: Counter[str] = Counter()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if "realdata" in report.keywords and (report.when == "call" or report.skipped):
        _REALDATA["skipped" if report.skipped else "ran"] += 1


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    yield  # the summary is printed meanwhile
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and not session.config.option.collectonly:
        ran, skipped = _REALDATA["ran"], _REALDATA["skipped"]
        reporter.write_line(f"realdata: {ran} ran, {skipped} skipped")


# Warehouses --------------------------------------------------------------------------------------


class Folders:
    """A warehouse in a folder of its own, with a source folder for events and one for songs."""

    def __init__(self, root: Path, template: Path, **values: Any) -> None:
        self.root, self.database = root, root / "warehouse.duckdb"
        self.folders = {source: root / name for source, name in SOURCES.items()}
        for folder in self.folders.values():
            folder.mkdir(parents=True)
        shutil.copyfile(template, self.database)
        given = {setting: str(self.folders[source]) for source, setting in SOURCES.items()}
        self.warehouse = Warehouse(
            Settings(database_url=f"duckdb:///{self.database}", **{**given, **values})
        )

    #: Whether a row that a rule refuses is told with its object and line.
    tells_place = True

    def put(self, source: str, name: str, data: bytes) -> Path:
        """Writes a file of a source; folders in its name are made."""
        path = self.folders[source] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def load(self, **options: Any) -> Run:
        return self.warehouse.load(**options)

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.database), read_only=True) as connection:
            return connection.execute(sql, list(values)).fetchall()

    def table(self, name: str) -> list[tuple[Any, ...]]:
        """All rows of a table, sorted."""
        return sorted(self.query(f"SELECT * FROM {name}"), key=repr)

    def star(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of the star, sorted by key, columns in the oracle's order."""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            return {
                table: connection.execute(
                    f"SELECT {', '.join(names)} FROM sparkify.{table} ORDER BY ALL"
                ).fetchall()
                for table, names in COLUMNS.items()
            }

    def refused(self, run: Run) -> Counter[tuple[Any, ...]]:
        """(source, rule, object, line, raw, size) of the records that a run refused."""
        return Counter(
            self.query(
                "SELECT source, rule, key, line, raw, raw_bytes FROM audit.rejected_row"
                " WHERE run_id = ?",
                run.run_id,
            )
        )


Factory = Callable[..., Folders]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty database."""
    path = tmp_path_factory.mktemp("template") / "empty.duckdb"
    Warehouse(Settings(database_url=f"duckdb:///{path}")).migrate()
    return path


@pytest.fixture
def warehouse(tmp_path: Path, template: Path) -> Factory:
    """Makes warehouses of one test, each in a folder of its own: ``warehouse(**settings)``."""
    made: list[Folders] = []

    def make(**values: Any) -> Folders:
        made.append(Folders(tmp_path / f"warehouse-{len(made)}", template, **values))
        return made[-1]

    return make


# Comparing with the oracle -----------------------------------------------------------------------


def whole(star: Reference) -> dict[str, list[tuple[Any, ...]]]:
    """The oracle's star, as ``Folders.star`` gives it."""
    return {name: sorted(star.star_rows(name), key=repr_key) for name in COLUMNS}


def repr_key(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Sorts rows by all columns, NULL last, as ORDER BY ALL does."""
    return tuple((value is None, value) for value in row)


def same_books(run: Run, books: Books) -> None:
    """The books of a run are those of the oracle, and so are the values of its rules."""
    for source in run.sources:
        expected = books.sources[source.source]
        assert (source.read, source.staged, source.refused_by_parser) == (
            *(expected.read, expected.staged),
            expected.refused_by_parser,
        ), source.source
    for account in run.targets:
        target = books.targets[account.target]
        for name, value in vars(target).items():
            assert getattr(account, name) == value, (account.target, name)
        if account.target == "artists":
            assert account.recomputed == books.artists_recomputed
        if account.target == "songplays":
            assert account.resolved_again == books.plays_resolved
    for measure in run.measures:
        if measure.target in books.violations and measure.limit_value is None:
            expected_value = books.violations[measure.target][measure.rule]
            assert measure.value == expected_value, (measure.target, measure.rule)


def same_refusals(folders: Folders, run: Run, books: Books) -> None:
    """The refused records of a run are those of the oracle."""
    expected = Counter(
        (each.source, each.rule, each.object, each.line, shown_raw(each.raw), len(each.raw))
        for each in books.refusals
    )
    found = folders.refused(run)
    assert found - expected == Counter(), "refused, but not by the oracle"
    assert expected - found == Counter(), "refused by the oracle alone"
