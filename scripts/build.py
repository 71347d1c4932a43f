"""Builds wheel and sdist so that a commit yields the same bytes on any machine at any time.

All times are SOURCE_DATE_EPOCH, by default the time of the last commit. setuptools honours it in
wheels only, so the sdist is rewritten: members sorted, owners and other times removed. The wheel is
built from that sdist.

usage: scripts/build [FOLDER]
"""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def epoch() -> str:
    """SOURCE_DATE_EPOCH, or the time of the last commit in seconds since 1970."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return given
    return subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()


def build(into: Path) -> list[Path]:
    """Builds both into a folder and returns their paths."""
    when = epoch()
    os.umask(0o022)
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        run("--sdist", ROOT, scratch, when)
        (found,) = scratch.glob("*.tar.gz")
        sdist = into / found.name
        sdist.write_bytes(normalized(found.read_bytes(), int(when)))
        # From the sdist, so that file modes and build leftovers of this checkout stay out of the
        # wheel.
        with tarfile.open(sdist) as archive:
            archive.extractall(scratch, filter="data")
        run("--wheel", scratch / found.name.removesuffix(".tar.gz"), into, when)
    return sorted(into.glob(found.name.removesuffix(".tar.gz") + "*"))


def run(what: str, source: Path, into: Path, when: str) -> None:
    command = [sys.executable, "-m", "build", "--no-isolation", what, "--outdir"]
    subprocess.run(
        [*command, str(into), str(source)],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "SOURCE_DATE_EPOCH": when},
    )


def normalized(sdist: bytes, when: int) -> bytes:
    """An sdist whose bytes depend only on the content of its members."""
    plain = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(sdist)) as old,
        tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for member in sorted(old.getmembers(), key=lambda each: each.name):
            member.mtime, member.uid, member.gid, member.uname, member.gname = when, 0, 0, "", ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            member.pax_headers = {}
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
    compressed = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=compressed, mode="wb", mtime=when) as file:
        file.write(plain.getvalue())
    return compressed.getvalue()


if __name__ == "__main__":
    for path in build(Path(sys.argv[1] if len(sys.argv) > 1 else "dist")):
        sys.stdout.write(f"{path}\n")
