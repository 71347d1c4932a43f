"""Erasing a person: gone from star, staging and quarantine in one transaction, on record.

What stays of them is a salted hash of their id, by which later loads leave out their rows.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ..core.errors import CheckError, SettingsError, UsageError, without_samples
from ..core.table import html_table
from ..core.version import __version__
from ..dialects.base import Engine, Ready
from ..models.declare import Declarations, Field, Source, Target
from ..steps import erased_persons, star_checks
from ..steps.executor import Executor
from ..steps.ledger import ERASURE, ERASURE_COUNT, REJECTED, RUN, RunIdentity
from .under_lock import under_lock

#: Refused records looked at, and blanked, at a time: each may have 64 KiB.
PAGE = 500
_STEP = "erase"


@dataclass(frozen=True)
class Erasure:
    """What an erasure did; it does not say whom it was about.

    :param erasure_id: as it stands in ``audit.erasure``; sorts by time.
    :param at: when, UTC without a zone.
    :param removed: rows removed of each table; of ``audit.rejected_row`` those whose text was
        blanked, of ``audit.load_run`` those whose sample records were.
    :param before: when the same person was erased before; None: never.
    :param dry_run: whether it was rolled back, and so only counted.
    :param warnings: sentences about what else may hold something of the person.
    :param remains: what the engine does not remove by itself, and how to.
    """

    erasure_id: str
    at: datetime
    engine: str
    removed: dict[str, int] = field(default_factory=dict)
    before: datetime | None = None
    dry_run: bool = False
    warnings: list[str] = field(default_factory=list)
    remains: str = ""

    @property
    def rows(self) -> int:
        """Rows removed or blanked in all tables."""
        return sum(self.removed.values())

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for ``--json``."""
        return {**asdict(self), "rows": self.rows}

    def _repr_html_(self) -> str:
        return html_table(("table", "rows"), self.removed.items(), f"erasure {self.erasure_id}")


def person_columns(targets: Sequence[Target]) -> dict[str, str]:
    """Column that tells whom a row is about, by target: declared, or pointing to a declared one."""
    declared = {t.table.c[t.person]: t for t in targets if t.person is not None}
    found = {t.name: t.person for t in targets if t.person is not None}
    for target in targets:
        for key in target.table.foreign_keys:
            if key.column in declared:
                found.setdefault(target.name, key.parent.name)
    return found


