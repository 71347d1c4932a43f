"""Every command: what it prints, where, and how it exits."""

from __future__ import annotations

import csv
import io
import json
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from support.records import song
from typer.testing import CliRunner, Result

from sparkify_dwh import Settings, Warehouse
from sparkify_dwh.cli import app, init
from sparkify_dwh.cli.init import config_text
from sparkify_dwh.cli.options import SETTINGS
from sparkify_dwh.core import errors
from sparkify_dwh.core.config_file import CONFIG_FILE, ENV_ONLY, ENV_PREFIX
from sparkify_dwh.sample.generate import generate

RUNNER = CliRunner()
SONG = song(artist_id="A1", song_id="S1")


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(ENV_PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)


def sparkify(*arguments: str, code: int = 0, stdin: str | None = None) -> Result:
    result = RUNNER.invoke(app, list(arguments), input=stdin)
    assert result.exit_code == code, result.output
    return result


def data(*arguments: str) -> Any:
    return json.loads(sparkify(*arguments, "--json").stdout)


@pytest.fixture
def places() -> tuple[str, ...]:
    """Options for generated data: 300 events, 20 songs, six records broken."""
    generate("data", events=300, songs=20, days=3, seed=1, dirty=0.02)
    return ("--log-data", "data/log_data", "--song-data", "data/song_data")


def songs(folder: str, *records: Any) -> str:
    Path(folder).mkdir(exist_ok=True)
    for number, record in enumerate(records):
        text = record if isinstance(record, str) else json.dumps({**SONG, **record})
        Path(folder, f"{number}.json").write_text(text, encoding="utf-8")
    return folder


# The settings table -----------------------------------------------------------------------


def test_the_options_are_the_settings() -> None:
    fields = Settings.model_fields
    assert [s.name for s in SETTINGS] == list(fields)
    for setting in SETTINGS:
        field = fields[setting.name]
        assert setting.help == field.description
        assert setting.default == field.get_default(call_default_factory=True)
    assert {s.name for s in SETTINGS if s.flag is None} == {*ENV_ONLY, "infra"}


def test_options_take_the_types_of_the_settings() -> None:
    for setting in SETTINGS:
        if setting.flag and setting.type in (int, float):
            result = sparkify("config", setting.flag, "many", code=2)
            assert result.stderr.startswith("error: ")
            assert "see: sparkify config --help" in result.stderr


