"""Data quality of the whole star."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..core.table import html_table
from ..dialects.base import Engine
from ..models.declare import Declarations
from ..steps import star_checks
from ..steps.books import Measure
from ..steps.executor import Executor


@dataclass(frozen=True)
class CheckResult:
    """The measured checks of the whole star.

    :param measures: one for each check of each table; ``value`` counts the rows that fail it.
    """

    measures: list[Measure]

    @property
    def passed(self) -> bool:
        """Whether every check that can fail passed."""
        return all(measure.passed for measure in self.measures)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for ``--json``."""
        return {"passed": self.passed, **asdict(self)}

    def _repr_html_(self) -> str:
        rows = [(m.target, m.rule, m.value, m.limit_value, m.passed) for m in self.measures]
        return html_table(("table", "rule", "broken by", "limit", "passed"), rows)


def check(engine: Engine, declarations: Declarations) -> CheckResult:
    """See ``Warehouse.check``."""
    with engine.session(read_only=True) as connection:
        ex = Executor(connection)
        measures = [
            measure
            for target in declarations.targets
            for measure in star_checks.check_target(ex, target, None)
        ]
    return CheckResult(measures)
