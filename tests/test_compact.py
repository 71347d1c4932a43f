"""Compacted objects: the same star, refusals, ledger and books as the objects they were made of."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.folders import Folders, MakeFolders
from support.fuzzing import examples, fuzzed
from support.records import EVENTS, SONGS, line, lines, objects, song
from support.rig import NO_LIMIT

from sparkify_dwh import Run, SettingsError, SourceError, UsageError
from sparkify_dwh.dialects import compacted_reader
from sparkify_dwh.jobs import compact as compact_job
from sparkify_dwh.jobs import compact_groups
from sparkify_dwh.jobs.compact_result import Compaction
from sparkify_dwh.sample.generate import generate
from sparkify_dwh.storage import object_bodies
from sparkify_dwh.storage.compacted_store import FolderStore

LEDGER = (
    "SELECT source, key, version, size, rows_read, rows_staged, rows_refused FROM audit.load_file"
    " WHERE run_id = ? ORDER BY ALL"
)


class Twins:
    """Two warehouses on the same folders; one compacts them, the other does not."""

    def __init__(self, root: Path, template: Path) -> None:
        self.plain = Folders(root / "plain", template, **NO_LIMIT)
        places = {
            f"{'log' if source == 'events' else 'song'}_data": str(folder)
            for source, folder in self.plain.folders.items()
        }
        self.compacted = Folders(root / "compacted", template, **NO_LIMIT, **places)
        self.into = root / "into"

    def compact(self, source: str = "songs", **options: Any) -> Compaction:
        return self.compacted.warehouse.compact(source, str(self.into), **options)

    def load(self, **options: Any) -> tuple[Run, Run]:
        """Loads both; the results are the same, to the line of each refused record."""
        one, two = self.plain.load(**options), self.compacted.load(**options)
        assert self.plain.star() == self.compacted.star()
        assert self.plain.refused(one) == self.compacted.refused(two)
        assert [asdict(b) for b in one.sources] == [asdict(b) for b in two.sources]
        assert [asdict(a) for a in one.targets] == [asdict(a) for a in two.targets]
        assert one.measures == two.measures and one.event == two.event
        assert self.plain.query(LEDGER, one.run_id) == self.compacted.query(LEDGER, two.run_id)
        assert self.places(self.plain) == self.places(self.compacted)
        return one, two

    @staticmethod
    def places(folders: Folders) -> Counter[Any]:
        """Object and line of each staged row."""
        return Counter(
            folders.query(
                "SELECT _object, _line, title FROM staging.songs UNION ALL"
                " SELECT _object, _line, page FROM staging.events"
            )
        )

    def written(self, source: str = "songs") -> list[Path]:
        """The compacted objects in the store."""
        found = sorted((self.into / source).glob("part-*.json.gz"))
        return [path for path in found if not path.name.endswith(".index.json.gz")]


@pytest.fixture
def twins(tmp_path: Path, template: Path) -> Twins:
    return Twins(tmp_path, template)


def put_songs(twins: Twins, count: int, start: int = 0) -> None:
    for n in range(start, start + count):
        body = line(song(song_id=f"SO{n}", artist_id=f"AR{n % 7}", title=f"T{n}"))
        twins.plain.put("songs", f"A/B/{n:04}.json", body)


def reads_compacted(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys of the compacted objects that loads of this process read from now on."""
    seen: list[str] = []
    original = compacted_reader.extract

    def extract(file: Any, *rest: Any) -> Any:
        seen.append(file.object.key)
        return original(file, *rest)

    monkeypatch.setattr(compacted_reader, "extract", extract)
    return seen


# The same result --------------------------------------------------------------------------


