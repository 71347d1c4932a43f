"""Two deliveries on the Redshift stand-in, and what a load of the second leaves after a fault.

The tables after the first delivery are saved in the database itself, so that each test of a fault
starts from there.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from typing import Any

from standin.faults import DropConnection, Statement, When

from support import kill_and_fail
from support.kill_and_fail import OF_ALL_RUNS, VOLATILE, Report
from support.records import event_line, song_line
from support.warehouses import TABLES, OnRedshift, Source

#: Message of an injected error; it is not a conflict, and the connection survives.
INJECTED = "injected"
#: Columns that differ between loads of the same objects.
DIFFERENT = VOLATILE | {"_row"}


class FaultyWarehouse:
    """A warehouse on the stand-in whose tables can be restored and whose statements can fail."""

    def __init__(self, warehouse: OnRedshift, source: Source) -> None:
        warehouse.empty()
        self.rig, self.source = warehouse.use(source, max_reject_ratio=1.0), source

    def _admin(self, *statements: str) -> None:
        backend = self.rig.database.server._connect(self.rig.database.name)
        backend.script("; ".join(statements))
        backend.close()

    def keep(self) -> None:
        """Saves all tables as they are now."""
        copies = (f"CREATE TABLE {_saved(name)} AS SELECT * FROM {name}" for name in TABLES)
        self._admin("DROP SCHEMA IF EXISTS saved CASCADE", "CREATE SCHEMA saved", *copies)

    def restore(self) -> None:
        """Restores the saved tables and removes faults."""
        self.back_to_normal()
        self.rig.database.statements.clear()
        self.rig.database.log.clear()
        # For a few rows, DELETE takes a tenth of the time of TRUNCATE, which makes new files.
        kept = (f"{name} OVERRIDING SYSTEM VALUE SELECT * FROM {_saved(name)}" for name in TABLES)
        self._admin(
            *(f"DELETE FROM {name}" for name in TABLES), *(f"INSERT INTO {each}" for each in kept)
        )

    def at_statement(self, number: int, kind: str) -> None:
        """Sets a fault for the n-th statement from now.

        :param kind: ``fails``: an error; ``dropped before`` or ``dropped after``: the connection is
            closed and the next one works; ``gone before`` or ``gone after``: the connection is
            closed and further ones are refused, as when the network is down.
        """
        faults, left = self.rig.database.faults, [number]
        how, _, when = kind.partition(" ")

        def strike(statement: Statement) -> None:
            left[0] -= 1
            if left[0] != 0:
                return
            if how == "fails":
                from standin.errors import RedshiftError

                raise RedshiftError(f"{INJECTED} at {number}", "XX000")
            if how == "gone":
                self.rig.database.server.refuse_logins = ("the network is down", "57P03")
            raise DropConnection

        moment: When = "after" if when == "after" else "before"
        faults.call(".", strike, moment, times=-1)

    def at_message(self, number: int) -> None:
        """Drops the connection when the n-th message of the wire protocol arrives."""
        self.rig.database.faults.drop_at_message(number)

    def back_to_normal(self) -> None:
        self.rig.database.faults.clear()
        self.rig.database.server.refuse_logins = None


def _saved(name: str) -> str:
    return f"saved.{name.replace('.', '_')}"


class RedshiftScene(FaultyWarehouse):
    """State ``before`` has the first delivery loaded, state ``after`` both."""

    def __init__(self, warehouse: OnRedshift, source: Source) -> None:
        super().__init__(warehouse, source)
        source.put(
            "events",
            "a.json",
            event_line() + event_line(itemInSession=1, song="Late", ts=1541106106),
        )
        source.put("songs", "s.json", song_line())
        self.rig.load()
        self.keep()
        source.put(
            "events",
            "b.json",
            event_line(itemInSession=2, ts=1541106106799, level="paid", artist="BjÃ¶rk")
            + event_line(itemInSession=3, level="gold")
            + event_line(itemInSession=0, location="Reno, NV")
            + "{broken\n"
            + event_line(itemInSession=4, status=float("nan"), song="Late")
            + event_line(itemInSession=5, song=["nested"]),
        )
        source.put("songs", "late.json", song_line(song_id="SO2", title="Late", year=1999))
        self.digests = {"before": self.digest()}
        self.rig.database.statements.clear()
        messages = self.rig.database.faults.watch_messages()
        self.rig.load()
        self.statements = self.rig.database.sql()
        self.messages = list(messages)
        self.rig.database.faults.clear()
        self.digests["after"] = self.digest()
        self.star = self.rig.star()
        assert self.digests["before"] != self.digests["after"]

    @property
    def commit(self) -> int:
        """Number of the statement that commits the load."""
        loaded = max(n for n, sql in enumerate(self.statements, 1) if "INTO audit.load_run" in sql)
        return loaded + 1

    def digest(self) -> dict[str, str]:
        """Digests of every table but the run log, without audit rows of runs that did not load."""
        found = {}
        for table in TABLES:
            if table == "audit.load_run":
                continue
            kept = ""
            if table.split(".")[1] in OF_ALL_RUNS:
                kept = " WHERE run_id IN (SELECT run_id FROM audit.load_run WHERE event = 'loaded')"
            reader = self.rig.reader()
            result = reader.exec_driver_sql(f"SELECT * FROM {table}{kept}")
            names = [n for n, key in enumerate(result.keys()) if key not in DIFFERENT]
            rows = sorted(repr(tuple(row[n] for n in names)) for row in result)
            digest = hashlib.sha256("\n".join(rows).encode()).hexdigest()
            found[table] = f"{len(rows)}:{digest}"
        return found

    def state(self) -> str:
        """``before`` or ``after``; fails if it is neither."""
        found = self.digest()
        for name, expected in self.digests.items():
            if found == expected:
                return name
        wrong = [
            [table for table in found if found[table] != expected[table]]
            for expected in self.digests.values()
        ]
        raise AssertionError(f"differs from before in {wrong[0]}, from after in {wrong[1]}")

    def ends(self) -> dict[str, list[str]]:
        """The events of each run, including that of the first delivery."""
        found: dict[str, list[str]] = {}
        for run, name in self.rig.events():
            found.setdefault(run, []).append(name)
        return found

    def observed(self, **options: Any) -> Report:
        return kill_and_fail.observed(self.values(), **options)

    def values(self) -> dict[str, Any]:
        settings = self.source.settings(max_reject_ratio=1.0)
        return {"database_url": self.rig.database.url(), **settings}

    def environment(self) -> dict[str, str]:
        """The environment that a child needs to find the stand-in and S3."""
        names = ("SSL_CERT_FILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_CONFIG_FILE")
        return {name: os.environ[name] for name in names}

    # What must hold -----------------------------------------------------------------------------

    def survived(self, report: Report | None, what: str) -> str:
        """Checks what a failed load left and that the next one completes it; returns the state.

        :param report: how the load ended; None: its process was killed.
        """
        self.back_to_normal()
        state = self.state()
        first, *runs = self.ends().values()
        assert first == ["started", "loaded"], what
        assert len(runs) <= 1, what
        end = runs[0][1:] if runs else []
        assert len(end) <= 1, (what, runs)
        assert (end == ["loaded"]) == (state == "after"), (what, runs, state)
        if report is not None and report.error is None:
            assert report.event == "loaded" and state == "after", what
        elif report is not None:
            assert (report.error, report.exit_code) == ("DatabaseError", 5), (what, report)
            assert report.what and report.hint and "\n" not in report.what, what
        following = self.observed()
        assert following.event == ("loaded" if state == "before" else "nothing new"), (
            *(what, following),
        )
        assert self.rig.star() == self.star, what
        assert Counter(name for names in self.ends().values() for name in names)["loaded"] == 2
        return state
