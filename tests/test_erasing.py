"""An erased person is deleted, stays deleted whatever is loaded, and is on record without a name.

Tests run on both engines where these may differ.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from support.erasure_data import NAME, REFUSED, TAKEN, fill, lines, other, person
from support.rig import Rig
from support.warehouses import OnDuckDB, OnRedshift, Source

from sparkify_dwh import (
    SPARKIFY,
    CheckError,
    LockError,
    RejectLimitError,
    Run,
    SchemaVersionError,
    Target,
    UsageError,
    Warehouse,
)
from sparkify_dwh.jobs.erase import person_columns
from sparkify_dwh.jobs.load import attempt
from sparkify_dwh.models.base import Base
from sparkify_dwh.models.sources import EVENTS
from sparkify_dwh.sample.generate import generate
from sparkify_dwh.steps import erased_persons


def loaded(on_each: Rig, source: Source) -> Run:
    fill(source)
    allow(on_each)
    return on_each.load()


def allow(on_each: Rig, **values: Any) -> None:
    settings = on_each.warehouse.settings.model_copy(update={"max_reject_ratio": 1.0, **values})
    on_each.warehouse.settings = settings


def everything(on_each: Rig) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables."""
    tables = Base.metadata.tables.values()
    return {
        str(t): on_each.query(f"SELECT * FROM {t} ORDER BY 1, 2, 3")
        for t in tables
        if len(t.columns) > 2
    }


def holding(on_each: Rig, text: str) -> dict[str, int]:
    """Tables with rows that hold a text, and how many."""
    found = {
        table: sum(any(text in str(value) for value in row) for row in rows)
        for table, rows in everything(on_each).items()
    }
    return {table: count for table, count in found.items() if count}


def is_gone(on_each: Rig) -> bool:
    plays = on_each.query("SELECT count(*) FROM sparkify.songplays WHERE user_id = 10")
    users = on_each.query("SELECT count(*) FROM sparkify.users WHERE user_id = 10")
    left = on_each.query(f"SELECT rule, raw FROM audit.rejected_row WHERE raw LIKE '%{NAME}%'")
    assert left == [] and not holding(on_each, NAME)
    return plays == users == [(0,)]


def test_the_person_is_gone_and_nobody_else(on_each: Rig, source: Source) -> None:
    run = loaded(on_each, source)
    assert run.refused and len(on_each.refused(run)) == len(REFUSED) + 2
    assert holding(on_each, NAME) == {
        "sparkify.users": 1,
        "staging.events": len(TAKEN) + 1,
        "audit.rejected_row": len(REFUSED),
    }
    before = everything(on_each)
    assert NAME in on_each.warehouse.report().html

    found = on_each.warehouse.erase(10)

    assert is_gone(on_each) and NAME not in on_each.warehouse.report().html
    assert found.removed == {
        "sparkify.songplays": len(TAKEN),
        "sparkify.users": 1,
        "staging.events": len(TAKEN) + 1,
        "audit.rejected_row": len(REFUSED),
        "audit.load_run": 0,
    }
    assert found.before is None and found.rows == sum(found.removed.values())
    after = everything(on_each)
    assert [row for row in before["sparkify.users"] if row[0] != 10] == after["sparkify.users"]
    assert len(after["sparkify.songplays"]) == 4 and len(after["staging.events"]) == 4
    for table in ("songs", "artists", "time"):
        assert before[f"sparkify.{table}"] == after[f"sparkify.{table}"]
    # Every refused record is still on record, those of others with their text.
    kept = on_each.query("SELECT rule, raw FROM audit.rejected_row WHERE raw IS NOT NULL")
    assert sorted(rule for rule, _ in kept) == ["level_valid", "malformed_json"]
    assert len(after["audit.rejected_row"]) == len(REFUSED) + 2
    assert on_each.warehouse.check().passed


def test_it_is_on_record_without_the_data(on_each: Rig, source: Source) -> None:
    loaded(on_each, source)
    found = on_each.warehouse.erase("10")
    ((id_, digest, salt),) = on_each.query("SELECT erasure_id, digest, salt FROM audit.erasure")
    assert id_ == found.erasure_id
    assert digest == hashlib.sha256(f"{salt}:10".encode()).hexdigest() and len(salt) == 32
    counts = on_each.query("SELECT target, rows FROM audit.erasure_count")
    assert dict(counts) == found.removed
    words = re.findall(r"\w+", repr(replace(found, erasure_id="", remains="").to_dict()))
    assert "10" not in words[words.index("removed") :]


