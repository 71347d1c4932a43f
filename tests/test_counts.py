"""Every number that a command shows agrees with its noun: 1 row, 2 rows."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from support.records import event, line, song
from typer.testing import CliRunner

import sparkify_dwh
from sparkify_dwh.cli import app, compact, profile
from sparkify_dwh.cli.summary import summary
from sparkify_dwh.core.quantity import digits, quantity
from sparkify_dwh.inspection.profile.findings import Damage, FieldProfile, Together
from sparkify_dwh.inspection.profile.results import SourceProfile
from sparkify_dwh.jobs.compact_result import Compaction
from sparkify_dwh.jobs.load.result import Run
from sparkify_dwh.steps.books import Account, SourceBook

PACKAGE = Path(sparkify_dwh.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
#: What follows a number: "1 more files", but not "1 is", "1 of", "1 s".
WRONG = re.compile(
    r"(?<![\w.,:-])1 (?:\w+ )?(?:rows|files|objects|records|events|songs|runs|checks|bytes|names|"
    r"plays|values|days|rules|fields|tables|loads|columns|duplicates|warnings)\b"
)


def test_numbers_and_their_nouns() -> None:
    assert [quantity(n, "row") for n in (0, 1, 2, 1000)] == [
        "0 rows",
        "1 row",
        "2 rows",
        "1,000 rows",
    ]
    assert quantity(1, "copy", "copies") == "1 copy"
    assert quantity(3, "copy", "copies") == "3 copies"
    assert digits(1_234_567) == "1,234,567"


# The messages in the code ------------------------------------------------------------------


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The strings of a module as they read when every number is 1."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(map(filled, node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, re.sub("%[sd]", "1", node.value)


def filled(part: ast.expr) -> str:
    """A part of an f-string: as it stands, a name or a constant as X, anything else as 1."""
    if isinstance(part, ast.Constant):
        return str(part.value)
    assert isinstance(part, ast.FormattedValue)
    code = ast.unparse(part.value)
    is_text = code.isupper() or code.split(".")[-1] in ("name", "source", "kind", "place")
    return "X" if is_text else "1"


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(PACKAGE)) for path in MODULES])
def test_no_message_has_a_plural_after_a_number(path: Path) -> None:
    wrong = [(n, text) for n, text in texts(ast.parse(path.read_text())) if WRONG.search(text)]
    assert not wrong, "use quantity()"


def test_a_plural_after_a_number_is_found() -> None:
    for code in ('f"{n} rows"', 'f"and {digits(n)} more files"', '"%s rows"', '"%s of %s checks"'):
        assert any(WRONG.search(text) for _, text in texts(ast.parse(code)))
    assert not any(WRONG.search(text) for _, text in texts(ast.parse('f"{n} is, {n:,} of x"')))


# The messages as shown ---------------------------------------------------------------------


def agrees(text: str) -> None:
    assert not WRONG.search(text), text


def test_a_summary_of_ones() -> None:
    run = Run(
        run_id="r",
        event="loaded",
        engine="duckdb",
        started_at=datetime(2018, 11, 1),
        seconds=1.0,
        sources=[SourceBook("songs", *[1] * 9)],
        targets=[Account("songs", *[1] * 10)],
        refused={f"rule_{n}": 1 for n in range(6)},
        warnings=["w"] * 30,
    )
    text = " ".join(summary(run, None).split())
    assert "songs 1 file" in text and "and 1 more rule;" in text
    agrees(text)
    run = replace(run, event="nothing new", sources=[SourceBook("songs", known=1)])
    assert ": 1 file already" in summary(run, None)


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_compaction_of_ones(dry_run: bool) -> None:
    made: list[dict[str, Any]] = [{"key": "x"}]
    done = Compaction("songs", "x/", 1, dry_run, *[1] * 9, made)
    assert compact.messages(done)[0].startswith("1 of 1 object of songs ")
    nothing = Compaction("songs", "x/", 1, dry_run, listed=1)
    for text in compact.messages(done) + compact.messages(nothing):
        agrees(text)


def test_a_profile_of_ones() -> None:
    field = FieldProfile(
        *("title", {"string": 1}, *[1] * 5, "a", "b", None, None, *[1] * 3, "b", *[1] * 3),
        damage=(Damage("double-encoded", 1, 1, (("Ã", "é"),)),),
    )
    source = SourceProfile(
        *("songs", "x", 1, 1, 1, 1),
        broken={"malformed_json": 1},
        changed=("x",),
        repeated_keys=1,
        duplicates=1,
        more_fields=1,
        fields=(field,),
        together=(Together(("a", "b"), 1),),
    )
    text = "\n".join(profile._parts(source))
    assert text.startswith("songs: 1 record in 1 file, 1 byte; 1 broken; 1 skipped by name;")
    assert "1 more field left out" in text and "in 1 record, 1 value" in text
    agrees(text)


def test_commands_about_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def stderr(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, list(arguments))
        assert result.exit_code == code, result.output
        agrees(result.output)
        return str(result.stderr)

    assert stderr("generate", "out", "--events", "1", "--songs", "1", "--days", "1").startswith(
        "1 event and 1 song written"
    )
    for number in range(40):
        Path(f"songs/{number}.json").parent.mkdir(exist_ok=True)
        Path(f"songs/{number}.json").write_bytes(line(song(song_id=f"S{number}")))
    Path("events.json").write_bytes(line(event()) + b"{oops\n")
    places = ("--song-data", "songs", "--log-data", "events.json")
    stderr("load", *places)
    assert stderr("query", "select 1") == "1 row\n"
    (run,) = json.loads(CliRunner().invoke(app, ["runs", "--json"]).stdout)
    shown = CliRunner().invoke(app, ["runs", run["run_id"]]).stdout
    assert "and 1 more file: --json lists all" in shown
    Path("songs/new.json").write_bytes(line(song(song_id="S41")))
    assert "1 object of songs" in stderr("check", "--source", *places, code=4)
    stderr("rejects")
    stderr("compact", "songs", "--into", "compacted", *places)
    stderr("erase", "--user", "8", "--dry-run")
    assert stderr("audit", "prune", "--days", "0").startswith("1 run before ")