@pytest.mark.parametrize("name", [s.name for s in SETTINGS if s.flag and s.name != "auth"])
def test_an_option_is_stronger_than_environment_file_and_default(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = next(s for s in SETTINGS if s.name == name)
    values: list[Any] = {
        "database_url": [f"duckdb:///{n}.duckdb" for n in "abc"],
        "work_prefix": [f"s3://{n}/" for n in "abc"],
        "sources": [{n: n} for n in "abc"],
        "extensions": [[n] for n in "abc"],
        "max_reject_ratio": [0.1, 0.2, 0.3],
        "aws_endpoint_url": [f"http://{n}:5000" for n in "abc"],
        "webhook_url": [f"https://{n}/" for n in "abc"],
    }.get(name) or ([1, 2, 3] if setting.type in (int, float) else list("abc"))
    in_file, in_environment, given = values
    table = (
        f"[{name}]\n" + "".join(f"{k} = {v!r}\n" for k, v in in_file.items())
        if isinstance(in_file, dict)
        else f"{name} = {json.dumps(in_file)}\n"
    )
    secret = "webhook" in name

    def shown(*options: str) -> tuple[Any, str]:
        row = next(r for r in data("config", *options) if r["setting"] == name)
        return row["value"], row["origin"]

    default = setting.default
    assert shown() == (default, "default")
    Path("sparkify.toml").write_text(table)
    assert shown() == ("***" if secret else in_file, "file")
    plain = isinstance(in_environment, (str, int, float))
    text = str(in_environment) if plain else json.dumps(in_environment)
    monkeypatch.setenv(ENV_PREFIX + name.upper(), text)
    assert shown() == ("***" if secret else in_environment, "environment")
    assert setting.flag
    if name == "sources":  # those of the environment and of options add up, by name
        given = in_environment | given
    option = "c=c" if name == "sources" else str(given[0] if isinstance(given, list) else given)
    assert shown(setting.flag, option) == ("***" if secret else given, "option")


def test_another_file_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("other.toml").write_text("reject_floor = 4\n")
    by_name = {r["setting"]: r for r in data("config", "--config", "other.toml")}
    assert (by_name["reject_floor"]["value"], by_name["reject_floor"]["origin"]) == (4, "file")
    monkeypatch.setenv("SPARKIFY_CONFIG", "other.toml")
    assert next(r for r in data("config") if r["setting"] == "reject_floor")["value"] == 4
    assert "does not exist" in sparkify("config", "--config", "no.toml", code=2).stderr


def test_sources_of_extensions_are_pairs() -> None:
    rows = data("config", "--sources", "plays=data/a=b", "--sources", "ads=x")
    found = next(r for r in rows if r["setting"] == "sources")
    assert found["value"] == {"plays": "data/a=b", "ads": "x"}
    assert "NAME=PLACE" in sparkify("config", "--sources", "plays", code=2).stderr


# init and config --------------------------------------------------------------------------


def test_init_writes_valid_settings() -> None:
    assert init.CONFIG_FILE == CONFIG_FILE
    sparkify("init")
    lines = Path("sparkify.toml").read_text().splitlines()
    assert tomllib.loads("\n".join(lines)) == {}
    values_set = [ln[1:] if ln.startswith("#") and not ln.startswith("# ") else ln for ln in lines]
    values = tomllib.loads("\n".join(values_set))
    assert set(values) == set(Settings.model_fields) - ENV_ONLY
    Path("all.toml").write_text("\n".join(values_set))
    settings = Settings(config="all.toml")
    for setting in SETTINGS:
        if setting.default not in (None, {}):
            assert getattr(settings, setting.name) == setting.default
    for description in (s.help for s in SETTINGS):
        assert f"# {description}" in lines


def test_init_does_not_overwrite() -> None:
    Path("sparkify.toml").write_text("reject_floor = 4\n")
    result = sparkify("init", code=2)
    assert result.stderr == "error: sparkify.toml exists\n  --force replaces it\n"
    assert Path("sparkify.toml").read_text() == "reject_floor = 4\n"
    sparkify("init", "--force")
    assert Path("sparkify.toml").read_text() == config_text()
    sparkify("init", "--config", "other.toml")
    assert Path("other.toml").exists()
    assert "cannot be written" in sparkify("init", "--config", "no/x.toml", code=2).stderr


def test_secrets_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKIFY_DATABASE_PASSWORD", "hush1")
    monkeypatch.setenv("SPARKIFY_WEBHOOK_URL", "https://example.com/hush2")
    url = "redshift+redshift_connector://user:hush3@host:5439/db?password=hush4"
    endpoint = "http://localhost:5000"
    for extra in ((), ("--json",), ("-v",), ("-v", "--log-format", "json")):
        options = ("--database-url", url, "--aws-endpoint-url", endpoint)
        result = sparkify("config", *options, *extra)
        assert "hush" not in result.output
        assert result.stdout.count("***") == 4
        assert "user:***@host:5439/db" in result.stdout


def test_a_password_in_the_file_is_refused() -> None:
    Path("sparkify.toml").write_text('database_password = "hush"\n')
    result = sparkify("config", code=2)
    assert "SPARKIFY_DATABASE_PASSWORD" in result.stderr
    assert "hush" not in result.output


# migrate ----------------------------------------------------------------------------------

(HEAD,) = ScriptDirectory(str(Path(__file__).parents[1] / "migrations")).get_heads()


def test_migrate_up_down_and_status() -> None:
    assert data("migrate", "--status") == {
        "database": [],
        "library": [HEAD],
        "state": "missing",
    }
    assert not Path("sparkify.duckdb").exists()
    result = sparkify("migrate")
    assert (result.stdout, result.stderr) == ("", f"schema version none -> {HEAD}\n")
    assert f"version is already {HEAD}" in sparkify("migrate").stderr
    assert "state:    current" in sparkify("migrate", "--status").stdout
    assert data("migrate", "--to", "base")["state"] == "missing"
    assert data("migrate")["state"] == "current"
    assert "cannot migrate to 77" in sparkify("migrate", "--to", "77", code=2).stderr


@pytest.mark.parametrize("url", ["duckdb:///x.duckdb", "redshift+redshift_connector://h:5439/d"])
def test_migration_sql_needs_no_database(url: str) -> None:
    result = sparkify("migrate", "--sql", "--database-url", url)
    assert "CREATE TABLE sparkify.songplays" in result.stdout
    assert "CREATE TABLE" in data("migrate", "--sql", "--database-url", url)["sql"]
    assert list(Path().iterdir()) == []
    sparkify("migrate", "--sql", "--to", "77", "--database-url", url, code=2)
    sparkify("migrate", "--sql", "--status", code=2)


# load -------------------------------------------------------------------------------------


def test_load_shows_its_summary_on_one_screen(places: tuple[str, ...]) -> None:
    result = sparkify("load", *places)
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert lines[0] == "new database: migrating it first"
    assert len(lines) <= 23
    assert max(map(len, lines)) <= 80
    text = result.stderr
    assert "loaded in " in text
    assert "staged = refused + out of scope + duplicate + stale + merged" in text
    for name in ("songs", "artists", "users", "time", "songplays", "events"):
        assert f"\n{name} " in text
    assert "6 refused, by rule" in text
    assert "see them: sparkify rejects" in text
    again = sparkify("load", *places)
    assert again.stderr.startswith("nothing new to load: 23 files already in the ledger (")


def test_load_as_json(places: tuple[str, ...]) -> None:
    expected = json.loads(Path("data/expected.json").read_text())
    result = sparkify("load", *places, "--json")
    assert "loaded in" not in result.stderr
    run = json.loads(result.stdout)
    assert run["event"] == "loaded"
    assert {a["target"]: a["merged"] for a in run["targets"]} == expected["star"]
    assert sum(run["refused"].values()) == 6
    assert [b["source"] for b in run["sources"]] == ["songs", "events"]
    assert json.loads(sparkify("load", *places, "--json").stdout)["event"] == "nothing new"


def test_a_dry_run_shows_the_same_and_leaves_nothing(places: tuple[str, ...]) -> None:
    dry = data("load", *places, "--dry-run")
    assert dry["event"] == "dry run"
    assert "there is no warehouse" in sparkify("runs", code=5).output
    sparkify("migrate")
    data("load", *places, "--dry-run")
    assert data("runs") == []
    assert data("query", "select * from sparkify.songs") == []
    text = sparkify("load", *places, "--dry-run").stderr
    assert "rolled back, nothing recorded" in text
    real = data("load", *places)
    for part in ("sources", "targets", "refused"):
        assert dry[part] == real[part]


def test_load_all_loads_again(places: tuple[str, ...]) -> None:
    sparkify("load", *places)
    run = data("load", *places, "--all")
    assert {a["target"]: a["replaced"] for a in run["targets"]}["songplays"] > 0


def test_changes_outside_the_books_are_shown() -> None:
    folder = songs("songs", {})
    sparkify("load", "--song-data", folder)
    songs("songs", {"title": "Another title"})
    result = sparkify("load", "--song-data", folder)
    assert "(rows they no longer have stay): songs 1 file" in result.stderr


def test_a_song_with_two_contents_is_merged_once_and_counted() -> None:
    run = data("load", "--song-data", songs("songs", {"title": "A"}, {"title": "B"}))
    book = next(a for a in run["targets"] if a["target"] == "songs")
    assert (book["staged"], book["duplicate"], book["merged"]) == (2, 1, 1)
    assert data("query", "select title from sparkify.songs") == [{"title": "B"}]


def test_a_failed_load_as_json() -> None:
    gone = json.loads(sparkify("load", "--log-data", "gone", "--json", code=3).stdout)
    assert gone == {
        "event": "not started",
        "run_id": None,
        "error": "SourceError",
        "reason": "source gone does not exist",
        "hint": "name a folder, a file or s3://bucket/prefix/",
        "exit_code": 3,
    }
    Path("bad.json").write_text("{oops\n" * 20, encoding="utf-8")
    bad = json.loads(sparkify("load", "--log-data", "bad.json", "--json", code=4).stdout)
    assert (bad["event"], bad["error"], bad["exit_code"]) == ("refused", "RejectLimitError", 4)
    assert bad["reason"] == "events: 20 of 20 rows refused, more than allowed (malformed_json 20)"
    (row,) = json.loads(sparkify("runs", "--json").stdout)
    assert (bad["run_id"], bad["event"]) == (row["run_id"], row["event"])
    dry_run = ("load", "--log-data", "bad.json", "--dry-run", "--json")
    dry = json.loads(sparkify(*dry_run, code=4).stdout)
    assert dry["run_id"] is None and dry["event"] == "refused"
    setting = json.loads(sparkify("load", "--lock-timeout", "-1", "--json", code=2).stdout)
    assert (setting["event"], setting["error"]) == ("not started", "SettingsError")


def test_messages_as_json_lines(places: tuple[str, ...]) -> None:
    for arguments in (["--log-format", "json", "load"], ["load", "--log-format", "json"]):
        Path("sparkify.duckdb").unlink(missing_ok=True)
        result = sparkify(*arguments, *places)
        lines = [json.loads(line) for line in result.stderr.splitlines()]
        assert lines[0]["message"] == "new database: migrating it first"
        assert lines[-1]["message"] == "loaded"
        assert lines[-1]["run"]["event"] == "loaded"
    failed = sparkify("load", "--log-data", "gone", "--log-format", "json", code=3)
    line = json.loads(failed.stderr)
    assert (line["level"], bool(line["hint"])) == ("error", True)
    assert line["message"] == "source gone does not exist"


def test_quiet_is_quiet(places: tuple[str, ...]) -> None:
    assert sparkify("load", "-q", *places).output == ""
    assert sparkify("-q", "load", *places).output == ""
    assert sparkify("load", "-q", "--log-data", "gone", code=3).stderr.startswith("error: ")


# plan -------------------------------------------------------------------------------------


def test_plan_shows_statements_and_creates_nothing(places: tuple[str, ...]) -> None:
    result = sparkify("plan", *places, "--exit-code", code=10)
    assert "INSERT INTO sparkify.songplays" in result.stdout
    assert "to load: songs 20, events 3" in result.stderr
    assert not Path("sparkify.duckdb").exists()
    sparkify("load", *places)
    done = sparkify("plan", *places, "--exit-code")
    assert "to load: nothing new" in done.stderr
    sparkify("plan", *places, "--exit-code", "--all", code=10)
    assert data("plan", *places)["objects"] == {"songs": 0, "events": 0}


def test_plan_of_an_engine_neither_connects_nor_lists() -> None:
    for engine in ("duckdb", "redshift"):
        assert "sparkify.songplays" in sparkify("plan", "--engine", engine).stdout
    found = data("plan", "--engine", "duckdb")
    assert found["objects"] is None
    assert {"step", "target", "sql", "condition", "repeated"} == set(found["statements"][0])
    assert "duckdb, redshift" in sparkify("plan", "--engine", "oracle", code=2).stderr
    sparkify("plan", "--engine", "duckdb", "--exit-code", code=2)


# query, runs, rejects, check --------------------------------------------------------------


def test_query_in_three_forms() -> None:
    sparkify("migrate")
    sql = (
        "select 1 as n, null as nothing, timestamp '2018-11-01 21:01:46.796' as t, "
        "date '2018-11-01' as d, 'nan'::double as f, true as yes, 1.50::decimal(5,2) as dec, "
        "[1, 2] as list, {'a': 'é'} as struct, 'a,\"b' as n"
    )
    (row,) = data("query", sql)
    assert row == {
        "n": 1,
        "nothing": None,
        "t": "2018-11-01T21:01:46.796000",
        "d": "2018-11-01",
        "f": None,
        "yes": True,
        "dec": 1.5,
        "list": [1, 2],
        "struct": {"a": "é"},
        "n_2": 'a,"b',
    }
    head, line = csv.reader(io.StringIO(sparkify("query", sql, "--csv").stdout))
    assert head == ["n", "nothing", "t", "d", "f", "yes", "dec", "list", "struct", "n"]
    assert line[:6] == ["1", "", "2018-11-01T21:01:46.796000", "2018-11-01", "", "true"]
    assert line[-2:] == ['{"a": "é"}', 'a,"b']
    text = sparkify("query", sql)
    assert "2018-11-01 21:01:46.796" in text.stdout
    assert text.stderr == "1 row\n"


def test_query_limit_and_stdin() -> None:
    sparkify("migrate")
    assert data("query", "select * from range(5)", "--limit", "2") == [{"range": 0}, {"range": 1}]
    assert data("query", "select * from range(5)", "--limit", "0") == []
    assert sparkify("query", "-", "--csv", stdin="select 7 as n").stdout == "n\n7\n"


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "selec 1",
        "select * from nowhere",
        "delete from sparkify.songs",
        "create table t (a int)",
    ],
)
def test_query_only_reads(sql: str) -> None:
    sparkify("migrate")
    assert sparkify("query", sql, code=2).stderr.startswith("error: ")
    sparkify("query", "select 1", "--csv", "--json", code=2)