def test_no_load_brings_the_person_back(on_each: Rig, source: Source) -> None:
    """Not a changed object, not a late one, not a new one, and not all of them again."""
    loaded(on_each, source)
    on_each.warehouse.erase(10)
    kept = on_each.star()
    again = [person(100 + n, user) for n, user in enumerate(TAKEN)]
    early = [person(200 + n, user, ts=1530000000000) for n, user in enumerate(TAKEN)]
    later = [person(300 + n, user) for n, user in enumerate(TAKEN)]
    source.put("events", "a.json", lines(*again, *(other(n) for n in range(4))))
    source.put("events", "0.json", lines(*early))
    source.put("events", "z.json", lines(*later, other(5)))
    for options in ({"dry_run": True}, {}, {"all": True}):
        run = on_each.load(**options)
        (book,) = (book for book in run.sources if book.source == "events")
        assert book.balanced and all(account.balanced for account in run.targets)
        # With all, also the refused ones whose id is in order, and " 10 " of those that are not.
        assert book.erased == 3 * len(TAKEN) + (4 if "all" in options else 0)
        accounts = {a.target: a for a in run.targets}
        assert accounts["users"].erased == accounts["time"].erased == book.erased
        assert accounts["users"].staged == book.staged
        if not options:
            assert on_each.query(
                f"SELECT rows FROM audit.load_book WHERE run_id = '{run.run_id}'"
                " AND target = 'source:events' AND account = 'erased'"
            ) == [(book.erased,)]
    assert is_gone(on_each)
    star = on_each.star()
    assert len(star["songplays"]) == len(kept["songplays"]) + 1
    assert [row[0] for row in star["users"]] == [row[0] for row in kept["users"]]


def test_compacted_objects_do_not_bring_the_person_back(
    on_each: Rig, source: Source, tmp_path: Path
) -> None:
    """They hold the person still, as the source does; refused records in their index too."""
    fill(source)
    allow(on_each)
    into = None if isinstance(on_each, OnRedshift) else str(tmp_path / "into")
    assert on_each.warehouse.compact("events", into, slices=1).compacted == 2
    on_each.load()
    assert holding(on_each, NAME)["audit.rejected_row"] == len(REFUSED)
    on_each.warehouse.erase(10)
    assert is_gone(on_each)
    kept = on_each.star()
    run = on_each.load(all=True)
    assert all(book.balanced for book in (*run.sources, *run.targets))
    assert is_gone(on_each) and on_each.star() == kept


def test_refused_records_are_counted_but_not_kept(on_each: Rig, source: Source) -> None:
    on_each.warehouse.erase(10)
    run = loaded(on_each, source)
    (events,) = (book for book in run.sources if book.source == "events")
    # Those whose id is in order are left out before a rule sees them; the rest is refused.
    assert events.refused + events.erased == len(REFUSED) + 2 + len(TAKEN) + 1
    assert sum(run.refused.values()) == events.refused
    rows = on_each.query("SELECT raw FROM audit.rejected_row")
    assert len(rows) == events.refused
    assert sum(raw is not None for (raw,) in rows) == 2
    assert is_gone(on_each)
    shown = on_each.warehouse.rejects().records()
    assert len(shown) == events.refused and NAME not in str(shown)


def test_errors_and_the_run_log_show_no_such_record(on_each: Rig, source: Source) -> None:
    on_each.warehouse.erase(10)
    source.put("events", "b.json", lines(*REFUSED))
    allow(on_each, max_rejects=1)
    message = r"more than allowed|COPY refused 2 records"
    with pytest.raises(RejectLimitError, match=message) as caught:
        on_each.load()
    assert NAME not in str(caught.value)
    assert not holding(on_each, NAME)


def test_samples_of_refused_runs_go(on_duckdb: OnDuckDB, source: Source) -> None:
    """The run log keeps none now; earlier versions did."""
    fill(source)
    allow(on_duckdb, max_rejects=1)
    with pytest.raises(RejectLimitError) as caught:
        on_duckdb.load()
    ((reason,),) = on_duckdb.query("SELECT reason FROM audit.load_run WHERE event = 'refused'")
    assert caught.value.what.startswith(reason + "\n  ") and NAME in caught.value.what
    with on_duckdb.warehouse.engine.begin() as connection:
        old = sa.text("UPDATE audit.load_run SET reason = :reason WHERE event = 'refused'")
        connection.execute(old, {"reason": caught.value.what})
    assert on_duckdb.warehouse.erase(10).removed["audit.load_run"] == 1
    assert on_duckdb.query("SELECT reason FROM audit.load_run WHERE event = 'refused'") == [
        (reason,)
    ]
    assert not holding(on_duckdb, NAME)


