"""Records that COPY refused, or took although the reader would refuse them: found in their objects.

COPY knows a refused record by object and last line, so its text is read there. It stages nested
values as text, and of a record that is no object a row of NULLs; such rows are looked for in the
objects too, so that they are refused as on every other engine.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ...models.declare import Source
from ...steps import locate
from ...steps.locate import Place, Texts
from ...steps.quarantine import PARSER_RULES, Quarantine
from ...storage import json_records
from ...storage.gzip_files import MAGIC, unpack
from ...storage.json_records import MAX_RAW
from ...storage.objects import Object
from ...storage.s3 import Bucketeer
from ..base import Reading
from .load_views import LoadError, Outcome, shown
from .refused_lines import ending_at, fits, matched, windows
from .statements import INVALID_JSON, MAX_ERROR, RULES

#: Objects of more bytes in total are not read again to tell what COPY took for plain values.
LOOK_BYTES = 256 * 1024 * 1024


@dataclass
class Rows:
    """The odd rows of one source in one load.

    :param sound: records that COPY refused and the reader takes; they are staged by the client.
    :param places: where rows were found, by their texts.
    :param refused: key, line and bytes of records that COPY refused.
    """

    source: Source
    s3: Bucketeer
    scratch: Path
    quarantine: Quarantine
    sound: list[Mapping[str, str | None]] = field(default_factory=list)
    places: dict[Texts, list[Place]] = field(default_factory=lambda: defaultdict(list))
    refused: Counter[tuple[str | None, int | None, bytes]] = field(default_factory=Counter)

    # What COPY refused ------------------------------------------------------------------------

    def refuse(self, outcome: Outcome, objects: Sequence[Object], reading: Reading) -> None:
        """Quarantines records that COPY refused, with their text; notes those that are sound."""
        by_name: dict[str, list[LoadError]] = defaultdict(list)
        for error in outcome.errors:
            by_name[error.name].append(error)
        keyed: dict[str, list[Object]] = defaultdict(list)
        for each in objects:
            keyed[shown(each.key)].append(each)
        single = [keyed[name][0] for name in by_name if len(keyed[name]) == 1]
        for found in self.s3.fetch(single, self.scratch):
            if isinstance(found, str):
                reading.changed.add(found)
                continue
            errors = by_name.pop(shown(found.key))
            self._refuse_in(found, errors, reading)
            Path(found.path).unlink()
        for name in by_name.keys() - {shown(key) for key in reading.changed}:
            # Two names that are alike as far as the views show them: no telling which it is.
            for error in by_name[name]:
                self._add(rule_of(error), name, error.line, b"")

    def _refuse_in(self, each: Object, errors: list[LoadError], reading: Reading) -> None:
        if each.key.endswith(".gz"):
            try:
                Path(unpack(each.path, self.scratch)).replace(each.path)
            except zlib.error:
                # Bytes that COPY could unpack, but to more than this side may hold.
                for error in errors:
                    self._add(rule_of(error), each.key, error.line, b"")
                return
        with Path(each.path).open("rb") as file:
            head = file.read(MAX_RAW + 4)
            packed = head.startswith(MAGIC)
            if packed or (
                not json_records.is_utf8_text(head) and len(errors) == reading.read[each.key]
            ):
                # COPY has cut what is no text into lines: they are one refusal for the object.
                reading.read[each.key] -= len(errors) - 1
                rule = "undecodable_object"
                self.quarantine.add_unread(self.source.name, rule, each.key, 0, head, each.size)
                return
            file.seek(0)
            by_line: dict[int, list[LoadError]] = defaultdict(list)
            for error in errors:
                by_line[error.line].append(error)
            for line, window in windows(file, by_line):
                found = ending_at(window, line, by_line[line], self.source)
                pairs = matched(by_line[line], found, self.source)
                reading.read[each.key] += len(pairs) - len(by_line[line])
                for error, record in pairs:
                    self._judge(each.key, error, record)

    def _judge(self, key: str, error: LoadError, record: json_records.Record) -> None:
        rule = record.rule
        if rule is None and error.code in INVALID_JSON and fits(self.source, record.values):
            # Such as a NaN, which is no JSON: the rules of the source judge it like any other.
            self.sound.append(record.values)
            place = Place(key, record.line, record.raw, None)
            self.places[locate.texts(self.source, record.values)].append(place)
            return
        if rule is None:
            rule = "too_long" if error.code in INVALID_JSON else rule_of(error)
        self.refused[key, record.line, record.raw] += 1
        self._add(rule, key, record.line, record.raw, record.size)

    def _add(
        self, rule: str, key: str | None, line: int | None, raw: bytes, size: int | None = None
    ) -> None:
        reasons = {each.name: each.reason for each in self.source.rules} | PARSER_RULES
        name = self.source.name
        self.quarantine.by_parser[name] += 1
        reason = reasons.get(rule, "COPY refuses the record")
        self.quarantine.add(name, rule, reason, key, line, raw, size)

    # What COPY took ---------------------------------------------------------------------------

    def odd(self) -> sa.Select[Any]:
        """The staged rows that may be no objects, or hold nested values."""
        staging = self.source.staging
        columns = [staging.c[c.name] for c in self.source.columns]
        patterns: list[sa.BindParameter[str]] = [
            sa.bindparam("object", "{%}"),
            sa.bindparam("array", "[%]"),
        ]
        looks = [column.like(pattern) for column in columns for pattern in patterns]
        return (
            sa.select(staging.c._row, *columns)
            # What was compacted is sound.
            .where(
                staging.c._object.is_(None),
                sa.or_(sa.func.coalesce(*columns).is_(None), *looks),
            )
            .order_by(staging.c._row)
            .limit(MAX_ERROR)
        )

    def refuse_staged(self, rows: Sequence[Any], objects: Sequence[Object]) -> list[int]:
        """Quarantines odd rows that the reader refuses; returns their numbers in staging.

        Where the objects are too large to be read again, a nested value is told by its text alone,
        and a record that is no object is left to the rules, which refuse it for what it lacks.
        """
        by_texts: dict[Texts, list[Any]] = defaultdict(list)
        for row in rows:
            values = [row._mapping[c.name] for c in self.source.columns]
            if not any(values) or any(map(locate.nested, values)):
                by_texts[locate.texts(self.source, dict(row._mapping))].append(row)
        if not by_texts:
            return []
        if sum(each.size for each in objects) > LOOK_BYTES:
            return self._refuse_by_text(by_texts)
        gone: list[int] = []
        sound: Counter[Texts] = Counter()
        fetched = self._fetched(objects)
        for identity, place in locate.find(fetched, self.source, set(by_texts)):
            known = place.key, place.line, place.raw
            if self.refused[known]:
                self.refused[known] -= 1
            elif place.rule in ("not_an_object", "nested_value") and by_texts[identity]:
                self._add(place.rule, place.key, place.line, place.raw)
                gone.append(by_texts[identity].pop()._mapping["_row"])
            else:
                sound[identity] += place.rule is None
        # The reader takes some lines for a part of the malformed record before them.
        hidden = {texts: rows[sound[texts] :] for texts, rows in by_texts.items()}
        return gone + self._refuse_by_text(hidden)

    def _fetched(self, objects: Sequence[Object]) -> Iterator[Object]:
        for found in self.s3.fetch(objects, self.scratch):
            # One that changed meanwhile ends the attempt when the objects are looked up again.
            if not isinstance(found, str):
                yield found
                Path(found.path).unlink()

    def _refuse_by_text(self, by_texts: Mapping[Texts, list[Any]]) -> list[int]:
        gone = []
        for row in (row for rows in by_texts.values() for row in rows):
            if any(locate.nested(row._mapping[c.name]) for c in self.source.columns):
                self._add("nested_value", None, None, fields_of(self.source, dict(row._mapping)))
                gone.append(row._mapping["_row"])
        return gone


def rule_of(error: LoadError) -> str:
    """The rule that an error of COPY stands for."""
    return RULES.get(error.code, "malformed_json")


def fields_of(source: Source, values: Mapping[str, Any]) -> bytes:
    """A staged row as JSON with the keys of the file: it stands for the record."""
    held = {key: values[column] for key, column in source.keys.items()}
    given = {key: value for key, value in held.items() if value is not None}
    return json.dumps(given, ensure_ascii=False).encode()