def test_runs_and_one_run(places: tuple[str, ...]) -> None:
    sparkify("migrate")
    assert "no loads yet" in sparkify("runs").stderr
    run_id = data("load", *places)["run_id"]
    sparkify("load", *places)
    first, second = data("runs")
    assert (first["event"], second["event"]) == ("nothing new", "loaded")
    assert (second["run_id"], second["rows_read"], second["rows_refused"]) == (run_id, 326, 6)
    text = sparkify("runs").stdout
    assert run_id in text
    assert "reason" not in text
    one = data("runs", run_id)
    assert set(one) == {"events", "files", "steps", "books", "rules"}
    assert len(one["files"]) == 23
    shown = sparkify("runs", run_id).stdout
    for part in one:
        assert f"{part}\n" in shown
    assert "source:songs: objects 20, read 20, staged 20\n" in shown
    assert "data/log_data/2018/11/2018-11-01-events.json" in shown
    assert str(Path.cwd()) not in shown
    assert sparkify("runs", "nonesuch", code=2).stderr.startswith("error: there is no run nonesuch")


def test_many_files_are_not_all_listed() -> None:
    folder = songs("songs", *({"song_id": f"S{n}"} for n in range(50)))
    run_id = data("load", "--song-data", folder)["run_id"]
    assert "and 10 more files: --json lists all" in sparkify("runs", run_id).stdout
    assert len(data("runs", run_id)["files"]) == 50


