"""S3 fails at each request of a load, or changes while it is listed: on both engines."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from standin.buckets import S3Server
from support import kill_and_fail
from support.kill_and_fail import points
from support.records import event, line, lines, song
from support.reference import Reference
from support.reference_checks import expected_star
from support.rig import NO_LIMIT, Rig
from support.s3_faults import WAYS, Requests, watched
from support.soak_figures import figure
from support.warehouses import OnDuckDB, OnRedshift, Source

from sparkify_dwh import Settings, SourceError
from sparkify_dwh.jobs.load import attempt
from sparkify_dwh.storage import listing
from sparkify_dwh.storage.s3 import S3

pytestmark = pytest.mark.usefixtures("aws_keys")


@pytest.fixture(params=["duckdb", "redshift"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Rigs:
    """Empty warehouses of one engine on buckets of their own."""

    def __init__(self, request: pytest.FixtureRequest, engine: str, root: Path) -> None:
        self.request, self.engine, self.root, self.made = request, engine, root, 0

    def __call__(self) -> tuple[Rig, Source]:
        source = Source(self.request.getfixturevalue("s3_server"))
        self.made += 1
        if self.engine == "redshift":
            warehouse: OnRedshift = self.request.getfixturevalue("migrated")
            warehouse.empty()
            return warehouse.use(source, **NO_LIMIT), source
        template = self.request.getfixturevalue("template")
        path = self.root / f"{self.made}.duckdb"
        return OnDuckDB(path, template, source, **NO_LIMIT), source


@pytest.fixture
def rigs(request: pytest.FixtureRequest, engine: str, tmp_path: Path) -> Rigs:
    return Rigs(request, engine, tmp_path)


BODIES = {
    ("events", "a.json"): lines(event(), event(itemInSession=1, level="gold")) + b"\n{broken",
    ("events", "b.json"): line(event(itemInSession=2, artist="BjÃ¶rk", status=float("nan"))),
    ("songs", "s.json"): line(song()),
}


def filled(source: Source) -> Reference:
    given: dict[str, list[tuple[str, bytes]]] = {"events": [], "songs": []}
    for (kind, name), data in BODIES.items():
        given[kind].append((source.put(kind, name, data), data))
    star = Reference()
    star.load(**given)
    return star


def test_each_request_fails_in_each_way(rigs: Rigs, s3_server: S3Server) -> None:
    """Failing once, it is retried; failing always, the load is rolled back and recorded."""
    rig, source = rigs()
    star = filled(source)
    with watched(s3_server.client, s3_server.endpoint_url) as requests:
        assert rig.load().event == "loaded"
    total = len(requests.seen)
    cases = [
        (number, way, how)
        for number in range(1, total + 1)
        for way in WAYS
        for how in ("once", "for good")
    ]
    chosen = points(len(cases), f"S3 and {rigs.engine}")
    ends: Counter[str] = Counter()
    for number, way, how in (cases[each - 1] for each in chosen):
        rig, source = rigs()
        filled(source)
        what = f"seed {kill_and_fail.SEED}: {way} {how} at {number}, {requests.seen[number - 1]}"
        with watched(s3_server.client, s3_server.endpoint_url) as struck:
            strike(struck, number, way, how)
            ends[load_and_look(rig, star, what, how)] += 1
        assert rig.load().event in ("loaded", "nothing new"), what
        assert rig.star() == expected_star(star), what
        assert rig.warehouse.check().passed
    figure(
        "S3 requests that fail",
        engine=rigs.engine,
        of=len(cases),
        tried=len(chosen),
        seed=kill_and_fail.SEED,
        **ends,
    )


def strike(requests: Requests, number: int, way: str, how: str) -> None:
    if how == "once":
        requests.struck = lambda n: WAYS[way] if n == number else None
    else:
        requests.struck = lambda n: WAYS[way] if n >= number else None


def load_and_look(rig: Rig, star: Reference, what: str, how: str) -> str:
    """Loads; the star is whole or empty; returns how it ended."""
    failed: SourceError | None = None
    try:
        assert rig.load().event == "loaded", what
    except SourceError as error:
        failed = error
    if failed is None:
        assert rig.star() == expected_star(star), what
        return "loaded"
    assert how == "for good", (what, failed)
    assert failed.exit_code == 3 and failed.hint and "s3://" in failed.what, (what, failed)
    assert set(map(len, rig.star().values())) == {0}, what
    assert rig.query("SELECT count(*) FROM audit.load_file") == [(0,)], what
    # Where the first listing fails there is no run yet.
    ends = [name for _, name in rig.events()]
    assert ends in (["started", "rolled back"], []), (what, ends)
    return "refused"


@pytest.mark.parametrize("way", ["SlowDown", "hang-up"])
def test_a_failed_write_is_reported(
    source: Source, s3_server: S3Server, tmp_path: Path, way: str
) -> None:
    """From memory and from a file."""
    file = tmp_path / "rows.json"
    file.write_bytes(b"{}")
    with watched(s3_server.client, s3_server.endpoint_url) as requests:
        strike(requests, 1, way, "for good")
        for data in (b"{}", file):
            s3_client = S3(Settings(**source.settings()))
            with pytest.raises(SourceError, match="s3://") as caught:
                s3_client.write(source.work.url("work/rows.json"), data)
            assert caught.value.hint


# Listings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["deleted", "overwritten", "added", "all of it"])
def test_a_listing_that_changes_between_its_pages(
    rigs: Rigs, s3_server: S3Server, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changed and deleted objects wait; the next listing finds those that were missed."""
    rig, source = rigs()
    now: dict[str, bytes] = {}

    def put(name: str, *records: dict[str, Any]) -> None:
        now[source.put("events", name, lines(*records))] = lines(*records)

    for number, name in enumerate("bcdefgh"):
        put(f"{name}.json", event(itemInSession=number, ts=1541106106796 + number))
    changed: list[int] = []

    def act(request: Any, **_: Any) -> None:
        # The second page of the first listing: the first page, with b and c, is answered.
        if "list-type=2" not in request.url:
            return
        changed.append(1)
        if len(changed) != 2:
            return
        if change in ("deleted", "all of it"):
            for name in ("b", "g"):
                source.delete("events", f"{name}.json")
                del now[source.bucket.url(f"log_data/{name}.json")]
        if change in ("overwritten", "all of it"):
            put("c.json", event(itemInSession=20), event(itemInSession=21))
            put("f.json", event(itemInSession=22))
        if change in ("added", "all of it"):
            put("a.json", event(itemInSession=30))
            put("z.json", event(itemInSession=31))

    import sparkify_dwh.storage.s3

    original = sparkify_dwh.storage.s3.client

    def small_pages(params: dict[str, Any], **_: Any) -> None:
        params["MaxKeys"] = 2

    def made(*given: Any) -> Any:
        client = original(*given)
        client.meta.events.register("before-parameter-build.s3.ListObjectsV2", small_pages)
        client.meta.events.register("before-send.s3.ListObjectsV2", act)
        return client

    monkeypatch.setattr(sparkify_dwh.storage.s3, "client", made)
    run = rig.load()
    assert run.event == "loaded" and len(changed) > 4
    keys = rig.query("SELECT key FROM audit.load_file")
    assert len(keys) == len(set(keys)) and {key for (key,) in keys} <= {*now}
    assert rig.load().event in ("loaded", "nothing new")
    star = Reference()
    star.load(events=sorted(now.items()))
    assert rig.star() == expected_star(star)
    assert rig.load().event == "nothing new"


