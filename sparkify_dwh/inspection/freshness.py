"""Freshness, for monitors: what the sources hold, compared with the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from ..core.table import html_table
from ..dialects.base import Engine, SchemaCheck
from ..models.declare import Declarations
from ..models.extensions import locations
from ..steps import ledger
from ..steps.executor import Executor
from ..storage.listing import list_sources
from ..storage.objects import Listing, Object, folder_key, is_loaded
from ..storage.s3 import SCHEME

State = Literal["never loaded", "changed", "gone"]


@dataclass(frozen=True)
class Difference:
    """An object on which source and ledger differ.

    :param state: ``never loaded``; ``changed`` since it was loaded; ``gone`` from the source.
    :param size: bytes; for an object that is gone, of the version loaded last.
    :param modified: when it was written, UTC; None for an object that is gone.
    """

    key: str
    state: State
    size: int
    modified: datetime | None = None


@dataclass(frozen=True)
class SourceState:
    """One source compared with the ledger.

    :param loaded: objects whose current version is loaded.
    :param oldest_at: when the oldest object waiting for a load was written, UTC.
    :param oldest_seconds: how long ago that is.
    """

    source: str
    place: str
    listed: int
    skipped: int
    loaded: int
    never_loaded: int
    changed: int
    gone: int
    waiting_bytes: int
    oldest_at: datetime | None
    oldest_seconds: float | None
    passed: bool
    objects: list[Difference] = field(default_factory=list)

    @property
    def waiting(self) -> int:
        """Objects that the next load will read."""
        return self.never_loaded + self.changed


@dataclass(frozen=True)
class SourceCheck:
    """All sources compared with the ledger.

    :param max_age: seconds that an object may wait.
    """

    sources: list[SourceState]
    max_age: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether no object waits longer than it may; objects that are gone do not count."""
        return all(state.passed for state in self.sources)

    @property
    def oldest_seconds(self) -> float | None:
        """How long the oldest object of any source has waited; None: no object waits."""
        ages = [s.oldest_seconds for s in self.sources if s.oldest_seconds is not None]
        return max(ages, default=None)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for ``--json``."""
        sources = [{**asdict(state), "waiting": state.waiting} for state in self.sources]
        return {
            "passed": self.passed,
            "max_age": self.max_age,
            "oldest_seconds": self.oldest_seconds,
            "sources": sources,
        }

    def _repr_html_(self) -> str:
        columns = ("source", "listed", "loaded", "never_loaded", "changed", "gone", "passed")
        rows = [tuple(getattr(state, name) for name in columns) for state in self.sources]
        return html_table([name.replace("_", " ") for name in columns], rows)


def check_sources(
    engine: Engine, declarations: Declarations, *, require_current: SchemaCheck, max_age: float
) -> SourceCheck:
    """See ``Warehouse.check_sources``."""
    places = locations(engine.settings, declarations)
    listings = list_sources(engine.settings, places)
    now = ledger.utc_now()
    states = []
    with engine.session(read_only=True) as connection:
        require_current(connection)
        ex = Executor(connection)
        for source in declarations.sources:
            if source.name in places:
                place, listing = places[source.name], listings[source.name]
                known = ledger.loaded_objects(ex, source)
                states.append(_state(source.name, place, listing, known, now, max_age))
    return SourceCheck(states, max_age)


def _state(
    name: str,
    place: str,
    listing: Listing,
    known: Mapping[str, tuple[str, int]],
    now: datetime,
    max_age: float,
) -> SourceState:
    waiting = [o for o in listing.objects if not is_loaded(o, known)]
    differences = [
        Difference(o.key, "changed" if o.key in known else "never loaded", o.size, o.modified)
        for o in waiting
    ]
    gone = sorted(_gone(place, listing.objects, known))
    differences += [Difference(key, "gone", known[key][1]) for key in gone]
    oldest = min((at for o in waiting if (at := o.modified) is not None), default=None)
    # The clock of another machine may be ahead.
    age = max(0.0, (now - oldest).total_seconds()) if oldest is not None else None
    changed = sum(1 for each in differences if each.state == "changed")
    return SourceState(
        source=name,
        place=place,
        listed=len(listing.objects),
        skipped=listing.skipped,
        loaded=len(listing.objects) - len(waiting),
        never_loaded=len(waiting) - changed,
        changed=changed,
        gone=len(gone),
        waiting_bytes=sum(o.size for o in waiting),
        oldest_at=oldest,
        oldest_seconds=age,
        passed=not waiting or (age is not None and 0 < max_age >= age),
        objects=differences,
    )


def _gone(place: str, objects: Iterable[Object], known: Iterable[str]) -> set[str]:
    """Keys in the ledger that belong to this place but are no longer there."""
    root = place if place.startswith(SCHEME) else folder_key(place)
    below = root if root.endswith("/") else root + "/"
    there = {each.key for each in objects}
    return {key for key in known if (key == root or key.startswith(below)) and key not in there}
