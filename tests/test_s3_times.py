"""Times in S3's answers are parsed as botocore does, in every form."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from botocore.loaders import JSONFileLoader
from botocore.utils import parse_timestamp

from sparkify_dwh import Settings
from sparkify_dwh.storage.aws import _parse_time, client


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
    expected = datetime(2026, 11, 24, 11, 25, 1, tzinfo=UTC)
    assert _parse_time(value) == parse_timestamp(value) == expected


def test_a_second_client_reads_no_description(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(aws_region="us-east-1")
    first = client(settings, "s3")

    def read_again(*_: object) -> None:
        raise AssertionError("botocore reads its files again")

    monkeypatch.setattr(JSONFileLoader, "load_file", read_again)
    second = client(settings, "s3")
    assert second is not first and second.meta.service_model.service_name == "s3"
