"""Text that is harmful when interpreted: stored unchanged on both engines, and shown inert."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from standin.server import Database
from support.folders import Folders, MakeFolders
from support.records import event, line, lines, song
from support.reference import Reference
from support.reference_checks import expected_star
from support.rig import NO_LIMIT, MakeRig, Rig
from support.soak_figures import figure
from support.warehouses import OnDuckDB, Source
from typer.testing import CliRunner

from sparkify_dwh import Settings, SparkifyError, Warehouse
from sparkify_dwh.cli import app
from sparkify_dwh.dialects import load_engine

HOSTILE = {
    "SQL": "'; DROP TABLE sparkify.songs; --",
    "SQL with a name": '" OR "1"="1"; COMMIT; DELETE FROM audit.load_run /*',
    "quotes": "'' \" ` \\' \\\" $$ $x$ E'\\x41'",
    "binds": ":name %s %(name)s %n%n ? $1 {0.__class__} {} {{x}} ${jndi:ldap://x/a}",
    "shell": "$(touch pwned) `touch pwned` ; touch pwned | touch pwned & \n touch pwned",
    "HTML": "<script>alert(1)</script><img src=x onerror=alert(1)>&lt;\"'>",
    "terminal": "\x1b[2J\x1b]0;pwned\x07\x1b[31m\x9b1m\x08\x08\x7f\r\x0b\x0c",
    "direction": "\u202eevil\u2066 \u200b\u200d \u061c \ufeff",
    "paths": "../../../../etc/passwd C:\\Windows\\..\\x file:///etc/passwd ~root",
    "formulas": "=cmd|'/C calc'!A0 +1 -1 @SUM(1)",
    "Unicode": "\u0130\u0131 \ufb01 e\u0301 \U0001f600\U000e0041 \u2028\u2029 \uffff",
    "CSV": 'a,"b""c\r\nd;\te',
}
FREE_TEXT = ("firstName", "lastName", "location", "userAgent", "song", "artist")
#: What a terminal obeys, but for the line feed that ends a line of output.
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def short(text: str) -> str:
    """A text cut to the width of Redshift's staging for a field that feeds no column."""
    return text.encode()[:64].decode("utf-8", "ignore")


def put(rig: Rig, kind: str, name: str, data: bytes) -> tuple[str, bytes]:
    return str(rig.put(kind, name, data)) if isinstance(rig, Folders) else put_s3(
        rig, kind, name, data
    ), data


def put_s3(rig: Any, kind: str, name: str, data: bytes) -> str:
    return str(rig.source.put(kind, name, data))


def cli(rig: Rig, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str, str]:
    """A command on the warehouse: exit code, stdout, stderr."""
    for name, value in rig.warehouse.settings.model_dump(exclude_defaults=True).items():
        monkeypatch.setenv(f"SPARKIFY_{name.upper()}", str(value))
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.stdout_bytes.decode(), done.stderr


