"""Compares a warehouse and its runs with the reference implementation."""

from __future__ import annotations

from collections import Counter

from sparkify_dwh import Run
from sparkify_dwh.steps.quarantine import shown_raw
from support.reference import COLUMNS, Books, Reference
from support.rig import Rig, Row, Star


def expected_star(reference: Reference) -> Star:
    """The reference's star, in the form of :meth:`Rig.star`."""
    return {name: sorted(reference.star_rows(name), key=_nulls_last) for name in COLUMNS}


def _nulls_last(row: Row) -> Row:
    return tuple((value is None, value) for value in row)


def same_books(run: Run, books: Books) -> None:
    """The books of a run are those of the reference, and so are the values of its rules."""
    for source in run.sources:
        expected = books.sources[source.source]
        assert (source.read, source.staged, source.refused_by_parser) == (
            *(expected.read, expected.staged),
            expected.refused_by_parser,
        ), source.source
    for account in run.targets:
        target = books.targets[account.target]
        for name, value in vars(target).items():
            assert getattr(account, name) == value, (account.target, name)
        if account.target == "artists":
            assert account.recomputed == books.artists_recomputed
        if account.target == "songplays":
            assert account.resolved_again == books.plays_resolved
    for measure in run.measures:
        if measure.target in books.violations and measure.limit_value is None:
            expected_value = books.violations[measure.target][measure.rule]
            assert measure.value == expected_value, (measure.target, measure.rule)


def same_refusals(rig: Rig, run: Run, books: Books) -> None:
    """The refused records of a run are those of the reference."""
    expected = Counter(
        (each.source, each.rule, each.object, each.line, shown_raw(each.raw), len(each.raw))
        for each in books.refusals
    )
    found = rig.refused(run)
    assert found - expected == Counter(), "refused, but not by the reference"
    assert expected - found == Counter(), "refused by the reference alone"
