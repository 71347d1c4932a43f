"""Objects that would exhaust memory, disk or time are refused within bounds that do not grow.

Peaks are those of a process of its own; its limits protect the machine where a bound fails.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.folders import Folders, MakeFolders
from support.fuzzing import fuzzed
from support.records import EVENT, HOME, event, line
from support.reference import Reference
from support.reference_checks import expected_star, same_books, same_refusals
from support.reference_parse import parse_object
from support.rig import NO_LIMIT
from support.soak_figures import figure

from sparkify_dwh import SPARKIFY
from sparkify_dwh.dialects.duckdb import line_survey, object_sorter, spool
from sparkify_dwh.storage import gzip_files, json_records

SOAK = os.environ.get("SPARKIFY_SOAK") == "1"
MIB = 1024 * 1024
#: Plain bytes of each hostile object.
SIZE = (256 if SOAK else 24) * MIB
UNPACKED = SIZE + 2 * gzip_files.ALWAYS_ALLOWED
#: A process that reads hostile objects may take so much more than one that reads sound ones.
BEYOND = 100 * MIB
#: Seconds; only a hang takes as long.
STUCK = 1800 if SOAK else 300
SOUND = line(event(**HOME))


def filled(start: bytes, unit: bytes, end: bytes, size: int = SIZE) -> Iterator[bytes]:
    """Parts of an object of about that many bytes, between start and end."""
    yield start
    block = unit * (MIB // len(unit))
    for _ in range(size // MIB):
        yield block
    yield end


def gzipped(start: bytes, unit: bytes, end: bytes) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=31)
    for part in filled(start, unit, end, UNPACKED):
        yield packer.compress(part)
    yield packer.flush()


def million_keys() -> Iterator[bytes]:
    yield b"{"
    for number in range(1_000_000):
        yield b'"key number %d": %d, ' % (number, number)
    yield b'"ts": 1}\n'


Parts = Callable[[], Iterator[bytes]]
#: Name of a file, what it holds, and how a load refuses it: rule and line.
BOMBS: dict[str, tuple[Parts, tuple[str, int] | None]] = {
    "bomb of one line.json.gz": (
        lambda: gzipped(b'{"x": "', b"0", b'"}'),
        ("undecodable_object", 0),
    ),
    "bomb of line feeds.json.gz": (
        lambda: gzipped(SOUND, b"\n", b""),
        ("undecodable_object", 0),
    ),
    "bomb in disguise.json": (
        lambda: gzipped(b"", SOUND + b"\n", b""),
        ("undecodable_object", 0),
    ),
    "huge text.json": (
        lambda: filled(b'{"x": "', b"0", b'"}\n' + SOUND),
        ("record_too_large", 1),
    ),
    "huge number.json": (
        lambda: filled(b'{"ts": ', b"9", b"}\n" + SOUND),
        ("record_too_large", 1),
    ),
    "zeros.json": (lambda: filled(b"", b"\0", b"\n" + SOUND), ("undecodable_object", 0)),
    "nested arrays.json": (
        lambda: filled(b'{"ts": ', b"[", b"\n" + SOUND),
        ("record_too_large", 1),
    ),
    "nested objects.json": (
        lambda: filled(b"", b'{"a":', b"\n" + SOUND),
        ("record_too_large", 1),
    ),
    "a million keys.json": (million_keys, ("record_too_large", 1)),
    "no end over lines.json": (
        lambda: filled(b'{"x": "\n', b"aaaa aaaa\n", b"\n" + SOUND),
        ("record_too_large", 1),
    ),
    "blanks.json": (lambda: filled(SOUND + b"\n", b" " * 64, b"\n" + SOUND), None),
}


@pytest.fixture(scope="module")
def bombs() -> Iterator[Path]:
    """A folder whose ``logs`` contains all of them, and a sound file in between."""
    with tempfile.TemporaryDirectory(prefix="bombs-") as name:
        logs = Path(name) / "logs"
        logs.mkdir()
        for file, (parts, _) in BOMBS.items():
            with (logs / file).open("wb") as out:
                out.writelines(parts())
            if file.endswith(".gz") or "disguise" in file:
                assert (logs / file).stat().st_size * gzip_files.MAX_RATIO < UNPACKED
        (logs / "sound.json").write_bytes(SOUND + b"\n")
        yield Path(name)


READER = Path(__file__).parent / "support" / "hostile_files.py"


def read(way: str, folder: Path) -> dict[str, Any]:
    """The output of a process that reads the folder."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(READER), way, str(folder)],
        capture_output=True,
        text=True,
        timeout=STUCK,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("way", ["duckdb", "redshift"])
def test_huge_objects_are_refused_in_bounded_memory(way: str, bombs: Path, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "sound.json").write_bytes(SOUND + b"\n" + SOUND)
    usual = read(way, tmp_path)
    used = bombs / way
    used.mkdir()
    (used / "logs").symlink_to(bombs / "logs")
    found = read(way, used)
    figure(
        f"hostile sizes on {way}",
        objects=len(BOMBS),
        mib_each=SIZE // MIB,
        beyond_mib=(found["peak"] - usual["peak"]) // MIB,
        limit_mib=BEYOND // MIB,
    )
    assert found["peak"] - usual["peak"] < BEYOND
    refused = {(Path(r["key"]).name, r["rule"], r["line"]) for r in found["refused"]}
    if way == "duckdb":
        expected = {(name, *how) for name, (_, how) in BOMBS.items() if how}
        assert refused == expected
        (text,) = (r for r in found["refused"] if r["key"].endswith("huge text.json"))
        assert text["raw_bytes"] == SIZE + len('{"x": ""}')
    else:
        assert {name for name, _, _ in refused} == {*BOMBS, "sound.json"}
        assert {rule for _, rule, _ in refused} >= {"record_too_large", "malformed_json"}