@pytest.mark.parametrize("change", [None, "deleted", "overwritten"])
def test_few_new_objects_are_checked_again_one_by_one(
    rigs: Rigs, s3_server: S3Server, change: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source is not listed again; a key that only starts alike is another object."""
    monkeypatch.setattr(listing, "PAGE", 2)
    rig, source = rigs()
    for name in ("s", "t", "u"):
        source.put("songs", f"{name}.json", line(song(song_id=f"SO{name}")))
    for number in range(3):
        source.put("events", f"{number}.json", line(event(itemInSession=number)))
    assert rig.load().event == "loaded"
    source.put("events", "new.json", line(event(itemInSession=10)))
    source.put("events", "new.json.json", line(event(itemInSession=11)))
    before = attempt.require_unchanged

    def unchanged(*given: Any) -> None:
        if change == "deleted":
            source.delete("events", "new.json")
        if change == "overwritten":
            source.put("events", "new.json", line(event(itemInSession=12)))
        return before(*given)

    monkeypatch.setattr(attempt, "require_unchanged", unchanged)
    with watched(s3_server.client, s3_server.endpoint_url) as requests:
        run = rig.load()
    asked = [unquote(each.partition("prefix=")[2].split("&")[0]) for each in requests.seen]
    asked = [prefix for prefix in asked if prefix]
    looks = ["log_data/new.json", "log_data/new.json.json"]
    loaded = {row[1] for row in rig.star()["songplays"]}
    if change is None:
        assert asked == ["song_data/", "log_data/", *looks]
        assert loaded == {0, 1, 2, 10, 11}
        return
    assert "new.json changed while it was read" in run.warnings[0]
    assert loaded == {0, 1, 2, 11}
    # The second attempt lists nothing again, and checks what it read.
    assert [each for each in asked if each.startswith("song_data/")] == ["song_data/"]
    assert looks[0] in asked and asked[-1] == looks[1]
    monkeypatch.setattr(attempt, "require_unchanged", before)
    assert rig.load().event == ("loaded" if change == "overwritten" else "nothing new")
