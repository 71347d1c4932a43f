"""Runs all long tests, part by part, and writes docs/reliability.md.

The results of each part are stored in docs/reliability.json with commit, seed, machine and time. A
later run replaces only the parts it runs, so parts may run on different days. A failed part is
recorded as failed, and the exit code is 1.

usage: scripts/soak [--only PART …] [--seed N] [--jobs N] [--list]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from lowest import SETUP, lowest

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "reliability.json"
VENVS = ROOT / ".soak"
EXTRAS = ["aws", "redshift", "notebooks", "dev"]


#: Instead of a pattern: every test file that does more in a long run and is in no other part.
OTHERS = "others"
_LONG = re.compile(r"\bSOAK\b|SPARKIFY_SOAK\b|\bexamples\(|\bfigure\(|\bfuzzed\(")
#: These test the long run itself.
_ABOUT = {"test_reliability.py", "test_figures.py"}


@dataclass(frozen=True)
class Part:
    """One part of the long run, and of the page.

    :param minutes: rough duration on two idle cores.
    :param tests: glob patterns below tests/; empty: all tests.
    :param soak: whether tests do all their work or only the sample of a normal run.
    :param versions: of dependencies: empty for those installed, ``lowest`` or ``newest``.
    :param jobs: the most processes; tests that measure the machine need it alone.
    """

    name: str
    title: str
    minutes: int
    tests: tuple[str, ...]
    soak: bool = True
    versions: str = ""
    jobs: int = 8


PARTS = (
    Part(
        "faults", "A fault at every step of a load and of every other change", 20,
        ("test_faults*.py", "test_change_faults.py"),
    ),
    Part(
        "wire", "A fault at every step on Redshift, at every message and every request", 50,
        ("test_redshift_faults*.py", "test_redshift_points*.py", "test_s3_*.py"),
    ),
    Part(
        "concurrency", "Eight loaders at once", 15,
        ("test_*concurrency*.py", "test_many_loaders.py"),
    ),
    Part("longrun", "A thousand loads in a row", 40, ("test_long_run*.py",), jobs=1),
    Part(
        "fuzz", "Fuzzing the star, against an oracle in plain Python", 25,
        ("test_fuzz_*.py", "test_star_properties.py", "test_parity.py", "test_generate_dirty.py"),
    ),
    Part(
        "forms", "Fuzzing the forms of input, and compaction", 30,
        ("test_input_forms.py", "test_redshift_forms.py", "test_compact*.py"),
    ),
    Part("hostile", "Hostile input and secrets", 6, ("test_hostile_*.py", "test_secrets*.py")),
    Part("other", "Other long tests", 5, (OTHERS,)),
    Part("lowest", "All tests, lowest versions", 15, (), soak=False, versions="lowest"),
    Part("newest", "All tests, newest versions", 15, (), soak=False, versions="newest"),
)  # fmt: skip


def files_of(part: Part) -> list[str]:
    """The test files of a part; ``tests`` itself for all of them."""
    if not part.tests:
        return ["tests"]
    folder = ROOT / "tests"
    if part.tests == (OTHERS,):
        named = {name for each in PARTS if OTHERS not in each.tests for name in files_of(each)}
        found = {
            path
            for path in folder.rglob("test_*.py")
            if path.name not in _ABOUT and _LONG.search(path.read_text(encoding="utf-8"))
        }
    else:
        named, found = set(), {path for each in part.tests for path in folder.glob(each)}
    return sorted({str(path.relative_to(ROOT)) for path in found} - named)


def commit() -> str:
    """The current commit; a plus sign marks uncommitted changes."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout

    changed = git("status", "--porcelain", "--", ".", ":!docs/reliability.*")
    return git("rev-parse", "--short=10", "HEAD").strip() + ("+" if changed else "")


