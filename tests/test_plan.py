"""A plan is what a load sends, less the conditional statements whose condition was false."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from sparkify_dwh import Plan, Settings, UsageError, Warehouse
from sparkify_dwh.sample.generate import generate


def folded(statement: str) -> str:
    """A statement without its literals and names of binds: `?` stands for each."""
    text = re.sub(r"/\*.*?\*/", "", statement)
    text = re.sub(r"'(?:[^']|'')*'", "?", text)
    text = re.sub(r"\$\d+|:\w+|%\(\w+\)s|%s", "?", text)
    text = re.sub(r"_(object|line)_[0-9a-f]{16}", r"_\1_token", text)  # no input can guess it
    return " ".join(text.replace("::", " ").split())


@contextmanager
def sent() -> Iterator[list[str]]:
    """Every statement that reaches a driver meanwhile."""
    found: list[str] = []

    def note(conn: object, cursor: object, text: str, *rest: object) -> None:
        found.append(folded(text))

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    generate(tmp_path / "data", events=400, songs=30, days=3, dirty=0.05)
    return Settings(
        database_url=f"duckdb:///{tmp_path}/w.duckdb",
        log_data=str(tmp_path / "data/log_data"),
        song_data=str(tmp_path / "data/song_data"),
        max_reject_ratio=1,
    )


def planned_and_sent(warehouse: Warehouse) -> tuple[Plan, list[str]]:
    plan = warehouse.plan()
    with sent() as statements:
        warehouse.load()
    start = next(i for i, s in enumerate(statements) if s.startswith("INSERT INTO audit.load_run"))
    return plan, statements[start:]


def assert_is_the_plan(plan: Plan, statements: list[str]) -> None:
    """Each planned statement is sent in its place, or is conditional and left out."""
    waiting = list(statements)
    for each in plan.statements:
        if each.step == "transaction":
            continue
        text = folded(each.sql)
        if waiting and waiting[0] == text:
            waiting.pop(0)
            while each.repeated and waiting and waiting[0] == text:
                waiting.pop(0)
        else:
            assert each.condition, f"planned, not sent: {text[:300]}\nnext: {waiting[:1]}"
    assert not waiting, f"sent, not planned: {waiting[0][:300]}"


def test_the_first_load_and_a_delta(settings: Settings, tmp_path: Path) -> None:
    warehouse = Warehouse(settings)
    warehouse.migrate()
    day = tmp_path / "data/log_data/2018/11/2018-11-03-events.json"
    held = day.read_bytes()
    day.unlink()
    plan, statements = planned_and_sent(warehouse)
    assert plan.pending and plan.objects and plan.objects["events"] == 2
    assert_is_the_plan(plan, statements)
    day.write_bytes(held)
    plan, statements = planned_and_sent(warehouse)
    assert plan.objects and plan.objects["events"] == 1 and plan.objects["songs"] == 0
    assert_is_the_plan(plan, statements)


def test_a_replay_and_nothing_new(settings: Settings) -> None:
    warehouse = Warehouse(settings)
    warehouse.load()
    plan = warehouse.plan()
    assert not plan.pending
    assert not any(" MERGE" in s.sql or "staging" in s.sql for s in plan.statements)
    replay = warehouse.plan(all=True)
    with sent() as statements:
        warehouse.load(all=True)
    start = next(i for i, s in enumerate(statements) if s.startswith("INSERT INTO audit.load_run"))
    assert_is_the_plan(replay, statements[start:])


def test_a_plan_creates_and_opens_nothing(settings: Settings, tmp_path: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    plan = Warehouse(settings).plan()
    assert plan.pending
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before


def test_a_plan_records_no_run(settings: Settings) -> None:
    warehouse = Warehouse(settings)
    warehouse.load()
    warehouse.plan()
    assert len(warehouse.runs()) == 1


@pytest.mark.parametrize("engine", ["duckdb", "redshift"])
def test_a_plan_of_an_engine_neither_connects_nor_lists(engine: str, tmp_path: Path) -> None:
    settings = Settings(
        database_url="redshift+redshift_connector://u@example.invalid:5439/d",
        log_data="s3://no-such-bucket/logs/",
    )
    with sent() as statements:
        plan = Warehouse(settings).plan(engine)
    assert not statements and plan.objects is None
    text = str(plan)
    assert text.count("BEGIN;") == text.count("COMMIT;") == 2
    for table in ("songs", "artists", "users", "time", "songplays"):
        assert f"INSERT INTO sparkify.{table} " in text
    assert "-- if " in text and ":" in text
    assert ("COPY staging.events" in text) == (engine == "redshift")
    assert "TRUNCATE" not in text
    json.dumps(plan.to_dict())


def test_an_unknown_engine_is_refused(settings: Settings) -> None:
    with pytest.raises(UsageError, match="no engine oracle"):
        Warehouse(settings).plan("oracle")


def test_statements_do_not_grow_with_files_or_rows(settings: Settings, tmp_path: Path) -> None:
    generate(tmp_path / "more", events=3000, songs=200, days=30, dirty=0.05)
    bigger = settings.model_copy(
        update={
            "database_url": f"duckdb:///{tmp_path}/more.duckdb",
            "log_data": str(tmp_path / "more/log_data"),
            "song_data": str(tmp_path / "more/song_data"),
        }
    )
    for each in (settings, bigger):
        plan, statements = planned_and_sent(Warehouse(each))
        assert_is_the_plan(plan, statements)
        assert len(statements) <= len(plan.statements)
