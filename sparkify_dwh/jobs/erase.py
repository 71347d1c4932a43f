"""Erasing a person from star, staging and quarantine in one transaction.

A salted hash of their id stays on record, so that later loads leave out their rows.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ..core.errors import CheckError, SettingsError, UsageError, without_samples
from ..core.table import html_table
from ..core.version import __version__
from ..dialects.base import Engine, SchemaCheck
from ..models.declare import Declarations, Field, Source, Target
from ..steps import erased_persons, star_checks
from ..steps.executor import Executor
from ..steps.ledger import ERASURE, ERASURE_COUNT, REJECTED, RUN, RunIdentity
from .under_lock import under_lock

#: Refused records in a page: each may have 64 KiB.
PAGE = 500
_STEP = "erase"


@dataclass(frozen=True)
class Erasure:
    """What an erasure did; it does not say who was erased.

    :param erasure_id: as in ``audit.erasure``; sorts by time.
    :param at: when, UTC without a zone.
    :param removed: rows removed of each table; of ``audit.rejected_row`` those whose text was
        blanked, of ``audit.load_run`` those whose sample records were.
    :param before: when the same person was last erased; None: never.
    :param dry_run: whether it was rolled back, so that rows were only counted.
    :param warnings: sentences about what else may hold something of the person.
    :param remains: what the engine does not remove on its own, and how to remove it.
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
    """The column of each target that holds the person: declared, or a foreign key to one."""
    declared = {t.table.c[t.person]: t for t in targets if t.person is not None}
    found = {t.name: t.person for t in targets if t.person is not None}
    for target in targets:
        for key in target.table.foreign_keys:
            if key.column in declared:
                found.setdefault(target.name, key.parent.name)
    return found


def erase(
    engine: Engine,
    declarations: Declarations,
    person: int | str,
    *,
    require_current: SchemaCheck,
    dry_run: bool = False,
) -> Erasure:
    """See ``Warehouse.erase``.

    :param person: the id, in any spelling that a file may use.
    :raises UsageError: when it is not an id, or no source declares a person.
    :raises SettingsError: when a source names a field for the person that it does not have.
    :raises DatabaseError: when the database, its lock or its schema stands in the way.
    :raises CheckError: when rows of a table would refer to rows that are gone.
    """
    erasing = _Erasing(engine, declarations.targets, ids_by_source(declarations, person))
    warnings = under_lock(engine, require_current, erasing.erase, dry_run=dry_run)
    return Erasure(
        erasing.identity.run_id,
        erasing.identity.started_at,
        engine.name,
        erasing.removed,
        erasing.before,
        dry_run,
        warnings,
        engine.remains([table for table, rows in erasing.deleted.items() if rows]),
    )


def ids_by_source(declarations: Declarations, person: int | str) -> dict[Source, str]:
    """The id of a person as each source that declares one spells it.

    :raises UsageError: when it is not an id, or no source declares a person.
    :raises SettingsError: when a source names a field that it does not have.
    """
    found: dict[Source, str] = {}
    for source in declarations.sources:
        spec = erased_persons.id_field(source)
        if spec is None and source.person is not None:
            raise SettingsError(f"source {source.name} has no field {source.person}")
        if spec is not None:
            found[source] = _id(person, spec)
    if not found:
        raise UsageError("no source declares a person", "declare Source(person=…)")
    return found


def _id(person: int | str, spec: Field) -> str:
    found = None if isinstance(person, bool) else erased_persons.spelled_id(str(person), spec)
    if found is None:
        needed = "a whole number" if spec.kind == "integer" else "a text that is not blank"
        raise UsageError(f"{str(person)!r} is not the id of a person", f"it must be {needed}")
    return found


class _Erasing:
    """One erasure at work: what it deletes, and what it keeps count of."""

    def __init__(
        self, engine: Engine, targets: Sequence[Target], ids: Mapping[Source, str]
    ) -> None:
        self.engine, self.targets, self.ids = engine, targets, ids
        self.columns = person_columns(targets)
        self.identity = RunIdentity.new(engine.name)
        self.before: datetime | None = None
        self.removed: dict[str, int] = {}
        self.deleted: dict[sa.Table, int] = {}

    def erase(self, ex: Executor) -> dict[sa.Table, int]:
        salt, self.before = self._earlier(ex)
        self.deleted = {
            table: ex.change(sa.delete(table).where(condition), step=_STEP, target=table.name)
            for table, condition in self._rows()
        }
        self.removed = {str(table): rows for table, rows in self.deleted.items()}
        self.removed[str(REJECTED)] = self._blank_refused(ex)
        self.removed[str(RUN)] = self._blank_samples(ex)
        self._check(ex)
        self._record(ex, salt, self.removed)
        return self.deleted

    def _earlier(self, ex: Executor) -> tuple[str, datetime | None]:
        """The salt of this warehouse, and when this person was last erased."""
        found = ex.rows(
            sa.select(ERASURE.c.salt, ERASURE.c.digest, ERASURE.c.at).order_by(ERASURE.c.at),
            step=_STEP,
        )
        salt = found[0].salt if found else secrets.token_hex(16)
        mine = self._digests(salt)
        times = [row.at for row in found if row.digest in mine]
        return salt, times[-1] if times else None

    def _digests(self, salt: str) -> set[str]:
        return {erased_persons.digest(person, salt) for person in self.ids.values()}

    def _rows(self) -> Iterator[tuple[sa.Table, sa.ColumnElement[bool]]]:
        """Tables, facts first, with the condition that a row is about the person."""
        ids = {source.name: person for source, person in self.ids.items()}
        for target in reversed(self.targets):
            if target.name in self.columns:
                column = target.table.c[self.columns[target.name]]
                person = ids.get(target.source) or next(iter(ids.values()))
                yield target.table, column == _typed(person, column.type)
        for source, person in self.ids.items():
            staged = erased_persons.id_of(source, source.staging)
            yield source.staging, staged == _typed(person, staged.type)

    def _blank_refused(self, ex: Executor) -> int:
        """Blanks the text of refused records that name the person."""
        about = {source.name: (source, person) for source, person in self.ids.items()}
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
        """Removes the sample records that earlier versions kept in the reasons of refused runs.

        They were cut, so nobody can say whom they are about.
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
        """Rows that are not about the person must not refer to erased ones."""
        erased = {t.table for t in self.targets if t.name in self.columns}
        failed = []
        for target in self.targets:
            points = {key.column.table for key in target.table.foreign_keys}
            if target.name not in self.columns and points & erased:
                measures = star_checks.check_target(ex, target, None)
                failed += [f"{target.name}.{m.rule}" for m in measures if not m.passed]
        if failed:
            raise CheckError(
                f"rows would be left that refer to erased ones: {', '.join(failed)}",
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
    """Pages of refused records that have a text, for the named sources."""
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