# The limits themselves, lowered ---------------------------------------------------------------


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits of 400 bytes for a record, and of 600 or twice its size for gzip."""
    monkeypatch.setattr("support.reference_parse.MAX_RECORD", 400)
    monkeypatch.setattr("support.reference_parse.MAX_UNPACKED", 600)
    monkeypatch.setattr("support.reference_parse.MAX_RATIO", 2)
    monkeypatch.setattr(json_records, "MAX_RECORD", 400)
    monkeypatch.setattr(json_records, "_BLOCK", 50)
    monkeypatch.setattr(json_records, "_KEPT", 70_000)
    monkeypatch.setattr(spool, "_LONG", 450)
    monkeypatch.setattr(spool, "_BLANK_BYTES", 10)
    monkeypatch.setattr(spool, "_BATCH", 2)
    monkeypatch.setattr(line_survey, "_CHUNK", 100)
    monkeypatch.setattr(gzip_files, "ALWAYS_ALLOWED", 600)
    monkeypatch.setattr(gzip_files, "MAX_RATIO", 2)
    monkeypatch.setattr(gzip_files, "_CHUNK", 64)


def _bodies() -> st.SearchStrategy[bytes]:
    """Objects with sound and malformed records around the limit."""
    filler = st.sampled_from([b"x", b" ", b"\n", "é".encode(), b"[", b'{"a":', b"\xff", b"9"])
    long = st.tuples(filler, st.sampled_from([10, 60, 90, 390, 400, 410, 500, 900]))
    wrapped = st.sampled_from(
        [(b"", b""), (b'{"ts": "', b'"}'), (b"[", b"]"), (b'{"x": [\n', b"\n]}"), (b'"', b'"')]
    )
    odd = st.tuples(wrapped, long).map(lambda got: got[0][0] + got[1][0] * got[1][1] + got[0][1])
    end = st.sampled_from(
        [b"\n", b"\n", b"", b" ", b"\r\n", b"\n" * 30, b" " * 460, b"\n{", b"\n "]
    )
    short = st.sampled_from([b'{"ts": 1}', b"{}", b"17", b"null", b'{"a": {}}', b"}", b'{"'])
    return st.lists(st.tuples(odd | short, end), max_size=8).map(
        lambda parts: b"".join(text + after for text, after in parts)
    )


def test_records_that_are_too_large_end_where_the_oracle_says(
    small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source,) = (s for s in SPARKIFY.sources if s.name == "events")

    @fuzzed("where a record that is too large ends", 400, 20_000)
    @given(_bodies(), st.sampled_from([1, 7, 50, 400]), st.sampled_from([40, 70_000]))
    def check(body: bytes, block: int, kept: int) -> None:
        monkeypatch.setattr(json_records, "_BLOCK", block)
        monkeypatch.setattr(json_records, "_KEPT", kept)
        expected = [r for r in parse_object("events", "x", body) if r.line]
        if not json_records.is_utf8_text(body[:4]):
            return
        found = list(json_records.split(io.BytesIO(body), source.keys))
        assert [(r.line, r.rule, r.size, r.last_line) for r in found] == [
            (r.line, r.rule, len(r.raw), r.line + r.raw.count(b"\n")) for r in expected
        ]
        for ours, theirs in zip(found, expected, strict=True):
            assert theirs.raw.startswith(ours.raw)
            assert ours.raw == theirs.raw or len(ours.raw) == kept

    check()


@pytest.mark.parametrize("way", ["direct", "spooled"])
def test_loads_of_too_large_records_end_as_the_oracle_says(
    way: str,
    small: None,
    template: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if way == "direct":
        monkeypatch.setattr(object_sorter, "SMALL", 0)
    sound = st.sampled_from([SOUND, line(EVENT)])
    mixed = st.lists(_bodies() | sound.map(lambda text: text + b"\n"), max_size=5).map(b"".join)
    gz = mixed.map(lambda body: gzip.compress(body, mtime=0))

    @fuzzed("loads with records that are too large", 8, 150, reader=way)
    @given(st.lists(mixed | gz, min_size=1, max_size=4))
    def check(bodies: list[bytes]) -> None:
        with tempfile.TemporaryDirectory(dir=tmp_path) as root:
            folders, star = Folders(Path(root), template, **NO_LIMIT), Reference()
            given_ = [
                (str(folders.put("events", f"{n}.json", body)), body)
                for n, body in enumerate(bodies)
            ]
            run = folders.load()
            books = star.load(events=given_)
            same_books(run, books)
            same_refusals(folders, run, books)
            assert folders.star() == expected_star(star)

    check()


def test_lines_of_many_records_are_checked_in_batches(
    warehouse: MakeFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that DuckDB reads as one row may contain a million records."""
    monkeypatch.setattr("sparkify_dwh.dialects.duckdb.reader._MANY", 3)
    for held in (0, 1 << 30):
        monkeypatch.setattr("sparkify_dwh.dialects.duckdb.reader._HELD", held)
        for small in (0, object_sorter.SMALL):
            monkeypatch.setattr(object_sorter, "SMALL", small)
            many = b"".join(line(event(**HOME, itemInSession=n)) for n in range(10))
            body = b"\n".join([SOUND, many, b"{}" * 9, SOUND, b'{"open": "', b"17", SOUND])
            folders, star = warehouse(**NO_LIMIT), Reference()
            path = folders.put("events", "x.json", body)
            run = folders.load()
            books = star.load(events=[(str(path), body)])
            same_books(run, books)
            same_refusals(folders, run, books)
