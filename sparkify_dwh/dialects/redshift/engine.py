"""Loading into Redshift: one COPY per source and compression, checked against the load views."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from ...core.errors import RejectLimitError, SettingsError
from ...core.quantity import quantity
from ...core.settings import Settings
from ...models.declare import Source
from ...models.expressions import HasBit
from ...steps import locate
from ...steps.executor import Executor, temporary
from ...steps.judge import first_rule, reject_bits
from ...steps.quarantine import Quarantine
from ...storage.compacted_file import LINE, OBJECT, CompactedFile
from ...storage.objects import Object
from ...storage.s3 import SCHEME
from ..base import Reading
from .compacted_reader import COMPACTED_KIND, RedshiftCompactedReader, count_slices
from .copy_refusals import CopyRefusals, row_as_json, show_refusals
from .driver_errors import fields, is_over_max_error
from .errors import explain_copy_error
from .load_views import LoadViews, Outcome, name_in_views
from .statements import MAX_ERROR, Copy
from .writer import RedshiftWriter


class RedshiftEngine(RedshiftWriter):
    """Loads by one COPY per table and compression, from a manifest under ``work_prefix``."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._views: tuple[Executor, LoadViews] | None = None
        self._refusals: dict[str, CopyRefusals] = {}
        self._compacted: dict[str, RedshiftCompactedReader] = {}
        self._staged: dict[str, dict[str, int]] = {}

    def raw_table(self, source: Source) -> sa.Table:
        return source.staging

    def place(self, raw: sa.Table) -> sa.ColumnElement[Any]:
        column: sa.ColumnElement[Any] = raw.c._row
        return column

    # Reading ------------------------------------------------------------------------------

    def readable(self, compacted: Sequence[CompactedFile]) -> list[CompactedFile]:
        """Those on S3, if ``work_prefix`` is set: COPY reads a list of objects from a manifest."""
        remote = [file for file in compacted if file.object.key.startswith(SCHEME)]
        return super().readable(remote) if self.work.usable and remote else []

    def slices(self, connection: sa.Connection) -> int:
        return count_slices(connection)

    def read(
        self,
        ex: Executor,
        source: Source,
        objects: Sequence[Object],
        quarantine: Quarantine,
        compacted: Sequence[CompactedFile] = (),
    ) -> Reading:
        self.work.run = quarantine.run_id
        reading = Reading()
        views = self._views_of(ex)
        reader = RedshiftCompactedReader(
            self.s3, self.scratch, source, quarantine, objects, compacted
        )
        self._compacted[source.name] = reader
        others = reader.others
        refusals = CopyRefusals(source, self.s3, self.scratch, quarantine)
        self._refusals[source.name] = refusals
        jsonpaths = self.work.jsonpaths(source, others, write=not ex.planning)
        gzipped = [o for o in others if o.key.endswith(".gz")]
        plain = [o for o in others if not o.key.endswith(".gz")]
        for kind, copied in (("plain", plain), ("gzip", gzipped)):
            with ex.when(f"there are {kind} objects", copied) as should_run:
                if should_run:
                    outcome = self._copy(
                        ex, views, source, copied, kind, jsonpaths, reading, refusals
                    )
                    if reading.changed:
                        return reading
                    # Where the views cut names to the same text, the first has all records.
                    scanned = dict(outcome.scanned)
                    for each in copied:
                        reading.read[each.key] = scanned.pop(name_in_views(each.key), 0)
                    refusals.refuse(outcome, copied, reading)
        with ex.when("objects are compacted", compacted) as should_run:
            if should_run:
                self._copy_compacted(ex, views, reader, reading)
                if reading.changed:
                    return reading
        self._stage_readable(ex, source, refusals)
        self._take_back(ex, source, others, refusals)
        by_parser = {k: n for (name, k), n in quarantine.by_key.items() if name == source.name}
        self._staged[source.name] = {
            key: count - by_parser.get(key, 0) for key, count in reading.read.items()
        }
        return reading

    def _copy_compacted(
        self,
        ex: Executor,
        views: LoadViews,
        reader: RedshiftCompactedReader,
        reading: Reading,
    ) -> None:
        """Copies all compacted objects at once, then deletes rows of members not to be read."""
        source = reader.source
        step: dict[str, Any] = {"step": "read", "target": source.name}
        outcome = Outcome()
        jsonpaths = self.work.compacted_jsonpaths(source, write=not ex.planning)
        if reader.copied or ex.planning:
            outcome = self._copy(
                ex, views, source, reader.copied, COMPACTED_KIND, jsonpaths, reading, reader
            )
        if reading.changed:
            return
        reader.account(outcome, reading)
        left_out = reader.left_out()
        with ex.when("compacted objects hold others too", left_out) as should_run:
            if should_run:
                table = temporary(f"left_out_{source.name}", sa.Column("key", sa.String(4096)))
                ex.create(table, **step)
                self.fill(ex, table, ({"key": key} for key in left_out), **step)
                keys = sa.select(table.c.key)
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
        refusals: CopyRefusals | RedshiftCompactedReader,
    ) -> Outcome:
        columns = [c.name for c in source.columns]
        if kind == COMPACTED_KIND:
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
            gzip=kind in ("gzip", COMPACTED_KIND),
            region=self.settings.aws_region,
            max_error=self._max_error(),
        )
        try:
            ex.change(copy, step="read", target=source.name)
        except sa.exc.DBAPIError as error:
            if not fields(error) or self.is_conflict(error):
                raise
            self._handle_failure(error, views, source, objects, reading, refusals)
            return Outcome()
        outcome = views.outcome(ex, source, objects)
        others = outcome.scanned.keys() - {name_in_views(each.key) for each in objects}
        others = {name for name in others if not name.endswith("/")}
        if others:
            raise SettingsError(
                f"{min(others)} arrived while COPY read {origin}",
                "load again, or set work_prefix, so that COPY reads a list",
            )
        return outcome

    def _max_error(self) -> int:
        limit = self.settings.max_rejects
        return MAX_ERROR if limit is None else min(MAX_ERROR, limit + 1)

    def _handle_failure(
        self,
        error: sa.exc.DBAPIError,
        views: LoadViews,
        source: Source,
        objects: Sequence[Object],
        reading: Reading,
        refusals: CopyRefusals | RedshiftCompactedReader,
    ) -> None:
        """Notes the objects that a failed COPY missed, or raises why it failed.

        :raises RejectLimitError: when it refused more records than are allowed.
        :raises SourceError: when it could not read its objects.
        """
        if not is_over_max_error(error):
            if "NoSuchKey" in str(error.orig):
                present = {each.key for each in self._list_again(objects)}
                reading.changed |= {each.key for each in objects} - present
            if reading.changed:
                return
            explained = explain_copy_error(error, source, self.settings)
            if explained is None:
                raise error
            raise explained from error
        with self.session(read_only=True) as other:
            errors = views.errors_of_failed(other)
        before = refusals.quarantine.by_parser[source.name]
        reading.read |= {each.key: -1 for each in objects}
        refusals.refuse(Outcome(errors=errors), objects, reading)
        refused = max(len(errors), refusals.quarantine.by_parser[source.name] - before)
        raise RejectLimitError(
            "\n".join(
                [
                    f"{source.name}: COPY refused {quantity(refused, 'record')} and gave up: "
                    f"MAXERROR was {self._max_error():,}",
                    *show_refusals(errors, source, refusals.quarantine),
                ]
            ),
            "allow more: --max-rejects"
            if self.settings.max_rejects is not None
            else "fix the objects",
        ) from None

    def _list_again(self, objects: Sequence[Object]) -> Iterator[Object]:
        for folder in sorted({each.key.rsplit("/", 1)[0] + "/" for each in objects}):
            yield from self.s3.list_prefix(folder).objects

    def _stage_readable(self, ex: Executor, source: Source, refusals: CopyRefusals) -> None:
        """Stages records that COPY refused although the reader accepts them."""
        readable = refusals.readable
        with ex.when("COPY refused records that the reader takes", readable) as should_run:
            if should_run:
                names = [c.name for c in source.columns]
                self.insert(ex, source.staging, names, readable, "read", source.name)

    def _take_back(
        self, ex: Executor, source: Source, objects: Sequence[Object], refusals: CopyRefusals
    ) -> None:
        """Deletes staged rows of records that are not objects of plain values."""
        step: dict[str, Any] = {"step": "read", "target": source.name}
        doubtful = ex.rows(refusals.doubtful_rows(), **step)
        numbers = refusals.refuse_staged(doubtful, objects)
        with ex.when("records are no objects of plain values", numbers) as should_run:
            if should_run:
                taken = temporary(f"taken_back_{source.name}", sa.Column("place", sa.BigInteger))
                ex.create(taken, **step)
                self.fill(ex, taken, ({"place": number} for number in numbers), **step)
                places = sa.select(taken.c.place)
                staged = source.staging
                ex.change(sa.delete(staged).where(staged.c._row.in_(places)), **step)

    def stage(self, ex: Executor, source: Source) -> None:
        """Does nothing: COPY has staged the rows, and refused ones are already deleted."""

    def staged_counts(self, ex: Executor, source: Source) -> dict[str, int]:
        """Rows in staging, attributed to the objects by the load views; the rest under ``""``."""
        rows = sa.select(sa.func.count().label("n")).select_from(source.staging)
        total = ex.numbers(rows, step="read", target=source.name)["n"]
        staged = dict(self._staged.get(source.name, {}))
        staged[""] = total - sum(staged.values())
        return staged

    def quarantine_rows(
        self, ex: Executor, source: Source, violations: sa.Table, quarantine: Quarantine
    ) -> None:
        # COPY does not report which object a row came from: where the object is not known, the
        # row's fields replace the record's text.
        broken = ex.rows(
            sa.select(violations)
            .where(HasBit(violations.c.mask, reject_bits(source)))
            .order_by(violations.c.place),
            step="quarantine",
            target=source.name,
        )
        refusals, reader = self._refusals.get(source.name), self._compacted.get(source.name)
        records = reader.records(broken) if reader else {}
        for row in broken:
            rule, values = first_rule(source, row.mask), dict(row._mapping)
            places = refusals.places.get(locate.texts(source, values)) if refusals else None
            key: str | None
            if row._object is not None:
                raw = records.get(row.place) or row_as_json(source, values)
                key, line = row._object, row._line
            elif places:
                place = places.pop()
                key, line, raw = place.key, place.line, place.raw
            else:
                key, line, raw = None, None, row_as_json(source, values)
            quarantine.add(source.name, rule.name, rule.reason, key, line, raw)
