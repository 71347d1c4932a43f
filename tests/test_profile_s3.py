"""Profiles of objects on S3."""

from __future__ import annotations

from typing import Any

import pytest
from support.warehouses import Source

from sparkify_dwh import Settings, SourceError, Warehouse
from sparkify_dwh.storage import s3


def test_a_prefix_and_an_object(source: Source) -> None:
    first = source.put("events", "a.json", b'{"a":1}\n{"a":"x"}\nbroken\n')
    source.put("events", "b.json", b'{"a":2}\n' * 40_000)
    prefix = source.bucket.url("log_data/")
    found = Warehouse(Settings(**source.settings())).profile(prefix, first)
    assert [each.records for each in found] == [40_002, 2]
    assert found[0]["a"].types == {"integer": 40_001, "string": 1}
    (broken,) = found[0].broken_at
    assert (broken.key, broken.line, broken.rule) == (first, 3, "malformed_json")


def test_an_object_that_changes_is_reported(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.put("events", "a.json", b'{"a":1}\n')
    source.put("events", "b.json", b'{"a":2}\n')
    listed = s3.S3.list_prefix

    def then_written(self: s3.S3, *given: Any) -> Any:
        found = listed(self, *given)
        source.put("events", "b.json", b'{"a":3}\n')
        return found

    monkeypatch.setattr(s3.S3, "list_prefix", then_written)
    found = Warehouse(Settings(**source.settings())).profile(source.bucket.url("log_data/"))[0]
    assert (found.records, found.objects) == (1, 1)
    assert [key.rsplit("/", 1)[-1] for key in found.changed] == ["b.json"]


def test_nothing_there(source: Source) -> None:
    warehouse = Warehouse(Settings(**source.settings()))
    with pytest.raises(SourceError, match="contains no JSON files"):
        warehouse.profile(source.bucket.url("nothing/"))
    with pytest.raises(SourceError, match="NoSuchBucket"):
        warehouse.profile("s3://no-such-bucket-at-all/x/")