def test_every_text_field_is_stored_unchanged_and_shown_inert(
    warehouse_on: MakeRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store, star = warehouse_on(**NO_LIMIT), Reference()
    texts = list(HOSTILE.values())
    events = [
        event(
            **dict.fromkeys(FREE_TEXT, text),
            method=short(text),
            itemInSession=n,
            userId=str(100 + n),
        )
        for n, text in enumerate(texts)
    ]
    songs = [
        song(song_id=f"S{n}", artist_id=f"A{n}", title=t, artist_name=t, artist_location=t)
        for n, t in enumerate(texts)
    ]
    # Fields that allow certain values only: the rows are refused, with their text.
    closed = [event(**{field: text}) for field in ("level", "gender") for text in texts]
    closed += [event(**{field: text}) for field in ("userId", "ts", "sessionId") for text in texts]
    bodies = [
        put(store, "events", "a.json", lines(*events)),
        put(store, "events", "b.json", lines(*closed)),
    ]
    some = [put(store, "songs", "s.json", lines(*songs))]
    run = store.load()
    books = star.load(events=bodies, songs=some)
    for table, rows in expected_star(star).items():
        assert store.star()[table] == rows, table
    assert len(store.star()["songplays"]) == len(texts)
    staged = store.query("SELECT firstname, useragent, method FROM staging.events")
    assert {row for row in staged if row[0] in texts} == {(t, t, short(t)) for t in texts}
    raws = {refusal.raw.decode() for refusal in books.refusals}
    assert {row[4] for row in store.refused(run) if row[2]} <= raws
    assert sum(store.refused(run).values()) == len(closed)

    for command in (
        ["query", "SELECT * FROM sparkify.songplays"],
        ["query", "SELECT * FROM sparkify.users"],
        ["rejects"],
        ["runs", run.run_id],
        ["load", "--all", "-v"],
        ["check"],
    ):
        code, out, err = cli(store, monkeypatch, *command)
        assert code in (0, 4), err
        assert OBEYED.findall(out + err) == [], command
    assert not list(tmp_path.rglob("pwned"))
    put_in = [*map(json.loads, lines(*events, *closed).splitlines())]
    figure(
        "hostile texts stored as they are and shown inert",
        engine=store.warehouse.engine.name,
        texts=len(texts),
        fields=sum(len({k for r in rs for k in r if r[k] in texts}) for rs in (put_in, songs)),
        refused_with_their_text=len(closed),
    )

    sql = "SELECT song_title, user_agent FROM sparkify.songplays ORDER BY item_in_session"
    stored = [row[0].strip() for row in store.query(sql)]
    _, out, _ = cli(store, monkeypatch, "query", sql, "--json")
    assert [row["song_title"] for row in json.loads(out)] == stored
    assert OBEYED.findall(out) == []
    _, out, _ = cli(store, monkeypatch, "query", sql, "--csv")
    rows = list(csv.reader(io.StringIO(out, newline="")))
    assert [row[0] for row in rows[1:]] == stored


def test_a_load_above_the_limit_shows_refused_text_inert(
    warehouse_on: MakeRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = warehouse_on(max_rejects=0)
    put(store, "events", "a.json", lines(*(event(level=text) for text in HOSTILE.values())))
    raw = b'{"level": "\x1b[2J\x9b\x07", "x": "\xe2\x80\xae"\n'
    put(store, "events", "b.json", raw)
    code, out, err = cli(store, monkeypatch, "load")
    assert code == 4
    assert OBEYED.findall(out + err) == []


NAMES = [
    "'; DROP TABLE audit.load_file; --.json",
    'a"b`c$(touch pwned).json',
    "%s %(x)s {0} :name ?.json",
    "<script>alert(1)</script>.json".replace("/", "\u2215"),
    "\x1b[2J\x1b]0;x\x07\u202e.json",
    "*?[a-z]{x}.json",
    "a..json..json",
    "a\\..\\b.json",
    "-rf.json",
    "line\nfeed\r.json",
    "caf\u00e9 e\u0301.json",
    "100%25+ &=#;,!.json",
    "\u00a0 x .json",
]


def test_names_of_files_are_kept_unchanged_and_shown_inert(
    warehouse: MakeFolders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read directly or spooled, globs and quotes in a name are ordinary characters."""
    from sparkify_dwh.dialects.duckdb import object_sorter

    for small in (0, object_sorter.SMALL):
        monkeypatch.setattr(object_sorter, "SMALL", small)
        folders = warehouse(**NO_LIMIT)
        monkeypatch.chdir(folders.root)
        expected = set()
        for number, name in enumerate(NAMES):
            body = lines(event(sessionId=number), event(level="x", sessionId=number))
            expected.add(str(folders.put("events", name, body)))
        broken = os.fsencode(folders.folders["events"]) + b"/\xff\xfe.json"
        Path(os.fsdecode(broken)).write_bytes(line(event(sessionId=99)))
        run = folders.load()
        held = {row[0] for row in folders.query("SELECT key FROM audit.load_file")}
        assert held - expected == {f"{folders.folders['events']}/\\xff\\xfe.json"}
        assert held >= expected
        assert {row[2] for row in folders.refused(run)} == expected
        assert folders.query("SELECT count(*) FROM sparkify.songplays") == [(len(NAMES) + 1,)]
        for command in (
            *(["runs", run.run_id], ["rejects"], ["load", "-v"], ["plan"], ["check", "--source"]),
            *(
                ["profile", "events"],
                ["compact", "events", "--into", str(folders.root / "into"), "--dry-run"],
            ),
        ):
            code, out, err = cli(folders, monkeypatch, *command)
            assert code == 0, err
            assert OBEYED.findall(out + err) == [], command
        assert not list(tmp_path.rglob("pwned"))
        assert folders.load().event == "nothing new"


KEYS = [
    *("a//b.json", "/d.json", "~/e.json", "C:/f.json", "a./g..json", "%2e%2e/%2e%2e/h.json"),
    *(name for name in NAMES if name.isprintable() and "\\" not in name),
    "x" * 900 + ".json",
]


def test_keys_of_objects_are_kept_unchanged_on_both_engines(
    migrated: Any, on_duckdb: OnDuckDB, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written outside of the scratch folder, whatever the key."""
    migrated.empty()
    stores = (migrated.use(source, **NO_LIMIT), on_duckdb)
    on_duckdb.warehouse.settings = on_duckdb.warehouse.settings.model_copy(update=NO_LIMIT)
    expected = {
        source.put("events", key, lines(event(sessionId=n), event(level="x", sessionId=n)))
        for n, key in enumerate(KEYS)
    }
    hidden = ["../../../../tmp/pwned.json", "./c.json", "a/../e.json"]
    for key in hidden:
        source.put("events", key, line(event(sessionId=99)))
    for store in stores:
        run = store.load()
        (book,) = [b for b in run.sources if b.source == "events"]
        assert book.skipped == len(hidden)
        assert {row[0] for row in store.query("SELECT key FROM audit.load_file")} == expected
        assert store.query("SELECT count(*) FROM sparkify.songplays") == [(len(KEYS),)]
        assert sum(store.refused(run).values()) == len(KEYS)
        assert store.load().event == "nothing new"
    assert not Path("/tmp/pwned.json").exists()
    figure("hostile keys of objects, on both engines", keys=len(KEYS), passed_over=len(hidden))


# Names in settings and declarations ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["o'brien; DROP TABLE x; --", "a b%20{0}%s", '"quoted"', "-x"])
def test_a_database_and_folders_with_any_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / name
    place.mkdir()
    (place / "a.json").write_bytes(line(event()))
    url = sa.URL.create("duckdb", database=str(place / f"{name}.duckdb"))
    settings = Settings(database_url=url.render_as_string(hide_password=False), log_data=str(place))
    warehouse = Warehouse(settings)
    warehouse.migrate()
    assert warehouse.load().event == "loaded"
    assert list(warehouse.query("SELECT count(*) FROM sparkify.songplays")) == [(1,)]
    assert (place / f"{name}.duckdb").exists()


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("memory_limit", "1GB'; DROP SCHEMA sparkify CASCADE; --"),
        ("memory_limit", "\x1b[2J"),
        ("log_data", "\0"),
        ("log_data", "s3://'; DROP/\x1b/"),
        ("log_data", "s3://"),
        ("song_data", "~nobody-has-this-name/\x1b[31m"),
        ("log_data", "x" * 5000),
        ("work_prefix", "s3://b/'; x/"),
        ("database_url", "duckdb:////nonexistent/'\x1b[2J.duckdb"),
        ("aws_region", "\x1b[2J"),
        ("aws_endpoint_url", "http://\x1b[2J/"),
    ],
)
def test_a_hostile_setting_is_an_error_that_names_it(
    setting: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SPARKIFY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    values = {"log_data": str(tmp_path), setting: text}
    if setting.startswith("aws_"):
        values["log_data"] = "s3://bucket/x/"
    given = [part for name, v in values.items() for part in (f"--{name.replace('_', '-')}", v)]
    done = CliRunner().invoke(app, ["load", *given])
    assert done.exit_code in (0, 2, 3, 5), done.output
    assert (done.exit_code == 0) == (setting == "work_prefix")
    assert "Traceback" not in done.output
    assert "defect" not in done.output
    assert OBEYED.findall(done.output) == []
    for form in ((), ("--json",)):
        shown = CliRunner().invoke(app, ["config", *form, *given])
        assert shown.exit_code in (0, 2), shown.output
        assert OBEYED.findall(shown.output) == []


def test_settings_are_quoted_in_statements_of_redshift() -> None:
    hostile = "a'; DROP TABLE sparkify.songs; --%s{0}"
    settings = Settings(
        database_url="redshift+redshift_connector://u@h/dev",
        log_data=f"s3://bucket/{hostile}/",
        work_prefix=f"s3://bucket/{hostile}/",
        iam_role=hostile,
        aws_region=hostile,
    )
    sql = str(Warehouse(settings).plan("redshift"))
    quoted = hostile.replace("'", "''")
    assert f"IAM_ROLE '{quoted}'" in sql
    assert f"REGION '{quoted}'" in sql
    assert hostile not in sql.replace(quoted, "")


def test_comments_of_tables_are_text_on_both_engines(redshift: Database, tmp_path: Path) -> None:
    """Comments that an extension may declare reach the catalogue unchanged."""
    engines = [
        Settings(database_url=f"duckdb:///{tmp_path}/x.duckdb"),
        Settings(database_url=redshift.url()),
    ]
    texts = [text for name, text in HOSTILE.items()]
    meta = sa.MetaData()
    for number, text in enumerate(texts):
        column = sa.Column("x", sa.BigInteger, comment=text)
        sa.Table(f"hostile_{number}", meta, column, comment=text)
    for settings in engines:
        with load_engine(settings).connect() as connection:
            meta.create_all(connection)
            inspector = sa.inspect(connection)
            for number, text in enumerate(texts):
                name = f"hostile_{number}"
                assert inspector.get_table_comment(name)["text"] == text, settings.database_url
                assert inspector.get_columns(name)[0]["comment"] == text


def test_a_record_key_is_text_too(warehouse_on: MakeRig) -> None:
    """Unknown keys change nothing, whatever they contain."""
    store = warehouse_on()
    odd = {text: text for text in HOSTILE.values()} | {"__proto__": 1, "": 2, "_object": 3}
    put(store, "events", "a.json", line({**odd, **event()}))
    store.load()
    assert store.query("SELECT count(*) FROM sparkify.songplays") == [(1,)]


def test_an_error_of_ours_is_inert_as_a_page(tmp_path: Path) -> None:
    """In a notebook the name of a file is not markup."""
    (tmp_path / "a.json").write_bytes(line(event(firstName="<script>alert(1)</script>")))
    warehouse = Warehouse(
        Settings(database_url=f"duckdb:///{tmp_path}/w.duckdb", log_data=str(tmp_path))
    )
    warehouse.migrate()
    run = warehouse.load()
    for shown in (
        warehouse.query("SELECT first_name, '<b>' AS \"<i>\" FROM sparkify.users"),
        warehouse.runs(),
        warehouse.run(run.run_id),
        run,
    ):
        page = shown._repr_html_()
        assert "<script>" not in page
        assert "<b>" not in page
        assert "<i>" not in page
    with pytest.raises(SparkifyError):
        Warehouse(Settings(log_data="<script>", database_url="duckdb:///:memory:")).load()
