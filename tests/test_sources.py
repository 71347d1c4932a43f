"""Folders as sources: names, junk, links, and files that change while a load runs."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.folders import Folders, MakeFolders
from support.records import event, line, lines, song
from support.reference import Reference
from support.reference_checks import expected_star
from support.rig import NO_LIMIT

from sparkify_dwh import Settings, SourceError, Warehouse
from sparkify_dwh.dialects.duckdb import object_sorter, raw_rows, reader
from sparkify_dwh.jobs.load import attempt
from sparkify_dwh.storage import objects

Events = list[tuple[str, bytes]]


@pytest.fixture(params=["spooled", "direct"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whether files are small enough to be spooled, or all are for DuckDB to read."""
    if request.param == "direct":
        monkeypatch.setattr(object_sorter, "SMALL", 0)
    return str(request.param)


def loaded(folders: Folders) -> set[int]:
    """Sessions whose play is in the star."""
    return {key for (key,) in folders.query("SELECT session_id FROM sparkify.songplays")}


# Names -------------------------------------------------------------------------------------------

STRANGE = [
    *("a b.json", "a+b.json", "a%20b.json", "it's.json", 'say "x".json', "é.json", ";.json"),
    *("new\nline.json", "[1-3].json", "*.json", "?.json", "{a,b}.json", "back\\slash.json"),
    *("..json", "x.json.json", "UPPER.json", "-.json", "#.json", "$HOME.json", "tab\t.json"),
    *("日本.json", "e\u0301.json", "g.gz.json", "x" * 240 + ".json", "year=1999/ts=1/a.json"),
    *("[dir]*/a.json", "di\\r/é\n/a.json", "glob/**/a.json", "~user/a.json", "s3:/b/a.json"),
    os.fsdecode(b"bad\xff.json"),
    os.fsdecode(b"bad\xff/\xfe\xc3.json"),
]  # fmt: skip


def test_files_of_any_name_load(way: str, warehouse: MakeFolders) -> None:
    folders = warehouse()
    names = {}
    for number, name in enumerate(STRANGE):
        body = lines(event(sessionId=number), event(sessionId=number, itemInSession=1))
        path = folders.put("events", name, body)
        names[objects.path_text(str(path))] = number
    hidden = {objects.path_text(str(folders.folders["events"] / "..json"))}
    assert folders.load().event == "loaded"
    staged = folders.query("SELECT _object, _line, sessionid, iteminsession FROM staging.events")
    assert sorted(staged) == sorted(
        (name, at + 1, str(number), str(at))
        for name, number in names.items()
        if name not in hidden
        for at in (0, 1)
    )
    keys = folders.query("SELECT key, rows_read, rows_staged, rows_refused FROM audit.load_file")
    assert sorted(keys) == sorted((name, 2, 2, 0) for name in names if name not in hidden)
    assert folders.load().event == "nothing new"


def test_a_source_folder_of_any_name_loads(
    way: str, warehouse: MakeFolders, tmp_path: Path
) -> None:
    for number, name in enumerate(["[a]*?", "x y'\"", "year=2018", "é\n", "{b,c}", "..a"]):
        folder = tmp_path / "sources" / name
        folder.mkdir(parents=True)
        (folder / "x.json").write_bytes(line(event(sessionId=number)))
        folders = warehouse(log_data=str(folder))
        folders.load()
        assert loaded(folders) == {number}


def test_a_folder_named_like_a_column_changes_no_value(way: str, warehouse: MakeFolders) -> None:
    folders = warehouse()
    folders.put("songs", "year=1999/artist_id=AR0/x.json", line(song(year=2001, artist_id="AR1")))
    folders.load()
    assert folders.query("SELECT year, artist_id FROM sparkify.songs") == [(2001, "AR1")]


def test_junk_is_skipped_and_counted(way: str, warehouse: MakeFolders) -> None:
    folders = warehouse()
    folders.put("events", "good.json", line(event()))
    junk = [".hidden.json", "_SUCCESS", "_x.json", "old.json~", "x.json.bak", "x.jsonl", "json"]
    junk += ["x.JSON", "notes.txt", "x.gz", "x.json.zst", ".DS_Store", "a/.b.json", "a/b/_c.json"]
    for name in junk:
        folders.put("events", name, line(event(sessionId=1)))
    for name in (".git/a.json", "_temporary/0/a.json", "a/old~/a.json"):
        folders.put("events", name, line(event(sessionId=1)))  # a folder counts once
    (book,) = [b for b in folders.load().sources if b.source == "events"]
    assert (book.objects, book.skipped) == (1, len(junk) + 3)
    assert loaded(folders) == {139}


