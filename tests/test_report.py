"""The report: its content, that it is safe to open, and that it is written whole or not at all."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from support.folders import Folders, MakeFolders
from support.html_pages import Page, sound
from support.records import event_line, song_line
from typer.testing import CliRunner

from sparkify_dwh import (
    Chart,
    DatabaseError,
    RejectLimitError,
    Report,
    SchemaVersionError,
    Settings,
    UsageError,
    Warehouse,
)
from sparkify_dwh.cli import app
from sparkify_dwh.inspection.report.gather import gather
from sparkify_dwh.sample.generate import generate

HOSTILE = [
    "<script>window.pwned=1</script>",
    "\"><img src=x onerror='window.pwned=1'>",
    "</title></style></script><svg onload=window.pwned=1>",
    "javascript:window.pwned=1",
    "\u202egnp.exe\u2066\u200f",
    "\x1b[31mred\x1b]0;title\x07",
    "${facts} {{7*7}} <%text> %s {0}",
    "&lt;b&gt; &amp; \u2028\u2029 \U000e0041",
]
SECTIONS = ("newest", "history", "refused", "rules", "star", "analytics", "schema", "lineage")


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Folders:
    """Three days of generated events, some broken, loaded day by day, and a load that failed."""
    root = tmp_path_factory.mktemp("loaded")
    generate(root / "data", events=1500, songs=60, days=3, seed=5, dirty=0.02)
    folders = Folders(root / "w", template, max_reject_ratio=0.2)
    songs = sorted((root / "data" / "song_data").rglob("*.json"))
    for n, day in enumerate(sorted((root / "data" / "log_data").rglob("*.json"))):
        folders.put("events", day.name, day.read_bytes())
        for each in songs[n::3]:
            folders.put("songs", each.name, each.read_bytes())
        folders.load()
    bad = folders.put("events", "bad.json", b"nope\n" * 2000)
    with pytest.raises(RejectLimitError):
        folders.load()
    bad.unlink()
    folders.load()
    return folders


def section(page: Page, name: str) -> str:
    (found,) = (e for e in page.all("section") if e.attributes["id"] == name)
    return found.text


# Its content -------------------------------------------------------------------------------------


def test_the_page_agrees_with_the_run_log(loaded: Folders) -> None:
    page = sound(loaded.warehouse.report().html)
    for name in SECTIONS:
        assert section(page, name)
    runs = loaded.warehouse.runs()
    states = [row[1] for row in runs]
    assert states == ["nothing new", "refused", "loaded", "loaded", "loaded"]
    history = section(page, "history")
    for record in runs.records():
        assert record["run_id"] in history
    newest = next(r for r in runs.records() if r["event"] == "loaded")
    text = section(page, "newest")
    books = loaded.warehouse.run(newest["run_id"]).books
    for record in books.records():
        assert f"{record['rows']:,}" in text, record
    assert "No load has been committed" not in text
    assert "The books balance" in text
    refused = [e for e in page.all("details") if e.attributes.get("data-item") == "refused"]
    (failed,) = (r["run_id"] for r in runs.records() if r["event"] == "refused")
    expected = Counter(
        (row["source"], row["rule"])
        for row in loaded.warehouse.rejects().records()
        if row["run_id"] != failed
    )
    assert {(e.attributes["data-source"], e.attributes["data-rule"]) for e in refused} == set(
        expected
    )
    for (_, rule), count in expected.items():
        assert f"{rule}" in section(page, "refused") and f"{count:,} row" in page.text
    for name, rows in loaded.star().items():
        assert f"sparkify.{name}{len(rows):,}" in section(page, "star").replace("\n", "")


def test_a_failed_run_shows_what_it_refused(warehouse: MakeFolders) -> None:
    folders = warehouse()
    folders.put("events", "a.json", b"nope\n" * 50)
    with pytest.raises(RejectLimitError):
        folders.load()
    page = sound(folders.warehouse.report().html)
    newest = section(page, "newest")
    assert "refused" in newest and "50 of 50 rows refused" in newest
    assert "No load has been committed yet" in newest
    assert "100.00 %" in newest
    (row,) = (e for e in page.all("tr") if e.attributes.get("data-state") == "refused")
    assert "50100.00 %" in row.text  # refused, ratio
    assert "malformed_json events50 rows" in section(page, "refused")
    assert "and 45 more" in section(page, "refused")
    assert "nothing to draw" in section(page, "analytics")


def test_an_empty_warehouse(warehouse: MakeFolders) -> None:
    page = sound(warehouse().warehouse.report().html)
    assert "No run so far" in section(page, "newest")
    assert "nothing to draw" in section(page, "analytics")
    assert "sparkify.songplays" in section(page, "schema")


def test_no_warehouse_and_another_schema(tmp_path: Path, warehouse: MakeFolders) -> None:
    url = f"duckdb:///{tmp_path / 'none.duckdb'}"
    with pytest.raises(DatabaseError, match="there is no warehouse"):
        Warehouse(Settings(database_url=url)).report(tmp_path / "r.html")
    folders = warehouse()
    folders.warehouse.migrate("base")
    with pytest.raises(SchemaVersionError, match="schema version none"):
        folders.warehouse.report(tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()


def test_charts_are_counted_right(loaded: Folders) -> None:
    """Against plain Python over the rows of the star."""
    engine = loaded.warehouse._reader()
    with engine.session(read_only=True) as connection:
        facts = gather(engine, connection, loaded.warehouse.declarations)
    found = {chart.name: [tuple(row) for row in rows] for chart, rows, _ in facts.charts}
    plays = loaded.query(
        "SELECT start_time, user_id, level, song_id, artist_id, song_title, artist_name, location,"
        " user_agent, session_id, item_in_session FROM sparkify.songplays"
    )
    assert plays
    by_hour = Counter((p[0].isoweekday(), p[0].hour) for p in plays)
    assert {row[:2]: row[2] for row in found["plays_by_hour"]} == by_hour
    days = sorted({(p[0].year, p[0].month, p[0].day) for p in plays})

    def count(day: tuple[int, ...], fits: Callable[[Any], bool]) -> int:
        return sum((p[0].year, p[0].month, p[0].day) == day and fits(p) for p in plays)

    assert found["plays_by_day"] == [
        (*d, count(d, lambda p: p[2] == "free"), count(d, lambda p: p[2] == "paid")) for d in days
    ]
    assert found["matches"] == [
        (
            *d,
            count(d, lambda p: p[3] is not None),
            count(d, lambda p: p[3] is None and p[4] is not None),
            count(d, lambda p: p[4] is None),
        )
        for d in days
    ]
    changes: Counter[tuple[Any, ...]] = Counter()
    ordered = sorted(plays, key=lambda p: (p[1], p[0], p[9], p[10]))
    for _, each in groupby(ordered, key=lambda p: p[1]):
        mine = list(each)
        for before, now in pairwise(mine):
            if before[2] != now[2]:
                changes[now[0].year, now[0].month, now[0].day, now[2]] += 1
    assert changes, "the generated data hold a change of level"
    assert found["level_changes"] == [
        (*d, changes[(*d, "paid")], changes[(*d, "free")])
        for d in days
        if changes[(*d, "paid")] + changes[(*d, "free")]
    ]
    for name, places in {
        "top_songs": (5, 6), "top_artists": (6,), "places": (7,), "browsers": (8,),
    }.items():  # fmt: skip
        counted = Counter(tuple(p[i] for i in places) for p in plays)
        counted.pop((None,), None)
        best = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:10]
        assert [(row[:-1], row[-1]) for row in found[name]] == best, name
    lengths = Counter(Counter(p[9] for p in plays).values())
    assert sum(row[1] for row in found["sessions"]) == sum(lengths.values())
    assert dict(found["sessions"]).get("1", 0) == lengths[1]
    middle = sum(n for length, n in lengths.items() if 2 <= length <= 5)
    assert dict(found["sessions"]).get("2 to 5", 0) == middle
    users = loaded.query("SELECT level, gender, count(*) FROM sparkify.users GROUP BY 1, 2")
    assert {row[:2]: row[2] for row in found["users"]} == {r[:2]: r[2] for r in users}


def test_your_own_chart(warehouse: MakeFolders) -> None:
    folders = warehouse()
    mine = Chart(
        "answer", "The <answer>", "To everything.", "ranking",
        lambda: sa.select(sa.literal("<i>six</i>").label("name"), sa.literal(42).label("n")),
    )  # fmt: skip
    known = folders.warehouse.declarations.extended(charts=[mine, mine])
    page = sound(Warehouse(folders.warehouse.settings, known).report().html)
    assert "The <answer>" in section(page, "analytics")
    assert "<i>six</i>" in section(page, "analytics") and "42" in section(page, "analytics")


def test_the_chart_that_the_page_of_docs_shows(warehouse: MakeFolders) -> None:
    page = (Path(__file__).parents[1] / "docs" / "report.md").read_text(encoding="utf-8")
    (code,) = (c for c in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "extend" in c)
    module: dict[str, Any] = {}
    exec(code, module)
    folders = warehouse()
    folders.put("songs", "a.json", song_line(artist_location="Oslo").encode())
    folders.load()
    known = module["extend"](folders.warehouse.declarations)
    html = Warehouse(folders.warehouse.settings, known).report().html
    analytics = section(sound(html), "analytics")
    assert "Where artists come from" in analytics and "Oslo" in analytics


def test_a_person_that_was_erased_is_not_on_the_page(warehouse: MakeFolders) -> None:
    """It shows the current content of the tables: no copy is kept anywhere."""
    folders = warehouse()
    lines = event_line(userId="8") + event_line(userId="77", location="Nowhere, NW", sessionId=5)
    refused = event_line(userId="77", level="gold", firstName="Zaphod", itemInSession=9)
    folders.put("events", "a.json", (lines + refused).encode())
    folders.load()
    before = folders.warehouse.report().html
    assert "Nowhere, NW" in before and "Zaphod" in before
    folders.warehouse.erase(77)
    page = sound(folders.warehouse.report().html)
    assert "Nowhere, NW" not in page.html and "Zaphod" not in page.html
    assert "(its text was erased)" in section(page, "refused")
    folders.put("events", "b.json", (event_line(itemInSession=7) + lines).encode())
    folders.load()
    newest = section(sound(folders.warehouse.report().html), "newest")
    assert "Nowhere" not in newest and "1 erased" in newest and "The books balance" in newest


def test_books_that_were_pruned(warehouse: MakeFolders) -> None:
    folders = warehouse()
    folders.put("events", "a.json", event_line().encode())
    folders.load()
    with folders.warehouse.engine.begin() as connection:
        for table in ("load_book", "load_step", "quality_result", "rejected_row"):
            connection.exec_driver_sql(f"DELETE FROM audit.{table}")
    page = sound(folders.warehouse.report().html)
    assert "Its books are no longer kept." in section(page, "newest")
    assert "No rule has been measured yet." in section(page, "rules")
    assert "Plays by day" in section(page, "analytics")


# Safe to open ------------------------------------------------------------------------------------


def hostile(folders: Folders) -> None:
    """A warehouse with hostile text wherever text from outside can stand."""
    lines = "".join(
        event_line(
            itemInSession=n, song=text, artist=text[::-1], userAgent=text, location=text,
            firstName=text, ts=1541106106796 + n, sessionId=session,
        )
        for session in range(80)
        for n, text in enumerate(HOSTILE)
    )  # fmt: skip
    bad = "".join(event_line(itemInSession=n, level=text) for n, text in enumerate(HOSTILE))
    name = "\"><script>window.pwned=1;'\u202e&lt;.json"
    folders.put("events", name, (lines + bad).encode())
    folders.put("songs", "<svg onload=window.pwned=1>.json", song_line(title=HOSTILE[0]).encode())
    folders.load()
    folders.put("events", "<b>.json", ("<script>window.pwned=1</script>\n" * 60).encode())
    with pytest.raises(RejectLimitError):
        folders.load()


def test_whatever_comes_from_outside_is_text(warehouse: MakeFolders) -> None:
    folders = warehouse(reject_floor=20)
    hostile(folders)
    html = folders.warehouse.report().html
    page = sound(html)
    assert "<script>window.pwned=1</script>" in section(page, "analytics")
    assert "<svg onload=window.pwned=1>.json" in section(page, "newest")
    assert "\\u202egnp.exe\\u2066\\u200f" in section(page, "analytics")
    assert "\\x1b[31mred\\x1b]0;title\\x07" in section(page, "analytics")
    assert "${facts} {{7*7}} <%text> %s {0}" in section(page, "analytics")
    # Nothing acts on a terminal that shows the page, or turns its text around.
    assert not set(html) & {chr(n) for n in (*range(9), *range(11, 32), *range(127, 160))}
    assert not set(html) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u200e\u200f\u2028")


def test_comments_of_tables_are_text(
    warehouse: MakeFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an extension may declare them."""
    folders = warehouse()
    text = "".join(HOSTILE)
    for target in folders.warehouse.declarations.targets:
        for item in (target.table, *target.table.columns):
            monkeypatch.setattr(item, "comment", text)
    html = folders.warehouse.report().html
    sound(html)
    assert "&lt;script&gt;window.pwned=1" in html and "\\x1b[31mred" in html
    assert not set(html) & {chr(n) for n in (*range(9), *range(11, 32), *range(127, 160))}


