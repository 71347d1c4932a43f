"""Finds rows whose values may differ from their text."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ...models.declare import Source
from ...models.expressions import HasNul
from ...steps.typed_rows import typed_ahead

#: A number as DuckDB spells it; whole numbers keep their spelling.
_SPELLED = "-?[0-9]+([.][0-9]+(e[-+]?[0-9]+)?|e[-+]?[0-9]+)"
#: As C spells them. Matching all spellings would double the cost of the query.
_NOT_NUMBERS = ("inf", "-inf", "nan", "-nan")


def doubtful_rows(source: Source, raw: sa.Table) -> sa.Select[Any]:
    """Number and file of rows to check, and whether to replace them even if they are sound.

    A row without values may stand for any line. DuckDB respells numbers: that matters for a number
    with an exponent or more than 15 digits, and for a text that is given as a number. It reads
    ``inf`` and ``nan`` as numbers.
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
    # Not whole numbers; '' is common.
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
        spelled += [c == word for word in _NOT_NUMBERS]
    lost = sa.and_(nothing, raw.c._line.is_(None))
    again = sa.func.coalesce(sa.or_(lost, *spelled), sa.false())
    return (
        sa.select(raw.c._row, raw.c._file, again)
        .where(sa.or_(nothing, *texts, *spelled, *others))
        .order_by(raw.c._row)
    )
