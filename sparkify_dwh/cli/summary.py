"""The summary of a load, on one screen of 80 columns."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, TextIO

from ..core.quantity import digits, quantity
from ..core.safe_text import escape_controls
from .output import BOLD, GREEN, RED, YELLOW, styled
from .tables import figure, shortened, table

if TYPE_CHECKING:
    from ..jobs.load.result import Run

_SOURCE = ("source", "files\nread", "files\nknown", "names\nskipped", "\nread", "\nstaged")
_REFUSED = ("refused\nparsing", "refused\nby rule")
_TARGET = ("table", "staged", "erased", "refused", "out of\nscope", "duplicate", "stale", "merged")
_SHOWN_RULES = 5
#: What keeps words on one line.
_NO_BREAK = "\xa0"
#: A screen of 24 lines, less the command and the next prompt.
_WIDTH, _HEIGHT = 80, 22


def summary(run: Run, stream: TextIO | None) -> str:
    """What a load did: its sources, its books, what it refused and its warnings."""
    if run.event == "nothing new":
        known = quantity(sum(book.known for book in run.sources), "file")
        return f"nothing new to load: {known} already in the ledger ({run.run_id})"
    is_dry = run.event == "dry run"
    parts = [
        f"{styled(run.event, BOLD if is_dry else GREEN, stream)} "
        f"in {run.seconds:.1f} s on {run.engine}, run {run.run_id}"
        + ("; rolled back, nothing recorded" if is_dry else ""),
        _sources(run, stream),
        _targets(run, stream),
    ]
    notes = [*_changed(run), *_updated(run)]
    if run.refused:
        notes.append(_refused(run, stream))
    parts = [part for part in parts if part]
    lines = sum(len(part.splitlines()) for part in [*parts, *notes])
    if run.warnings:
        notes.append(_warnings(run, stream, _HEIGHT - lines - len(parts)))
        lines += len(notes[-1].splitlines())
    parts += ["\n".join(notes)] if notes else []
    return ("\n\n" if lines + len(parts) - 1 <= _HEIGHT else "\n").join(parts)


def _sources(run: Run, stream: TextIO | None) -> str:
    rows = []
    for book in run.sources:
        numbers = (book.objects, book.known, book.skipped, book.read, book.staged)
        refused = (book.refused_by_parser, book.refused_by_rule)
        rows.append((book.source, *(figure(n) for n in (*numbers, *refused))))
    return table((*_SOURCE, *_REFUSED), rows, stream)


def _changed(run: Run) -> list[str]:
    changed = [f"{b.source} {quantity(b.changed, 'file')}" for b in run.sources if b.changed]
    text = f"changed since an earlier load (rows they no longer have stay): {', '.join(changed)}"
    return [folded(text)] if changed else []


def _updated(run: Run) -> list[str]:
    """Changes to rows that no file of this load contains."""
    tables = []
    for a in run.targets:
        changes = [f"{digits(a.resolved_again)} resolved again"] if a.resolved_again else []
        changes += [f"{digits(a.recomputed)} recomputed"] if a.recomputed else []
        if changes:
            tables.append(f"{a.target} {', '.join(changes)}")
    return [folded(f"also updated: {'; '.join(tables)}")] if tables else []


def _targets(run: Run, stream: TextIO | None) -> str:
    erased = any(a.erased for a in run.targets)
    stale = any(a.stale for a in run.targets) or not erased  # both at once are too wide
    rows = []
    for a in run.targets:
        left_out = (a.refused, a.out_of_scope, a.duplicate, *((a.stale,) if stale else ()))
        numbers = (a.staged, *((a.erased,) if erased else ()), *left_out, a.merged, a.replaced)
        rows.append((a.target, *(figure(n) for n in numbers)))
    hidden = {"erased": not erased, "stale": not stale}
    heads = [head for head in _TARGET if not hidden.get(head)]
    lines = [
        f"staged = {'erased + ' if erased else ''}refused + out of scope + duplicate"
        f"{' + stale' if stale else ''} + merged",
        table((*heads, "of these\nreplaced"), rows, stream),
    ]
    return "\n".join(lines) if rows else ""


def _refused(run: Run, stream: TextIO | None) -> str:
    worst = sorted(run.refused.items(), key=lambda item: (-item[1], item[0]))
    head = f"{digits(sum(run.refused.values()))} refused, by rule"
    rules = ", ".join(f"{escape_controls(rule)} {digits(n)}" for rule, n in worst[:_SHOWN_RULES])
    more = len(worst) - _SHOWN_RULES
    others = f", and {quantity(more, 'more rule')}" if more > 0 else ""
    see = "see them: sparkify rejects".replace(" ", _NO_BREAK)
    text = folded(f"{head}: {rules}{others}; {see}").replace(_NO_BREAK, " ")
    return styled(head, RED, stream) + text.removeprefix(head)


def _warnings(run: Run, stream: TextIO | None, room: int) -> str:
    """As many warnings as there is room for, at least one, each on a line."""
    mark = styled("warning:", YELLOW, stream)
    width = _WIDTH - len("warning: ")
    fit = max(1, room if len(run.warnings) <= room else room - 1)
    lines = [f"{mark} {shortened(escape_controls(text), width)}" for text in run.warnings[:fit]]
    if len(run.warnings) > fit:
        lines.append(f"{mark} and {digits(len(run.warnings) - fit)} more")
    return "\n".join(lines)


def folded(text: str) -> str:
    """A sentence folded to the width of the summary."""
    return textwrap.fill(text, _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
