"""The table 'Input forms' of rules.md on Redshift: the cases of `test_input_forms`, many per load.

The loaded bucket is compared with the oracle, whose reader is that of `reference_copy`: it differs
only where `docs/redshift-loading.md` says so.
"""

from __future__ import annotations

import gzip
import json
import random
import zlib
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from support.fuzzing import fuzzed
from support.kill_and_fail import SOAK
from support.records import EVENT, event, line, song
from support.reference import Books, Reference
from support.reference_checks import expected_star, same_books
from support.reference_copy import parse_copied
from support.reference_parse import Record, parse_object
from support.rig import NO_LIMIT
from support.soak_figures import STANDIN, figure
from support.warehouses import OnRedshift, Source
from test_input_forms import FORMS, LOADS, REFUSALS, _files, mutated_objects

from sparkify_dwh import Run
from sparkify_dwh.steps.quarantine import shown_raw

Files = dict[tuple[str, str], bytes]
#: Cases too slow for here: the reader's own tests cover their sizes.
LARGE = {"many keys", "a million keys", "4 MiB of malformed", "a sound record of 4 MiB"}
CASES = {
    **{f"sound {name}": data for name, (data, _) in LOADS.items()},
    **{f"refused {name}": data for name, (data, *_) in REFUSALS.items()},
}
if not SOAK:
    CASES = {name: data for name, data in CASES.items() if name.split(" ", 1)[1] not in LARGE}


@pytest.fixture
def bucket(on_redshift: OnRedshift) -> OnRedshift:
    """An empty warehouse without a limit of refused records."""
    return on_redshift.use(**NO_LIMIT)


def load_and_compare(rig: OnRedshift, star: Reference, files: Files) -> tuple[Run, Books]:
    """Loads objects by (source, name) and compares everything with the oracle."""
    given_: dict[str, list[tuple[str, bytes]]] = {"events": [], "songs": []}
    for (kind, name), data in files.items():
        given_[kind].append((rig.source.put(kind, name, data), data))
    run = rig.load()
    if not files:
        assert run.event == "nothing new"
        return run, Books()
    books = star.load(**given_)
    same_places(rig, run, books)
    same_books(run, books)
    assert rig.star() == expected_star(star)
    assert all(account.balanced for account in (*run.sources, *run.targets))
    return run, books


def same_places(rig: OnRedshift, run: Run, books: Books) -> None:
    """The same records by the same rules and, where found, with the same object, line and bytes."""
    rows = rig.warehouse.rejects(run_id=run.run_id, locate=True).records()
    recorded = Counter((row["source"], row["rule"]) for row in rows)
    assert recorded == Counter((each.source, each.rule) for each in books.refusals)
    expected = Counter(
        (each.source, each.rule, each.object, each.line, shown_raw(each.raw), len(each.raw))
        for each in books.refusals
    )
    found = Counter(
        tuple(row[name] for name in ("source", "rule", "key", "line", "raw", "raw_bytes"))
        for row in rows
        if row["key"] is not None
    )
    assert found - expected == Counter()


def copied(kind: str, name: str, data: bytes) -> set[tuple[Any, ...]]:
    return {outcome(record) for record in parse_copied(kind, name, data)}


def read(kind: str, name: str, data: bytes) -> set[tuple[Any, ...]]:
    return {outcome(record) for record in parse_object(kind, name, data)}


def outcome(record: Record) -> tuple[Any, ...]:
    return record.line, record.raw, record.rule, tuple(record.values.items())


# One form alone, between sound neighbours --------------------------------------------------------


def test_every_odd_record_between_sound_ones(bucket: OnRedshift) -> None:
    """All forms in one load, some in each object."""
    before = {"events": line(event(sessionId=1)), "songs": line(song(song_id="SO1"))}
    after = {"events": line(event(sessionId=2)), "songs": line(song(song_id="SO2"))}
    files: Files = {}
    for number, (kind, form) in enumerate(FORMS):
        body = before[kind] + b"\n" + form + b"\n" + after[kind] + b"\n"
        key = kind, f"{number // 16:03}.json"
        files[key] = files.get(key, b"") + body
    _, books = load_and_compare(bucket, Reference(parse_copied), files)
    assert {each.rule for each in books.refusals} >= {
        *("malformed_json", "invalid_utf8", "not_an_object", "nul_character", "lone_surrogate"),
        *("nested_value", "ts_valid", "duration_valid", "too_long"),
    }


def test_every_sound_form_and_every_refused_one(bucket: OnRedshift) -> None:
    """One object each; an odd record at the end of an object has no line feed after it."""
    files: Files = {}
    for number, (name, data) in enumerate(CASES.items()):
        files["events", f"{number} {name}.json"] = data
        if name.startswith("sound gzip"):
            files["events", f"{number} {name}.json.gz"] = data
    for number, (kind, form) in enumerate(FORMS[:: 1 if SOAK else 9]):
        files[kind, f"alone {number:03}.json"] = form
    load_and_compare(bucket, Reference(parse_copied), files)


