"""A person who was erased is gone, stays gone whatever is loaded, and is on record without a name.

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
from standin.fixtures import s3_server, standin
from support.erasure_data import NAME, REFUSED, TAKEN, fill, lines, other, person
from support.warehouses import (
    Loaded,
    OnDuckDB,
    OnRedshift,
    Source,
    aws_keys,
    migrated,
    on_duckdb,
    on_redshift,
    source,
)

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

__all__ = ["aws_keys", "migrated", "on_duckdb", "on_redshift", "s3_server", "source", "standin"]


@pytest.fixture(params=["duckdb", "redshift"])
def anywhere(request: pytest.FixtureRequest) -> Loaded:
    """An empty warehouse on one of the engines, which loads from ``source``."""
    found: Loaded = request.getfixturevalue(f"on_{request.param}")
    return found


def loaded(anywhere: Loaded, source: Source) -> Run:
    fill(source)
    allow(anywhere)
    return anywhere.load()


def allow(anywhere: Loaded, **values: Any) -> None:
    settings = anywhere.warehouse.settings.model_copy(update={"max_reject_ratio": 1.0, **values})
    anywhere.warehouse.settings = settings


def everything(anywhere: Loaded) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables."""
    tables = Base.metadata.tables.values()
    return {
        str(t): anywhere.query(f"SELECT * FROM {t} ORDER BY 1, 2, 3")
        for t in tables
        if len(t.columns) > 2
    }


def holding(anywhere: Loaded, text: str) -> dict[str, int]:
    """Tables with rows that hold a text, and how many."""
    found = {
        table: sum(any(text in str(value) for value in row) for row in rows)
        for table, rows in everything(anywhere).items()
    }
    return {table: count for table, count in found.items() if count}


def is_gone(anywhere: Loaded) -> bool:
    plays = anywhere.query("SELECT count(*) FROM sparkify.songplays WHERE user_id = 10")
    users = anywhere.query("SELECT count(*) FROM sparkify.users WHERE user_id = 10")
    left = anywhere.query(f"SELECT rule, raw FROM audit.rejected_row WHERE raw LIKE '%{NAME}%'")
    assert left == [] and not holding(anywhere, NAME)
    return plays == users == [(0,)]


def test_the_person_is_gone_and_nobody_else(anywhere: Loaded, source: Source) -> None:
    run = loaded(anywhere, source)
    assert run.refused and len(anywhere.refused(run)) == len(REFUSED) + 2
    assert holding(anywhere, NAME) == {
        "sparkify.users": 1,
        "staging.events": len(TAKEN) + 1,
        "audit.rejected_row": len(REFUSED),
    }
    before = everything(anywhere)
    assert NAME in anywhere.warehouse.report().html

    found = anywhere.warehouse.erase(10)

    assert is_gone(anywhere) and NAME not in anywhere.warehouse.report().html
    assert found.removed == {
        "sparkify.songplays": len(TAKEN),
        "sparkify.users": 1,
        "staging.events": len(TAKEN) + 1,
        "audit.rejected_row": len(REFUSED),
        "audit.load_run": 0,
    }
    assert found.before is None and found.rows == sum(found.removed.values())
    after = everything(anywhere)
    assert [row for row in before["sparkify.users"] if row[0] != 10] == after["sparkify.users"]
    assert len(after["sparkify.songplays"]) == 4 and len(after["staging.events"]) == 4
    for table in ("songs", "artists", "time"):
        assert before[f"sparkify.{table}"] == after[f"sparkify.{table}"]
    # Every refused record is still on record, those of others with their text.
    kept = anywhere.query("SELECT rule, raw FROM audit.rejected_row WHERE raw IS NOT NULL")
    assert sorted(rule for rule, _ in kept) == ["level_valid", "malformed_json"]
    assert len(after["audit.rejected_row"]) == len(REFUSED) + 2
    assert anywhere.warehouse.check().passed


