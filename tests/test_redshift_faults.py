"""Failures while loading into Redshift: retried, resolved or reported; nothing is half-loaded."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from standin.faults import DropConnection
from support.fuzzing import examples
from support.records import event_line, song_line
from support.warehouses import OnRedshift, Source

from sparkify_dwh.core import errors
from sparkify_dwh.jobs.retries import RETRIES, Retries


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other without a pause."""
    monkeypatch.setattr(Retries, "wait", lambda _: None)


def at_most(times: int, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A load starts again this many times for a reason."""
    monkeypatch.setitem(RETRIES, reason, replace(RETRIES[reason], most=times))


@pytest.fixture
def filled(on_redshift: OnRedshift, source: Source) -> OnRedshift:
    """One play to load, of one song."""
    source.put("events", "a.json", event_line())
    source.put("songs", "s.json", song_line())
    return on_redshift


def loaded_once(warehouse: OnRedshift) -> None:
    """The star has the rows of one load, the run log has it once; nothing is left on S3."""
    assert [len(rows) for rows in warehouse.star().values()] == [1] * 5
    assert [name for _, name in warehouse.events()] == ["started", "loaded"]
    assert warehouse.query("SELECT count(*) FROM audit.load_file") == [(2,)]
    assert warehouse.source.work_files() == []


def nothing_loaded(warehouse: OnRedshift, event_: str = "rolled back") -> None:
    """The star and the ledger are empty; the run log has the reason."""
    assert [len(rows) for rows in warehouse.star().values()] == [0] * 5
    assert warehouse.query("SELECT count(*) FROM audit.load_file") == [(0,)]
    assert [name for _, name in warehouse.events()] == ["started", event_]
    assert warehouse.source.work_files() == []


# Retries -----------------------------------------------------------------------------------------


def test_a_serialization_error_starts_the_load_again(
    filled: OnRedshift, caplog: pytest.LogCaptureFixture
) -> None:
    faults = filled.database.faults
    faults.fail("^INSERT INTO sparkify.songplays", "1023", detail="violation on table - 1", times=2)
    with caplog.at_level(logging.INFO, "sparkify_dwh"):
        assert filled.load().event == "loaded"
    logged = [r.message for r in caplog.records if "starting again" in r.message]
    assert len(logged) == 2 and logged[1].endswith("starting again (2 of 5)")
    assert "another session wrote to the same tables" in logged[0]
    loaded_once(filled)


def test_a_serialization_error_that_stays_ends_the_load(
    filled: OnRedshift, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_most(2, "conflict", monkeypatch)
    filled.database.faults.fail("^INSERT INTO sparkify.songplays", "1023", times=-1)
    with pytest.raises(errors.DatabaseError, match="another session wrote") as caught:
        filled.load()
    assert caught.value.exit_code == 5
    assert sum("INSERT INTO sparkify.songplays" in sql for sql in filled.database.sql()) == 3
    filled.database.faults.clear()
    nothing_loaded(filled)


@pytest.mark.parametrize(
    ("statement", "when"),
    [
        ("^LOCK", "after"),
        ("^COPY staging.events", "before"),
        ("sys_load_detail", "before"),
        ("^INSERT INTO sparkify.songplays", "after"),
    ],
)
def test_a_lost_connection_starts_the_load_again(
    filled: OnRedshift, statement: str, when: Any, caplog: pytest.LogCaptureFixture
) -> None:
    filled.database.faults.drop(statement, when)
    with caplog.at_level(logging.INFO, "sparkify_dwh"):
        filled.load()
    (logged,) = (r.message for r in caplog.records if "starting again" in r.message)
    assert "was lost" in logged and "(1 of 5)" in logged
    loaded_once(filled)


def test_a_connection_lost_before_anything_is_recorded_is_reported(filled: OnRedshift) -> None:
    filled.database.faults.drop("^INSERT INTO audit.load_run", "after")
    with pytest.raises(errors.DatabaseError, match=r"connection to \S+ was lost"):
        filled.load()
    assert filled.events() == [] and filled.load().event == "loaded"
    loaded_once(filled)


def test_a_connection_that_is_lost_each_time_ends_the_load(
    filled: OnRedshift, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_most(2, "connection lost", monkeypatch)
    filled.database.faults.drop("^COPY staging.events", times=-1)
    with pytest.raises(errors.DatabaseError, match="was lost") as caught:
        filled.load()
    assert caught.value.exit_code == 5
    assert sum(sql.startswith("COPY staging.events") for sql in filled.database.sql()) == 3
    filled.database.faults.clear()
    nothing_loaded(filled)


def test_a_connection_dropped_at_any_statement(filled: OnRedshift) -> None:
    """A sample of all statements: each load succeeds or reports why not, and never loads half."""
    filled.load()
    before, count = filled.star(), len(filled.database.statements)
    for number in range(5, count, count // examples(4, count)):
        left = [number]

        def strike(_: Any, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise DropConnection

        filled.database.faults.clear()
        filled.database.faults.call(".", strike, times=-1)
        with contextlib.suppress(errors.DatabaseError):  # before anything is on record
            filled.load(all=True)
        filled.database.faults.clear()
        assert filled.star() == before, number
    endings = filled.query(
        "SELECT run_id, count(*) FROM audit.load_run WHERE event <> 'started' GROUP BY run_id"
    )
    assert {n for _, n in endings} == {1}
    doubled = "SELECT run_id, key FROM audit.load_file GROUP BY 1, 2 HAVING count(*) > 1"
    assert filled.query(doubled) == []


# A COMMIT without an answer ----------------------------------------------------------------------


def drop_at_the_load_s_commit(warehouse: OnRedshift, when: Any, also: str | None = None) -> None:
    """Drops the connection at the COMMIT after the row 'loaded', and at what follows."""
    database = warehouse.database

    def arm(statement: Any) -> None:
        if "loaded" in statement.parameters:
            database.faults.drop("^commit", when)
            if also:
                database.faults.drop(also, times=-1)

    database.faults.call("^INSERT INTO audit.load_run", arm, "after", times=2)


def test_a_commit_that_was_done_is_not_done_again(
    filled: OnRedshift, caplog: pytest.LogCaptureFixture
) -> None:
    drop_at_the_load_s_commit(filled, "after")
    filled.database.faults.fail("^ANALYZE sparkify.users", "out of disk", "53100")
    with caplog.at_level(logging.INFO, "sparkify_dwh"):
        run = filled.load()
    assert [w.split(" failed")[0] for w in run.warnings] == ["ANALYZE of sparkify.users"]
    assert run.event == "loaded" and run.targets[-1].merged == 1
    assert "COMMIT got no answer; the run is in the ledger" in caplog.text
    assert sum(sql.startswith("COPY staging.events") for sql in filled.database.sql()) == 1
    assert any(sql.startswith("ANALYZE") for sql in filled.database.sql())
    loaded_once(filled)


def test_a_commit_that_was_not_done_is_done_again(filled: OnRedshift) -> None:
    drop_at_the_load_s_commit(filled, "before")
    assert filled.load().event == "loaded"
    assert sum(sql.startswith("COPY staging.events") for sql in filled.database.sql()) == 2
    loaded_once(filled)


def test_a_commit_with_an_unknown_outcome_is_reported(filled: OnRedshift) -> None:
    drop_at_the_load_s_commit(filled, "after", "^SELECT audit.load_run")
    with pytest.raises(errors.DatabaseError, match=r"COMMIT of load \S+ got no answer") as caught:
        filled.load()
    assert "it is safe to load again" in caught.value.hint
    filled.database.faults.clear()
    loaded_once(filled)
    assert filled.load().event == "nothing new"


# S3 and the role, seen by Redshift ----------------------------------------------------------------


def deny(warehouse: OnRedshift) -> None:
    warehouse.database.store.denied.add(warehouse.source.bucket.url("log_data/"))


def refuse_role(warehouse: OnRedshift) -> None:
    warehouse.database.store.unassumable.add("default")


def throttle(warehouse: OnRedshift) -> None:
    store = warehouse.database.store
    warehouse.database.faults.call(
        "^COPY staging.events", lambda _: setattr(store, "throttled", 99)
    )


def deny_manifests(warehouse: OnRedshift) -> None:
    warehouse.database.store.denied.add(warehouse.source.work.url("work/"))


def lose_bucket(warehouse: OnRedshift) -> None:
    message = (
        "S3ServiceException:The specified bucket does not exist,Status 404,Error NoSuchBucket,"
        "Rid 1,ExtRid 2,CanRetry 1"
    )
    warehouse.database.faults.fail("^COPY staging", message)


@pytest.mark.parametrize(
    ("trouble", "message", "hint"),
    [
        (deny, r"cannot read s3://\S+/a.json: Access Denied", "role s3:GetObject"),
        (refuse_role, "may not assume the role default", "attach it"),
        (throttle, "reduce your request rate", "load again later"),
        (deny_manifests, r"cannot read (the manifest )?s3://\S+", "role"),
        (lose_bucket, "specified bucket does not exist", "name an existing bucket"),
    ],
)
def test_what_copy_cannot_read(
    filled: OnRedshift, trouble: Callable[[OnRedshift], None], message: str, hint: str
) -> None:
    trouble(filled)
    with pytest.raises(errors.SourceError) as caught:
        filled.load()
    assert re.search(message, caught.value.what) and hint in caught.value.hint
    assert caught.value.exit_code == 3
    assert len(str(caught.value).splitlines()) == 2
    nothing_loaded(filled)


def test_a_bucket_in_another_region(filled: OnRedshift) -> None:
    filled.use(aws_region="eu-west-1")
    with pytest.raises(errors.SourceError, match="PermanentRedirect") as caught:
        filled.load()
    assert "aws_region" in caught.value.hint
    nothing_loaded(filled)


def test_gzip_that_does_not_unpack(filled: OnRedshift, source: Source) -> None:
    url = source.put("events", "z.json.gz", b"no gzip")
    with pytest.raises(errors.SourceError, match="cannot decompress") as caught:
        filled.load()
    assert url in caught.value.what
    nothing_loaded(filled)


def test_a_full_cluster_is_not_an_error_of_the_source(filled: OnRedshift) -> None:
    filled.database.faults.fail("^COPY staging", "disk full", "53100")
    with pytest.raises(errors.DatabaseError, match="disk full"):
        filled.load()
    nothing_loaded(filled)


# S3, seen by the loader ---------------------------------------------------------------------------


def test_a_bucket_that_is_missing(filled: OnRedshift) -> None:
    with pytest.raises(errors.SourceError, match=r"NoSuchBucket: .* does not exist") as caught:
        filled.use(log_data="s3://no-such-bucket/logs/").load()
    assert caught.value.exit_code == 3 and "existing bucket" in caught.value.hint
    with pytest.raises(errors.SourceError, match="NoSuchBucket"):
        filled.use(work_prefix="s3://no-such-bucket/work/").load()
    nothing_loaded(filled)


def test_an_object_missing_when_copy_reads_waits(filled: OnRedshift, source: Source) -> None:
    source.put("events", "b.json", event_line(itemInSession=1))
    filled.database.faults.call("^COPY staging.events", lambda _: source.delete("events", "b.json"))
    run = filled.load()
    assert run.event == "loaded" and "b.json changed while it was read" in run.warnings[0]
    loaded_once(filled)


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_object_that_is_overwritten_waits(filled: OnRedshift, source: Source, when: Any) -> None:
    source.put("events", "b.json", event_line(itemInSession=1))

    def overwrite(_: Any) -> None:
        source.put("events", "b.json", event_line(itemInSession=2) + event_line(itemInSession=3))

    filled.database.faults.call("^COPY staging.events", overwrite, when)
    run = filled.load()
    assert "b.json changed while it was read; it waits for the next load" in run.warnings[0]
    loaded_once(filled)
    filled.load()
    assert [row[1] for row in filled.star()["songplays"]] == [0, 2, 3]


def test_a_refused_record_whose_object_is_overwritten(filled: OnRedshift, source: Source) -> None:
    """Its text is read from the listed version, or not at all."""
    source.put("events", "b.json", "{broken\n")
    filled.database.faults.call(
        "sys_load_error_detail",
        lambda _: source.put("events", "b.json", event_line(itemInSession=1)),
        "after",
    )
    run = filled.load()
    assert "b.json changed" in run.warnings[0]
    assert filled.refused(run) == {}
    loaded_once(filled)


def test_an_object_that_never_rests_ends_the_load(
    filled: OnRedshift, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_most(1, "objects changed", monkeypatch)
    names = iter("bcdefgh")
    for name in "bcdefgh":
        source.put("events", f"{name}.json", event_line(itemInSession=1))

    def write_one(_: Any) -> None:
        source.put("events", f"{next(names)}.json", event_line(itemInSession=2))

    filled.database.faults.call("^COPY staging.events", write_one, times=-1)
    with pytest.raises(errors.SourceError, match="keep changing while they are read"):
        filled.load()
    filled.database.faults.clear()
    nothing_loaded(filled)
