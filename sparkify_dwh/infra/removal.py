"""What `remove` is about to do, and what it did."""

from __future__ import annotations

from dataclasses import dataclass

from .results import Result, Snapshot


@dataclass(frozen=True)
class Removal(Result):
    """What `remove` is about to do.

    :param resources: logical name, type and physical name of what goes.
    :param staying: snapshots that were not made by `remove`; they stay, and are billed.
    """

    stack: str
    name: str
    resources: tuple[tuple[str, str, str], ...]
    objects: int | None
    snapshot: str | None
    keep_days: int
    staying: tuple[Snapshot, ...] = ()

    def lines(self) -> list[str]:
        """The list to agree to."""
        shown = [f"{self.stack}: this will go"]
        shown += [f"  {logical} ({kind}) {there}" for logical, kind, there in self.resources]
        if self.objects:
            shown.append(f"  {self.objects:,} objects and versions in the work bucket")
        if self.snapshot:
            shown.append(f"before that: final snapshot {self.snapshot}, kept {self.keep_days} days")
        else:
            shown.append("WITHOUT a final snapshot: the data cannot be had back")
        for each in self.staying:
            shown.append(f"stays, and is billed: snapshot {each.lines()[0]}")
        return shown


@dataclass(frozen=True)
class Removed(Result):
    """What `remove` did, and the proof.

    :param left: ARNs with the warehouse's tag that still exist and cost money.
    """

    name: str
    carried_out: bool = True
    snapshots: tuple[Snapshot, ...] = ()
    staying: tuple[Snapshot, ...] = ()
    left: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """What is left, named."""
        if not self.carried_out:
            return ["nothing was removed"]
        if self.left:
            return [f"STILL THERE, and billed: {arn}" for arn in self.left]
        rest = [f"final snapshot {each.lines()[0]}" for each in self.snapshots]
        rest += [f"snapshot of yours {each.lines()[0]}" for each in self.staying]
        if not rest:
            return [f"nothing with the tag sparkify={self.name} is left"]
        return [f"nothing billable with the tag sparkify={self.name} is left but", *rest]