def test_twice(on_each: Rig, source: Source) -> None:
    loaded(on_each, source)
    first = on_each.warehouse.erase(10)
    second = on_each.warehouse.erase(" 00010 ")
    assert second.before == first.at and second.rows == 0
    digests = on_each.query("SELECT digest, salt FROM audit.erasure")
    assert len(digests) == 2 and len(set(digests)) == 1
    third = on_each.warehouse.erase(8)
    assert third.before is None
    assert on_each.star()["users"] == [] and on_each.star()["songplays"] == []
    assert len(set(on_each.query("SELECT salt FROM audit.erasure"))) == 1
    run = on_each.load(all=True)
    assert on_each.star()["users"] == []
    assert all(account.balanced for account in run.targets)


def test_someone_never_seen_stays_out(on_each: Rig, source: Source) -> None:
    found = on_each.warehouse.erase(10)
    assert found.rows == 0
    loaded(on_each, source)
    assert is_gone(on_each) and len(on_each.star()["songplays"]) == 4


@pytest.mark.parametrize(
    "id_", ["", "  ", "ten", "10.5", "1" * 19, "10; DROP TABLE x", True, "nan"]
)
def test_what_is_no_id(on_duckdb: OnDuckDB, id_: Any) -> None:
    with pytest.raises(UsageError, match="is not the id of a person") as caught:
        on_duckdb.warehouse.erase(id_)
    assert caught.value.exit_code == 2
    assert on_duckdb.query("SELECT count(*) FROM audit.erasure") == [(0,)]


def test_a_dry_run_changes_nothing(on_duckdb: OnDuckDB, source: Source) -> None:
    loaded(on_duckdb, source)
    before = everything(on_duckdb)
    found = on_duckdb.warehouse.erase(10, dry_run=True)
    assert found.dry_run and found.removed["sparkify.songplays"] == len(TAKEN)
    assert everything(on_duckdb) == before


