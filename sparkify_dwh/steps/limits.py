"""How many rows a load may refuse, and the error when it refuses more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..core.errors import RejectLimitError
from ..core.quantity import quantity
from ..core.settings import Settings
from .books import Measure
from .quarantine import Refusal

#: The measure: refused rows of a source, as a share of the rows read.
REJECT_RATIO = "reject_ratio"


def reject_measures(settings: Settings, source: str, read: int, refused: int) -> list[Measure]:
    """Measures a source's refused rows against the limits; a value at its limit passes.

    A load fails when it refuses more than ``reject_floor`` rows and more than
    ``max_reject_ratio`` of the rows read, or more than ``max_rejects`` rows.
    """
    # Divide: 29 / 100 is 0.29, but 0.29 * 100 is less than 29.
    ratio = refused / read if read else 0.0
    within = refused <= settings.reject_floor or ratio <= settings.max_reject_ratio
    measures = [Measure(REJECT_RATIO, source, "fail", ratio, settings.max_reject_ratio, within)]
    if settings.max_rejects is not None:
        limit = settings.max_rejects
        measures.append(Measure("max_rejects", source, "fail", refused, limit, refused <= limit))
    return measures


@dataclass(frozen=True)
class LimitBreach:
    """A source with more refused rows than allowed.

    :param worst: rules with their counts and sample rows, most refusals first.
    :param limits: the limits exceeded: ``reject_ratio``, ``max_rejects``.
    """

    source: str
    read: int
    refused: int
    worst: Sequence[tuple[str, int, Sequence[Refusal]]]
    limits: Sequence[str]

    def __str__(self) -> str:
        rules = ", ".join(f"{rule} {count:,}" for rule, count, _ in self.worst[:3])
        return (
            f"{self.source}: {self.refused:,} of {quantity(self.read, 'row')} refused, "
            f"more than allowed ({rules})"
        )


_OPTIONS = {
    "reject_ratio": ("--max-reject-ratio", "--reject-floor"),
    "max_rejects": ("--max-rejects",),
}


def refuse_load(sources: Sequence[LimitBreach]) -> None:
    """Ends a load that refused too much.

    :raises RejectLimitError: always, with the worst rules and three sample rows.
    """
    worst = [each for source in sources for each in source.worst]
    samples = [s for _, _, kept in worst for s in kept[:1]] + [
        s for _, _, kept in worst for s in kept[1:]
    ]
    shown = [
        f"  {s.place}{s.rule}: {s.raw[:120].decode('utf-8', 'backslashreplace')}"
        for s in samples[:3]
    ]
    options = dict.fromkeys(o for source in sources for n in source.limits for o in _OPTIONS[n])
    raise RejectLimitError(
        "\n".join([*(str(source) for source in sources), *shown]),
        f"allow more: {' or '.join(options)}",
    )