def test_it_is_on_record_without_the_data(anywhere: Loaded, source: Source) -> None:
    loaded(anywhere, source)
    found = anywhere.warehouse.erase("10")
    ((id_, digest, salt),) = anywhere.query("SELECT erasure_id, digest, salt FROM audit.erasure")
    assert id_ == found.erasure_id
    assert digest == hashlib.sha256(f"{salt}:10".encode()).hexdigest() and len(salt) == 32
    counts = anywhere.query("SELECT target, rows FROM audit.erasure_count")
    assert dict(counts) == found.removed
    words = re.findall(r"\w+", repr(replace(found, erasure_id="", remains="").to_dict()))
    assert "10" not in words[words.index("removed") :]


def test_no_load_brings_the_person_back(anywhere: Loaded, source: Source) -> None:
    """Not a changed object, not a late one, not a new one, and not all of them again."""
    loaded(anywhere, source)
    anywhere.warehouse.erase(10)
    kept = anywhere.star()
    again = [person(100 + n, user) for n, user in enumerate(TAKEN)]
    early = [person(200 + n, user, ts=1530000000000) for n, user in enumerate(TAKEN)]
    later = [person(300 + n, user) for n, user in enumerate(TAKEN)]
    source.put("events", "a.json", lines(*again, *(other(n) for n in range(4))))
    source.put("events", "0.json", lines(*early))
    source.put("events", "z.json", lines(*later, other(5)))
    for options in ({"dry_run": True}, {}, {"all": True}):
        run = anywhere.load(**options)
        (book,) = (book for book in run.sources if book.source == "events")
        assert book.balanced and all(account.balanced for account in run.targets)
        # With all, also the refused ones whose id is in order, and " 10 " of those that are not.
        assert book.erased == 3 * len(TAKEN) + (4 if "all" in options else 0)
        accounts = {a.target: a for a in run.targets}
        assert accounts["users"].erased == accounts["time"].erased == book.erased
        assert accounts["users"].staged == book.staged
        if not options:
            assert anywhere.query(
                f"SELECT rows FROM audit.load_book WHERE run_id = '{run.run_id}'"
                " AND target = 'source:events' AND account = 'erased'"
            ) == [(book.erased,)]
    assert is_gone(anywhere)
    star = anywhere.star()
    assert len(star["songplays"]) == len(kept["songplays"]) + 1
    assert [row[0] for row in star["users"]] == [row[0] for row in kept["users"]]


def test_compacted_objects_do_not_bring_the_person_back(
    anywhere: Loaded, source: Source, tmp_path: Path
) -> None:
    """They hold the person still, as the source does; refused records in their index too."""
    fill(source)
    allow(anywhere)
    into = None if isinstance(anywhere, OnRedshift) else str(tmp_path / "into")
    assert anywhere.warehouse.compact("events", into, slices=1).compacted == 2
    anywhere.load()
    assert holding(anywhere, NAME)["audit.rejected_row"] == len(REFUSED)
    anywhere.warehouse.erase(10)
    assert is_gone(anywhere)
    kept = anywhere.star()
    run = anywhere.load(all=True)
    assert all(book.balanced for book in (*run.sources, *run.targets))
    assert is_gone(anywhere) and anywhere.star() == kept


def test_refused_records_are_counted_but_not_kept(anywhere: Loaded, source: Source) -> None:
    anywhere.warehouse.erase(10)
    run = loaded(anywhere, source)
    (events,) = (book for book in run.sources if book.source == "events")
    # Those whose id is in order are left out before a rule sees them; the rest is refused.
    assert events.refused + events.erased == len(REFUSED) + 2 + len(TAKEN) + 1
    assert sum(run.refused.values()) == events.refused
    rows = anywhere.query("SELECT raw FROM audit.rejected_row")
    assert len(rows) == events.refused
    assert sum(raw is not None for (raw,) in rows) == 2
    assert is_gone(anywhere)
    shown = anywhere.warehouse.rejects().records()
    assert len(shown) == events.refused and NAME not in str(shown)


