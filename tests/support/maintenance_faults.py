"""Changes other than loads (erasing, pruning, compacting), struck on either engine.

The warehouse of a scene is restored before each strike, so that each begins with the same rows.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import sqlalchemy as sa

from sparkify_dwh import Settings, SparkifyError, Warehouse
from sparkify_dwh.models.base import Base
from support import kill_and_fail
from support.erasure_data import NAME, fill, lines, other, person
from support.folders import Folders
from support.kill_and_fail import Report
from support.records import song_line
from support.redshift_scene import FaultyWarehouse
from support.rig import Rig
from support.soak_figures import STANDIN
from support.warehouses import TABLES, OnRedshift, Source

#: Who is erased.
PERSON = 10
#: Columns that differ between two erasures or compactions of the same, by table.
DIFFERENT = {
    "audit.erasure": {"erasure_id", "at", "pid"},
    "audit.erasure_count": {"erasure_id"},
    "audit.compacted_object": {"at", "into_version"},
}
#: All rows of all tables, without what differs.
Contents = dict[str, list[tuple[Any, ...]]]
_COMPACTED = "audit.compacted_object"


def _compact(warehouse: Warehouse, into: str | None) -> Any:
    return warehouse.compact("songs", into, slices=2)


#: What is struck, by name. The second argument is the place of compacted objects.
CHANGES: dict[str, Callable[[Warehouse, str | None], Any]] = {
    "erase": lambda warehouse, into: warehouse.erase(PERSON),
    "prune": lambda warehouse, into: warehouse.prune(0),
    "compact": _compact,
}


def observed(name: str, warehouse: Warehouse, into: str | None) -> Report:
    """Makes a change; an error is part of the report."""
    report = Report()
    warehouse._tell = report.messages.append
    try:
        done = CHANGES[name](warehouse, into)
        report.event = name
        report.warnings = list(getattr(done, "warnings", ()))
    except BaseException as error:
        report.error = type(error).__name__
        report.what, report.hint = getattr(error, "what", str(error)), getattr(error, "hint", "")
        report.exit_code = error.exit_code if isinstance(error, SparkifyError) else None
    return report


def kill(name: str, moment: int, when: str, values: dict[str, Any], into: str | None) -> None:
    """Makes a change in this process, which is killed at a moment."""
    with kill_and_fail.killed_at(moment, when):
        observed(name, Warehouse(Settings(**values)), into)


class Scene:
    """Two loads about the person and others, with refused records, and songs that wait."""

    rig: Rig
    engine: str
    #: Kinds of strikes at a statement.
    kinds: tuple[str, ...]
    #: Place of compacted objects.
    into: str | None = None
    #: By change: what the engine is sent, and what the tables hold afterwards.
    statements: dict[str, list[str]]
    after: dict[str, Contents]
    _loaded: dict[str, Contents]

    def prepare(self) -> None:
        """Fills the warehouse and makes each change undisturbed, once."""
        fill(self.rig)
        self.rig.load()
        sound = (other(20), person(60), person(61, level="gold"))
        self.rig.put("events", "c.json", lines(*sound))
        self.rig.load()
        for number in range(6):
            values = {"song_id": f"SO{number}", "title": f"T{number}"}
            self.rig.put("songs", f"late/{number}.json", song_line(**values).encode())
        engine = self.rig.warehouse.engine
        with engine.begin() as connection:
            # As an earlier version wrote it.
            sample = sa.text("UPDATE audit.load_run SET reason = :r WHERE event = 'loaded'")
            connection.execute(sample, {"r": f"refused\n  b.json:1 {NAME}"})
        engine.dispose()
        self.rig.warehouse.erase(999)
        self.keep()
        self.before = self.contents()
        self.statements, self.after, self._loaded = {}, {}, {}
        for name in CHANGES:
            self.restore()
            with self.recorded() as statements:
                report = observed(name, self.rig.warehouse, self.into)
            assert report.error is None, report
            self.statements[name] = list(statements)
            self.after[name] = self.contents()
            assert self.after[name] != self.before

    def contents(self) -> Contents:
        """All rows of all tables, without what differs between two changes of the same."""
        asked = {}
        for table in TABLES:
            left_out, columns = DIFFERENT.get(table, set()), Base.metadata.tables[table].columns
            names = ", ".join(f'"{c.name}"' for c in columns if c.name not in left_out)
            asked[table] = f"SELECT {names} FROM {table}"
        return {table: sorted(rows, key=repr) for table, rows in self.answers(asked).items()}

    def _load_all(self) -> Contents:
        assert self.rig.load(all=True).event == "loaded"
        return self.rig.star()

    def made(self, name: str, what: str) -> int:
        """How much of a change is made: 0 none, 1 all; of a compaction, how many objects.

        Fails when it is anything in between.
        """
        found, after = self.contents(), self.after[name]
        if name != "compact":
            made = next((n for n, each in enumerate((self.before, after)) if found == each), None)
            assert made is not None, (what, _differ(found, self.before), _differ(found, after))
            return made
        assert _differ(found, self.before) in ([], [_COMPACTED]), what
        whole = _by_object(after)
        for key, rows in _by_object(found).items():
            assert rows == whole[key], what
        return len(_by_object(found))

    def survived(self, name: str, report: Report | None, what: str, *, load: bool) -> int:
        """Checks what a struck change left, and that the next one heals it; how much was made.

        :param report: how it ended; None: its process was killed.
        :param load: whether all objects are loaded at last, old and new: the star is that of a
            load after an undisturbed change.
        """
        self.back_to_normal()
        made = self.made(name, what)
        if report is not None and report.error is None:
            assert made == max(1, len(_by_object(self.after[name]))), what
        elif report is not None:
            assert (report.error, report.exit_code) == ("DatabaseError", 5), (what, report)
            assert report.what and report.hint and "\n" not in report.what, (what, report)
        following = observed(name, self.rig.warehouse, self.into)
        assert following.error is None and not following.warnings, (what, following)
        found, after = self.contents(), self.after[name]
        if name == "erase" and made:
            # On record twice: the second time with nothing to remove.
            twice = {"audit.erasure", "audit.erasure_count"}
            assert len(found["audit.erasure"]) == len(after["audit.erasure"]) + 1, what
            found = {table: rows for table, rows in found.items() if table not in twice}
            after = {table: rows for table, rows in after.items() if table not in twice}
        if name == "compact":
            assert {row[4] for row in found[_COMPACTED]} == {row[4] for row in after[_COMPACTED]}
        else:
            assert found == after, (what, _differ(found, after))
        if name == "erase":
            assert not holding_the_person(found), what
        if load:
            star = self._load_all()
            if name == "erase":
                assert not holding_the_person(self.contents()), what
            if name not in self._loaded:
                self.restore()
                observed(name, self.rig.warehouse, self.into)
                self._loaded[name] = self._load_all()
            assert star == self._loaded[name], what
        return made

    # By engine ----------------------------------------------------------------------------------

    def answers(self, asked: dict[str, str]) -> Contents:
        """The rows of some queries."""
        return {name: self.rig.query(sql) for name, sql in asked.items()}

    def keep(self) -> None:
        """Keeps the warehouse as it is now."""
        raise NotImplementedError

    def restore(self) -> None:
        """The warehouse as it was kept, and no compacted object."""
        raise NotImplementedError

    def recorded(self) -> contextlib.AbstractContextManager[list[str]]:
        """Lists what the engine is sent meanwhile."""
        raise NotImplementedError

    def struck(self, name: str, number: int, kind: str) -> Report | None:
        """Makes a change whose n-th statement or commit is struck; None: its process was killed."""
        raise NotImplementedError

    def back_to_normal(self) -> None:
        """Nothing is struck any more."""


def holding_the_person(contents: Contents) -> list[str]:
    """Tables with something of the person."""
    named = [table for table, rows in contents.items() if NAME in repr(rows)]
    names = [c.name for c in Base.metadata.tables["sparkify.songplays"].columns]
    user = names.index("user_id")
    plays = any(row[user] == PERSON for row in contents["sparkify.songplays"])
    return named + ["sparkify.songplays"] * plays


def _by_object(contents: Contents) -> dict[str, list[tuple[Any, ...]]]:
    """What the ledger knows of each compacted object."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for row in contents[_COMPACTED]:
        found.setdefault(row[0], []).append(row)
    return found