def test_rejects_show_rule_reason_place_and_text() -> None:
    folder = songs("songs", {}, {"song_id": "", "title": "bad"}, "{oops")
    sparkify("load", "--song-data", folder)
    text = sparkify("rejects").stdout
    assert "songs: song_id_present (1): song_id must not be missing or blank" in text
    assert "  songs/1.json:1  {" in text
    assert "songs: malformed_json (1): " in text
    assert "songs/2.json:1  {oops" in text
    rows = data("rejects")
    assert {row["rule"] for row in rows} == {"song_id_present", "malformed_json"}
    assert set(rows[0]) == {
        "run_id", "source", "rule", "reason", "key", "line", "raw", "raw_bytes", "at", "in_star",
    }  # fmt: skip
    assert len(data("rejects", "--limit", "1")) == 1
    assert "1 of 2 shown" in sparkify("rejects", "--limit", "1").stderr
    assert data("rejects", "events") == []
    assert "no refused records" in sparkify("rejects", "events").stderr
    assert "declared sources: songs, events" in sparkify("rejects", "x", code=2).stderr
    assert "no run x" in sparkify("rejects", "--run", "x", code=2).stderr
    sparkify("rejects", "--raw", "--json", code=2)


def test_raw_records_go_back_through_an_edit() -> None:
    folder = songs("songs", {}, {"song_id": "S2", "duration": -1, "title": "é\u2028\x1b"}, "{oops")
    sparkify("load", "--song-data", folder)
    raw = sparkify("rejects", "songs", "--raw").stdout
    refused = {**SONG, "song_id": "S2", "duration": -1, "title": "é\u2028\x1b"}
    assert raw == "{oops\n" + json.dumps(refused) + "\n"
    Path("fixed.json").write_text(raw.replace("-1", "3").replace("{oops", ""), encoding="utf-8")
    assert "now in the star" not in sparkify("rejects").stdout
    sparkify("load", "--song-data", "fixed.json")
    assert sparkify("rejects").stdout.count("now in the star") == 1
    (song,) = data("query", "select title, duration from sparkify.songs where song_id = 'S2'")
    assert song == {"title": "é\u2028\x1b", "duration": 3.0}