@pytest.mark.parametrize("slices", range(3, 3 + examples(1, 6)))
def test_dirty_data_load_the_same_from_compacted_objects(
    twins: Twins, slices: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate(twins.plain.root / "made", events=600, songs=80, days=9, seed=slices, dirty=0.2)
    made = twins.plain.root / "made"
    for name, source in (("log_data", "events"), ("song_data", "songs")):
        (twins.plain.folders[source]).rmdir()
        (made / name).rename(twins.plain.folders[source])
    done = [twins.compact(source, slices=slices) for source in ("songs", "events")]
    assert [len(each.made) for each in done] == [slices, slices]
    assert sum(each["refused"] for run in done for each in run.made) > 20
    seen = reads_compacted(twins.compacted, monkeypatch)
    one, _ = twins.load()
    assert one.event == "loaded" and len(seen) == 2 * slices
    assert twins.compacted.warehouse.check().passed
    assert [run.event for run in twins.load()] == ["nothing new"] * 2
    twins.load(all=True)
    assert len(seen) == 4 * slices


def test_any_objects_compacted_at_any_time_load_the_same(template: Path, tmp_path: Path) -> None:
    """Odd bytes, changes before and after compacting, and objects that arrive in between."""
    names = st.sampled_from([f"{n}.json" for n in range(5)] + ["x/y.json.gz"])
    sound = {"events": EVENTS, "songs": SONGS}

    def some(source: str) -> Any:
        body = st.lists(sound[source], min_size=1, max_size=3).map(lambda found: lines(*found))
        return st.dictionaries(names, body | objects(source), max_size=4)

    files = st.fixed_dictionaries({"events": some("events"), "songs": some("songs")})
    slices = st.integers(1, 2)
    step = st.tuples(files, st.none() | slices, files, st.booleans())
    steps = st.lists(step, min_size=1, max_size=2)

    @fuzzed("compacting at any time", 5, 300)
    @given(steps)
    def check(loads: list[Any]) -> None:
        with tempfile.TemporaryDirectory(dir=tmp_path) as root:
            twins = Twins(Path(root), template)
            for before, count, after, everything in loads:
                put_all(twins, before)
                for source in ("events", "songs") if count else ():
                    twins.compact(source, slices=count, all=everything)
                put_all(twins, after)
                twins.load(all=everything)

    check()


def put_all(twins: Twins, files: dict[str, dict[str, bytes]]) -> None:
    for source, some in files.items():
        for name, body in some.items():
            twins.plain.put(source, name, body)


def test_an_object_that_changed_since_loads_in_its_new_version(
    twins: Twins, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_songs(twins, 30)
    twins.compact(slices=2)
    # Rows that the new version lacks must not come from the old one.
    twins.plain.put("songs", "A/B/0003.json", line(song(song_id="SOnew", title="New")))
    (twins.plain.folders["songs"] / "A/B/0004.json").unlink()
    put_songs(twins, 3, start=100)
    seen = reads_compacted(twins.compacted, monkeypatch)
    twins.load()
    assert len(seen) == 2
    titles = {row[1] for row in twins.compacted.star()["songs"]}
    assert "New" in titles and not {"T3", "T4"} & titles and "T102" in titles
    # The next run compacts the late objects and the changed one.
    twins.plain.put("songs", "A/B/0005.json", line(song(song_id="SO5", title="Changed")))
    put_songs(twins, 3, start=200)
    done = twins.compact(slices=1)
    assert (done.compacted, done.known, done.loaded) == (4, 27, 4)
    twins.load()
    assert len(seen) == 3
    twins.load(all=True)


def test_a_compacted_object_that_is_mostly_loaded_is_not_read(
    twins: Twins, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_songs(twins, 10)
    twins.load()
    put_songs(twins, 2, start=50)
    assert twins.compact(slices=1, all=True).compacted == 12
    seen = reads_compacted(twins.compacted, monkeypatch)
    twins.load()
    assert not seen and len(twins.compacted.star()["songs"]) == 12
    assert [run.event for run in twins.load()] == ["nothing new"] * 2
    twins.load(all=True)
    assert len(seen) == 1


@pytest.mark.parametrize("harm", ["remove", "rewrite"])
def test_a_missing_compacted_object_is_no_loss(
    twins: Twins, harm: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put_songs(twins, 12)
    twins.compact(slices=2)
    lost = twins.written()[0]
    lost.unlink()
    if harm == "rewrite":
        lost.write_bytes(gzip.compress(b'{"_object": "x", "_line": 1}\n'))
    seen = reads_compacted(twins.compacted, monkeypatch)
    with caplog.at_level("WARNING"):
        twins.load()
    assert len(seen) == 1
    assert "1 compacted object is gone or changed" in caplog.text
    put_songs(twins, 1, start=50)


def test_a_compacted_object_with_wrong_content_fails_the_load(twins: Twins) -> None:
    """The ledger's version, size and address, but other lines."""
    put_songs(twins, 12)
    twins.compact(slices=1)
    (path,) = twins.written()
    stat, body = path.stat(), gzip.decompress(path.read_bytes())
    for wrong in (body + b"{}\n", b"\n".join(body.split(b"\n")[1:]), b""):
        data = gzip.compress(wrong)
        path.write_bytes(data)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        import duckdb

        with duckdb.connect(str(twins.compacted.database)) as connection:
            connection.execute("UPDATE audit.compacted_object SET into_size = ?", [len(data)])
        with pytest.raises(SourceError, match="does not hold what was compacted"):
            twins.compacted.load()
    assert twins.compacted.query("SELECT count(*) FROM sparkify.songs") == [(0,)]


# How it is written ------------------------------------------------------------------------


def test_a_second_run_writes_nothing_and_the_same_objects_make_the_same_bytes(
    twins: Twins, warehouse: MakeFolders
) -> None:
    put_songs(twins, 40)
    first = twins.compact(slices=4)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in twins.written()}
    again = twins.compact(slices=4)
    assert (again.made, again.known, again.compacted) == ([], 40, 0)
    assert before == {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in twins.written()}
    places = {"song_data": str(twins.plain.folders["songs"])}
    other = warehouse(**places).warehouse.compact("songs", str(twins.into / "b"), slices=4)
    names = [[Path(each["key"]).name for each in run.made] for run in (first, other)]
    assert names[0] == names[1]
    for each in other.made:
        path = Path(each["key"])
        assert path.read_bytes() == before[twins.into / "songs" / path.name][0]


def test_another_warehouse_adopts_what_is_stored(twins: Twins, warehouse: MakeFolders) -> None:
    put_songs(twins, 12)
    twins.compact(slices=2)
    other = warehouse(song_data=str(twins.plain.folders["songs"])).warehouse
    dry = other.compact("songs", str(twins.into), dry_run=True)
    assert (dry.adopted, dry.known, dry.made) == (2, 12, [])
    for adopted in (2, 0):
        done = other.compact("songs", str(twins.into))
        assert (done.adopted, done.known, done.made) == (adopted, 12, [])


def test_sizes_are_even_and_their_number_a_multiple_of_the_slices(
    twins: Twins, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate(twins.plain.root / "made", events=9000, songs=1, days=60, seed=2)
    twins.plain.folders["events"].rmdir()
    (twins.plain.root / "made" / "log_data").rename(twins.plain.folders["events"])
    monkeypatch.setattr(compact_groups, "AIM", 50_000)
    done = twins.compact("events", slices=3)
    sizes = [each["size"] for each in done.made]
    assert len(sizes) % 3 == 0 and 3 < len(sizes) < 60
    assert min(sizes) >= 25_000 and max(sizes) <= 100_000 and max(sizes) < 1.5 * min(sizes)
    assert [path.stat().st_size for path in twins.written("events")].sort() == sizes.sort()


def test_large_objects_are_not_compacted(twins: Twins, monkeypatch: pytest.MonkeyPatch) -> None:
    put_songs(twins, 6)
    many = b"\n".join([line(song(song_id=f"L{n}")) for n in range(20)])
    twins.plain.put("songs", "large.json", many)
    twins.plain.put("songs", "large.json.gz", gzip.compress(many))
    monkeypatch.setattr(compact_groups, "LARGE", 1500)
    done = twins.compact(slices=1)
    assert (done.large, done.compacted) == (2, 6)
    twins.load()


def test_few_objects_are_not_compacted(twins: Twins) -> None:
    put_songs(twins, 3)
    done = twins.compact(slices=3)
    assert (done.made, done.left) == ([], 3) and not twins.written()
    assert twins.compact(slices=2).compacted == 3


def test_other_than_text_loads_uncompacted(twins: Twins) -> None:
    put_songs(twins, 5)
    twins.plain.put("songs", "u.json", line(song()).decode().encode("utf-16"))
    twins.plain.put("songs", "z.json.gz", gzip.compress(line(song()))[:-4])
    twins.plain.put("songs", "e.json", b"")
    done = twins.compact(slices=1)
    assert (done.compacted, done.left) == (6, 2)
    one, _ = twins.load()
    assert one.refused == {"undecodable_object": 2}


def test_a_dry_run_writes_nothing(twins: Twins) -> None:
    put_songs(twins, 9)
    done = twins.compact(slices=2, dry_run=True)
    assert [each["objects"] for each in done.made] == [4, 5] and done.dry_run
    assert not twins.into.exists()
    assert twins.compacted.query("SELECT count(*) FROM audit.compacted_object") == [(0,)]
    assert twins.compact(slices=2).compacted == 9


# Interrupted ------------------------------------------------------------------------------


@pytest.mark.parametrize("call", range(1, 8, examples(2, 1)))
def test_interrupted_anywhere_only_whole_objects_stay_and_a_rerun_finishes(
    twins: Twins, call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each put, and at each write to the ledger."""
    put_songs(twins, 10)
    calls = iter(range(1, 100))

    def stop(method: Any) -> Any:
        def stopping(*arguments: Any) -> Any:
            if next(calls) == call:
                raise KeyboardInterrupt
            return method(*arguments)

        return stopping

    monkeypatch.setattr(FolderStore, "put", stop(FolderStore.put))
    monkeypatch.setattr(compact_job, "_record", stop(compact_job._record))
    if call < 7:
        with pytest.raises(KeyboardInterrupt):
            twins.compact(slices=2)
    for path in (twins.into / "songs").glob("*"):
        assert not path.name.startswith(".") and gzip.decompress(path.read_bytes())
    monkeypatch.undo()
    done = twins.compact(slices=2)
    assert done.compacted + done.known == 10
    indexes = {path.name for path in (twins.into / "songs").glob("*.index.json.gz")}
    assert {path.name.replace(".json", ".index.json") for path in twins.written()} == indexes
    assert len(indexes) in (2, 3)
    twins.load()


def test_killed_in_the_middle_of_a_write(twins: Twins, tmp_path: Path) -> None:
    put_songs(twins, 10)
    code = """
import os, signal, shutil, sys
from sparkify_dwh import Settings, Warehouse

def half(source, target, size):
    target.write(source.read()[:20])
    target.flush()
    os.kill(os.getpid(), signal.SIGKILL)

shutil.copyfileobj = half
url, songs, into = sys.argv[1:]
Warehouse(Settings(database_url=url, song_data=songs)).compact("songs", into, slices=2)
"""
    url = f"duckdb:///{twins.compacted.database}"
    arguments = [url, str(twins.plain.folders["songs"]), str(twins.into)]
    done = subprocess.run([sys.executable, "-c", code, *arguments], check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = (twins.into / "songs").iterdir()
    assert left.name.startswith(".part-")
    assert twins.compact(slices=2).compacted == 10 and len(twins.written()) == 2
    old = left.with_name(".part-other.json.gz.tmp")
    old.write_bytes(b"x")
    os.utime(old, (0, 0))
    twins.compact(slices=2)
    assert not any(path.name.startswith(".") for path in (twins.into / "songs").iterdir())
    twins.load()


def test_an_object_that_changes_meanwhile_is_left(
    twins: Twins, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_songs(twins, 8)
    real = object_bodies._local_body

    def changing(each: Any) -> bytes | None:
        if each.key.endswith("0002.json"):
            twins.plain.put("songs", "A/B/0002.json", line(song(song_id="SO2", title="Other")))
        if each.key.endswith("0005.json"):
            Path(each.path).unlink(missing_ok=True)
        return real(each)

    monkeypatch.setattr(object_bodies, "_local_body", changing)
    done = twins.compact(slices=1)
    assert (done.compacted, done.left) == (6, 2)
    monkeypatch.undo()
    twins.load()
    assert "Other" in {row[1] for row in twins.compacted.star()["songs"]}


# Refused ----------------------------------------------------------------------------------


def test_wrong_places_and_sources_are_refused(twins: Twins, tmp_path: Path) -> None:
    compact = twins.compacted.warehouse.compact
    songs = twins.plain.folders["songs"]
    with pytest.raises(UsageError, match="no source named plays"):
        compact("plays", str(tmp_path / "c"))
    with pytest.raises(SettingsError, match="no place for compacted objects"):
        compact("songs")
    link = tmp_path / "link"
    link.symlink_to(songs)
    for place in (songs, songs / "c", songs.parent, link, twins.plain.folders["events"] / "c"):
        with pytest.raises(SettingsError, match="are inside each other"):
            compact("songs", str(place))
    assert compact("song_data", str(tmp_path / "c")).source == "songs"
    file = tmp_path / "file"
    file.write_text("x")
    put_songs(twins, 3)
    with pytest.raises(SourceError, match="cannot be written"):
        compact("songs", str(file), slices=1)


def test_other_keys_than_declared_are_not_compacted(twins: Twins, tmp_path: Path) -> None:
    from sparkify_dwh import SPARKIFY

    keys = list(SPARKIFY.source("events").keys)
    paths = tmp_path / "paths.json"
    settings = twins.compacted.warehouse.settings
    twins.compacted.warehouse.settings = settings.model_copy(update={"log_jsonpaths": str(paths)})
    for usual in ([f"$['{key}']" for key in keys], [f"$.{key}" for key in keys]):
        paths.write_text(json.dumps({"jsonpaths": usual}))
        assert twins.compact("events").made == []
    paths.write_text(json.dumps({"jsonpaths": [f"$['more']['{key}']" for key in keys]}))
    with pytest.raises(SettingsError, match="reads other keys than events declares"):
        twins.compact("events")
    # COPY refuses such a file, so compact does too.
    paths.write_text(json.dumps({"jsonpaths": [f"$.{key}" for key in keys], "more": []}))
    with pytest.raises(SettingsError, match="is not a jsonpaths file for events"):
        twins.compact("events")
    paths.unlink()
    with pytest.raises(SettingsError, match="cannot be read"):
        twins.compact("events")


def test_a_damaged_index_is_named(twins: Twins) -> None:
    put_songs(twins, 6)
    twins.compact(slices=1)
    (index,) = (twins.into / "songs").glob("*.index.json.gz")
    import duckdb

    with duckdb.connect(str(twins.compacted.database)) as connection:
        connection.execute("DELETE FROM audit.compacted_object")
    whole = gzip.decompress(index.read_bytes())
    for wrong in (b"x", gzip.compress(b"{}"), gzip.compress(whole.replace(b'd": 1', b'd": 2'))):
        index.write_bytes(wrong)
        with pytest.raises(SourceError, match="is not an index of a compacted object"):
            twins.compact(slices=1)


# The command ------------------------------------------------------------------------------


def test_the_command(twins: Twins, tmp_path: Path) -> None:
    put_songs(twins, 8)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        where = ["--song-data", str(twins.plain.folders["songs"]), "--into", str(twins.into)]
        url = ["--database-url", f"duckdb:///{tmp_path / 'new.duckdb'}"]
        return subprocess.run(
            [sys.executable, "-m", "sparkify_dwh", "compact", "songs", *where, *url, *arguments],
            capture_output=True,
            text=True,
            check=False,
        )

    dry = run("--dry-run", "--slices", "2")
    assert dry.returncode == 0 and "8 of 8 objects of songs would be compacted into 2" in dry.stderr
    assert not (tmp_path / "new.duckdb").exists()
    done = run("--slices", "2", "--json")
    assert done.returncode == 0, done.stderr
    output = json.loads(done.stdout)
    assert (output["compacted"], len(output["made"]), output["slices"]) == (8, 2, 2)
    again = run()
    assert again.returncode == 0 and again.stdout == ""
    assert "nothing to compact" in again.stderr and "8 already compacted" in again.stderr
    assert run("--slices", "0").returncode == 2
