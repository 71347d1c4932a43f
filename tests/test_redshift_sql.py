"""Every statement that migrate and load send to Redshift: compared literally, parsed, planned."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlfluff.core import FluffConfig, Linter
from standin.server import Standin
from support.records import event_line, song_line
from support.warehouses import OnRedshift, Source

from sparkify_dwh import Plan, Settings, Warehouse
from sparkify_dwh.dialects.redshift import writer

pytestmark = pytest.mark.usefixtures("aws_keys")
GOLDEN = Path(__file__).parent / "golden"
#: Statements that SQLAlchemy sends on its own.
_STOCK = re.compile(
    r"show transaction|select current_schema|select pg_catalog.version", re.IGNORECASE
)
_NEVER = re.compile(
    r"\b(TRUNCATE|RETURNING|CHECK|CREATE (UNIQUE )?INDEX|SAVEPOINT|ON CONFLICT|ALTER COLUMN)\b",
    re.IGNORECASE,
)
_RENDERED = re.compile(r"'(?:[^'\\]|\\.|'')*'")
Statements = list[str]


class Captured:
    """The statements of a migration and three loads."""

    def __init__(self, warehouse: OnRedshift) -> None:
        self.migration = warehouse.database.sql()
        self.loads: list[Statements] = []
        self.addresses: list[str] = []

    def load(self, warehouse: OnRedshift, **options: Any) -> None:
        warehouse.database.statements.clear()
        run = warehouse.load(**options)
        self.addresses.append(f"manifests/{run.run_id}/")
        self.loads.append(warehouse.database.sql())


def _first_load(source: Source) -> None:
    """Every condition of a load is true for it, except that of the maintenance."""
    import gzip

    source.put(
        "songs", "a.json", song_line(artist_name="BjÃ¶rk") + song_line(song_id="S2", year="x")
    )
    source.put("songs", "b.json.gz", gzip.compress(b'{"duration": NaN}\n'))
    source.put(
        "events",
        "a.json",
        event_line(song="BjÃ¶rk 2") + event_line(level="gold") + event_line() + "7\n",
    )
    source.put(
        "events", "b.json.gz", gzip.compress(event_line(ts="NaN").encode() + b'{"ts": NaN}\n')
    )


@pytest.fixture(scope="module")
def captured(standin: Standin, s3_server: Any) -> Iterator[Captured]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(standin.ca_file))
        patch.setattr(writer, "VACUUM_ROWS", 1)
        source = Source(s3_server)
        warehouse = OnRedshift(standin.database(), source)
        found = Captured(warehouse)
        warehouse.use(max_reject_ratio=1.0)
        _first_load(source)
        found.load(warehouse)
        source.put("songs", "late.json", song_line())
        source.put("events", "next.json", event_line(itemInSession=1))
        found.load(warehouse)
        warehouse.empty()
        source.delete("songs", "b.json.gz")
        source.delete("events", "b.json.gz")
        warehouse.use(max_reject_ratio=1.0, work_prefix=None)
        found.load(warehouse)
    yield found
    warehouse.close()


def plan(**values: Any) -> Plan:
    """The plan for an empty warehouse; it does not connect."""
    given = {
        "work_prefix": "s3://work-bucket/work/",
        "log_data": "s3://data-bucket/log_data/",
        "song_data": "s3://data-bucket/song_data/",
        "aws_region": "us-east-1",
        **values,
    }
    return Warehouse(Settings(**{k: v for k, v in given.items() if v})).plan("redshift")


def bare(sql: str) -> str:
    """A statement without what differs between a plan and a run: binds, buckets, the run."""
    parts = []
    for text in re.split(f"({_RENDERED.pattern})", sql):
        if text.startswith("'"):
            text = re.sub(r"s3://[a-z]+-[0-9a-z]+/", "s3://bucket/", text)
            parts.append(re.sub(r"manifests/[^/]+/", "manifests/run/", text))
        else:
            parts.append(re.sub(r"\$[0-9]+|(?<![:\w]):[a-z_]\w*", "?", text))
    text = "".join(parts).strip()
    return re.sub(r"(VALUES \([^()]*\))(, \([^()]*\))+", r"\1", text)


def steps(statements: Statements) -> Statements:
    """The statements of a load's steps, from its row 'started' on.

    Before it come the session's own, the schema's version and the runs that died.
    """
    first = next(
        n for n, sql in enumerate(statements) if sql.startswith("INSERT INTO audit.load_run")
    )
    left = ("begin transaction", "commit", "rollback")
    return [bare(s) for s in statements[first:] if s not in left and not _STOCK.match(s)]


# The plan ----------------------------------------------------------------------------------------


def test_the_plan_is_golden() -> None:
    golden = GOLDEN / "redshift_load.sql"
    found = str(plan()) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(found)
    expected = golden.read_text()
    assert found == expected, "".join(
        difflib.unified_diff(expected.splitlines(True), found.splitlines(True), n=1)
    )


@pytest.mark.parametrize("number", [0, 1, 2], ids=["first", "late songs", "by prefix"])
def test_a_load_sends_what_the_plan_shows(captured: Captured, number: int) -> None:
    """In the plan's order, without the statements whose condition was false."""
    sent = steps(captured.loads[number])
    shown = plan(work_prefix=None) if number == 2 else plan()
    planned = [s for s in shown.statements if s.step != "transaction"]
    at, conditions = 0, set()
    for statement in planned:
        if at < len(sent) and sent[at] == bare(statement.sql):
            conditions.add(statement.condition)
            at += 1
            while statement.repeated and at < len(sent) and sent[at] == bare(statement.sql):
                at += 1
        else:
            assert statement.condition or statement.repeated, statement.sql
    assert at == len(sent), f"sent, but not planned: {sent[at]}"
    if number == 0:
        assert {s.condition for s in planned} - conditions == {
            "a key has more than one row",
            "facts were stored before",
            "the load deleted 100,000 rows",
            "persons were erased",
            "objects are compacted",
            "objects are compacted and compacted objects hold others too",
        }


