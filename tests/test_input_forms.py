"""Each row of rules.md's table 'Input forms', in a file that DuckDB reads directly and spooled.

The results are compared with the oracle: star, staging, refusals, books.
"""

from __future__ import annotations

import builtins
import gzip
import io
import json
import os
import random
import socket
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.folders import Folders, MakeFolders
from support.fuzzing import fuzzed
from support.records import (
    EVENT,
    JUNK,
    NAMES_OF_FILES,
    ODD,
    RECORDS,
    event,
    line,
    lines,
    objects,
    song,
)
from support.reference import Books, Reference
from support.reference_checks import expected_star, same_books, same_refusals
from support.reference_parse import MAX_RECORD, parse_object
from support.rig import NO_LIMIT
from support.soak_figures import figure

from sparkify_dwh import Run
from sparkify_dwh.dialects.duckdb import line_survey, object_sorter, spool


@pytest.fixture(params=["spooled", "direct"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whether files are spooled as small ones, or read by DuckDB directly."""
    if request.param == "direct":
        monkeypatch.setattr(object_sorter, "SMALL", 0)
    return str(request.param)


def load_and_compare(
    folders: Folders, star: Reference, files: dict[tuple[str, str], bytes], **options: Any
) -> tuple[Run, Books]:
    """Loads files by (source, name) and compares all results with the oracle."""
    given_: dict[str, list[tuple[str, bytes]]] = {"events": [], "songs": []}
    for (source, name), data in files.items():
        given_[source].append((str(folders.put(source, name, data)), data))
    run = folders.load(**options)
    books = star.load(**given_)
    same_books(run, books)
    same_refusals(folders, run, books)
    assert folders.star() == expected_star(star)
    same_staging(folders, given_, books)
    return run, books


def same_staging(
    folders: Folders, given_: dict[str, list[tuple[str, bytes]]], books: Books
) -> None:
    """Each staged row is a record of the object and line that it names."""
    refused = {(r.source, r.object, r.line, r.raw) for r in books.refusals}
    for source, files in given_.items():
        expected: Counter[tuple[Any, ...]] = Counter()
        for name, data in files:
            for record in parse_object(source, name, data):
                if (source, name, record.line, record.raw) not in refused:
                    values = [record.values[key] for key in sorted(record.values, key=str.lower)]
                    expected[name, record.line, *map(by_value, values)] += 1
        keys = sorted(parse_keys(source), key=str.lower)
        found = folders.query(
            f"SELECT _object, _line, {', '.join(k.lower() for k in keys)} FROM staging.{source}"
        )
        assert Counter((*row[:2], *map(by_value, row[2:])) for row in found) == expected


def parse_keys(source: str) -> list[str]:
    return list(RECORDS[source])


def by_value(text: str | None) -> object:
    """Numbers are equal by value between readers, not by spelling."""
    try:
        value = float(text) if text is not None else None
    except ValueError:
        return text
    return text if value != value else value


# One form alone, between sound neighbours --------------------------------------------------------

FORMS = [
    (source, form)
    for source in ("events", "songs")
    for form in [*ODD[source], *(JUNK if source == "events" else [])]
]


@pytest.mark.parametrize("place", ["between", "alone"])
def test_every_odd_record_ends_as_the_oracle_says(
    place: str, way: str, warehouse: MakeFolders
) -> None:
    """All forms in one load, one object each, so that a failure names its object."""
    before = {"events": line(event(sessionId=1)), "songs": line(song(song_id="SO1"))}
    after = {"events": line(event(sessionId=2)), "songs": line(song(song_id="SO2"))}
    files = {}
    for number, (source, form) in enumerate(FORMS):
        if place == "between":
            form = before[source] + b"\n" + form + b"\n" + after[source] + b"\n"
        files[source, f"{number:03}.json"] = form
    run, books = load_and_compare(warehouse(**NO_LIMIT), Reference(), files)
    assert {each.rule for each in books.refusals} >= {
        *("malformed_json", "invalid_utf8", "not_an_object", "nul_character", "lone_surrogate"),
        *("nested_value", "ts_valid", "duration_valid", "too_long"),
    }
    assert run.event == "loaded"


def test_a_number_where_text_belongs_keeps_its_spelling(way: str, warehouse: MakeFolders) -> None:
    spelled = ["1.50", "0.10", "1E2", "1e-7", "17", "9007199254740993.0", "NaN", "-Infinity"]
    records = [line(event(itemInSession=n, artist="@")) for n in range(2 * len(spelled))]
    texts = [*spelled, *map(json.dumps, spelled)]
    body = b"".join(
        record.replace(b'"@"', text.encode()) + b"\n"
        for record, text in zip(records, texts, strict=True)
    )
    # DuckDB reads these words as numbers, but JSON does not.
    broken = line(event(artist="@")).replace(b'"@"', b"inf") + b"\n"
    made = warehouse(**NO_LIMIT)
    run, _ = load_and_compare(made, Reference(), {("events", "a.json"): body + broken})
    assert run.refused == {"malformed_json": 1}
    found = made.query("SELECT artist_name FROM sparkify.songplays ORDER BY item_in_session")
    assert [artist for (artist,) in found] == spelled * 2


LOADS = {
    "a line each": (lines(event(), event(itemInSession=1)), 2),
    "ends without a line feed": (lines(event(), event(itemInSession=1)) + b"\n", 2),
    "over several lines": (json.dumps(event(), indent=2).encode(), 1),
    "several on one line": (line(event()) + b" " + line(event(itemInSession=1)), 2),
    "without a blank between": (line(event()) + line(event(itemInSession=1)), 2),
    "CRLF": (lines(event(), event(itemInSession=1)).replace(b"\n", b"\r\n") + b"\r\n", 2),
    "blank lines": (b"\n\n" + line(event()) + b"\n\r\n \t\n" + line(event(userId=2)) + b"\n\n", 2),
    "BOM": (b"\xef\xbb\xbf" + lines(event(), event(itemInSession=1)), 2),
    "gzip": (gzip.compress(lines(event(), event(itemInSession=1))), 2),
    "gzip with BOM": (gzip.compress(b"\xef\xbb\xbf" + lines(event())), 1),
    "gzip members": (gzip.compress(line(event())[:99]) + gzip.compress(line(event())[99:]), 1),
    "gzip of nothing": (gzip.compress(b""), 0),
    "numbers as strings": (line({k: str(v) for k, v in EVENT.items()}), 1),
    "strings as numbers": (line(event(userId=39, sessionId=38.0, ts=1.5431e12)), 1),
    "texts that are numbers": (line(event(song=1999, artist=22, level="paid")), 1),
    "texts that look nested": (line(event(song="[re:jazz]", artist="{x}", location="[")), 1),
    "unknown keys": (line(event(x=1, y={"z": [{"\0": "\ud800"}]}, ts_="a")), 1),
    "a key twice": (b'{"level": "paid", ' + line(event())[1:], 1),
    "zero bytes": (b"", 0),
    "blanks only": (b" \r\n\t\n  \n", 0),
    "a sound record of 4 MiB": (line(event(x="x" * (MAX_RECORD - len(line(event(x="")))))), 1),
    "many keys": (line({**EVENT, **{f"k{n}": n for n in range(200_000)}}), 1),
}  # fmt: skip


@pytest.mark.parametrize("form", LOADS)
def test_sound_forms_load(form: str, way: str, warehouse: MakeFolders) -> None:
    """Gzip is recognised by its magic bytes, whatever the name."""
    data, staged = LOADS[form]
    files = {("events", name): data for name in ("x.json", "x.json.gz")}
    run, books = load_and_compare(warehouse(), Reference(), files)
    assert (books.sources["events"].staged, run.refused) == (2 * staged, {})


MANY_KEYS = line({f"key number {n}": n for n in range(1_000_000)})
TOO_LARGE = line(event(x="x" * (MAX_RECORD - len(line(event(x=""))) + 1)))
OPEN, CLOSED = b'{"ts": ' + b"[" * 100_000, b'{"ts": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
E, TEXT = line(EVENT), line(EVENT).decode()
WHOLE = [("undecodable_object", 0)]


def broken(*places: int, rule: str = "malformed_json") -> list[tuple[str, int]]:
    return [(rule, place) for place in places]


#: Bytes of an object, rows that are staged in the end, refusals (None: as the oracle says).
REFUSALS: dict[str, tuple[bytes, int, list[tuple[str, int]] | None]] = {
    "UTF-16 with BOM": (TEXT.encode("utf-16"), 0, WHOLE),
    "UTF-16 LE": (TEXT.encode("utf-16-le"), 0, WHOLE),
    "UTF-16 BE": (TEXT.encode("utf-16-be"), 0, WHOLE),
    "UTF-32": (TEXT.encode("utf-32"), 0, WHOLE),
    "gzip of UTF-16": (gzip.compress(TEXT.encode("utf-16-be")), 0, WHOLE),
    "truncated gzip": (gzip.compress(E)[:-9], 0, WHOLE),
    "gzip with garbage behind": (gzip.compress(E) + b"garbage", 0, WHOLE),
    "magic bytes alone": (b"\x1f\x8b", 0, WHOLE),
    "gzip in gzip": (gzip.compress(gzip.compress(E)), 0, None),
    "an array over lines": (b"[" + E + b",\n" + E + b"]", 1, broken(1, 2)),
    "an array": (b"[" + E + b"]\n" + E, 1, broken(1, rule="not_an_object")),
    "over 4 MiB": (TOO_LARGE + b"\n" + E, 1, broken(1, rule="record_too_large")),
    "4 MiB of malformed": (TOO_LARGE[:-1] + b"\n" + E, 1, broken(1)),
    "a million keys": (MANY_KEYS + b"\n" + E, 1, broken(1, rule="record_too_large")),
    "deep nesting": (E + b"\n" + OPEN + b"\n" + E, 2, broken(2)),
    "deep nesting that ends": (CLOSED + b"\n" + E, 1, broken(1)),
    "a BOM within": (E + b"\n\xef\xbb\xbf" + E, 1, broken(2)),
    "cut off at the end": (lines(EVENT, EVENT)[:-40], 1, broken(2)),
    "cut off at the start": (lines(EVENT, EVENT)[40:], 1, None),
    "other case": (line({k.upper(): v for k, v in EVENT.items()}), 0, broken(1, rule="ts_valid")),
}


@pytest.mark.parametrize("form", REFUSALS)
def test_refused_forms(form: str, way: str, warehouse: MakeFolders) -> None:
    data, staged, refused = REFUSALS[form]
    folders = warehouse(**NO_LIMIT)
    files = {("events", "x.json"): data, ("events", "y.json"): line(event(userId=7))}
    run, books = load_and_compare(folders, Reference(), files)
    assert len(folders.query("FROM staging.events")) == staged + 1
    if refused is not None:
        assert [(each.rule, each.line) for each in books.refusals] == refused
    shown = folders.query("SELECT reason FROM audit.rejected_row WHERE run_id = ?", run.run_id)
    assert all(reason for (reason,) in shown)


def test_closed_deep_nesting_under_an_unknown_key_is_harmless(
    way: str, warehouse: MakeFolders
) -> None:
    """Python's parser fails where DuckDB does not: the record loads or is refused as one."""
    deep = line(event(itemInSession=1))[:-1] + b', "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    folders = warehouse(**NO_LIMIT)
    folders.put("events", "x.json", b"\n".join([line(EVENT), deep, line(event(userId=7))]))
    (book,) = [b for b in folders.load().sources if b.source == "events"]
    assert (book.read, book.staged + book.refused) == (3, 3)
    assert book.staged >= 2


# Objects that cannot be read ---------------------------------------------------------------------


def test_an_unreadable_object_is_refused_alone(
    way: str, warehouse: MakeFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = warehouse(**NO_LIMIT)
    bad = folders.put("events", "bad.json", line(event(sessionId=2)))
    folders.put("events", "good.json", line(EVENT))
    original = builtins.open

    def refuse(file: Any, *args: Any, **kw: Any) -> Any:
        if str(file) == str(bad):
            raise PermissionError(13, "Permission denied", str(file))
        return original(file, *args, **kw)

    monkeypatch.setattr(builtins, "open", refuse)
    monkeypatch.setattr(io, "open", refuse)  # what Path opens with
    run = folders.load()
    assert folders.refused(run) == Counter(
        {("events", "unreadable_object", str(bad), 0, "Permission denied", 17): 1}
    )
    assert folders.query("SELECT count(*) FROM sparkify.songplays") == [(1,)]


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind root")
def test_a_file_without_permission_is_refused_alone(way: str, warehouse: MakeFolders) -> None:
    folders = warehouse(**NO_LIMIT)
    folders.put("events", "bad.json", line(event(sessionId=2))).chmod(0)
    folders.put("events", "good.json", line(EVENT))
    assert folders.load().refused == {"unreadable_object": 1}


def test_other_than_files_are_skipped(way: str, warehouse: MakeFolders) -> None:
    folders = warehouse()
    folders.put("events", "good.json", line(EVENT))
    folders.put("events", "folder.json/x.json", line(event(sessionId=2)))
    os.mkfifo(folders.folders["events"] / "pipe.json")
    # A socket's path may have at most 107 bytes, so it is bound elsewhere and moved.
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as bound:
        bound.bind(f"{short}/s")
        Path(f"{short}/s").rename(folders.folders["events"] / "socket.json")
        (book,) = [b for b in folders.load().sources if b.source == "events"]
    assert (book.objects, book.skipped, book.staged) == (2, 2, 2)


# Parts of the reader -----------------------------------------------------------------------------


@pytest.mark.parametrize("first", [b"first is broken}", b'{"first": ', b'{"first": "'])
def test_reading_checks_few_lines_of_a_large_object(
    first: bytes, warehouse: MakeFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken line, and one that only looks nested, do not make all of it slow."""
    monkeypatch.setattr(object_sorter, "SMALL", 1000)
    slow: list[str] = []
    for name in ("add", "cut"):
        monkeypatch.setattr(spool.Spool, name, lambda self, each, body: slow.append(each.key))
    body = [line(event(sessionId=n)) for n in range(2000)]
    body[0] = first
    body[7], body[1500] = b"{broken", line(event(sessionId=1500, song="[x], }", artist="{"))
    folders = warehouse(**NO_LIMIT)
    files = {("events", "x.json"): b"\n".join(body)}
    _, books = load_and_compare(folders, Reference(), files)
    assert books.sources["events"].staged == 1998
    assert slow == []


@pytest.mark.parametrize("block", [64, 300, 1 << 20])
def test_lines_that_straddle_blocks_are_surveyed(
    block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_survey, "_CHUNK", block)
    path = tmp_path / "x.json"
    sound = [line(event(sessionId=n, song="a, b")) for n in range(40)]
    path.write_bytes(b"\n".join(sound))
    assert line_survey.survey(str(path)) == line_survey.Survey(path.stat().st_size, 40, True, [])
    odd = [*sound]
    odd[3], odd[39] = odd[3] + b"\x0c", odd[39][:-1] + b", }"
    odd[20] = odd[20][:-1] + b', "x": [1,]}'
    path.write_bytes(b"\n".join(odd) + b"\n")
    assert line_survey.survey(str(path)) == line_survey.Survey(
        path.stat().st_size, 40, True, [3, 20, 39]
    )
    for bad in (b"", b" ", b"\r", b"\x0c" + sound[0]):
        path.write_bytes(b"\n".join([*sound, bad, sound[0]]))
        assert not line_survey.survey(str(path)).plain


ODD_BYTES = b'{}[]",:\\/ \t\r019.eE+-nNtu\x00\x01\x0b\x0c\x7f\x80\xc3\xed\xf4\xff'
ALPHABET = [bytes([each]) for each in ODD_BYTES]
ALPHABET += [rb"\u0000", rb"\ud800", b"null", b"NaN", b"{}", b"[]", b",}", b"}}", b'{"', b'":']


def _mutated(text: bytes, rnd: random.Random) -> bytes:
    for _ in range(rnd.choice([1, 1, 1, 2, 3])):
        at, way = rnd.randrange(len(text) + 1), rnd.random()
        removed = 0 if way < 0.4 else 1 if way < 0.7 else rnd.choice([1, 2, 5, 20])
        text = text[:at] + (rnd.choice(ALPHABET) if way < 0.7 else b"") + text[at + removed :]
    return text


def mutated_objects(rnd: random.Random) -> dict[tuple[str, str], bytes]:
    """Four objects of 300 lines, most of them mutated."""
    files = {}
    unknown = {"x": {"y": [1, 2, {"z": None}], "w": "a"}, "n": -1.5e-3, "t": True}
    for number in range(4):
        some = [event(sessionId=n, itemInSession=number, **unknown) for n in range(300)]
        texts = [json.dumps(each, separators=rnd.choice([(",", ":"), None])) for each in some]
        sound = [each.encode() for each in texts]
        body = [_mutated(each, rnd) if rnd.random() < 0.8 else each for each in sound]
        files["events", f"{number}.json"] = b"\n".join(body)
    return files


@pytest.mark.parametrize("seed", range(2))
def test_mutated_lines_end_as_the_oracle_says(seed: int, way: str, warehouse: MakeFolders) -> None:
    """Most lines would reveal a difference between DuckDB's and Python's JSON parsers."""
    files = mutated_objects(random.Random(seed))
    _, books = load_and_compare(warehouse(**NO_LIMIT), Reference(), files)
    assert min(books.sources["events"].staged, len(books.refusals)) > 300
    read = sum(book.read for book in books.sources.values())
    figure("mutated lines", engine="duckdb", reader=way, seed=seed, records=read)


# All of it mixed ---------------------------------------------------------------------------------


def _files() -> st.SearchStrategy[list[dict[tuple[str, str], bytes]]]:
    """Loads: files by source and name; a repeated name is a new version."""
    one = st.sampled_from(["events", "events", "songs"]).flatmap(
        lambda source: st.tuples(
            st.tuples(st.just(source), st.sampled_from(NAMES_OF_FILES)), objects(source)
        )
    )
    return st.lists(st.lists(one, min_size=1, max_size=4).map(dict), min_size=1, max_size=3)


@pytest.mark.parametrize("small", [0, object_sorter.SMALL], ids=["direct", "spooled"])
def test_forms_mixed_into_files_end_as_the_oracle_says(
    small: int, template: Path, tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(object_sorter, "SMALL", small)

    @fuzzed(
        "loads of odd records in files",
        20,
        400,
        engine="duckdb",
        reader="spooled" if small else "direct",
    )
    @given(_files())
    def check(loads: list[dict[tuple[str, str], bytes]]) -> None:
        with tempfile.TemporaryDirectory(dir=tmp_path_factory.getbasetemp()) as root:
            folders, star = Folders(Path(root), template, **NO_LIMIT), Reference()
            for files in loads:
                load_and_compare(folders, star, files)

    check()
