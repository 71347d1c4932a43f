"""The long run, its page, the lowest versions, and the licences of what comes along."""

from __future__ import annotations

import ast
import json
import os
import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

ROOT = Path(__file__).parents[1]
for folder in ("docs", "scripts"):
    sys.path.insert(0, str(ROOT / folder))

import _reliability  # noqa: E402
import licences  # noqa: E402
import lowest  # noqa: E402
import soak  # noqa: E402

FOUND: dict[str, Any] = {
    "commit": "0123456789",
    "at": "2018-11-01 21:01 UTC",
    "seed": 4711,
    "machine": "2 cores",
    "seconds": 12,
    "tests": 3,
    "skipped": 1,
    "failures": 0,
    "passed": True,
    "versions": {},
    "figures": [{"name": "points tried", "soak": True, "points": 12345, "engine": "duckdb"}],
}


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_the_page_is_written_from_the_figures() -> None:
    assert _reliability.reliability() in page("reliability.md")
    without = re.sub(
        r"<!-- \[\[\[cog.*?\[\[\[end\]\]\] -->", "", page("reliability.md"), flags=re.S
    )
    assert not re.search(r"\d", without), "a figure that no test recorded"


def test_the_page_shows_what_was_found(tmp_path: Path) -> None:
    file = tmp_path / "reliability.json"
    assert "not run yet" in _reliability.reliability(file)
    file.write_text(
        json.dumps({"faults": FOUND, "lowest": {**FOUND, "passed": False, "failures": 2}})
    )
    text = _reliability.reliability(file)
    assert "| points tried | points 12,345, engine duckdb |" in text
    assert "| `faults` | passed | 3 | 12 | `0123456789` | 2018-11-01 21:01 UTC |" in text
    assert "| `lowest` | **2 failed** |" in text
    assert "Machine: 2 cores. Seed: 4711. Skipped: 1." in text


def test_parts_are_kept_until_they_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soak, "RESULTS", tmp_path / "kept.json")
    soak.store("newest", FOUND)
    soak.store("faults", FOUND)
    soak.store("newest", {**FOUND, "seed": 1})
    held = json.loads(soak.RESULTS.read_text())
    assert list(held) == ["faults", "newest"]
    assert (held["faults"]["seed"], held["newest"]["seed"]) == (4711, 1)


def test_a_part_runs_its_tests_and_keeps_their_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a test that passes, one that fails, and one whose file is broken."""
    tests = tmp_path / "tests"
    tests.mkdir()
    (tests / "figures.py").write_text((ROOT / "tests" / "support" / "soak_figures.py").read_text())
    (tests / "test_a.py").write_text(
        "import os\nfrom figures import figure\n"
        "def test_a():\n    figure('n', seed=int(os.environ['SPARKIFY_SOAK_SEED']))\n"
    )
    monkeypatch.setattr(soak, "ROOT", tmp_path)
    monkeypatch.setattr(soak, "commit", lambda: "abc")
    part = soak.Part("a", "A", 1, ("test_*.py",), jobs=1)
    found = soak.run(part, 7, 1)
    assert (found["passed"], found["tests"], found["seed"]) == (True, 1, 7)
    assert found["figures"] == [{"name": "n", "soak": True, "seed": 7}]
    (tests / "test_b.py").write_text("def test_b():\n    assert False\n")
    found = soak.run(part, 7, 1)
    assert (found["passed"], found["tests"], found["failures"]) == (False, 2, 1)
    (tests / "test_b.py").write_text("nonsense(\n")
    assert not soak.run(part, 7, 1)["passed"]


def test_every_long_test_is_part_of_the_run_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test file with more to do in a long run belongs to a part, by name or with the others."""
    found = [name for part in soak.PARTS if part.soak for name in soak.files_of(part)]
    assert len(found) == len(set(found))
    assert {"tests/test_faults.py", "tests/test_input_forms.py"} <= set(found)
    (tmp_path / "tests" / "deep").mkdir(parents=True)
    for name, text in {
        "test_faults.py": "",
        "test_short.py": "def test_a(): pass",
        "deep/test_long.py": "@settings(max_examples=examples(1, 2))",
    }.items():
        (tmp_path / "tests" / name).write_text(text)
    monkeypatch.setattr(soak, "ROOT", tmp_path)
    found = [name for part in soak.PARTS if part.soak for name in soak.files_of(part)]
    assert found == ["tests/test_faults.py", "tests/deep/test_long.py"]


