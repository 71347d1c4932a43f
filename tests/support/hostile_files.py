"""Reads hostile files in its own process; prints the refusals and the peak of memory as JSON.

usage: python hostile_files.py duckdb|redshift FOLDER
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from sparkify_dwh import SPARKIFY, Settings, Warehouse
from sparkify_dwh.storage.objects import Object, list_folder

#: Where a bound fails, the process must not take the machine with it.
MOST_MEMORY = 8 * 1024**3


def peak() -> int:
    """Bytes; ru_maxrss would count those of the parent before it started this process."""
    text = Path("/proc/self/status").read_text()
    (line,) = (each for each in text.splitlines() if each.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def on_duckdb(folder: Path) -> list[dict[str, object]]:
    """Loads the folder; the refusals."""
    settings = Settings(
        database_url=f"duckdb:///{folder / 'warehouse.duckdb'}",
        log_data=str(folder / "logs"),
        max_reject_ratio=1.0,
        memory_limit="512MiB",
    )
    warehouse = Warehouse(settings)
    warehouse.migrate()
    warehouse.load()
    sql = "SELECT key, rule, line, raw_bytes FROM audit.rejected_row ORDER BY ALL"
    return [dict(row) for row in warehouse.query(sql).records()]


class Copies:
    """Stands for S3: the objects are local files, which the reader may move."""

    def fetch(self, objects: Iterable[Object], folder: Path) -> Iterator[Object]:
        for number, each in enumerate(objects):
            copy = folder / f"object-{number}"
            copy.symlink_to(each.path)
            yield Object(each.key, each.version, each.size, str(copy))


def on_redshift(folder: Path) -> list[dict[str, object]]:
    """What the client reads of objects in which COPY refused the first and the last line."""
    from sparkify_dwh.dialects.base import Reading
    from sparkify_dwh.dialects.redshift.copy_refusals import CopyRefusals
    from sparkify_dwh.dialects.redshift.load_views import LoadError, Outcome
    from sparkify_dwh.steps import locate
    from sparkify_dwh.steps.quarantine import Quarantine

    scratch = folder / "scratch"
    scratch.mkdir()
    quarantine = Quarantine(folder / "refused.json", "run", datetime(2018, 11, 1))
    (source,) = (s for s in SPARKIFY.sources if s.name == "events")
    rows = CopyRefusals(source, Copies(), scratch, quarantine)  # type: ignore[arg-type]
    objects = list_folder(str(folder / "logs")).objects
    reading = Reading()
    errors = []
    for each in objects:
        reading.read[each.key] = 3
        last = 2 if "lines" in each.key else 1
        errors += [LoadError(each.key, line, 1207, "", "") for line in (1, last)]
    list(locate.find(objects, source, {("nothing",)}))
    rows.refuse(Outcome(errors=errors), objects, reading)
    quarantine.close()
    columns = ("key", "rule", "line", "raw_bytes")
    rows_refused = map(json.loads, quarantine.path.read_text().splitlines())
    return sorted(
        ({name: row[name] for name in columns} for row in rows_refused), key=lambda r: r["key"]
    )


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    refused = {"duckdb": on_duckdb, "redshift": on_redshift}[sys.argv[1]](Path(sys.argv[2]))
    sys.stdout.write(json.dumps({"refused": refused, "peak": peak()}, default=str))