def test_a_refused_record_with_half_a_surrogate_pair_is_shown() -> None:
    line = json.dumps({**SONG, "title": "half"}).replace("half", "\\ud800")
    sparkify("load", "--song-data", songs("songs", line))
    (row,) = data("rejects")
    assert (row["rule"], row["in_star"], row["raw"]) == ("lone_surrogate", False, line)


def test_records_that_the_quarantine_cut_are_named_and_not_written() -> None:
    whole = {"song_id": "S2", "duration": -1, "title": "x" * 1000}
    cut = {"song_id": "S3", "title": "x" * 70_000}
    songs("songs", whole, cut, "{" + "é" * 40_000)
    sparkify("load", "--song-data", "songs")
    result = sparkify("rejects", "--raw")
    assert result.stdout == json.dumps({**SONG, **whole}) + "\n"
    lines = [line for line in result.stderr.splitlines() if "cut at 64 KiB" in line]
    assert len(lines) == 2
    assert "songs/2.json:1 malformed_json" in lines[0]
    assert "songs/1.json:1 too_long" in lines[1]


def test_rejects_of_a_load_that_failed() -> None:
    folder = songs("songs", {}, {"song_id": "S2", "duration": -1})
    result = sparkify("load", "--song-data", folder, "--max-rejects", "0", code=4)
    assert "songs: 1 of 2 rows refused, more than allowed (duration_valid 1)" in result.stderr
    (run,) = data("runs")
    assert run["event"] == "refused"
    assert f"sparkify rejects --run {run['run_id']}" in result.stderr
    (row,) = data("rejects", "--run", run["run_id"])
    assert row["rule"] == "duration_valid"
    dry = sparkify("load", "--song-data", folder, "--max-rejects", "0", "--dry-run", code=4)
    assert "sparkify rejects" not in dry.stderr
    listed = sparkify("runs").stdout
    assert "reason" in listed
    assert len(listed.splitlines()) == 3


