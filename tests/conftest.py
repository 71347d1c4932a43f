"""Which plugins hold the fixtures, the order of the tests, and whether the real logs are there."""

from __future__ import annotations

import gc
import os
import signal
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from support.realdata import DATA

pytest_plugins = [
    "standin.plugin",
    "standin.fixtures",
    "support.fixtures",
    "support.infra_fixtures",
]

#: Files of tests that take longest, as measured, the longest first.
LONG = (
    *("test_redshift_points_wire.py", "test_many_loaders.py", "test_long_run.py"),
    *("test_redshift_points.py", "test_s3_faults.py", "test_bench.py", "test_faults_kill.py"),
    *("test_faults.py", "test_star_properties.py", "test_compact_s3.py", "test_change_faults.py"),
    *("test_input_forms.py", "test_erasing.py", "test_secrets_places.py", "test_wheel.py"),
)

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
