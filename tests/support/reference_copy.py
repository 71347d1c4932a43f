"""The oracle's reader where COPY reads: what `docs/redshift-loading.md` says differs, and no more.

How COPY cuts an object into records is the stand-in's to say (`redshift/json_rows.py`, whose
assumptions that page names); what becomes of each record is told here, after the page's table
"What differs from DuckDB" and its "Assumptions".
"""

from __future__ import annotations

import gzip
import json
from typing import Any

from standin import json_rows

from support.reference_parse import (
    FIELDS,
    MAX_RECORD,
    SURROGATE,
    Record,
    Values,
    as_text,
    parse_object,
    records_of,
)

#: Bytes that staging holds: four times the column that a text feeds, 64 for all others.
WIDTHS = {
    **dict.fromkeys(("artist", "firstName", "lastName", "location", "song"), 4096),
    **dict.fromkeys(("artist_location", "artist_name", "title"), 4096),
    **dict.fromkeys(("auth", "page", "userId", "artist_id", "song_id"), 256),
    "userAgent": 16384,
}
#: Numbers as they are spelled; of two equal keys the last counts.
LAST_WINS = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)


def parse_copied(source: str, name: str, data: bytes) -> list[Record]:
    """All records of one object as COPY and the loader behind it read them."""
    body = data
    if name.endswith(".gz"):
        body = gzip.decompress(data)  # "gzip that does not unpack": COPY fails
    elif data.startswith(b"\x1f\x8b"):  # "gzip": told by the name
        return [Record(name, 0, data, "undecodable_object", {})]
    if not json.detect_encoding(body).startswith("utf-8"):
        return [Record(name, 0, data, "undecodable_object", {})]
    told = {
        (each.line, each.raw)
        for each in parse_object(source, name, body)
        if each.rule == "not_an_object"
    }
    found: list[Record] = []
    for copied in json_rows.records(body):
        line = copied.line - copied.raw.count("\n")
        raw = copied.raw.encode("utf-8", "surrogateescape")
        if copied.error is not None:
            # "Lines behind a malformed object": COPY goes on behind this one, and so do we.
            found += records_of(source, name, copied.raw, line)
            continue
        value = LAST_WINS.raw_decode(copied.raw)[0]  # "Of two equal keys the last wins"
        rule, values = _judged(source, copied.raw, raw, value)
        if rule == "not_an_object" and (line, raw) not in told:
            # A row of NULLs that the reader cannot tell from others, such as one that it takes
            # for a part of the malformed record before.
            rule, values = None, dict.fromkeys(FIELDS[source])
        found.append(Record(name, line, raw, rule, values))
    return found


def _judged(source: str, text: str, raw: bytes, value: Any) -> tuple[str | None, Values]:
    if len(raw) > MAX_RECORD:
        return "record_too_large", {}
    if not isinstance(value, dict):
        return "not_an_object", {}
    for field in FIELDS[source]:
        error = _copy_error(field, value.get(field))
        if error is not None:
            return next((r.rule for r in records_of(source, "", text) if r.rule), error), {}
    if any(isinstance(value.get(field), dict | list) for field in FIELDS[source]):
        return "nested_value", {}
    return None, as_text(source, value)


def _copy_error(field: str, value: Any) -> str | None:
    """Why COPY itself refuses a value: "bytes that are no UTF-8", "a text that staging cannot"."""
    text = (
        value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    )
    if SURROGATE.search(text) or "\0" in text:
        return "invalid_utf8"
    return "too_long" if len(text.encode()) > WIDTHS.get(field, 64) else None
