"""The pictures of the report: nothing overlaps, lines go where they say, heights are numbers."""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fuzzing import examples
from support.html_pages import Element, Page

from sparkify_dwh import SPARKIFY, Account, Derivation, Field, Source, Target, Warehouse
from sparkify_dwh.inspection.report.charts import columns, full, percent, short, ticks
from sparkify_dwh.inspection.report.erd import erd
from sparkify_dwh.inspection.report.facts import FileFacts, LoadFacts
from sparkify_dwh.inspection.report.flow import ACCOUNTS, flow, octets, streams
from sparkify_dwh.inspection.report.lineage_picture import lineage_picture
from sparkify_dwh.inspection.report.page import by_day
from sparkify_dwh.models.lineage import LINEAGE_COLUMNS, lineage

Box = tuple[float, float, float, float]


def box_of(each: Element) -> Box:
    x, y, wide, tall = (float(each.attributes[n]) for n in ("x", "y", "width", "height"))
    return x, y, x + wide, y + tall


def corners(path: str) -> list[tuple[float, float]]:
    """The corners of a path of horizontal and vertical lines."""
    found: list[tuple[float, float]] = []
    for kind, one, other in re.findall(r"([MHV])([-\d.]+)(?: ([-\d.]+))?", path):
        x, y = found[-1] if found else (0.0, 0.0)
        found.append(
            {"M": (float(one), float(other or 0)), "H": (float(one), y), "V": (x, float(one))}[kind]
        )
    return found


def crosses(start: tuple[float, float], end: tuple[float, float], box: Box) -> bool:
    (x1, x2), (y1, y2) = sorted((start[0], end[0])), sorted((start[1], end[1]))
    return x1 < box[2] and x2 > box[0] and y1 < box[3] and y2 > box[1]


def checked(tables: list[sa.Table]) -> Page:
    page = Page(str(erd("e", "Tables", tables)))
    (svg,) = page.all("svg")
    wide, tall = map(float, svg.attributes["viewbox"].split()[2:])
    boxes = [box_of(e) for e in page.all("rect") if e.attributes["class"] == "table"]
    assert len(boxes) == len(tables)
    for i, box in enumerate(boxes):
        assert box[0] >= 0 and box[1] >= 0 and box[2] <= wide and box[3] <= tall
        for other in boxes[i + 1 :]:
            assert not crosses(box[:2], box[2:], other), "two tables lie on each other"
    edges = [e.attributes["d"] for e in page.all("path") if e.attributes["class"] == "edge"]
    for path in edges:
        points = corners(path)
        ends = [[b for b in boxes if b[0] <= x <= b[2] and b[1] <= y <= b[3]]
                for x, y in (points[0], points[-1])]  # fmt: skip
        assert all(len(found) == 1 for found in ends), "a line that ends nowhere"
        assert all(0 <= x <= wide and 0 <= y <= tall for x, y in points)
        if points[0][0] < points[-1][0]:
            for one, two in pairwise(points):
                assert not any(crosses(one, two, box) for box in boxes), "a line through a table"
    return page


def test_the_star_is_drawn() -> None:
    tables = [target.table for target in SPARKIFY.targets]
    page = checked(tables)
    keys = sum(len(table.foreign_keys) for table in tables)
    assert len([e for e in page.all("path") if e.attributes["class"] == "edge"]) == keys == 5
    (svg,) = page.all("svg")
    for table in tables:
        assert table.fullname in svg.text
        for column in table.columns:
            assert column.name in svg.text
    description = page.all("desc")[0].text
    assert "songplays.start_time refers to time.start_time" in description
    # The fact is left of all that it refers to.
    boxes = {e.text.split(":")[0]: e for e in page.all("title")[1:]}
    assert next(iter(boxes)) == "sparkify.songplays" and len(boxes) == 5


@settings(max_examples=examples(40, 500))
@given(st.data())
def test_any_tables_are_drawn(data: st.DataObject) -> None:
    """Of any number, with any references among them, to themselves and in circles too."""
    count = data.draw(st.integers(1, 9))
    metadata = sa.MetaData()
    for n in range(count):
        refers = data.draw(st.lists(st.integers(0, count - 1), max_size=3, unique=True))
        more = data.draw(st.integers(0, 12))
        sa.Table(
            f"t{n}", metadata, sa.Column("id", sa.Integer, primary_key=True),
            *(sa.Column(f"c{i}", sa.String(9)) for i in range(more)),
            *(sa.Column(f"r{i}", sa.ForeignKey(f"s.t{i}.id")) for i in refers),
            schema="s",
        )  # fmt: skip
    checked(list(metadata.tables.values()))


