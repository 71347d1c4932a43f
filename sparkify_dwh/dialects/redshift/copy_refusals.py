"""Records that COPY refused, or staged although the reader would refuse them.

COPY reports a refused record by object and last line only, so its text is read from the object. It
stages nested values as text, and a record that is not an object as a row of NULLs. The records
behind such rows are looked up in the objects too, and refused as every other engine refuses them.
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
from ...steps.locate import RecordPlace, Texts
from ...steps.quarantine import PARSER_RULES, Quarantine
from ...storage import json_records
from ...storage.gzip_files import MAGIC, decompress_file
from ...storage.json_records import MAX_RAW
from ...storage.objects import Object
from ...storage.s3 import S3
from ..base import Reading
from .load_views import LoadError, Outcome, name_in_views
from .refused_lines import fits_staging, match_errors, records_at, windows
from .statements import INVALID_JSON, MAX_ERROR, RULES

#: Objects of more bytes in total are not read again to find what COPY staged wrongly.
MAX_REREAD_BYTES = 256 * 1024 * 1024


@dataclass
class CopyRefusals:
    """The refused records of one source in one load.

    :param readable: records that COPY refused and the reader accepts; the client stages them.
    :param places: where readable records were found, by their texts.
    :param refused: key, line and bytes of records that COPY refused.
    """

    source: Source
    s3: S3
    scratch: Path
    quarantine: Quarantine
    readable: list[Mapping[str, str | None]] = field(default_factory=list)
    places: dict[Texts, list[RecordPlace]] = field(default_factory=lambda: defaultdict(list))
    refused: Counter[tuple[str | None, int | None, bytes]] = field(default_factory=Counter)

    # What COPY refused ------------------------------------------------------------------------

    def refuse(self, outcome: Outcome, objects: Sequence[Object], reading: Reading) -> None:
        """Quarantines records that COPY refused, with their text; keeps the readable ones."""
        by_name: dict[str, list[LoadError]] = defaultdict(list)
        for error in outcome.errors:
            by_name[error.name].append(error)
        named: dict[str, list[Object]] = defaultdict(list)
        for each in objects:
            named[name_in_views(each.key)].append(each)
        single = [named[name][0] for name in by_name if len(named[name]) == 1]
        for found in self.s3.fetch(single, self.scratch):
            if isinstance(found, str):
                reading.changed.add(found)
                continue
            errors = by_name.pop(name_in_views(found.key))
            self._refuse_in(found, errors, reading)
            Path(found.path).unlink()
        for name in by_name.keys() - {name_in_views(key) for key in reading.changed}:
            # The views cut several names to this one: which object it is cannot be known.
            for error in by_name[name]:
                self._add(rule_of(error), name, error.line, b"")

    def _refuse_in(self, each: Object, errors: list[LoadError], reading: Reading) -> None:
        if each.key.endswith(".gz"):
            try:
                Path(decompress_file(each.path, self.scratch)).replace(each.path)
            except zlib.error:
                # COPY could decompress it, but the result is larger than the reader allows.
                for error in errors:
                    self._add(rule_of(error), each.key, error.line, b"")
                return
        with Path(each.path).open("rb") as file:
            head = file.read(MAX_RAW + 4)
            is_gzip = head.startswith(MAGIC)
            if is_gzip or (
                not json_records.is_utf8_text(head) and len(errors) == reading.read[each.key]
            ):
                # It is not text: the lines that COPY cut it into count as one refused object.
                reading.read[each.key] -= len(errors) - 1
                rule = "undecodable_object"
                self.quarantine.add_unread(self.source.name, rule, each.key, 0, head, each.size)
                return
            file.seek(0)
            by_line: dict[int, list[LoadError]] = defaultdict(list)
            for error in errors:
                by_line[error.line].append(error)
            for line, window in windows(file, by_line):
                records = records_at(window, line, by_line[line], self.source)
                pairs = match_errors(by_line[line], records, self.source)
                reading.read[each.key] += len(pairs) - len(by_line[line])
                for error, record in pairs:
                    self._judge(each.key, error, record)

    def _judge(self, key: str, error: LoadError, record: json_records.Record) -> None:
        rule = record.rule
        if rule is None and error.code in INVALID_JSON and fits_staging(self.source, record.values):
            # Such as a NaN, which is not JSON: the rules of the source judge it like any other.
            self.readable.append(record.values)
            place = RecordPlace(key, record.line, record.raw, None)
            self.places[locate.texts(self.source, record.values)].append(place)
            return
        if rule is None:
            rule = "too_long" if error.code in INVALID_JSON else rule_of(error)
        self.refused[key, record.line, record.raw] += 1
        self._add(rule, key, record.line, record.raw, record.size)

    def _add(
        self, rule: str, key: str | None, line: int | None, raw: bytes, size: int | None = None
    ) -> None:
        name = self.source.name
        self.quarantine.by_parser[name] += 1
        self.quarantine.add(name, rule, reason_of(self.source, rule), key, line, raw, size)

    # What COPY staged -------------------------------------------------------------------------

    def doubtful_rows(self) -> sa.Select[Any]:
        """Selects staged rows of records that may not be objects, or may have nested values."""
        staging = self.source.staging
        columns = [staging.c[c.name] for c in self.source.columns]
        patterns: list[sa.BindParameter[str]] = [
            sa.bindparam("object", "{%}"),
            sa.bindparam("array", "[%]"),
        ]
        nested = [column.like(pattern) for column in columns for pattern in patterns]
        return (
            sa.select(staging.c._row, *columns)
            # The reader has already accepted what is in compacted objects.
            .where(
                staging.c._object.is_(None),
                sa.or_(sa.func.coalesce(*columns).is_(None), *nested),
            )
            .order_by(staging.c._row)
            .limit(MAX_ERROR)
        )

    def refuse_staged(self, rows: Sequence[Any], objects: Sequence[Object]) -> list[int]:
        """Quarantines doubtful rows that the reader refuses; returns their numbers in staging.

        If the objects are too large to be read again, a nested value is recognized by its text
        alone. A record that is not an object is left to the rules, which refuse it for the values
        that it lacks.
        """
        by_texts: dict[Texts, list[Any]] = defaultdict(list)
        for row in rows:
            values = [row._mapping[c.name] for c in self.source.columns]
            if not any(values) or any(map(locate.nested, values)):
                by_texts[locate.texts(self.source, dict(row._mapping))].append(row)
        if not by_texts:
            return []
        if sum(each.size for each in objects) > MAX_REREAD_BYTES:
            return self._refuse_by_text(by_texts)
        refused: list[int] = []
        accepted: Counter[Texts] = Counter()
        fetched = self._fetch(objects)
        for texts, place in locate.find(fetched, self.source, set(by_texts)):
            record = place.key, place.line, place.raw
            if self.refused[record]:
                self.refused[record] -= 1
            elif place.rule in ("not_an_object", "nested_value") and by_texts[texts]:
                self._add(place.rule, place.key, place.line, place.raw)
                refused.append(by_texts[texts].pop()._mapping["_row"])
            else:
                accepted[texts] += place.rule is None
        # The reader counts some lines as part of the malformed record before them.
        hidden = {texts: rows[accepted[texts] :] for texts, rows in by_texts.items()}
        return refused + self._refuse_by_text(hidden)

    def _fetch(self, objects: Sequence[Object]) -> Iterator[Object]:
        for found in self.s3.fetch(objects, self.scratch):
            # An object that has changed ends the attempt when the objects are checked again.
            if not isinstance(found, str):
                yield found
                Path(found.path).unlink()

    def _refuse_by_text(self, by_texts: Mapping[Texts, list[Any]]) -> list[int]:
        refused = []
        for row in (row for rows in by_texts.values() for row in rows):
            if any(locate.nested(row._mapping[c.name]) for c in self.source.columns):
                self._add("nested_value", None, None, row_as_json(self.source, dict(row._mapping)))
                refused.append(row._mapping["_row"])
        return refused


def rule_of(error: LoadError) -> str:
    """The rule that an error of COPY corresponds to."""
    return RULES.get(error.code, "malformed_json")


def reason_of(source: Source, rule: str) -> str:
    """Why a record breaks a rule of the source or of the parser."""
    reasons = {each.name: each.reason for each in source.rules} | PARSER_RULES
    return reasons.get(rule, "COPY refuses the record")


def row_as_json(source: Source, values: Mapping[str, Any]) -> bytes:
    """A staged row as JSON with the keys of the file, to replace the record's text."""
    fields = {key: values[column] for key, column in source.keys.items()}
    present = {key: value for key, value in fields.items() if value is not None}
    return json.dumps(present, ensure_ascii=False).encode()


def show_refusals(
    errors: Sequence[LoadError], source: Source, quarantine: Quarantine
) -> Iterator[str]:
    """Up to three refused records of a COPY with object, line, column, reason and text."""
    refusals = [each for _, _, samples in quarantine.worst(source.name) for each in samples]
    for refusal in refusals[:3]:
        near = [e for e in errors if e.name == refusal.key and e.line >= (refusal.line or 0)]
        why = f" column {near[0].column}: {near[0].reason}" if near and near[0].column else ""
        why = why or (f": {near[0].reason}" if near else "")
        raw = refusal.raw[:120].decode("utf-8", "backslashreplace")
        yield f"  {refusal.place}{refusal.rule}{why}: {raw}"
