"""Refused records on their way to ``audit.rejected_row``: kept in a file, counted in memory."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ..storage.json_records import MAX_RAW


class Quarantine:
    """Refused records of one run.

    :param path: file for the rows, one JSON object per line, ready for a bulk insert; it survives
        a rollback, so a failed load can still show what it refused.
    """

    def __init__(self, path: Path, run_id: str, at: datetime) -> None:
        self.path, self.run_id, self.at = path, run_id, at
        self.count = 0
        self.by_rule: Counter[tuple[str, str]] = Counter()
        self.by_parser: Counter[str] = Counter()
        self.by_key: Counter[tuple[str, str | None]] = Counter()
        self.samples: dict[tuple[str, str], list[Refusal]] = {}
        #: Whether the text of a source's record must not be kept, since it is about an erased
        #: person.
        self.withheld: Callable[[str, bytes], bool] | None = None
        self._file = path.open("w", encoding="ascii")

    def add(
        self,
        source: str,
        rule: str,
        reason: str,
        key: str | None,
        line: int | None,
        raw: bytes,
        size: int | None = None,
    ) -> None:
        """Refuses one record.

        :param raw: its bytes; with ``size``, at least those that are shown.
        :param size: its full size.
        """
        size = len(raw) if size is None else size
        hidden = self.withheld is not None and self.withheld(source, raw)
        refusal = Refusal(source, rule, reason, key, line, raw[:512], size)
        self.count += 1
        self.by_rule[source, rule] += 1
        self.by_key[source, key] += 1
        kept = self.samples.setdefault((source, rule), [])
        if len(kept) < 3 and not hidden:
            kept.append(refusal)
        row: Mapping[str, Any] = {
            "run_id": self.run_id,
            "position": self.count,
            "source": source,
            "rule": rule,
            "reason": reason,
            "key": key,
            "line": line,
            "raw": None if hidden else shown_raw(raw),
            "raw_bytes": size,
            "at": self.at.isoformat(sep=" "),
        }
        self._file.write(json.dumps(row) + "\n")

    def add_unread(
        self, source: str, rule: str, key: str, line: int, raw: bytes, size: int | None = None
    ) -> None:
        """Refuses a record that the reader could not stage; see ``add``."""
        self.by_parser[source] += 1
        self.add(source, rule, PARSER_RULES[rule], key, line, raw, size)

    def refused(self, source: str) -> int:
        """Records of a source refused by the parser or a rule."""
        return sum(n for (name, _), n in self.by_rule.items() if name == source)

    def worst(self, source: str) -> list[tuple[str, int, list[Refusal]]]:
        """Rules of a source with counts and samples, most refusals first."""
        found = [
            (rule, n, self.samples[name, rule])
            for (name, rule), n in self.by_rule.items()
            if name == source
        ]
        return sorted(found, key=lambda item: (-item[1], item[0]))

    def ready(self) -> Path:
        """The file, with every refusal so far."""
        if not self._file.closed:
            self._file.flush()
        return self.path

    def close(self) -> None:
        """Closes the file, which remains."""
        self._file.close()


def shown_raw(raw: bytes) -> str:
    """Bytes as text, cut between characters to 65,535 bytes; invalid UTF-8 becomes ``\\xNN``."""
    text = raw[: MAX_RAW + 4].decode("utf-8", "backslashreplace").replace("\0", "\\x00")
    encoded = text.encode()
    if len(encoded) <= MAX_RAW and len(raw) <= MAX_RAW:
        return text
    return encoded[:MAX_RAW].decode("utf-8", "ignore")


@dataclass(frozen=True)
class Refusal:
    """A refused record: the first rule it broke, its place, original bytes and full size."""

    source: str
    rule: str
    reason: str
    key: str | None
    line: int | None
    raw: bytes
    raw_bytes: int

    @property
    def place(self) -> str:
        """``key:line `` as the start of a line; empty where the engine does not report it."""
        return f"{self.key}:{self.line} " if self.key is not None else ""


#: Why the parser refuses to stage a record, by parser rule.
PARSER_RULES = {
    "undecodable_object": "the object is not UTF-8 text, or its gzip is damaged or too large",
    "unreadable_object": "the object cannot be read",
    "record_too_large": "a record must not exceed 4 MiB",
    "malformed_json": "the record is not a complete JSON value",
    "invalid_utf8": "the record contains bytes that are not UTF-8",
    "not_an_object": "a record must be a JSON object",
    "nul_character": "a text must not contain U+0000",
    "lone_surrogate": "a text must not contain half of a surrogate pair",
    "nested_value": "an object or array where a text or number belongs",
}
