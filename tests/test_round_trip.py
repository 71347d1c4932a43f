"""Refused records go out, are edited, come back, and the quarantine shows what became of them."""

from __future__ import annotations

import json
from pathlib import Path

from support.rig import MakeRig

from sparkify_dwh import Warehouse
from sparkify_dwh.models.sources import EVENTS
from sparkify_dwh.sample.generate import generate
from sparkify_dwh.steps.salvage import salvaged


def damaged(folder: Path) -> dict[tuple[str, str], bytes]:
    """Generated logs and songs of two days; four plays of the first are broken."""
    generate(folder, events=300, songs=20, days=2)
    files = {
        (source, path.name): path.read_bytes()
        for source, name in (("events", "log_data"), ("songs", "song_data"))
        for path in sorted((folder / name).rglob("*.json"))
    }
    first = next(iter(files))
    lines = files[first].decode().splitlines()
    plays = [n for n, line in enumerate(lines) if '"NextSong"' in line][:4]
    lines[plays[0]] = lines[plays[0]].replace('"level":', '"level":"gold","was":')
    lines[plays[1]] = lines[plays[1]][:-1]  # the closing brace is missing
    lines[plays[2]] = lines[plays[2]].replace('"song":', '"song":{},"was":')
    lines[plays[3]] = lines[plays[3]].replace('"length":', '"length":-1,"was":')
    return {**files, first: "\n".join(lines).encode() + b"\n"}


def test_the_round_trip(warehouse_on: MakeRig, tmp_path: Path) -> None:
    folders = warehouse_on()
    for (source, name), data in damaged(tmp_path / "data").items():
        folders.put(source, name, data)
    warehouse = folders.warehouse
    folders.load()
    before = warehouse.query("select count(*) n from sparkify.songplays").rows[0][0]
    refused = warehouse.rejects(locate=True).records()
    rules = {row["rule"]: row for row in refused}
    assert set(rules) == {"level_valid", "malformed_json", "nested_value", "length_valid"}
    assert [row["in_star"] for row in refused] == [False] * 4
    assert all(row["key"] for row in refused)

    # Three are repaired; the fourth is still wrong.
    fixed = [
        rules["level_valid"]["raw"].replace('"gold"', '"free"'),
        rules["malformed_json"]["raw"] + "}",
        rules["nested_value"]["raw"].replace('"song":{}', '"song":"A Song"'),
        rules["length_valid"]["raw"],
    ]
    place = str(folders.put("events", "fixed.json", ("\n".join(fixed) + "\n").encode()))
    update = {"log_data": place, "song_data": None}
    mend = Warehouse(warehouse.settings.model_copy(update=update))
    run = mend.load()
    assert run.refused == {"length_valid": 1}
    after = warehouse.query("select count(*) n from sparkify.songplays").rows[0][0]
    assert after == before + 3
    for raw in fixed[:3]:
        key = json.loads(raw.replace('"was"', '"w"'))
        found = warehouse.query(
            f"select 1 from sparkify.songplays where session_id = {key['sessionId']}"
            f" and item_in_session = {key['itemInSession']}"
        )
        assert len(found) == 1

    became = warehouse.rejects(locate=True).records()
    assert {(row["rule"], row["in_star"]) for row in became} == {
        *(("level_valid", True), ("malformed_json", True), ("nested_value", True)),
        ("length_valid", False),
    }
    assert len([row for row in became if row["rule"] == "length_valid"]) == 2
    assert any(row["key"].endswith("fixed.json") and row["line"] == 4 for row in became)
    assert warehouse.check().passed


def test_fields_are_salvaged_from_what_is_no_json() -> None:
    raw = '{"sessionId": 7, "itemInSession":"3", "song": "a \\"b\\"", "page": "NextSo'
    found = salvaged(raw, EVENTS)
    assert (found["sessionid"], found["iteminsession"], found["song"]) == ("7", "3", 'a "b"')
    assert found["page"] is None and found["userid"] is None
    assert salvaged("nonsense", EVENTS)["sessionid"] is None
