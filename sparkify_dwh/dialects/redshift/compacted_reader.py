"""Reads compacted objects on Redshift: rows carry their origin, errors of COPY do not."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ...steps.locate import records_of
from ...storage.compacted_file import LINE, OBJECT, CompactedFile, wrong_content
from ...storage.objects import Object
from ..base import Reading
from ..compacted_reader import CompactedReader, quarantine_refused
from .copy_refusals import reason_of, rule_of
from .load_views import LoadError, Outcome, name_in_views

#: Kind of the COPY that reads compacted objects.
COMPACTED_KIND = "compacted"
#: Where STV_SLICES does not exist, as on serverless. AWS documents no slices there; this many
#: objects keep any workgroup of 8 RPU or more busy, and a smaller one too.
SERVERLESS_SLICES = 16
_SLICES = sa.table("stv_slices", sa.column("slice", sa.Integer))


def count_slices(connection: sa.Connection) -> int:
    """Slices of the cluster: COPY reads that many objects at the same time.

    Source: https://docs.aws.amazon.com/redshift/latest/dg/r_STV_SLICES.html
    """
    try:
        query = sa.select(sa.func.count(sa.distinct(_SLICES.c.slice)))
        return connection.execute(query).scalar() or SERVERLESS_SLICES
    except sa.exc.DBAPIError:
        return SERVERLESS_SLICES
    finally:
        connection.rollback()


class RedshiftCompactedReader(CompactedReader):
    """The compacted objects that one COPY reads."""

    @property
    def copied(self) -> list[Object]:
        """Those that are not empty."""
        return [file.object for file in self.files if file.rows]

    def left_out(self) -> list[str]:
        """Keys of members that this load does not read."""
        return sorted(
            member.object.key
            for file in self.files
            for member in file.members
            if member.object.key not in file.served
        )

    def account(self, outcome: Outcome, reading: Reading) -> None:
        """Counts the members' records and quarantines refused ones.

        :raises SourceError: when COPY did not read as many lines as were written.
        """
        for file in self.files:
            if file.rows and outcome.scanned.get(name_in_views(file.object.key)) != file.rows:
                raise wrong_content(file.object.key)
            quarantine_refused(self.s3, self.source, file, self.quarantine)
            reading.read |= {each.object.key: each.rows_read for each in file.served_members}
        self.refuse(outcome, self.copied, reading)

    def refuse(self, outcome: Outcome, objects: Sequence[Object], reading: Reading) -> None:
        """Quarantines lines that COPY refused, as the original records."""
        by_name: dict[str, list[LoadError]] = defaultdict(list)
        for error in outcome.errors:
            by_name[error.name].append(error)
        for file in self.files:
            errors = by_name.pop(name_in_views(file.object.key), None)
            origins = list(self._origins(file, errors)) if errors else []
            records = self._records_at([(key, line) for _, key, line in origins])
            for error, key, line in origins:
                rule = rule_of(error)
                reason = reason_of(self.source, rule)
                self.quarantine.by_parser[self.source.name] += 1
                raw = records.get((key, line), b"")
                self.quarantine.add(self.source.name, rule, reason, key, line, raw)

    def _origins(
        self, file: CompactedFile, errors: Sequence[LoadError]
    ) -> Iterator[tuple[LoadError, str, int]]:
        """Original object and line of the refused lines whose member this load reads."""
        by_line = {error.line: error for error in errors}
        with gzip.open(self._local(file.object)) as lines:
            for number, line in enumerate(lines, 1):
                if number in by_line:
                    record = json.loads(line)
                    if record[OBJECT] in file.served:
                        yield by_line[number], record[OBJECT], record[LINE]

    def records(self, rows: Sequence[Any]) -> dict[int, bytes]:
        """The original bytes of staged rows that came from compacted objects, by place."""
        by_key: dict[str, dict[int, list[Any]]] = defaultdict(lambda: defaultdict(list))
        for row in rows:
            if row._object is not None:
                by_key[row._object][row._line].append(row)
        records: dict[int, bytes] = {}
        for each, plain in self.originals(by_key):
            with Path(plain).open("rb") as file:
                for row, _, raw in records_of(file, by_key[each.key], self.source.keys, True):
                    records[row.place] = raw
        return records

    def _records_at(self, lines: Sequence[tuple[str, int]]) -> dict[tuple[str, int], bytes]:
        """The bytes of the records that start at these lines; the last if there are several."""
        records = {}
        starts = set(lines)
        for each, plain in self.originals({key for key, _ in lines}):
            for record in self.split(plain):
                if (each.key, record.line) in starts and record.rule is None:
                    records[each.key, record.line] = record.raw
        return records
