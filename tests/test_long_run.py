"""Many small loads in a row: each costs what the first one cost, and nothing is left behind."""

from __future__ import annotations

import gc
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support import kill_and_fail
from support.folders import Folders
from support.kill_and_fail import SOAK
from support.records import event, line, lines, song
from support.reference import Reference
from support.reference_checks import expected_star
from support.rig import MakeRig, Rig
from support.soak_figures import figure

#: Loads whose cost is not looked at: modules are imported and caches filled.
WARM = 3
DELTAS = 1000 if SOAK else 50
OURS = (
    "sparkify_dwh",
    "sqlalchemy",
    "sqlalchemy_redshift",
    "redshift_connector",
    "alembic",
    "duckdb",
)


def arrive(rig: Rig, number: int) -> tuple[tuple[str, bytes], tuple[str, bytes]]:
    """A delta: two plays of one new user, one of them late for its song, and a refused row."""
    ts = 1541106106796 + 1000 * number
    mine = {"sessionId": number, "userId": str(number)}
    data = lines(
        event(**mine, itemInSession=0, ts=ts, song=f"Song {number}"),
        event(**mine, itemInSession=1, ts=ts + 1, song=f"Song {number + 1}", artist="BjÃ¶rk"),
        event(**mine, itemInSession=2, ts=ts + 2, level="gold"),
    )
    late = line(song(song_id=f"SO{number}", title=f"Song {number}", artist_name="Björk"))
    placed = str(rig.put("events", f"{number:04}.json", data))
    return (placed, data), (str(rig.put("songs", f"{number:04}.json", late)), late)


def handles() -> Counter[str]:
    """Open files, sockets and threads of this process, by kind."""
    found: Counter[str] = Counter()
    for each in Path("/proc/self/fd").iterdir():
        try:
            target = str(each.readlink())
        except OSError:  # the handle of the listing itself
            continue
        found[target.split(":")[0] if ":" in target else "file"] += 1
    found["thread"] = threading.active_count()
    return found


def resident() -> int:
    """KiB of memory of this process."""
    with Path("/proc/self/status").open() as status:
        (line_,) = (line_ for line_ in status if line_.startswith("VmRSS"))
    return int(line_.split()[1])


def objects() -> int:
    """Objects of the library and of what it loads with; those of the tests' servers are not."""
    gc.collect()
    kinds = Counter(str(type(each).__module__).split(".")[0] for each in gc.get_objects())
    return sum(kinds[name] for name in OURS)


def looked_at(rig: Rig) -> float:
    """CPU seconds of showing all runs, one of them, and the refused rows."""
    began = time.process_time()
    newest = rig.warehouse.runs().rows[0][0]
    rig.warehouse.run(newest)
    rig.warehouse.rejects()
    return time.process_time() - began


def statements(rig: Rig, load: Callable[[], Any]) -> tuple[Any, int]:
    """What a load returns, and how many statements and commits it took."""
    if isinstance(rig, Folders):
        with kill_and_fail.at_moments() as moments:
            run = load()
        return run, len(moments)
    rig.database.statements.clear()
    run = load()
    return run, len(rig.database.statements)


@pytest.mark.skipif(sys.platform != "linux", reason="handles are read from /proc")
def test_small_loads_in_a_row(warehouse_on: MakeRig) -> None:
    warehouse, star = warehouse_on(max_reject_ratio=1.0), Reference()
    total = DELTAS
    counts: Counter[int] = Counter()
    seconds: list[float] = []
    own: list[float] = []
    marks: list[tuple[int, Counter[str], int]] = []
    looks: list[float] = []
    for number in range(total):
        plays, late = arrive(warehouse, number)
        # The stand-ins for S3 and Redshift run in threads of this process.
        began, alone = time.process_time(), time.thread_time()
        run, sent = statements(warehouse, warehouse.load)
        seconds.append(time.process_time() - began)
        own.append(time.thread_time() - alone)
        star.load(events=[plays], songs=[late])
        assert run.event == "loaded" and run.refused == {"level_valid": 1}, number
        assert all(book.balanced for book in (*run.sources, *run.targets)), number
        assert [b.objects for b in run.sources] == [1, 1]
        if number >= WARM:
            counts[sent] += 1
        if number in (WARM, total // 2, total - 1):
            marks.append((objects(), handles(), resident()))
        if number in (WARM, total - 1):
            looks.append(looked_at(warehouse))
    assert warehouse.star() == expected_star(star)
    assert warehouse.query("SELECT count(*) FROM audit.load_file") == [(2 * total,)]
    assert warehouse.warehouse.check().passed
    # What prune leaves is the star, the ledger and the runs that it names; loads go on as before.
    warehouse.warehouse.prune(before=datetime.now(UTC))
    assert warehouse.query("SELECT count(*) FROM audit.load_step") == [(0,)]
    assert warehouse.query("SELECT count(*) FROM audit.rejected_row") == [(0,)]
    assert warehouse.query("SELECT count(*) FROM audit.load_file") == [(2 * total,)]
    plays, late = arrive(warehouse, total)
    counts[statements(warehouse, warehouse.load)[1]] += 1
    star.load(events=[plays], songs=[late])
    assert warehouse.star() == expected_star(star)
    looks.append(looked_at(warehouse))
    # The same statements for each, whatever is in the warehouse by then.
    assert len(counts) == 1, counts
    (before, opened, small), (middle, _, _), (after, left, large) = marks
    assert left == opened
    kept = (after - middle) / (total - 1 - total // 2)
    assert kept < 1, (before, middle, after)
    part = min(100, total // 4)

    def last_to_first(spent: list[float]) -> float:
        first, last = spent[WARM : WARM + part], spent[-part:]
        return round(statistics.median(last) / statistics.median(first), 2)

    figure(
        "small loads in a row",
        engine=warehouse.warehouse.engine.name,
        loads=total,
        statements_of_each=next(iter(counts)),
        cpu_last_to_first=last_to_first(seconds),
        cpu_of_the_loaders_thread_last_to_first=last_to_first(own),
        compared=part,
        resident_kib_first=small,
        resident_kib_last=large,
        handles=sum(left.values()),
        objects_kept_by_a_load=round(kept, 1),
        cpu_ms_of_looking_at_runs=" then ".join(str(round(1000 * each)) for each in looks),
    )
