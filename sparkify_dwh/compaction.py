"""What compacting a source did, as a small dataclass that shows itself in a notebook."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from .results import html_table


@dataclass
class Compaction:
    """What compacting a source did.

    :param source: name of the source.
    :param into: where compacted objects lie: a folder or prefix with a slash at its end.
    :param slices: their number is a multiple of it, where there are as many objects.
    :param dry_run: whether nothing was written.
    :param listed: objects of the source.
    :param loaded: of these, those that the warehouse holds already; they are left alone.
    :param known: those that compacted objects hold already.
    :param large: those of a good size as they are.
    :param compacted: those that went into compacted objects now.
    :param left: those that load by themselves: they changed, or are no text of records.
    :param adopted: compacted objects that an earlier run, or another warehouse, has made.
    :param bytes_read: bytes of the objects that were compacted, as they are stored.
    :param bytes_written: bytes of the new compacted objects, without their indexes.
    :param made: the new compacted objects: ``key``, ``size`` (bytes, None in a dry run),
        ``objects``, and when they were made ``rows`` and ``refused``.
    :param seconds: how long it took.
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
        head = f"{self.source}: {self.compacted:,} objects into {len(self.made):,}"
        return html_table(("key", "size", "objects", "rows", "refused"), rows, head)