# Flow --------------------------------------------------------------------------------------------


def load_of(**changes: int) -> LoadFacts:
    book = {"objects": 2, "read": 100, "staged": 95, "refused_by_parser": 5, "refused_by_rule": 10}
    table = {
        "staged": 95,
        "merged": 40,
        "duplicate": 20,
        "out_of_scope": 15,
        "stale": 10,
        "refused": 10,
        "replaced": 7,
        **changes,
    }
    files = [FileFacts("events", 2, 123_456, [])]
    return LoadFacts("run", {"source:events": book, "time": table}, files, [])


def test_a_bar_holds_what_became_of_the_rows() -> None:
    (stream,) = streams(load_of(), SPARKIFY)
    assert stream.balanced and stream.refused == 15
    for wide in (True, False):
        page = Page(str(flow("f", [stream], wide=wide)))
        widths = {
            e.attributes["class"][2:]: float(e.attributes["width"])
            for e in page.all("rect")
            if e.attributes["class"].startswith("a-")
        }
        whole = sum(widths.values())
        assert whole == pytest.approx(416 if wide else 322, abs=0.5)
        assert {name: round(95 * width / whole) for name, width in widths.items()} == {
            "merged": 40, "duplicate": 20, "scope": 15, "stale": 10, "refused": 10,
        }  # fmt: skip
        (svg,) = page.all("svg")
        for text in ("100 rows read", "95 staged", "15 refused", "2 files, 123 kB", "40 merged"):
            assert text in svg.text


def test_every_account_of_the_books_has_a_place() -> None:
    """Of the rows staged for a table; the others are not part of the equation."""
    additional = {"target", "staged", "replaced", "recomputed", "resolved_again"}
    names = {each.name for each in dataclasses.fields(Account)} - additional
    assert names <= set(ACCOUNTS), "an account that the picture leaves out"
    for name in ACCOUNTS:
        assert Account("t", **{"staged": 3, name: 3}).balanced


@pytest.mark.parametrize("change", [{"merged": 41}, {"staged": 94}, {"stale": 0}])
def test_books_that_do_not_add_up_are_not_called_balanced(change: dict[str, int]) -> None:
    (stream,) = streams(load_of(**change), SPARKIFY)
    assert not stream.balanced


# Charts ------------------------------------------------------------------------------------------


def test_days_are_added_up_where_there_are_many() -> None:
    def rows(days: int, every: int = 1) -> list[tuple[int, ...]]:
        start = datetime(2018, 11, 29)
        found = (start + timedelta(n) for n in range(0, days, every))
        return [(d.year, d.month, d.day, 1, 10) for d in found]

    labels, series = by_day(rows(4, 3), ["a", "b"])
    assert labels == ["2018-11-29", "2018-11-30", "2018-12-01", "2018-12-02"]
    assert series == [("a", [1, 0, 0, 1]), ("b", [10, 0, 0, 10])]
    labels, series = by_day(rows(400), ["a", "b"])
    assert labels[:3] == ["2018-11", "2018-12", "2019-01"]
    assert series[0][1][:3] == [2, 31, 31] and sum(series[1][1]) == 4000
    labels, series = by_day(rows(30_000, 1000), ["a", "b"])
    assert labels[0] == "2018" and len(labels) < 100 and sum(series[0][1]) == 30


@pytest.mark.parametrize("most", [0, 0.004, 1, 3, 7, 99, 100, 101, 12345, 5e9])
def test_axes_reach_the_greatest_value(most: float) -> None:
    found = ticks(most)
    assert found[0] == 0 and found[-1] >= most and 2 <= len(found) <= 6
    assert most == 0 or found[-2] < most
    assert all(n == int(n) for n in ticks(most, whole=True))


def test_heights_are_as_the_numbers() -> None:
    drawn = Page(str(columns("c", "T", ["a", "b"], [("x", [10, 5]), ("y", [0, 5])])))
    bars = [e.attributes for e in drawn.all("rect") if e.attributes["class"] in ("s0", "s1")]
    heights = [float(bar["height"]) for bar in bars]
    assert len(bars) == 3 and heights[0] == pytest.approx(heights[1] * 2, abs=0.2)
    assert heights[1] == heights[2]


