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
from ...models.audit import STARTED
from ...models.declare import Declarations
from ...models.extensions import locations
from ...steps import ledger
from ...steps.ledger import RunIdentity
from ...steps.planner import PlannedStatement, Planner
from ...steps.quarantine import Quarantine
from ...storage.listing import list_sources
from ...storage.objects import Listing
from ..schema_gate import SchemaGate
from .attempt import attempt
from .state import LoadState


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


def plan(
    settings: Settings,
    declarations: Declarations,
    gate: SchemaGate,
    engine_name: str | None = None,
    *,
    reload: bool = False,
) -> Plan:
    """See ``Warehouse.plan``."""
    if engine_name is not None and engine_name not in ENGINES:
        names = ", ".join(ENGINES)
        raise UsageError(f"there is no engine {engine_name}", f"there are: {names}")
    engine = load_engine(settings, engine_name)
    planner = Planner(engine.plan_dialect, assumes_new=engine_name is not None)
    state = LoadState(
        engine,
        declarations,
        settings,
        RunIdentity("run", engine.name, ledger.utc_now(), "host", 0, "user"),
        Quarantine(Path("/dev/null"), "run", ledger.utc_now()),
        {source.name: Listing() for source in declarations.sources},
        reload=reload,
    )
    try:
        if engine_name is not None:
            return Plan(_statements(planner, state))
        state.listings = list_sources(settings, locations(settings, declarations))
        if not engine.exists():
            return Plan(_statements(planner, state), _objects(state))
        with engine.session(read_only=True) as connection:
            if gate.is_present(connection):
                planner.ledger = connection
            return Plan(_statements(planner, state), _objects(state))
    finally:
        state.quarantine.close()
        engine.close()


def _statements(planner: Planner, state: LoadState) -> list[PlannedStatement]:
    with planner.transaction():
        planner.change(state.identity.event(STARTED), step="record")
    attempt(planner, state)
    return planner.statements


def _objects(state: LoadState) -> dict[str, int]:
    return {batch.source.name: batch.book.objects for batch in state.batches}