def test_what_is_repeated_is_marked() -> None:
    """Without work_prefix the client inserts rows in batches; nothing else is repeated."""
    marked = [s for s in plan(work_prefix=None).statements if s.repeated]
    assert {s.repeated for s in marked} == {"batch"}
    tables = {s.sql.split()[2] for s in marked}
    assert {"text_repair", "audit.rejected_row", "audit.load_file"} <= tables
    assert "-- per batch\nINSERT INTO text_repair" in str(plan(work_prefix=None)).replace(
        "-- if texts are damaged\n", ""
    )
    bounded = {"audit.load_book", "audit.quality_result", "audit.load_step"}
    assert {s.sql.split()[2] for s in plan().statements if s.repeated} == bounded


def test_delete_and_lock_come_first(captured: Captured) -> None:
    """LOCK is the first statement of the transaction after the timeout that bounds it."""
    for sent in captured.loads:
        lock = sent.index("LOCK TABLE audit.load_lock")
        assert sent[lock - 2 : lock] == ["begin transaction", "SET statement_timeout TO 60000"]
        commit = len(sent) - 1 - sent[::-1].index("commit")
        assert "commit" not in sent[lock:commit] and "rollback" not in sent[lock:commit]
        within = sent[lock:commit]
        assert [s for s in within if s.startswith("DELETE FROM staging")][:2] == [
            "DELETE FROM staging.songs",
            "DELETE FROM staging.events",
        ]
        assert any(s.startswith("ANALYZE") for s in sent[commit + 1 :])
        assert not any(s.startswith(("ANALYZE", "VACUUM")) for s in within)


# The SQL -----------------------------------------------------------------------------------------


def test_nothing_that_redshift_lacks_or_that_commits(captured: Captured) -> None:
    for sql in [*captured.migration, *(s for load in captured.loads for s in load)]:
        assert not _NEVER.search(_RENDERED.sub("''", sql)), sql


def test_the_search_for_it_finds_it() -> None:
    for sql in ("TRUNCATE t", "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", "SAVEPOINT a"):
        assert _NEVER.search(sql)


def test_each_statement_parses_as_redshift(captured: Captured) -> None:
    """By sqlfluff's grammar of Redshift, which follows its documentation."""
    linter = Linter(config=FluffConfig(overrides={"dialect": "redshift", "templater": "raw"}))
    everything = [*captured.migration, *(s for load in captured.loads for s in load)]
    distinct = dict.fromkeys(
        re.sub(r"\$[0-9]+", "1", bare(s)).replace("?", "1") for s in everything
    )
    wrong = []
    for sql in distinct:
        if _STOCK.match(sql):
            continue  # SQLAlchemy's own
        found = linter.parse_string(sql.rstrip(";") + ";\n")
        if found.violations or found.tree is None or "unparsable" in found.tree.type_set():
            wrong.append((sql, [str(v) for v in found.violations]))
    assert not wrong
    assert len(distinct) > 150


def test_the_grammar_refuses_what_redshift_does_not_know() -> None:
    linter = Linter(config=FluffConfig(overrides={"dialect": "redshift", "templater": "raw"}))
    for sql in (
        "SELECT 1 FROM;\n",
        "DELETE staging.events USING;\n",
        "COPY t FROM 's3://b/k' x;\n",
    ):
        assert linter.parse_string(sql).violations, sql