def machine() -> str:
    """Cores, memory, system and Python."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}"
    )


def python_with(versions: str) -> str:
    """A Python with the given versions, in an environment that later runs reuse and update."""
    if not versions:
        return sys.executable
    place = VENVS / versions
    if not (place / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    python = str(place / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if versions == "lowest":
        # Test tools stay at their newest: their lowest versions exclude each other.
        pins = place / "constraints.txt"
        text = SETUP.read_text(encoding="utf-8")
        pins.write_text("\n".join(lowest(EXTRAS[:-1], text)) + "\n", encoding="utf-8")
        pip += ["--constraint", str(pins)]
    else:
        pip += ["--upgrade", "--upgrade-strategy", "eager"]
    subprocess.run([*pip, "--editable", f".[{','.join(EXTRAS)}]"], cwd=ROOT, check=True)
    return python


def installed(python: str) -> dict[str, str]:
    """The installed versions of the direct dependencies, without test tools."""
    names = [pin.split("==")[0] for pin in lowest(EXTRAS[:-1], SETUP.read_text(encoding="utf-8"))]
    code = "import sys, json, importlib.metadata as m;"
    code += "print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
    done = subprocess.run([python, "-c", code, *names, "duckdb"], capture_output=True, text=True)
    return dict(json.loads(done.stdout)) if done.returncode == 0 else {}


def run(part: Part, seed: int, jobs: int) -> dict[str, Any]:
    """Runs a part and returns what the page shows of it."""
    began, start = datetime.now(UTC), perf_counter()
    tested = commit()
    python = python_with(part.versions)
    with tempfile.TemporaryDirectory(prefix="sparkify-soak-") as folder:
        figures, report = Path(folder) / "figures", Path(folder) / "report.xml"
        environment = {
            **os.environ,
            "SPARKIFY_SOAK_FIGURES": str(figures),
            "SPARKIFY_SOAK_SEED": str(seed),
            "SPARKIFY_SOAK_VERSIONS": part.versions,
            **({"SPARKIFY_SOAK": "1", "HYPOTHESIS_PROFILE": "soak"} if part.soak else {}),
        }
        number = min(jobs, part.jobs)
        spread = ["-n", str(number), "--dist", "worksteal"] if number > 1 else ["-n", "0"]
        if not part.soak:
            spread = ["-n", str(number), "--dist", "loadfile", "--no-loadscope-reorder"]
        done = subprocess.run(
            [
                *(python, "-m", "pytest", "-q", *spread, f"--junitxml={report}"),
                *([f"--hypothesis-seed={seed}"] if part.soak else []),
                *files_of(part),
            ],
            cwd=ROOT,
            env=environment,
            check=False,
        )
        lines = figures.read_text().splitlines() if figures.exists() else []
        counts = counted(report)
    return {
        "commit": tested,
        "at": began.strftime("%Y-%m-%d %H:%M UTC"),
        "seed": seed if part.soak else None,
        "machine": machine(),
        "seconds": round(perf_counter() - start),
        **counts,
        "passed": done.returncode == 0 and counts["failures"] == 0,
        "versions": installed(python) if part.versions else {},
        "figures": sorted(map(json.loads, lines), key=lambda f: (f["name"], json.dumps(f))),
    }


def counted(report: Path) -> dict[str, int]:
    """How many tests ran, were skipped, and failed."""
    if not report.exists():
        return {"tests": 0, "skipped": 0, "failures": 1}
    # Trusted: pytest has just written it.
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))

    def total(name: str) -> int:
        return sum(int(suite.get(name, 0)) for suite in suites)

    skipped = total("skipped")
    return {
        "tests": total("tests") - skipped,
        "skipped": skipped,
        "failures": total("failures") + total("errors"),
    }


def store(name: str, result: dict[str, Any]) -> None:
    """Stores a part's result among those of the other parts."""
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    results[name] = result
    ordered = {part.name: results[part.name] for part in PARTS if part.name in results}
    RESULTS.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(
        prog="scripts/soak",
        description=__doc__.split("usage:")[0],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [part.name for part in PARTS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="PART")
    parser.add_argument("--seed", type=int, default=None, help="random by default")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--list", action="store_true", help="list the parts without running them")
    args = parser.parse_args(arguments)
    chosen = [part for part in PARTS if part.name in args.only]
    if args.list:
        for part in chosen:
            sys.stdout.write(f"{part.name:12} about {part.minutes:2} minutes  {part.title}\n")
        return 0
    seed = int.from_bytes(os.urandom(4)) if args.seed is None else args.seed
    failed = []
    for part in chosen:
        sys.stdout.write(f"== {part.name}: about {part.minutes} minutes, seed {seed}\n")
        sys.stdout.flush()
        if not files_of(part):
            sys.stdout.write("nothing to run\n")
            continue
        result = run(part, seed, args.jobs)
        store(part.name, result)
        if not result["passed"]:
            failed.append(part.name)
    subprocess.run(["scripts/docs"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    if failed:
        sys.stdout.write(f"failed: {', '.join(failed)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
