"""Compacted objects on Redshift: their rows know where they came from, COPY's errors do not."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ...steps.locate import records_of
from ...steps.quarantine import PARSER_RULES
from ...storage.compacted import LINE, OBJECT, Pack, broken
from ...storage.objects import Object
from ..base import Reading
from ..compacted import Packed, take_refused
from .copy_refusals import rule_of
from .load_views import LoadError, Outcome, shown

#: Kind of the COPY that reads compacted objects.
COMPACTED = "compacted"
#: Where STV_SLICES does not exist, as on serverless. AWS documents no slices there; so many objects
#: keep a workgroup of 8 RPU and more busy, and a smaller one too.
SERVERLESS_SLICES = 16
_SLICES = sa.table("stv_slices", sa.column("slice", sa.Integer))


def slices(connection: sa.Connection) -> int:
    """Slices of the cluster: COPY reads as many objects at the same time.

    Source: https://docs.aws.amazon.com/redshift/latest/dg/r_STV_SLICES.html
    """
    try:
        count = sa.select(sa.func.count(sa.distinct(_SLICES.c.slice)))
        return connection.execute(count).scalar() or SERVERLESS_SLICES
    except sa.exc.DBAPIError:
        return SERVERLESS_SLICES
    finally:
        connection.rollback()


class PackedRows(Packed):
    """The compacted objects that one COPY reads."""

    @property
    def copied(self) -> list[Object]:
        """Those that hold a line."""
        return [pack.object for pack in self.packs if pack.rows]

    def left_out(self) -> list[str]:
        """Keys of objects that compacted ones hold, but this load does not take."""
        return sorted(
            member.object.key
            for pack in self.packs
            for member in pack.members
            if member.object.key not in pack.wanted
        )

    def account(self, found: Outcome, reading: Reading) -> None:
        """Counts and refuses what the members hold.

        :raises SourceError: when COPY read another number of lines than were written.
        """
        for pack in self.packs:
            if pack.rows and found.scanned.get(shown(pack.object.key)) != pack.rows:
                raise broken(pack.object.key)
            take_refused(self.s3, self.source, pack, self.quarantine)
            reading.read |= {each.object.key: each.rows_read for each in pack.taken}
        self.refuse(found, self.copied, reading)

    def refuse(self, outcome: Outcome, objects: Sequence[Object], reading: Reading) -> None:
        """Quarantines lines that COPY refused, as the records that they were."""
        by_name: dict[str, list[LoadError]] = defaultdict(list)
        for error in outcome.errors:
            by_name[error.name].append(error)
        reasons = {each.name: each.reason for each in self.source.rules} | PARSER_RULES
        for pack in self.packs:
            errors = by_name.pop(shown(pack.object.key), None)
            places = list(self._places(pack, errors)) if errors else []
            raws = self._texts([(key, line) for _, key, line in places])
            for error, key, line in places:
                rule = rule_of(error)
                reason = reasons.get(rule, "COPY refuses the record")
                self.quarantine.by_parser[self.source.name] += 1
                raw = raws.get((key, line), b"")
                self.quarantine.add(self.source.name, rule, reason, key, line, raw)

    def _places(
        self, pack: Pack, errors: Sequence[LoadError]
    ) -> Iterator[tuple[LoadError, str, int]]:
        """Object and line of the records that a load takes and that became these lines."""
        by_line = {error.line: error for error in errors}
        with gzip.open(self._local(pack.object)) as lines:
            for number, line in enumerate(lines, 1):
                if number in by_line:
                    held = json.loads(line)
                    if held[OBJECT] in pack.wanted:
                        yield by_line[number], held[OBJECT], held[LINE]

    def texts(self, rows: Sequence[Any]) -> dict[int, bytes]:
        """The records' own bytes of staged rows that came from compacted objects, by place."""
        by_key: dict[str, dict[int, list[Any]]] = defaultdict(lambda: defaultdict(list))
        for row in rows:
            if row._object is not None:
                by_key[row._object][row._line].append(row)
        found: dict[int, bytes] = {}
        for each, plain in self.originals(by_key):
            with Path(plain).open("rb") as file:
                for row, _, raw in records_of(file, by_key[each.key], self.source.keys, True):
                    found[row.place] = raw
        return found

    def _texts(self, places: Sequence[tuple[str, int]]) -> dict[tuple[str, int], bytes]:
        """The bytes of the records that start at these lines; the last where several do."""
        found = {}
        wanted = set(places)
        for each, plain in self.originals({key for key, _ in places}):
            for record in self.split(plain):
                if (each.key, record.line) in wanted and record.rule is None:
                    found[each.key, record.line] = record.raw
        return found
