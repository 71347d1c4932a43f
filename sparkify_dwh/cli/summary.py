"""The summary of a load: one screen of 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from .output import BOLD, GREEN, RED, YELLOW, count, inert, styled
from .tables import Counted, table

if TYPE_CHECKING:
    from ..results import Run

_SOURCE = ("source", "files\nread", "files\nknown", "names\nskipped", "\nread", "\nstaged")
_REFUSED = ("refused\nparsing", "refused\nby rule")
_TARGET = ("table", "staged", "erased", "refused", "out of\nscope", "duplicate", "stale", "merged")
_SHOWN_RULES = 8
_SHOWN_WARNINGS = 5


def summary(run: Run, stream: TextIO | None) -> str:
    """What a load did: its sources, its books, what it refused, what is to be known."""
    if run.event == "nothing new":
        known = sum(book.known for book in run.sources)
        return f"nothing new to load: {_files(known)} in the ledger already ({run.run_id})"
    parts = [
        f"{styled(run.event, BOLD if run.event == 'dry run' else GREEN, stream)} "
        f"in {run.seconds:.1f} s on {run.engine}, run {run.run_id}"
        + ("; rolled back, nothing recorded" if run.event == "dry run" else ""),
        _sources(run, stream),
        _targets(run, stream),
    ]
    if run.refused:
        parts.append(_refused(run, stream))
    if run.warnings:
        parts.append(_warnings(run, stream))
    return "\n\n".join(part for part in parts if part)


def _files(number: int) -> str:
    return f"{count(number)} file{'' if number == 1 else 's'}"


def _sources(run: Run, stream: TextIO | None) -> str:
    rows = []
    for book in run.sources:
        numbers = (book.objects, book.known, book.skipped, book.read, book.staged)
        refused = (book.refused_by_parser, book.refused_by_rule)
        rows.append((book.source, *(Counted(count(n)) for n in (*numbers, *refused))))
    lines = [table((*_SOURCE, *_REFUSED), rows, stream)]
    lines += [
        f"{book.source}: {_files(book.changed)} changed since an earlier load "
        "(rows that they lost stay)"
        for book in run.sources
        if book.changed
    ]
    return "\n".join(lines)


def _targets(run: Run, stream: TextIO | None) -> str:
    erased = any(a.erased for a in run.targets)
    rows = []
    for a in run.targets:
        gone = (a.refused, a.out_of_scope, a.duplicate, a.stale)
        numbers = (a.staged, *((a.erased,) if erased else ()), *gone, a.merged, a.replaced)
        rows.append((a.target, *(Counted(count(n)) for n in numbers)))
    heads = [head for head in _TARGET if erased or head != "erased"]
    lines = [
        f"staged = {'erased + ' if erased else ''}refused + out of scope + duplicate"
        " + stale + merged",
        table((*heads, "of these\nreplaced"), rows, stream),
    ]
    for a in run.targets:
        beside = [f"{count(a.resolved_again)} resolved again"] if a.resolved_again else []
        beside += [f"{count(a.recomputed)} recomputed"] if a.recomputed else []
        if beside:
            lines.append(f"{a.target}: beside these, {', '.join(beside)}")
    return "\n".join(lines) if rows else ""


def _refused(run: Run, stream: TextIO | None) -> str:
    worst = sorted(run.refused.items(), key=lambda item: (-item[1], item[0]))
    total = sum(run.refused.values())
    rows = [(rule, Counted(count(n))) for rule, n in worst[:_SHOWN_RULES]]
    lines = [
        styled(f"{count(total)} refused, by rule", RED, stream),
        *(f"  {inert(rule)}: {n}" for rule, n in rows),
    ]
    if len(worst) > _SHOWN_RULES:
        lines.append(f"  and {len(worst) - _SHOWN_RULES} more rules")
    lines.append("see them: sparkify rejects")
    return "\n".join(lines)


def _warnings(run: Run, stream: TextIO | None) -> str:
    mark = styled("warning:", YELLOW, stream)
    lines = [f"{mark} {inert(text)}" for text in run.warnings[:_SHOWN_WARNINGS]]
    if len(run.warnings) > _SHOWN_WARNINGS:
        lines.append(f"{mark} and {len(run.warnings) - _SHOWN_WARNINGS} more")
    return "\n".join(lines)
