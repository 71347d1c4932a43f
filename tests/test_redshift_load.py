"""Loading from S3 into Redshift: what COPY is given, what it reports, and what it refuses."""

from __future__ import annotations

import gzip
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from support.records import event_line, song_line
from support.warehouses import OnRedshift, Source

from sparkify_dwh import Settings
from sparkify_dwh.core import errors
from sparkify_dwh.dialects.redshift import copy_refusals, load_views, writer
from sparkify_dwh.models import SPARKIFY
from sparkify_dwh.storage import s3
from sparkify_dwh.storage.jsonpaths import read_jsonpaths
from sparkify_dwh.storage.s3 import S3


def copies(warehouse: OnRedshift) -> list[str]:
    """The COPY statements from the sources' objects so far."""
    return [sql for sql in warehouse.database.sql() if sql.startswith("COPY staging")]


def days(source: Source, count: int, start: int = 0) -> None:
    for n in range(start, start + count):
        source.put("events", f"{n}.json", event_line(itemInSession=n, ts=1541106106796 + n))


class Watched:
    """Keeps copies of the work files, which a load removes at its end."""

    def __init__(self, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
        self.files: dict[str, bytes] = {}
        plain = s3.S3.write

        def write(client: Any, address: str, data: Any) -> None:
            body = data if isinstance(data, bytes) else data.read_bytes()
            self.files[address.removeprefix(source.work.url("work/manifests/"))] = body
            plain(client, address, data)

        monkeypatch.setattr(s3.S3, "write", write)

    def __getitem__(self, name: str) -> Any:
        (found,) = (data for key, data in self.files.items() if key.endswith("/" + name))
        return json.loads(found)


# What COPY is given ------------------------------------------------------------------------------


def test_a_manifest_and_a_copy_for_each_table_and_compression(
    on_redshift: OnRedshift, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(source, monkeypatch)
    days(source, 2)
    gzipped = source.put("events", "9.json.gz", gzip.compress(event_line(itemInSession=9).encode()))
    source.put("songs", "a/b/s.json", song_line())
    for name in (".hidden.json", "_temporary/0.json", "old.json~", "readme.txt"):
        source.put("events", name, "no data")
    source.bucket.put("log_data_private/x.json", event_line(sessionId=1))
    run = on_redshift.load()
    assert [(b.source, b.objects, b.read) for b in run.sources] == [
        ("songs", 1, 1),
        ("events", 3, 3),
    ]
    assert run.sources[1].skipped == 4
    url = source.bucket.url
    assert watched["events.plain.manifest"] == {
        "entries": [{"url": url(f"log_data/{n}.json"), "mandatory": True} for n in range(2)]
    }
    assert watched["events.gzip.manifest"] == {"entries": [{"url": gzipped, "mandatory": True}]}
    assert watched["songs.plain.manifest"]["entries"] == [
        {"url": url("song_data/a/b/s.json"), "mandatory": True}
    ]
    assert watched["events.jsonpaths"]["jsonpaths"][:2] == ["$['artist']", "$['auth']"]
    found = copies(on_redshift)
    assert [sql.split()[1] for sql in found] == ["staging.songs", *["staging.events"] * 2]
    base = source.work.url(f"work/manifests/{run.run_id}/")
    assert found[2] == (
        "COPY staging.events (artist, auth, firstname, gender, iteminsession, lastname, length, "
        "level, location, method, page, registration, sessionid, song, status, ts, useragent, "
        f"userid) FROM '{base}events.gzip.manifest' IAM_ROLE default FORMAT AS JSON "
        f"'{base}events.jsonpaths' GZIP MANIFEST REGION 'us-east-1' TIMEFORMAT 'auto' "
        "COMPUPDATE OFF STATUPDATE OFF MAXERROR 100000"
    )
    assert on_redshift.query("SELECT count(*) FROM sparkify.songplays") == [(3,)]


def test_the_number_of_statements_depends_neither_on_objects_nor_on_rows(
    on_redshift: OnRedshift, source: Source
) -> None:
    def statements(objects: int, rows: int) -> int:
        on_redshift.empty()
        for n in range(objects):
            lines = (
                event_line(itemInSession=n * rows + i, ts=1541106106796 + i) for i in range(rows)
            )
            # Each has a damaged text and a refused row.
            source.put(
                "events", f"{n}.json", "".join(lines) + event_line(song=f"BjÃ¶rk {n}", level=n)
            )
        source.put("songs", "s.json", song_line())
        assert on_redshift.use(max_reject_ratio=1.0).load().sources[1].objects == objects
        return len(on_redshift.database.statements)

    few = statements(5, 1)
    assert statements(500, 3) == few


def test_max_rejects_is_the_limit_of_copy_too(on_redshift: OnRedshift, source: Source) -> None:
    source.put("events", "a.json", event_line() + "{broken\n" * 2)
    on_redshift.use(max_rejects=2).load()
    assert copies(on_redshift)[-1].endswith("MAXERROR 3")


def test_roles_and_regions(on_redshift: OnRedshift, source: Source) -> None:
    days(source, 1)
    role = "arn:aws:iam::123456789012:role/loader"
    on_redshift.use(iam_role=role).load()
    assert f"IAM_ROLE '{role}'" in copies(on_redshift)[0]


def test_work_files_are_removed_whatever_the_outcome(
    on_redshift: OnRedshift, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(source, monkeypatch)
    days(source, 1)
    source.put("songs", "s.json", song_line(title="BjÃ¶rk"))
    run = on_redshift.load()
    assert {name.split("/")[0] for name in watched.files} == {run.run_id}
    names = {name.split("/")[1] for name in watched.files}
    assert {"text_repair.songs.json", "audit.load_file.events.json"} <= names
    assert source.work_files() == []
    source.put("events", "bad.json", event_line(level="gold") * 20)
    with pytest.raises(errors.RejectLimitError):
        on_redshift.load()
    assert any(name.endswith("audit.rejected_row.json") for name in watched.files)
    assert source.work_files() == []


def test_work_files_that_cannot_be_removed_do_not_fail_the_load(
    on_redshift: OnRedshift,
    source: Source,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(*_: Any) -> None:
        raise errors.SourceError("s3://work: AccessDenied")

    monkeypatch.setattr(s3.S3, "remove", refuse)
    days(source, 1)
    with caplog.at_level(logging.WARNING):
        assert on_redshift.load().event == "loaded"
    assert "work files remain under s3://" in caplog.text and "AccessDenied" in caplog.text


# Without work_prefix -----------------------------------------------------------------------------


def test_by_prefix_where_everything_is_new(on_redshift: OnRedshift, source: Source) -> None:
    days(source, 3)
    source.put("songs", "s.json", song_line(title="BjÃ¶rk"))
    source.bucket.put("log_data/", "")  # the console creates such an object for a folder
    source.bucket.put("log_data_private.json", event_line(sessionId=1))
    on_redshift.use(work_prefix=None).load()
    found = copies(on_redshift)
    assert len(found) == 2 and "MANIFEST" not in found[1]
    assert f"FROM '{source.bucket.url('log_data/')}'" in found[1]
    assert "JSON 'auto ignorecase'" in found[1]
    assert on_redshift.query("SELECT count(*) FROM sparkify.songplays") == [(3,)]
    assert on_redshift.query("SELECT title FROM sparkify.songs") == [("Björk",)]


@pytest.mark.parametrize("other", ["readme.txt", "_SUCCESS", "x.json.gz"])
def test_by_prefix_is_refused_where_not_all_can_be_read_at_once(
    on_redshift: OnRedshift, source: Source, other: str
) -> None:
    days(source, 1)
    source.put("events", other, gzip.compress(b"{}") if other.endswith("gz") else "")
    with pytest.raises(errors.SettingsError, match="work_prefix") as caught:
        on_redshift.use(work_prefix=None, song_data=None).load()
    assert caught.value.exit_code == 2
    assert on_redshift.star()["songplays"] == [] and copies(on_redshift) == []
    assert on_redshift.events()[-1][1] == "rolled back"


def test_by_prefix_is_refused_where_some_is_known(on_redshift: OnRedshift, source: Source) -> None:
    days(source, 1)
    on_redshift.use(work_prefix=None, song_data=None).load()
    days(source, 1, start=1)
    with pytest.raises(errors.SettingsError, match=r"0[.]json is not to be loaded"):
        on_redshift.load()
    on_redshift.use().load()
    assert len(on_redshift.star()["songplays"]) == 2


def test_an_object_that_arrives_while_copy_lists_the_prefix(
    on_redshift: OnRedshift, source: Source
) -> None:
    days(source, 1)
    faults = on_redshift.database.faults
    faults.call("^COPY staging", lambda _: days(source, 1, start=1))
    with pytest.raises(errors.SettingsError, match=r"1[.]json arrived while COPY read"):
        on_redshift.use(work_prefix=None, song_data=None).load()
    assert on_redshift.star()["songplays"] == []


# jsonpaths ---------------------------------------------------------------------------------------


def _paths(**changes: str) -> list[str]:
    names = "artist auth firstName gender itemInSession lastName length level location method page"
    names += " registration sessionId song status ts userAgent userId"
    return [changes.get(name, f"$['{name}']") for name in names.split()]


@pytest.mark.parametrize("where", ["s3", "local"])
def test_given_jsonpaths_are_used(
    on_redshift: OnRedshift, source: Source, where: str, tmp_path: Any
) -> None:
    data = json.dumps({"jsonpaths": _paths(song="$['track']['name']")})
    given = source.work.put("paths.json", data)
    if where == "local":
        (tmp_path / "paths.json").write_text(data)
        given = str(tmp_path / "paths.json")
    source.put("events", "a.json", event_line(track={"name": "Nested"}))
    on_redshift.use(log_jsonpaths=given).load()
    assert on_redshift.query("SELECT song_title FROM sparkify.songplays") == [("Nested",)]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"jsonPaths": _paths()}, "is not a jsonpaths file for events"),
        ({"jsonpaths": _paths(), "more": 1}, "is not a jsonpaths file for events"),
        ({"jsonpaths": _paths()[1:]}, "with 18 paths, in this order: artist, auth"),
        ({"jsonpaths": _paths(song="$.song")}, "brackets or in dots"),
        ({"jsonpaths": _paths(song="$['song'][*]")}, "no wildcards"),
        ("not JSON", "is not a jsonpaths file"),
    ],
)
def test_jsonpaths_that_copy_would_misread_are_refused(
    document: Any, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "paths.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    with pytest.raises(errors.SettingsError, match=message):
        read_jsonpaths(S3(Settings()), str(file), "events", SPARKIFY.source("events").keys)


def test_given_jsonpaths_are_checked_before_copy(on_redshift: OnRedshift, source: Source) -> None:
    days(source, 1)
    given = source.work.put("paths.json", json.dumps({"jsonPaths": _paths()}))
    with pytest.raises(errors.SettingsError, match="is not a jsonpaths file for events"):
        on_redshift.use(log_jsonpaths=given).load()
    assert [sql for sql in copies(on_redshift) if "events" in sql] == []


def test_other_jsonpaths_that_cannot_be_used(on_redshift: OnRedshift, source: Source) -> None:
    days(source, 1)
    with pytest.raises(errors.SourceError, match="NoSuchKey"):
        on_redshift.use(log_jsonpaths=source.work.url("missing.json")).load()
    with pytest.raises(errors.SettingsError, match="cannot be read: No such file"):
        on_redshift.use(log_jsonpaths="/nowhere/paths.json").load()
    with pytest.raises(errors.SettingsError, match="is not on S3"):
        on_redshift.use(log_jsonpaths="/nowhere/paths.json", work_prefix=None).load()
    given = source.put("events", "paths.json", json.dumps({"jsonpaths": _paths()}))
    with pytest.raises(errors.SettingsError, match="is among the data"):
        on_redshift.use(log_jsonpaths=given).load()


# What Redshift reports ---------------------------------------------------------------------------


def test_views_that_lag_are_waited_for(on_redshift: OnRedshift, source: Source) -> None:
    days(source, 2)
    source.put("events", "bad.json", event_line(itemInSession=5) + "{broken\n")
    on_redshift.database.log.lag = 1.0
    run = on_redshift.load()
    assert [(b.read, b.staged, b.refused_by_parser) for b in run.sources[1:]] == [(4, 3, 1)]


def test_views_that_never_show_a_copy_fail_the_load(
    on_redshift: OnRedshift, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    days(source, 2)
    on_redshift.database.log.lag = 3600.0
    monkeypatch.setattr(load_views, "LAG", 0.3)
    with pytest.raises(errors.BooksError, match="manifest that it does not report: 2"):
        on_redshift.load()
    assert on_redshift.star()["songplays"] == []
    assert on_redshift.events()[-1][1] == "rolled back"


def test_a_row_that_is_missing_without_an_error_entry_fails_the_load(
    on_redshift: OnRedshift, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    days(source, 2)
    monkeypatch.setattr(load_views, "LAG", 0.3)
    database = on_redshift.database

    def forget(_: Any) -> None:
        (path,) = database.log.folder.iterdir()
        record = json.loads(path.read_text())
        record["files"][0]["lines_scanned"] += 1
        path.write_text(json.dumps(record))

    database.faults.call("^COPY staging.events", forget, "after")
    for path in database.log.folder.glob("*"):
        path.unlink()
    with pytest.raises(errors.BooksError, match="3 records read, 2 loaded and 0 refused"):
        on_redshift.use(song_data=None).load()
    assert on_redshift.star()["songplays"] == []


def test_rows_in_staging_are_counted(
    on_redshift: OnRedshift, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows in staging are counted, not taken from COPY's report."""
    days(source, 2)
    plain = load_views.LoadViews.outcome

    def outcome(views: Any, ex: Any, *given: Any) -> Any:
        found = plain(views, ex, *given)
        ex.connection.exec_driver_sql("DELETE FROM staging.events WHERE iteminsession = '1'")
        return found

    monkeypatch.setattr(load_views.LoadViews, "outcome", outcome)
    with pytest.raises(errors.BooksError, match="events: read 2 is not staged 1"):
        on_redshift.load()
    assert on_redshift.star()["songplays"] == []


# Load errors -------------------------------------------------------------------------------------


@pytest.fixture
def old_cluster(on_redshift: OnRedshift) -> Any:
    """A database without the SYS views."""
    names = ("sys_load_error_detail", "sys_load_detail")
    backend = on_redshift.database.server._connect(on_redshift.database.name)
    for name in names:
        backend.execute(f"ALTER VIEW pg_catalog.{name} RENAME TO gone_{name}")
    yield on_redshift
    for name in names:
        backend.execute(f"ALTER VIEW pg_catalog.gone_{name} RENAME TO {name}")
    backend.close()


def _dirty(source: Source) -> list[tuple[Any, ...]]:
    """Puts objects with refused records; returns what the quarantine must have of them."""
    broken, wide = '{"page": "Home', "x" * 5000
    url = source.put("events", "a.json", event_line() + broken + "\n" + event_line(itemInSession=2))
    gzipped = gzip.compress((event_line(itemInSession=3) + '{"artist": "\\u0000"}\n').encode())
    second = source.put("events", "b.json.gz", gzipped)
    third = source.put("events", "c.json", '\n\n{"song":\n "' + wide + '"}\n')
    return [
        ("events", "malformed_json", url, 2, broken, len(broken)),
        ("events", "nul_character", second, 2, '{"artist": "\\u0000"}', 20),
        ("events", "too_long", third, 3, '{"song":\n "' + wide + '"}', len(wide) + 13),
    ]


def test_refused_records_land_in_the_quarantine_with_their_text(
    on_redshift: OnRedshift, source: Source
) -> None:
    expected = _dirty(source)
    run = on_redshift.load()
    assert sorted(on_redshift.refused(run)) == expected
    files = on_redshift.query(
        "SELECT rows_read, rows_staged, rows_refused FROM audit.load_file ORDER BY key"
    )
    assert files == [(3, 2, 1), (2, 1, 1), (1, 0, 1)]
    assert any("sys_load_error_detail" in sql for sql in on_redshift.database.sql())


def test_old_clusters_have_stl_load_errors(old_cluster: OnRedshift, source: Source) -> None:
    expected = _dirty(source)
    run = old_cluster.load()
    assert sorted(old_cluster.refused(run)) == expected
    assert any("stl_load_errors" in sql for sql in old_cluster.database.sql())


def test_a_row_refused_by_a_rule_keeps_its_fields(on_redshift: OnRedshift, source: Source) -> None:
    source.put("events", "a.json", event_line() + event_line(level="gold", status=None))
    run = on_redshift.load()
    ((*head, raw, size),) = on_redshift.refused(run)
    assert head == ["events", "level_valid", None, None] and size == len(raw)
    assert json.loads(raw)["level"] == "gold" and "status" not in json.loads(raw)


def test_rejects_shows_and_finds_them(on_redshift: OnRedshift, source: Source) -> None:
    line = event_line(level="gold", length=1.50, song="Björk").strip()
    url = source.put("events", "a.json", event_line() + "\n\n" + line + "\n" + line + "\n")
    gzipped = source.put("events", "b.json.gz", gzip.compress(event_line(level="x").encode()))
    wide = source.put("events", "c.json", event_line(userAgent="x" * 20_000) + "{broken\n")
    songs = source.put("songs", "s.json", song_line(year="nineteen"))
    on_redshift.load()
    rows = on_redshift.warehouse.rejects().records()
    assert {(r["rule"], r["key"]) for r in rows} == {
        ("level_valid", None),
        ("too_long", wide),
        ("malformed_json", wide),
        ("year_valid", None),
    }
    found = on_redshift.warehouse.rejects(locate=True).records()
    places = sorted((r["key"], r["line"], r["rule"]) for r in found)
    assert places == sorted(
        [
            (url, 4, "level_valid"),
            (url, 5, "level_valid"),
            (gzipped, 1, "level_valid"),
            (wide, 1, "too_long"),
            (wide, 2, "malformed_json"),
            (songs, 1, "year_valid"),
        ]
    )
    assert {r["raw"] for r in found if r["key"] == url} == {line}
    assert {r["raw_bytes"] for r in found if r["key"] == url} == {len(line.encode())}
    assert source.work_files() == [] and not any(
        sql.startswith("COPY refused") for sql in on_redshift.database.sql()
    )


def test_rejects_shows_the_newest_run_of_each_object(
    on_redshift: OnRedshift, source: Source
) -> None:
    source.put("events", "a.json", event_line() + event_line(level="gold"))
    first = on_redshift.load()
    source.put("events", "b.json", event_line(itemInSession=1) + event_line(level="x"))
    second = on_redshift.load()
    shown = on_redshift.warehouse.rejects
    assert {r["run_id"] for r in shown().records()} == {first.run_id, second.run_id}
    third = on_redshift.load(all=True)
    assert [r["run_id"] for r in shown().records()] == [third.run_id] * 2
    assert len(shown(first.run_id)) == 1


def test_what_is_located_is_that_version_or_nothing(
    on_redshift: OnRedshift, source: Source
) -> None:
    source.put("events", "a.json", event_line() + event_line(level="gold"))
    source.put("events", "b.json", event_line(itemInSession=1) + event_line(level="x"))
    on_redshift.load()
    source.put("events", "a.json", event_line(level="gold"))
    source.delete("events", "b.json")
    found = on_redshift.warehouse.rejects(locate=True).records()
    assert [r["key"] for r in found] == [None, None]


def test_rows_of_a_load_that_was_rolled_back_are_found_where_they_are_now(
    on_redshift: OnRedshift, source: Source
) -> None:
    url = source.put("events", "a.json", event_line(level="gold") * 12)
    with pytest.raises(errors.RejectLimitError, match="12 of 12"):
        on_redshift.load()
    (run, _), *_ = on_redshift.events()
    found = on_redshift.warehouse.rejects(run, locate=True).records()
    assert sorted((r["key"], r["line"]) for r in found) == [(url, n) for n in range(1, 13)]


def test_copy_that_gives_up_shows_object_line_column_reason_and_record(
    on_redshift: OnRedshift, source: Source
) -> None:
    url = source.put(
        "events", "a.json", event_line() + event_line(page="x" * 300) + "{broken\n" * 3
    )
    with pytest.raises(errors.RejectLimitError) as caught:
        on_redshift.use(max_rejects=1).load()
    message = str(caught.value)
    assert "events: COPY refused 2 records and gave up" in message
    assert f"{url}:2 too_long column page: String length exceeds DDL length: {{" in message
    assert f"{url}:3 malformed_json: Invalid JSON: malformed record: {{broken" in message
    assert "sparkify rejects --run" in message and "--max-rejects" in message
    assert caught.value.exit_code == 4
    run, event_ = on_redshift.events()[-1]
    assert event_ == "refused"
    assert on_redshift.query(
        f"SELECT rule, line FROM audit.rejected_row WHERE run_id = '{run}' ORDER BY line"
    ) == [("too_long", 2), ("malformed_json", 3)]
    assert on_redshift.star()["songplays"] == []


def test_the_ratio_is_judged_after_copy(on_redshift: OnRedshift, source: Source) -> None:
    source.put("events", "a.json", event_line() + "{broken\n" * 11)
    with pytest.raises(errors.RejectLimitError, match="11 of 12 rows refused"):
        on_redshift.load()
    on_redshift.use(reject_floor=11)
    assert on_redshift.load().event == "loaded"


def test_objects_too_large_to_be_read_again(
    on_redshift: OnRedshift, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then nested values are recognized by their text, other records by the rules."""
    monkeypatch.setattr(copy_refusals, "MAX_REREAD_BYTES", 10)
    source.put("events", "a.json", event_line() + event_line(song=["a"], itemInSession=1) + "17\n")
    run = on_redshift.load()
    found = {(rule, key, line) for _, rule, key, line, _, _ in on_redshift.refused(run)}
    assert found == {("nested_value", None, None), ("ts_valid", None, None)}


def test_an_object_that_is_not_utf8_text_is_one_refusal(
    on_redshift: OnRedshift, source: Source
) -> None:
    days(source, 1)
    url = source.put("events", "u.json", (event_line() * 3).encode("utf-16"))
    run = on_redshift.load()
    ((_, rule, key, line, _, size),) = on_redshift.refused(run)
    assert (rule, key, line) == ("undecodable_object", url, 0)
    assert size == len((event_line() * 3).encode("utf-16"))
    assert [b.read for b in run.sources[1:]] == [2]


# After the commit --------------------------------------------------------------------------------


def test_analyze_and_vacuum_are_steps_of_their_own(
    on_redshift: OnRedshift, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    days(source, 3)
    source.put("songs", "s.json", song_line())
    run = on_redshift.load()
    sent = on_redshift.database.sql()
    after = sent[len(sent) - sent[::-1].index("commit") :]
    assert [sql for sql in after if sql.startswith("ANALYZE")] == [
        f"ANALYZE {name}"
        for name in (
            *("staging.songs", "staging.events", "sparkify.songs", "sparkify.artists"),
            *("sparkify.users", "sparkify.time", "sparkify.songplays"),
        )
    ]
    assert not any("VACUUM" in sql for sql in sent)
    assert ("analyze", "songplays") in {(s.step, s.target) for s in run.steps}
    monkeypatch.setattr(writer, "VACUUM_ROWS", 3)
    on_redshift.load(all=True)
    assert [sql for sql in on_redshift.database.sql() if sql.startswith("VACUUM")] == [
        f"VACUUM DELETE ONLY {name}"
        for name in ("staging.events", "sparkify.time", "sparkify.songplays")
    ]


def test_their_failure_is_a_warning(
    on_redshift: OnRedshift, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    days(source, 3)
    monkeypatch.setattr(writer, "VACUUM_ROWS", 0)
    on_redshift.database.faults.fail("^ANALYZE sparkify", "out of disk", "53100", times=2)
    on_redshift.database.faults.drop("^VACUUM DELETE ONLY sparkify.time")
    run = on_redshift.use(song_data=None).load()
    assert run.event == "loaded" and on_redshift.events()[-1][1] == "loaded"
    first, second = run.warnings
    logged = "ANALYZE of sparkify.users, sparkify.time failed; the load stays committed: "
    assert first.startswith(logged)
    assert second.startswith("VACUUM DELETE ONLY of sparkify.time failed") and "lost" in second
    assert len(on_redshift.star()["songplays"]) == 3


def test_a_dry_run_leaves_nothing(on_redshift: OnRedshift, source: Source) -> None:
    days(source, 1)
    assert on_redshift.load(dry_run=True).event == "dry run"
    assert on_redshift.events() == [] and on_redshift.star()["songplays"] == []
    assert source.work_files() == []
    assert not any(sql.startswith("ANALYZE") for sql in on_redshift.database.sql())