def test_percentages_never_hide_a_refusal() -> None:
    assert [percent(x) for x in (None, 0, 1e-9, 0.0042, 1)] == [
        "", "0 %", "< 0.01 %", "0.42 %", "100.00 %",
    ]  # fmt: skip


def test_numbers_are_short_on_axes_and_whole_in_tables() -> None:
    assert [short(n) for n in (0, 0.25, 12, 1500, 2.5e6, 3e9)] == [
        "0", "0.25", "12", "1.5k", "2.5M", "3G",
    ]  # fmt: skip
    assert [full(n) for n in (None, 0, 1234567, 0.00366189)] == ["", "0", "1,234,567", "0.00366"]
    assert [octets(n) for n in (0, 999, 1500, 2_340_000, 5e15)] == [
        "0 B", "999 B", "1.5 kB", "2.34 MB", "5e+03 TB",
    ]  # fmt: skip


# Lineage -----------------------------------------------------------------------------------------


def test_where_columns_come_from() -> None:
    found = {
        (each.table, each.column): (
            each.how,
            [f"{o.source}.{o.key}" for o in each.origins],
            each.through,
            each.by,
        )
        for each in lineage(SPARKIFY)
    }
    stored = {(t.name, c.name) for t in SPARKIFY.targets for c in t.table.columns}
    assert set(found) == stored
    assert all(origins for _, origins, _, _ in found.values()), "a column from nowhere"
    assert found["users", "last_seen_at"] == ("computed", ["events.ts"], (), ())
    assert found["users", "first_name"] == ("as typed", ["events.firstName"], (), ())
    assert found["songs", "year"] == ("computed", ["songs.year"], (), ())
    assert found["artists", "name"] == (
        "derived", ["songs.artist_name"], ("songs.artist_name",), (),
    )  # fmt: skip
    assert found["artists", "artist_id"] == (
        "derived", ["songs.artist_id"], ("songs.artist_id",), (),
    )  # fmt: skip
    assert found["artists", "location"] == ("derived", ["songs.artist_location"], (), ())
    assert found["songplays", "song_id"] == (
        "looked up", ["songs.song_id"], ("songs.song_id",),
        ("song_title", "artist_name", "duration"),
    )  # fmt: skip
    assert found["time", "day_name"] == ("computed", ["events.ts"], (), ())


def test_lineage_goes_through_unions_aliases_and_what_is_given() -> None:
    metadata = sa.MetaData()

    def text(name: str) -> sa.Column[str]:
        return sa.Column(name, sa.String, info={"key": name.upper()})

    staging = sa.Table("s", metadata, text("a"), text("b"), text("c"))
    known = sa.Table("known", metadata, sa.Column("id", sa.String, primary_key=True))
    mine = sa.Table("mine", metadata, sa.Column("id", sa.String, primary_key=True),
                    sa.Column("x", sa.String))  # fmt: skip
    source = Source("s", "s", staging, tuple(Field(n, n) for n in "abc"), ())

    def rows(given: sa.FromClause) -> sa.Select[tuple[object, ...]]:
        r, other = given.rows, known.alias("other")  # type: ignore[attr-defined]
        both = sa.union_all(sa.select(r.c.a.label("v")), sa.select(r.c.b)).subquery("both")
        chosen = sa.case((r.c.given_c, both.c.v), else_=other.c.id)
        return sa.select(given.keys.c.id, chosen.label("x"))  # type: ignore[attr-defined]

    declared = SPARKIFY.__class__(
        (source,),
        (
            Target(known, "s", {"id": lambda r: r.c.c}),
            Target(mine, "s", {"id": lambda r: r.c.a}, derivation=Derivation(known, "id", rows)),
        ),
    )
    found = {(each.table, each.column): each for each in lineage(declared)}
    x = found["mine", "x"]
    assert {o.key for o in x.origins} == {"A", "B", "C"} and x.through == ("known.id",)


def test_lineage_as_rows_and_as_a_picture() -> None:
    table = Warehouse().lineage()
    assert table.columns == LINEAGE_COLUMNS
    page = Page(str(lineage_picture("l", SPARKIFY)))
    drawn = [e for e in page.all("path") if "data-table" in e.attributes]
    assert len(drawn) == len([row for row in table if row[3] is not None])
    (svg,) = page.all("svg")
    for name in ("num_songs (staged only)", "page (decides)", "userAgent", "is_weekend"):
        assert name in svg.text
