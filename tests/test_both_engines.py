"""What is on record of a run, dry runs, the books and odd names, on both engines."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from support import kill_and_fail
from support.folders import Folders
from support.records import HOME, event, line, lines, song
from support.reference import Reference
from support.reference_checks import expected_star
from support.rig import NO_LIMIT, MakeRig, Rig
from support.warehouses import OnRedshift

from sparkify_dwh import BooksError, Settings, SparkifyError, UsageError, Warehouse
from sparkify_dwh.jobs.load import attempt
from sparkify_dwh.jobs.load.state import LoadState
from sparkify_dwh.models.base import Base
from sparkify_dwh.steps.executor import Executor

TABLES = sorted(Base.metadata.tables)


def everything(warehouse: Rig, *but: str) -> dict[str, list[Any]]:
    return {name: warehouse.table(name) for name in TABLES if name not in but}


def filled(warehouse: Rig) -> Rig:
    """Plays with a damaged name and a refused row, and the song of one of them."""
    warehouse.put("events", "a.json", lines(event(), event(itemInSession=1, artist="BjÃ¶rk")))
    warehouse.put("events", "b.json", lines(event(level="gold"), event(sessionId=9, **HOME)))
    warehouse.put("songs", "s.json", line(song()))
    return warehouse


# The run log, the dry run, the books --------------------------------------------------------------


def test_the_log_is_only_appended_to(warehouse_on: MakeRig) -> None:
    warehouse = filled(warehouse_on(**NO_LIMIT))
    told: list[str] = []
    seen: list[Any] = []
    strict = warehouse.warehouse.settings.model_copy(update={"max_rejects": 0})
    for step in ("refused", "loaded", "nothing new", "loaded"):
        settings = strict if step == "refused" else warehouse.warehouse.settings
        try:
            told.append(Warehouse(settings).load(all=len(told) == 3).event)
        except SparkifyError:
            told.append("refused")
        assert told[-1] == step
        now = warehouse.query('SELECT * FROM audit.load_run ORDER BY "at", event DESC')
        assert len(now) == 2 * len(told) and set(seen) < set(now)
        seen = now
    found = warehouse.warehouse.runs().records()
    assert [run["event"] for run in found] == told[::-1]
    assert (found[2]["rows_read"], found[2]["rows_refused"]) == (5, 1)
    events = warehouse.warehouse.run(found[2]["run_id"]).events.records()
    assert [each["event"] for each in events] == ["started", "loaded"]


def test_a_load_does_not_read_what_is_known_of_other_runs(warehouse_on: MakeRig) -> None:
    """Steps, books, rule values and refused rows are only ever added to: that there are many of
    them costs a load nothing, and the run log is read by the loads of now alone."""
    warehouse = filled(warehouse_on(**NO_LIMIT))
    warehouse.load()
    warehouse.put("events", "c.json", line(event(sessionId=10, level="x")))
    if isinstance(warehouse, OnRedshift):
        warehouse.database.statements.clear()
        warehouse.load()
        sent = warehouse.database.sql()
    else:
        with kill_and_fail.at_moments() as moments:
            warehouse.load()
        sent = list(moments)
    of_runs = "load_step|load_book|quality_result|rejected_row"
    reads = [sql for sql in sent if re.search(rf"(FROM|JOIN|USING) audit\.({of_runs})", sql)]
    assert reads == []
    added = [re.match(rf"(?:INSERT INTO|COPY) audit\.({of_runs})", sql) for sql in sent]
    assert {found[1] for found in added if found} == {*of_runs.split("|")}


def test_a_dry_run_changes_and_records_nothing(warehouse_on: MakeRig) -> None:
    warehouse = filled(warehouse_on(**NO_LIMIT))
    before = everything(warehouse)
    dry = warehouse.load(dry_run=True)
    assert dry.event == "dry run" and everything(warehouse) == before
    real = warehouse.load()
    assert real.event == "loaded" and real.refused == {"level_valid": 1}
    assert (dry.sources, dry.targets, dry.measures) == (real.sources, real.targets, real.measures)
    assert warehouse.load(dry_run=True).event == "nothing new"


def test_loading_all_again_changes_nothing_in_the_star(warehouse_on: MakeRig) -> None:
    warehouse = filled(warehouse_on(**NO_LIMIT))
    warehouse.load()
    star = warehouse.star()
    again = warehouse.load(all=True)
    assert warehouse.star() == star
    assert [(a.merged, a.resolved_again) for a in again.targets] == [
        (a.replaced, 0) for a in again.targets
    ]
    newest = warehouse.warehouse.rejects().records()
    assert [(row["rule"], row["run_id"]) for row in newest] == [("level_valid", again.run_id)]
    assert warehouse.query("SELECT count(*) FROM audit.rejected_row") == [(2,)]


@pytest.mark.parametrize("account", ["merged", "duplicate"])
def test_books_that_do_not_balance_fail_the_load(
    warehouse_on: MakeRig, monkeypatch: pytest.MonkeyPatch, account: str
) -> None:
    warehouse = filled(warehouse_on(**NO_LIMIT))
    before = everything(warehouse, "audit.load_run")
    original = Executor.change

    def lossy(self: Executor, statement: Any, values: Any = None, **where: Any) -> int:
        """A statement that loses a row is noticed: the counts come from the statements."""
        count = original(self, statement, values, **where)
        into = statement.table.fullname if isinstance(statement, sa.Insert) else ""
        return count - 1 if into == "sparkify.users" else count

    def miscounted(state: LoadState) -> None:
        state.tables["users"].account.duplicate += 1
        balance(state)

    balance = attempt.balance
    if account == "merged":
        monkeypatch.setattr(Executor, "change", lossy)
    else:
        monkeypatch.setattr(attempt, "balance", miscounted)
    with pytest.raises(BooksError, match="users: staged") as caught:
        warehouse.load()
    assert caught.value.exit_code == 1
    monkeypatch.undo()
    newest = warehouse.warehouse.runs().records()[0]
    assert (newest["event"], newest["reason"]) == ("rolled back", caught.value.what)
    # What was refused is on record, as of every load whose data may be at fault.
    kept = ("audit.load_run", "audit.rejected_row", "audit.quality_result")
    assert everything(warehouse, *kept) == {k: v for k, v in before.items() if k not in kept}


# Names and places ---------------------------------------------------------------------------------

STRANGE = [
    *("a b.json", "a+b.json", "a%20b.json", "it's.json", 'say "x".json', "é.json", ";.json"),
    *("new\nline.json", "[1-3].json", "*.json", "?.json", "{a,b}.json", "back\\slash.json"),
    *("x.json.json", "UPPER.json", "-.json", "#.json", "$HOME.json", "tab\t.json", "日本.json"),
    *("e\u0301.json", "x" * 200 + ".json", "year=1999/ts=1/a.json", "[dir]*/a.json", "%s.json"),
    *("di\\r/é/a.json", "glob/**/a.json", "~user/a.json", "s3:/b/a.json", " .json", ":x.json"),
]


def test_objects_of_any_name_load(warehouse_on: MakeRig) -> None:
    """Each with a row of its own that a rule refuses, and one that the reader refuses."""
    warehouse = warehouse_on(**NO_LIMIT)
    names = {}
    for number, name in enumerate(STRANGE):
        if "\n" in name and isinstance(warehouse, OnRedshift):
            continue  # the S3 server of the tests takes no such key
        body = lines(event(sessionId=number), event(sessionId=number, level="?")) + b"\n{broken"
        names[str(warehouse.put("events", name, body))] = number
    run = warehouse.load()
    assert run.refused == {"level_valid": len(names), "malformed_json": len(names)}
    keys = warehouse.query("SELECT key, rows_read FROM audit.load_file")
    assert sorted(keys) == sorted((name, 3) for name in names)
    found = warehouse.warehouse.rejects(locate=True).records()
    assert sorted((row["key"], row["line"], row["rule"]) for row in found) == sorted(
        each for name in names for each in ((name, 2, "level_valid"), (name, 3, "malformed_json"))
    )
    assert warehouse.load().event == "nothing new"


def test_junk_is_skipped_and_counted(warehouse_on: MakeRig) -> None:
    warehouse = warehouse_on()
    warehouse.put("events", "good.json", line(event()))
    junk = [".hidden.json", "_SUCCESS", "_x.json", "old.json~", "x.json.bak", "x.jsonl", "json"]
    junk += ["x.JSON", "notes.txt", "x.gz", "x.json.zst", ".DS_Store", "a/.b.json", "a/b/_c.json"]
    for name in junk:
        warehouse.put("events", name, line(event(sessionId=1)))
    (book,) = [b for b in warehouse.load().sources if b.source == "events"]
    assert (book.objects, book.skipped) == (1, len(junk))
    assert [row[0] for row in warehouse.star()["songplays"]] == [139]


def test_both_sources_may_be_one_place(warehouse_on: MakeRig) -> None:
    """Each source reads all of it and refuses what is not one of its records."""
    warehouse = warehouse_on(**NO_LIMIT)
    warehouse.put("events", "e.json", line(event()))
    warehouse.put("events", "s.json", line(song()))
    settings = warehouse.warehouse.settings
    run = Warehouse(settings.model_copy(update={"song_data": settings.log_data})).load()
    assert run.refused == {"ts_valid": 1, "song_id_present": 1}
    assert warehouse.query("SELECT count(song_id) FROM sparkify.songplays") == [(1,)]


def test_one_object_may_be_the_source(warehouse_on: MakeRig) -> None:
    warehouse = warehouse_on()
    place = str(warehouse.put("events", "one.json", lines(event(), event(sessionId=2))))
    warehouse.put("events", "one.json.gz", b"not looked at")
    update = {"log_data": place, "song_data": None}
    run = Warehouse(warehouse.warehouse.settings.model_copy(update=update)).load()
    assert [(b.objects, b.staged) for b in run.sources] == [(1, 2)]


def test_an_empty_place_is_nothing_new(warehouse_on: MakeRig) -> None:
    assert warehouse_on().load().event == "nothing new"


def test_a_key_with_other_contents_in_a_new_version_of_its_object(warehouse_on: MakeRig) -> None:
    """The newer load replaces; rows that the object no longer contains stay, as the star shows."""
    warehouse, star = warehouse_on(**NO_LIMIT), Reference()
    versions = [
        lines(event(), event(itemInSession=1, location="A"), event(userId="x")),
        lines(event(itemInSession=1, location="B"), event(itemInSession=2, userId="40")),
        b"",
    ]
    for number, body in enumerate(versions):
        place = str(warehouse.put("events", "a.json", body))
        run = warehouse.load()
        star.load(events=[(place, body)])
        assert warehouse.star() == expected_star(star)
        assert [b.changed for b in run.sources if b.source == "events"] == [int(number > 0)]
    assert warehouse.query("SELECT count(*) FROM audit.load_file") == [(3,)]
    assert warehouse.warehouse.check().passed


def test_an_object_that_is_put_back_as_it_was_is_new_again(warehouse_on: MakeRig) -> None:
    """Its version is in the ledger, but the star holds what came between."""
    warehouse, star = warehouse_on(), Reference()
    for number, level in enumerate(["free", "paid", "free", "free"]):
        body = lines(event(level=level), event(sessionId=9, level=level))
        place = warehouse.put("events", "a.json", body)
        if isinstance(warehouse, Folders):  # as backups and rsync put files back
            os.utime(place, ns=(0, [7, 8, 7, 7][number]))
        checked = warehouse.warehouse.check_sources()
        if number == 3:
            assert checked.passed and warehouse.load().event == "nothing new"
            continue
        assert [o.state for s in checked.sources for o in s.objects] == [
            "changed" if number else "never loaded"
        ]
        run = warehouse.load()
        star.load(events=[(str(place), body)])
        assert (run.event, warehouse.star()) == ("loaded", expected_star(star))
    assert warehouse.query("SELECT count(*), count(DISTINCT version) FROM audit.load_file") == [
        (3, 2)
    ]


def test_the_wrong_place_is_named(warehouse_on: MakeRig, tmp_path: Path) -> None:
    warehouse = warehouse_on()
    wrong = "s3://no-such-bucket/x/" if isinstance(warehouse, OnRedshift) else str(tmp_path / "no")
    values = {**warehouse.warehouse.settings.model_dump(), "log_data": wrong}
    with pytest.raises(SparkifyError) as caught:
        Warehouse(Settings(**values)).load()
    assert caught.value.exit_code == 3 and wrong.split("/")[2] in caught.value.what
    assert caught.value.hint


# Queries ------------------------------------------------------------------------------------------


def test_a_wrong_query_is_told_with_what_the_engine_proposes(warehouse_on: MakeRig) -> None:
    warehouse = filled(warehouse_on(**NO_LIMIT))
    warehouse.load()
    with pytest.raises(UsageError, match=r"^the query failed: ") as told:
        warehouse.warehouse.query("SELECT user_idd FROM sparkify.users")
    assert "user_idd" in told.value.what and "user_id" in told.value.hint
    assert "user_idd" not in told.value.hint and "LINE" not in str(told.value)
    with pytest.raises(UsageError, match=r"^the query failed: .*syntax error") as told:
        warehouse.warehouse.query("SELECT FROM WHERE")
    assert told.value.hint == ""