def test_an_erasure_while_a_load_is_at_work(
    on_each: Rig, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read before the lock is read again."""
    fill(source)
    allow(on_each)
    discover: Callable[..., bool] = attempt.discover
    calls = []

    def slow(*args: Any) -> bool:
        found = discover(*args)
        args[0].connection.rollback()
        if not calls:
            on_each.warehouse.erase(10)
        calls.append(1)
        return found

    monkeypatch.setattr(attempt, "discover", slow)
    on_each.load()
    assert len(calls) == 2
    assert is_gone(on_each) and len(on_each.star()["songplays"]) == 4


def test_who_was_erased_does_not_add_statements(on_duckdb: OnDuckDB, source: Source) -> None:
    """A load asks nothing more where nobody was erased, and as much for one as for many."""
    fill(source)
    allow(on_duckdb)

    def counted() -> int:
        seen = []

        def note(*args: Any) -> None:
            seen.append(args[2])

        sa.event.listen(sa.Engine, "before_cursor_execute", note)
        try:
            run = on_duckdb.load(all=True, dry_run=True)
        finally:
            sa.event.remove(sa.Engine, "before_cursor_execute", note)
        about = [text for text in seen if "erasure" in text and "load_file" not in text]
        steps = {step.step for step in run.steps}
        assert bool(about) == ("erased" in steps)
        return len(about)

    assert counted() == 0
    on_duckdb.warehouse.erase(999)
    one = counted()
    for user in (10, 11):
        on_duckdb.warehouse.erase(user)
    assert counted() == one > 0


def test_an_older_schema_says_to_migrate(on_each: Rig) -> None:
    warehouse = on_each.warehouse
    with warehouse.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
    try:
        with pytest.raises(SchemaVersionError) as caught:
            warehouse.erase(10)
        assert caught.value.hint == "run: sparkify migrate"
    finally:
        with warehouse.engine.begin() as connection:
            (head,) = warehouse.schema_status().library
            connection.execute(sa.text(f"UPDATE alembic_version SET version_num = '{head}'"))


def test_it_waits_for_a_loader_and_names_it(on_redshift: OnRedshift) -> None:
    impatient = on_redshift.make(lock_timeout=0.1)
    with on_redshift.warehouse.engine.begin() as connection:
        connection.execute(sa.text("LOCK audit.load_lock"))
        with pytest.raises(LockError) as caught:
            impatient.erase(10)
    assert caught.value.exit_code == 5
    assert on_redshift.query("SELECT count(*) FROM audit.erasure") == [(0,)]


def test_it_says_what_redshift_keeps(on_redshift: OnRedshift, source: Source) -> None:
    loaded(on_redshift, source)
    found = on_redshift.warehouse.erase(10)
    assert "VACUUM DELETE ONLY sparkify.users TO 100 PERCENT;" in found.remains
    assert on_redshift.warehouse.erase(10).remains == ""


# A star without the person ----------------------------------------------------------------


def test_the_star_is_that_of_files_without_the_person(
    on_each: Rig, source: Source, tmp_path: Path
) -> None:
    """Whatever the order of loads and erasures; only bare moments of ``time`` may stay."""
    generate(tmp_path, events=600, songs=20, days=2, seed=5, dirty=0.02)
    allow(on_each)
    logs = sorted((tmp_path / "log_data").rglob("*.json"))
    for path in sorted((tmp_path / "song_data").rglob("*.json")):
        source.put("songs", path.name, path.read_bytes())
    source.put("events", logs[0].name, logs[0].read_bytes())
    on_each.load()
    ((user,),) = on_each.query(
        "SELECT user_id FROM sparkify.songplays GROUP BY user_id ORDER BY count(*) DESC LIMIT 1"
    )
    on_each.warehouse.erase(user)
    for path in logs[1:]:
        source.put("events", path.name, path.read_bytes())
        on_each.load()
    on_each.load(all=True)
    erased = on_each.star()

    spec = erased_persons.id_field(EVENTS)
    assert spec is not None
    for path in logs:
        kept = [
            line
            for line in path.read_bytes().splitlines(keepends=True)
            if str(user)
            not in set(erased_persons.named(line.decode("utf-8", "backslashreplace"), EVENTS))
        ]
        source.put("events", path.name, b"".join(kept))
    empty(on_each)
    on_each.load()
    without = on_each.star()
    times = {"time"}
    assert {n: r for n, r in erased.items() if n not in times} == {
        n: r for n, r in without.items() if n not in times
    }
    assert set(without["time"]) <= set(erased["time"])


def empty(on_each: Rig) -> None:
    if isinstance(on_each, OnRedshift):
        on_each.empty()
    else:
        on_each.warehouse.migrate("base")
        on_each.warehouse.migrate()


# Declarations -----------------------------------------------------------------------------


def test_foreign_keys_tell_whom_a_row_is_about() -> None:
    assert person_columns(SPARKIFY.targets) == {"users": "user_id", "songplays": "user_id"}
    undeclared = [replace(target, person=None) for target in SPARKIFY.targets]
    assert person_columns(undeclared) == {}


def test_without_a_declared_person(on_duckdb: OnDuckDB) -> None:
    nobody = replace(SPARKIFY, sources=tuple(replace(s, person=None) for s in SPARKIFY.sources))
    warehouse = Warehouse(on_duckdb.warehouse.settings, nobody)
    with pytest.raises(UsageError, match="no source declares a person"):
        warehouse.erase(10)


def test_rows_that_would_point_nowhere(on_duckdb: OnDuckDB, source: Source) -> None:
    """A table with a foreign key to plays, which does not show whom its rows are about."""
    loaded(on_duckdb, source)
    table = sa.Table(
        "ratings",
        sa.MetaData(),
        sa.Column("session_id", sa.BigInteger, primary_key=True),
        sa.Column("level", sa.String(8)),
        schema="sparkify",
    )
    plays = SPARKIFY.targets[-1].table
    table.c.session_id.append_foreign_key(sa.ForeignKey(plays.c.session_id))
    with on_duckdb.warehouse.engine.begin() as connection:
        connection.execute(sa.schema.CreateTable(table))
        connection.execute(sa.insert(table).values(session_id=139, level="x"))
    rating = Target(table, "events", {"session_id": lambda r: r.c.session_id})
    warehouse = Warehouse(on_duckdb.warehouse.settings, SPARKIFY.extended(targets=[rating]))
    before = everything(on_duckdb)
    with pytest.raises(CheckError, match=r"ratings\.session_id_resolves"):
        warehouse.erase(10)
    assert everything(on_duckdb) == before


# The text of refused records --------------------------------------------------------------


@pytest.mark.parametrize("raw", [*REFUSED, '{"userid": 10}', "userId=10", '{\\"userId\\":\\"10\\"'])
def test_the_person_is_told_in_damaged_text(raw: str) -> None:
    assert "10" in set(erased_persons.named(raw, EVENTS))


@pytest.mark.parametrize(
    "raw",
    [
        '{"userId": 101}',
        '{"myUserId": 10}',
        '{"userId": null, "sessionId": 10}',
        '{"userId": "", "itemInSession": 10}',
        '{"userId": "10a"}',
        "10",
        "",
        "\x00\xff",
    ],
)
def test_nobody_else_is_taken_for_the_person(raw: str) -> None:
    assert "10" not in set(erased_persons.named(raw, EVENTS))


def test_utf_16_is_read_as_far_as_it_goes() -> None:
    from sparkify_dwh.steps.quarantine import shown_raw

    raw = shown_raw('{"userId": "10", "a": 1}'.encode("utf-16"))
    assert "10" in set(erased_persons.named(raw, EVENTS))
