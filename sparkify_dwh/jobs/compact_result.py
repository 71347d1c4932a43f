"""The result of compacting a source."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from ..core.quantity import quantity
from ..core.table import html_table


@dataclass
class Compaction:
    """What compacting a source did.

    :param source: name of the source.
    :param into: folder or prefix of the compacted objects, with a slash at its end.
    :param slices: their number is a multiple of it, unless there are fewer objects.
    :param dry_run: whether nothing was written.
    :param listed: objects of the source.
    :param loaded: of these, those that are loaded already; they are not compacted.
    :param known: those that are compacted already.
    :param large: those that are large enough.
    :param compacted: those that this run compacted.
    :param left: those that load uncompacted: they changed, are not text, or are too few.
    :param adopted: compacted objects that an earlier run or another warehouse wrote.
    :param bytes_read: bytes of the compacted source objects, as they are stored.
    :param bytes_written: bytes of the new compacted objects, without their indexes.
    :param made: the new compacted objects: ``key``, ``size`` (bytes, None in a dry run),
        ``objects``, and unless in a dry run ``rows`` and ``refused``.
    :param seconds: duration.
    """

    source: str
    into: str
    slices: int
    dry_run: bool = False
    listed: int = 0
    loaded: int = 0
    known: int = 0
    large: int = 0
    compacted: int = 0
    left: int = 0
    adopted: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    made: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for ``--json``."""
        return asdict(self)

    def _repr_html_(self) -> str:
        rows = [tuple(each.values()) for each in self.made]
        head = f"{self.source}: {quantity(self.compacted, 'object')} into {len(self.made):,}"
        return html_table(("key", "size", "objects", "rows", "refused"), rows, head)
