"""The statements of the next load, without running one of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

from ...core.engines import ENGINES
from ...core.errors import UsageError
from ...core.settings import Settings
from ...dialects import load_engine
from ...dialects.base import Engine
from ...models import extensions
from ...models.audit import STARTED
from ...models.declare import Declarations
from ...steps import ledger
from ...steps.executor import Executor
from ...steps.ledger import Loader
from ...steps.planner import PlannedStatement, Planner
from ...steps.quarantine import Quarantine
from ...storage import listing
from ...storage.objects import Listing
from .. import compacted_ledger, migrate
from . import attempt
from .state import Load


@dataclass(frozen=True)
class Plan:
    """The statements of the next load, in their order.

    :param objects: objects to load, by source; None where nothing was listed.
    """

    statements: list[PlannedStatement]
    objects: dict[str, int] | None = None

    @property
    def pending(self) -> bool:
        """Whether there is something to load."""
        return bool(self.objects and sum(self.objects.values()))

    def __str__(self) -> str:
        lines: list[str] = []
        for each in self.statements:
            marks = [f"if {each.condition}"] if each.condition else []
            marks += [f"per {each.repeated}"] if each.repeated else []
            lines += [f"-- {mark}" for mark in marks]
            lines.append(each.sql + (";" if not each.sql.startswith("--") else ""))
            lines.append("")
        return "\n".join(lines).rstrip()

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for ``--json``."""
        return asdict(self)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


def plan(settings: Settings, declarations: Declarations, name: str | None, *, reload: bool) -> Plan:
    """See ``Warehouse.plan``."""
    if name is not None and name not in ENGINES:
        raise UsageError(f"there is no engine {name}", f"there are: {', '.join(ENGINES)}")
    engine = load_engine(settings, name)
    load = Load(
        engine,
        declarations,
        settings,
        Loader("run", engine.name, "host", 0, "user"),
        Quarantine(Path("/dev/null"), "run", ledger.utc_now()),
    )
    ex = Planner(dialect=engine.plan_dialect)
    objects: dict[str, int] | None = None
    try:
        if name is None:
            objects = _pending(engine, load, settings, reload)
        else:
            empty = {source.name: Listing() for source in declarations.sources}
            attempt.discover(ex, load, empty, reload, ())
            ex.statements.clear()
            for batch in load.batches:
                batch.pending = True
        _write_down(ex, load, engine, bool(objects is None or sum(objects.values())))
    finally:
        load.quarantine.close()
        engine.close()
    return Plan(ex.statements, objects)


def _pending(engine: Engine, load: Load, settings: Settings, reload: bool) -> dict[str, int]:
    listings = listing.list_sources(settings, extensions.locations(settings, load.declarations))
    if engine.exists():
        config = migrate.alembic_config(settings, load.declarations)
        with engine.session(read_only=True) as connection:
            found = migrate.status(connection, config)
            if found.state != "missing":
                migrate.require_current(found)
                attempt.discover(Executor(connection), load, listings, reload, ())
    if not load.batches:
        none = Planner(dialect=engine.plan_dialect)
        attempt.discover(none, load, listings, True, ())
    objects = {batch.source.name: len(batch.objects) for batch in load.batches}
    for batch in load.batches:
        batch.objects = []  # a plan opens none of them
    return objects


def _write_down(ex: Planner, load: Load, engine: Engine, pending: bool) -> None:
    ex.note("BEGIN")
    ex.change(load.loader.event(STARTED), step="record")
    ex.note("COMMIT")
    ledger.past(ex)
    for source in load.declarations.sources:
        if any(batch.source is source for batch in load.batches):
            ledger.ledger(ex, source)
            with ex.when("objects are new", pending):
                compacted_ledger.held(ex, source)
    if not pending:
        ex.note("-- nothing new to load")
        return
    if engine.reads_first:
        ex.note("-- before the transaction: temporary tables only")
        attempt.read(ex, load)
    ex.note("BEGIN")
    engine.lock(ex)
    ledger.past(ex)
    if not engine.reads_first:
        attempt.read(ex, load)
    attempt.write(ex, load)
    ex.note("COMMIT")
    engine.housekeep(ex, load.deleted)