def test_what_differs_from_the_other_engine_is_what_the_docs_say() -> None:
    """Every case that `reference_copy` and `parse_object` read differently, by the docs' names."""
    cases = [(f"form {n} {form[-24:]!r}", kind, form) for n, (kind, form) in enumerate(FORMS)]
    cases += [(name, "events", data) for name, data in CASES.items()]
    differing = {
        name: data
        for name, kind, data in cases
        if copied(kind, "x.json", data) != read(kind, "x.json", data)
    }
    explained: Counter[str] = Counter()
    for name, data in differing.items():
        explained[_difference(data) or name] += 1
    assert explained == {
        "gzip": 5,
        "a key given twice": 5,
        "bytes that are not UTF-8 in a key that is not loaded": 2,
        "a text that staging cannot hold": 4,
        "an array over several lines": 1,
    }


def _difference(data: bytes) -> str | None:
    """The row of 'What differs from DuckDB', or of 'Assumptions', that a case belongs to."""
    if data.startswith(b"\x1f\x8b"):
        return "gzip"
    if b'"x": "\xff"' in data:
        return "bytes that are not UTF-8 in a key that is not loaded"
    if b"9" * 100 in data or b"3" * 100 in data:
        return "a text that staging cannot hold"
    if data.startswith(b"[") and b"\n" in data:
        return "an array over several lines"
    pairs: list[str] = []
    try:
        json.loads(data, object_pairs_hook=lambda found: pairs.extend(key for key, _ in found))
    except ValueError:
        return None
    return "a key given twice" if len(pairs) > len(set(pairs)) else None


# What COPY does to neighbours --------------------------------------------------------------------


def test_records_after_one_that_is_not_json_are_not_lost(bucket: OnRedshift) -> None:
    """COPY skips the rest of a line; the reader accepts records that COPY refuses."""
    sound = [line(event(sessionId=n)) for n in range(9)]
    nan = line(event(sessionId=20, status=float("nan")))
    files: Files = {
        ("events", "a.json"): sound[0] + b" " + nan + b" " + sound[1] + b"\n" + sound[2],
        ("events", "b.json"): nan.replace(b"20", b"21") * 2 + b"[1]" + sound[3] + b"{broken",
        ("events", "c.json"): b'{"page": "Home\n17\n ' + line(event(song=["x"])) + b"\n" + sound[4],
        ("events", "d.json"): b'"x"}\n[1] NaN\n' + sound[5] + b"\n[2][3]{]\n" + sound[6],
        ("events", "e.json.gz"): gzip.compress(b"{broken\n" + sound[7] + b"\n NaN"),
        ("events", "f.json"): gzip.compress(sound[8]),
        # To both a record that continues in the next line, which would be sound on its own.
        ("events", "h.json"): b"{\n\t" + line(event(sessionId=30)) + b"\n" + sound[8],
        ("events", "g.json"): line({**EVENT, "song": "[1]"}) * 2 + line({**EVENT, "song": [1]}),
    }
    run, books = load_and_compare(bucket, Reference(parse_copied), files)
    assert sorted(key for key, *_ in bucket.star()["songplays"]) == [*range(9), 20, 21, 139]
    assert run.refused["undecodable_object"] == 1
    assert len(books.refusals) == sum(run.refused.values())


@pytest.mark.parametrize("seed", range(12 if SOAK else 1))
def test_mutated_lines_end_as_in_the_oracle(seed: int, bucket: OnRedshift) -> None:
    files = mutated_objects(random.Random(100 + seed))
    _, books = load_and_compare(bucket, Reference(parse_copied), files)
    assert min(books.sources["events"].staged, len(books.refusals)) > 300
    read = sum(book.read for book in books.sources.values())
    figure("mutated lines", engine=STANDIN, seed=seed, records=read)


def test_forms_mixed_into_files_end_as_in_the_oracle(bucket: OnRedshift) -> None:
    @fuzzed("loads of odd records in files", 3, 150, engine=STANDIN)
    @given(_files())
    def check(loads: list[Files]) -> None:
        bucket.empty()
        bucket.use(Source(bucket.source.server), **NO_LIMIT)
        star = Reference(parse_copied)
        now: Files = {}
        for files in loads:
            # Gzip that COPY cannot decompress fails the load: see test_redshift_faults. An object
            # that is rewritten unchanged has the same etag.
            new = {k: d for k, d in files.items() if unpacks(k[1], d) and now.get(k) != d}
            now |= new
            load_and_compare(bucket, star, new)

    check()


def unpacks(name: str, data: bytes) -> bool:
    if not name.endswith(".gz") and not data.startswith(b"\x1f\x8b"):
        return True
    try:
        gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return False
    return True
