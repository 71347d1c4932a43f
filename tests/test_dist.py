"""Wheel and sdist: the same bytes each time, and in them what should be there and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WHEN = "1700000000"
PACKAGE = ("sparkify_dwh/", "migrations/")
BESIDE = {"CHANGELOG.md", "LICENSE", "MANIFEST.in", "README.md", "alembic.ini"}
BESIDE |= {"pyproject.toml", "setup.cfg"}


def tracked() -> list[str]:
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("this is no checkout")
    return [name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def built(place: Path, umask: int, back: float) -> list[Path]:
    """Builds a copy of the checkout whose files have other times and rights."""
    copy, out = place / "copy", place / "out"
    for name in tracked():
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
        target.chmod(0o666 & ~umask)
        os.utime(target, (time.time() - back,) * 2)
    subprocess.run(
        [sys.executable, str(copy / "scripts" / "build.py"), str(out)],
        check=True,
        capture_output=True,
        cwd=place,
        umask=umask,
        env={**os.environ, "SOURCE_DATE_EPOCH": WHEN, "TZ": f"UTC{umask % 10}"},
    )
    return sorted(out.iterdir())


@pytest.fixture(scope="module")
def dists(tmp_path_factory: pytest.TempPathFactory) -> list[list[Path]]:
    """Wheel and sdist of two builds."""
    root = tmp_path_factory.mktemp("dists")
    return [built(root / "one", 0o022, 0), built(root / "two" / "deeper", 0o077, 1e6)]


def test_two_builds_have_the_same_bytes(dists: list[list[Path]]) -> None:
    one, two = dists
    assert [path.name for path in one] == [path.name for path in two]
    assert len(one) == 2
    for first, second in zip(one, two, strict=True):
        assert first.read_bytes() == second.read_bytes(), first.name


def test_the_sdist_holds_the_package_its_migrations_and_the_docs(dists: list[list[Path]]) -> None:
    (sdist,) = (path for path in dists[0] if path.name.endswith(".tar.gz"))
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    names = {name.partition("/")[2] for name in (m.name for m in members if m.isfile())}
    made = {name for name in names if name == "PKG-INFO" or ".egg-info/" in name}
    expected = {
        name
        for name in tracked()
        if (name.startswith(PACKAGE) and name.endswith((".py", *SUFFIXES)))
        or (name.startswith("docs/") and name.endswith((".md", ".json")))
        or name in BESIDE
    }
    assert names - made == expected
    assert {m.mtime for m in members} == {int(WHEN)}
    assert {(m.uid, m.uname) for m in members} == {(0, "")}


SUFFIXES = (".pyi", ".mako", ".css", ".js", ".yaml", ".typed", ".ini")


def test_the_wheel_holds_the_package_and_its_migrations(dists: list[list[Path]]) -> None:
    (wheel,) = (path for path in dists[0] if path.suffix == ".whl")
    with zipfile.ZipFile(wheel) as archive:
        infos = archive.infolist()
    names = {info.filename for info in infos}
    about = {name for name in names if ".dist-info/" in name}
    assert {name.rsplit(".dist-info/", 1)[1] for name in about} == {
        *("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE", "top_level.txt")
    }
    expected = {
        f"sparkify_dwh/{name}" if name.startswith("migrations/") else name
        for name in tracked()
        if name.startswith(PACKAGE)
    }
    assert names - about == expected
    assert len({info.date_time for info in infos}) == 1


def test_without_the_variable_the_time_is_that_of_the_last_commit() -> None:
    tracked()
    code = "import sys; sys.path.insert(0, 'scripts'); import build; print(build.epoch())"
    clean = {k: v for k, v in os.environ.items() if k != "SOURCE_DATE_EPOCH"}
    told, last = (
        subprocess.run(words, cwd=ROOT, env=clean, capture_output=True, text=True, check=True)
        for words in ([sys.executable, "-c", code], ["git", "log", "-1", "--format=%ct"])
    )
    assert told.stdout == last.stdout
