"""Cuts the bytes of an object into JSON records, exactly, with a reason for each refused one.

The slow, second check: it gets the objects and lines that look suspicious, the engine reads the
others.

A record starts at the next non-blank character and is as long as the JSON value that starts there.
A record that starts with ``{`` may continue over several lines, but not past a line with ``{`` in
column 0; every other record ends with its line. If no complete value ends before that limit, or it
exceeds 4 MiB, all text up to the limit is one refused record, and reading continues after it.
Memory holds at most two such records, however long one is.
"""

from __future__ import annotations

import codecs
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

MAX_RECORD = 4 * 1024 * 1024
#: Bytes of a refused record that the quarantine keeps.
MAX_RAW = 65_535
BOM = b"\xef\xbb\xbf"
#: Bytes read at a time: a malformed record costs a scan of what is in memory.
_BLOCK = 64 * 1024
#: Bytes kept of a record that is too large: what the quarantine keeps, and one more character.
_KEPT = MAX_RAW + 4
_BLANKS = " \t\r\n"
_SPACE = re.compile(f"[{_BLANKS}]*")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NO_VALUE = object()


@dataclass(frozen=True)
class Record:
    """A record: where it starts, its bytes, and either its values or the rule that refuses it.

    :param line: physical line it starts in, from 1.
    :param values: text (or None) by staging column, numbers as spelled; empty when refused.
    :param left_out: bytes of a record beyond 4 MiB that are missing in ``raw``, and the line feeds
        among them.
    """

    line: int
    raw: bytes
    rule: str | None
    values: Mapping[str, str | None]
    left_out: tuple[int, int] = (0, 0)

    @property
    def is_open(self) -> bool:
        """Whether it may continue in the next line."""
        return self.rule == "malformed_json" and self.raw[:1] == b"{"

    @property
    def size(self) -> int:
        """Its true size in bytes."""
        return len(self.raw) + self.left_out[0]

    @property
    def last_line(self) -> int:
        """The physical line it ends in."""
        return self.line + self.raw.count(b"\n") + self.left_out[1]


