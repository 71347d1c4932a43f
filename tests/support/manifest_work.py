"""What the client does for one COPY of many objects, without a cluster and without S3.

usage: python tests/support/manifest_work.py OBJECTS  (the bench measures it as a process)
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from sparkify_dwh import SPARKIFY, Settings
from sparkify_dwh.dialects.redshift.engine import RedshiftEngine
from sparkify_dwh.steps import ledger
from sparkify_dwh.steps.executor import Executor
from sparkify_dwh.steps.quarantine import Quarantine
from sparkify_dwh.storage.objects import Object, new_objects

URL = "redshift+redshift_connector://loader@example.invalid:5439/dwh"


class Objects:
    """S3 that takes what is written, and counts its bytes."""

    def __init__(self) -> None:
        self.written: Counter[str] = Counter()

    def write(self, address: str, data: bytes | Path) -> None:
        size = len(data) if isinstance(data, bytes) else data.stat().st_size
        self.written[address.rsplit("/", 1)[1]] += size

    def fetch(self, objects: Any, folder: Path) -> Iterator[Object]:
        assert not list(objects), "no record was refused, so none is looked for"
        return iter(())

    def remove(self, addresses: Any) -> None:
        return


class Cluster(Executor):
    """Says of each COPY that it read one record of each object."""

    def __init__(self, objects: Sequence[Object]) -> None:
        self.objects, self.sent = objects, 0
        self.steps = {}

    def change(self, statement: Any, values: Any = None, **step: Any) -> int:
        self.sent += 1
        return 0

    def rows(self, statement: Any, values: Any = None, **step: Any) -> Any:
        self.sent += 1
        # The names come from the driver as new texts, one for each object.
        by_object = "lines_scanned" in str(statement)
        return [(f"{each.key} ".rstrip(), 1) for each in self.objects] if by_object else []

    def numbers(self, statement: Any, **step: Any) -> Mapping[str, int]:
        self.sent += 1
        names = [column.name for column in statement.selected_columns]
        return {name: 1 if name in ("pid", "views") else len(self.objects) for name in names}


def listed(count: int) -> list[Object]:
    """Objects as a listing returns them."""
    return [
        Object(f"s3://udacity-dend/song_data/A/B/C/TRAABC{n:012}.json", f"{n:032x}", 270)
        for n in range(count)
    ]


def work(count: int) -> tuple[Cluster, Objects]:
    """Lists, plans, reads and records ``count`` objects of one source."""
    source = SPARKIFY.source("songs")
    settings = Settings(database_url=URL, work_prefix="s3://work-bucket/work/")
    engine = RedshiftEngine(settings)
    s3 = Objects()
    engine.s3 = engine.work.s3 = s3  # type: ignore[assignment]
    objects = new_objects(listed(count), {}, False, ())
    cluster = Cluster(objects)
    at = datetime(2026, 1, 1)
    with tempfile.TemporaryDirectory() as folder:
        quarantine = Quarantine(Path(folder) / "rejected.json", "run", at)
        reading = engine.read(cluster, source, objects, quarantine)
        counts = {"read": reading.read, "staged": engine.staged_counts(cluster, source)}
        rows = ledger.file_rows("run", source, objects, {**counts, "refused": {}})
        engine.fill(cluster, ledger.FILE, rows, step="record", target=source.name)
        quarantine.close()
    engine.close()
    assert sum(reading.read.values()) == count
    return cluster, s3


if __name__ == "__main__":
    sa.select()  # imported before anything is measured
    work(int(sys.argv[1]))