def _differ(one: Contents, other: Contents) -> list[str]:
    return [table for table in one if one[table] != other[table]]


class OnFolders(Scene):
    """On DuckDB."""

    engine = "duckdb"

    kinds = ("fails", "dies before", "dies after")

    def __init__(self, root: Path, template: Path) -> None:
        self.rig = Folders(root / "rig", template, max_reject_ratio=1.0)
        self.kept, self.into = root / "kept.duckdb", str(root / "into")
        self.values = self.rig.warehouse.settings.model_dump(exclude_unset=True)
        self.prepare()

    def answers(self, asked: dict[str, str]) -> Contents:
        with duckdb.connect(str(self.rig.database), read_only=True) as connection:
            return {name: connection.execute(sql).fetchall() for name, sql in asked.items()}

    def keep(self) -> None:
        shutil.copyfile(self.rig.database, self.kept)

    def restore(self) -> None:
        Path(f"{self.rig.database}.wal").unlink(missing_ok=True)
        shutil.copyfile(self.kept, self.rig.database)
        shutil.rmtree(self.into, ignore_errors=True)

    def recorded(self) -> contextlib.AbstractContextManager[list[str]]:
        return kill_and_fail.at_moments()

    def struck(self, name: str, number: int, kind: str) -> Report | None:
        if kind == "fails":
            with kill_and_fail.fail_at(number):
                return observed(name, self.rig.warehouse, self.into)
        when = kind.split()[1]
        child = kill_and_fail.start(kill, name, number, when, self.values, self.into)
        assert kill_and_fail.ended(child) == -signal.SIGKILL
        return None


class OnStandin(FaultyWarehouse, Scene):
    """On the Redshift stand-in."""

    engine = STANDIN

    kinds = ("fails", "dropped before", "dropped after", "gone before", "gone after")

    def __init__(self, warehouse: OnRedshift, source: Source) -> None:
        super().__init__(warehouse, source)
        self.prepare()

    def restore(self) -> None:
        super().restore()
        for key in self.source.work_files():
            self.source.work.client.delete_object(Bucket=self.source.work.name, Key=key)

    @contextlib.contextmanager
    def recorded(self) -> Iterator[list[str]]:
        found: list[str] = []
        self.rig.database.statements.clear()
        yield found
        found += self.rig.database.sql()

    def struck(self, name: str, number: int, kind: str) -> Report | None:
        self.at_statement(number, kind)
        return observed(name, self.rig.warehouse, self.into)
