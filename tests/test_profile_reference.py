"""Profiles of random records against plain Python."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st
from support import reference_profile as reference
from support.fuzzing import examples

from sparkify_dwh import Settings, SourceProfile, Warehouse
from sparkify_dwh.inspection.profile.findings import json_value

_KEYS = ["a", "A", "b", "c/d", "e~f", "", "g.h", 'q"', "\u00fc"]
_ODD = (
    "",
    " ",
    "39",
    "39.0",
    "-1e3",
    "007",
    "0x1F",
    "12.",
    "1_0",
    "2018-11-01",
    "2018-11-01T20:57:10.796Z",
    "2018-13-01",
    "M\u00c3\u00a5ns",
    "M\u00c3\u0083\u00c2\u00a5ns",
    "M\u00e5ns",
    "\u00c3\u00a5 \ufffd",
    "\u00a0x",
    "x\u2028",
    "a\x00b",
    "\x1b[0m",
    "\x85",
    "\u0416",
    "\U0001f600",
    "\\",
    '"',
    "null",
    "true",
)
_TEXT = st.one_of(
    st.sampled_from(_ODD), st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
)
# Floats with one spelling only: how long a number is and whether two are one depends on it.
_FLOAT = st.integers(-4000, 4000).map(lambda n: n / 4 or 0.5)
_SCALAR = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([2**63, -(2**63), 10**25, 1_541_105_830_796]),
    _FLOAT,
    _TEXT,
)
_NESTED = st.one_of(
    st.lists(st.integers(0, 2), max_size=2),
    # Texts of one spelling only: a nested value is compared by its JSON.
    st.dictionaries(st.sampled_from(["x", "y"]), st.sampled_from(["", "\u00e5", "z"]), max_size=2),
)
_RECORD = st.dictionaries(st.sampled_from(_KEYS), st.one_of(_SCALAR, _SCALAR, _NESTED), max_size=5)
#: Lines that are not a record, and why.
_BROKEN = {
    b"{": "malformed_json",
    b'{"a":1,}': "malformed_json",
    b"[]": "not_an_object",
    b"7": "not_an_object",
    b'{"a":"\xfe"}': "invalid_utf8",
    b'{"a":"\\udc00"}': "lone_surrogate",
}
_LINES = st.lists(
    st.one_of(_RECORD, _RECORD, _RECORD, st.sampled_from(sorted(_BROKEN))), max_size=14
)


Line = dict[str, Any] | bytes
PADDING = [{"pad": "x" * 999}] * 300


def texts_first(lines: list[Line]) -> list[Line]:
    """A text after an object without an end would belong to it."""
    return sorted(lines, key=lambda line: not isinstance(line, bytes) or line[:1] == b"{")


def profile(files: list[list[Line]], ascii_only: bool) -> SourceProfile:
    def spelled(line: Line) -> bytes:
        if isinstance(line, bytes):
            return line
        return json.dumps(line, ensure_ascii=ascii_only).encode()

    with tempfile.TemporaryDirectory() as folder:
        for number, lines in enumerate(files):
            body = b"".join(spelled(line) + b"\n" for line in lines)
            Path(folder, f"{number}.json").write_bytes(body)
        return Warehouse(Settings()).profile(folder)[0]


def compare(found: SourceProfile, records: list[dict[str, Any]]) -> None:
    names = {name for record in records for name in record}
    assert {each.name for each in found.fields} == names
    assert found.records == len(records)
    for each in found.fields:
        want = reference.field(records, each.name)
        top, damage = want.pop("top"), want.pop("damage")
        assert {name: getattr(each, name) for name in want} == want, each.name
        assert {kind.kind: (kind.rows, kind.distinct) for kind in each.damage} == damage
        frequent = [(value.rows, value.value) for value in each.top]
        assert frequent == [(n, json_value(text)) for n, text in top[:5]]
    for key in found.keys:
        assert (key.absent, key.repeated) == reference.key(records, key.fields), key
    unique = {key.fields for key in found.keys if key.unique}
    for each in found.fields:
        plain = not {"object", "array"} & each.types.keys()
        if plain and len(records) > 1 and reference.key(records, [each.name]) == (0, 0):
            assert (each.name,) in unique
    groups = reference.groups(records, sorted(names))
    reported = {(frozenset(group.fields), group.rows) for group in found.together}
    assert {group for group in groups if len(group[0]) > 1} <= reported <= groups
    assert found.duplicates == reference.duplicates(records)


@settings(max_examples=examples(15, 600))
@given(st.lists(_LINES, min_size=1, max_size=2), st.booleans())
def test_random_records(files: list[list[Line]], ascii_only: bool) -> None:
    files = list(map(texts_first, files))
    records = [line for lines in files for line in lines if isinstance(line, dict)]
    broken = [line for lines in files for line in lines if isinstance(line, bytes)]
    found = profile(files, ascii_only)
    event(f"broken: {bool(broken)}")
    assert sum(found.broken.values()) == len(broken)
    assert found.broken == Counter(_BROKEN[line] for line in broken)
    compare(found, records)


@settings(max_examples=examples(2, 40))
@given(_LINES)
def test_random_records_of_a_large_object(lines: list[Line]) -> None:
    """Large enough to be read in place."""
    lines = texts_first(lines)
    records = [line for line in lines if isinstance(line, dict)]
    found = profile([[*lines, *PADDING]], True)
    assert sum(found.broken.values()) == len(lines) - len(records)
    compare(found, records + PADDING)
