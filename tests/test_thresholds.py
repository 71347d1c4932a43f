"""How much may be refused: equal passes, more ends the load, and what was refused stays visible."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from support.records import event, lines, song
from support.rig import MakeRig, Rig

from sparkify_dwh import CheckError, RejectLimitError, Rule, Settings, Warehouse
from sparkify_dwh.models.base import Base
from sparkify_dwh.steps.executor import Executor
from sparkify_dwh.steps.feed import keys_table
from sparkify_dwh.steps.limits import reject_measures
from sparkify_dwh.steps.star_checks import check_target

#: The only tables in which a refused load leaves rows.
OF_FAILED_RUNS = {"audit.load_run", "audit.rejected_row", "audit.quality_result"}


def events(good: int, bad: int) -> bytes:
    """Sound plays, and events with a level that nobody has."""
    return lines(
        *(
            event(
                itemInSession=number,
                ts=1541106106796 + number,
                level="free" if number < good else "gold",
            )
            for number in range(good + bad)
        )
    )


def songs(good: int, bad: int) -> bytes:
    """Sound songs, and songs without an id."""
    return lines(
        *(song(artist_id=f"AR{n}", song_id=f"SO{n}" if n < good else "") for n in range(good + bad))
    )


def state(folders: Rig) -> dict[str, list[Any]]:
    """All that a load may change but the run log and what refused rows leave."""
    names = sorted(set(Base.metadata.tables) - OF_FAILED_RUNS)
    return {name: folders.table(name) for name in names}


@pytest.mark.parametrize(
    ("read", "refused", "limits", "passes"),
    [
        # The floor: a few refused rows never fail a load, whatever their share.
        (20, 10, {}, True),
        (20, 11, {}, False),
        (20, 0, {"reject_floor": 0}, True),
        (20, 1, {"reject_floor": 0}, False),
        # The ratio: above the floor a share of the rows read may be refused.
        (1100, 11, {}, True),
        (1099, 11, {}, False),
        (1100, 12, {}, False),
        # 0.29 * 100 is 28.999999999999996.
        (100, 29, {"max_reject_ratio": 0.29}, True),
        (100, 30, {"max_reject_ratio": 0.29}, False),
        (100, 100, {"max_reject_ratio": 1.0}, True),
        # The plain number, which holds below the floor too.
        (1000, 3, {"max_rejects": 3}, True),
        (1000, 4, {"max_rejects": 3}, False),
        (1000, 1, {"max_rejects": 0}, False),
        (0, 0, {"max_rejects": 0, "reject_floor": 0, "max_reject_ratio": 0.0}, True),
    ],
)
def test_equal_passes_and_more_does_not(
    read: int, refused: int, limits: dict[str, Any], passes: bool
) -> None:
    found = reject_measures(Settings(**limits), "events", read, refused)
    assert all(measure.passed for measure in found) is passes
    assert found[0].value == (refused / read if read else 0.0)


@pytest.mark.parametrize(
    ("good", "bad", "limits"),
    [(10, 10, {}), (990, 11, {"max_reject_ratio": 11 / 1001}), (17, 3, {"max_rejects": 3})],
)
def test_a_load_at_its_limit_is_committed(
    warehouse_on: MakeRig, good: int, bad: int, limits: dict[str, Any]
) -> None:
    folders = warehouse_on(**limits)
    folders.put("events", "a.json", events(good, bad))
    run = folders.load()
    assert run.event == "loaded" and run.refused == {"level_valid": bad}
    rules = folders.warehouse.run(run.run_id).rules.records()
    measured = {rule["rule"]: rule for rule in rules if rule["target"] == "events"}
    declared = {rule.name for rule in folders.warehouse.declarations.source("events").rules}
    assert declared < set(measured)
    assert measured["level_valid"]["value"] == bad
    assert measured["reject_ratio"]["value"] == bad / (good + bad)
    assert measured["reject_ratio"]["limit_value"] == limits.get("max_reject_ratio", 0.01)
    assert ("max_rejects" in measured) is ("max_rejects" in limits)
    assert all(rule["passed"] for rule in rules)


@pytest.mark.parametrize(
    ("good", "bad", "limits", "advice"),
    [
        (9, 11, {}, "allow more: --max-reject-ratio or --reject-floor"),
        (17, 3, {"max_rejects": 2}, "allow more: --max-rejects"),
    ],
)
def test_a_load_above_its_limit_ends_before_the_commit(
    warehouse_on: MakeRig, good: int, bad: int, limits: dict[str, Any], advice: str
) -> None:
    folders = warehouse_on(**limits)
    folders.put("events", "first.json", events(5, 1))
    folders.load()
    before = state(folders)
    path = str(folders.put("events", "a.json", events(good, bad)))
    with pytest.raises(RejectLimitError) as caught:
        folders.load()
    error = caught.value
    assert error.exit_code == 4
    summary, *samples = error.what.splitlines()
    assert summary == (
        f"events: {bad} of {good + bad} rows refused, more than allowed (level_valid {bad})"
    )
    assert len(samples) == 3
    for number, sample in enumerate(samples):
        place = f"{path}:{good + 1 + number} " if folders.records_place else ""
        assert sample.startswith(f'  {place}level_valid: {{"artist": "')
    assert error.hint.endswith(advice)
    assert state(folders) == before

    newest = folders.warehouse.runs().records()[0]
    assert newest["event"] == "refused" and newest["reason"] == summary
    assert f"--run {newest['run_id']}" in error.hint and error.run_id == newest["run_id"]
    refused = folders.warehouse.rejects(run_id=newest["run_id"], locate=True).records()
    assert [(row["rule"], row["key"], row["line"]) for row in refused] == [
        ("level_valid", path, line) for line in range(good + 1, good + bad + 1)
    ]
    assert all('"gold"' in row["raw"] for row in refused)
    detail = folders.warehouse.run(newest["run_id"])
    assert [event["event"] for event in detail.events.records()] == ["started", "refused"]
    assert not detail.files.rows and not detail.books.rows
    measured = {r["rule"]: r for r in detail.rules.records()}
    assert measured["level_valid"]["value"] == bad
    failed = "max_rejects" if limits else "reject_ratio"
    assert [name for name, rule in measured.items() if not rule["passed"]] == [failed]

    # More is allowed: the same objects load.
    folders.warehouse = Warehouse(
        folders.warehouse.settings.model_copy(update={"max_reject_ratio": 1.0, "max_rejects": None})
    )
    assert folders.load().refused == {"level_valid": bad}


def test_what_every_source_refuses_is_on_record(warehouse_on: MakeRig) -> None:
    folders = warehouse_on()
    folders.put("songs", "a.json", songs(5, 20))
    folders.put("events", "a.json", events(5, 30))
    with pytest.raises(RejectLimitError) as caught:
        folders.load()
    lines = caught.value.what.splitlines()
    assert [line.split(" rows")[0] for line in lines[:2]] == [
        "songs: 20 of 25",
        "events: 30 of 35",
    ]
    assert len(lines) == 5
    run = folders.warehouse.runs().records()[0]["run_id"]
    assert len(folders.warehouse.rejects(run_id=run)) == 50
    targets = {rule["target"] for rule in folders.warehouse.run(run).rules.records()}
    assert targets == {"songs", "events"}


def test_rows_of_a_failed_load_are_shown_for_its_run_only(warehouse_on: MakeRig) -> None:
    folders = warehouse_on()
    folders.put("events", "a.json", events(5, 30))
    with pytest.raises(RejectLimitError):
        folders.load()
    assert folders.warehouse.rejects().rows == []


def test_the_worst_rules_come_first_and_each_has_a_sample(warehouse_on: MakeRig) -> None:
    folders = warehouse_on()
    body = events(2, 12).splitlines()
    broken = [b'{"ts": 5'] * 3
    seconds = [line.replace(b"1541106106", b"154110610") for line in events(20, 0).splitlines()]
    folders.put("events", "a.json", b"\n".join([*body, *broken, *seconds]))
    with pytest.raises(RejectLimitError) as caught:
        folders.load()
    first, *samples = caught.value.what.splitlines()
    order = first[first.index("(") + 1 : -1].split(", ")
    counts = [int(part.split()[1]) for part in order]
    assert len(order) == 3 and counts == sorted(counts, reverse=True) and sum(counts) == 35
    shown = [re.search(r"(\w+): \{", sample) for sample in samples]
    assert [found and found[1] for found in shown] == [part.split()[0] for part in order]


def test_a_dry_run_above_the_limit_ends_as_the_load_does(warehouse_on: MakeRig) -> None:
    folders = warehouse_on()
    folders.put("events", "a.json", events(5, 30))
    before = state(folders)
    with pytest.raises(RejectLimitError) as dry:
        folders.load(dry_run=True)
    assert "--run" not in dry.value.hint
    assert folders.warehouse.runs().rows == [] and state(folders) == before
    assert folders.query("SELECT count(*) FROM audit.rejected_row") == [(0,)]
    with pytest.raises(RejectLimitError) as real:
        folders.load()
    assert dry.value.what == real.value.what


def test_a_check_of_the_star_that_fails_refuses_the_load(warehouse_on: MakeRig) -> None:
    """A rule of the result: more sessions than anybody expects."""
    folders = warehouse_on()
    shipped = folders.warehouse.declarations
    rule = Rule("few_items", lambda row: row.c.item_in_session < 3, "so it is here")
    targets = []
    for target in shipped.targets:
        given = vars(target) | ({"checks": (rule,)} if "item_in_session" in target.key else {})
        targets.append(type(target)(**given))
    folders.warehouse.declarations = type(shipped)(shipped.sources, tuple(targets))
    folders.put("events", "a.json", events(5, 1))
    before = state(folders)
    with pytest.raises(CheckError) as caught:
        folders.load()
    assert caught.value.exit_code == 4
    assert "few_items broken by 2 rows" in caught.value.what
    assert state(folders) == before
    run = folders.warehouse.runs().records()[0]
    assert run["event"] == "refused"
    rules = folders.warehouse.run(run["run_id"]).rules.records()
    assert [(r["value"], r["passed"]) for r in rules if r["rule"] == "few_items"] == [(2.0, False)]
    assert len(folders.warehouse.rejects(run_id=run["run_id"])) == 1


PLAYS = Base.metadata.tables["sparkify.songplays"]
#: What each foreign key of a play knows; every play below refers to one of these, or to nothing.
KNOWN: dict[str, Any] = {
    "artist_id": "A1",
    "song_id": "S1",
    "start_time": datetime(2018, 11, 1),
    "user_id": 1,
}


def plays() -> list[dict[str, Any]]:
    """Plays that break every check of theirs, in many combinations; some keys twice."""
    return [
        {
            "session_id": n // 8,
            "item_in_session": n % 8 if n % 11 else 0,
            "start_time": KNOWN["start_time"] + timedelta(seconds=n % 5 == 0),
            "user_id": 1 + (n % 7 == 0),
            "level": "gold" if n % 13 == 0 else "free",
            "song_id": (None, "S1", "S2")[n % 3],
            "artist_id": (None, "A1", "A1", "A2")[n % 4],
            "song_title": "T",
            "artist_name": "A",
            "duration": 200.5 if n % 6 else -1.0,
        }
        for n in range(96)
    ]


@pytest.mark.parametrize("form", ["all", "by key", "first load", "apart"])
def test_a_check_counts_what_is_broken(warehouse_on: MakeRig, form: str) -> None:
    """However its rows are found: all, by their keys in one pass, or each foreign key apart."""
    warehouse = warehouse_on().warehouse
    target = next(t for t in warehouse.declarations.targets if t.table is PLAYS)
    rows = plays()
    staged = {(r["session_id"], r["item_in_session"]) for r in rows}
    if form in ("by key", "apart"):
        staged = {key for key in staged if key[0] % 3}
    checked = [r for r in rows if (r["session_id"], r["item_in_session"]) in staged]
    keys = keys_table(target)
    with warehouse.engine.connect() as connection:
        for fk in PLAYS.foreign_keys:
            parent, name = fk.column.table, fk.parent.name
            filled = {c.name: _filler(c) for c in parent.columns if not c.nullable}
            connection.execute(sa.insert(parent).values(filled | {name: KNOWN[name]}))
        connection.execute(sa.insert(PLAYS), rows)
        connection.execute(sa.schema.CreateTable(keys))
        values = [{"session_id": s, "item_in_session": i, "n": 1} for s, i in sorted(staged)]
        connection.execute(sa.insert(keys), values)
        stored = {"first load": 0, "apart": 1}.get(form)
        given = None if form == "all" else keys
        measures = check_target(Executor(connection), target, given, stored)
        connection.rollback()
    times = Counter((r["session_id"], r["item_in_session"]) for r in checked)
    expected = {
        f"{name}_resolves": sum(r[name] not in (None, known) for r in checked)
        for name, known in KNOWN.items()
    }
    expected["key_unique"] = sum(count > 1 for count in times.values())
    expected["duration_positive"] = sum(r["duration"] <= 0 for r in checked)
    expected["level_known"] = sum(r["level"] == "gold" for r in checked)
    assert {m.rule: m.value for m in measures} == expected
    assert all(expected.values()) and not any(m.passed for m in measures)


def _filler(column: sa.Column[Any]) -> Any:
    return {str: "x", datetime: datetime(2018, 1, 1), bool: False}.get(column.type.python_type, 1)