def test_links_lead_nowhere_outside_and_never_in_circles(way: str, warehouse: MakeFolders) -> None:
    folders = warehouse()
    inside = folders.folders["events"]
    outside = folders.root / "outside.json"
    outside.write_bytes(line(event(sessionId=1)))
    good = folders.put("events", "a/good.json", line(event()))
    (inside / "again.json").symlink_to(good)
    (inside / "out.json").symlink_to(outside)
    (inside / "gone.json").symlink_to(inside / "nothing")
    (inside / "me.json").symlink_to(inside / "me.json")
    (inside / "a" / "up").symlink_to(inside)
    (inside / "out").symlink_to(folders.root)
    (book,) = [b for b in folders.load().sources if b.source == "events"]
    assert (book.objects, book.skipped, book.staged) == (2, 5, 2)
    assert loaded(folders) == {139}


def test_a_very_deep_folder_is_listed(
    warehouse: MakeFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = warehouse()
    monkeypatch.chdir(folders.folders["events"])
    for _ in range(1100):
        Path("d").mkdir()
        os.chdir("d")
    Path("x.json").write_bytes(line(event()))
    (found,) = objects.list_folder(str(folders.folders["events"])).objects
    Path("x.json").unlink()
    for _ in range(1100):  # what clears temporary folders cannot do this
        os.chdir("..")
        Path("d").rmdir()
    assert found.key.endswith("/d/x.json")


# The source itself -------------------------------------------------------------------------------


def test_a_file_may_be_the_source(way: str, warehouse: MakeFolders, tmp_path: Path) -> None:
    file = tmp_path / "repaired rows"
    file.write_bytes(lines(event(), event(sessionId=2)))
    folders = warehouse(log_data=str(file))
    folders.load()
    assert loaded(folders) == {139, 2}


def test_an_empty_folder_is_nothing_new(warehouse: MakeFolders) -> None:
    assert warehouse().load().event == "nothing new"


@pytest.mark.parametrize("source", ["missing", "~no such user/x", "nul\0", "pipe", "good/x"])
def test_a_source_that_is_none_is_an_error_that_names_it(
    source: str, warehouse: MakeFolders, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "good").write_bytes(line(event()))
    place = source if source.startswith("~") else str(tmp_path / source)
    with pytest.raises(SourceError) as caught:
        warehouse(log_data=place).load()
    assert source.replace("\0", "\\x00") in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["log_data", "log_data/sub"])
def test_an_unreadable_folder_is_an_error_that_names_it(
    name: str, warehouse: MakeFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = warehouse()
    folders.put("events", "sub/x.json", line(event()))
    bad, original = str(folders.root / name), os.scandir

    def refuse(path: str) -> Any:
        if path == bad:
            raise PermissionError(13, "Permission denied", path)
        return original(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(SourceError, match=f"{bad} cannot be read: Permission denied"):
        folders.load()


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind root")
def test_a_folder_without_permission_is_an_error(warehouse: MakeFolders) -> None:
    folders = warehouse()
    folders.folders["events"].chmod(0)
    with pytest.raises(SourceError, match="Permission denied"):
        folders.load()


def test_a_folder_under_two_names_gives_the_same_star(warehouse: MakeFolders) -> None:
    folders = warehouse()
    folders.put("events", "x.json", lines(event(), event(itemInSession=1, level="paid")))
    folders.put("songs", "s.json", line(song()))
    folders.load()
    before = folders.star()
    (folders.root / "other name").symlink_to(folders.folders["events"])
    dotted = f"{folders.root}/./x/../log_data/"
    for place, event_ in ((dotted, "nothing new"), (str(folders.root / "other name"), "loaded")):
        settings = folders.warehouse.settings.model_copy(update={"log_data": place})
        assert Warehouse(settings).load().event == event_
        assert folders.star() == before


def test_both_sources_may_be_one_folder(warehouse: MakeFolders) -> None:
    """Each source reads all of it and refuses what is not one of its records."""
    folders = warehouse(**NO_LIMIT)
    folders.put("events", "e.json", line(event()))
    folders.put("events", "s.json", line(song()))
    place = str(folders.folders["events"])
    settings = folders.warehouse.settings.model_copy(update={"song_data": place})
    run = Warehouse(settings).load()
    assert run.refused == {"ts_valid": 1, "song_id_present": 1}
    assert folders.query("SELECT count(song_id) FROM sparkify.songplays") == [(1,)]


# Files that change -------------------------------------------------------------------------------

BODY = b"\n".join(
    [
        *(line(event(sessionId=n)) for n in range(3)),
        b"{broken",
        line(event(ts=-1, sessionId=9)),
        line(event(sessionId=8, song="[x]")),
    ]
)
MOMENTS: dict[str, tuple[Any, str]] = {
    "before it is read": (attempt, "discover"),
    "before DuckDB reads it": (raw_rows.RawRows, "insert"),
    "before the second look": (reader.Reader, "_second_look"),
    "before refused rows are fetched": (reader.Reader, "quarantine_rows"),
    "before the last look": (attempt, "require_unchanged"),
}


def _rewritten(path: Path) -> None:
    stat = path.stat()
    path.write_bytes(path.read_bytes().replace(b"Elena", b"Other"))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))


