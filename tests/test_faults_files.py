"""Databases that cannot be used, disks that are full: one clear line, and nothing left behind."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support import kill_and_fail
from support.kill_and_fail import Report, Scene, ended, report_of, start

from sparkify_dwh import DatabaseError, SchemaVersionError, Settings, SparkifyError, Warehouse
from sparkify_dwh.storage.scratch import Scratch


@pytest.fixture
def temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, for this test alone."""
    folder = tmp_path_factory.mktemp("tmp")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder, with its content."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


# Files that are not a database --------------------------------------------------------------------


def a_folder(path: Path, good: bytes) -> None:
    path.mkdir()


def text(path: Path, good: bytes) -> None:
    path.write_text("no database\n" * 1000)


def short_text(path: Path, good: bytes) -> None:
    path.write_text("x")


def truncated(path: Path, good: bytes) -> None:
    path.write_bytes(good[: len(good) // 2])


def header_alone(path: Path, good: bytes) -> None:
    path.write_bytes(good[:100])


def bad_checksum(path: Path, good: bytes) -> None:
    path.write_bytes(good[:5000] + b"\xff" * 500 + good[5500:])


def no_parent(path: Path, good: bytes) -> None:
    path.parent.rmdir()


@pytest.mark.parametrize(
    ("make", "what", "hint"),
    [
        (a_folder, "is a folder, not a database", "name a file"),
        (text, "is not a DuckDB database", "name another file"),
        (short_text, "is not a DuckDB database", "name another file"),
        (truncated, "is damaged", "restore it from a copy"),
        (header_alone, "is damaged", "restore it from a copy"),
        (bad_checksum, "is damaged", "restore it from a copy"),
        (no_parent, "there is no folder", "create it"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_is_no_database_is_named_and_left_as_it_is(
    scene: Scene,
    tmp_path: Path,
    temporary: Path,
    make: Callable[[Path, bytes], None],
    what: str,
    hint: str,
) -> None:
    database = tmp_path / "place" / "warehouse.duckdb"
    database.parent.mkdir()
    make(database, scene.before.read_bytes())
    before = tree(tmp_path)
    warehouse = Warehouse(Settings(**scene.values(database)))
    for ask in (
        warehouse.load,
        lambda: warehouse.load(dry_run=True),
        warehouse.migrate,
        warehouse.runs,
        warehouse.plan,
        lambda: warehouse.query("SELECT 1"),
    ):
        if make is no_parent and ask == warehouse.plan:
            assert ask().pending, "a plan creates nothing and needs no folder"
            continue
        with pytest.raises(DatabaseError) as caught:
            ask()
        error = caught.value
        assert error.exit_code == 5 and "\n" not in error.what
        if make is no_parent and "there is no warehouse" in error.what:
            continue
        assert what in error.what and str(database) in error.what
        assert hint in error.hint and "\n" not in error.hint
    assert tree(tmp_path) == before
    assert tree(temporary) == {}


def test_a_damaged_block_is_found_when_it_is_read(scene: Scene, tmp_path: Path) -> None:
    good = scene.before.read_bytes()
    seen = set()
    for part in range(1, 20):
        database = tmp_path / f"damaged-{part}.duckdb"
        at = len(good) * part // 20
        database.write_bytes(good[:at] + b"\xff" * 64 + good[at + 64 :])
        report = kill_and_fail.observed(scene.values(database))
        if report.error is None:
            seen.add("unused")
            continue
        assert (report.error, report.exit_code) == ("DatabaseError", 5), report
        seen.add("damaged" if "is damaged" in report.what else report.what)
    assert "damaged" in seen and seen <= {"damaged", "unused"}


@pytest.mark.parametrize("kind", ["empty", "link", "link to nowhere", "missing"])
def test_a_new_database(scene: Scene, tmp_path: Path, kind: str) -> None:
    database, target = tmp_path / "warehouse.duckdb", tmp_path / "target.duckdb"
    if kind == "empty":
        database.touch(mode=0o600)
    elif kind != "missing":
        database.symlink_to(target)
        if kind == "link":
            target.touch()
    assert kill_and_fail.observed(scene.values(database)).event == "loaded"
    assert kill_and_fail.star(database) == scene.star
    if kind == "empty":
        assert database.stat().st_mode & 0o777 == 0o600
    left = {p.name for p in tmp_path.iterdir()}
    assert left == {"warehouse.duckdb", *(["target.duckdb"] if "link" in kind else [])}
    assert database.is_symlink() is ("link" in kind)


# Schema versions ----------------------------------------------------------------------------------

LATER = """
revision = "0002_later"
down_revision = "{}"


def upgrade():
    pass
"""


def test_a_newer_schema_is_not_touched(scene: Scene, tmp_path: Path, temporary: Path) -> None:
    database = scene.database(tmp_path)
    with duckdb.connect(str(database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999_future'")
    before = tree(tmp_path)
    warehouse = Warehouse(Settings(**scene.values(database)))
    for ask in (warehouse.load, lambda: warehouse.load(dry_run=True), warehouse.plan):
        with pytest.raises(SchemaVersionError) as caught:
            ask()
        assert caught.value.exit_code == 5
        assert "schema version 9999_future, newer than this library's" in caught.value.what
        assert caught.value.hint == "upgrade the library: pip install -U sparkify-dwh"
        assert "\n" not in caught.value.what
    assert warehouse.schema_status().state == "newer"
    assert tree(tmp_path) == before and tree(temporary) == {}


def test_an_older_schema_is_not_touched(scene: Scene, tmp_path: Path) -> None:
    database = scene.database(tmp_path)
    warehouse = Warehouse(Settings(**scene.values(database)))
    head = warehouse.schema_status().library[0]
    versions = tmp_path / "versions"
    versions.mkdir()
    (versions / "0002_later.py").write_text(LATER.format(head))
    warehouse.declarations = warehouse.declarations.extended(version_locations=[str(versions)])
    content = database.read_bytes()
    with pytest.raises(SchemaVersionError) as caught:
        warehouse.load()
    assert f"schema version {head}, this library needs 0002_later" in caught.value.what
    assert caught.value.hint == "run: sparkify migrate" and caught.value.exit_code == 5
    assert database.read_bytes() == content
    warehouse.migrate()
    assert warehouse.load().event == "loaded"


# Rights -------------------------------------------------------------------------------------------


def bound_by_rights() -> None:
    """Root may read and write everything; without these capabilities it may not."""
    if os.getuid() != 0:
        return

    class Header(ctypes.Structure):
        _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]

    header, sets = Header(0x20080522, 0), (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.capget(ctypes.byref(header), sets) == 0
    override, read_search, owner = 1, 2, 3
    for bit in (override, read_search, owner):
        sets[0] &= ~(1 << bit)
    assert libc.capset(ctypes.byref(header), sets) == 0


def in_child(setup: Callable[[], None] | None, values: dict[str, Any], folder: Path) -> Report:
    path = folder / "report"
    path.touch()
    assert ended(start(kill_and_fail._call, setup, values, str(path))) == 0
    report = report_of(path)
    path.unlink()
    return report


def _ask(sql: str, values: dict[str, Any], path: str) -> None:
    bound_by_rights()
    try:
        Path(path).write_text(repr(Warehouse(Settings(**values)).query(sql).rows))
    except SparkifyError as error:
        Path(path).write_text(f"{type(error).__name__}: {error.what}")


def test_a_file_that_may_only_be_read_can_be_read(
    scene: Scene, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    database, elsewhere = scene.database(tmp_path), tmp_path_factory.mktemp("reports")
    database.chmod(0o444)
    tmp_path.chmod(0o555)
    before = tree(tmp_path)
    report = in_child(bound_by_rights, scene.values(database), elsewhere)
    assert (report.error, report.exit_code) == ("DatabaseError", 5)
    assert "may not be opened or written by this user" in report.what and report.hint
    answer = elsewhere / "answer"
    asked = "SELECT count(*) > 0 FROM sparkify.songplays"
    assert ended(start(_ask, asked, scene.values(database), str(answer))) == 0
    assert answer.read_text() == "[(True,)]"
    database.chmod(0o000)
    assert ended(start(_ask, asked, scene.values(database), str(answer))) == 0
    assert answer.read_text().startswith("DatabaseError: ")
    assert "may not be opened" in answer.read_text()
    database.chmod(0o644)
    tmp_path.chmod(0o755)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("new", [False, True])
def test_a_folder_that_may_not_be_written(
    scene: Scene, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, new: bool
) -> None:
    database = tmp_path / "new.duckdb" if new else scene.database(tmp_path)
    tmp_path.chmod(0o555)
    before = tree(tmp_path)
    report = in_child(bound_by_rights, scene.values(database), tmp_path_factory.mktemp("reports"))
    tmp_path.chmod(0o755)
    assert (report.error, report.exit_code) == ("DatabaseError", 5), report
    assert "may not be opened or written by this user" in report.what
    assert "Permission denied" in report.what
    if new:
        assert tree(tmp_path) == before
    else:
        assert scene.state(database) == "before"


# Disks --------------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Callable[[str, int], Path]]:
    """Makes folders on disks of a given size in KiB."""
    mounted: list[Path] = []

    def make(name: str, size: int) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "none", str(folder)]
        if os.getuid() != 0 or shutil.which("mount") is None:
            pytest.skip("only root can mount a small disk")
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        if found.returncode != 0:
            pytest.skip(f"a small disk cannot be mounted: {found.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_under_the_database(
    scene: Scene, small: Callable[[str, int], Path], temporary: Path
) -> None:
    size = scene.before.stat().st_size // 1024
    failed = set()
    for spare in (4, 200, 400, 700, 1000, 1400):
        folder = small(f"disk-{spare}", size + spare)
        database = scene.database(folder)
        values = scene.values(database)
        report = kill_and_fail.observed(values)
        if report.error is None:
            assert report.event == "loaded" and scene.state(database) == "after"
            continue
        failed.add(spare)
        assert (report.error, report.exit_code) == ("DatabaseError", 5), report
        assert "no space left" in report.what and "free some space" in report.hint
        assert str(database) in report.what and "\n" not in report.what
        assert scene.state(database) == "before"
        assert kill_and_fail.outcomes(values)[0][0] in ("rolled back", "died", "loaded")
        assert tree(temporary) == {}
        # With room again, it goes on.
        roomy = folder.parent / f"roomy-{spare}.duckdb"
        shutil.copyfile(database, roomy)
        wal = Path(f"{database}.wal")
        if wal.exists():
            shutil.copyfile(wal, f"{roomy}.wal")
        assert kill_and_fail.observed(scene.values(roomy)).event == "loaded"
        assert kill_and_fail.star(roomy) == scene.star
    assert len(failed) >= 2


def test_no_room_for_a_new_database(
    scene: Scene, small: Callable[[str, int], Path], temporary: Path
) -> None:
    folder = small("disk", 64)
    (folder / "fill").write_bytes(b"\0" * 60 * 1024)
    report = kill_and_fail.observed(scene.values(folder / "new.duckdb"))
    assert (report.error, report.exit_code) == ("DatabaseError", 5), report
    assert "no space left" in report.what
    assert [path.name for path in folder.iterdir()] == ["fill"]
    assert tree(temporary) == {}


def test_a_full_disk_under_the_temporary_files(
    scene: Scene,
    tmp_path: Path,
    small: Callable[[str, int], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for size in (4, 8, 16, 64):
        folder = small(f"tmp-{size}", size)
        monkeypatch.setattr("tempfile.tempdir", str(folder))
        database = scene.database(tmp_path)
        values = scene.values(database)
        report = kill_and_fail.observed(values)
        assert (report.error, report.exit_code) == ("DatabaseError", 5), report
        assert str(folder) in report.what and "No space left on device" in report.what
        assert "TMPDIR" in report.hint
        assert scene.state(database) == "before"
        assert kill_and_fail.outcomes(values)[0] == ("rolled back", report.what)
        assert tree(folder) == {}


def limited() -> None:
    """No file may grow beyond this."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limit = 128 * 1024
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def test_files_that_may_not_grow(scene: Scene, tmp_path: Path, temporary: Path) -> None:
    database = tmp_path / "new.duckdb"
    folder = tmp_path / "reports"
    folder.mkdir()
    report = in_child(limited, scene.values(database), folder)
    assert (report.error, report.exit_code) == ("DatabaseError", 5), report
    assert "File too large" in report.what and "free some space" in report.hint
    assert kill_and_fail.observed(scene.values(database)).event == "loaded"
    assert kill_and_fail.star(database) == scene.star


def test_no_folder_for_temporary_files(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    database = scene.database(tmp_path)
    monkeypatch.setattr("tempfile.gettempdir", none)
    monkeypatch.setattr("tempfile.mkdtemp", lambda **named: none())
    report = kill_and_fail.observed(scene.values(database))
    assert (report.error, report.exit_code) == ("DatabaseError", 5), report
    assert "there is no folder for temporary files" in report.what and "TMPDIR" in report.hint
    assert scene.state(database) == "before"


def test_closing_never_fails(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = Scratch()
    scratch.close()
    folder = scratch.path
    shutil.rmtree(folder)
    scratch.close()
    scratch.close()
    (scratch.path / "a").mkdir()
    scratch.close()
    assert tree(temporary) == {}
