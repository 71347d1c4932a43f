"""Times in answers of S3 are what botocore reads, in whatever form they come."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from botocore.utils import parse_timestamp

from sparkify_dwh.aws import _time


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-24T11:25:01.000Z",
        "2026-11-24T11:25:01Z",
        "2026-11-24T13:25:01+02:00",
        "Tue, 24 Nov 2026 11:25:01 GMT",
        1795519501,
        1795519501.0,
        "1795519501",
    ],
)
def test_times(value: object) -> None:
    assert _time(value) == parse_timestamp(value) == datetime(2026, 11, 24, 11, 25, 1, tzinfo=UTC)