def test_an_unknown_part_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        soak.main(["--only", "nothing"])
    assert ended.value.code == 2
    assert soak.main(["--list"]) == 0
    assert "about" in capsys.readouterr().out


# Versions ----------------------------------------------------------------------------------------


def test_the_lowest_versions_are_those_of_the_metadata() -> None:
    text = "[options]\ninstall_requires =\n    a>=1.2,<2\n    b~=3.4.5\n"
    text += "[options.extras_require]\nx =\n    c[d,e]>=6\n    sparkify-dwh[y]\ny =\n    f\n"
    assert lowest.lowest(["x"], text) == ["a==1.2", "b==3.4.5", "c==6"]
    with pytest.raises(ValueError, match="f has no lower bound"):
        lowest.lowest(["y"], text)


def test_what_is_installed_is_not_older_than_is_allowed() -> None:
    for pin in lowest.lowest(soak.EXTRAS, lowest.SETUP.read_text(encoding="utf-8")):
        name, _, least = pin.partition("==")
        assert Version(version(name)) >= Version(least), name


def test_what_the_package_imports_it_also_asks_for() -> None:
    """A package that only another one brings could go away with it, or be of any version."""
    text = lowest.SETUP.read_text(encoding="utf-8")
    asked = {
        pin.partition("==")[0].replace("-", "_") for pin in lowest.lowest(soak.EXTRAS[:3], text)
    }
    # Brought by pydantic-settings, boto3, typer, whose own interface they are part of.
    asked |= {"pydantic", "botocore", "click", "rich", "sparkify_dwh"} | set(
        sys.stdlib_module_names
    )
    found = set()
    for path in (ROOT / "sparkify_dwh").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module.partition(".")[0])
    assert found - asked == set()


# Licences ----------------------------------------------------------------------------------------


def test_every_licence_is_allowed_and_on_the_page() -> None:
    if licences.missing():
        pytest.skip(f"extras are not installed: {licences.missing()}")
    text = page("licences.md")
    for name, told, _ in licences.rows():
        assert set(told.split(" and ")) <= licences.ALLOWED, (name, told)
        # Older versions bring other packages along: the page is about the newest.
        listed = f"| {name} | " in text or os.environ.get("SPARKIFY_SOAK_VERSIONS") == "lowest"
        assert listed, "scripts/docs brings the page up to date"
    assert "| sqlalchemy | MIT | base |" in text
    assert "| boto3 | Apache-2.0 | aws, redshift |" in text
    assert "pytest" not in text


class Told:
    """A package with some metadata."""

    def __init__(self, **fields: str) -> None:
        self.metadata = self
        self.fields = {name.replace("_", "-"): value for name, value in fields.items()}

    def get(self, name: str) -> str | None:
        return self.fields.get(name)

    def get_all(self, name: str, other: object) -> object:
        return [self.fields[name]] if name in self.fields else other


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (Told(License_Expression="GPL-3.0-only OR MIT"), {"MIT"}),
        (Told(License_Expression="MIT AND (GPL-2.0 OR AGPL-3.0)"), {"MIT", "GPL-2.0"}),
        (Told(License="GPLv3", Classifier="License :: OSI Approved"), {"GPLv3"}),
        (Told(Classifier="License :: OSI Approved :: GNU General Public License"),
         {"GNU General Public License"}),
        (Told(License="MIT License\nCopyright …"), {"not stated"}),
        (Told(), {"not stated"}),
    ],
)  # fmt: skip
def test_what_is_not_allowed_does_not_pass(told: Any, expected: set[str]) -> None:
    assert licences.licences(told) == expected
