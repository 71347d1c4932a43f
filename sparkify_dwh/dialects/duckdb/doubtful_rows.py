"""Which rows DuckDB may have read otherwise than their text says."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ...models.declare import Source
from ...models.expressions import HasNul
from ...steps.typed_rows import typed_ahead

#: A number as DuckDB spells it, unless it spells it as it was given: a whole one.
_SPELLED = "-?[0-9]+([.][0-9]+(e[-+]?[0-9]+)?|e[-+]?[0-9]+)"
#: As C spells them. All ways to spell them would cost as much as the rest of the look.
_NO_NUMBERS = ("inf", "-inf", "nan", "-nan")


def doubtful_rows(source: Source, raw: sa.Table) -> sa.Select[Any]:
    """Place and file of rows to look at, and whether they must be read again even if sound.

    A row without values may stand for any line. DuckDB spells numbers in its own way, which
    changes nothing of a number unless it needs an exponent or more than 15 digits, but does of a
    text that is given as one; it takes ``inf`` and ``nan`` for numbers.
    """
    columns = [raw.c[c.name] for c in source.columns]
    nothing = sa.and_(*(c.is_(None) for c in columns))
    typed = {f.column for f in source.fields if f.kind != "text"}
    numbers = [raw.c[name] for name in sorted(typed)]
    free = [c for c in columns if c.name not in typed]
    texts = [
        sa.or_(sa.and_(c >= "[", c < "\\"), sa.and_(c >= "{", c < "|"), HasNul(c)) for c in free
    ]
    ahead = typed_ahead(source)
    # What is no whole number; '' is usual.
    others = [sa.and_(raw.c[c.name].is_(None), raw.c[n] != "") for n, c in ahead.items()]
    others += [
        sa.or_(n >= "A", sa.func.contains(n, "n"), HasNul(n))
        for n in numbers
        if n.name not in ahead
    ]
    spelled = [sa.or_(sa.func.contains(n, "e"), sa.func.instr(n, ".") > 16) for n in numbers]
    for c in free:
        numeral = sa.and_(c >= "-", c < ":")
        spelled.append(sa.case((numeral, sa.func.regexp_full_match(c, _SPELLED))))
        spelled += [c == word for word in _NO_NUMBERS]
    lost = sa.and_(nothing, raw.c._line.is_(None))
    again = sa.func.coalesce(sa.or_(lost, *spelled), sa.false())
    return (
        sa.select(raw.c._row, raw.c._file, again)
        .where(sa.or_(nothing, *texts, *spelled, *others))
        .order_by(raw.c._row)
    )
