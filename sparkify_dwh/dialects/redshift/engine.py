"""Loading into Redshift: one COPY a source and compression, judged by what its views say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from ...core.errors import RejectLimitError, SettingsError
from ...core.settings import Settings
from ...models.declare import Source
from ...models.expressions import HasBit
from ...steps import locate
from ...steps.executor import Executor, temporary
from ...steps.judge import first_rule, reject_bits
from ...steps.quarantine import Quarantine
from ...storage.compacted import LINE, OBJECT, Pack
from ...storage.objects import Object
from ...storage.s3 import SCHEME
from ..base import Reading
from ..redshift_errors import copy_error, refused_rows
from .compacted import COMPACTED, PackedRows, slices
from .copy_refusals import Rows, fields_of
from .errors import fields
from .load_views import LoadError, LoadViews, Outcome, shown
from .statements import MAX_ERROR, Copy
from .writer import RedshiftWriter


class RedshiftEngine(RedshiftWriter):
    """One COPY a table and compression, from a manifest under ``work_prefix``."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._views: tuple[Executor, LoadViews] | None = None
        self._rows: dict[str, Rows] = {}
        self._packed: dict[str, PackedRows] = {}
        self._staged: dict[str, dict[str, int]] = {}

    def raw_table(self, source: Source) -> sa.Table:
        return source.staging

    def place(self, raw: sa.Table) -> sa.ColumnElement[Any]:
        column: sa.ColumnElement[Any] = raw.c._row
        return column

    # Reading ------------------------------------------------------------------------------

    def readable(self, packs: Sequence[Pack]) -> list[Pack]:
        """COPY reads S3 alone, and several objects from a manifest alone."""
        remote = [pack for pack in packs if pack.object.key.startswith(SCHEME)]
        return super().readable(remote) if self.work.usable and remote else []

    def slices(self, connection: sa.Connection) -> int:
        return slices(connection)

    def read(
        self,
        ex: Executor,
        source: Source,
        objects: Sequence[Object],
        quarantine: Quarantine,
        packs: Sequence[Pack] = (),
    ) -> Reading:
        self.work.run = quarantine.run_id
        reading = Reading()
        views = self._views_of(ex)
        bundle = PackedRows(self.s3, self.scratch, source, quarantine, objects, packs)
        self._packed[source.name] = bundle
        others = bundle.others
        rows = Rows(source, self.s3, self.scratch, quarantine)
        self._rows[source.name] = rows
        jsonpaths = self.work.jsonpaths(source, others, write=not ex.planning)
        packed = [o for o in others if o.key.endswith(".gz")]
        plain = [o for o in others if not o.key.endswith(".gz")]
        for kind, some in (("plain", plain), ("gzip", packed)):
            with ex.when(f"there are {kind} objects", some) as wanted:
                if wanted:
                    found = self._copy(ex, views, source, some, kind, jsonpaths, reading, rows)
                    if reading.changed:
                        return reading
                    # Of names that are alike as far as the views show them, the first has all.
                    scanned = dict(found.scanned)
                    for each in some:
                        reading.read[each.key] = scanned.pop(shown(each.key), 0)
                    rows.refuse(found, some, reading)
        with ex.when("objects are compacted", packs) as wanted:
            if wanted:
                self._copy_packed(ex, views, bundle, reading)
                if reading.changed:
                    return reading
        self._stage_sound(ex, source, rows)
        self._second_look(ex, source, others, rows)
        by_parser = {k: n for (name, k), n in quarantine.by_key.items() if name == source.name}
        self._staged[source.name] = {
            key: count - by_parser.get(key, 0) for key, count in reading.read.items()
        }
        return reading

    def _copy_packed(
        self,
        ex: Executor,
        views: LoadViews,
        packed: PackedRows,
        reading: Reading,
    ) -> None:
        """One COPY of all compacted objects; what they hold beside goes away again."""
        source = packed.source
        step: dict[str, Any] = {"step": "read", "target": source.name}
        found = Outcome()
        jsonpaths = self.work.packed_paths(source, write=not ex.planning)
        if packed.copied or ex.planning:
            found = self._copy(
                ex, views, source, packed.copied, COMPACTED, jsonpaths, reading, packed
            )
        if reading.changed:
            return
        packed.account(found, reading)
        others = packed.left_out()
        with ex.when("compacted objects hold others too", others) as wanted:
            if wanted:
                aside = temporary(f"left_out_{source.name}", sa.Column("key", sa.String(4096)))
                ex.create(aside, **step)
                self.fill(ex, aside, ({"key": key} for key in others), **step)
                keys = sa.select(aside.c.key)
                staged = source.staging
                ex.change(sa.delete(staged).where(staged.c._object.in_(keys)), **step)

    def _views_of(self, ex: Executor) -> LoadViews:
        if self._views is None or self._views[0] is not ex:
            self._views = ex, LoadViews(ex)
        return self._views[1]

    def _copy(
        self,
        ex: Executor,
        views: LoadViews,
        source: Source,
        objects: Sequence[Object],
        kind: str,
        jsonpaths: str,
        reading: Reading,
        rows: Rows | PackedRows,
    ) -> Outcome:
        columns = [c.name for c in source.columns]
        if kind == COMPACTED:
            columns += [OBJECT, LINE]
        if self.work.usable:
            origin = self.work.manifest(source, objects, kind, write=not ex.planning)
        else:
            origin = self.work.prefix(source, objects, write=not ex.planning)
        copy = Copy(
            source.staging,
            columns,
            origin,
            role=self.settings.iam_role,
            json=jsonpaths,
            manifest=self.work.usable,
            gzip=kind in ("gzip", COMPACTED),
            region=self.settings.aws_region,
            max_error=self._max_error(),
        )
        try:
            ex.change(copy, step="read", target=source.name)
        except sa.exc.DBAPIError as error:
            if not fields(error) or self.is_conflict(error):
                raise
            self._copy_failed(error, views, source, objects, reading, rows)
            return Outcome()
        found = views.outcome(ex, source, objects)
        others = found.scanned.keys() - {shown(each.key) for each in objects}
        others = {name for name in others if not name.endswith("/")}
        if others:
            raise SettingsError(
                f"{min(others)} arrived while COPY read {origin}",
                "load again, or set work_prefix, so that COPY gets a list",
            )
        return found

    def _max_error(self) -> int:
        limit = self.settings.max_rejects
        return MAX_ERROR if limit is None else min(MAX_ERROR, limit + 1)

    def _copy_failed(
        self,
        error: sa.exc.DBAPIError,
        views: LoadViews,
        source: Source,
        objects: Sequence[Object],
        reading: Reading,
        rows: Rows | PackedRows,
    ) -> None:
        """Says why a COPY failed, or notes the objects that are gone.

        :raises RejectLimitError: when it refused more records than are allowed.
        :raises SourceError: when it cannot read what it was told to.
        """
        if not refused_rows(error):
            told = copy_error(error, source, self.settings)
            if "NoSuchKey" in str(error.orig):
                held = {each.key for each in self._listed(objects)}
                reading.changed |= {each.key for each in objects} - held
            if reading.changed:
                return
            if told is None:
                raise error
            raise told from error
        with self.session(read_only=True) as other:
            found = views.failed(other)
        before = rows.quarantine.by_parser[source.name]
        reading.read |= {each.key: -1 for each in objects}
        rows.refuse(Outcome(errors=found), objects, reading)
        refused = max(len(found), rows.quarantine.by_parser[source.name] - before)
        raise RejectLimitError(
            "\n".join(
                [
                    f"{source.name}: COPY refused {refused:,} records and gave up: "
                    f"{self._max_error():,} are too many",
                    *shown_errors(found, source, rows.quarantine),
                ]
            ),
            "allow more: --max-rejects"
            if self.settings.max_rejects is not None
            else "mend the objects",
        ) from None

    def _listed(self, objects: Sequence[Object]) -> Iterator[Object]:
        for folder in sorted({each.key.rsplit("/", 1)[0] + "/" for each in objects}):
            yield from self.s3.list_prefix(folder).objects

    def _stage_sound(self, ex: Executor, source: Source, rows: Rows) -> None:
        """Stages records that COPY refused although the reader takes them."""
        with ex.when("COPY refused records that the reader takes", rows.sound) as wanted:
            if wanted:
                names = [c.name for c in source.columns]
                self.insert(ex, source.staging, names, rows.sound, "read", source.name)

    def _second_look(
        self, ex: Executor, source: Source, objects: Sequence[Object], rows: Rows
    ) -> None:
        """Takes back staged rows of records that are no objects of plain values."""
        step: dict[str, Any] = {"step": "read", "target": source.name}
        odd = ex.rows(rows.odd(), **step)
        gone = rows.refuse_staged(odd, objects)
        with ex.when("records are no objects of plain values", gone) as wanted:
            if wanted:
                taken = temporary(f"taken_back_{source.name}", sa.Column("place", sa.BigInteger))
                ex.create(taken, **step)
                self.fill(ex, taken, ({"place": row} for row in gone), **step)
                numbers = sa.select(taken.c.place)
                staged = source.staging
                ex.change(sa.delete(staged).where(staged.c._row.in_(numbers)), **step)

    def stage(self, ex: Executor, source: Source) -> None:
        """COPY has staged the rows, and refused ones are deleted already."""

    def staged_counts(self, ex: Executor, source: Source) -> dict[str, int]:
        """Rows in staging, spread over the objects by what the views said of each."""
        count = sa.select(sa.func.count().label("n")).select_from(source.staging)
        total = ex.numbers(count, step="read", target=source.name)["n"]
        staged = dict(self._staged.get(source.name, {}))
        staged[""] = total - sum(staged.values())
        return staged

    def quarantine_rows(
        self, ex: Executor, source: Source, violations: sa.Table, quarantine: Quarantine
    ) -> None:
        # COPY does not say which object a row came from: the fields stand for the record.
        found = ex.rows(
            sa.select(violations)
            .where(HasBit(violations.c.mask, reject_bits(source)))
            .order_by(violations.c.place),
            step="quarantine",
            target=source.name,
        )
        rows, packed = self._rows.get(source.name), self._packed.get(source.name)
        texts = packed.texts(found) if packed else {}
        for row in found:
            rule = first_rule(source, row.mask)
            known = rows.places.get(locate.texts(source, dict(row._mapping))) if rows else None
            if row._object is not None:
                raw = texts.get(row.place) or fields_of(source, dict(row._mapping))
                quarantine.add(source.name, rule.name, rule.reason, row._object, row._line, raw)
            elif known:
                place = known.pop()
                key, line, raw = place.key, place.line, place.raw
                quarantine.add(source.name, rule.name, rule.reason, key, line, raw)
            else:
                raw = fields_of(source, dict(row._mapping))
                quarantine.add(source.name, rule.name, rule.reason, None, None, raw)


def shown_errors(
    errors: Sequence[LoadError], source: Source, quarantine: Quarantine
) -> Iterator[str]:
    """Up to three errors of a COPY with object, line, column, reason and record."""
    kept = [r for _, _, some in quarantine.worst(source.name) for r in some]
    for refusal in kept[:3]:
        near = [e for e in errors if e.name == refusal.key and e.line >= (refusal.line or 0)]
        why = f" column {near[0].column}: {near[0].reason}" if near and near[0].column else ""
        why = why or (f": {near[0].reason}" if near else "")
        raw = refusal.raw[:120].decode("utf-8", "backslashreplace")
        yield f"  {refusal.place}{refusal.rule}{why}: {raw}"
