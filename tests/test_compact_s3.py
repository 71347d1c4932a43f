"""Compacted objects on S3: both engines load the same from them as from their source objects."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from support.fuzzing import examples
from support.records import event_line, song_line
from support.rig import NO_LIMIT
from support.warehouses import OnDuckDB, OnRedshift, Source

from sparkify_dwh import Run
from sparkify_dwh.sample.generate import generate


class Three:
    """Redshift and one DuckDB load compacted objects, another DuckDB the source objects."""

    def __init__(
        self, redshift: OnRedshift, duckdb: OnDuckDB, plain: OnDuckDB, source: Source
    ) -> None:
        self.redshift, self.duckdb, self.plain, self.source = redshift, duckdb, plain, source

    def compact(self, *sources: str, **options: Any) -> None:
        """Compacts on Redshift; DuckDB adopts the result."""
        for name in sources or ("songs", "events"):
            done = self.redshift.warehouse.compact(name, **options)
            again = self.duckdb.warehouse.compact(name, **options)
            assert again.adopted == len(done.made) and not again.made

    def load(self, **options: Any) -> tuple[Run, Run, Run]:
        """Loads all three; the star and the books are the same."""
        runs = [each.load(**options) for each in (self.redshift, self.duckdb, self.plain)]
        assert self.redshift.star() == self.duckdb.star() == self.plain.star()
        for run in runs[:2]:
            assert run.event == runs[2].event
            assert [asdict(b) for b in run.sources] == [asdict(b) for b in runs[2].sources]
            assert [asdict(a) for a in run.targets] == [asdict(a) for a in runs[2].targets]
            assert run.measures == runs[2].measures
        assert self.duckdb.refused(runs[1]) == self.plain.refused(runs[2])
        return runs[0], runs[1], runs[2]


@pytest.fixture
def three(on_redshift: OnRedshift, tmp_path: Path, template: Path, source: Source) -> Three:
    on_redshift.use(**NO_LIMIT)
    work = source.work.url("work/")
    duckdb = OnDuckDB(tmp_path / "d.duckdb", template, source, work_prefix=work, **NO_LIMIT)
    plain = OnDuckDB(tmp_path / "p.duckdb", template, source, **NO_LIMIT)
    return Three(on_redshift, duckdb, plain, source)


def copies(redshift: OnRedshift) -> list[str]:
    """The COPY statements of sources that Redshift received."""
    found = [s.sql for s in redshift.database.statements if s.sql.startswith("COPY staging.")]
    redshift.database.statements.clear()
    return found


@pytest.mark.parametrize("seed", range(5, 5 + examples(1, 6)))
def test_dirty_data_load_the_same_on_both_engines(three: Three, seed: int, tmp_path: Path) -> None:
    """To the object, line and text of every refused record, which COPY does not report."""
    made = tmp_path / "made"
    expected = generate(made, events=600, songs=120, days=6, seed=seed, dirty=0.2)
    for name, folder in (("songs", "song_data"), ("events", "log_data")):
        for path in sorted((made / folder).rglob("*.json")):
            three.source.put(name, path.name, path.read_bytes())
    three.compact()
    copies(three.redshift)
    ours, theirs, _ = three.load()
    assert len(copies(three.redshift)) == 2
    assert three.redshift.refused(ours) == three.duckdb.refused(theirs)
    assert {table: len(rows) for table, rows in three.redshift.star().items()} == expected.star
    places = "SELECT _object, _line FROM staging.songs"
    assert Counter(three.redshift.query(places)) == Counter(three.plain.query(places))
    assert three.load()[0].event == "nothing new"
    assert three.source.work_files() and not any(
        "manifests" in key for key in three.source.work_files()
    )


def test_changed_late_and_removed_objects(three: Three) -> None:
    for n in range(12):
        three.source.put("songs", f"{n:02}.json", song_line(song_id=f"SO{n}", title=f"T{n}"))
    for n in range(6):
        three.source.put("events", f"{n}.json", event_line(itemInSession=n, song=f"T{n}"))
    three.compact(slices=2)
    three.source.put("songs", "03.json", song_line(song_id="SOnew", title="New"))
    three.source.put("songs", "03b.json.gz", gzip.compress(song_line(song_id="SOz").encode()))
    three.source.delete("songs", "04.json")
    three.source.put("events", "late.json", event_line(itemInSession=9, song="T9"))
    copies(three.redshift)
    three.load()
    sent = copies(three.redshift)
    kinds = [s.split("FROM '")[1].split("'")[0].rsplit("/", 1)[1] for s in sent]
    assert kinds == [
        *("songs.plain.manifest", "songs.gzip.manifest", "songs.compacted.manifest"),
        *("events.plain.manifest", "events.compacted.manifest"),
    ]
    titles = {row[1] for row in three.redshift.star()["songs"]}
    assert "New" in titles and not {"T3", "T4"} & titles
    three.source.put("events", "2.json", event_line(itemInSession=2, song="T5", level="paid"))
    three.compact("events", slices=1, all=True)
    three.load()
    three.load(all=True)


def test_what_copy_refuses_of_a_compacted_object_is_shown_at_its_own_place(
    three: Three,
) -> None:
    long = song_line(song_id="S" * 300)
    pretty = json.dumps(json.loads(song_line(song_id="T" * 300)), indent=1)
    three.source.put("songs", "a.json", song_line(song_id="SO1"))
    where = three.source.put("songs", "b.json", "\n" + song_line(song_id="SO2") + long)
    other = three.source.put("songs", "c.json.gz", gzip.compress(("\n\n" + pretty).encode()))
    replaced = three.source.put("songs", "d.json", long)
    three.redshift.warehouse.compact("songs", slices=2)
    three.source.put("songs", "d.json", song_line(song_id="SO4"))
    run = three.redshift.load()
    assert {row[0] for row in three.redshift.star()["songs"]} == {"SO1", "SO2", "SO4"}
    assert three.redshift.refused(run) == {
        ("songs", "too_long", where, 3, long.strip(), len(long.strip())): 1,
        ("songs", "too_long", other, 3, pretty, len(pretty)): 1,
    }
    assert replaced not in {row[2] for row in three.redshift.refused(run)}
    three.redshift.use(max_rejects=0)
    run_before = {row[0] for row in three.redshift.query("SELECT run_id FROM audit.load_run")}
    with pytest.raises(Exception, match=r"refused [0-9]+ records? and gave up"):
        three.redshift.load(all=True)
    (failed,) = {
        row[0] for row in three.redshift.query("SELECT run_id FROM audit.load_run")
    } - run_before
    found = three.redshift.query(
        f"SELECT key, line FROM audit.rejected_row WHERE run_id = '{failed}'"
    )
    assert found and set(found) <= {(where, 3), (other, 3)}


def test_missing_or_unreachable_compacted_objects_are_no_loss(three: Three) -> None:
    for n in range(8):
        three.source.put("songs", f"{n}.json", song_line(song_id=f"SO{n}"))
    three.compact("songs", slices=2)
    work = three.source.work
    for key in [k for k in three.source.work_files() if "index" not in k][:1]:
        work.client.delete_object(Bucket=work.name, Key=key)
    copies(three.redshift)
    three.load()
    kinds = ["compacted" in s for s in copies(three.redshift)]
    assert kinds == [False, True]
    # Without a place for manifests COPY reads the prefix, so the source objects.
    three.redshift.empty()
    three.redshift.use(work_prefix=None)
    assert three.redshift.load().event == "loaded"


def test_local_files_reach_redshift_by_compaction(on_redshift: OnRedshift, tmp_path: Path) -> None:
    for n in range(6):
        (tmp_path / f"{n}.json").write_text(song_line(song_id=f"SO{n}") + song_line(title=""))
    on_redshift.use(song_data=str(tmp_path), log_data=None, **NO_LIMIT)
    done = on_redshift.warehouse.compact("songs")
    assert (done.slices, len(done.made), done.compacted) == (2, 2, 6)
    run = on_redshift.load()
    assert len(on_redshift.star()["songs"]) == 6
    found = on_redshift.refused(run)
    places = {(str(tmp_path / f"{n}.json"), 2) for n in range(6)}
    assert {(row[2], row[3]) for row in found} == places
    assert (tmp_path / "0.json").exists()


def test_a_dry_run_on_s3_writes_nothing(three: Three) -> None:
    for n in range(5):
        three.source.put("songs", f"{n}.json", song_line(song_id=f"SO{n}"))
    done = three.redshift.warehouse.compact("songs", dry_run=True)
    assert [each["objects"] for each in done.made] == [2, 3]
    assert not three.source.work_files()
    assert three.redshift.query("SELECT count(*) FROM audit.compacted_object") == [(0,)]
