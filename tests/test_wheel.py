"""The wheel, in an empty environment outside of the checkout, migrates and loads."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
        cwd=folder,
    )
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_holds_what_it_should(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for needed in (
        "sparkify_dwh/py.typed",
        "sparkify_dwh/migrations/env.py",
        "sparkify_dwh/migrations/script.py.mako",
        *(
            f"sparkify_dwh/migrations/versions/{path.name}"
            for path in (ROOT / "migrations" / "versions").glob("0*.py")
        ),
        "sparkify_dwh/infra/template.yaml",
        "sparkify_dwh/inspection/report/page.mako",
        "sparkify_dwh/inspection/report/page.css",
        "sparkify_dwh/inspection/report/page.js",
    ):
        assert needed in names
    modules = {
        f"sparkify_dwh/{path.relative_to(ROOT / 'sparkify_dwh').as_posix()}"
        for path in (ROOT / "sparkify_dwh").rglob("*.py")
    }
    assert modules <= names
    assert not [n for n in names if n.startswith(("tests", "docs", "scripts", "migrations"))]


def test_the_installed_wheel_migrates_and_loads(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=True)
    python = str(environment / "bin" / "python")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHONPATH", "SPARKIFY_"))}
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", str(wheel)],
        check=True,
        capture_output=True,
        env=clean,
        cwd=tmp_path,
    )

    def sparkify(*arguments: str) -> str:
        done = subprocess.run(
            [str(environment / "bin" / "sparkify"), *arguments],
            capture_output=True,
            text=True,
            env=clean,
            cwd=tmp_path,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    sparkify("generate", "data", "--events", "300", "--songs", "20", "--days", "2")
    sparkify("migrate")
    sparkify("load", "--log-data", "data/log_data", "--song-data", "data/song_data")
    assert int(sparkify("query", "select count(*) n from sparkify.songplays", "--csv").split()[1])
    sparkify("report", "report.html")
    assert (tmp_path / "report.html").read_bytes().startswith(b"<!doctype html>")
    # The base install is light: neither AWS nor a driver for Redshift comes with it.
    light = "import importlib.util as u; print([n for n in ('boto3', 'redshift_connector', "
    light += "'pandas') if u.find_spec(n)])"
    done = subprocess.run([python, "-c", light], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