def test_check_passes_and_fails() -> None:
    sparkify("load", "--song-data", songs("songs", {}))
    result = sparkify("check")
    assert "all 17 checks passed" in result.stderr
    assert data("check")["passed"] is True
    with Warehouse(Settings()).engine.connect() as connection:
        connection.exec_driver_sql("insert into sparkify.songs select * from sparkify.songs")
        connection.commit()
    failed = sparkify("check", code=4)
    assert "1 of 17 checks failed: songs.key_unique" in failed.stderr
    assert "key_unique" in failed.stdout
    as_json = json.loads(sparkify("check", "--json", code=4).stdout)
    assert as_json["passed"] is False
    assert {"rule", "target", "severity", "value", "limit_value", "passed"} == set(
        as_json["measures"][0]
    )


# generate and demo ------------------------------------------------------------------------


def test_generate_writes_the_numbers_given() -> None:
    options = ("--events", "50", "--songs", "4", "--days", "2", "--seed", "3", "--dirty", "0.1")
    result = sparkify("generate", "out", *options)
    assert "55 events and 4 songs written to out" in result.stderr
    expected = json.loads(Path("out/expected.json").read_text())
    assert (expected["events"], expected["songs"], expected["days"]) == (50, 4, 2)
    assert (expected["seed"], expected["dirty"]) == (3, 0.1)
    assert "choose another directory" in sparkify("generate", "out", code=2).stderr
    sparkify("generate", "out2", "--dirty", "2", code=2)
    Path("file").write_text("")
    assert sparkify("generate", "file/x", code=2).stderr.startswith("error: ")