def test_secrets_are_masked(warehouse: MakeFolders, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = warehouse()
    url = "redshift+redshift_connector://ann:hunter2@cluster.example:5439/dev"
    engine = folders.warehouse._reader()
    engine.settings = Settings(database_url=url)
    with engine.session(read_only=True) as connection:
        facts = gather(engine, connection, folders.warehouse.declarations)
    assert "hunter2" not in repr(facts) and "cluster.example" in facts.database


def test_a_large_warehouse_stays_small_on_the_page(warehouse: MakeFolders) -> None:
    """Many runs, rules and refused rows with the longest and worst text there is."""
    folders = warehouse()
    worst = "repeat(chr(917569) || '<' || chr(8238), 5000)"
    run = "lpad(n::varchar, 6, '0')"
    with folders.warehouse.engine.begin() as connection:
        for statement in (
            f"""INSERT INTO audit.load_run (run_id, event, "at", host, pid, db_user, engine,
                version, reason)
            SELECT {run}, event, TIMESTAMP '2026-01-01' + to_hours(n::int), 'h', 1, 'u', 'e', 'v',
                left({worst}, 1000)
            FROM range(150) r(n), (VALUES ('started'), ('refused')) e(event)""",
            f"""INSERT INTO audit.quality_result (run_id, rule, target, severity, value,
                limit_value, passed)
            SELECT {run}, 'rule_' || m, 'source_' || m % 2, 'reject', n * 1e6 + m, NULL, true
            FROM range(150) r(n), range(80) s(m)""",
            f"""INSERT INTO audit.rejected_row (run_id, position, source, rule, reason, key,
                line, raw, raw_bytes, "at")
            SELECT '000149', n, 'source_' || n % 2, 'rule_' || n % 80, left({worst}, 200),
                left({worst}, 900), 1, {worst}, 65535, now()::timestamp
            FROM range(1000) r(n)""",
        ):
            connection.exec_driver_sql(statement)
    page = sound(folders.warehouse.report().html)
    assert "The newest 60 of 150 runs." in section(page, "history")
    kept = [e for e in page.all("details") if e.attributes.get("data-item") == "refused"]
    assert len(kept) == 80


# A file, whole or not at all ----------------------------------------------------------------------


def test_writing_and_writing_again(loaded: Folders, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    made = loaded.warehouse.report(path)
    assert path.read_text("utf-8") == made.html
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
    path.chmod(0o640)
    made.write(str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    link = tmp_path / "link.html"
    link.symlink_to(path)
    Report("<!doctype html>new").write(link)
    assert link.is_symlink() and path.read_text() == "<!doctype html>new"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link.html", "report.html"]


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    path.write_text("<!doctype html>old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match=r"cannot be written: No space left on device"):
        Report("<!doctype html>new").write(path)
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    assert path.read_text() == "<!doctype html>old"


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("", "is a folder"),
        ("none/report.html", "does not exist"),
        ("data.json", "is not an HTML page"),
        ("data.json/report.html", "does not exist"),
        ("nul\0.html", "is not a file name"),
        ("x" * 300 + ".html", "cannot be written"),
    ],
)
def test_places_that_cannot_be(loaded: Folders, tmp_path: Path, name: str, what: str) -> None:
    (tmp_path / "data.json").write_text("{}")
    with pytest.raises(UsageError, match=what) as raised:
        loaded.warehouse.report(f"{tmp_path}/{name}")
    assert raised.value.hint
    assert [p.name for p in tmp_path.iterdir()] == ["data.json"]


def test_the_warehouse_itself_is_not_replaced(loaded: Folders) -> None:
    before = loaded.database.read_bytes()
    with pytest.raises(UsageError, match="is not an HTML page"):
        loaded.warehouse.report(loaded.database)
    assert loaded.database.read_bytes() == before


def test_pipes_are_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(pipe.read_bytes)
        Report("<!doctype html>").write(pipe)
        assert stat.S_ISFIFO(pipe.stat().st_mode)
        assert reading.result(timeout=60) == b"<!doctype html>"


def test_the_command(loaded: Folders, tmp_path: Path) -> None:
    options = ["--database-url", f"duckdb:///{loaded.database}"]
    path = tmp_path / "report.html"
    done = CliRunner().invoke(app, ["report", str(path), *options])
    assert done.exit_code == 0 and done.stdout == ""
    assert done.stderr == f"{path} written: {round(path.stat().st_size / 1000)} kB\n"
    sound(path.read_text("utf-8"))
    done = CliRunner().invoke(app, ["report", "-", *options])
    assert done.exit_code == 0 and done.stdout.startswith("<!doctype html>")
    for bad, message in (
        (str(tmp_path), "is a folder"),
        (f"{tmp_path}/no/r.html", "does not exist"),
    ):
        done = CliRunner().invoke(app, ["report", bad, *options])
        assert done.exit_code == 2 and message in done.stderr and done.stdout == ""
    none = ["--database-url", f"duckdb:///{tmp_path}/none.duckdb"]
    assert CliRunner().invoke(app, ["report", str(path), *none]).exit_code == 5
    assert not (tmp_path / "none.duckdb").exists()


def test_it_shows_itself_in_a_notebook() -> None:
    html = Report('<!doctype html><p title="x">')._repr_html_()
    assert 'srcdoc="&lt;!doctype html&gt;&lt;p title=&quot;x&quot;&gt;"' in html
    assert 'sandbox="allow-scripts"' in html and len(repr(Report("x" * 9000))) < 50


def test_rendering_imports_nothing_at_the_start_of_the_command_line() -> None:
    import subprocess

    code = "import sys, sparkify_dwh.cli; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", f"import json; {code}"], capture_output=True, text=True, check=True
    )
    assert not {"mako", "markupsafe", "sparkify_dwh.inspection.report"} & set(
        json.loads(done.stdout)
    )
