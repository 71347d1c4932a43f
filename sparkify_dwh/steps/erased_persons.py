"""The person that a record is about, and erased persons, whom loads leave out.

An erased person is known only by a salted hash of the id. A source declares the field with the id;
a source without one has no records about persons.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import sqlalchemy as sa

from ..models.declare import Field, Source
from ..models.expressions import BLANKS, Clean, Sha256, integer
from .executor import Executor, temporary
from .ledger import ERASURE
from .quarantine import Quarantine
from .salvage import salvaged

_WHEN = "persons were erased"
_MOST_DIGITS = 18


def id_field(source: Source) -> Field | None:
    """The field of a source with the id of the person that a row is about."""
    return next((spec for spec in source.fields if spec.name == source.person), None)


def spelled_id(text: str | None, spec: Field) -> str | None:
    """A person's id as it is spelled for hashing; None if the text is not an id.

    A number may have any spelling that a load accepts, and blanks or a plus sign.
    """
    text = (text or "").strip()
    if spec.kind != "integer":
        return text or None
    try:
        number = Decimal(text.removeprefix("+"))
    except InvalidOperation:
        return None
    if not number.is_finite() or number.adjusted() >= _MOST_DIGITS:
        return None
    return str(int(number)) if number == int(number) else None


def digest(person: str, salt: str) -> str:
    """All that is kept of an erased person: SHA-256 of the salt, a colon and the id."""
    return hashlib.sha256(f"{salt}:{person}".encode()).hexdigest()


# In the database --------------------------------------------------------------------------


def id_of(source: Source, rows: sa.FromClause) -> sa.ColumnElement[Any]:
    """The typed id in a row of staged text; NULL if the text is not an id."""
    spec = id_field(source)
    assert spec is not None
    text = Clean(rows.c[spec.column], BLANKS)
    return integer(text) if spec.kind == "integer" else text


def leave_out(ex: Executor, source: Source, raw: sa.Table, erasures: int) -> int:
    """Deletes the rows of erased persons from ``raw``; returns how many.

    :param erasures: how many are on record; with 0 no statement runs.
    """
    if id_field(source) is None:
        return 0
    left_out = 0
    with ex.when(_WHEN, erasures) as should_run:
        if should_run:
            left_out = _leave_out(ex, source, raw)
    return left_out


def _leave_out(ex: Executor, source: Source, raw: sa.Table) -> int:
    step: dict[str, Any] = {"step": "erased", "target": source.name}
    person = id_of(source, raw)
    erased = temporary(f"erased_{source.name}", sa.Column("person", person.type))
    ex.create(erased, **step)
    # Distinct ids, since a hash costs more than reading a row.
    named = sa.select(person.label("person")).distinct().subquery("named")
    salt = sa.select(sa.func.max(ERASURE.c.salt)).scalar_subquery()
    hashed = Sha256(salt.concat(":").concat(sa.cast(named.c.person, sa.String(65535))))
    known = sa.select(named.c.person).where(hashed.in_(sa.select(ERASURE.c.digest)))
    ex.change(sa.insert(erased).from_select(["person"], known), **step)
    return ex.change(sa.delete(raw).where(person.in_(sa.select(erased.c.person))), **step)


# In the text of refused records -----------------------------------------------------------


def withhold(
    ex: Executor, sources: Sequence[Source], quarantine: Quarantine, erasures: int
) -> None:
    """Stops the quarantine from keeping the text of records about an erased person."""
    about = {source.name: source for source in sources if id_field(source) is not None}
    with ex.when(_WHEN, erasures) as should_run:
        if should_run and about:
            found = ex.rows(sa.select(ERASURE.c.salt, ERASURE.c.digest), step="erased")
            salts, digests = {row.salt for row in found}, {row.digest for row in found}

            def is_erased(person: str) -> bool:
                return any(digest(person, salt) in digests for salt in salts)

            quarantine.withheld = _names(about, is_erased)


def _names(
    about: dict[str, Source], is_erased: Callable[[str], bool]
) -> Callable[[str, bytes], bool]:
    def names(source: str, raw: bytes) -> bool:
        if source not in about:
            return False
        text = raw.decode("utf-8", "backslashreplace")
        return any(is_erased(person) for person in set(named(text, about[source])))

    return names


def named(raw: str, source: Source) -> Iterator[str]:
    """The ids of all persons that a refused record mentions, as far as they can be found.

    It may not be JSON, or not the expected JSON: keys in a different case, nested, repeated, inside
    a text, with different quotes or none, in UTF-16.
    """
    spec = id_field(source)
    assert spec is not None
    texts = [salvaged(raw, source).get(spec.column), *_after_keys(raw, source, spec)]
    for text in texts:
        if (person := spelled_id(text, spec)) is not None:
            yield person


def _after_keys(raw: str, source: Source, spec: Field) -> Iterator[str]:
    keys = [re.escape(key) for key, column in source.keys.items() if column == spec.column]
    text = raw.replace("\\x00", "").replace("\0", "")
    for found in re.finditer(
        rf"""(?<![^\W_])(?:{"|".join(keys)})[\\"']*\s*[:=][\s\[]*"""
        r"""(?:[\\]*["'](?P<quoted>[^"'\n]*)|(?P<bare>[^\s,{}\[\]"']+))""",
        text,
        re.IGNORECASE,
    ):
        value = found["quoted"] if found["bare"] is None else found["bare"]
        yield value.rstrip("\\")
        try:
            yield str(json.loads(f'"{value}"'))
        except ValueError:
            continue


__all__ = ["digest", "id_field", "id_of", "leave_out", "named", "spelled_id", "withhold"]