def _replaced_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


CHANGES: dict[str, Callable[[Path], None]] = {
    "grows": lambda path: path.write_bytes(path.read_bytes() + b"\n" + line(event())),
    "shrinks": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "is emptied": lambda path: os.truncate(path, 0),
    "is written anew": _rewritten,
    "vanishes": lambda path: path.unlink(),
    "becomes a folder": _replaced_by_folder,
}


def _at(
    monkeypatch: pytest.MonkeyPatch, moment: str, act: Callable[[], None]
) -> Callable[[], bool]:
    """Acts once, when a load comes to that moment; returns whether it did."""
    owner, name = MOMENTS[moment]
    original, done = getattr(owner, name), threading.Event()

    def hooked(*args: Any, **kw: Any) -> Any:
        if not done.is_set():
            done.set()
            act()
        return original(*args, **kw)

    monkeypatch.setattr(owner, name, hooked)
    return done.is_set


@pytest.mark.parametrize("moment", MOMENTS)
def test_files_that_change_wait_for_the_next_load(
    moment: str, way: str, warehouse: MakeFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The load goes on without them, warns, and the next one takes them as they are then."""
    folders = warehouse(**NO_LIMIT)
    good = folders.put("events", "good.json", line(event(sessionId=100)) + b"\n{broken")
    plain = folders.put("events", "plain.json", line(event(sessionId=101, song="[x]")))
    paths = [folders.put("events", f"{n}.json", BODY) for n in range(len(CHANGES))]
    star = Reference()

    def change_all() -> None:
        for path, change in zip(paths, CHANGES.values(), strict=True):
            change(path)
        folders.put("events", "appears.json", line(event(sessionId=200)))

    done = _at(monkeypatch, moment, change_all)
    run = folders.load()
    assert done()
    assert run.event == "loaded"
    assert [warning for warning in run.warnings if str(paths[0]) in warning]
    assert run.refused == {"malformed_json": 1}
    star.load(events=[(str(path), path.read_bytes()) for path in (good, plain)])
    assert folders.star() == expected_star(star)
    assert folders.query("SELECT key FROM audit.load_file ORDER BY key") == [
        (str(good),),
        (str(plain),),
    ]

    run = folders.load()
    left = [path for path in [*paths, folders.folders["events"] / "appears.json"] if path.is_file()]
    assert len(left) == 5
    star.load(events=[(str(path), path.read_bytes()) for path in left])
    assert folders.star() == expected_star(star)
    assert run.warnings == []


def test_a_file_that_changes_does_not_stop_the_load_by_what_it_broke(
    way: str, warehouse: MakeFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half-written lines are beyond the limit, but they are not what the load is about."""
    folders = warehouse(reject_floor=0, max_reject_ratio=0.0)
    folders.put("events", "good.json", line(event(sessionId=100)))
    path = folders.put("events", "a.json", lines(event(), event(sessionId=2)))
    _at(monkeypatch, "before it is read", lambda: os.truncate(path, 200))
    assert folders.load().event == "loaded"
    assert loaded(folders) == {100}


def test_files_that_never_rest_end_the_load(
    warehouse: MakeFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = warehouse()
    paths = [folders.put("events", f"{n}.json", line(event(sessionId=n))) for n in range(9)]
    original = attempt.require_unchanged

    def restless(*args: Any) -> None:
        path = paths.pop()
        path.write_bytes(path.read_bytes() + b"\n")
        original(*args)

    monkeypatch.setattr(attempt, "require_unchanged", restless)
    with pytest.raises(SourceError, match="keep changing"):
        folders.load()
    assert loaded(folders) == set()


def test_a_file_that_vanishes_while_it_is_listed_is_not_there(
    warehouse: MakeFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = warehouse()
    folders.put("events", "a.json", line(event(sessionId=1)))
    gone = folders.put("events", "b.json", line(event(sessionId=2)))
    folder = folders.put("events", "c/d.json", line(event(sessionId=3))).parent
    original = objects._object

    def vanish(path: str, stat: os.stat_result) -> objects.Object:
        if gone.exists():
            gone.unlink()
            (folder / "d.json").unlink()
            folder.rmdir()
        return original(path, stat)

    monkeypatch.setattr(objects, "_object", vanish)
    found = {Path(each.key).name for each in objects.list_folder(str(gone.parent)).objects}
    assert "a.json" in found and "d.json" not in found


def test_settings_name_folders_by_home_and_relative_path(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = Folders(tmp_path / "w", template)
    folders.put("events", "x.json", line(event()))
    monkeypatch.setenv("HOME", str(folders.root))
    monkeypatch.chdir(folders.root)
    for place in ("~/log_data", "log_data", "./log_data/"):
        assert objects.list_folder(place).objects[0].key == str(folders.root / "log_data/x.json")
    assert Settings(log_data="~/log_data").log_data == "~/log_data"