class Erasing:
    """One erasure.

    :param person: the id, in any spelling that a file may have.
    :raises UsageError: when it is no id, or nothing declares what a person is.
    """

    def __init__(
        self,
        engine: Engine,
        declarations: Declarations,
        person: int | str,
        *,
        ready: Ready,
        dry_run: bool = False,
    ) -> None:
        self.engine, self.ready, self.dry_run = engine, ready, dry_run
        self.targets = declarations.targets
        self.columns = person_columns(self.targets)
        self.about: dict[Source, str] = {}
        for source in declarations.sources:
            spec = erased_persons.id_field(source)
            if spec is None and source.person is not None:
                raise SettingsError(f"source {source.name} has no field {source.person}")
            if spec is not None:
                self.about[source] = self._id(person, spec)
        if not self.about:
            raise UsageError("no source declares a person", "declare Source(person=…)")
        self.identity = RunIdentity.new(engine.name)
        self._before: datetime | None = None
        self._removed: dict[str, int] = {}
        self._deleted: dict[sa.Table, int] = {}

    def _id(self, person: int | str, spec: Field) -> str:
        found = (
            erased_persons.spelled_id(str(person), spec) if not isinstance(person, bool) else None
        )
        if found is None:
            wanted = "a whole number" if spec.kind == "integer" else "a text that is not blank"
            raise UsageError(f"{str(person)!r} is no id of a person", f"it must be {wanted}")
        return found

    def run(self) -> Erasure:
        """Erases the person.

        :raises DatabaseError: when the database, its lock or its schema stands in the way.
        :raises CheckError: when rows of a table would point to rows that are gone.
        """
        warnings = under_lock(self.engine, self.ready, self._erase, dry_run=self.dry_run)
        return Erasure(
            self.identity.run_id,
            self.identity.started_at,
            self.engine.name,
            self._removed,
            self._before,
            self.dry_run,
            warnings,
            self.engine.remains([t for t, gone in self._deleted.items() if gone]),
        )

    def _erase(self, ex: Executor) -> dict[sa.Table, int]:
        salt, self._before = self._earlier(ex)
        self._deleted = {
            table: ex.change(sa.delete(table).where(condition), step=_STEP, target=table.name)
            for table, condition in self._rows()
        }
        self._removed = {str(table): gone for table, gone in self._deleted.items()}
        self._removed[str(REJECTED)] = self._blank_refused(ex)
        self._removed[str(RUN)] = self._blank_samples(ex)
        self._check(ex)
        self._record(ex, salt, self._removed)
        return self._deleted

    def _earlier(self, ex: Executor) -> tuple[str, datetime | None]:
        """The salt of this warehouse, and when this person was erased before."""
        found = ex.rows(
            sa.select(ERASURE.c.salt, ERASURE.c.digest, ERASURE.c.at).order_by(ERASURE.c.at),
            step=_STEP,
        )
        salt = found[0].salt if found else secrets.token_hex(16)
        mine = self._digests(salt)
        times = [row.at for row in found if row.digest in mine]
        return salt, times[-1] if times else None

    def _digests(self, salt: str) -> set[str]:
        return {erased_persons.digest(person, salt) for person in self.about.values()}

    def _rows(self) -> Iterator[tuple[sa.Table, sa.ColumnElement[bool]]]:
        """Tables, facts first, with the condition that a row is about the person."""
        ids = {source.name: person for source, person in self.about.items()}
        for target in reversed(self.targets):
            if target.name in self.columns:
                column = target.table.c[self.columns[target.name]]
                person = ids.get(target.source) or next(iter(ids.values()))
                yield target.table, column == _typed(person, column.type)
        for source, person in self.about.items():
            staged = erased_persons.id_of(source, source.staging)
            yield source.staging, staged == _typed(person, staged.type)

    def _blank_refused(self, ex: Executor) -> int:
        """Blanks the text of refused records that name the person."""
        about = {source.name: (source, person) for source, person in self.about.items()}
        blanked = 0
        for page in _pages(ex, list(about)):
            by_run: dict[str, list[int]] = {}
            for row in page:
                source, person = about[row.source]
                if person in set(erased_persons.named(row.raw, source)):
                    by_run.setdefault(row.run_id, []).append(row.position)
            for run, positions in by_run.items():
                blanked += ex.change(
                    sa.update(REJECTED)
                    .values(raw=None)
                    .where(REJECTED.c.run_id == run, REJECTED.c.position.in_(positions)),
                    step=_STEP,
                    target=REJECTED.name,
                )
        return blanked

    def _blank_samples(self, ex: Executor) -> int:
        """Takes sample records, as earlier versions kept them, out of the reasons of refused runs.

        Whom they are about is not to be told: they were cut.
        """
        found = ex.rows(
            sa.select(RUN.c.run_id, RUN.c.event, RUN.c.reason).where(RUN.c.reason.is_not(None)),
            step=_STEP,
        )
        blanked = 0
        for run, event, reason in found:
            if (kept := without_samples(reason)) != reason:
                blanked += ex.change(
                    sa.update(RUN)
                    .values(reason=kept)
                    .where(RUN.c.run_id == run, RUN.c.event == event),
                    step=_STEP,
                    target=RUN.name,
                )
        return blanked

    def _check(self, ex: Executor) -> None:
        """No row points to one that is gone, where it is not about the person by itself."""
        gone = {t.table for t in self.targets if t.name in self.columns}
        failed = []
        for target in self.targets:
            points = {key.column.table for key in target.table.foreign_keys}
            if target.name not in self.columns and points & gone:
                measures = star_checks.check_target(ex, target, None)
                failed += [f"{target.name}.{m.rule}" for m in measures if not m.passed]
        if failed:
            raise CheckError(
                f"rows would be left that point to erased ones: {', '.join(failed)}",
                "declare whom they are about: Target(person=…)",
            )

    def _record(self, ex: Executor, salt: str, removed: dict[str, int]) -> None:
        who = {name: getattr(self.identity, name) for name in ("host", "pid", "db_user", "engine")}
        ids = sorted(self._digests(salt))
        for number, digest in enumerate(ids):
            suffix = f".{number}" if number else ""
            ex.change(
                sa.insert(ERASURE).values(
                    erasure_id=self.identity.run_id + suffix,
                    at=self.identity.started_at,
                    digest=digest,
                    salt=salt,
                    version=__version__,
                    **who,
                ),
                step=_STEP,
            )
        rows = (
            {"erasure_id": self.identity.run_id, "target": name, "rows": count}
            for name, count in removed.items()
        )
        self.engine.fill(ex, ERASURE_COUNT, rows, step=_STEP, bounded=True)


def _typed(person: str, kind: Any) -> Any:
    return int(person) if isinstance(kind, sa.Integer) else person


def _pages(ex: Executor, sources: Sequence[str]) -> Iterator[Sequence[Any]]:
    """The refused records of some sources that have a text, some at a time."""
    columns = (REJECTED.c.run_id, REJECTED.c.position, REJECTED.c.source, REJECTED.c.raw)
    order = columns[:2]
    statement = (
        sa.select(*columns)
        .where(REJECTED.c.raw.is_not(None), REJECTED.c.source.in_(sources))
        .order_by(*order)
        .limit(PAGE)
    )
    after: sa.ColumnElement[bool] = sa.true()
    while page := ex.rows(statement.where(after), step=_STEP, target=REJECTED.name):
        yield page
        run, position = page[-1].run_id, page[-1].position
        after = sa.or_(order[0] > run, sa.and_(order[0] == run, order[1] > position))


__all__ = ["Erasing", "Erasure", "person_columns"]