def _first_values(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in pairs:
        values.setdefault(key, value)  # of repeated keys the first counts, as in the engine
    return values


#: The value that starts at an index of a text, and its end; StopIteration where none starts.
_scan: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder(
    object_pairs_hook=_first_values, parse_float=str, parse_int=str, parse_constant=str
).scan_once  # type: ignore[attr-defined]


def is_utf8_text(head: bytes) -> bool:
    """Whether the first bytes may be UTF-8 text: no UTF-16 or UTF-32, with or without BOM."""
    return json.detect_encoding(head[:4]).startswith("utf-8")


def split(
    source: bytes | BinaryIO, keys: Mapping[str, str], first_line: int = 1
) -> Iterator[Record]:
    """The records of an object; streams are read piece by piece.

    :param keys: staging column by JSON key; other keys are ignored, whatever their values.
    :param first_line: number of the line that ``source`` starts in.
    """
    window = _Window(io.BytesIO(source) if isinstance(source, bytes) else source, first_line)
    while window.skip_blanks():
        end, value = window.value()
        if end is None:
            yield window.skip_record()
            continue
        line, text = window.take(end)
        yield _judge(line, text.rstrip(_BLANKS), value, keys)


class _Window:
    """The part of a stream's text that is in memory, and the reading position in it."""

    def __init__(self, stream: BinaryIO, line: int) -> None:
        self.stream, self.line = stream, line
        self.text, self.at, self.ended = "", 0, False
        self._counted = 0
        self._limits = {"{": -1, "": -1}
        # Bytes that are not UTF-8 become lone surrogates, and are restored from them.
        self._decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
        head = stream.read(len(BOM))
        self._head = b"" if head == BOM and line == 1 else head

    def skip_blanks(self) -> bool:
        """Moves to the next non-blank character; returns whether there is one."""
        while True:
            found = _SPACE.match(self.text, self.at)
            self.at = found.end() if found else self.at
            if self.at < len(self.text):
                return True
            if self.ended:
                return False
            self._read_more()

    def value(self) -> tuple[int | None, Any]:
        """End of the record that starts here, and its value; None: it exceeds 4 MiB."""
        prefix = self._stop_prefix()
        while True:
            stop = self._limit(prefix)
            try:
                value, end = _scan(self.text, self.at)
            except (ValueError, StopIteration, RecursionError):
                value, end = _NO_VALUE, stop
            else:
                bare = not prefix and self.text[self.at] not in '["'  # `12abc` is not a number
                if end > stop or (bare and self.text[end : end + 1].strip(_BLANKS)):
                    value, end = _NO_VALUE, stop
            # A value that ends within what is in memory ends there, whatever follows.
            if stop < len(self.text) or self.ended or (value is not _NO_VALUE and end < stop):
                large = value is not _NO_VALUE and _too_large(self.text, self.at, end)
                return None if large else end, value
            if len(self.text) - self.at > MAX_RECORD:
                return None, _NO_VALUE
            self._read_more()

    def skip_record(self) -> Record:
        """Skips the record that starts here up to its limit; returns its beginning and size."""
        prefix = self._stop_prefix()
        line, text = self.take(self.at)
        head, size, feeds, read, seen = b"", 0, 0, 0, 0
        while True:
            stop = self._limit(prefix)
            at_limit = stop < len(self.text) or self.ended
            if not at_limit and self.text.endswith("\n"):
                stop -= 1  # the next character decides whether the record ends here
            text = self.text[self.at : stop]
            if stripped := text.rstrip(_BLANKS):
                size = read + len(_bytes(stripped))
                feeds = seen + stripped.count("\n")
            part = _bytes(text)
            head += part[: _KEPT - len(head)]
            read, seen, self.at = read + len(part), seen + text.count("\n"), stop
            if at_limit:
                break
            self._read_more()
        raw = head[:size]
        rule = "record_too_large" if size > MAX_RECORD else "malformed_json"
        return Record(line, raw, rule, {}, (size - len(raw), feeds - raw.count(b"\n")))

    def _stop_prefix(self) -> str:
        """The start of a line that ends the record that starts here."""
        return "{" if self.text[self.at] == "{" else ""

    def take(self, end: int) -> tuple[int, str]:
        """Line and text of the record up to ``end``; moves behind it."""
        self.line += self.text.count("\n", self._counted, self.at)
        text, self._counted, self.at = self.text[self.at : end], self.at, end
        return self.line, text

    def _limit(self, prefix: str) -> int:
        """Where a record must have ended; the end of what is in memory where that is later."""
        limit = self._limits[prefix]
        if limit < self.at:
            found = self.text.find("\n" + prefix, self.at)
            limit = self._limits[prefix] = len(self.text) if found < 0 else found
        return limit

    def _read_more(self) -> None:
        """Reads at least as much again as is left, so that long records are rescanned seldom."""
        self.line += self.text.count("\n", self._counted, self.at)
        kept = self.text[self.at :]
        block = self._head + self.stream.read(max(_BLOCK, len(kept)))
        self._head = b""
        self.ended = not block
        self.text = kept + self._decode(block, self.ended)
        self.at = self._counted = 0
        self._limits = {"{": -1, "": -1}


def _bytes(text: str) -> bytes:
    """The bytes that a text was decoded from."""
    return text.encode("utf-8", "surrogateescape")


def _too_large(text: str, start: int, end: int) -> bool:
    if 4 * (end - start) <= MAX_RECORD:
        return False
    return end - start > MAX_RECORD or len(_bytes(text[start:end])) > MAX_RECORD


def _judge(line: int, text: str, value: Any, keys: Mapping[str, str]) -> Record:
    try:
        raw, broken = text.encode(), False
    except UnicodeEncodeError:
        raw, broken = _bytes(text), True
    rule = _refusal(raw, broken, value, keys)
    if rule:
        return Record(line, raw, rule, {})
    return Record(line, raw, None, {column: _text(value.get(key)) for key, column in keys.items()})


def _refusal(raw: bytes, broken: bool, value: Any, keys: Mapping[str, str]) -> str | None:
    if len(raw) > MAX_RECORD:
        return "record_too_large"
    if value is _NO_VALUE:
        return "malformed_json"
    if broken:
        return "invalid_utf8"
    if not isinstance(value, dict):
        return "not_an_object"
    known = [value.get(key) for key in keys]
    texts = [each for each in known if isinstance(each, str)]
    if any("\0" in text for text in texts):
        return "nul_character"
    if any(_SURROGATE.search(text) for text in texts):
        return "lone_surrogate"
    if any(isinstance(each, dict | list) for each in known):
        return "nested_value"
    return None


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value  # type: ignore[no-any-return]