def test_errors_and_the_run_log_show_no_such_record(anywhere: Loaded, source: Source) -> None:
    anywhere.warehouse.erase(10)
    source.put("events", "b.json", lines(*REFUSED))
    allow(anywhere, max_rejects=1)
    with pytest.raises(RejectLimitError, match=r"more than allowed|too many") as caught:
        anywhere.load()
    assert NAME not in str(caught.value)
    assert not holding(anywhere, NAME)


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


def test_twice(anywhere: Loaded, source: Source) -> None:
    loaded(anywhere, source)
    first = anywhere.warehouse.erase(10)
    second = anywhere.warehouse.erase(" 00010 ")
    assert second.before == first.at and second.rows == 0
    digests = anywhere.query("SELECT digest, salt FROM audit.erasure")
    assert len(digests) == 2 and len(set(digests)) == 1
    third = anywhere.warehouse.erase(8)
    assert third.before is None
    assert anywhere.star()["users"] == [] and anywhere.star()["songplays"] == []
    assert len(set(anywhere.query("SELECT salt FROM audit.erasure"))) == 1
    run = anywhere.load(all=True)
    assert anywhere.star()["users"] == []
    assert all(account.balanced for account in run.targets)


def test_someone_never_seen_stays_out(anywhere: Loaded, source: Source) -> None:
    found = anywhere.warehouse.erase(10)
    assert found.rows == 0
    loaded(anywhere, source)
    assert is_gone(anywhere) and len(anywhere.star()["songplays"]) == 4


@pytest.mark.parametrize(
    "id_", ["", "  ", "ten", "10.5", "1" * 19, "10; DROP TABLE x", True, "nan"]
)
def test_what_is_no_id(on_duckdb: OnDuckDB, id_: Any) -> None:
    with pytest.raises(UsageError, match="is no id of a person") as caught:
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
    anywhere: Loaded, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read before the lock is read again."""
    fill(source)
    allow(anywhere)
    discover: Callable[..., bool] = attempt.discover
    calls = []

    def slow(*args: Any) -> bool:
        found = discover(*args)
        args[0].connection.rollback()
        if not calls:
            anywhere.warehouse.erase(10)
        calls.append(1)
        return found

    monkeypatch.setattr(attempt, "discover", slow)
    anywhere.load()
    assert len(calls) == 2
    assert is_gone(anywhere) and len(anywhere.star()["songplays"]) == 4


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


def test_an_older_schema_says_to_migrate(anywhere: Loaded) -> None:
    warehouse = anywhere.warehouse
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
    anywhere: Loaded, source: Source, tmp_path: Path
) -> None:
    """Whatever the order of loads and erasures; only bare moments of ``time`` may stay."""
    generate(tmp_path, events=600, songs=20, days=2, seed=5, dirty=0.02)
    allow(anywhere)
    logs = sorted((tmp_path / "log_data").rglob("*.json"))
    for path in sorted((tmp_path / "song_data").rglob("*.json")):
        source.put("songs", path.name, path.read_bytes())
    source.put("events", logs[0].name, logs[0].read_bytes())
    anywhere.load()
    ((user,),) = anywhere.query(
        "SELECT user_id FROM sparkify.songplays GROUP BY user_id ORDER BY count(*) DESC LIMIT 1"
    )
    anywhere.warehouse.erase(user)
    for path in logs[1:]:
        source.put("events", path.name, path.read_bytes())
        anywhere.load()
    anywhere.load(all=True)
    erased = anywhere.star()

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
    empty(anywhere)
    anywhere.load()
    without = anywhere.star()
    times = {"time"}
    assert {n: r for n, r in erased.items() if n not in times} == {
        n: r for n, r in without.items() if n not in times
    }
    assert set(without["time"]) <= set(erased["time"])


def empty(anywhere: Loaded) -> None:
    if isinstance(anywhere, OnRedshift):
        anywhere.empty()
    else:
        anywhere.warehouse.migrate("base")
        anywhere.warehouse.migrate()


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
    """A table with a foreign key to plays, which does not say whom its rows are about."""
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