def test_demo_shows_every_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKIFY_MAX_REJECTS", "0")  # the demo ignores the user's settings
    Path("sparkify.toml").write_text("lock_timeout = 'soon'\n")
    before = set(Path().iterdir())
    result = sparkify("demo")
    text = result.stdout
    assert set(Path().iterdir()) == before
    assert text.count("loaded in") == 2
    assert text.count("staged = refused + out of scope + duplicate + stale + merged") == 2
    for name in ("songs", "artists", "users", "time", "songplays"):
        assert f"\n{name} " in text
    assert "after the first load:  song_id NULL" in text
    assert "after the second load: song_id SO" in text
    assert "refused, by rule" in text
    assert text.rstrip().splitlines()[-4] == "now with your own data:"


# Errors -----------------------------------------------------------------------------------


def test_exit_codes_of_settings_sources_and_databases() -> None:
    sparkify("load", code=2)
    sparkify("load", "--max-reject-ratio", "2", "--log-data", ".", code=2)
    sparkify("load", "--log-data", "gone", code=3)
    sparkify("query", "select 1", code=5)
    Path("folder").mkdir()
    Path("text.duckdb").write_text("no database " * 500)
    for name in ("folder", "text.duckdb"):
        result = sparkify(
            "load", "--song-data", songs("songs", {}), "--database-url", f"duckdb:///{name}", code=5
        )
        assert result.stderr.startswith("error: ")
        assert "Traceback" not in result.stderr


def test_a_schema_of_another_version_ends_with_5() -> None:
    sparkify("migrate")
    with Warehouse(Settings()).engine.connect() as connection:
        connection.exec_driver_sql("update alembic_version set version_num = '9999'")
        connection.commit()
    result = sparkify("load", "--song-data", songs("songs", {}), code=5)
    assert "newer than this library's" in result.stderr


@pytest.mark.parametrize(
    "error",
    [
        errors.UsageError,
        errors.SettingsError,
        errors.SourceError,
        errors.QualityError,
        errors.DatabaseError,
        errors.LockError,
        errors.InfraError,
        errors.BooksError,
        errors.SparkifyError,
    ],
)
def test_each_error_ends_with_its_code_and_two_lines(
    error: type[errors.SparkifyError], monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(self: Warehouse) -> None:
        raise error("it is wrong\x1b[2J", "do this")

    monkeypatch.setattr(Warehouse, "check", check)
    result = sparkify("check", code=error.exit_code)
    assert result.stderr == "error: it is wrong\\x1b[2J\n  do this\n"
    assert "Traceback" in sparkify("check", "-v", code=error.exit_code).stderr


def test_an_unexpected_error_is_reported_as_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(self: Warehouse) -> None:
        raise KeyError("oops")

    monkeypatch.setattr(Warehouse, "check", check)
    result = sparkify("check", code=1)
    assert result.stderr.startswith("error: KeyError: 'oops'\n  this is a bug in sparkify")
    assert "Traceback" not in result.stderr
    assert "Traceback" in sparkify("-v", "check", code=1).stderr


def test_a_broken_connection_is_not_a_reader_that_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(self: Warehouse) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(Warehouse, "check", check)
    assert "BrokenPipeError" in sparkify("check", code=1).stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonesuch"],
        ["load", "--nonesuch"],
        ["query"],
        ["load", "--auth", "guess"],
        ["runs", "a", "b"],
    ],
)
def test_wrong_usage_is_one_line_and_a_hint_to_help(arguments: list[str]) -> None:
    lines = sparkify(*arguments, code=2).stderr.splitlines()
    assert lines[0].startswith("error: ")
    assert lines[-1].startswith("  see: sparkify")
    assert lines[-1].endswith("--help")


def test_the_version() -> None:
    from sparkify_dwh import __version__

    assert sparkify("--version").stdout == f"sparkify {__version__}\n"


def test_every_command_has_help_with_an_example() -> None:
    from typer.main import get_command

    commands: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
    for name, command in commands.items():
        text = sparkify(name, "--help").stdout
        assert f"Example: sparkify {name}" in text
        assert all(p.help for p in command.params if hasattr(p, "help") and not p.hidden)
        assert command.get_short_help_str(58)[-3:] != "..."
